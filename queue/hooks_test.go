package queue_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"usher/internal/testkit"
	"usher/queue"
)

// Asynq's clock cannot be set, but what the hook thinks of it can: on a machine that the hook takes for ten minutes
// behind, everything that Asynq writes must be ten minutes later.
func TestClockHook_gives_Asynq_the_time_of_all_processes(t *testing.T) {
	t.Parallel()
	const lacks = 10 * time.Minute
	url := testkit.Redis(t)
	plain := open(t, url)
	corrected := open(t, url)
	corrected.AddHook(queue.ClockHook(func() time.Duration { return lacks }))

	near := func(what string, at time.Time, want time.Time) {
		t.Helper()
		if at.Sub(want).Abs() > 20*time.Second {
			t.Errorf("%s is %v, want about %v", what, at, want)
		}
	}
	running, release := make(chan struct{}), make(chan struct{})
	server := asynq.NewServerFromRedisClient(corrected, asynq.Config{
		Concurrency: 1, Queues: map[string]int{"sms": 1}, TaskCheckInterval: 10 * time.Millisecond, LogLevel: asynq.FatalLevel,
		DelayedTaskCheckInterval: 100 * time.Millisecond,
		RetryDelayFunc:           func(int, error, *asynq.Task) time.Duration { return time.Hour },
	})
	mux := asynq.NewServeMux()
	mux.HandleFunc("held", func(context.Context, *asynq.Task) error {
		running <- struct{}{}
		<-release
		return errors.New("again")
	})
	mux.HandleFunc("due", func(context.Context, *asynq.Task) error { running <- struct{}{}; return nil })
	if _, err := asynq.NewClientFromRedisClient(corrected).Enqueue(asynq.NewTask("held", nil), asynq.Queue("sms"), asynq.TaskID("a")); err != nil {
		t.Fatal(err)
	}
	since, err := plain.HGet(t.Context(), "asynq:{sms}:t:a", "pending_since").Int64()
	if err != nil {
		t.Fatal(err)
	}
	near("pending since", time.Unix(0, since), time.Now().Add(lacks))
	if err := server.Start(mux); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Shutdown)
	<-running
	lease := func() time.Time {
		score, err := plain.ZScore(t.Context(), "asynq:{sms}:lease", "a").Result()
		if err != nil {
			t.Fatal(err)
		}
		return time.Unix(int64(score), 0)
	}
	first := lease()
	near("lease", first, time.Now().Add(30*time.Second+lacks))
	testkit.Eventually(t, testkit.Patience, func() bool { return lease().After(first) }, "a heartbeat prolongs the lease")
	near("prolonged lease", lease(), time.Now().Add(30*time.Second+lacks))
	close(release)
	var retry redis.Z
	testkit.Eventually(t, testkit.Patience, func() bool {
		all, err := plain.ZRangeWithScores(t.Context(), "asynq:{sms}:retry", 0, -1).Result()
		if err == nil && len(all) == 1 {
			retry = all[0]
		}
		return err == nil && len(all) == 1
	}, "the task is put back")
	near("retry", time.Unix(int64(retry.Score), 0), time.Now().Add(time.Hour+lacks))
	// What is due in five minutes is due now for a machine that is ten behind.
	if _, err := asynq.NewClientFromRedisClient(plain).Enqueue(asynq.NewTask("due", nil), asynq.Queue("sms"), asynq.ProcessIn(5*time.Minute)); err != nil {
		t.Fatal(err)
	}
	select {
	case <-running:
	case <-time.After(testkit.Patience):
		t.Error("a task that is due is not forwarded")
	}
}
