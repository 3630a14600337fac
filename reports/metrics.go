package reports

import (
	"sync"

	"github.com/prometheus/client_golang/prometheus"
)

// maxUnlisted bounds the codes beyond the table that get a label of their own: they come from outside.
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
			Help: "Delivery reports by provider and what they said (delivered, undelivered, waiting) " +
				"or why nothing came of them (repeated, unknown, unreadable).",
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

func (m *Metrics) undelivered(report Report) {
	cause := CauseOf(report.Provider, report.Code)
	m.causes.WithLabelValues(report.Provider, string(cause), m.label(report, cause)).Inc()
}

// label is the code, as long as there are not too many of them.
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
