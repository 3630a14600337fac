package tasks_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"usher/internal/testkit"
	"usher/messages"
	"usher/tasks"
)

// outcomeLog is a log of outcomes in memory that fails as it is told.
type outcomeLog struct {
	mu        sync.Mutex
	entries   []messages.Entry
	readErr   error
	removeErr error
	reads     int
	added     int
	most      int // entries that there is room for, 0 for no bound
}

func (l *outcomeLog) Read(_ context.Context, limit int) ([]messages.Entry, bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.reads++
	n := min(limit, len(l.entries))
	return slices.Clone(l.entries[:n]), n == limit, l.readErr
}

func (l *outcomeLog) Remove(_ context.Context, entries []messages.Entry) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.removeErr != nil {
		return l.removeErr
	}
	gone := map[string]bool{}
	for _, entry := range entries {
		gone[entry.ID] = true
	}
	l.entries = slices.DeleteFunc(l.entries, func(e messages.Entry) bool { return gone[e.ID] })
	return nil
}

func (l *outcomeLog) Backlog(context.Context) (int, time.Time, error) {
	return l.left(), time.Time{}, nil
}

func (l *outcomeLog) left() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.entries)
}

// add appends revisions of so many messages.
func (l *outcomeLog) add(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for range n {
		l.added++
		id := fmt.Sprint(l.added)
		l.entries = append(l.entries, messages.Entry{ID: id, Record: messages.Record{ID: "m" + id, Revision: 1}})
	}
	if l.most > 0 {
		l.entries = l.entries[max(len(l.entries)-l.most, 0):]
	}
}

// outcomeTable is a table in memory that fails as it is told.
type outcomeTable struct {
	mu      sync.Mutex
	saved   map[string]int // revisions by id
	calls   int
	takes   time.Duration // a call
	saveErr error
	block   bool // until the context ends
	expire  []int
	prune   []int
	older   time.Duration
}

func (o *outcomeTable) Save(ctx context.Context, records []messages.Record) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.calls++
	<-time.After(o.takes)
	if o.block {
		<-ctx.Done()
		return ctx.Err()
	}
	if o.saveErr != nil {
		return o.saveErr
	}
	for _, r := range records {
		o.saved[r.ID] = max(o.saved[r.ID], r.Revision)
	}
	return nil
}

func (o *outcomeTable) Expire(context.Context, int) (int, error) { return shift(&o.expire) }

func (o *outcomeTable) Prune(_ context.Context, olderThan time.Duration) (int, error) {
	o.older = olderThan
	return shift(&o.prune)
}

// shift takes the first number; there is an error after the last one.
func shift(numbers *[]int) (int, error) {
	if len(*numbers) == 0 {
		return 0, errors.New("asked too often")
	}
	n := (*numbers)[0]
	*numbers = (*numbers)[1:]
	return n, nil
}

func (o *outcomeTable) fail(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.saveErr = err
}

// locks gives every lock, or none, or fails.
type locks struct {
	mine bool
	err  error
}

func (l locks) TryLock(context.Context, string, time.Duration) (bool, error) { return l.mine, l.err }

// newWriter returns a writer of fakes.
func newWriter() (*tasks.OutcomeWriter, *outcomeLog, *outcomeTable) {
	log, table := &outcomeLog{}, &outcomeTable{saved: map[string]int{}}
	return &tasks.OutcomeWriter{
		Log: log, Table: table, Locks: locks{mine: true}, Retention: 24 * time.Hour,
		Metrics: tasks.NewMetrics(prometheus.NewRegistry()), Logger: slog.New(slog.DiscardHandler),
	}, log, table
}

// runs runs the writer in the background until stop, which returns when it has ended.
func runs(t *testing.T, w *tasks.OutcomeWriter) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); w.Run(ctx) }()
	stop = func() { cancel(); <-ended }
	t.Cleanup(stop)
	return stop
}

func TestOutcomeWriter_leaves_the_processors_to_a_rush(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, log, table := newWriter()
		log.add(10_000)
		stop := runs(t, w)
		synctest.Wait()
		if table.calls != 1 || log.left() == 0 {
			t.Errorf("%d batches at once and %d left, want one batch", table.calls, log.left())
		}
		<-time.After(10 * time.Second)
		synctest.Wait()
		if log.left() != 0 || len(table.saved) != 10_000 {
			t.Errorf("%d are left and %d written after ten seconds", log.left(), len(table.saved))
		}
		log.add(1)
		<-time.After(2 * time.Second)
		synctest.Wait()
		if log.left() != 0 {
			t.Error("what came later waits")
		}
		stop()
	})
}

// More than a batch comes in each second: what waits does not grow without end.
func TestOutcomeWriter_keeps_up_with_what_comes_in(t *testing.T) {
	t.Parallel()
	for _, second := range []int{3_000, 12_000} {
		synctest.Test(t, func(t *testing.T) {
			w, log, table := newWriter()
			table.takes = 100 * time.Millisecond
			stop := runs(t, w)
			for range 60 {
				log.add(second)
				<-time.After(time.Second)
				if left := log.left(); left > 5*12_000 {
					t.Fatalf("%d wait, with %d more each second", left, second)
				}
			}
			stop()
		})
	}
}

// A full log loses its oldest entries, so that it does not grow either.
func TestOutcomeWriter_catches_up_after_an_outage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, log, table := newWriter()
		table.takes, log.most = 100*time.Millisecond, 100_000
		log.add(log.most)
		stop := runs(t, w)
		for range 60 {
			log.add(6_000)
			<-time.After(time.Second)
		}
		if left := log.left(); left > 30_000 {
			t.Errorf("%d still wait a minute later", left)
		}
		stop()
	})
}

func TestOutcomeWriter_waits_for_its_turn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, log, table := newWriter()
		w.Locks = locks{}
		log.add(10)
		stop := runs(t, w)
		<-time.After(time.Minute)
		synctest.Wait()
		if log.left() != 10 || table.calls != 0 {
			t.Errorf("%d are left, saved %d times, without a turn", log.left(), table.calls)
		}
		stop() // the last batch needs no lock
		if log.left() != 0 || len(table.saved) != 10 {
			t.Errorf("%d are left and %d written when the worker has stopped", log.left(), len(table.saved))
		}
	})
}

func TestOutcomeWriter_stops_in_time_when_the_database_hangs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, log, table := newWriter()
		w.Locks, table.block = locks{}, true
		log.add(10)
		stop := runs(t, w)
		<-time.After(time.Second)
		began := time.Now()
		stop()
		if took := time.Since(began); took > 5*time.Second || log.left() != 10 {
			t.Errorf("stopped after %v, %d are left", took, log.left())
		}
	})
}

func TestOutcomeWriter_keeps_entries_while_the_database_is_away_and_warns_once(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, log, table := newWriter()
		logger, text := testkit.Logger(t)
		w.Logger = logger
		stop := runs(t, w)
		for outage := range 2 {
			table.fail(errors.New("database is unavailable"))
			log.add(10)
			<-time.After(time.Minute)
			synctest.Wait()
			if log.left() != 10 {
				t.Errorf("%d are left during an outage, want 10", log.left())
			}
			table.fail(nil)
			<-time.After(time.Second)
			synctest.Wait()
			if log.left() != 0 {
				t.Errorf("%d are left after an outage", log.left())
			}
			warned, over := strings.Count(text.String(), "outcomes not written to the database"), strings.Count(text.String(), "outcomes are written again")
			if warned != outage+1 || over != outage+1 {
				t.Errorf("%d warnings and %d all-clears in %d outages:\n%s", warned, over, outage+1, text)
			}
		}
		stop()
	})
}

func TestOutcomeWriter_begins_anew_with_what_was_not_removed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, log, table := newWriter()
		registry := prometheus.NewRegistry()
		w.Metrics = tasks.NewMetrics(registry)
		log.removeErr = errors.New("redis is unavailable")
		log.add(3)
		log.entries[1].Err = errors.New("no outcome")
		stop := runs(t, w)
		<-time.After(time.Second)
		synctest.Wait()
		if table.calls < 2 || len(table.saved) != 2 {
			t.Errorf("saved %d times, %d records, want 2 again and again", table.calls, len(table.saved))
		}
		stop()
		testkit.WantMetric(t, registry, `usher_outcomes_total{result="written"} 0`)

		log.removeErr = nil
		stop = runs(t, w)
		synctest.Wait()
		if log.left() != 0 || len(table.saved) != 2 {
			t.Errorf("%d are left and %d written", log.left(), len(table.saved))
		}
		stop()
		testkit.WantMetric(t, registry, `usher_outcomes_total{result="written"} 2`)
		testkit.WantMetric(t, registry, `usher_outcomes_total{result="undecodable"} 1`)
	})
}

func TestOutcomeWriter_Jobs_tidy_up_in_batches(t *testing.T) {
	t.Parallel()
	w, _, table := newWriter()
	jobs := w.Jobs()
	if len(jobs) != 2 || jobs[0].Name != "expire" || jobs[1].Name != "prune" {
		t.Fatalf("jobs = %+v", jobs)
	}
	table.expire, table.prune = []int{1000, 1000, 3}, []int{1000}
	for _, job := range jobs {
		if err := job.Run(t.Context()); err != nil {
			t.Errorf("%s: %v", job.Name, err)
		}
		if err := job.Run(t.Context()); err == nil {
			t.Errorf("%s with the database away: no error", job.Name)
		}
	}
	if len(table.expire)+len(table.prune) > 0 || table.older != 24*time.Hour {
		t.Errorf("left %v and %v, older than %v", table.expire, table.prune, table.older)
	}
	w.Retention = 0
	if jobs := w.Jobs(); len(jobs) != 1 {
		t.Errorf("kept for ever, and yet jobs = %+v", jobs)
	}
}
