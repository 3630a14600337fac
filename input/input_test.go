package input_test

import (
	"strings"
	"testing"
	"unicode"

	"usher/input"
)

func TestTrim_and_Narrow(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]struct{ trimmed, narrowed string }{
		"":                                  {"", ""},
		"xiaoming":                          {"xiaoming", "xiaoming"},
		" \t\u00a0\u3000\u2009xiaoming\r\n": {"xiaoming", "xiaoming"},
		"\ufeff\u200bxiao\u200bming\u202c":  {"xiaoming", "xiaoming"},
		"\u2068a\u00adb\u2069\ufe0f":        {"ab", "ab"},
		" \u200b ":                          {"", ""},
		"\ufffc小明 usher":                    {"小明 usher", "小明 usher"},
		"ａ＠ｂ．ｃｎ":                            {"ａ＠ｂ．ｃｎ", "a@b.cn"},
		"138\u00a00013\u2014８０００":           {"138\u00a00013\u2014８０００", "138 0013-8000"},
		"a\nb":                              {"a\nb", "a\nb"},
		"\u212aelvin ﬁ":                     {"\u212aelvin ﬁ", "\u212aelvin ﬁ"}, // resembles ASCII, and is another letter
	} {
		if got := input.Trim(given); got != want.trimmed {
			t.Errorf("Trim(%q) = %q, want %q", given, got, want.trimmed)
		}
		if got := input.Narrow(given); got != want.narrowed {
			t.Errorf("Narrow(%q) = %q, want %q", given, got, want.narrowed)
		}
	}
}

// Every character of the kinds that the package speaks of, before, within and behind a number, a code and a name.
func TestEvery_space_hyphen_and_invisible_mark_is_forgiven(t *testing.T) {
	t.Parallel()
	checked := 0
	for r := rune(0); r <= unicode.MaxRune; r++ {
		space, hyphen := unicode.IsSpace(r), unicode.Is(unicode.Pd, r) || r == '\u2212'
		invisible := unicode.Is(unicode.Cf, r) && !unicode.Is(unicode.Prepended_Concatenation_Mark, r) || unicode.Is(unicode.Variation_Selector, r)
		if !space && !hyphen && !invisible {
			continue
		}
		checked++
		c := string(r)
		if !hyphen {
			if got := input.Trim(c + "name" + c); got != "name" {
				t.Errorf("%U stays at the ends of a name: %q", r, got)
			}
		}
		if strings.ContainsRune("\n\v\f\r\u0085\u2028\u2029", r) {
			if _, _, ok := input.Number("138" + c + "00138000"); ok {
				t.Errorf("two lines are taken for one number, with %U", r)
			}
			c = ""
		}
		if digits, _, _ := input.Number(string(r) + "138" + c + "0013" + c + "8000" + string(r)); digits != "13800138000" {
			t.Errorf("%U spoils a number: %q", r, digits)
		}
		if code := input.Code(string(r)+"402"+c+"913"+string(r), 6); code != "402913" {
			t.Errorf("%U spoils a code: %q", r, code)
		}
	}
	if checked < 300 {
		t.Errorf("%d characters were checked: the tables of Unicode have more", checked)
	}
}

func TestNumber(t *testing.T) {
	t.Parallel()
	type result struct {
		digits        string
		international bool
	}
	for given, want := range map[string]result{ // the zero result means refused
		"13800138000":       {"13800138000", false},
		"+86 138 0013 8000": {"8613800138000", true},
		"＋８６　１３８－００１３－８０００": {"8613800138000", true},
		"0086 138-0013-8000":    {"8613800138000", true},
		"(+86)138.0013.8000":    {"8613800138000", true},
		"tel:+86-138-0013-8000": {"8613800138000", true},
		"+1 (202) 555-0123":     {"12025550123", true},
		"":                      {}, "+": {}, "00": {}, "()": {},
		"1+3800138000": {}, "++8613800138000": {}, "13800138000,13900000000": {}, "13800138000/1": {},
		"13800138000.0": {}, "1380013800.0": {}, "1380013800a": {}, "138\n00138000": {}, "telx13800138000": {},
		strings.Repeat("1", 65): {},
	} {
		digits, international, ok := input.Number(given)
		if ok != (want != result{}) || ok && (result{digits, international}) != want {
			t.Errorf("Number(%q) = %q, %v, %v; want %+v", given, digits, international, ok, want)
		}
	}
}

func TestCode(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]string{
		"402913": "402913", "402 913": "402913", "402913 ": "402913", "402-913": "402913", "４０２９１３": "402913",
		"\u200e402\u00a0913\ufeff":                      "402913",
		"【Usher】您的验证码是402913，5分钟内有效":                    "402913",
		"[Usher] Your code is 402913, valid for 5 min.": "402913",
		"验证码：４０２９１３。":                                   "402913",
		"G-402913 is your code":                         "402913",
		"您的验证码是402913\n\n@usher.example #402913":        "402913",

		"":                       "",
		"40291":                  "40291",
		"4029130":                "4029130",
		"code 402913 or 402914":  "code 402913 or 402914",
		"order AB402913":         "order AB402913",
		"call 13800138000":       "call 13800138000",
		"402 913 is your code":   "402 913 is your code",
		"402,913":                "402,913",
		"402913, 5":              "402913", // a message of few words
		"٤٠٢٩١٣":                 "٤٠٢٩١٣",
		strings.Repeat("9", 700): strings.Repeat("9", 700),
	} {
		if got := input.Code(given, 6); got != want {
			t.Errorf("Code(%q) = %q, want %q", given, got, want)
		}
	}
	if got := input.Code("【Usher】您的验证码是4029，5分钟内有效，1234", 4); got == "4029" || got == "1234" {
		t.Errorf("one of two codes was chosen: %s", got)
	}
}

func TestLetterCode(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]string{
		"K4M7XN": "K4M7XN", "k4m 7xn": "K4M7XN", " k4m-7xn\u00a0": "K4M7XN", "Ｋ４ｍ７ｘｎ": "K4M7XN", "CDFGHJ": "CDFGHJ",
		"402913": "402913", // sent before codes had letters
		"【Usher】您的验证码是K4M7XN，5分钟内有效":                          "K4M7XN",
		"[Usher] Please use k4m7xn. Valid for 5 min, k4m7xn!": "K4M7XN",

		"": "", "K4M7X": "K4M7X", "K4M7XNN": "K4M7XNN", "K4M7XO": "K4M7XO",
		"K4M7XN or K4M7XP": "K4M7XN or K4M7XP", "ORDER-K4M7XN1": "ORDER-K4M7XN1", "please": "please", "К4М7ХН": "К4М7ХН",
	} {
		if got := letterCode(given); got != want {
			t.Errorf("LetterCode(%q) = %q, want %q", given, got, want)
		}
	}
}

func letterCode(s string) string { return input.LetterCode(s, 6, "34679CDFGHJKMNPQRTVWXY") }

func FuzzInput(f *testing.F) {
	f.Add("+86 138 0013 8000", 6)
	f.Add("【Usher】您的验证码是４０２９１３，5分钟内有效", 6)
	f.Add("\u202a402\u2013913\u202c", 4)
	f.Fuzz(func(t *testing.T, s string, length int) {
		for name, normal := range map[string]func(string) string{
			"Trim": input.Trim, "Narrow": input.Narrow, "Code": func(s string) string { return input.Code(s, length) },
			"LetterCode": letterCode,
		} {
			if once := normal(s); normal(once) != once {
				t.Errorf("%s(%q) = %q, and again %q", name, s, once, normal(once))
			}
		}
		digits, international, ok := input.Number(s)
		if !ok {
			return
		}
		if international {
			digits = "+" + digits
		}
		if again, abroad, ok := input.Number(digits); !ok || abroad != international || again != strings.TrimPrefix(digits, "+") {
			t.Errorf("Number(%q) is %q, and that is %q, %v, %v", s, digits, again, abroad, ok)
		}
	})
}
