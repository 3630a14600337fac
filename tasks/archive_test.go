package tasks_test

import (
	"errors"
	"testing"

	"github.com/hibiken/asynq"

	"usher/internal/testkit"
	"usher/tasks"
)

func TestArchive_finds_the_newest_task_and_puts_it_back(t *testing.T) {
	t.Parallel()
	testkit.EachRedis(t, func(t *testing.T, url string) {
		client := open(t, url)
		queue := newEnqueuer(client, testKeys(t))
		queue.SMSShards = 4
		inspector := asynq.NewInspectorFromRedisClient(client)
		archive := &tasks.Archive{Inspector: inspector}
		if _, err := archive.FindCode(codeID); !errors.Is(err, tasks.ErrTaskGone) {
			t.Errorf("without a task: %v, want ErrTaskGone", err)
		}
		if err := queue.EnqueueCode(t.Context(), queued(t, codeID)); err != nil {
			t.Fatal(err)
		}
		if _, err := archive.FindCode(codeID); !errors.Is(err, tasks.ErrTaskLive) {
			t.Errorf("while it waits for its turn: %v, want ErrTaskLive", err)
		}
		names, err := inspector.Queues()
		if err != nil || len(names) != 1 {
			t.Fatalf("queues %v, %v", names, err)
		}
		if err := inspector.ArchiveTask(names[0], codeID); err != nil {
			t.Fatal(err)
		}
		first, err := archive.FindCode(codeID)
		if err != nil {
			t.Fatal(err)
		}

		again := codeID + ":again" // as a reaper names it
		task := asynq.NewTask(tasks.TypeSMSCode, []byte("{}"))
		if _, err := asynq.NewClientFromRedisClient(client).Enqueue(task, asynq.Queue(names[0]), asynq.TaskID(again)); err != nil {
			t.Fatal(err)
		}
		if err := inspector.ArchiveTask(names[0], again); err != nil {
			t.Fatal(err)
		}
		newest, err := archive.FindCode(codeID)
		if err != nil || newest == first {
			t.Errorf("the newest of two tasks: %+v, %v", newest, err)
		}
		if err := archive.Run(newest); err != nil {
			t.Fatal(err)
		}
		info, err := inspector.GetTaskInfo(names[0], again)
		if err != nil || info.State != asynq.TaskStatePending {
			t.Errorf("task: %+v, %v, want it pending", info, err)
		}

		resent := queued(t, codeID)
		resent.Resends = 1
		if err := queue.EnqueueCode(t.Context(), resent); err != nil {
			t.Fatal(err)
		}
		for _, id := range []string{again, codeID + ":2"} {
			if err := inspector.ArchiveTask(names[0], id); err != nil {
				t.Fatal(err)
			}
		}
		if last, err := archive.FindCode(codeID); err != nil || last == newest {
			t.Errorf("the task of a resend: %+v, %v", last, err)
		}
	})
}
