// Package app assembles the worker, and has the parts that both processes share; commands and tests start the worker
// here. The parts of the API alone are in app/front, so that a worker does not contain them.
package app

import (
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"
	"unicode"

	"usher/config"
	"usher/contact"
	"usher/secrets"
	"usher/store"
	"usher/store/sqlstore"
	"usher/telemetry"
)

// NewLogger makes the only logger of a process: all other code gets it in a field.
func NewLogger(w io.Writer, c config.Common) *slog.Logger {
	options := &slog.HandlerOptions{Level: c.Level(), ReplaceAttr: withUnits}
	if c.LogFormat == "text" {
		return slog.New(store.Quiet(telemetry.LogHandler(slog.NewTextHandler(w, options))))
	}
	return slog.New(store.Quiet(telemetry.LogHandler(slog.NewJSONHandler(w, options))))
}

// withUnits writes durations as people do, such as 19.3ms; the JSON handler would write nanoseconds without a word.
func withUnits(_ []string, a slog.Attr) slog.Attr {
	if a.Value.Kind() != slog.KindDuration {
		return a
	}
	d := a.Value.Duration()
	for _, unit := range []time.Duration{time.Second, time.Millisecond, time.Microsecond} {
		if d >= unit || d <= -unit {
			return slog.String(a.Key, d.Round(unit/100).String())
		}
	}
	return slog.String(a.Key, d.String())
}

// Printable replaces the control characters of a text from outside, which could change a terminal or end a log line.
func Printable(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsGraphic(r) {
			return r
		}
		return '?'
	}, text)
}

// CheckCommon reads the secret keys and both URLs without connecting, and reports every mistake at once, as
// [config.Mistakes]. The keys are nil where they are wrong, or missing, which [config.Load] tells.
func CheckCommon(c config.Common) (keys *secrets.Keys, err error) {
	var keysErr error
	if c.SecretKeys != "" {
		keys, keysErr = secrets.ParseKeys(c.SecretKeys.Reveal())
	}
	client, redisErr := OpenRedis(c.Stores, nil)
	if redisErr == nil {
		redisErr = client.Close()
	}
	return keys, config.Join(config.Wrong("SECRET_KEYS", keysErr), config.Wrong("REDIS_URL", redisErr),
		config.Wrong("DATABASE_URL", sqlstore.CheckURL(c.DatabaseURL.Reveal())))
}

// Regions returns the regions whose numbers are served.
func Regions(c config.Numbers) (contact.Regions, error) {
	regions, err := contact.NewRegions(c.SMSRegions)
	if err != nil {
		err = fmt.Errorf("%w; want ISO codes such as CN,HK,MO,TW", err)
	}
	return regions, config.Wrong("SMS_REGIONS", err)
}
