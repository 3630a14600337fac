package app

import (
	"context"

	"github.com/prometheus/client_golang/prometheus"

	"usher/providers"
)

// scores shows what became of the SMS of each provider lately, as all processes have counted it together
// whenever the metrics are read: whether codes arrive.
type scores struct {
	store  providers.Scores
	names  []string
	recent *prometheus.Desc
}

func newScores(senders []providers.SMSSender, stores *Stores) *scores {
	s := &scores{
		store: stores.Redis.Scores(),
		recent: prometheus.NewDesc("usher_provider_recent_messages",
			"SMS of the last 15 minutes by what became of them: accepted, delivered, undelivered, verified (the code was entered). "+
				"All workers show the same.", []string{"provider", "state"}, nil),
	}
	for _, sender := range senders {
		s.names = append(s.names, sender.Name())
	}
	return s
}

// Describe implements [prometheus.Collector].
func (s *scores) Describe(descriptions chan<- *prometheus.Desc) { descriptions <- s.recent }

// Collect implements [prometheus.Collector]. While Redis is away there is nothing to show.
func (s *scores) Collect(metrics chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), probeTimeout)
	defer cancel()
	recent, err := s.store.RecentScores(ctx, s.names)
	if err != nil {
		return
	}
	for provider, score := range recent {
		for state, n := range map[string]int{
			"accepted": score.Accepted, "delivered": score.Delivered,
			"undelivered": score.Undelivered, "verified": score.Verified,
		} {
			metrics <- prometheus.MustNewConstMetric(s.recent, prometheus.GaugeValue, float64(n), provider, state)
		}
	}
}
