package front_test

import (
	"errors"
	"maps"
	"strings"
	"testing"

	"usher/app/front"
	"usher/config"
)

func TestLoad_names_the_variable_of_every_mistake_about_captchas(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ variable, value string }{
		"an unknown kind":                 {"USHER_CAPTCHA_KIND", "riddle"},
		"too long for a recording":        {"USHER_CAPTCHA_LENGTH", "9"},
		"no room for five characters":     {"USHER_CAPTCHA_WIDTH", "100"},
		"taller than a page has room":     {"USHER_CAPTCHA_HEIGHT", "400"},
		"noise that hides the characters": {"USHER_CAPTCHA_NOISE", "9"},
		"a colour by name":                {"USHER_CAPTCHA_INK", "black"},
		"ink too pale to be read":         {"USHER_CAPTCHA_INK", "#CCCCCC"},
		"a background as dark as ink":     {"USHER_CAPTCHA_BACKGROUND", "#333333"},
		"a language without a recording":  {"USHER_CAPTCHA_LANGUAGE", "fr"},
		"a font that does not exist":      {"USHER_CAPTCHA_FONT", "none.ttf"},
		"a file that is no font":          {"USHER_CAPTCHA_FONT", "captcha_test.go"},
		"a font higher than the picture":  {"USHER_CAPTCHA_FONT_SIZE", "60"},
		"characters on their sides":       {"USHER_CAPTCHA_ROTATION", "90"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := front.Load(map[string]string{
				"USHER_SECRET_KEYS": "k1:MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=", test.variable: test.value,
			})
			var mistakes config.Mistakes
			if !errors.As(err, &mistakes) {
				t.Fatalf("error = %v, want mistakes", err)
			}
			for _, mistake := range mistakes {
				if mistake.Variable != test.variable || mistake.Text == "" {
					t.Errorf("got %s: %s, want it about %s", mistake.Variable, mistake.Text, test.variable)
				}
			}
		})
	}
}

func TestLoad_names_the_variable_of_a_list_without_words(t *testing.T) {
	t.Parallel()
	_, err := front.Load(map[string]string{
		"USHER_SECRET_KEYS":  "k1:MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=",
		"USHER_CAPTCHA_KIND": "words", "USHER_CAPTCHA_WORDS": "captcha_test.go",
	})
	mistakes, ok := errors.AsType[config.Mistakes](err)
	if !ok || len(mistakes) != 1 || mistakes[0].Variable != "USHER_CAPTCHA_WORDS" {
		t.Errorf("got %v, want one mistake of USHER_CAPTCHA_WORDS", err)
	}
}

// The settings of a vendor count once it is named.
func TestLoad_names_the_variable_of_every_mistake_about_the_captchas_vendor(t *testing.T) {
	t.Parallel()
	const id, key = "647f5ed2ed8acb4be36784e01556bb71", "b09a7aafbfd83f73b35a9b530d0337bf"
	load := func(change map[string]string) error {
		environ := map[string]string{
			"USHER_SECRET_KEYS":    "k1:MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=",
			"USHER_CAPTCHA_HOSTED": "geetest", "USHER_GEETEST_CAPTCHA_ID": id, "USHER_GEETEST_KEY": key,
		}
		maps.Copy(environ, change)
		_, err := front.Load(environ)
		return err
	}
	if err := load(nil); err != nil {
		t.Errorf("right settings: %v", err)
	}
	if err := load(map[string]string{"USHER_CAPTCHA_HOSTED": "", "USHER_GEETEST_KEY": "x"}); err != nil {
		t.Errorf("without a vendor: %v", err)
	}
	for variable, value := range map[string]string{
		"USHER_CAPTCHA_HOSTED": "turnstile", "USHER_CAPTCHA_KIND": "off", "USHER_GEETEST_CAPTCHA_ID": "", "USHER_GEETEST_KEY": "a-secret",
		"USHER_GEETEST_ENDPOINT": "http://gcaptcha4.geetest.com", "USHER_GEETEST_SCRIPT": "gt4.js",
	} {
		var mistakes config.Mistakes
		if err := load(map[string]string{variable: value}); !errors.As(err, &mistakes) || len(mistakes) != 1 ||
			mistakes[0].Variable != variable || strings.Contains(err.Error(), "a-secret") {
			t.Errorf("%s=%s: got %v", variable, value, err)
		}
	}
}

func TestLoad_accepts_every_kind_of_captcha(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"digits", "letters", "words", "math", "pow", "off"} {
		_, err := front.Load(map[string]string{
			"USHER_SECRET_KEYS":  "k1:MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=",
			"USHER_CAPTCHA_KIND": kind, "USHER_CAPTCHA_LENGTH": "6", "USHER_CAPTCHA_WIDTH": "240", "USHER_CAPTCHA_HEIGHT": "80",
			"USHER_CAPTCHA_NOISE": "3", "USHER_CAPTCHA_INK": "#102030", "USHER_CAPTCHA_BACKGROUND": "#FFEEDD",
			"USHER_CAPTCHA_LANGUAGE": "en", "USHER_CAPTCHA_FONT_SIZE": "40", "USHER_CAPTCHA_ROTATION": "0",
		})
		if err != nil {
			t.Errorf("%s: %v", kind, err)
		}
	}
}
