package app_test

import (
	"strings"
	"testing"

	"usher/internal/testkit"
)

func TestJourney_with_codes_of_letters(t *testing.T) {
	t.Parallel()
	for _, provider := range []string{"aliyun", "ronglian", "http"} {
		t.Run(provider, func(t *testing.T) {
			t.Parallel()
			d := deploy(t, testkit.Redis(t), testkit.SQLite(t), map[string]string{
				"USHER_SMS_CODE_ALPHABET": "alphanumeric", "USHER_SMS_PROVIDERS": provider,
			})
			p := d.person(t)
			p.Walk(lilei())
			code := p.ReadCode(lilei().Mobile, 1)
			if len(code) != 6 || strings.Trim(code, "34679CDFGHJKMNPQRTVWXY") != "" {
				t.Errorf("the message has the code %q", code)
			}
			if found := testkit.FindSecrets(d.log.Bytes(), code); len(found) > 0 {
				t.Errorf("the log shows %q", found)
			}
		})
	}
}
