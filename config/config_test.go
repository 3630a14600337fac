package config_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"usher/config"
)

const someKeys = "k1:MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="

func load(t *testing.T, environ map[string]string) (config.API, error) {
	t.Helper()
	var cfg config.API
	err := config.Load(environ, &cfg)
	return cfg, err
}

func TestLoad_takes_defaults_and_treats_empty_as_unset(t *testing.T) {
	t.Parallel()
	cfg, err := load(t, map[string]string{"USHER_SECRET_KEYS": someKeys, "USHER_SMS_CODE_TTL": ""})
	if err != nil {
		t.Fatal(err)
	}
	if cfg.HTTPAddr != ":8080" || cfg.SMSCodeTTL != 5*time.Minute || cfg.SMSCodeLength != 6 {
		t.Errorf("defaults: %+v", cfg)
	}
}

func TestLoad_reports_every_mistake_by_its_variable(t *testing.T) {
	t.Parallel()
	wrong := map[string]string{
		"USHER_SMS_CODE_TTL":    "soon",
		"USHER_SMS_CODE_LENGTH": "six",
		"USHER_OPS_WRITE":       "perhaps",
	}
	_, err := load(t, wrong)
	if _, ok := errors.AsType[config.Mistakes](err); !ok {
		t.Fatalf("error = %v", err)
	}
	for _, variable := range []string{"USHER_SECRET_KEYS", "USHER_SMS_CODE_TTL", "USHER_SMS_CODE_LENGTH", "USHER_OPS_WRITE"} {
		if !strings.Contains(err.Error(), variable+": ") {
			t.Errorf("%s is not named in:\n%v", variable, err)
		}
	}
}

func TestAPI_Validate(t *testing.T) {
	t.Parallel()
	tests := map[string]map[string]string{
		"USHER_PUBLIC_URL":        {"USHER_PUBLIC_URL": "http://signup.example.com"},
		"USHER_SIGN_IN_CREATES":   {"USHER_SIGN_IN_CREATES": "true", "USHER_REGISTRATION": "both"},
		"USHER_TERMS_URL":         {"USHER_TERMS_URL": "http://www.example.com/terms"},
		"USHER_PRIVACY_URL":       {"USHER_PRIVACY_URL": "privacy"},
		"USHER_TERMS_VERSION":     {"USHER_TERMS_VERSION": strings.Repeat("1", 65)},
		"USHER_OPS_TOKEN":         {"USHER_OPS_ADDR": ":8081"},
		"USHER_OPS_ADDR":          {"USHER_OPS_ADDR": "8081"},
		"USHER_OPS_HOSTS":         {"USHER_OPS_HOSTS": "usher.internal,usher.internal:8081"},
		"USHER_HTTP_ADDR":         {"USHER_HTTP_ADDR": "nowhere"},
		"USHER_ALLOWED_ORIGINS":   {"USHER_ALLOWED_ORIGINS": "https://a.example.com,*"},
		"USHER_RETURN_TO":         {"USHER_RETURN_TO": "https://a.example.com,/account"},
		"USHER_SIGN_UP_FIELDS":    {"USHER_SIGN_UP_FIELDS": "password,mobile"},
		"USHER_SIGN_UP_FIELDS ":   {"USHER_SIGN_UP_FIELDS": "password_repeat"},
		"USHER_SIGN_UP_FIELDS  ":  {"USHER_SIGN_UP_FIELDS": "none,password"},
		"USHER_SIGN_UP_FIELDS   ": {"USHER_SIGN_UP_FIELDS": "email", "USHER_REGISTRATION": "mobile"},
		"USHER_LANDING":           {"USHER_RETURN_TO": "https://a.example.com/shop", "USHER_LANDING": "https://a.example.com/shopping"},
		"USHER_COOKIE_DOMAIN":     {"USHER_COOKIE_DOMAIN": "com", "USHER_PUBLIC_URL": "https://signup.example.com"},
		"USHER_TRUSTED_PROXIES":   {"USHER_TRUSTED_PROXIES": "10.0.0.0/99"},
		"USHER_REGISTRATION":      {"USHER_REGISTRATION": "none"},
		"USHER_SMS_CODE_LENGTH":   {"USHER_SMS_CODE_LENGTH": "7"},
		"USHER_SMS_CODE_ALPHABET": {"USHER_SMS_CODE_ALPHABET": "letters"},
		"USHER_CAPTCHA_TTL":       {"USHER_CAPTCHA_TTL": "1s"},
		"USHER_LIMITS_MODE":       {"USHER_LIMITS_MODE": "maybe"},
		"USHER_LOG_LEVEL":         {"USHER_LOG_LEVEL": "loud"},
		"USHER_SMS_BUDGET_YUAN":   {"USHER_SMS_BUDGET_YUAN": "-1"},
		"USHER_SMS_BUDGET_YUAN ":  {"USHER_SMS_BUDGET_YUAN": "much"},
		"USHER_SMS_PRICE_YUAN":    {"USHER_SMS_PRICE_YUAN": "0"},
		"USHER_PASSWORD_PARALLEL": {"USHER_PASSWORD_PARALLEL": "0"},
	}
	for variable, environ := range tests {
		t.Run(variable, func(t *testing.T) {
			t.Parallel()
			environ["USHER_SECRET_KEYS"] = someKeys
			_, err := load(t, environ)
			var mistakes config.Mistakes
			if !errors.As(err, &mistakes) || len(mistakes) != 1 || mistakes[0].Variable != strings.TrimSpace(variable) {
				t.Errorf("mistakes = %v, want one for %s", err, variable)
			}
		})
	}
}

func TestSecret_prints_masked(t *testing.T) {
	t.Parallel()
	s := config.Secret("s3cret-value")
	shown := fmt.Sprintf("%v %s %q %+v %#v", s, s, s, s, struct{ S config.Secret }{s})
	if strings.Contains(shown, "s3cret") || s.Reveal() != "s3cret-value" || config.Secret("").String() != "" {
		t.Errorf("secret shows: %s", shown)
	}
}

func TestPublicURL(t *testing.T) {
	t.Parallel()
	for text, ok := range map[string]bool{
		"https://a.example.com": true, "http://localhost:8080/": true, "http://127.0.0.1:1": true,
		"http://a.example.com": false, "https://a.example.com/path": false, "https://u:p@a.example.com": false,
		"": false, "javascript:alert(1)": false, "https://a.example.com?x=1": false,
	} {
		if _, err := config.PublicURL(text); (err == nil) != ok {
			t.Errorf("PublicURL(%q) error = %v, want ok = %v", text, err, ok)
		}
	}
}

func TestTable_describes_every_setting(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, v := range config.Table(config.API{}) {
		if v.Desc == "" || seen[v.Name] {
			t.Errorf("%s: description %q, seen before: %v", v.Name, v.Desc, seen[v.Name])
		}
		seen[v.Name] = true
	}
	if !seen["USHER_REDIS_URL"] || !seen["USHER_LIMITS"] {
		t.Errorf("embedded or own settings are missing: %v", seen)
	}
}

func TestCookieDomain(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		domain, publicURL string
		ok                bool
	}{
		{"", "http://localhost:8080", true},
		{"example.com", "https://signup.example.com", true},
		{"example.com", "https://example.com", true},
		{"signup.example.com", "https://signup.example.com:8443", true},
		{"example.com.cn", "https://a.b.example.com.cn", true},
		{"xn--fsqu00a.com", "https://signup.例子.com", true},
		{"example.com", "http://localhost:8080", false},
		{"localhost", "http://localhost:8080", false},
		{"localhost", "https://localhost", false},
		{"other.com", "https://signup.example.com", false},
		{"ample.com", "https://signup.example.com", false},
		{"a.signup.example.com", "https://signup.example.com", false},
		{".example.com", "https://signup.example.com", false},
		{"example.com.", "https://signup.example.com", false},
		{"Example.com", "https://signup.example.com", false},
		{"https://example.com", "https://signup.example.com", false},
		{"example.com:443", "https://signup.example.com", false},
		{"example.com; Path=/x", "https://signup.example.com", false},
		{"*.example.com", "https://signup.example.com", false},
		{"com", "https://signup.example.com", false},
		{"com.cn", "https://signup.example.com.cn", false},
		{"github.io", "https://signup.github.io", false},
		{"internal", "https://signup.internal", false},
		{"127.0.0.1", "https://127.0.0.1", false},
		{"::1", "https://[::1]", false},
	} {
		if err := config.CookieDomain(row.domain, row.publicURL); (err == nil) != row.ok {
			t.Errorf("CookieDomain(%q, %q) error = %v, want ok = %v", row.domain, row.publicURL, err, row.ok)
		}
	}
}

func TestAPI_Validate_takes_what_a_team_asks_for_and_where_people_land(t *testing.T) {
	t.Parallel()
	for _, environ := range []map[string]string{
		{},
		{"USHER_SIGN_UP_FIELDS": "none"},
		{"USHER_SIGN_UP_FIELDS": "username, password , password_repeat,email"},
		{"USHER_SIGN_UP_FIELDS": "username", "USHER_REGISTRATION": "both"},
		{"USHER_LANDING": "/account"},
		{"USHER_LANDING": "https://a.example.com/shop/start?from=usher", "USHER_RETURN_TO": "https://b.example.com,https://a.example.com/shop"},
	} {
		environ["USHER_SECRET_KEYS"], environ["USHER_PUBLIC_URL"] = someKeys, "http://localhost:8080"
		cfg, err := load(t, environ)
		if err != nil {
			t.Errorf("%v: %v", environ, err)
			continue
		}
		for _, mistake := range cfg.Validate() {
			if strings.Contains("SIGN_UP_FIELDS LANDING", mistake.Variable) {
				t.Errorf("%v: %v", environ, mistake)
			}
		}
	}
	for _, landing := range []string{
		"/login", "//a.example.com", "https://a.example.com", "https://b.example.com/shop", "https://a.example.com/shop/../x",
		"https://a.example.com/shop#x", "javascript:alert(1)", "https://u@a.example.com/shop", "https://a.example.com/shop?x=\"",
	} {
		if err := config.Landing(landing, []string{"https://a.example.com/shop"}); err == nil {
			t.Errorf("%s is accepted as a landing", landing)
		}
	}
}
