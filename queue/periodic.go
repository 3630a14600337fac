package queue

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"
)

// Every calls work once in every interval until ctx ends, the first time after one interval.
func Every(ctx context.Context, interval time.Duration, work func(context.Context)) {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			work(ctx)
		}
	}
}

// typePeriodic begins the type of a job's task; the job's name follows.
const typePeriodic = "periodic:"

// Job is work that is due again and again, done by one worker at a time. Run may be called twice at once or
// in a row, when a leader is lost or a worker is slow; that must be harmless.
type Job struct {
	Name  string        // of lower-case letters; none may begin with another one, since Asynq matches types by prefix
	Every time.Duration // at least a second
	Run   func(context.Context) error
}

// Leaders elects one of several workers.
type Leaders interface {
	// Lead makes the caller the leader for the given time, or prolongs its term, and reports whether it leads.
	Lead(ctx context.Context, name, caller string, ttl time.Duration) (bool, error)
	// Resign ends the caller's term.
	Resign(ctx context.Context, name, caller string) error

	// Ran notes that a job was done now, and LastRan returns when that was; zero is never.
	Ran(ctx context.Context, name string) error
	LastRan(ctx context.Context, name string) (time.Time, error)
}

const (
	// leadFor is the time after which a dead leader is replaced; leadEvery is how often a living one prolongs its term.
	leadFor   = 15 * time.Second
	leadEvery = 5 * time.Second
	leadTime  = 2 * time.Second // for one request

	// jobMost bounds one run.
	jobMost = 10 * time.Minute
)

// Scheduler has jobs done. Of all workers of a queue one leads: it runs Asynq's scheduler, which enqueues a task whenever a
// job is due; any of the workers may take it. A new leader first enqueues the jobs that fell due while there was no
// leader. A job that fails is logged and counted, and tried when it is due again.
type Scheduler struct {
	Queue   string // whose plain name is [Periodic] or [PeriodicSMS]
	Jobs    []Job
	Client  redis.UniversalClient // Asynq's Redis
	Leaders Leaders
	Count   func(job string, err error, took time.Duration) // counts runs
	Logger  *slog.Logger

	id        string           // of this worker, among the callers of Leaders
	scheduler *asynq.Scheduler // nil while another worker leads
	until     time.Time        // past it another worker may lead
}

// Handle registers the jobs' handlers.
func (s *Scheduler) Handle(mux *asynq.ServeMux) {
	for _, job := range s.Jobs {
		mux.HandleFunc(typePeriodic+job.Name, func(ctx context.Context, _ *asynq.Task) error { return s.work(ctx, job) })
	}
}

// work does one job. It returns no error to Asynq, whose retries would be a second schedule.
func (s *Scheduler) work(ctx context.Context, job Job) error {
	began := time.Now()
	err := job.Run(ctx)
	if err == nil {
		err = s.Leaders.Ran(ctx, job.Name)
	}
	s.Count(job.Name, err, time.Since(began))
	if err != nil {
		s.Logger.Warn("periodic job failed", "job", job.Name, "error", err)
		return nil
	}
	s.Logger.Debug("periodic job done", "job", job.Name, "elapsed", time.Since(began))
	return nil
}

// Run leads whenever it can until ctx ends. It is called once.
func (s *Scheduler) Run(ctx context.Context) {
	s.id = rand.Text()
	defer s.resign(context.WithoutCancel(ctx))
	s.renew(ctx)
	Every(ctx, leadEvery, s.renew)
}

// renew begins the term, prolongs it or ends it.
func (s *Scheduler) renew(ctx context.Context) {
	asked := time.Now()
	asking, cancel := context.WithTimeout(ctx, leadTime)
	defer cancel()
	leads, err := s.Leaders.Lead(asking, s.Queue, s.id, leadFor)
	switch {
	case ctx.Err() != nil:
	case err != nil:
		s.Logger.Debug("leader of periodic jobs not known", "queue", s.Queue, "error", err)
		if time.Now().After(s.until) {
			s.stop()
		}
	case !leads:
		s.stop()
	default:
		s.until = asked.Add(leadFor)
		if err := s.start(asking); err != nil {
			s.Logger.Warn("periodic jobs not scheduled", "queue", s.Queue, "error", err)
			s.stop()
		}
	}
}

// start runs Asynq's scheduler unless it runs, and enqueues the jobs that fell due before.
func (s *Scheduler) start(ctx context.Context) error {
	if s.scheduler != nil {
		return nil
	}
	scheduler := asynq.NewSchedulerFromRedisClient(s.Client, &asynq.SchedulerOpts{
		Logger: Logger{s.Logger.With("queue", s.Queue)},
		PostEnqueueFunc: func(_ *asynq.TaskInfo, err error) {
			if err != nil && !errors.Is(err, asynq.ErrDuplicateTask) {
				s.Logger.Warn("periodic job not enqueued", "queue", s.Queue, "error", err)
			}
		},
	})
	for _, job := range s.Jobs {
		if _, err := scheduler.Register("@every "+job.Every.String(), s.task(job)); err != nil {
			return fmt.Errorf("schedule %s: %w", job.Name, err)
		}
	}
	if err := scheduler.Start(); err != nil {
		return fmt.Errorf("start scheduler: %w", err)
	}
	s.scheduler = scheduler
	s.Logger.Info("leading periodic jobs", "queue", s.Queue)
	return s.catchUp(ctx)
}

// catchUp enqueues the jobs that were not done when they were due.
func (s *Scheduler) catchUp(ctx context.Context) error {
	client := asynq.NewClientFromRedisClient(s.Client)
	for _, job := range s.Jobs {
		last, err := s.Leaders.LastRan(ctx, job.Name)
		if err != nil {
			return err
		}
		if time.Since(last) < job.Every {
			continue
		}
		if _, err := client.EnqueueContext(ctx, s.task(job)); err != nil && !errors.Is(err, asynq.ErrDuplicateTask) {
			return fmt.Errorf("enqueue %s: %w", job.Name, err)
		}
	}
	return nil
}

// task makes the task of a job. Unique keeps two leaders from enqueuing it twice, and a queue that no worker
// serves from filling up.
func (s *Scheduler) task(job Job) *asynq.Task {
	return asynq.NewTask(typePeriodic+job.Name, nil, asynq.Queue(s.Queue), asynq.MaxRetry(1),
		asynq.Unique(max(job.Every, time.Second)), asynq.Timeout(max(min(job.Every, jobMost), time.Second)))
}

// stop ends Asynq's scheduler.
func (s *Scheduler) stop() {
	if s.scheduler != nil {
		s.scheduler.Shutdown()
		s.scheduler = nil
	}
}

// resign stops and lets another worker lead at once.
func (s *Scheduler) resign(ctx context.Context) {
	if s.scheduler == nil {
		return
	}
	s.stop()
	ctx, cancel := context.WithTimeout(ctx, leadTime)
	defer cancel()
	if err := s.Leaders.Resign(ctx, s.Queue, s.id); err != nil {
		s.Logger.Debug("leadership not handed over", "queue", s.Queue, "error", err)
	}
}
