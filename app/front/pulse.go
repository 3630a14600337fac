package front

import (
	"context"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"usher/queue"
	"usher/vitals"
)

// pulse keeps what this process counted in the last minutes, for the operators' page. Alerts see all processes; the page
// tells the same about one without Prometheus. It is safe for concurrent use.
type pulse struct {
	gatherer prometheus.Gatherer
	ahead    func() time.Duration // of the clock of Redis

	mu      sync.Mutex
	samples []counts // the oldest first
}

// The counters are read at intervals, and compared with those of pulseSpan before, as the alerts do.
const (
	pulseEvery = 30 * time.Second
	pulseSpan  = 10 * time.Minute

	slowAfter = 1.0 // seconds; the alert APISlow has the same, and the histogram of requests has this bound
	slowShare = 20  // a request of so many, 5 %
	slowLeast = 20  // requests of a route
)

// counts are counters and gauges of one moment, by metric and the values of its labels.
type counts struct {
	values map[series]float64
	slow   map[string]float64 // requests by route that took longer than slowAfter
}

// series is a metric with the values of its labels that [labelsOf] names.
type series struct{ metric, first, second string }

// The metrics that are read.
const (
	metricRequests  = "usher_http_request_seconds"
	metricAdmission = "usher_admission_requests_total"
	metricLimited   = "usher_limits_refused_total"
	metricSignIns   = "usher_sign_ins_total"
	metricCaptchas  = "usher_captchas_total"
	metricBlocked   = "usher_sms_conversion_blocked_total"
	metricLeft      = "usher_limits_left"
	metricAllowed   = "usher_limits_allowed"
)

// labelsOf are the labels of each metric that tell its series apart here.
var labelsOf = map[string][2]string{
	metricRequests: {"route", "status"}, metricAdmission: {"class", "result"}, metricLimited: {"limit"}, metricSignIns: {"result"},
	metricCaptchas: {"result"}, metricBlocked: {}, metricLeft: {"limit"}, metricAllowed: {"limit"},
}

// run reads the counters until ctx ends.
func (p *pulse) run(ctx context.Context) {
	p.read()
	queue.Every(ctx, pulseEvery, func(context.Context) { p.read() })
}

func (p *pulse) read() {
	families, err := p.gatherer.Gather()
	if err != nil {
		return // the scrape of Prometheus fails in the same way, and says it
	}
	now := counts{map[series]float64{}, map[string]float64{}}
	for _, family := range families {
		if _, read := labelsOf[family.GetName()]; !read {
			continue
		}
		for _, m := range family.GetMetric() {
			now.add(family.GetName(), m)
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.samples = append(p.samples, now)
	if most := int(pulseSpan/pulseEvery) + 1; len(p.samples) > most {
		p.samples = p.samples[len(p.samples)-most:]
	}
}

func (c counts) add(name string, m *dto.Metric) {
	key := series{metric: name}
	for _, label := range m.GetLabel() {
		switch label.GetName() {
		case labelsOf[name][0]:
			key.first = label.GetValue()
		case labelsOf[name][1]:
			key.second = label.GetValue()
		}
	}
	if h := m.GetHistogram(); h != nil {
		c.values[key] += float64(h.GetSampleCount())
		fast := uint64(0)
		for _, bucket := range h.GetBucket() {
			if bucket.GetUpperBound() <= slowAfter {
				fast = bucket.GetCumulativeCount()
			}
		}
		c.slow[key.first] += float64(h.GetSampleCount() - fast)
		return
	}
	c.values[key] += m.GetCounter().GetValue() + m.GetGauge().GetValue()
}

// process returns what the last minutes brought.
func (p *pulse) process() vitals.Process {
	p.mu.Lock()
	defer p.mu.Unlock()
	found := vitals.Process{
		ClockAhead: p.ahead(), Admission: map[string]vitals.Ratio{}, Limited: map[string]int{}, LimitsLeft: map[string]vitals.Ratio{},
	}
	if len(p.samples) == 0 {
		return found
	}
	first, last := p.samples[0], p.samples[len(p.samples)-1]
	requests := map[string]int{}
	for key, value := range last.values {
		n := int(value - first.values[key])
		count(&found, key, n)
		switch key.metric {
		case metricRequests:
			requests[key.first] += n
		case metricAllowed:
			left, known := last.values[series{metric: metricLeft, first: key.first}]
			if known {
				found.LimitsLeft[key.first] = vitals.Ratio{Part: int(left), Of: int(value)}
			}
		}
	}
	worst := 0
	for route, n := range requests {
		if slow := int(last.slow[route] - first.slow[route]); n >= slowLeast && slow*slowShare > n && slow > worst {
			worst, found.Slow = slow, route
		}
	}
	return found
}

// count adds what a series has grown by.
func count(found *vitals.Process, key series, n int) {
	switch key.metric {
	case metricRequests:
		found.Requests += n
		if key.second >= "500" {
			found.Errors += n
		}
	case metricAdmission:
		found.Admission[key.first] = counted(found.Admission[key.first], n, key.second == "refused")
	case metricLimited:
		found.Limited[key.first] = n
	case metricSignIns:
		found.SignIns = counted(found.SignIns, n, key.first == "wrong")
	case metricCaptchas:
		if key.first == "right" || key.first == "wrong" {
			found.Captchas = counted(found.Captchas, n, key.first == "wrong")
		}
	case metricBlocked:
		found.Blocked = n
	}
}

// counted adds to the whole, and to the part where it belongs to that.
func counted(r vitals.Ratio, n int, part bool) vitals.Ratio {
	r.Of += n
	if part {
		r.Part += n
	}
	return r
}
