package app_test

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"usher/app"
	"usher/config"
)

func TestNewLogger_writes_durations_with_units(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		0: "0s", 850: "850ns", 19348697: "19.35ms", 9876543: "9.88ms", 12*time.Second + 345678900: "12.35s", -2 * time.Hour: "-2h0m0s",
	} {
		for _, format := range []string{"json", "text"} {
			var out strings.Builder
			app.NewLogger(&out, config.Common{LogFormat: format, LogLevel: "info"}).Info("x", slog.Duration("elapsed", d))
			if !strings.Contains(out.String(), want) {
				t.Errorf("%d ns in %s: %s, want %s", d, format, out.String(), want)
			}
		}
	}
}
