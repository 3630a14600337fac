package captcha_test

import (
	"strings"
	"testing"
	"unicode"

	"usher/captcha"
)

func TestMatch(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name          string
		stored, given string
		want          bool
	}{
		{"the same", "24689", "24689", true},
		{"another", "24689", "24688", false},
		{"a prefix", "24689", "2468", false},
		{"more", "24689", "246899", false},
		{"lower case", "ACEF", "acef", true},
		{"stored in lower case", "acef", "ACEF", true},
		{"full-width digits", "24689", "２４６８９", true},
		{"full-width letters", "ACEF", "ａＣｅｆ", true},
		{"spaces around", "24689", " 24689\r\n", true},
		{"spaces between, as digits are dictated", "24689", "2 4 6 8 9", true},
		{"ideographic spaces", "24689", "\u300024689\u3000", true},
		{"a sum", "104", "104", true},
		{"the wrong sum", "104", "14", false},
		{"the question instead of the sum", "104", "97+7", false},
		{"empty given", "24689", "", false},
		{"empty stored", "", "24689", false},
		{"both empty", "", "", false},
		{"both blank", " ", "\u3000", false},
		{"endless", "24689", "24689" + strings.Repeat(" ", 10_000), false},
		{"not UTF-8", "24689", "2468\xff", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := captcha.Match(tt.stored, tt.given); got != tt.want {
				t.Errorf("Match(%q, %q) = %v, want %v", tt.stored, tt.given, got, tt.want)
			}
		})
	}
}

func FuzzMatch(f *testing.F) {
	f.Add("24689", "２４６８９")
	f.Add("", "")
	f.Add("acef", " AC\u00a0EF ")
	f.Add("\xff", "\u0345")
	f.Fuzz(func(t *testing.T, stored, given string) {
		got := captcha.Match(stored, given)
		if got && (strings.TrimFunc(stored, unicode.IsSpace) == "" || strings.TrimFunc(given, unicode.IsSpace) == "") {
			t.Errorf("Match(%q, %q): blank matches", stored, given)
		}
		if got != captcha.Match(given, stored) {
			t.Errorf("Match(%q, %q) depends on the order", stored, given)
		}
	})
}

func TestNewID_gives_valid_names_that_differ(t *testing.T) {
	t.Parallel()
	seen := make(map[string]bool)
	for range 1000 {
		id := captcha.NewID()
		if !captcha.ValidID(id) || seen[id] {
			t.Fatalf("%q is not valid or came twice", id)
		}
		seen[id] = true
	}
}

func TestValidID_refuses_what_NewID_never_gives(t *testing.T) {
	t.Parallel()
	good := strings.Repeat("A", 26)
	if !captcha.ValidID(good) {
		t.Fatalf("%q is refused", good)
	}
	for _, id := range []string{"", good[1:], good + "A", good[1:] + "a", good[1:] + "*", good[1:] + "1", "A:" + good[2:], good[2:] + "é", "A\n" + good[2:]} {
		if captcha.ValidID(id) {
			t.Errorf("%q is let through", id)
		}
	}
}
