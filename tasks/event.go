package tasks

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/hibiken/asynq"

	"usher/events"
	"usher/queue"
	"usher/webhooks"
)

// TypeEventDeliver delivers one event to one endpoint.
const TypeEventDeliver = "event:deliver"

// eventTask is the payload of a task that delivers an event: no more than ids. The body and the endpoint are in the database.
type eventTask struct {
	ID       string `json:"id"`       // of the delivery
	Enqueues int    `json:"enqueues"` // tasks of the delivery so far; a claim by an older one is refused
}

// validate refuses what no release of ours has ever queued.
func (p eventTask) validate() error {
	if p.ID == "" || p.Enqueues < 1 {
		return errors.New("payload lacks a field")
	}
	return nil
}

// EventStore keeps events and their deliveries.
type EventStore interface {
	// TakeBack makes deliveries wait again whose task or worker was lost.
	TakeBack(ctx context.Context) error

	// Feed returns deliveries that are due, which count as queued from then on. window returns how many more an endpoint may get,
	// by its deliveries that are queued or being sent.
	Feed(ctx context.Context, window func(endpoint string, open int, failing bool) int) ([]events.Due, error)

	// Claim gives the caller the exclusive right to send a delivery until the lease ends, or returns events.ErrTaken.
	Claim(ctx context.Context, due events.Due, lease time.Duration) (events.Claimed, error)

	// Record stores how the attempt has ended. It returns why the endpoint is disabled from now on, or events.ErrStale.
	Record(ctx context.Context, claimed events.Claimed, answer events.Answer) (disabled string, err error)
}

// EventSender makes one attempt. It returns an answer whatever happens.
type EventSender interface {
	Send(ctx context.Context, url string, keys webhooks.Keys, id string, body []byte) events.Answer
}

// eventMargin is how much longer a claim lasts than the time of an attempt: the claim, the end of the answer and the outcome need
// it too.
const eventMargin = 10 * time.Second

// EventHandler works tasks of type [TypeEventDeliver].
type EventHandler struct {
	Events  EventStore
	Sender  EventSender
	Timeout time.Duration // of an attempt
	Metrics *Metrics
	Clock   Clock
}

// ProcessTask implements [asynq.Handler]. It claims the delivery, sends it and records the outcome. The database decides when there
// is a further attempt, so a task that has ended is never retried by the queue, unless the database was unavailable before the
// attempt.
func (h *EventHandler) ProcessTask(ctx context.Context, task *asynq.Task) error {
	var payload eventTask
	if err := decode(task, &payload); err != nil {
		return err
	}
	if err := h.Clock.known(); err != nil {
		return err
	}
	claimed, err := h.Events.Claim(ctx, events.Due{ID: payload.ID, Enqueues: payload.Enqueues}, h.Timeout+eventMargin)
	switch {
	case errors.Is(err, events.ErrTaken):
		h.Metrics.eventAttempted("taken")
		return nil
	case isForeign(err):
		name, _ := asynq.GetQueueName(ctx)
		h.Metrics.foreign(name)
		logger(ctx).Warn("secret of an endpoint is sealed with a key that this process lacks: left to other workers",
			"error", err, "see", "docs/runbooks/ForeignTasks.md")
		return nil
	case err != nil:
		return err
	}
	answer := h.send(ctx, claimed)
	h.Metrics.eventAttempted(string(answer.Result))
	return h.conclude(ctx, claimed, answer)
}

// send makes the attempt. It ends when the worker must end.
func (h *EventHandler) send(ctx context.Context, claimed events.Claimed) events.Answer {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := shutdownOf(ctx).stop
	defer context.AfterFunc(stop, cancel)()
	if stop.Err() != nil {
		return events.Answer{Result: events.Interrupted}
	}
	return h.Sender.Send(ctx, claimed.URL, claimed.Keys, claimed.EventID, claimed.Body)
}

// conclude records the outcome, and tries to until the claim has ended. When it is not recorded the delivery comes back after the
// claim, and the endpoint drops it by its id if it has it.
func (h *EventHandler) conclude(ctx context.Context, claimed events.Claimed, answer events.Answer) error {
	fields := []any{
		"event_id", claimed.EventID, "event_type", claimed.Type, "endpoint_id", claimed.EndpointID, "attempt", claimed.Attempt,
		"result", answer.Result, "status", answer.Status,
	}
	if answer.Result == events.Delivered {
		h.Metrics.eventBehind(h.Clock.now().Sub(claimed.NextAt))
	}
	recording, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordTimeout)
	defer cancel()
	for {
		disabled, err := h.Events.Record(recording, claimed, answer)
		switch {
		case err == nil:
			h.log(ctx, disabled, answer, fields)
			return nil
		case errors.Is(err, events.ErrStale), recording.Err() != nil:
			h.Metrics.eventAttempted("unrecorded")
			logger(ctx).Warn("outcome of an event not recorded; it is sent again", append(fields, "error", err)...)
			return nil
		}
		select {
		case <-recording.Done():
		case <-time.After(recordPause):
		}
	}
}

func (h *EventHandler) log(ctx context.Context, disabled string, answer events.Answer, fields []any) {
	level := slog.LevelDebug
	if answer.Result != events.Delivered {
		level = slog.LevelInfo
	}
	logger(ctx).Log(ctx, level, "event attempted", fields...)
	if disabled != "" {
		logger(ctx).Error("endpoint disabled: it gets no more events until it is enabled",
			append(fields, "reason", disabled, "see", "docs/events.md")...)
	}
}

// EventTaskID returns the id of a delivery's task.
func EventTaskID(due events.Due) string { return MailTaskID(due.ID, due.Enqueues) }

// enqueueEvent puts the task of a delivery on the queue.
func (e *Enqueuer) enqueueEvent(ctx context.Context, due events.Due) error {
	_, err := queue.Enqueue(ctx, e.Client, nil, queue.Task{
		Type: TypeEventDeliver, Queue: e.Namespace.Queue(queue.Events), ID: EventTaskID(due),
		Payload: eventTask{ID: due.ID, Enqueues: due.Enqueues}, IssuedAt: e.Clock.now(),
	})
	return err
}
