package config_test

import (
	"strings"
	"testing"

	"usher/config"
)

func TestReports_settings_are_checked(t *testing.T) {
	t.Parallel()
	load := func(name, value string, target any) error {
		return config.Load(map[string]string{"USHER_SECRET_KEYS": "x", name: value}, target)
	}
	for value, fine := range map[string]bool{
		"": true, "0123456789abcdef": true, "Under_score-and-hyphen": true,
		"0123456789abcde": false, "0123456789abcdef/": false, "0123456789abc%2Fdef": false, "0123456789abcdef ": false,
	} {
		err := load("USHER_REPORT_SECRET", value, &config.API{})
		if fine != (err == nil) || err != nil && (value != "" && strings.Contains(err.Error(), value)) {
			t.Errorf("secret %q: %v", value, err)
		}
	}
	for value, fine := range map[string]bool{"": true, "0": true, "0s": true, "1s": true, "1h": true, "999ms": false, "2h": false, "-1s": false} {
		if err := load("USHER_REPORT_PULL_INTERVAL", value, &config.Worker{}); fine != (err == nil) {
			t.Errorf("interval %q: %v", value, err)
		}
	}
}
