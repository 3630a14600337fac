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

// pulling returns a puller whose held batches are filed until the test ends.
func pulling(t *testing.T, filed *files) *tasks.Puller {
	t.Helper()
	logger, _ := testkit.Logger(t)
	puller := &tasks.Puller{
		Logger: logger,
		Reports: &reports.Service{
			Store: filed, Metrics: reports.NewMetrics(prometheus.NewRegistry()), Now: time.Now, Logger: logger,
		},
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { puller.Run(ctx) })
	t.Cleanup(func() { cancel(); wg.Wait() })
	return puller
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
	if err := pulling(t, filed).Pull(t.Context(), fiveReports()); err != nil {
		t.Fatal(err)
	}
	if n := filed.count(); n != 5 {
		t.Errorf("%d reports are filed, want 5", n)
	}
}

// What was handed out is not handed out again.
func TestPuller_holds_what_cannot_be_filed(t *testing.T) {
	t.Parallel()
	source, filed := fiveReports(), &files{failures: 1}
	puller := pulling(t, filed)
	if err := puller.Pull(t.Context(), source); err == nil {
		t.Error("a pull whose reports were not filed looks well")
	}
	testkit.Eventually(t, testkit.Patience, func() bool { return filed.count() == 2 }, "what was pulled is filed later")
	if err := puller.Pull(t.Context(), source); err != nil || filed.count() != 5 {
		t.Errorf("the next pull = %v, %d filed, want all 5", err, filed.count())
	}
}

func TestPuller_asks_every_vendor_although_one_is_away(t *testing.T) {
	t.Parallel()
	away, filed := &office{err: errors.New("away")}, &files{}
	if err := pulling(t, filed).Pull(t.Context(), away, fiveReports()); err == nil {
		t.Error("the error of the unavailable vendor is lost")
	}
	if n := filed.count(); n != 5 {
		t.Errorf("%d reports of the other are filed, want 5", n)
	}
}
