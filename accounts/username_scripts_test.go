package accounts_test

import (
	"errors"
	"testing"

	"usher/accounts"
)

// A name that is made to look like another one either mixes scripts, which is refused, or is written in one
// script, and then it is the same name.
func TestUsername_impostors(t *testing.T) {
	t.Parallel()
	for impostor, original := range map[string]string{
		"\u0430dmin12345":                      "admin12345",            // Cyrillic a, alone among Latin letters
		"admin1234\u0665":                      "admin12345",            // an Arabic five
		"\u0421\u0441\u0441\u0440_1":           "Cccp_1",                // all Cyrillic
		"\u0445\u0430\u0445\u0430\u0445\u0430": "xaxaxa",                // all Cyrillic
		"\u03bf\u03bf\u03bf\u03bf\u03bf_1":     "ooooo_1",               // all Greek
		"\u13da\u13a1\u13a2_12":                "\u13da\u13a1\u13a2_12", // Cherokee looks like itself
		"pa\u0443p\u0430l":                     "paypal",
		"\u1d5bvvvvv":                          "vvvvvv", // a compatible form
	} {
		if mixed := problemOf(t, impostor) == accounts.MixedScripts; mixed {
			continue
		}
		_, made, ok := accounts.CanonicalUsername(impostor)
		_, want, _ := accounts.CanonicalUsername(original)
		if !ok || made != want {
			t.Errorf("%q is compared as %q, %q as %q", impostor, made, original, want)
		}
	}
}

func TestUsername_scripts(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]accounts.Problem{
		"lilei":           "",
		"李雷LiLei":         "",
		"李雷さんカ1":          "",
		"ㄅㄆㄇ李雷x":          "",
		"김철수xx金":          "",
		"иван_1":          "",
		"\u0430dmin12345": accounts.MixedScripts, // Cyrillic and Latin
		"αlpha":           accounts.MixedScripts,
		"ㄅㄆㄇかな":           accounts.MixedScripts,
		"김철수かな":           accounts.MixedScripts,
		"李雷иван":          accounts.MixedScripts,
		"abc12٣٤":         accounts.MixedScripts,
		"علي١٢":           "",
		"𐒠𐒡x𐒀12":          accounts.MixedScripts, // Osmanya, beyond the basic plane
		"abc\U0001d7ce1":  "",                    // a mathematical zero is a zero
		"13800\u0431":     accounts.NotAllowed,   // a Cyrillic letter like a six: compared as a number
	} {
		if got := problemOf(t, name); got != want {
			t.Errorf("%q: problem %q, want %q", name, got, want)
		}
	}
}

// Names in ASCII are different names however much they look alike: people have both of them.
func TestUsername_ascii_twins_are_two_names(t *testing.T) {
	t.Parallel()
	for one, other := range map[string]string{"user1": "userl", "modern": "modem", "user0": "usero"} {
		_, a, _ := accounts.CanonicalUsername(one)
		_, b, _ := accounts.CanonicalUsername(other)
		if a == b {
			t.Errorf("%s and %s are one name", one, other)
		}
	}
}

// problemOf returns what a registration would be told about a name.
func problemOf(t *testing.T, name string) accounts.Problem {
	t.Helper()
	_, err := newWorld(t).UsernameTaken(t.Context(), name)
	var fields accounts.FieldErrors
	if err != nil && !errors.As(err, &fields) {
		t.Fatal(err)
	}
	return fields[accounts.FieldUsername]
}
