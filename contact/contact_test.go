package contact_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"usher/contact"
)

func TestParseMobile(t *testing.T) {
	t.Parallel()
	tests := map[string]string{ // want "" means refused
		"13800138000":             "13800138000",
		"+8613800138000":          "13800138000",
		"+86 138 0013 8000":       "13800138000",
		"008613800138000":         "13800138000",
		"8613800138000":           "13800138000",
		"138-0013-8000":           "13800138000",
		"":                        "",
		"1380013800":              "",
		"138001380000":            "",
		"12800138000":             "",
		"13800138000,13900000000": "",
		"13800138000\n":           "13800138000",
		" 13800138000":            "13800138000",
		"138  00138000":           "13800138000",
		"138\u00a00013\u00a08000": "13800138000",
		"\u202a13800138000\u202c": "13800138000",
		"0086 138 0013 8000":      "13800138000",
		"(+86) 138.0013.8000":     "13800138000",
		"86-138-0013-8000":        "13800138000",
		"tel:+8613800138000":      "13800138000",
		"13800138000\n1":          "",
		"1380013800.0":            "",
		"008613800138":            "",
		"0013800138000":           "",
		"+13800138000":            "",
		"+868613800138000":        "",
		"１３８００１３８０００":             "13800138000",
		"＋８６ １３８ ００１３ ８０００": "13800138000",
		"1380013800a":             "",
		"23800138000":             "",
		strings.Repeat("1", 4096): "",
	}
	for in, want := range tests {
		got, err := contact.ParseMobile(in)
		if got.Reveal() != want {
			t.Errorf("ParseMobile(%q) = %q, want %q", in, got.Reveal(), want)
		}
		if (err != nil) != (want == "") || err != nil && !errors.Is(err, contact.ErrMobile) {
			t.Errorf("ParseMobile(%q) error = %v", in, err)
		}
	}
}

func TestParseEmail(t *testing.T) {
	t.Parallel()
	tests := map[string]string{
		"Li.Lei@Example.COM":                    "li.lei@example.com",
		" a@b.cn ":                              "a@b.cn",
		"\ufeffa@b.cn\u00a0\u200b":              "a@b.cn",
		"ａ＠ｂ．ｃｎ":                                "a@b.cn",
		"a@b。cn":                                "a@b.cn",
		"mailto:a@b.cn":                         "a@b.cn",
		"\u212aa@b.cn":                          "", // the sign of kelvin is no k
		"\ufb01a@b.cn":                          "", // nor is the ligature fi
		"a+tag@b.cn":                            "a+tag@b.cn",
		"a@中国.cn":                               "a@xn--fiqs8s.cn",
		"":                                      "",
		"a@b":                                   "",
		"张三@qq.com":                             "",
		"a@b.cn,c@d.cn":                         "",
		"Name <a@b.cn>":                         "",
		"a@b.cn\r\nBcc: x@y.z":                  "",
		"a@b.cn\x00":                            "",
		"a b@c.cn":                              "",
		`"a b"@c.cn`:                            "",
		"a@@b.cn":                               "",
		".a@b.cn":                               "",
		"a..b@c.cn":                             "",
		"a@-b.cn":                               "",
		"=?utf-8?q?a?=@b.cn":                    "",
		"@b.cn":                                 "",
		strings.Repeat("a", 65) + "@b.cn":       "",
		"a@" + strings.Repeat("b.", 130) + "cn": "",
	}
	for in, want := range tests {
		got, err := contact.ParseEmail(in)
		if got.Reveal() != want {
			t.Errorf("ParseEmail(%q) = %q, want %q", in, got.Reveal(), want)
		}
		if (err != nil) != (want == "") || err != nil && !errors.Is(err, contact.ErrEmail) {
			t.Errorf("ParseEmail(%q) error = %v", in, err)
		}
	}
}

func TestContacts_print_masked_everywhere(t *testing.T) {
	t.Parallel()
	mobile, _ := contact.ParseMobile("13812345678")
	email, _ := contact.ParseEmail("lilei@example.com")
	var log strings.Builder
	slog.New(slog.NewJSONHandler(&log, nil)).Info("seen", "mobile", mobile, "email", email)
	asJSON, err := json.Marshal(map[string]any{"m": mobile, "e": email})
	if err != nil {
		t.Fatal(err)
	}
	shown := log.String() + string(asJSON) +
		fmt.Sprintf("%v %+v %#v %s %q", mobile, mobile, mobile, mobile, mobile) +
		fmt.Sprintf("%"+"d %x", mobile, []any{mobile}) +
		fmt.Sprintf("%v %+v %#v %s %q", email, email, email, email, email)
	for _, secret := range []string{"13812345678", "lilei"} {
		if strings.Contains(shown, secret) {
			t.Errorf("%q shows in %s", secret, shown)
		}
	}
	for _, mask := range []string{"138****5678", "l***@example.com"} {
		if !strings.Contains(shown, mask) {
			t.Errorf("mask %q is missing in %s", mask, shown)
		}
	}
}

func TestMobile_zero_value_is_nothing(t *testing.T) {
	t.Parallel()
	var m contact.Mobile
	if !m.IsZero() || m.String() != "" || m.Prefix() != "" {
		t.Errorf("zero mobile = %q, prefix %q", m, m.Prefix())
	}
}

func FuzzParseMobile(f *testing.F) {
	f.Add("+86 138 0013 8000")
	f.Add("13800138000,13800138001")
	f.Fuzz(func(t *testing.T, s string) {
		m, err := contact.ParseMobile(s)
		if err != nil {
			return
		}
		again, err := contact.ParseMobile(m.Reveal())
		if err != nil || again != m {
			t.Errorf("normalising %q twice: %v, %v", s, again, err)
		}
	})
}

func FuzzParseEmail(f *testing.F) {
	f.Add("a@b.cn")
	f.Add("A@中国.cn")
	f.Fuzz(func(t *testing.T, s string) {
		e, err := contact.ParseEmail(s)
		if err != nil {
			return
		}
		again, err := contact.ParseEmail(e.Reveal())
		if err != nil || again != e || strings.ContainsAny(e.Reveal(), "\r\n\x00 ") {
			t.Errorf("normalising %q twice: %v, %v", s, again, err)
		}
	})
}
