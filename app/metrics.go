package app

import (
	"cmp"
	"context"
	"runtime"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"usher/providers"
	"usher/telemetry"
)

// scraped is a metric whose values are read at every scrape.
type scraped struct {
	desc *prometheus.Desc
	kind prometheus.ValueType
	read func(show func(value float64, labels ...string))
}

func newScraped(kind prometheus.ValueType, name, help string, labels []string, read func(show func(float64, ...string))) scraped {
	return scraped{prometheus.NewDesc(name, help, labels, nil), kind, read}
}

// Describe implements [prometheus.Collector].
func (s scraped) Describe(descriptions chan<- *prometheus.Desc) { descriptions <- s.desc }

// Collect implements [prometheus.Collector].
func (s scraped) Collect(metrics chan<- prometheus.Metric) {
	s.read(func(value float64, labels ...string) {
		metrics <- prometheus.MustNewConstMetric(s.desc, s.kind, value, labels...)
	})
}

// register registers the metrics of every process that depend on its stores, and of its build. The counters of the pool are the
// counterpart of the go_sql_ metrics; redisprometheus of go-redis would name them apart from ours, and shows no "busy".
func (s *Stores) register(registry prometheus.Registerer) {
	registry.MustRegister(collectors.NewDBStatsCollector(s.SQL.Unwrap().DB, "usher"),
		newScraped(prometheus.GaugeValue, "usher_build_info", "1; the labels say which build this is.",
			[]string{"version", "go_version"}, func(show func(float64, ...string)) { show(1, telemetry.Version(), runtime.Version()) }),
		newScraped(prometheus.GaugeValue, "usher_clock_offset_seconds",
			"How far this machine's clock is ahead of that of Redis; negative where it is behind. Times that processes compare "+
				"are corrected by it.", nil, func(show func(float64, ...string)) { show(s.Clock.Ahead().Seconds()) }),
		newScraped(prometheus.GaugeValue, "usher_redis_connections",
			"Connections to Redis of this process by state: idle, busy.", []string{"state"}, func(show func(float64, ...string)) {
				pool := s.Client.PoolStats()
				show(float64(pool.IdleConns), "idle")
				show(float64(pool.TotalConns-min(pool.IdleConns, pool.TotalConns)), "busy")
			}),
		newScraped(prometheus.CounterValue, "usher_redis_pool_total",
			"Connections to Redis that were needed: hit (a free one was there) or miss (one had to be opened or waited for).",
			[]string{"result"}, func(show func(float64, ...string)) {
				pool := s.Client.PoolStats()
				show(float64(pool.Hits), "hit")
				show(float64(pool.Misses), "miss")
			}),
		newScraped(prometheus.CounterValue, "usher_redis_pool_timeouts_total",
			"Times that no connection to Redis came free in time; the request was answered with 503.",
			nil, func(show func(float64, ...string)) { show(float64(s.Client.PoolStats().Timeouts)) }))
}

// breakerMetric shows the state of every breaker of SMS.
func breakerMetric(sms *smsSwitch) prometheus.Collector {
	return newScraped(prometheus.GaugeValue, "usher_provider_breaker",
		"1 for the state that the provider's breaker is in on this worker, else 0.", []string{"provider", "state"},
		func(show func(float64, ...string)) {
			for provider, is := range sms.Breakers() {
				for _, state := range []string{providers.BreakerIsClosed, providers.BreakerIsHalfOpen, providers.BreakerIsOpen} {
					value := 0.0
					if state == is {
						value = 1
					}
					show(value, provider, state)
				}
			}
		})
}

// scoreMetric shows the outcomes of each provider's recent SMS, as all processes have counted them together: whether codes
// arrive. It shows nothing while Redis is unavailable.
func scoreMetric(senders []providers.SMSSender, store providers.Scores) prometheus.Collector {
	var names []string
	for _, sender := range senders {
		names = append(names, sender.Name())
	}
	return newScraped(prometheus.GaugeValue, "usher_provider_recent_messages",
		"SMS of the last 15 minutes by outcome: accepted, delivered, undelivered, verified (the code was entered), "+
			"and by the carrier that the number's prefix tells. All workers show the same.",
		[]string{"provider", "carrier", "state"}, func(show func(float64, ...string)) {
			ctx, cancel := context.WithTimeout(context.Background(), probeTimeout)
			defer cancel()
			recent, err := store.RecentScores(ctx, names)
			if err != nil {
				return
			}
			for provider, all := range recent {
				for carrier, score := range all.Shares() {
					label := cmp.Or(string(carrier), "unknown")
					show(float64(score.Accepted), provider, label, "accepted")
					show(float64(score.Delivered), provider, label, "delivered")
					show(float64(score.Undelivered), provider, label, "undelivered")
					show(float64(score.Verified), provider, label, "verified")
				}
			}
		})
}

// mailOutageMetric shows why the worker keeps mails back, and nothing while it does not.
func mailOutageMetric(breaker *providers.EmailBreaker, provider string) prometheus.Collector {
	return newScraped(prometheus.GaugeValue, "usher_mail_outage",
		"1 while this worker keeps mails back because the mail server fails, by the reason, a word of docs/reasons.md.",
		[]string{"provider", "reason"}, func(show func(float64, ...string)) {
			if why, _, out := breaker.Outage(); out {
				show(1, provider, string(why))
			}
		})
}
