package telemetry

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"go.opentelemetry.io/otel"
)

// complaintPause is the time between two lines about spans that could not be exported: a collector may be unavailable
// for hours, and a busy process would else log it with every batch.
const complaintPause = time.Minute

// complain has OpenTelemetry's own complaints logged in our words. It has one place for them in a process.
func complain(logger *slog.Logger) {
	otel.SetErrorHandler(&complaints{logger: logger, now: time.Now})
	otel.SetLogger(logr.FromSlogHandler(mistakes{logger.Handler()}))
}

// complaints logs errors of exporters, one in a minute.
type complaints struct {
	logger *slog.Logger
	now    func() time.Time

	mu     sync.Mutex
	last   time.Time
	hidden int // since the last line
}

// Handle implements [otel.ErrorHandler].
func (c *complaints) Handle(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	if !c.last.IsZero() && now.Sub(c.last) < complaintPause {
		c.hidden++
		return
	}
	c.logger.Warn("traces are incomplete", "error", harmless(err), "more_errors", c.hidden)
	c.last, c.hidden = now, 0
}

// harmless is the text of an error without what a collector answered: that might quote the headers that we
// sent, a key among them.
func harmless(err error) string {
	const longest = 300
	text, _, _ := strings.Cut(err.Error(), "body:")
	return strings.TrimRight(text[:min(len(text), longest)], " (:\n")
}

// mistakes logs what OpenTelemetry says about its variables: the sentence alone, for the values beside it may
// be the headers with a key.
type mistakes struct{ slog.Handler }

// Enabled lets warnings and errors pass, which logr makes of the levels 1 and 0.
func (h mistakes) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelInfo-1 }

// Handle implements [slog.Handler].
func (h mistakes) Handle(ctx context.Context, r slog.Record) error {
	line := slog.NewRecord(r.Time, slog.LevelWarn, "a setting of OpenTelemetry does not work", 0)
	line.AddAttrs(slog.String("detail", r.Message))
	return h.Handler.Handle(ctx, line)
}

// WithAttrs keeps nothing; see [mistakes].
func (h mistakes) WithAttrs([]slog.Attr) slog.Handler { return h }

// WithGroup keeps nothing; see [mistakes].
func (h mistakes) WithGroup(string) slog.Handler { return h }
