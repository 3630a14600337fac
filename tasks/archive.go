package tasks

import (
	"errors"
	"fmt"
	"slices"

	"github.com/hibiken/asynq"

	"usher/queue"
	"usher/verify"
)

// Errors of [Archive].
var (
	// ErrTaskGone means that no task of the message is left, and with it the only copy of its sealed recipient.
	ErrTaskGone = errors.New("no task of the message is left")
	// ErrTaskLive means that a task of the message is being worked, or waits for a worker or its next attempt.
	ErrTaskLive = errors.New("a task of the message is on its queue")
)

// Archive finds tasks that Asynq has archived. Asynq's inspector honours no context, but the client's own time-outs.
type Archive struct {
	Inspector *asynq.Inspector
	Namespace queue.Namespace
}

// ArchivedTask is a task that [Archive.FindCode] has found.
type ArchivedTask struct{ queue, id string }

// archiveDeaths bounds the ids that are tried: the reaper made one more task only when a worker died.
const archiveDeaths = 5

// FindCode returns the newest archived task of a code, ErrTaskGone when there is none, and ErrTaskLive when
// another task of it is live: nothing needs to be requeued then.
func (a *Archive) FindCode(id string) (ArchivedTask, error) {
	queues, err := a.Inspector.Queues()
	if err != nil {
		return ArchivedTask{}, fmt.Errorf("list queues: %w", err)
	}
	var names []string // the newest first
	for resends := verify.MaxResends; resends >= 0; resends-- {
		of := []string{SMSTaskID(id, resends)}
		for range archiveDeaths {
			of = slices.Insert(of, 0, queue.RequeueID(of[0]))
		}
		names = append(names, of...)
	}
	found := ArchivedTask{}
	for _, in := range append(a.Namespace.SMSQueues(queue.MaxSMSShards), a.Namespace.Queue(queue.Email)) {
		if !slices.Contains(queues, in) {
			continue
		}
		for _, name := range names {
			info, err := queue.Find(a.Inspector, in, name)
			switch {
			case err != nil:
				return ArchivedTask{}, fmt.Errorf("find task: %w", err)
			case info == nil:
			case info.State != asynq.TaskStateArchived:
				return ArchivedTask{}, ErrTaskLive
			case found.id == "":
				found = ArchivedTask{in, name}
			}
		}
	}
	if found.id == "" {
		return found, ErrTaskGone
	}
	return found, nil
}

// Run requeues the task under the id that it has, so that a second call finds it live.
func (a *Archive) Run(task ArchivedTask) error {
	if err := a.Inspector.RunTask(task.queue, task.id); err != nil {
		return fmt.Errorf("requeue task: %w", err)
	}
	return nil
}

// MailIsLive reports whether the task of a mail that was requeued so often waits for a worker or is being worked.
// It is false for a task that waits for its next attempt, is archived, or is gone.
func (a *Archive) MailIsLive(id string, enqueues int) (bool, error) {
	for _, name := range []string{MailTaskID(id, enqueues), queue.RequeueID(MailTaskID(id, enqueues))} {
		info, err := queue.Find(a.Inspector, a.Namespace.Queue(queue.Email), name)
		switch {
		case err != nil:
			return false, fmt.Errorf("find task: %w", err)
		case info == nil:
		case info.State == asynq.TaskStatePending || info.State == asynq.TaskStateActive:
			return true, nil
		}
	}
	return false, nil
}
