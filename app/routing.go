package app

import (
	"context"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"usher/messages"
	"usher/providers"
	"usher/reports"
	"usher/store/redisconn"
	"usher/store/redisstore"
)

// newSMS makes the router of the SMS senders, whose decisions and breakers the registry shows. prepare is given
// the senders before they are used, these and those that replace them, and returns them as they are used.
func newSMS(
	senders []providers.SMSSender, prepare func([]providers.SMSSender) []providers.SMSSender,
	stores *Stores, registry prometheus.Registerer, logger *slog.Logger,
) *smsSwitch {
	decisions := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "usher_routing_total",
		Help: "Decisions about a provider for one attempt at an SMS: why it was asked, or why it was passed over.",
	}, []string{"provider", "decision"})
	sms := newSMSSwitch(func(senders []providers.SMSSender) *providers.Router {
		return &providers.Router{
			Senders: prepare(senders), Scores: stores.Redis.Scores(), Slots: clockedBounds{stores.Redis.Bounds(), stores.Clock}, Logger: logger,
			Count: func(provider string, decision providers.Decision) {
				decisions.WithLabelValues(provider, string(decision)).Inc()
			},
		}
	}, senders)
	registry.MustRegister(decisions, breakers{sms, prometheus.NewDesc("usher_provider_breaker",
		"1 for the state that the provider's breaker is in on this worker, else 0.", []string{"provider", "state"}, nil)})
	return sms
}

// clockedBounds gives requests that pass the time of all processes: a slot ends by it.
type clockedBounds struct {
	*redisstore.Bounds

	clock *redisconn.Clock
}

// Acquire implements [providers.Slots].
func (b clockedBounds) Acquire(ctx context.Context, slot providers.Slot) (providers.Decision, time.Duration, error) {
	slot.Until = slot.Until.Add(b.clock.Offset())
	return b.Bounds.Acquire(ctx, slot)
}

// breakers shows the state of every breaker whenever the metrics are read.
type breakers struct {
	router *smsSwitch
	state  *prometheus.Desc
}

// Describe implements [prometheus.Collector].
func (b breakers) Describe(descriptions chan<- *prometheus.Desc) { descriptions <- b.state }

// Collect implements [prometheus.Collector].
func (b breakers) Collect(metrics chan<- prometheus.Metric) {
	for provider, is := range b.router.Breakers() {
		for _, state := range []string{providers.BreakerIsClosed, providers.BreakerIsHalfOpen, providers.BreakerIsOpen} {
			value := 0.0
			if state == is {
				value = 1
			}
			metrics <- prometheus.MustNewConstMetric(b.state, prometheus.GaugeValue, value, provider, state)
		}
	}
}

// scoredReports lets delivery reports count for the score of their provider.
type scoredReports struct {
	reports.Store
	scores providers.Scores
}

// Apply implements [reports.Store]. What it says of a provider is worth less than the reports themselves: a
// score that is not added is no error.
func (s scoredReports) Apply(ctx context.Context, all []reports.Report) ([]reports.Result, error) {
	results, err := s.Store.Apply(ctx, all)
	scores := map[string]providers.Score{}
	for i, result := range results {
		switch report := all[i]; {
		case !result.Changed:
		case report.State == messages.Delivered:
			scores[report.Provider] = scores[report.Provider].Plus(providers.Score{Delivered: 1})
		case report.State == messages.Undelivered:
			scores[report.Provider] = scores[report.Provider].Plus(providers.Score{Undelivered: 1})
		}
	}
	for provider, score := range scores {
		_ = s.scores.AddScore(ctx, provider, score)
	}
	return results, err
}
