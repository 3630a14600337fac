package tasks_test

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"

	"usher/internal/testkit"
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
		Issue(t.Context(), verify.Request{Mobile: mustMobile(t, number), Purpose: verify.Login})
	if err != nil {
		t.Fatal(err)
	}
	r.id = issued.ID
	return r
}

// take does to Asynq's keys what a worker does that takes the task and dies.
func (r *reaping) take(t *testing.T) {
	t.Helper()
	_, err := r.client.TxPipelined(t.Context(), func(p redis.Pipeliner) error {
		p.LMove(t.Context(), smsPending, smsActive, "RIGHT", "LEFT")
		p.HSet(t.Context(), "asynq:{sms}:t:"+r.id, "state", "active")
		p.ZAdd(t.Context(), smsLease, redis.Z{Score: float64(time.Now().Add(30 * time.Second).Unix()), Member: r.id})
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
		reaper := &tasks.Reaper{
			Queue: tasks.QueueSMS, Client: r.client, Waiting: r.store.Codes(), Metrics: r.metrics, Logger: r.logger,
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
	testkit.Eventually(t, patience, func() bool { return len(to.sentSMS()) == 1 }, "the code is sent by another worker")
	wantMetric(t, r.registry, `usher_tasks_reaped_total{queue="sms",reason="abandoned"} 1`)
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
	testkit.Eventually(t, patience, func() bool { return len(to.sentSMS()) == 1 }, "the code is sent by another worker")
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
	// A second task, which the reaper heals, shows that it has looked at both.
	r.push(t, "stranger", "garbage")
	r.reap(t, 1)
	testkit.Eventually(t, patience, func() bool { return !r.isActive(t, "stranger") }, "the reaper looks")
	if n := r.client.LLen(t.Context(), smsPending).Val(); n != 0 {
		t.Errorf("%d tasks were made for a message that is being sent", n)
	}
}

func TestReaper_buries_what_does_not_decode_and_gives_leases(t *testing.T) {
	t.Parallel()
	r := newReaping(t)
	r.take(t)
	r.client.ZRem(t.Context(), smsLease, r.id)
	r.push(t, "stranger", "garbage")
	r.client.ZAdd(t.Context(), smsLease, redis.Z{Score: 1, Member: "stranger"})
	if _, err := newInspector(r.client).ListActiveTasks(tasks.QueueSMS); err == nil {
		t.Error("Asynq copes with an undecodable task by now: the reaper need not")
	}
	r.reap(t, 2)
	testkit.Eventually(t, patience, func() bool {
		return !r.isActive(t, "stranger") && r.client.ZScore(t.Context(), smsLease, r.id).Err() == nil
	}, "both are healed")
	if _, err := newInspector(r.client).ListActiveTasks(tasks.QueueSMS); err != nil {
		t.Errorf("after the burial: %v", err)
	}
	if ttl := r.client.TTL(t.Context(), "asynq:{sms}:t:stranger:buried").Val(); ttl <= 0 {
		t.Errorf("the buried bytes stay for %v", ttl)
	}
	wantMetric(t, r.registry, `usher_tasks_reaped_total{queue="sms",reason="undecodable"} 1`)
	wantMetric(t, r.registry, `usher_tasks_reaped_total{queue="sms",reason="leaseless"} 1`)
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
