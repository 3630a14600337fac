package tasks_test

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
	"usher/tasks"
)

// patient is far longer than any test: a loop that wakes before was woken.
const patient = time.Hour

// fetcher is a worker of the SMS queue whose loops sleep behind a bell, and counts their looks.
type fetcher struct {
	bell  *tasks.Bell
	looks *atomic.Int64
	done  chan string // ids of the tasks that were worked
}

func newFetcher(t testing.TB, url string, loops int, idle time.Duration) *fetcher {
	t.Helper()
	f := &fetcher{bell: tasks.NewBell(tasks.QueueSMS, loops, idle), looks: &atomic.Int64{}, done: make(chan string, 100)}
	client := open(t, url)
	client.AddHook(f.bell)
	client.AddHook(fetches{f.looks})
	for range loops {
		server := asynq.NewServerFromRedisClient(client, asynq.Config{
			Concurrency: 4, Queues: map[string]int{tasks.QueueSMS: 1}, TaskCheckInterval: time.Millisecond,
			ShutdownTimeout: time.Second, Logger: asynqLogger{slog.New(slog.DiscardHandler)},
		})
		err := server.Start(asynq.HandlerFunc(func(ctx context.Context, _ *asynq.Task) error {
			id, _ := asynq.GetTaskID(ctx)
			f.done <- id
			return nil
		}))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.bell.Stop(); server.Shutdown() })
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

// listen rings the bell until the test's end, and returns when the subscription stands.
func (f *fetcher) listen(t testing.TB, url string) {
	t.Helper()
	client := open(t, url)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); tasks.Listen(ctx, client, f.bell) }()
	t.Cleanup(func() { cancel(); <-ended })
	testkit.Eventually(t, 10*time.Second, func() bool {
		return client.PubSubNumSub(ctx, "usher:wake:sms").Val()["usher:wake:sms"] == 1
	}, "the worker listens")
}

// asleep waits until all loops have looked once and sleep.
func (f *fetcher) asleep(t testing.TB, loops int64) {
	t.Helper()
	testkit.Eventually(t, 10*time.Second, func() bool { return f.looks.Load() >= loops }, "the loops have looked")
}

func (f *fetcher) await(t testing.TB, id string) {
	t.Helper()
	select {
	case got := <-f.done:
		if got != id {
			t.Errorf("task %s was worked, want %s", got, id)
		}
	case <-time.After(10 * time.Second):
		t.Fatalf("task %s was not worked", id)
	}
}

func waker(t testing.TB, url string) redis.UniversalClient {
	t.Helper()
	client := open(t, url)
	client.AddHook(tasks.WakeHook{Client: client})
	return client
}

func TestWakeHook_wakes_a_worker_that_would_sleep_on(t *testing.T) {
	t.Parallel()
	testkit.EachRedis(t, func(t *testing.T, url string) {
		f := newFetcher(t, url, 2, patient)
		f.listen(t, url)
		f.asleep(t, 2)
		enqueuer := newEnqueuer(waker(t, url), testKeys(t))
		for _, id := range []string{"first", "second", "third"} {
			if err := enqueuer.EnqueueSMSCode(t.Context(), queued(t, id)); err != nil {
				t.Fatal(err)
			}
			f.await(t, id)
		}
	})
}

func TestBell_lets_a_loop_look_by_itself_when_no_word_comes(t *testing.T) {
	t.Parallel()
	url := testkit.Redis(t)
	f := newFetcher(t, url, 1, 20*time.Millisecond)
	f.asleep(t, 1)
	if err := newEnqueuer(open(t, url), testKeys(t)).EnqueueSMSCode(t.Context(), queued(t, "quiet")); err != nil {
		t.Fatal(err)
	}
	f.await(t, "quiet")
}

func TestBell_wakes_its_loops_to_end(t *testing.T) {
	t.Parallel()
	url := testkit.Redis(t)
	bell, client := tasks.NewBell(tasks.QueueSMS, 1, patient), open(t, url)
	looks := &atomic.Int64{}
	client.AddHook(bell)
	client.AddHook(fetches{looks})
	server := asynq.NewServerFromRedisClient(client, asynq.Config{
		Concurrency: 1, Queues: map[string]int{tasks.QueueSMS: 1}, TaskCheckInterval: time.Millisecond,
		Logger: asynqLogger{slog.New(slog.DiscardHandler)},
	})
	if err := server.Start(asynq.HandlerFunc(func(context.Context, *asynq.Task) error { return nil })); err != nil {
		t.Fatal(err)
	}
	testkit.Eventually(t, 10*time.Second, func() bool { return looks.Load() > 0 }, "the loop has looked")
	ended := make(chan struct{})
	go func() { bell.Stop(); server.Shutdown(); close(ended) }()
	select {
	case <-ended:
	case <-time.After(10 * time.Second):
		t.Fatal("the server did not end")
	}
}

// Asynq tries again at once when a fetch fails, which keeps a full Redis from its work.
func TestBell_leaves_a_failing_Redis_alone(t *testing.T) {
	t.Parallel()
	url := testkit.Redis(t)
	failing := &refusal{}
	bell, client := tasks.NewBell(tasks.QueueSMS, 1, patient), open(t, url)
	client.AddHook(bell)
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

func TestWakeHook_enqueues_although_word_is_forbidden(t *testing.T) {
	t.Parallel()
	server := testkit.RedisServer(t)
	admin := open(t, server.URL())
	err := admin.Do(t.Context(), "ACL", "SETUSER", "mute", "on", ">a-password", "~*", "+@all", "resetchannels").Err()
	if err != nil {
		t.Fatal(err)
	}
	client := waker(t, "redis://mute:a-password@"+server.Addr()+"/0")
	if err := newEnqueuer(client, testKeys(t)).EnqueueSMSCode(t.Context(), queued(t, "forbidden")); err != nil {
		t.Fatalf("enqueue = %v", err)
	}
	if info, err := newInspector(admin).GetQueueInfo(tasks.QueueSMS); err != nil || info.Pending != 1 {
		t.Errorf("queue = %+v, %v, want the task", info, err)
	}
}

func TestSMSQueues_share_codes_evenly_and_keep_the_first_name(t *testing.T) {
	t.Parallel()
	url := testkit.Redis(t)
	client := open(t, url)
	enqueuer := newEnqueuer(client, testKeys(t))
	enqueuer.SMSShards = 4
	const codes = 400
	for i := range codes {
		if err := enqueuer.EnqueueSMSCode(t.Context(), queued(t, "code-"+string(rune('A'+i%26))+string(rune('a'+i/26)))); err != nil {
			t.Fatal(err)
		}
	}
	queues := tasks.Namespace("").SMSQueues(4)
	if len(queues) != 4 || queues[0] != tasks.QueueSMS {
		t.Fatalf("queues = %q", queues)
	}
	for _, queue := range queues {
		info, err := newInspector(client).GetQueueInfo(queue)
		if err != nil || info.Pending < codes/8 {
			t.Errorf("queue %s = %+v, %v, want about %d codes", queue, info, err, codes/4)
		}
	}
}
