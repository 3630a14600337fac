package tasks_test

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"usher/internal/testkit"
	"usher/limits"
	"usher/providers"
	"usher/queue"
	"usher/store/redisstore"
	"usher/tasks"
	"usher/verify"
)

// stopwatch is a provider that answers at once and tells that it was called.
type stopwatch struct{ called chan struct{} }

func (stopwatch) Name() string { return "stopwatch" }

func (s stopwatch) SendSMS(context.Context, providers.SMS) (providers.Receipt, error) {
	s.called <- struct{}{}
	return providers.Receipt{Provider: "stopwatch"}, nil
}

// line is everything between the domain and the provider, on a real Redis.
type line struct {
	url      string
	store    *redisstore.Store
	enqueuer *tasks.Enqueuer
	called   chan struct{}
	numbers  atomic.Int64
	start    func() // the worker
}

func newLine(b *testing.B) *line {
	b.Helper()
	keys, url := testKeys(b), testkit.Redis(b)
	client := open(b, url)
	client.AddHook(queue.NotifyHook(client))
	l := &line{
		url: url, store: redisstore.New(client, keys, time.Now),
		enqueuer: newEnqueuer(client, keys), called: make(chan struct{}, 1024),
	}
	l.store.Rules.Mode = limits.Record
	discard := slog.New(slog.DiscardHandler)
	metrics := tasks.NewMetrics(prometheus.NewRegistry())
	mux := newMux(discard, metrics, &tasks.SMSCodeHandler{
		Claims: l.store.Codes(), Sender: stopwatch{l.called}, Keys: keys, Timeout: sendTimeout, Metrics: metrics,
	}, nil)
	l.start = func() {
		go queue.Listen(b.Context(), client, serveQueue(b, url, discard, mux).Waiter)
	}
	return l
}

// issue files the code of a new number and returns what is to be enqueued.
func (l *line) issue(b *testing.B) (code verify.Queued) {
	b.Helper()
	mobile := mustMobile(b, fmt.Sprintf("138%08d", l.numbers.Add(1)))
	_, err := service(b, l.store, queueFunc(func(_ context.Context, q verify.Queued) error {
		code = q
		return nil
	})).Issue(b.Context(), verify.Request{To: mobile, Purpose: verify.Login})
	if err != nil {
		b.Fatal(err)
	}
	return code
}

// BenchmarkLatency measures from the enqueuing of a code to the call of the provider, on an idle queue.
func BenchmarkLatency(b *testing.B) {
	l := newLine(b)
	l.start()
	var times []time.Duration
	for b.Loop() {
		code := l.issue(b)
		start := time.Now()
		if err := l.enqueuer.EnqueueCode(b.Context(), code); err != nil {
			b.Fatal(err)
		}
		<-l.called
		times = append(times, time.Since(start))
	}
	slices.Sort(times)
	for _, p := range []int{50, 95} {
		b.ReportMetric(float64(times[len(times)*p/100].Microseconds())/1000, fmt.Sprintf("p%d-ms", p))
	}
}

// BenchmarkDrain measures how fast a worker clears a queue that was filled before.
func BenchmarkDrain(b *testing.B) {
	l := newLine(b)
	for range b.N {
		if err := l.enqueuer.EnqueueCode(b.Context(), l.issue(b)); err != nil {
			b.Fatal(err)
		}
	}
	b.ResetTimer()
	l.start()
	for range b.N {
		<-l.called
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "tasks/s")
}
