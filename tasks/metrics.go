package tasks

import (
	"errors"
	"time"

	"github.com/hibiken/asynq"
	"github.com/prometheus/client_golang/prometheus"

	"usher/messages"
	"usher/providers"
	"usher/queue"
)

// Metrics counts what becomes of tasks and messages. The nil value counts nothing.
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
}

// NewMetrics registers the metrics of this package.
func NewMetrics(registry prometheus.Registerer) *Metrics {
	m := &Metrics{
		tasks: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "usher_tasks_total",
			Help: "Runs of a task by type and result: ok, retry, archived, undecodable.",
		}, []string{"type", "result"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "usher_task_seconds",
			Help:    "Time of one run of a task.",
			Buckets: []float64{.001, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}, []string{"type"}),
		attempts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "usher_messages_attempts_total",
			Help: "Attempts to send a message by channel, provider and the state they left it in.",
		}, []string{"channel", "provider", "state"}),
		refusals: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "usher_messages_refusals_total",
			Help: "Attempts to send a message that were not accepted by channel, provider and reason, a word of docs/reasons.md.",
		}, []string{"channel", "provider", "reason"}),
		drops: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "usher_messages_dropped_total",
			Help: "Messages that were not sent since they had become useless, by channel and reason.",
		}, []string{"channel", "reason"}),
		recordLost: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "usher_messages_unrecorded_total",
			Help: "Attempts whose outcome could not be recorded; the message may go out once more.",
		}, []string{"channel"}),
		reaps: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "usher_tasks_reaped_total",
			Help: "Active tasks that had to be healed, by queue and reason: abandoned, leaseless, taskless, undecodable.",
		}, []string{"queue", "reason"}),
	}
	m.jobs = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "usher_periodic_runs_total",
		Help: "Runs of a periodic job by name and result: ok, failed.",
	}, []string{"name", "result"})
	m.jobSeconds = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "usher_periodic_seconds",
		Help:    "Time of one run of a periodic job.",
		Buckets: []float64{.01, .1, 1, 10, 60, 600},
	}, []string{"name"})
	m.outcomes = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "usher_outcomes_total",
		Help: "Outcomes of SMS that were written down in the database, by result: written, undecodable.",
	}, []string{"result"})
	m.foreigns = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "usher_tasks_foreign_total",
		Help: "Runs of tasks that were left to other workers, by queue: sealed with a key that this process lacks, or of a " +
			"mail that its database does not have.",
	}, []string{"queue"})
	registry.MustRegister(m.foreigns)
	m.outcomesWritten(0, 0)
	registry.MustRegister(m.outcomes)
	m.archives = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "usher_tasks_archived_total",
		Help: "Tasks that were given up by type and reason: a provider's kind (rejected, rate_limited, unknown), " +
			"undecodable, panic, missing, stale, store.",
	}, []string{"type", "reason"})
	m.accepts = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "usher_acceptance_seconds",
		Help:    "Time from the issue of a code, or from the writing of a mail, until a provider had accepted it.",
		Buckets: []float64{.01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 120, 300},
	}, []string{"channel", "provider"})
	registry.MustRegister(m.archives, m.accepts)
	registry.MustRegister(m.tasks, m.seconds, m.attempts, m.refusals, m.drops, m.recordLost, m.reaps, m.jobs, m.jobSeconds)
	return m
}

func (m *Metrics) foreign(name string) {
	if m != nil {
		m.foreigns.WithLabelValues(queue.Plain(name)).Inc()
	}
}

func (m *Metrics) task(typename string, err error, took time.Duration) {
	if m == nil {
		return
	}
	m.tasks.WithLabelValues(typename, resultOf(err)).Inc()
	m.seconds.WithLabelValues(typename).Observe(took.Seconds())
	if errors.Is(err, asynq.SkipRetry) {
		m.archives.WithLabelValues(typename, reasonOf(err)).Inc()
	}
}

// resultOf says what becomes of a task after a run.
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

// reasonOf says in one word why a run did not end well.
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

func (m *Metrics) accepted(channel messages.Channel, provider string, took time.Duration) {
	if m != nil {
		m.accepts.WithLabelValues(string(channel), provider).Observe(took.Seconds())
	}
}

func (m *Metrics) sent(channel messages.Channel, o messages.Outcome) {
	if m == nil {
		return
	}
	m.attempts.WithLabelValues(string(channel), o.Provider, string(o.State)).Inc()
	if o.Reason != "" {
		m.refusals.WithLabelValues(string(channel), o.Provider, o.Reason).Inc()
	}
}

func (m *Metrics) dropped(channel messages.Channel, reason string) {
	if m != nil {
		m.drops.WithLabelValues(string(channel), reason).Inc()
	}
}

func (m *Metrics) unrecorded(channel messages.Channel) {
	if m != nil {
		m.recordLost.WithLabelValues(string(channel)).Inc()
	}
}

// Reaped counts a task that the reaper has healed.
func (m *Metrics) Reaped(name, reason string) {
	if m != nil {
		m.reaps.WithLabelValues(queue.Plain(name), reason).Inc()
	}
}

// JobRan counts a run of a periodic job.
func (m *Metrics) JobRan(name string, err error, took time.Duration) {
	if m == nil {
		return
	}
	result := "ok"
	if err != nil {
		result = "failed"
	}
	m.jobs.WithLabelValues(name, result).Inc()
	m.jobSeconds.WithLabelValues(name).Observe(took.Seconds())
}

func (m *Metrics) outcomesWritten(written, undecodable int) {
	if m != nil {
		m.outcomes.WithLabelValues("written").Add(float64(written))
		m.outcomes.WithLabelValues("undecodable").Add(float64(undecodable))
	}
}
