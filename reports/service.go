package reports

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"usher/messages"
)

// Store is where the messages are that reports are about.
type Store interface {
	// Apply files reports of the states delivered and undelivered and returns a result for each, in their
	// order. A report of an unknown message changes nothing, and neither does a repeated one.
	Apply(ctx context.Context, reports []Report) ([]Result, error)
}

// Result is what became of one report.
type Result struct {
	ID       string    // our id of the message; empty when it is unknown
	Changed  bool      // false for a repeat, and when something better was known already
	IssuedAt time.Time // of the message, unless it is unknown
}

// Service files reports and counts them. All fields must be set. It is safe for concurrent use.
type Service struct {
	Store   Store
	Metrics *Metrics
	Now     func() time.Time
	Logger  *slog.Logger
}

// Take files a provider's batch. An error means that some of it may not be filed, and that the vendor, or
// whoever asked it, should come again with all of it.
func (s *Service) Take(ctx context.Context, provider string, batch Batch) error {
	final, waiting := make([]Report, 0, len(batch.Reports)), 0
	for _, report := range batch.Reports {
		if report.State == messages.Sent {
			waiting++
			continue
		}
		final = append(final, report)
	}
	results, err := s.Store.Apply(ctx, final)
	if err != nil {
		return fmt.Errorf("file reports: %w", err)
	}
	s.Metrics.count(provider, "waiting", waiting)
	s.Metrics.count(provider, "unreadable", batch.Skipped)
	for i, report := range final {
		s.note(ctx, report, results[i])
	}
	return nil
}

// note tells operators of one filed report.
func (s *Service) note(ctx context.Context, report Report, result Result) {
	switch {
	case result.ID == "":
		s.Metrics.count(report.Provider, "unknown", 1)
		return
	case !result.Changed:
		s.Metrics.count(report.Provider, "repeated", 1)
		return
	}
	s.Metrics.count(report.Provider, string(report.State), 1)
	level, cause := slog.LevelInfo, Cause("")
	if report.State == messages.Undelivered {
		s.Metrics.undelivered(report)
		if cause = CauseOf(report.Provider, report.Code); cause == CauseAccount {
			level = slog.LevelError // nobody gets messages until somebody mends it
		}
	} else {
		s.Metrics.seconds.WithLabelValues(report.Provider).Observe(s.took(report, result).Seconds())
	}
	s.Logger.Log(ctx, level, "message reported", "sms_code_id", result.ID, "state", report.State,
		"provider", report.Provider, "provider_id", report.ProviderID, "code", report.Code, "cause", string(cause))
}

// took is the time to the arrival by the vendor's clock, when that can be: it may be wrong or not said.
func (s *Service) took(report Report, result Result) time.Duration {
	now := s.Now()
	at := report.At
	if at.IsZero() || at.After(now) {
		at = now
	}
	return max(at.Sub(result.IssuedAt), 0)
}
