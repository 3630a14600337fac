package contact_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/nyaruka/phonenumbers/v2"
	"pgregory.net/rapid"

	"usher/contact"
)

func regions(t testing.TB, codes ...string) contact.Regions {
	t.Helper()
	served, err := contact.NewRegions(codes)
	if err != nil {
		t.Fatal(err)
	}
	return served
}

func TestRegions_Parse_reads_what_people_paste(t *testing.T) {
	t.Parallel()
	const refused, unserved = "refused", "not served"
	for codes, numbers := range map[string]map[string]string{
		"": {
			"138 0013 8000":  "13800138000",
			"+852 5123 4567": unserved,
			"51234567":       refused,
		},
		"CN,HK,MO,TW": {
			"13800138000":        "13800138000",
			"8613800138000":      "13800138000",
			"0086-138-0013-8000": "13800138000",
			"+852 5123 4567":     "+85251234567",
			"+852-5123-4567":     "+85251234567",
			"(+852) 5123.4567":   "+85251234567",
			"00852 51234567":     "+85251234567",
			"００８５２　５１２３　４５６７":           "+85251234567",
			"＋８５２ ５１２３ ４５６７":            "+85251234567",
			"tel:+852-5123-4567":        "+85251234567",
			"\u202a+85251234567\u202c":  "+85251234567",
			"+853 6612 3456":            "+85366123456",
			"+886 912 345 678":          "+886912345678",
			"+886 0912 345 678":         "+886912345678",
			"00886912345678":            "+886912345678",
			"+1 415 555 2671":           unserved,
			"+44 7400 123456":           unserved,
			"0912345678":                refused, // as it is dialled in Taiwan, which is not first
			"85251234567":               refused, // without a plus sign it is no mainland number
			"+852 2123 4567":            refused, // a fixed line
			"+852 5123 456":             refused,
			"+852 5123 45678":           refused,
			"+85251234567,+85251234568": refused,
			"+85251234567;ext=1":        refused,
			"+852 5123 4567 x1":         refused,
			"+881 612345678":            refused, // a satellite phone
			"+999 123456789":            refused,
			"+":                         refused,
			"00":                        refused,
			"+0":                        refused,
			strings.Repeat("9", 4096):   refused,
		},
		"HK,CN": {
			"5123 4567":      "+85251234567",
			"85251234567":    "+85251234567",
			"+8613800138000": "13800138000",
			"13800138000":    refused, // the first region is meant
			"912345678":      refused,
		},
		"TW":    {"0912-345-678": "+886912345678", "912345678": "+886912345678"},
		"US,CA": {"(415) 555-2671": "+14155552671", "+1 604 234 5678": "+16042345678", "011 86 138 0013 8000": unserved},
		"GB":    {"07400 123456": "+447400123456", "+44 7797 712345": unserved}, // Jersey has a code of its own
	} {
		var list []string
		if codes != "" {
			list = strings.Split(codes, ",")
		}
		served := regions(t, list...)
		for in, want := range numbers {
			got, err := served.Parse(in)
			is := got.Reveal()
			switch {
			case errors.Is(err, contact.ErrRegion):
				is = unserved
			case errors.Is(err, contact.ErrMobile):
				is = refused
			case err != nil:
				t.Errorf("%s: Parse(%q): %v", codes, in, err)
			}
			if is != want || err != nil && !got.IsZero() {
				t.Errorf("%s: Parse(%q) = %s, want %s", codes, in, is, want)
			}
		}
	}
}

func TestRegions_ParseAny_finds_numbers_that_are_no_longer_served(t *testing.T) {
	t.Parallel()
	m, err := regions(t, "CN").ParseAny("+852 5123 4567")
	if err != nil || m.Region() != "HK" || regions(t).Serves(m) || !regions(t, "HK").Serves(m) {
		t.Errorf("ParseAny = %s of %q, %v", m, m.Region(), err)
	}
}

func TestNewRegions_names_what_is_wrong(t *testing.T) {
	t.Parallel()
	for name, codes := range map[string][]string{
		"XX": {"CN", "XX"}, "hk": {"hk"}, "HK is named twice": {"HK", "CN", "HK"}, "852": {"852"}, `""`: {""}, "001": {"001"},
	} {
		if _, err := contact.NewRegions(codes); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%q: %v", codes, err)
		}
	}
	if got := fmt.Sprint(regions(t).Codes(), regions(t, "HK", "CN").Codes()); got != "[CN] [HK CN]" {
		t.Errorf("Codes = %s", got)
	}
	if hk, none := contact.CallingCode("HK"), contact.CallingCode("XX"); hk != 852 || none != 0 {
		t.Errorf("calling codes %d and %d", hk, none)
	}
}

// examples are a mobile number of every region that the library knows.
func examples() map[string]string {
	numbers := map[string]string{}
	for region := range phonenumbers.GetSupportedRegions() {
		if number := phonenumbers.GetExampleNumberForTypeInRegion(region, phonenumbers.MOBILE); number != nil {
			numbers[region] = phonenumbers.Format(number, phonenumbers.E164)
		}
	}
	return numbers
}

func TestMobile_of_every_region_is_read_back_and_hides_four_digits(t *testing.T) {
	t.Parallel()
	numbers := examples()
	if len(numbers) < 200 {
		t.Fatalf("only %d regions", len(numbers))
	}
	for region, number := range numbers {
		m, err := contact.ParseMobile(number)
		// Regions that share a country code can share mobile numbers too, such as Italy and the Vatican.
		shared := contact.CallingCode(m.Region()) == contact.CallingCode(region)
		if err != nil || m.E164() != number || !shared {
			t.Errorf("%s: %q of %q, %v; want %q", region, m.E164(), m.Region(), err, number)
			continue
		}
		again, err := contact.ParseMobile(m.Reveal())
		if err != nil || again != m {
			t.Errorf("%s: the canonical form %q is read as %q: %v", region, m.Reveal(), again.Reveal(), err)
		}
		code := fmt.Sprint("+", contact.CallingCode(region))
		if region == contact.Mainland {
			code = ""
		}
		hidden := strings.Count(m.String(), "*")
		if hidden != 4 || len(m.String()) != len(m.Reveal()) || !strings.HasPrefix(m.String(), code) {
			t.Errorf("%s: %q is masked as %q", region, m.Reveal(), m)
		}
		if prefix := m.Prefix(); len(prefix) != len(m.Reveal())-4 || !strings.HasPrefix(m.Reveal(), prefix) {
			t.Errorf("%s: %q has the prefix %q", region, m.Reveal(), prefix)
		}
	}
}

func TestMobile_is_masked_in_every_region(t *testing.T) {
	t.Parallel()
	for number, mask := range map[string]string{
		"13800138000":   "138****8000",
		"+85251234567":  "+852****4567",
		"+886912345678": "+8869****5678",
		"+14155552671":  "+141****2671",
		"+298211234":    "+298****34", // a short number keeps four digits hidden
	} {
		m, err := contact.ParseMobile(number)
		if err != nil || m.String() != mask {
			t.Errorf("%s is shown as %q, %v; want %q", number, m, err, mask)
		}
	}
}

func TestE164_and_Region(t *testing.T) {
	t.Parallel()
	for mobile, want := range map[string][2]string{
		"13800138000":  {"+8613800138000", "CN"},
		"+85251234567": {"+85251234567", "HK"},
		"+16042345678": {"+16042345678", "CA"},
		"":             {"", ""},
	} {
		m, _ := contact.ParseMobile(mobile) // the zero value belongs to no region
		if e164, region := contact.E164(mobile), m.Region(); e164 != want[0] || region != want[1] {
			t.Errorf("%q: %q of %q, want %q", mobile, e164, region, want)
		}
	}
}

// A number that is written in any usual way is read as the same number.
func TestRegions_Parse_undoes_every_way_of_writing(t *testing.T) {
	t.Parallel()
	numbers := examples()
	codes := make([]string, 0, len(numbers))
	for region := range numbers {
		codes = append(codes, region)
	}
	served := regions(t, codes...)
	rapid.Check(t, func(t *rapid.T) {
		number := numbers[rapid.SampledFrom(codes).Draw(t, "region")]
		want, err := served.Parse(number)
		if err != nil {
			t.Fatal(err)
		}
		digits := strings.TrimPrefix(number, "+")
		written := rapid.SampledFrom([]string{"+", "00", "＋", " +", "(+"}).Draw(t, "prefix")
		closing := strings.HasPrefix(written, "(")
		for i, digit := range digits {
			if i == 2 && closing {
				written += ")"
			}
			if i < len(digits)-3 { // a dot with fewer digits behind it is a decimal point
				written += rapid.SampledFrom([]string{"", "", " ", "-", ".", "\u2011", "\u00a0", "\u200b"}).Draw(t, "separator")
			}
			written += rapid.SampledFrom([]string{string(digit), string(digit - '0' + '０')}).Draw(t, "digit")
		}
		if got, err := served.Parse(written); err != nil || got != want {
			t.Errorf("%q = %q, %v; want %q", written, got.Reveal(), err, want.Reveal())
		}
	})
}

func FuzzRegions_Parse(f *testing.F) {
	for _, s := range []string{"+852 5123 4567", "0912345678", "00886912345678", "+1 (415) 555-2671", "tel:+852;phone-context=+1", "+0000"} {
		f.Add(s)
	}
	served := [...]contact.Regions{regions(f), regions(f, "HK", "CN"), regions(f, "TW"), regions(f, "US", "IT")}
	f.Fuzz(func(t *testing.T, s string) {
		for _, r := range served {
			m, err := r.ParseAny(s)
			if err != nil {
				if !errors.Is(err, contact.ErrMobile) || !m.IsZero() {
					t.Errorf("ParseAny(%q) = %q, %v", s, m.Reveal(), err)
				}
				continue
			}
			again, err := contact.ParseMobile(m.Reveal())
			whole, wholeErr := r.ParseAny(contact.E164(m.Reveal()))
			if err != nil || wholeErr != nil || again != m || whole != m {
				t.Errorf("%q is %q, read back as %q and %q: %v, %v", s, m.Reveal(), again.Reveal(), whole.Reveal(), err, wholeErr)
			}
			if len(m.E164()) > len("+123456789012345") {
				t.Errorf("%q is %q", s, m.E164())
			}
		}
	})
}
