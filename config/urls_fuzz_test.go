package config_test

import (
	"testing"

	"usher/config"
)

// FuzzPublicURL checks that an accepted address is one that links can begin with, and stays as it is.
func FuzzPublicURL(f *testing.F) {
	f.Add("https://signup.example.com")
	f.Fuzz(func(t *testing.T, text string) {
		u, err := config.PublicURL(text)
		if err != nil {
			return
		}
		again, err := config.PublicURL(u.String())
		if err != nil || again.String() != u.String() {
			t.Errorf("%q is %q, and that is %v, %v", text, u, again, err)
		}
		if u.Host == "" || u.User != nil || u.Path != "" || u.Scheme != "https" && !config.IsLoopback(u.Hostname()) {
			t.Errorf("%q is accepted as %q", text, u)
		}
	})
}

// FuzzProxies checks that an accepted proxy is a network.
func FuzzProxies(f *testing.F) {
	f.Add("10.0.0.0/8")
	f.Fuzz(func(t *testing.T, text string) {
		prefixes, err := config.Proxies([]string{text})
		if err != nil {
			return
		}
		if len(prefixes) != 1 || !prefixes[0].IsValid() || prefixes[0] != prefixes[0].Masked() {
			t.Errorf("%q is accepted as %v", text, prefixes)
		}
	})
}
