package catalog_test

import (
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"usher/config"
	"usher/providers/catalog"
)

func complete() map[string]string {
	return map[string]string{
		"USHER_ALIYUN_ACCESS_KEY_ID":     "LTAI5tTestKeyId",
		"USHER_ALIYUN_ACCESS_KEY_SECRET": "aliyun-secret",
		"USHER_ALIYUN_SIGN_NAME":         "测试",
		"USHER_ALIYUN_TEMPLATE_CODE":     "SMS_71390007",
		"USHER_RONGLIAN_ACCOUNT_SID":     "aaf98f8900000000000000000000beef",
		"USHER_RONGLIAN_AUTH_TOKEN":      "0123456789abcdef0123456789abcdef",
		"USHER_RONGLIAN_APP_ID":          "8a216da800000000000000000000cafe",
		"USHER_RONGLIAN_TEMPLATE_ID":     "1",
		"USHER_TENCENT_SECRET_ID":        "AKIDtestSecretId",
		"USHER_TENCENT_SECRET_KEY":       "tencent-secret",
		"USHER_TENCENT_SDK_APP_ID":       "1400006666",
		"USHER_TENCENT_SIGN_NAME":        "测试",
		"USHER_TENCENT_TEMPLATE_ID":      "1110",
		"USHER_SMTP_HOST":                "smtp.example.com",
		"USHER_SMTP_USERNAME":            "noreply@example.com",
		"USHER_SMTP_PASSWORD":            "smtp-secret",
		"USHER_MAIL_FROM":                "Usher <noreply@example.com>",
	}
}

// variables returns the names of the wrong settings.
func variables(t *testing.T, err error) []string {
	t.Helper()
	mistakes, ok := err.(config.Mistakes) //nolint:errorlint // the type promised
	if !ok {
		t.Fatalf("got %v (%T), want mistakes", err, err)
	}
	var names []string
	for _, m := range mistakes {
		names = append(names, m.Variable)
	}
	return names
}

func TestSMS_keepsTheOrder(t *testing.T) {
	t.Parallel()
	for _, names := range [][]string{{"aliyun", "ronglian"}, {"ronglian", "aliyun"}, {"ronglian"}, {"tencent", "aliyun"}} {
		senders, err := catalog.SMS(names, complete())
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, sender := range senders {
			got = append(got, sender.Name())
		}
		if diff := cmp.Diff(names, got); diff != "" {
			t.Errorf("names (-want +got):\n%s", diff)
		}
	}
}

func TestSMS_reportsEveryMistakeOfTheChosen(t *testing.T) {
	t.Parallel()
	environ := complete()
	delete(environ, "USHER_ALIYUN_SIGN_NAME")
	environ["USHER_ALIYUN_ENDPOINT"] = "http://example.com"
	environ["USHER_RONGLIAN_TEMPLATE_ID"] = "SMS_1"
	environ["USHER_RONGLIAN_AUTH_TOKEN"] = "not a token"
	environ["USHER_TENCENT_SDK_APP_ID"], environ["USHER_TENCENT_TEMPLATE_PARAMS"] = "", "minutes"

	_, err := catalog.SMS([]string{"aliyun", "ronglian", "tencent", "huawei"}, environ)
	want := []string{
		"USHER_ALIYUN_ENDPOINT", "USHER_ALIYUN_SIGN_NAME", "USHER_RONGLIAN_AUTH_TOKEN",
		"USHER_RONGLIAN_TEMPLATE_ID", "USHER_SMS_PROVIDERS", "USHER_TENCENT_SDK_APP_ID", "USHER_TENCENT_TEMPLATE_PARAMS",
	}
	if diff := cmp.Diff(want, variables(t, err)); diff != "" {
		t.Errorf("variables (-want +got):\n%s", diff)
	}
	if text := err.Error(); !strings.Contains(text, `"huawei"`) || !strings.Contains(text, "aliyun, aliyun_verify, http, ronglian, tencent") {
		t.Errorf("the error names neither the unknown provider nor the known ones: %s", text)
	}
	for _, secret := range []string{"aliyun-secret", "LTAI5tTestKeyId", "not a token", "tencent-secret"} {
		if strings.Contains(err.Error(), secret) {
			t.Errorf("the error shows %q", secret)
		}
	}
	if _, err := catalog.SMS([]string{"ronglian"}, complete()); err != nil {
		t.Errorf("got %v, want the settings of a provider that is not chosen left alone", err)
	}
	if got := variables(t, errOf(catalog.SMS(nil, complete()))); !cmp.Equal(got, []string{"USHER_SMS_PROVIDERS"}) {
		t.Errorf("got %v for no providers", got)
	}
}

func TestSMS_names_providers_that_cannot_send_letters(t *testing.T) {
	t.Parallel()
	environ := complete()
	environ["USHER_SMS_CODE_ALPHABET"] = "alphanumeric"
	if _, err := catalog.SMS([]string{"aliyun", "ronglian"}, environ); err != nil {
		t.Errorf("got %v for providers that send letters", err)
	}
	_, err := catalog.SMS([]string{"aliyun", "tencent"}, environ)
	if got := variables(t, err); !cmp.Equal(got, []string{"USHER_SMS_PROVIDERS"}) || !strings.Contains(err.Error(), "tencent sends codes of digits only") {
		t.Errorf("got %v", err)
	}
	environ["USHER_SMS_CODE_ALPHABET"] = "emoji"
	if got := variables(t, errOf(catalog.SMS([]string{"aliyun"}, environ))); !cmp.Equal(got, []string{"USHER_SMS_CODE_ALPHABET"}) {
		t.Errorf("got %v for an unknown alphabet", got)
	}
}

func TestSMS_names_providers_whose_templates_need_a_name(t *testing.T) {
	t.Parallel()
	for variable, name := range map[string]string{
		"USHER_ALIYUN_TEMPLATE_PARAM_PRODUCT": "aliyun", "USHER_RONGLIAN_TEMPLATE_PARAMS": "ronglian", "USHER_TENCENT_TEMPLATE_PARAMS": "tencent",
	} {
		environ := complete()
		if environ[variable] = "code,product"; name == "aliyun" {
			environ[variable] = "product"
		}
		_, err := catalog.SMS([]string{"aliyun", "ronglian", "tencent"}, environ)
		if got := variables(t, err); !cmp.Equal(got, []string{"USHER_BRAND"}) || !strings.Contains(err.Error(), "the templates of "+name) {
			t.Errorf("%s: got %v", name, err)
		}
		environ["USHER_BRAND"] = "brand"
		if _, err := catalog.SMS([]string{"aliyun", "ronglian", "tencent"}, environ); err != nil {
			t.Errorf("%s with a name: %v", name, err)
		}
		for _, wrong := range []string{"code,code", "minutes", "code,name"} {
			if environ[variable] = wrong; name == "aliyun" {
				environ[variable] = "code"
			}
			if got := variables(t, errOf(catalog.SMS([]string{name}, environ))); !cmp.Equal(got, []string{variable}) {
				t.Errorf("%s: got %v for %q", name, got, wrong)
			}
		}
	}
}

func errOf[T any](_ T, err error) error { return err }

func TestEmail_reportsEveryMistake(t *testing.T) {
	t.Parallel()
	if _, err := catalog.Email(complete()); err != nil {
		t.Fatal(err)
	}
	for name, row := range map[string]struct {
		change map[string]string
		want   []string
	}{
		"nothing set": {
			change: map[string]string{"SMTP_HOST": "", "SMTP_USERNAME": "", "SMTP_PASSWORD": "", "MAIL_FROM": ""},
			want:   []string{"USHER_MAIL_FROM", "USHER_SMTP_HOST"},
		},
		"clear text to a distant server": {change: map[string]string{"SMTP_TLS": "none"}, want: []string{"USHER_SMTP_TLS"}},
		"unknown way of TLS":             {change: map[string]string{"SMTP_TLS": "ssl"}, want: []string{"USHER_SMTP_TLS"}},
		"half a login":                   {change: map[string]string{"SMTP_PASSWORD": ""}, want: []string{"USHER_SMTP_USERNAME"}},
		"no port":                        {change: map[string]string{"SMTP_PORT": "587a"}, want: []string{"USHER_SMTP_PORT"}},
		"port out of range":              {change: map[string]string{"SMTP_PORT": "70000"}, want: []string{"USHER_SMTP_PORT"}},
		"two senders":                    {change: map[string]string{"MAIL_FROM": "a@example.com, b@example.com"}, want: []string{"USHER_MAIL_FROM"}},
		"authority that is no file":      {change: map[string]string{"SMTP_CA_FILE": "/nowhere/ca.pem"}, want: []string{"USHER_SMTP_CA_FILE"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			environ := maps.Clone(complete())
			for variable, value := range row.change {
				environ["USHER_"+variable] = value
			}
			_, err := catalog.Email(environ)
			if diff := cmp.Diff(row.want, variables(t, err)); diff != "" {
				t.Errorf("variables (-want +got):\n%s", diff)
			}
		})
	}
}

func TestConfigs_areDocumented(t *testing.T) {
	t.Parallel()
	table := config.Table(catalog.Configs()...)
	if len(table) < 16 {
		t.Fatalf("got %d settings, want those of every provider", len(table))
	}
	for _, v := range table {
		if !strings.HasSuffix(v.Desc, ".") {
			t.Errorf("%s has no sentence", v.Name)
		}
		name := strings.TrimSuffix(v.Name, "_RESET_PASSWORD") // a purpose of codes
		secret := strings.Contains(name, "SECRET") || strings.Contains(name, "TOKEN") || strings.Contains(name, "PASSWORD")
		if secret && !v.Secret {
			t.Errorf("%s is not marked as a secret", v.Name)
		}
	}
}
