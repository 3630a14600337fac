package queue_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/prometheus/client_golang/prometheus"

	"usher/internal/testkit"
	"usher/queue"
	"usher/store/redisstore"
	"usher/tasks"
)

// crew is a worker that does periodic jobs; stop ends it.
type crew struct {
	stop     func()
	registry *prometheus.Registry
}

func newCrew(t *testing.T, url string, jobs ...queue.Job) *crew {
	t.Helper()
	logger, _ := testkit.Logger(t)
	client := open(t, url)
	c := &crew{registry: prometheus.NewRegistry()}
	periodic := &queue.Scheduler{
		Queue: queue.Periodic, Jobs: jobs, Client: client, Logger: logger,
		Leaders: redisstore.New(client, testKeys(t), time.Now).Leaders(), Count: tasks.NewMetrics(c.registry).JobRan,
	}
	mux := asynq.NewServeMux()
	periodic.Handle(mux)
	server := asynq.NewServerFromRedisClient(open(t, url), asynq.Config{
		Concurrency: 2, Queues: map[string]int{queue.Periodic: 1}, TaskCheckInterval: 10 * time.Millisecond,
		ShutdownTimeout: time.Second, Logger: queue.Logger{Log: logger},
	})
	if err := server.Start(mux); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { periodic.Run(ctx) })
	c.stop = sync.OnceFunc(func() { cancel(); wg.Wait(); server.Shutdown() })
	t.Cleanup(c.stop)
	return c
}

// counting is a job that counts its runs.
func counting(every time.Duration) (queue.Job, *atomic.Int64) {
	var runs atomic.Int64
	return queue.Job{Name: "count", Every: every, Run: func(context.Context) error { runs.Add(1); return nil }}, &runs
}

func TestPeriodic_does_a_job_again_and_again_with_one_leader(t *testing.T) {
	t.Parallel()
	testkit.EachRedis(t, func(t *testing.T, url string) {
		job, runs := counting(time.Second)
		first, second := newCrew(t, url, job), newCrew(t, url, job)
		testkit.Eventually(t, testkit.Patience, func() bool { return runs.Load() >= 3 }, "the job was done three times")
		if entries, err := asynq.NewInspectorFromRedisClient(open(t, url)).SchedulerEntries(); err != nil || len(entries) > 1 {
			t.Errorf("%d schedulers, %v, want one at most", len(entries), err)
		}
		first.stop() // hands over what it leads
		before := runs.Load()
		testkit.Eventually(t, testkit.Patience, func() bool { return runs.Load() > before }, "the other one goes on")
		testkit.Eventually(t, testkit.Patience, func() bool {
			return strings.Contains(testkit.MetricsText(t, second.registry), `usher_periodic_runs_total{name="count",result="ok"} `)
		}, "the runs are counted")
	})
}

// A run that fell due without any worker is done as soon as there is one, and a run that was done is not repeated.
func TestPeriodic_catches_up_with_what_was_missed(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		ago  time.Duration // of the last run
		runs bool
	}{
		"never done":     {0, true},
		"done long ago":  {2 * time.Hour, true},
		"done just now":  {time.Minute, false},
		"not quite due":  {59 * time.Minute, false},
		"due this while": {time.Hour, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := testkit.Redis(t)
			if c.ago > 0 {
				clock := testkit.NewClock(time.Now().Add(-c.ago))
				if err := redisstore.New(open(t, url), testKeys(t), clock.Now).Leaders().Ran(t.Context(), "count"); err != nil {
					t.Fatal(err)
				}
			}
			job, runs := counting(time.Hour)
			// The jobs are caught up with in their order, so the second is done after the first would have been.
			last := make(chan struct{})
			newCrew(t, url, job, queue.Job{Name: "last", Every: time.Hour, Run: func(context.Context) error {
				close(last)
				return nil
			}})
			<-last
			if c.runs {
				testkit.Eventually(t, testkit.Patience, func() bool { return runs.Load() == 1 }, "the job is done")
			} else if n := runs.Load(); n != 0 {
				t.Errorf("done %d times", n)
			}
		})
	}
}

func TestPeriodic_tries_a_failed_job_when_it_is_due_again(t *testing.T) {
	t.Parallel()
	url := testkit.Redis(t)
	var runs atomic.Int64
	c := newCrew(t, url, queue.Job{Name: "count", Every: time.Second, Run: func(context.Context) error {
		if runs.Add(1) == 1 {
			return errors.New("not today")
		}
		return nil
	}})
	testkit.Eventually(t, testkit.Patience, func() bool { return runs.Load() >= 2 }, "it is tried again")
	testkit.WantMetric(t, c.registry, `usher_periodic_runs_total{name="count",result="failed"} 1`)
	if info, err := asynq.NewInspectorFromRedisClient(open(t, url)).GetQueueInfo(queue.Periodic); err != nil || info.Retry+info.Archived > 0 {
		t.Errorf("queue = %+v, %v, want no retry of Asynq's own", info, err)
	}
}
