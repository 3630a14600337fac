package queue_test

import (
	"context"
	"log/slog"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"usher/internal/testkit"
	"usher/queue"
)

// patient is far longer than any test: a loop that fetches before was notified.
const patient = time.Hour

// fetcher is a worker of the SMS queue whose loops sleep with a waiter, and counts their fetches.
type fetcher struct {
	waiter  *queue.Waiter
	fetched *atomic.Int64
	done    chan string // ids of the tasks that were worked
}

func newFetcher(t testing.TB, url string, loops int, idle time.Duration) *fetcher {
	t.Helper()
	f := &fetcher{waiter: queue.NewWaiter(queue.SMS, loops, idle), fetched: &atomic.Int64{}, done: make(chan string, 100)}
	client := open(t, url)
	client.AddHook(f.waiter.Hook())
	client.AddHook(fetches{f.fetched})
	for range loops {
		server := asynq.NewServerFromRedisClient(client, asynq.Config{
			Concurrency: 4, Queues: map[string]int{queue.SMS: 1}, TaskCheckInterval: time.Millisecond,
			ShutdownTimeout: time.Second, Logger: queue.Logger{Log: slog.New(slog.DiscardHandler)},
		})
		err := server.Start(asynq.HandlerFunc(func(ctx context.Context, _ *asynq.Task) error {
			id, _ := asynq.GetTaskID(ctx)
			f.done <- id
			return nil
		}))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.waiter.Stop(); server.Shutdown() })
	}
	return f
}

// fetches counts the commands that fetch.
type fetches struct{ n *atomic.Int64 }

func (fetches) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) { return next(ctx, network, addr) }
}

func (f fetches) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if args := cmd.Args(); cmd.Name() == "evalsha" && len(args) > 3 && args[3] == "asynq:{sms}:pending" {
			f.n.Add(1)
		}
		return next(ctx, cmd)
	}
}

func (fetches) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

// listen notifies the waiter until the test's end, and returns when the subscription stands.
func (f *fetcher) listen(t testing.TB, url string) {
	t.Helper()
	client := open(t, url)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); queue.Listen(ctx, client, f.waiter) }()
	t.Cleanup(func() { cancel(); <-ended })
	testkit.Eventually(t, testkit.Patience, func() bool {
		return client.PubSubNumSub(ctx, "usher:wake:sms").Val()["usher:wake:sms"] == 1
	}, "the worker listens")
}

// asleep waits until all loops have fetched once and sleep.
func (f *fetcher) asleep(t testing.TB, loops int64) {
	t.Helper()
	testkit.Eventually(t, testkit.Patience, func() bool { return f.fetched.Load() >= loops }, "the loops have fetched")
}

func (f *fetcher) await(t testing.TB, id string) {
	t.Helper()
	select {
	case got := <-f.done:
		if got != id {
			t.Errorf("task %s was worked, want %s", got, id)
		}
	case <-time.After(testkit.Patience):
		t.Fatalf("task %s was not worked", id)
	}
}

func notifier(t testing.TB, url string) redis.UniversalClient {
	t.Helper()
	client := open(t, url)
	client.AddHook(queue.NotifyHook(client))
	return client
}

func TestNotifyHook_notifies_a_worker_that_would_sleep_on(t *testing.T) {
	t.Parallel()
	testkit.EachRedis(t, func(t *testing.T, url string) {
		f := newFetcher(t, url, 2, patient)
		f.listen(t, url)
		f.asleep(t, 2)
		client := notifier(t, url)
		for _, id := range []string{"first", "second", "third"} {
			enqueue(t, client, id)
			f.await(t, id)
		}
	})
}

func TestWaiter_lets_a_loop_fetch_by_itself_when_no_notification_comes(t *testing.T) {
	t.Parallel()
	url := testkit.Redis(t)
	f := newFetcher(t, url, 1, 20*time.Millisecond)
	f.asleep(t, 1)
	enqueue(t, open(t, url), "quiet")
	f.await(t, "quiet")
}

func TestWaiter_lets_its_loops_end(t *testing.T) {
	t.Parallel()
	url := testkit.Redis(t)
	waiter, client := queue.NewWaiter(queue.SMS, 1, patient), open(t, url)
	fetched := &atomic.Int64{}
	client.AddHook(waiter.Hook())
	client.AddHook(fetches{fetched})
	server := asynq.NewServerFromRedisClient(client, asynq.Config{
		Concurrency: 1, Queues: map[string]int{queue.SMS: 1}, TaskCheckInterval: time.Millisecond,
		Logger: queue.Logger{Log: slog.New(slog.DiscardHandler)},
	})
	if err := server.Start(asynq.HandlerFunc(func(context.Context, *asynq.Task) error { return nil })); err != nil {
		t.Fatal(err)
	}
	testkit.Eventually(t, testkit.Patience, func() bool { return fetched.Load() > 0 }, "the loop has fetched")
	ended := make(chan struct{})
	go func() { waiter.Stop(); server.Shutdown(); close(ended) }()
	select {
	case <-ended:
	case <-time.After(testkit.Patience):
		t.Fatal("the server did not end")
	}
}

// Asynq tries again at once when a fetch fails, which keeps a full Redis from its work.
func TestWaiter_leaves_a_failing_Redis_alone(t *testing.T) {
	t.Parallel()
	url := testkit.Redis(t)
	failing := &refusal{}
	waiter, client := queue.NewWaiter(queue.SMS, 1, patient), open(t, url)
	client.AddHook(waiter.Hook())
	client.AddHook(failing)
	fetch := redis.NewScript("return nil")
	began := time.Now()
	const tries = 3
	for range tries {
		err := fetch.EvalSha(t.Context(), client,
			[]string{"asynq:{sms}:pending", "asynq:{sms}:paused", "asynq:{sms}:active", "asynq:{sms}:lease"}).Err()
		if err == nil || !strings.HasSuffix(err.Error(), "OOM") {
			t.Fatalf("fetch = %v, want the refusal", err)
		}
	}
	if took := time.Since(began); took < tries*100*time.Millisecond {
		t.Errorf("%d fetches failed within %s: nothing slows them down", tries, took)
	}
}

// refusal is a Redis that refuses everything.
type refusal struct{}

func (refusal) DialHook(next redis.DialHook) redis.DialHook { return next }

func (refusal) ProcessHook(redis.ProcessHook) redis.ProcessHook {
	return func(_ context.Context, cmd redis.Cmder) error {
		cmd.SetErr(redisError("OOM"))
		return cmd.Err()
	}
}

func (refusal) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

// redisError is an error that the server answered with.
type redisError string

func (e redisError) Error() string { return string(e) }

func (redisError) RedisError() {}

func TestNotifyHook_enqueues_although_notifications_are_forbidden(t *testing.T) {
	t.Parallel()
	server := testkit.RedisServer(t)
	admin := open(t, server.URL())
	err := admin.Do(t.Context(), "ACL", "SETUSER", "mute", "on", ">a-password", "~*", "+@all", "resetchannels").Err()
	if err != nil {
		t.Fatal(err)
	}
	enqueue(t, notifier(t, "redis://mute:a-password@"+server.Addr()+"/0"), "forbidden")
	if info, err := asynq.NewInspectorFromRedisClient(admin).GetQueueInfo(queue.SMS); err != nil || info.Pending != 1 {
		t.Errorf("queue = %+v, %v, want the task", info, err)
	}
}

// enqueue puts a task on the SMS queue.
func enqueue(t testing.TB, client redis.UniversalClient, id string) {
	t.Helper()
	task := asynq.NewTask("sms:code", []byte("{}"))
	if _, err := asynq.NewClientFromRedisClient(client).EnqueueContext(t.Context(), task, queue.Options(queue.SMS, id)...); err != nil {
		t.Fatalf("enqueue: %v", err)
	}
}
