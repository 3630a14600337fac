package accounts_test

import (
	"errors"
	"strings"
	"testing"
	"unicode"

	"usher/accounts"
	"usher/contact"
)

func TestCanonicalUsername(t *testing.T) {
	t.Parallel()
	for in, want := range map[string][2]string{
		"lilei":                                  {"lilei", "lilei"},
		"LiLei_1":                                {"LiLei_1", "lilei_1"},
		"_____":                                  {"_____", "_____"},
		"李雷和韩梅梅":                                 {"李雷和韩梅梅", "李雷和韩梅梅"},
		"ＬｉＬｅｉ":                                  {"LiLei", "lilei"},
		"Mu\u0308ller":                           {"Müller", "müller"},
		"Straße":                                 {"Straße", "strasse"},
		"ﬁnance":                                 {"finance", "finance"},
		"12345a":                                 {"12345a", "12345a"},
		"x²³⁴⁵":                                  {"x2345", "x2345"},
		strings.Repeat("ß", 20):                  {strings.Repeat("ß", 20), strings.Repeat("s", 40)},
		"Ἀχιλλεύς":                               {"Ἀχιλλεύς", "a\u0313χiλλꞓúo"},
		strings.Repeat("u\u0308", 20):            {strings.Repeat("ü", 20), strings.Repeat("ü", 20)},
		"four":                                   {},
		"":                                       {},
		strings.Repeat("a", 21):                  {},
		strings.Repeat("a", 1<<20):               {},
		"13800138000":                            {},
		"１３８００１３８０００":                            {},
		"١٢٣٤٥":                                  {}, // digits all the same
		"a@b.cn":                                 {},
		"with space":                             {},
		"hy-phen":                                {},
		"\ufeff lilei\u3000\n":                   {"lilei", "lilei"},
		"lilei\x00":                              {},
		"lilei\xff":                              {},
		"li\u200blei":                            {"lilei", "lilei"}, // zero-width space
		"li\u202elei":                            {"lilei", "lilei"}, // right-to-left override
		"lilei\ufe0f":                            {"lilei", "lilei"}, // variation selector
		"\u06ddlilei":                            {},                 // a sign of format that shows
		"lilei\u3164":                            {},                 // Hangul filler: a letter that shows nothing
		"\u115f\u1160\u3164\uffa0\u115f":         {},
		"lilei\u0300\u0301\u0302":                {}, // marks that no letter takes up
		"<script>":                               {},
		strings.Repeat("\u0301", 5) + "lileilei": {},
	} {
		shown, canonical, ok := accounts.CanonicalUsername(in)
		if ok != (want[0] != "") || shown != want[0] || canonical != want[1] {
			t.Errorf("CanonicalUsername(%.40q) = %q, %q, %v, want %q", in, shown, canonical, ok, want)
		}
	}
}

// A letter that looks like a capital, whose small letter looks like another one, is still one name with it.
func TestCanonicalUsername_of_a_canonical_name_is_the_name(t *testing.T) {
	t.Parallel()
	for r := range unicode.MaxRune {
		if !unicode.IsLetter(r) {
			continue
		}
		_, once, ok := accounts.CanonicalUsername("a" + strings.Repeat(string(r), 4))
		if !ok {
			continue
		}
		if _, twice, ok := accounts.CanonicalUsername(once); ok && twice != once {
			t.Errorf("%q is compared as %q, and that as %q", r, once, twice)
		}
	}
}

func FuzzCanonicalUsername(f *testing.F) {
	for _, seed := range []string{"LiLei_1", "Straße", "ＬｉＬｅｉ", "ᾳᾳᾳᾳᾳ", "İstanbul", "ŉŉŉŉŉ", "ﷺ", "13800138000", "a@b.cn"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		shown, canonical, ok := accounts.CanonicalUsername(s)
		if !ok {
			return
		}
		_, notEmail := contact.ParseEmail(s)
		if _, notMobile := contact.ParseMobile(s); notMobile == nil || notEmail == nil {
			t.Errorf("%q is a user name, and a number or an address", s)
		}
		again, same, ok := accounts.CanonicalUsername(shown)
		if !ok || again != shown || same != canonical {
			t.Errorf("%q: shown form %q gives %q, %q, %v", s, shown, again, same, ok)
		}
		if _, same, ok := accounts.CanonicalUsername(canonical); ok && same != canonical {
			t.Errorf("%q: canonical form %q gives %q", s, canonical, same)
		}
		if _, err := contact.ParseMobile(shown); err == nil || strings.Contains(shown, "@") {
			t.Errorf("%q can be taken for a number or an address", shown)
		}
	})
}

func TestUsernameTaken(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.registered(t)
	for in, want := range map[string]bool{"lilei_1": true, "ＬＩＬＥＩ_1": true, "lilei_2": false} {
		w.steps()
		if got, err := w.UsernameTaken(t.Context(), in); err != nil || got != want {
			t.Errorf("UsernameTaken(%q) = %v, %v, want %v", in, got, err, want)
		}
		wantSteps(t, w, "name taken") // one round trip, whether the name is taken or not
	}
	w.fail["name taken"] = errAway
	if _, err := w.UsernameTaken(t.Context(), "lilei_1"); !errors.Is(err, errAway) {
		t.Errorf("UsernameTaken without a store = %v", err)
	}
	for in, want := range map[string]accounts.Problem{
		"": accounts.Missing, "abc": accounts.TooShort, "12345": accounts.NotAllowed, "a b c": accounts.Malformed,
		strings.Repeat("x", 21): accounts.TooLong,
	} {
		_, err := w.UsernameTaken(t.Context(), in)
		var fields accounts.FieldErrors
		if errors.As(err, &fields); fields[accounts.FieldUsername] != want {
			t.Errorf("UsernameTaken(%q) = %v, want %s", in, err, want)
		}
	}
}

func TestMobileTaken(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.registered(t)
	for in, want := range map[string]bool{someMobile: true, "13900139000": false} {
		if got, err := w.MobileTaken(t.Context(), mobile(t, in)); err != nil || got != want {
			t.Errorf("MobileTaken = %v, %v, want %v", got, err, want)
		}
	}
}
