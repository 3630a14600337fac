package front

import (
	"context"

	"github.com/prometheus/client_golang/prometheus"

	"usher/app"
	"usher/limits"
	"usher/store/redisstore"
)

// totals shows the limits that count everybody together, and what is left of each whenever the metrics are read: every
// process shows what all have spent together.
type totals struct {
	limiter *redisstore.Limiter
	limits  []limits.Limit

	allowed, left *prometheus.Desc
}

func newTotals(stores *app.Stores, set limits.Set) *totals {
	return &totals{
		limiter: stores.Redis.Limiter(), limits: set.Totals(),
		allowed: prometheus.NewDesc("usher_limits_allowed",
			"What everybody together may spend of a limit in its period.", []string{"limit"}, nil),
		left: prometheus.NewDesc("usher_limits_left",
			"What is left of it.", []string{"limit"}, nil),
	}
}

// Describe implements [prometheus.Collector].
func (t *totals) Describe(descriptions chan<- *prometheus.Desc) {
	descriptions <- t.allowed
	descriptions <- t.left
}

// Collect implements [prometheus.Collector]. While Redis is away it does not show what is left.
func (t *totals) Collect(metrics chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), backlogTimeout)
	defer cancel()
	for _, limit := range t.limits {
		name := string(limit.Name)
		metrics <- prometheus.MustNewConstMetric(t.allowed, prometheus.GaugeValue, float64(limit.Count), name)
		if n, err := t.limiter.Left(ctx, limits.Spend{Limit: limit, Subject: limits.Everybody}); err == nil {
			metrics <- prometheus.MustNewConstMetric(t.left, prometheus.GaugeValue, float64(n), name)
		}
	}
}
