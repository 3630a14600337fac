package front

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"usher/vitals"
)

func TestPulse_counts_the_last_minutes(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	vec := func(name string, labels ...string) *prometheus.CounterVec {
		v := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: "Of the test."}, labels)
		registry.MustRegister(v)
		return v
	}
	requests := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: metricRequests, Help: "Of the test.", Buckets: []float64{.5, 1, 8},
	}, []string{"route", "method", "status"})
	registry.MustRegister(requests)
	admission, limited := vec(metricAdmission, "class", "result"), vec(metricLimited, "limit")
	signIns, captchas, blocked := vec(metricSignIns, "result"), vec(metricCaptchas, "result"), vec(metricBlocked)
	left, allowed := vec(metricLeft, "limit"), vec(metricAllowed, "limit") // gauges in the API, which are read alike

	p := &pulse{gatherer: registry, ahead: func() time.Duration { return -time.Second }}
	admission.WithLabelValues("general", "refused").Add(100) // before the first look
	p.read()
	admission.WithLabelValues("general", "refused").Add(7)
	admission.WithLabelValues("general", "admitted").Add(13)
	limited.WithLabelValues("sms_ip_hour").Add(3)
	signIns.WithLabelValues("wrong").Add(4)
	signIns.WithLabelValues("right").Add(6)
	captchas.WithLabelValues("wrong").Add(1)
	captchas.WithLabelValues("right").Add(1)
	captchas.WithLabelValues("asked").Add(50)
	blocked.WithLabelValues().Add(2)
	left.WithLabelValues("sms_total").Add(5)
	allowed.WithLabelValues("sms_total").Add(50)
	for range 18 {
		requests.WithLabelValues("/login", "GET", "200").Observe(.2)
		requests.WithLabelValues("/fast", "GET", "200").Observe(.2)
	}
	for range 2 {
		requests.WithLabelValues("/login", "GET", "503").Observe(3)
	}
	p.read()
	want := vitals.Process{
		ClockAhead: -time.Second, Requests: 38, Errors: 2, Slow: "/login",
		Admission: map[string]vitals.Ratio{"general": {Part: 7, Of: 20}}, Limited: map[string]int{"sms_ip_hour": 3},
		LimitsLeft: map[string]vitals.Ratio{"sms_total": {Part: 5, Of: 50}},
		SignIns:    vitals.Ratio{Part: 4, Of: 10}, Captchas: vitals.Ratio{Part: 1, Of: 2}, Blocked: 2,
	}
	if diff := cmp.Diff(want, p.process()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	for range int(pulseSpan/pulseEvery) + 1 {
		p.read()
	}
	if got := p.process(); got.Admission["general"] != (vitals.Ratio{}) || got.Errors != 0 || got.Slow != "" {
		t.Errorf("counts of long ago: %+v", got)
	}
}
