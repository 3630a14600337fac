package front

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"usher/app"
	"usher/store/redisstore"
)

// outcomeBacklog shows what waits to be copied, as it is whenever the metrics are read. Like [backlog] it is a
// matter of the API.
type outcomeBacklog struct {
	outcomes *redisstore.Outcomes
	now      func() time.Time

	waiting, lag *prometheus.Desc
}

func newOutcomeBacklog(stores *app.Stores) *outcomeBacklog {
	return &outcomeBacklog{
		outcomes: stores.Redis.Outcomes(), now: stores.Clock.Now,
		waiting: prometheus.NewDesc("usher_outcomes_waiting",
			"Outcomes of SMS that wait in Redis to be written down in the database.", nil, nil),
		lag: prometheus.NewDesc("usher_outcomes_lag_seconds",
			"Time for which the oldest of them has waited; 0 when none waits.", nil, nil),
	}
}

// Describe implements [prometheus.Collector].
func (b *outcomeBacklog) Describe(descriptions chan<- *prometheus.Desc) {
	descriptions <- b.waiting
	descriptions <- b.lag
}

// Collect implements [prometheus.Collector]. While Redis is away there is nothing to show.
func (b *outcomeBacklog) Collect(metrics chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), backlogTimeout)
	defer cancel()
	n, since, err := b.outcomes.Waiting(ctx)
	if err != nil {
		return
	}
	lag := 0.0
	if !since.IsZero() {
		lag = max(b.now().Sub(since), 0).Seconds()
	}
	metrics <- prometheus.MustNewConstMetric(b.waiting, prometheus.GaugeValue, float64(n))
	metrics <- prometheus.MustNewConstMetric(b.lag, prometheus.GaugeValue, lag)
}
