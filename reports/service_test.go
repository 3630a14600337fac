package reports_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"usher/internal/testkit"
	"usher/messages"
	"usher/reports"
)

// store knows messages by their ids and changes each once.
type store struct {
	known map[string]time.Time
	taken map[string]time.Duration
	err   error
	calls int
}

func (s *store) IsTaken(_ context.Context, provider, id string) (bool, error) {
	_, taken := s.taken[provider+" "+id]
	return taken, nil
}

func (s *store) MarkTaken(_ context.Context, provider, id string, ttl time.Duration) error {
	s.taken[provider+" "+id] = ttl
	return nil
}

func (s *store) Apply(_ context.Context, all []reports.Report) ([]reports.Result, error) {
	s.calls++
	if s.err != nil {
		return nil, s.err
	}
	results := make([]reports.Result, len(all))
	for i, r := range all {
		if issued, ok := s.known[r.MessageID]; ok {
			results[i] = reports.Result{ID: r.MessageID, Changed: !strings.HasPrefix(r.MessageID, "old"), IssuedAt: issued}
		}
	}
	return results, nil
}

type bundle struct {
	*reports.Service
	store    *store
	registry *prometheus.Registry
	log      *testkit.Buffer
	now      time.Time
}

func setup(t *testing.T) *bundle {
	t.Helper()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	b := &bundle{now: now, registry: prometheus.NewRegistry(), store: &store{taken: map[string]time.Duration{}, known: map[string]time.Time{
		"one": now.Add(-10 * time.Second), "two": now.Add(-10 * time.Second), "old": now,
	}}}
	logger, log := testkit.Logger(t)
	b.log = log
	b.Service = &reports.Service{
		Store: b.store, Pushes: b.store, Metrics: reports.NewMetrics(b.registry), Now: func() time.Time { return b.now }, Logger: logger,
	}
	return b
}

// metrics are the samples of a metric by their labels, in the order of the labels' names; a histogram's
// sample is its sum.
func (b *bundle) metrics(t *testing.T, name string) map[string]float64 {
	t.Helper()
	families, err := b.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	samples := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			var labels []string
			for _, l := range m.GetLabel() {
				labels = append(labels, l.GetValue())
			}
			if f.GetName() == name {
				samples[strings.Join(labels, " ")] = m.GetCounter().GetValue() + m.GetHistogram().GetSampleSum()
			}
		}
	}
	return samples
}

func (b *bundle) wantMetrics(t *testing.T, name string, want map[string]float64) {
	t.Helper()
	if diff := cmp.Diff(want, b.metrics(t, name)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

func of(id string, state messages.State, code string) reports.Report {
	return reports.Report{Provider: "aliyun", MessageID: id, State: state, Code: code}
}

func TestService_counts_what_reports_say(t *testing.T) {
	t.Parallel()
	b := setup(t)
	arrived := of("one", messages.Delivered, "DELIVERED")
	arrived.At = b.now.Add(-6 * time.Second)
	err := b.Take(t.Context(), "aliyun", reports.Batch{Skipped: 2, Reports: []reports.Report{
		arrived, of("two", messages.Undelivered, "PORT_NOT_REGISTERED"), of("old", messages.Delivered, "DELIVERED"),
		of("unknown-id", messages.Delivered, "DELIVERED"), of("one", messages.Sent, "REQUEST_SUCCESS"),
	}})
	if err != nil {
		t.Fatal(err)
	}
	b.wantMetrics(t, "usher_reports_total", map[string]float64{
		"aliyun delivered": 1, "aliyun undelivered": 1, "aliyun repeated": 1, "aliyun unknown": 1,
		"aliyun unreadable": 2, "aliyun waiting": 1,
	})
	b.wantMetrics(t, "usher_undelivered_total", map[string]float64{"account PORT_NOT_REGISTERED aliyun": 1})
	b.wantMetrics(t, "usher_delivery_seconds", map[string]float64{"aliyun": 4})
	if log := string(b.log.Bytes()); !strings.Contains(log, `"level":"ERROR"`) || strings.Contains(log, "unknown-id") {
		t.Errorf("log: %s", log)
	}
}

func TestService_gives_unlisted_codes_a_bounded_number_of_labels(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for i := range 200 {
		batch := reports.Batch{Reports: []reports.Report{of("one", messages.Undelivered, fmt.Sprintf("NEW_%d", i))}}
		if err := b.Take(t.Context(), "aliyun", batch); err != nil {
			t.Fatal(err)
		}
	}
	samples := b.metrics(t, "usher_undelivered_total")
	if len(samples) != 51 || samples["unlisted other aliyun"] != 150 {
		t.Errorf("%d labels: %v", len(samples), samples)
	}
}

func TestService_counts_nothing_that_is_not_filed(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.store.err = errors.New("away")
	batch := reports.Batch{Skipped: 1, Reports: []reports.Report{of("one", messages.Delivered, "")}}
	if err := b.Take(t.Context(), "aliyun", batch); !errors.Is(err, b.store.err) {
		t.Errorf("Take = %v", err)
	}
	b.wantMetrics(t, "usher_reports_total", map[string]float64{})
}

func TestService_does_not_believe_impossible_times(t *testing.T) {
	t.Parallel()
	for at, want := range map[time.Duration]float64{-time.Hour: 0, time.Hour: 10} {
		b := setup(t)
		report := of("one", messages.Delivered, "")
		report.At = b.now.Add(at)
		if err := b.Take(t.Context(), "aliyun", reports.Batch{Reports: []reports.Report{report}}); err != nil {
			t.Fatal(err)
		}
		b.wantMetrics(t, "usher_delivery_seconds", map[string]float64{"aliyun": want})
	}
}

func TestService_takes_a_push_of_one_id_once(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.store.err = errors.New("away")
	batch := reports.Batch{Reports: []reports.Report{{Provider: reports.HTTP, MessageID: "one", State: messages.Delivered}}}
	if err := b.TakeOnce(t.Context(), reports.HTTP, "push_1", batch); !errors.Is(err, b.store.err) {
		t.Errorf("the store fails: %v", err)
	}
	b.store.err = nil
	for range 3 { // the first attempt has failed, so the second one counts
		if err := b.TakeOnce(t.Context(), reports.HTTP, "push_1", batch); err != nil {
			t.Fatal(err)
		}
	}
	if b.store.calls != 2 || b.store.taken["http push_1"] < 10*time.Minute {
		t.Errorf("stored %d times, remembered %v", b.store.calls, b.store.taken)
	}
	b.wantMetrics(t, "usher_reports_total", map[string]float64{"http delivered": 1, "http repeated": 2})
	if err := b.TakeOnce(t.Context(), reports.HTTP, "push_2", batch); err != nil || b.store.calls != 3 {
		t.Errorf("another push: %v, stored %d times", err, b.store.calls)
	}
}
