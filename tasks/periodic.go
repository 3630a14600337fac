package tasks

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"usher/secrets"
)

// The queues of work that is due again and again.
const (
	QueuePeriodic    = "periodic"     // what any worker can do
	QueuePeriodicSMS = "periodic-sms" // what needs the SMS providers
)

// typePeriodic begins the type of a job's task; the job's name follows.
const typePeriodic = "periodic:"

// Job is work that is due again and again, done by one worker at a time. Run may be called twice at once or
// in a row, when a leader is lost or a worker is slow; that must be harmless.
type Job struct {
	Name  string        // of lower-case letters; none may begin with another one
	Every time.Duration // at least a second
	Run   func(context.Context) error
}

// Leaders agrees on who of several workers does something.
type Leaders interface {
	Lead(ctx context.Context, name, caller string, ttl time.Duration) (bool, error)
	Resign(ctx context.Context, name, caller string) error

	// Ran and LastRan know when something was last done; zero is never.
	Ran(ctx context.Context, name string) error
	LastRan(ctx context.Context, name string) (time.Time, error)
}

const (
	// leadFor is how long a leader that died is waited for; leadEvery is how often a living one says so.
	leadFor   = 15 * time.Second
	leadEvery = 5 * time.Second
	leadTime  = 2 * time.Second // for one question

	// jobMost bounds one run.
	jobMost = 10 * time.Minute
)

// Periodic has jobs done. Of all workers of a queue one leads: it runs Asynq's scheduler, which puts a task on
// the queue whenever a job is due; whichever worker takes it does the job. A new leader first sees to the jobs
// that fell due while nobody led. A job that fails is logged and counted, and tried when it is due again.
type Periodic struct {
	Queue   string // QueuePeriodic or QueuePeriodicSMS
	Jobs    []Job
	Client  redis.UniversalClient // Asynq's Redis
	Leaders Leaders
	Metrics *Metrics
	Logger  *slog.Logger
	Asynq   asynq.Logger
}

// Handle registers the jobs' handlers.
func (p *Periodic) Handle(mux *asynq.ServeMux) {
	for _, job := range p.Jobs {
		mux.HandleFunc(typePeriodic+job.Name, func(ctx context.Context, _ *asynq.Task) error { return p.work(ctx, job) })
	}
}

// work does one job. It returns no error to Asynq, whose retries would be a second schedule.
func (p *Periodic) work(ctx context.Context, job Job) error {
	began := time.Now()
	err := job.Run(ctx)
	if err == nil {
		err = p.Leaders.Ran(ctx, job.Name)
	}
	p.Metrics.job(job.Name, err, time.Since(began))
	if err != nil {
		p.Logger.Warn("periodic job failed", "job", job.Name, "error", err)
		return nil
	}
	p.Logger.Debug("periodic job done", "job", job.Name, "elapsed", time.Since(began))
	return nil
}

// Run leads whenever it can until ctx ends.
func (p *Periodic) Run(ctx context.Context) {
	if len(p.Jobs) == 0 {
		return
	}
	term := term{p: p, caller: secrets.Random(16)}
	defer func() { term.end(context.WithoutCancel(ctx)) }()
	ticker := time.NewTicker(leadEvery)
	defer ticker.Stop()
	for {
		term.renew(ctx)
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// term is the time for which a worker leads.
type term struct {
	p         *Periodic
	caller    string
	scheduler *asynq.Scheduler // nil while another leads
	until     time.Time        // past it another may lead
}

// renew begins the term, prolongs it or ends it.
func (t *term) renew(ctx context.Context) {
	asked := time.Now()
	asking, cancel := context.WithTimeout(ctx, leadTime)
	defer cancel()
	leads, err := t.p.Leaders.Lead(asking, t.p.Queue, t.caller, leadFor)
	switch {
	case ctx.Err() != nil:
	case err != nil:
		t.p.Logger.Debug("no word on who leads", "queue", t.p.Queue, "error", err)
		if time.Now().After(t.until) {
			t.stop()
		}
	case !leads:
		t.stop()
	default:
		t.until = asked.Add(leadFor)
		if err := t.begin(asking); err != nil {
			t.p.Logger.Warn("periodic jobs not scheduled", "queue", t.p.Queue, "error", err)
			t.stop()
		}
	}
}

// begin starts the scheduler unless it runs, and enqueues what fell due before.
func (t *term) begin(ctx context.Context) error {
	if t.scheduler != nil {
		return nil
	}
	scheduler := asynq.NewSchedulerFromRedisClient(t.p.Client, &asynq.SchedulerOpts{
		Logger: t.p.Asynq,
		PostEnqueueFunc: func(_ *asynq.TaskInfo, err error) {
			if err != nil && !errors.Is(err, asynq.ErrDuplicateTask) {
				t.p.Logger.Warn("periodic job not enqueued", "queue", t.p.Queue, "error", err)
			}
		},
	})
	for _, job := range t.p.Jobs {
		if _, err := scheduler.Register("@every "+job.Every.String(), t.p.task(job)); err != nil {
			return fmt.Errorf("schedule %s: %w", job.Name, err)
		}
	}
	if err := scheduler.Start(); err != nil {
		return fmt.Errorf("start scheduler: %w", err)
	}
	t.scheduler = scheduler
	t.p.Logger.Info("leading periodic jobs", "queue", t.p.Queue)
	return t.catchUp(ctx)
}

// catchUp enqueues the jobs that nobody did when they were due.
func (t *term) catchUp(ctx context.Context) error {
	client := asynq.NewClientFromRedisClient(t.p.Client)
	for _, job := range t.p.Jobs {
		last, err := t.p.Leaders.LastRan(ctx, job.Name)
		if err != nil {
			return err
		}
		if time.Since(last) < job.Every {
			continue
		}
		if _, err := client.EnqueueContext(ctx, t.p.task(job)); err != nil && !errors.Is(err, asynq.ErrDuplicateTask) {
			return fmt.Errorf("enqueue %s: %w", job.Name, err)
		}
	}
	return nil
}

// task makes the task of a job. Unique keeps two leaders from enqueuing it twice, and a queue that nobody
// works from filling up.
func (p *Periodic) task(job Job) *asynq.Task {
	return asynq.NewTask(typePeriodic+job.Name, nil, asynq.Queue(p.Queue), asynq.MaxRetry(1),
		asynq.Unique(max(job.Every, time.Second)), asynq.Timeout(max(min(job.Every, jobMost), time.Second)))
}

// stop ends the scheduler.
func (t *term) stop() {
	if t.scheduler != nil {
		t.scheduler.Shutdown()
		t.scheduler = nil
	}
}

// end lets another lead.
func (t *term) end(ctx context.Context) {
	led := t.scheduler != nil
	t.stop()
	if !led {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, leadTime)
	defer cancel()
	if err := t.p.Leaders.Resign(ctx, t.p.Queue, t.caller); err != nil {
		t.p.Logger.Debug("leadership not handed over", "queue", t.p.Queue, "error", err)
	}
}
