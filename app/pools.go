package app

import (
	"runtime"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/redis/go-redis/v9"

	"usher/telemetry"
)

// watch has the metrics of every process registered that depend on its stores, and of its build.
func (s *Stores) watch(registry prometheus.Registerer) {
	build := prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "usher_build_info", Help: "1; the labels say which build this is.",
	}, []string{"version", "go_version"})
	build.WithLabelValues(telemetry.Version(), runtime.Version()).Set(1)
	registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "usher_clock_offset_seconds",
		Help: "How far this machine's clock is ahead of that of Redis; negative where it is behind. What processes compare " +
			"is corrected by it.",
	}, func() float64 { return s.Clock.Ahead().Seconds() }))
	registry.MustRegister(build, newPool(s.Client), collectors.NewDBStatsCollector(s.SQL.Unwrap().DB, "usher"))
}

// pool shows the connections to Redis, the counterpart of the go_sql_ metrics.
type pool struct {
	client redis.UniversalClient

	connections, found, timeouts *prometheus.Desc
}

func newPool(client redis.UniversalClient) *pool {
	return &pool{
		client: client,
		connections: prometheus.NewDesc("usher_redis_connections",
			"Connections to Redis of this process by state: idle, busy.", []string{"state"}, nil),
		found: prometheus.NewDesc("usher_redis_pool_total",
			"Connections to Redis that were needed: hit (a free one was there) or miss (one had to be opened or waited for).",
			[]string{"result"}, nil),
		timeouts: prometheus.NewDesc("usher_redis_pool_timeouts_total",
			"Times that no connection to Redis came free in time; the request was answered with 503.", nil, nil),
	}
}

// Describe implements [prometheus.Collector].
func (p *pool) Describe(descriptions chan<- *prometheus.Desc) {
	descriptions <- p.connections
	descriptions <- p.found
	descriptions <- p.timeouts
}

// Collect implements [prometheus.Collector].
func (p *pool) Collect(metrics chan<- prometheus.Metric) {
	s := p.client.PoolStats()
	gauge := func(state string, n uint32) {
		metrics <- prometheus.MustNewConstMetric(p.connections, prometheus.GaugeValue, float64(n), state)
	}
	counter := func(d *prometheus.Desc, n uint32, labels ...string) {
		metrics <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n), labels...)
	}
	gauge("idle", s.IdleConns)
	gauge("busy", s.TotalConns-min(s.IdleConns, s.TotalConns))
	counter(p.found, s.Hits, "hit")
	counter(p.found, s.Misses, "miss")
	counter(p.timeouts, s.Timeouts)
}
