package config_test

import (
	"testing"

	"usher/config"
)

func TestAuditRetention_is_at_least_six_months(t *testing.T) {
	t.Parallel()
	for value, fine := range map[string]bool{"": true, "4416h": true, "87600h": true, "4415h": false, "0": false, "-1h": false} {
		err := config.Load(map[string]string{"USHER_SECRET_KEYS": "x", "USHER_AUDIT_RETENTION": value}, &config.Worker{})
		if fine != (err == nil) {
			t.Errorf("retention %q: %v", value, err)
		}
	}
}

func TestMessageRetention_is_at_least_a_day_or_for_ever(t *testing.T) {
	t.Parallel()
	for value, fine := range map[string]bool{
		"": true, "0": true, "24h": true, "2160h": true, "23h59m": false, "-1h": false, "90d": false,
	} {
		err := config.Load(map[string]string{"USHER_SECRET_KEYS": "x", "USHER_MESSAGE_RETENTION": value}, &config.Worker{})
		if fine != (err == nil) {
			t.Errorf("retention %q: %v", value, err)
		}
	}
}
