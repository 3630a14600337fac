package app

import (
	"github.com/prometheus/client_golang/prometheus"

	"usher/providers"
)

// mailOutage shows why a worker keeps mails back whenever the metrics are read; it shows nothing while it does not.
type mailOutage struct {
	breaker  *providers.EmailBreaker
	provider string
	outage   *prometheus.Desc
}

func newMailOutage(breaker *providers.EmailBreaker, provider string) mailOutage {
	return mailOutage{breaker, provider, prometheus.NewDesc("usher_mail_outage",
		"1 while this worker keeps mails back because the mail server fails, by the reason, a word of docs/reasons.md.",
		[]string{"provider", "reason"}, nil)}
}

// Describe implements [prometheus.Collector].
func (m mailOutage) Describe(descriptions chan<- *prometheus.Desc) { descriptions <- m.outage }

// Collect implements [prometheus.Collector].
func (m mailOutage) Collect(metrics chan<- prometheus.Metric) {
	if why, _, out := m.breaker.Outage(); out {
		metrics <- prometheus.MustNewConstMetric(m.outage, prometheus.GaugeValue, 1, m.provider, string(why))
	}
}
