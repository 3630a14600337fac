package tasks

import (
	"errors"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hibiken/asynq"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"usher/messages"
	"usher/providers"
	"usher/queue"
)

// Metrics counts tasks, messages and their outcomes. It is safe for concurrent use; make it with [NewMetrics].
type Metrics struct {
	tasks      *prometheus.CounterVec
	seconds    *prometheus.HistogramVec
	attempts   *prometheus.CounterVec
	refusals   *prometheus.CounterVec
	drops      *prometheus.CounterVec
	recordLost *prometheus.CounterVec
	reaps      *prometheus.CounterVec
	archives   *prometheus.CounterVec
	accepts    *prometheus.HistogramVec
	jobs       *prometheus.CounterVec
	jobSeconds *prometheus.HistogramVec
	outcomes   *prometheus.CounterVec
	foreigns   *prometheus.CounterVec
	bounces    prometheus.Counter
	events     *prometheus.CounterVec
	behind     prometheus.Histogram

	foreignAt atomic.Int64 // Unix milliseconds of the last foreign task; 0: there was none
	mu        sync.Mutex   // guards failing
	failing   map[string]time.Time
}

// NewMetrics registers the metrics of this package.
func NewMetrics(registry prometheus.Registerer) *Metrics {
	factory := promauto.With(registry)
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return factory.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	}
	histogram := func(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
		return factory.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets}, labels)
	}
	m := &Metrics{
		tasks: counter("usher_tasks_total",
			"Runs of a task by type and result: ok, retry, archived, undecodable.", "type", "result"),
		seconds: histogram("usher_task_seconds", "Time of one run of a task.",
			[]float64{.001, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}, "type"),
		attempts: counter("usher_messages_attempts_total",
			"Attempts to send a message by channel, provider and the state that they left it in.", "channel", "provider", "state"),
		refusals: counter("usher_messages_refusals_total",
			"Attempts to send a message that were not accepted by channel, provider and reason, a word of docs/reasons.md.",
			"channel", "provider", "reason"),
		drops: counter("usher_messages_dropped_total",
			"Messages that were not sent since they had become useless, by channel and reason.", "channel", "reason"),
		recordLost: counter("usher_messages_unrecorded_total",
			"Attempts whose outcome could not be recorded; the message may be sent once more.", "channel"),
		reaps: counter("usher_tasks_reaped_total",
			"Active tasks that had to be healed, by queue and reason: abandoned, leaseless, taskless, undecodable.", "queue", "reason"),
		archives: counter("usher_tasks_archived_total",
			"Tasks that were archived by type and reason: a provider's kind (rejected, rate_limited, unknown), "+
				"undecodable, panic, missing, stale, store.", "type", "reason"),
		accepts: histogram("usher_acceptance_seconds",
			"Time from the issue of a code, or from the writing of a mail, until a provider had accepted it.",
			[]float64{.01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 120, 300}, "channel", "provider"),
		jobs: counter("usher_periodic_runs_total", "Runs of a periodic job by name and result: ok, failed.", "name", "result"),
		jobSeconds: histogram("usher_periodic_seconds", "Time of one run of a periodic job.",
			[]float64{.01, .1, 1, 10, 60, 600}, "name"),
		outcomes: counter("usher_outcomes_total",
			"Outcomes of SMS that were written to the database, by result: written, undecodable.", "result"),
		foreigns: counter("usher_tasks_foreign_total",
			"Runs of tasks that were left to other workers, by queue: sealed with a key that this process lacks, or of a "+
				"mail that its database does not have.", "queue"),
	}
	m.bounces = factory.NewCounter(prometheus.CounterOpts{
		Name: "usher_mails_bounced_total",
		Help: "Mails that a mail server refused because there is no such mailbox; their addresses get no mails for 30 days.",
	})
	m.events = counter("usher_events_attempts_total",
		"Attempts to deliver an event by result: delivered, redirect, gone, slow_down, refused, server_error, timeout, unreachable, "+
			"tls, forbidden, interrupted, unrecorded; taken: a task whose delivery another task has, or whose endpoint is paused.",
		"result")
	m.behind = factory.NewHistogram(prometheus.HistogramOpts{
		Name: "usher_events_behind_seconds", Help: "Time from when an attempt that succeeded was due until its answer.",
		Buckets: []float64{.1, .25, .5, 1, 2, 5, 10, 30, 60, 300, 1800},
	})
	m.outcomesWritten(0, 0) // shown from the start, so that a rate can be computed
	return m
}

func (m *Metrics) eventAttempted(result string) { m.events.WithLabelValues(result).Inc() }

func (m *Metrics) eventBehind(took time.Duration) { m.behind.Observe(max(took, 0).Seconds()) }

func (m *Metrics) foreign(name string) {
	m.foreigns.WithLabelValues(queue.Plain(name)).Inc()
	m.foreignAt.Store(time.Now().UnixMilli())
}

func (m *Metrics) task(typename string, err error, took time.Duration) {
	m.tasks.WithLabelValues(typename, resultOf(err)).Inc()
	m.seconds.WithLabelValues(typename).Observe(took.Seconds())
	if errors.Is(err, asynq.SkipRetry) {
		m.archives.WithLabelValues(typename, reasonOf(err)).Inc()
	}
}

// resultOf is the result of a run in one word.
func resultOf(err error) string {
	switch {
	case err == nil:
		return "ok"
	case errors.Is(err, errPayload):
		return "undecodable"
	case errors.Is(err, asynq.SkipRetry):
		return "archived"
	default:
		return "retry"
	}
}

// reasonOf is the reason of a run that failed, in one word.
func reasonOf(err error) string {
	if refused, ok := errors.AsType[*providers.Error](err); ok {
		return refused.Kind.String()
	}
	switch {
	case errors.Is(err, errPayload):
		return "undecodable"
	case errors.Is(err, errPanic):
		return "panic"
	case errors.Is(err, messages.ErrNotFound):
		return "missing"
	case errors.Is(err, messages.ErrBusy):
		return "busy"
	case errors.Is(err, messages.ErrStale):
		return "stale"
	default:
		return "store"
	}
}

func (m *Metrics) sent(channel messages.Channel, o messages.Outcome) {
	m.attempts.WithLabelValues(string(channel), o.Provider, string(o.State)).Inc()
	if o.Reason != "" {
		m.refusals.WithLabelValues(string(channel), o.Provider, o.Reason).Inc()
	}
}

func (m *Metrics) dropped(channel messages.Channel, reason string) {
	m.drops.WithLabelValues(string(channel), reason).Inc()
}

// Reaped counts a task that the reaper has healed.
func (m *Metrics) Reaped(name, reason string) {
	m.reaps.WithLabelValues(queue.Plain(name), reason).Inc()
}

// JobRan counts a run of a periodic job.
func (m *Metrics) JobRan(name string, err error, took time.Duration) {
	result := "ok"
	if err != nil {
		result = "failed"
	}
	m.noteJob(name, err)
	m.jobs.WithLabelValues(name, result).Inc()
	m.jobSeconds.WithLabelValues(name).Observe(took.Seconds())
}

// noteJob keeps since when a job fails.
func (m *Metrics) noteJob(name string, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err == nil {
		delete(m.failing, name)
		return
	}
	if m.failing == nil {
		m.failing = map[string]time.Time{}
	}
	if m.failing[name].IsZero() {
		m.failing[name] = time.Now()
	}
}

// FailingJobs returns the first failure since the last success of each periodic job that fails on this worker.
func (m *Metrics) FailingJobs() map[string]time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return maps.Clone(m.failing)
}

// ForeignAt returns when a task was last left to other workers; zero when none was.
func (m *Metrics) ForeignAt() time.Time {
	if ms := m.foreignAt.Load(); ms > 0 {
		return time.UnixMilli(ms)
	}
	return time.Time{}
}

func (m *Metrics) outcomesWritten(written, undecodable int) {
	m.outcomes.WithLabelValues("written").Add(float64(written))
	m.outcomes.WithLabelValues("undecodable").Add(float64(undecodable))
}
