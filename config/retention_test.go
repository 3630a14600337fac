package config_test

import (
	"testing"

	"usher/config"
)

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
