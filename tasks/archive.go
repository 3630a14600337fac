package tasks

import (
	"errors"
	"fmt"
	"slices"

	"github.com/hibiken/asynq"
)

// Errors of [Archive].
var (
	// ErrTaskGone means that no task of the message is left, and with it the only copy of its sealed number.
	ErrTaskGone = errors.New("no task of the message is left")
	// ErrTaskLive means that a task of the message is being worked or waits for its turn.
	ErrTaskLive = errors.New("a task of the message is on its queue")
)

// Archive finds the tasks of codes that Asynq has put aside. Asynq's inspector honours no context, but the
// client's own time-outs.
type Archive struct {
	Inspector *asynq.Inspector
	Namespace Namespace
}

// ArchivedTask is a task that was put aside.
type ArchivedTask struct{ queue, id string }

// archiveDeaths bounds the tasks that are looked for: the reaper made one more only when a worker died.
const archiveDeaths = 5

// FindSMSCode returns the newest archived task of a code, ErrTaskGone when there is none, and ErrTaskLive when
// another task of it is at work: nothing needs to be put back then.
func (a *Archive) FindSMSCode(id string) (ArchivedTask, error) {
	queues, err := a.Inspector.Queues()
	if err != nil {
		return ArchivedTask{}, fmt.Errorf("list queues: %w", err)
	}
	names := []string{id} // the newest first
	for range archiveDeaths {
		names = slices.Insert(names, 0, againID(names[0]))
	}
	found := ArchivedTask{}
	for _, queue := range a.Namespace.SMSQueues(MaxSMSShards) {
		if !slices.Contains(queues, queue) {
			continue
		}
		for _, name := range names {
			info, err := a.Inspector.GetTaskInfo(queue, name)
			switch {
			case errors.Is(err, asynq.ErrTaskNotFound), errors.Is(err, asynq.ErrQueueNotFound):
			case err != nil:
				return ArchivedTask{}, fmt.Errorf("look for task: %w", err)
			case info.State != asynq.TaskStateArchived:
				return ArchivedTask{}, ErrTaskLive
			case found.id == "":
				found = ArchivedTask{queue, name}
			}
		}
	}
	if found.id == "" {
		return found, ErrTaskGone
	}
	return found, nil
}

// Run puts the task on its queue again, under the id that it has: whoever runs it a second time finds it there.
func (a *Archive) Run(task ArchivedTask) error {
	if err := a.Inspector.RunTask(task.queue, task.id); err != nil {
		return fmt.Errorf("put task back: %w", err)
	}
	return nil
}

// MailIsLive reports whether a task of a mail that was enqueued anew so often waits for a worker or is being worked.
// It is false for one that waits for its next attempt, lies in the archive, or is gone.
func (a *Archive) MailIsLive(id string, enqueues int) (bool, error) {
	for _, name := range []string{MailTaskID(id, enqueues), againID(MailTaskID(id, enqueues))} {
		info, err := a.Inspector.GetTaskInfo(a.Namespace.Queue(QueueEmail), name)
		switch {
		case errors.Is(err, asynq.ErrTaskNotFound), errors.Is(err, asynq.ErrQueueNotFound):
		case err != nil:
			return false, fmt.Errorf("look for task: %w", err)
		case info.State == asynq.TaskStatePending || info.State == asynq.TaskStateActive:
			return true, nil
		}
	}
	return false, nil
}
