package tasks

import (
	"errors"
	"time"

	"github.com/hibiken/asynq"
	"github.com/prometheus/client_golang/prometheus"

	"usher/messages"
)

// Metrics counts what becomes of tasks and messages. The nil value counts nothing.
type Metrics struct {
	tasks      *prometheus.CounterVec
	seconds    *prometheus.HistogramVec
	attempts   *prometheus.CounterVec
	drops      *prometheus.CounterVec
	recordLost *prometheus.CounterVec
	reaps      *prometheus.CounterVec
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
			Help: "Active tasks that had to be healed, by queue and reason: abandoned, leaseless, undecodable.",
		}, []string{"queue", "reason"}),
	}
	registry.MustRegister(m.tasks, m.seconds, m.attempts, m.drops, m.recordLost, m.reaps)
	return m
}

func (m *Metrics) task(typename string, err error, took time.Duration) {
	if m == nil {
		return
	}
	result := "retry"
	switch {
	case err == nil:
		result = "ok"
	case errors.Is(err, errPayload):
		result = "undecodable"
	case errors.Is(err, asynq.SkipRetry):
		result = "archived"
	}
	m.tasks.WithLabelValues(typename, result).Inc()
	m.seconds.WithLabelValues(typename).Observe(took.Seconds())
}

func (m *Metrics) sent(channel messages.Channel, provider string, state messages.State) {
	if m != nil {
		m.attempts.WithLabelValues(string(channel), provider, string(state)).Inc()
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

func (m *Metrics) reaped(queue, reason string) {
	if m != nil {
		m.reaps.WithLabelValues(queue, reason).Inc()
	}
}
