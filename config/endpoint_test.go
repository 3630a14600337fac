package config_test

import (
	"strings"
	"testing"

	"usher/config"
)

func TestEndpoint(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"https://dysmsapi.aliyuncs.com":     "https://dysmsapi.aliyuncs.com",
		"https://app.cloopen.com:8883/":     "https://app.cloopen.com:8883",
		"http://127.0.0.1:8083/aliyun/":     "http://127.0.0.1:8083/aliyun",
		"http://localhost:8083/ronglian":    "http://localhost:8083/ronglian",
		"http://[::1]:8083":                 "http://[::1]:8083",
		"":                                  "",
		"dysmsapi.aliyuncs.com":             "",
		"http://dysmsapi.aliyuncs.com":      "",
		"http://127.0.0.1.example.com":      "",
		"ftp://127.0.0.1":                   "",
		"https://user:password@example.com": "",
		"https://example.com/?a=b":          "",
		"https://example.com/#a":            "",
		"https://exa mple.com":              "",
	} {
		got, err := config.Endpoint(address)
		if got != want || (err != nil) != (want == "") {
			t.Errorf("got %q, %v for %q; want %q", got, err, address, want)
		}
		if err != nil && strings.Contains(err.Error(), "password") {
			t.Errorf("the error shows the address: %v", err)
		}
	}
}
