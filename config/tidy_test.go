package config_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"usher/config"
	"usher/providers/catalog"
)

// everySettings are pointers to new structs of all settings.
func everySettings() []any {
	all := []any{&config.API{}, &config.Worker{}}
	for _, c := range catalog.Configs() {
		all = append(all, reflect.New(reflect.TypeOf(c)).Interface())
	}
	return all
}

// loaded returns what a setting holds after a value of it was loaded, and the mistakes about it.
func loaded(target any, name, value string) (held reflect.Value, mistakes []string) {
	environ := map[string]string{"USHER_SECRET_KEYS": someKeys} // without it nothing is checked
	environ[name] = value
	err := config.Load(environ, target)
	found, _ := err.(config.Mistakes) //nolint:errorlint // the type promised
	for _, m := range found {
		if m.Variable == name {
			mistakes = append(mistakes, m.Text)
		}
	}
	return fieldOf(reflect.ValueOf(target).Elem(), strings.TrimPrefix(name, config.Prefix)), mistakes
}

func fieldOf(v reflect.Value, name string) reflect.Value {
	for i := range v.NumField() {
		if tag, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("env"), ","); tag == name {
			return v.Field(i)
		}
		if v.Type().Field(i).Anonymous {
			if found := fieldOf(v.Field(i), name); found.IsValid() {
				return found
			}
		}
	}
	return reflect.Value{}
}

// Every secret, list and text is read without what files, shells and editors add.
func TestLoad_tidies_every_setting(t *testing.T) {
	t.Parallel()
	kinds := map[string]int{}
	for _, target := range everySettings() {
		for _, v := range config.Table(target) {
			fresh := func() any { return reflect.New(reflect.TypeOf(target).Elem()).Interface() }
			switch {
			case v.Secret:
				kinds["secret"]++
				held, _ := loaded(fresh(), v.Name, "\ufeffs3cret of 16 and more\r\n\n")
				if held.String() != "s3cret of 16 and more" {
					t.Errorf("%s keeps its line end: %q", v.Name, held.String())
				}
				_, mistakes := loaded(fresh(), v.Name, "s3cret of 16\nand more")
				if !slices.ContainsFunc(mistakes, func(text string) bool { return strings.Contains(text, "line break") }) {
					t.Errorf("%s takes a line break inside: %v", v.Name, mistakes)
				}
				if strings.Contains(strings.Join(mistakes, " "), "s3cret") {
					t.Errorf("%s: a mistake quotes the secret: %v", v.Name, mistakes)
				}
			case v.Type == "list":
				kinds["list"]++
				held, _ := loaded(fresh(), v.Name, " a.example ,\tb.example, ,\n")
				if got, want := held.Interface(), []string{"a.example", "b.example"}; !reflect.DeepEqual(got, want) {
					t.Errorf("%s is read as %q", v.Name, got)
				}
			case v.Type == "text":
				kinds["text"]++
				if held, _ := loaded(fresh(), v.Name, " \ttext\n"); held.Kind() == reflect.String && held.String() != "text" {
					t.Errorf("%s is read as %q", v.Name, held.String())
				}
			}
		}
	}
	if kinds["secret"] < 10 || kinds["list"] < 4 || kinds["text"] < 20 {
		t.Errorf("the walk found %v: settings are missing", kinds)
	}
}

// Every setting that is compared with what a browser, a client or a proxy sends holds that form, or is refused by name. A
// new one has to get its rows here.
func TestLoad_brings_names_and_addresses_into_the_form_that_is_compared(t *testing.T) {
	t.Parallel()
	rows := map[string]map[string]string{ // value -> what is compared; empty: refused
		"USHER_PUBLIC_URL": {
			"https://Signup.Example.com:443/": "https://signup.example.com", "https://例子.example": "https://xn--fsqu00a.example",
			"https://a.example.com:8443": "https://a.example.com:8443", "http://LOCALHOST:80": "http://localhost",
			"https://[2001:DB8:0::1]:443": "https://[2001:db8::1]", "https://[::1]:8443/": "https://[::1]:8443",
			"https://a.example.com:0": "", "https://a.example.com:99999": "", "https://a b.example.com": "", "https://a.example.com/x": "",
		},
		"USHER_ALLOWED_ORIGINS": {
			"https://a.example.com:443": "https://a.example.com", "https://A.example.com": "https://a.example.com",
			"https://a.example.com/": "https://a.example.com", "HTTPS://a.example.com:0443": "https://a.example.com",
			"https://例子.example": "https://xn--fsqu00a.example", "http://localhost:5173": "http://localhost:5173",
			"https://a.example.com, https://B.example.com:443": "https://a.example.com https://b.example.com",
			"https://a.example.com/app":                        "", "a.example.com": "", "*": "", "https://*.example.com": "", "null": "",
			"https://a.example.com https://b.example.com": "",
		},
		"USHER_RETURN_TO": {
			"https://A.example.com:443/": "https://a.example.com", "https://a.example.com/Shop/": "https://a.example.com/Shop",
			"https://例子.example/a/b": "https://xn--fsqu00a.example/a/b", "http://localhost:3000": "http://localhost:3000",
			"http://a.example.com": "", "a.example.com": "", "/account": "", "https://*.example.com": "", "myapp://x": "",
			"https://a.example.com/a/../b": "", "https://a.example.com/a//b": "", "https://a.example.com/%2e%2e": "", "https://a.example.com/a?x": "",
			"https://a.example.com/#x": "", "https://u@a.example.com": "", "https://a.example.com/例": "", `https://a.example.com/a\b`: "",
		},
		"USHER_OPS_HOSTS": {
			"Usher-API.internal , b": "usher-api.internal b", "例子.example": "xn--fsqu00a.example", "usher.internal:8081": "", "https://a": "", "*.a": "",
		},
		"USHER_SIGN_UP_FIELDS": {" username , password": "username password", "none": "none", "Username": "", "password,password": ""},
		"USHER_SMS_REGIONS":    {" CN , HK": "CN HK"}, // package contact refuses unknown ones
		"USHER_TOKEN_AUDIENCES": { // a token must have exactly the name that its service compares
			" shop , https://API.example.com/": "shop https://API.example.com/", "two words": "", "例子": "", strings.Repeat("a", 129): "",
			strings.Repeat("a", 128): strings.Repeat("a", 128), strings.Repeat("a,", 33): "",
		},
		"USHER_TRUSTED_PROXIES": {
			"10.0.0.1 , 10.1.2.3/8": "10.0.0.1/32 10.0.0.0/8", "::ffff:10.0.0.0/104": "10.0.0.0/8", "::ffff:10.0.0.1": "10.0.0.1/32",
			"fe80::1%eth0": "fe80::1/128", "2001:DB8::1/32": "2001:db8::/32",
			"nginx": "", "10.0.0.0/255.0.0.0": "", "10.0.0.1:80": "", "::/0,::ffff:0.0.0.0/90": "",
		},
	}
	compared := map[string]func(config.API) []string{
		"USHER_PUBLIC_URL": func(c config.API) []string {
			u, err := config.PublicURL(c.PublicURL)
			if err != nil {
				return nil
			}
			return []string{u.String()}
		},
		"USHER_ALLOWED_ORIGINS": func(c config.API) []string { list, _ := config.Origins(c.AllowedOrigins); return list },
		"USHER_RETURN_TO": func(c config.API) (list []string) {
			addresses, _ := config.ReturnAddresses(c.ReturnTo)
			for _, u := range addresses {
				list = append(list, u.String())
			}
			return list
		},
		"USHER_OPS_HOSTS": func(c config.API) (list []string) {
			for _, name := range c.OpsHosts {
				host, _ := config.Host(name)
				list = append(list, host)
			}
			return list
		},
		"USHER_SIGN_UP_FIELDS":  func(c config.API) []string { return c.SignUpFields },
		"USHER_SMS_REGIONS":     func(c config.API) []string { return c.SMSRegions },
		"USHER_TOKEN_AUDIENCES": func(c config.API) []string { return c.TokenAudiences },
		"USHER_TRUSTED_PROXIES": func(c config.API) (list []string) {
			prefixes, _ := config.Proxies(c.TrustedProxies)
			for _, p := range prefixes {
				list = append(list, p.String())
			}
			return list
		},
	}
	for name, values := range rows {
		for value, want := range values {
			var c config.API
			_, mistakes := loaded(&c, name, value)
			if want == "" {
				if len(mistakes) == 0 {
					t.Errorf("%s=%s is taken", name, value)
				}
				continue
			}
			if got := strings.Join(compared[name](c), " "); got != want || len(mistakes) > 0 {
				t.Errorf("%s=%s is compared as %q, want %q; mistakes: %v", name, value, got, want, mistakes)
			}
		}
	}
	for _, v := range config.Table(config.API{}) {
		isLink := v.Name == "USHER_TERMS_URL" || v.Name == "USHER_PRIVACY_URL" // shown as it was written
		isCompared := v.Type == "list" || strings.HasSuffix(v.Name, "_URL") && !v.Secret && !isLink
		if _, known := rows[v.Name]; isCompared && !known {
			t.Errorf("%s has no row here", v.Name)
		}
	}
}

func TestSecretKeys_may_have_one_a_line(t *testing.T) {
	t.Parallel()
	var c config.API
	if held, mistakes := loaded(&c, "USHER_SECRET_KEYS", "k2:AAAA=,\r\n  k1:BBBB=,\nk2\n"); held.String() != "k2:AAAA=,k1:BBBB=,k2" || len(mistakes) > 0 {
		t.Errorf("keys are held as %q: %v", held.String(), mistakes)
	}
}

func TestOpsToken_has_no_white_space_around_it(t *testing.T) {
	t.Parallel()
	for value, fine := range map[string]bool{"0123456789abcdef": true, "0123456789abcdef\n": true, "0123456789abcdef ": false, "\t0123456789abcdef": false} {
		var c config.API
		if held, mistakes := loaded(&c, "USHER_OPS_TOKEN", value); fine != (len(mistakes) == 0) {
			t.Errorf("%q is held as %q: %v", value, held.String(), mistakes)
		}
	}
}

// FuzzHost checks that a host is in the one form in which it is compared.
func FuzzHost(f *testing.F) {
	f.Add("Usher.Example")
	f.Add("例子.example")
	f.Add("::FFFF:1.2.3.4")
	f.Fuzz(func(t *testing.T, text string) {
		host, err := config.Host(text)
		if err != nil {
			return
		}
		if again, err := config.Host(host); err != nil || again != host {
			t.Errorf("%q is %q, and that is %q, %v", text, host, again, err)
		}
	})
}
