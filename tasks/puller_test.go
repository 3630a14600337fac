package tasks_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"usher/internal/testkit"
	"usher/messages"
	"usher/providers"
	"usher/reports"
	"usher/tasks"
)

// office hands each of its reports out once, two at a time.
type office struct {
	mu      sync.Mutex
	reports []reports.Report
	pulls   int
	err     error
}

func (o *office) Name() string { return "ronglian" }

func (o *office) Pull(context.Context) (reports.Batch, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.pulls++
	if o.err != nil {
		return reports.Batch{}, o.err
	}
	n := min(2, len(o.reports))
	batch := reports.Batch{Reports: o.reports[:n], More: n < len(o.reports)}
	o.reports = o.reports[n:]
	return batch, nil
}

// files keeps what is filed, after some failures.
type files struct {
	mu       sync.Mutex
	failures int
	filed    []reports.Report
}

func (f *files) Apply(_ context.Context, all []reports.Report) ([]reports.Result, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.failures > 0 {
		f.failures--
		return nil, errors.New("away")
	}
	f.filed = append(f.filed, all...)
	return make([]reports.Result, len(all)), nil
}

func (f *files) count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.filed)
}

// always gives every turn.
type always struct{}

func (always) Turn(context.Context, string, time.Duration) (bool, error) { return true, nil }

// pulling runs a puller until the test ends.
func pulling(t *testing.T, source *office, filed *files, interval time.Duration) {
	t.Helper()
	logger, _ := testkit.Logger(t)
	puller := &tasks.Puller{
		Sources: []providers.Puller{source}, Turns: always{}, Interval: interval, Logger: logger,
		Reports: &reports.Service{
			Store: filed, Metrics: reports.NewMetrics(prometheus.NewRegistry()), Now: time.Now, Logger: logger,
		},
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { puller.Run(ctx) })
	t.Cleanup(func() { cancel(); wg.Wait() })
}

func fiveReports() *office {
	o := &office{}
	for range 5 {
		o.reports = append(o.reports, reports.Report{Provider: "ronglian", MessageID: "a", State: messages.Delivered})
	}
	return o
}

func TestPuller_takes_all_that_there_is(t *testing.T) {
	t.Parallel()
	filed := &files{}
	pulling(t, fiveReports(), filed, time.Hour)
	testkit.Eventually(t, 20*time.Second, func() bool { return filed.count() == 5 }, "five reports are filed")
}

func TestPuller_holds_what_cannot_be_filed(t *testing.T) {
	t.Parallel()
	source, filed := fiveReports(), &files{failures: 3}
	pulling(t, source, filed, 10*time.Millisecond)
	testkit.Eventually(t, 20*time.Second, func() bool { return filed.count() == 5 }, "five reports are filed")
}

func TestPuller_without_a_turn_or_interval_asks_nothing(t *testing.T) {
	t.Parallel()
	source, filed := fiveReports(), &files{}
	logger, _ := testkit.Logger(t)
	(&tasks.Puller{Sources: []providers.Puller{source}, Logger: logger}).Run(t.Context()) // returns at once
	waiting := make(chan struct{})
	puller := &tasks.Puller{
		Sources: []providers.Puller{source}, Turns: &counted{seen: waiting}, Interval: time.Millisecond, Logger: logger,
		Reports: &reports.Service{Store: filed},
	}
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { puller.Run(ctx) })
	<-waiting
	cancel()
	wg.Wait()
	if source.pulls != 0 || filed.count() != 0 {
		t.Errorf("%d pulls, %d filed", source.pulls, filed.count())
	}
}

// counted gives no turn and tells after the tenth time that it was asked for.
type counted struct {
	n    int
	seen chan struct{}
}

func (c *counted) Turn(context.Context, string, time.Duration) (bool, error) {
	if c.n++; c.n == 10 {
		close(c.seen)
	}
	return false, nil
}
