package app

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"usher/store/sqlstore"
)

// eventsBacklog shows what waits for endpoints, counted when it is asked.
type eventsBacklog struct {
	events                     *sqlstore.Events
	waiting, oldest, endpoints *prometheus.Desc
}

func newEventsBacklog(events *sqlstore.Events) *eventsBacklog {
	return &eventsBacklog{
		events:  events,
		waiting: prometheus.NewDesc("usher_events_waiting", "Deliveries of events that are not done, to endpoints that are not disabled.", nil, nil),
		oldest: prometheus.NewDesc("usher_events_oldest_seconds",
			"How long the oldest delivery to an endpoint that works has been due.", nil, nil),
		endpoints: prometheus.NewDesc("usher_events_endpoints", "Endpoints by state: working, failing, disabled.", []string{"state"}, nil),
	}
}

// Describe implements [prometheus.Collector].
func (b *eventsBacklog) Describe(descs chan<- *prometheus.Desc) {
	descs <- b.waiting
	descs <- b.oldest
	descs <- b.endpoints
}

// backlogTimeout bounds the count, which a scrape waits for.
const backlogTimeout = 2 * time.Second

// Collect implements [prometheus.Collector]. Without an answer of the database it shows nothing.
func (b *eventsBacklog) Collect(metrics chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), backlogTimeout)
	defer cancel()
	backlog, err := b.events.Backlog(ctx)
	if err != nil {
		return
	}
	metrics <- prometheus.MustNewConstMetric(b.waiting, prometheus.GaugeValue, float64(backlog.Waiting))
	metrics <- prometheus.MustNewConstMetric(b.oldest, prometheus.GaugeValue, backlog.Behind.Seconds())
	for state, n := range backlog.Endpoints {
		metrics <- prometheus.MustNewConstMetric(b.endpoints, prometheus.GaugeValue, float64(n), state)
	}
}
