package reports

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"usher/messages"
)

// Store keeps the messages that reports are about. Implementations are safe for concurrent use.
type Store interface {
	// Apply stores reports of the states delivered and undelivered and returns a result for each, in their order. A report
	// of an unknown message and a repeated report change nothing.
	Apply(ctx context.Context, reports []Report) ([]Result, error)
}

// Pushes remembers the ids of pushes that were taken. Implementations are safe for concurrent use.
type Pushes interface {
	// IsTaken reports whether a push of this id was taken within the time that MarkTaken was called with.
	IsTaken(ctx context.Context, provider, id string) (bool, error)

	// MarkTaken remembers a push that was taken for a time.
	MarkTaken(ctx context.Context, provider, id string, ttl time.Duration) error
}

// Result is the effect of one report.
type Result struct {
	ID       string    // our id of the message; empty when it is unknown
	Changed  bool      // false for a repeated report, and when a later state was known already
	IssuedAt time.Time // of the message, unless it is unknown
	To       string    // the masked number of the message; empty when it is unknown
}

// Service stores reports and counts them. All fields must be set. It is safe for concurrent use.
type Service struct {
	Store   Store
	Pushes  Pushes
	Metrics *Metrics
	Now     func() time.Time
	Logger  *slog.Logger
}

// Take stores a provider's batch. After an error some reports may not be stored: the vendor should push the whole batch again,
// or the caller should call Take again with it.
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
		return fmt.Errorf("store reports: %w", err)
	}
	s.Metrics.count(provider, "waiting", waiting)
	s.Metrics.count(provider, "unreadable", batch.Skipped)
	for i, report := range final {
		s.note(ctx, report, results[i])
	}
	return nil
}

// keepPush is how long the id of a push is remembered: a signed push is valid for five minutes before and after its timestamp.
const keepPush = 10 * time.Minute

// TakeOnce is [Service.Take] for a push that has an id: a push of an id that was taken before changes nothing. The id is
// remembered after the reports are stored, so that a push that failed is taken when it is repeated. Of two equal pushes at the
// same time both may be stored, which has the effect of one.
func (s *Service) TakeOnce(ctx context.Context, provider, id string, batch Batch) error {
	taken, err := s.Pushes.IsTaken(ctx, provider, id)
	if err != nil {
		return fmt.Errorf("find push: %w", err)
	}
	if taken {
		s.Metrics.count(provider, "repeated", len(batch.Reports))
		return nil
	}
	if err := s.Take(ctx, provider, batch); err != nil {
		return err
	}
	if err := s.Pushes.MarkTaken(ctx, provider, id, keepPush); err != nil {
		return fmt.Errorf("remember push: %w", err)
	}
	return nil
}

// note counts and logs one stored report.
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
		cause = CauseOf(report.Provider, report.Code)
		s.Metrics.causes.WithLabelValues(report.Provider, string(cause), s.Metrics.label(report, cause)).Inc()
		if cause == CauseAccount {
			level = slog.LevelError // no message arrives until an operator corrects the account
		}
	} else {
		s.Metrics.seconds.WithLabelValues(report.Provider).Observe(s.took(report, result).Seconds())
	}
	s.Logger.Log(ctx, level, "message reported", "sms_code_id", result.ID, "state", report.State,
		"provider", report.Provider, "provider_id", report.ProviderID, "code", report.Code, "cause", string(cause))
}

// took is the time until the message arrived, by the vendor's clock. Where that time is missing or in the future it is now.
func (s *Service) took(report Report, result Result) time.Duration {
	now := s.Now()
	at := report.At
	if at.IsZero() || at.After(now) {
		at = now
	}
	return max(at.Sub(result.IssuedAt), 0)
}

// maxUnlisted bounds how many codes outside the table get a label of their own: they come from outside, and each label costs
// memory.
const maxUnlisted = 50

// Metrics counts reports. It is safe for concurrent use.
type Metrics struct {
	reports *prometheus.CounterVec
	causes  *prometheus.CounterVec
	seconds *prometheus.HistogramVec

	mu       sync.Mutex
	unlisted map[string]bool
}

// NewMetrics registers the metrics of this package.
func NewMetrics(registry prometheus.Registerer) *Metrics {
	m := &Metrics{
		reports: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "usher_reports_total",
			Help: "Delivery reports by provider and state (delivered, undelivered, waiting), " +
				"or why they had no effect (repeated, unknown, unreadable).",
		}, []string{"provider", "state"}),
		causes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "usher_undelivered_total",
			Help: "Messages reported as undelivered by provider, cause and the vendor's code.",
		}, []string{"provider", "cause", "code"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "usher_delivery_seconds",
			Help:    "Time from the issue of a code to its arrival, as the vendor reported it to the second.",
			Buckets: []float64{1, 2, 3, 5, 8, 12, 20, 30, 60, 120, 300, 600},
		}, []string{"provider"}),
		unlisted: map[string]bool{},
	}
	registry.MustRegister(m.reports, m.causes, m.seconds)
	return m
}

func (m *Metrics) count(provider, state string, n int) {
	if n > 0 {
		m.reports.WithLabelValues(provider, state).Add(float64(n))
	}
}

// label is the code, or "other" when there are too many codes.
func (m *Metrics) label(report Report, cause Cause) string {
	if cause != CauseUnlisted {
		return report.Code
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	name := report.Provider + " " + report.Code
	switch {
	case m.unlisted[name]:
		return report.Code
	case report.Code == "" || len(m.unlisted) >= maxUnlisted:
		return "other"
	}
	m.unlisted[name] = true
	return report.Code
}
