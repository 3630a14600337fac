package tasks_test

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"

	"usher/internal/testkit"
	"usher/queue"
	"usher/store/redisstore"
	"usher/tasks"
	"usher/verify"
)

// reaping is a queue with one code whose task was taken by a worker that is no more.
type reaping struct {
	url      string
	client   redis.UniversalClient
	store    *redisstore.Store
	id       string
	registry *prometheus.Registry
	metrics  *tasks.Metrics
	logger   *slog.Logger
	clock    *testkit.Clock
	slots    bool
}

const (
	smsActive  = "asynq:{sms}:active"
	smsPending = "asynq:{sms}:pending"
	smsLease   = "asynq:{sms}:lease"
)

func newReaping(t *testing.T) *reaping {
	t.Helper()
	r := &reaping{url: testkit.Redis(t), registry: prometheus.NewRegistry(), clock: testkit.NewClock(time.Now())}
	r.client = open(t, r.url)
	r.store = redisstore.New(r.client, testKeys(t), r.clock.Now)
	r.metrics = tasks.NewMetrics(r.registry)
	r.logger, _ = testkit.Logger(t)
	issued, err := service(t, r.store, newEnqueuer(r.client, testKeys(t))).
		Issue(t.Context(), verify.Request{To: mustMobile(t, number), Purpose: verify.Login})
	if err != nil {
		t.Fatal(err)
	}
	r.id = issued.ID
	return r
}

// take does to Asynq's keys what a worker does that takes the task and dies: ten seconds ago it renewed the lease.
func (r *reaping) take(t *testing.T) { t.Helper(); r.takeTask(t, r.id) }

func (r *reaping) takeTask(t *testing.T, id string) {
	t.Helper()
	_, err := r.client.TxPipelined(t.Context(), func(p redis.Pipeliner) error {
		p.LMove(t.Context(), smsPending, smsActive, "RIGHT", "LEFT")
		p.HSet(t.Context(), "asynq:{sms}:t:"+id, "state", "active")
		p.ZAdd(t.Context(), smsLease, redis.Z{Score: float64(time.Now().Add(20 * time.Second).Unix()), Member: id})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// reap runs so many reapers until the test's end.
func (r *reaping) reap(t *testing.T, reapers int) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	for range reapers {
		reaper := &queue.Reaper{
			Queue: queue.SMS, Client: r.client, Messages: r.store.Codes(), Count: r.metrics.Reaped, Logger: r.logger,
			Slots: r.slots,
		}
		wg.Go(func() { reaper.Run(ctx) })
	}
	t.Cleanup(func() { cancel(); wg.Wait() })
}

// serve starts a worker and returns what it sends through.
func (r *reaping) serve(t *testing.T) *sender {
	t.Helper()
	to := &sender{}
	serve(t, r.url, r.logger, newMux(r.logger, r.metrics, &tasks.SMSCodeHandler{
		Claims: r.store.Codes(), Sender: to, Keys: testKeys(t), Timeout: sendTimeout, Metrics: r.metrics,
	}, nil))
	return to
}

func TestReaper_puts_back_what_a_dead_worker_had_not_claimed_yet(t *testing.T) {
	t.Parallel()
	r := newReaping(t)
	r.take(t)
	r.reap(t, 3)
	to := r.serve(t)
	testkit.Eventually(t, testkit.Patience, func() bool { return len(to.sentSMS()) == 1 }, "the code is sent by another worker")
	testkit.WantMetric(t, r.registry, `usher_tasks_reaped_total{queue="sms",reason="abandoned"} 1`)
}

func TestReaper_puts_back_what_a_dead_worker_had_claimed_when_the_lease_is_over(t *testing.T) {
	t.Parallel()
	r := newReaping(t)
	r.take(t)
	const lease = 12 * time.Second
	if _, err := r.store.Codes().Claim(t.Context(), r.id, lease); err != nil {
		t.Fatal(err)
	}
	r.clock.Advance(lease)
	r.reap(t, 1)
	to := r.serve(t)
	testkit.Eventually(t, testkit.Patience, func() bool { return len(to.sentSMS()) == 1 }, "the code is sent by another worker")
	if attempt := to.sentSMS()[0].Attempt; attempt != 2 {
		t.Errorf("it was sent as attempt %d, want 2", attempt)
	}
}

func TestReaper_leaves_a_running_claim_alone(t *testing.T) {
	t.Parallel()
	r := newReaping(t)
	r.take(t)
	if _, err := r.store.Codes().Claim(t.Context(), r.id, time.Hour); err != nil {
		t.Fatal(err)
	}
	r.leaves(t, "a message that is being sent")
}

// leaves checks that a reaper makes no task for what is active.
func (r *reaping) leaves(t *testing.T, what string) {
	t.Helper()
	// A second task, which the reaper heals, shows that it has looked at both.
	r.push(t, "stranger", "garbage")
	r.reap(t, 1)
	testkit.Eventually(t, testkit.Patience, func() bool { return !r.isActive(t, "stranger") }, "the reaper looks")
	if n := r.client.LLen(t.Context(), smsPending).Val(); n != 0 {
		t.Errorf("%d tasks were made for %s", n, what)
	}
}

// A live worker renews the leases of its tasks, of those too that wait for their turn.
func TestReaper_leaves_what_waits_for_its_turn_in_a_live_worker(t *testing.T) {
	t.Parallel()
	r := newReaping(t)
	r.slots = true
	r.take(t)
	r.client.ZAdd(t.Context(), smsLease, redis.Z{Score: float64(time.Now().Add(time.Hour).Unix()), Member: r.id})
	r.leaves(t, "a message whose worker lives")
}

func TestReaper_puts_back_what_waited_for_its_turn_in_a_dead_worker(t *testing.T) {
	t.Parallel()
	r := newReaping(t)
	r.slots = true
	r.take(t)
	r.reap(t, 1)
	to := r.serve(t)
	testkit.Eventually(t, testkit.Patience, func() bool { return len(to.sentSMS()) == 1 }, "the code is sent by another worker")
}

// The one that was put back may fall to a worker that dies before it claims, too.
func TestReaper_puts_back_again_what_is_lost_again(t *testing.T) {
	t.Parallel()
	r := newReaping(t)
	r.take(t)
	r.reap(t, 1)
	again := queue.RequeueID(r.id)
	testkit.Eventually(t, testkit.Patience, func() bool {
		return r.client.LIndex(t.Context(), smsPending, 0).Val() == again
	}, "the task is put back")
	r.takeTask(t, again)
	r.clock.Advance(patience) // a claim must not be over before it begins
	to := r.serve(t)
	testkit.Eventually(t, testkit.Patience, func() bool { return len(to.sentSMS()) == 1 }, "the code is sent by a third worker")
}

// An error says nothing of the task unless it is one about the task.
func TestReaper_buries_nothing_because_redis_gives_no_answer(t *testing.T) {
	t.Parallel()
	r := newReaping(t)
	r.take(t)
	plain := r.client
	r.client = open(t, r.url)
	refusing := &refusals{key: "asynq:{sms}:t:" + r.id}
	refusing.left.Store(2)
	r.client.AddHook(refusing)
	r.reap(t, 1)
	testkit.Eventually(t, testkit.Patience, func() bool { return refusing.left.Load() <= 0 }, "the reaper was refused twice")
	r.clock.Advance(patience) // a claim must not be over before it begins
	to := r.serve(t)
	testkit.Eventually(t, testkit.Patience, func() bool { return len(to.sentSMS()) == 1 }, "the code is sent by another worker")
	if n, err := plain.Exists(t.Context(), refusing.key+":buried").Result(); err != nil || n != 0 {
		t.Errorf("%d tasks are buried, %v", n, err)
	}
}

// refusals is a Redis that refuses some looks at a task.
type refusals struct {
	key  string
	left atomic.Int64
}

func (*refusals) DialHook(next redis.DialHook) redis.DialHook { return next }

func (r *refusals) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		args := cmd.Args()
		if cmd.Name() != "evalsha" || len(args) < 4 || args[3] != r.key || r.left.Add(-1) < 0 {
			return next(ctx, cmd)
		}
		cmd.SetErr(redisError("OOM command not allowed"))
		return cmd.Err()
	}
}

func (*refusals) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func TestReaper_buries_what_does_not_decode_and_gives_leases(t *testing.T) {
	t.Parallel()
	r := newReaping(t)
	r.take(t)
	r.client.ZRem(t.Context(), smsLease, r.id)
	r.push(t, "stranger", "garbage")
	r.client.ZAdd(t.Context(), smsLease, redis.Z{Score: 1, Member: "stranger"})
	if _, err := newInspector(r.client).ListActiveTasks(queue.SMS); err == nil {
		t.Error("Asynq copes with an undecodable task by now: the reaper need not")
	}
	r.reap(t, 2)
	testkit.Eventually(t, testkit.Patience, func() bool {
		return !r.isActive(t, "stranger") && r.client.ZScore(t.Context(), smsLease, r.id).Err() == nil
	}, "both are healed")
	if _, err := newInspector(r.client).ListActiveTasks(queue.SMS); err != nil {
		t.Errorf("after the burial: %v", err)
	}
	if ttl := r.client.TTL(t.Context(), "asynq:{sms}:t:stranger:buried").Val(); ttl <= 0 {
		t.Errorf("the buried bytes stay for %v", ttl)
	}
	testkit.WantMetric(t, r.registry, `usher_tasks_reaped_total{queue="sms",reason="undecodable"} 1`)
	testkit.WantMetric(t, r.registry, `usher_tasks_reaped_total{queue="sms",reason="leaseless"} 1`)
}

func TestReaper_takes_names_without_a_task_off_the_list(t *testing.T) {
	t.Parallel()
	r := newReaping(t)
	r.take(t) // has its task: stays
	r.client.LPush(t.Context(), smsActive, "deleted")
	// Evicted while it was pending: this is what Asynq makes of it when it fetches the name.
	r.client.LPush(t.Context(), smsPending, "evicted")
	r.takeTask(t, "evicted")
	r.reap(t, 2)
	testkit.Eventually(t, testkit.Patience, func() bool {
		return !r.isActive(t, "deleted") && !r.isActive(t, "evicted")
	}, "both names are off the list")
	if !r.isActive(t, r.id) {
		t.Error("a task that exists was taken off the list")
	}
	for _, key := range []string{"deleted", "evicted"} {
		if n := r.client.Exists(t.Context(), "asynq:{sms}:t:"+key).Val(); n != 0 || r.client.ZScore(t.Context(), smsLease, key).Err() == nil {
			t.Errorf("%s: its hash or its lease is still there", key)
		}
	}
	testkit.WantMetric(t, r.registry, `usher_tasks_reaped_total{queue="sms",reason="taskless"} 2`)
}

// push makes an active task whose message is the text.
func (r *reaping) push(t *testing.T, id, message string) {
	t.Helper()
	_, err := r.client.TxPipelined(t.Context(), func(p redis.Pipeliner) error {
		p.HSet(t.Context(), "asynq:{sms}:t:"+id, "msg", message, "state", "active")
		p.LPush(t.Context(), smsActive, id)
		p.ZAdd(t.Context(), smsLease, redis.Z{Score: float64(time.Now().Add(time.Hour).Unix()), Member: id})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func (r *reaping) isActive(t *testing.T, id string) bool {
	t.Helper()
	return r.client.LPos(t.Context(), smsActive, id, redis.LPosArgs{}).Err() == nil
}

// redisError is an error that the server answered with.
type redisError string

func (e redisError) Error() string { return string(e) }

func (redisError) RedisError() {}
