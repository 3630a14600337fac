package tasks_test

import (
	"context"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"

	"usher/internal/testkit"
	"usher/messages"
	"usher/providers"
	"usher/queue"
	"usher/store/redisstore"
	"usher/tasks"
	"usher/verify"
)

// service issues codes on a real store, which the worker's side shares. Limits are not in the way.
func service(t testing.TB, store *redisstore.Store, queue verify.Queue) *verify.Service {
	t.Helper()
	logger, _ := testkit.Logger(t)
	return &verify.Service{
		Codes: store.Codes(), Queue: queue, Keys: testKeys(t), Now: time.Now, Logger: logger,
		Policy: verify.Policy{
			CodeLength: 6, CodeTTL: 5 * time.Minute, ResendInterval: time.Minute, MaxAttempts: 5,
		},
	}
}

// queueFunc is a queue that a test writes itself.
type queueFunc func(context.Context, verify.Queued) error

func (f queueFunc) EnqueueCode(ctx context.Context, code verify.Queued) error { return f(ctx, code) }

func TestSMSCodeHandler_sends_once_although_its_task_was_delivered_twice(t *testing.T) {
	t.Parallel()
	keys, url := testKeys(t), testkit.Redis(t)
	client := open(t, url)
	store := redisstore.New(client, keys, time.Now)
	logger, _ := testkit.Logger(t)

	// Both tasks are active before the first one is answered.
	const copies = 8
	release, registry := make(chan struct{}), prometheus.NewRegistry()
	to := &sender{answer: func(context.Context, int) error { <-release; return nil }}
	metrics := tasks.NewMetrics(registry)
	mux := newMux(logger, metrics, &tasks.SMSCodeHandler{
		Claims: store.Codes(), Sender: to, Keys: keys, Timeout: sendTimeout, Metrics: metrics,
	}, nil)
	serve(t, url, logger, mux)
	serve(t, url, logger, mux)

	raw := asynq.NewClientFromRedisClient(client)
	issued, err := service(t, store, queueFunc(func(_ context.Context, q verify.Queued) error {
		for range copies { // under names of their own, as no enqueuer would
			task := asynq.NewTask(tasks.TypeSMSCode, smsPayload(t, keys, q))
			if _, err := raw.Enqueue(task, asynq.Queue(queue.SMS)); err != nil {
				return err
			}
		}
		return nil
	})).Issue(t.Context(), verify.Request{To: mustMobile(t, number), Purpose: verify.Login})
	if err != nil {
		t.Fatal(err)
	}
	inspector := newInspector(client)
	testkit.Eventually(t, testkit.Patience, func() bool {
		info, err := inspector.GetQueueInfo(queue.SMS)
		return err == nil && info.Retry == copies-1 && len(to.sentSMS()) == 1
	}, "one task sends and the others wait")
	close(release)
	testkit.Eventually(t, testkit.Patience, func() bool {
		info, err := inspector.GetQueueInfo(queue.SMS)
		return err == nil && info.Active == 0
	}, "the sender is done")
	if _, err := inspector.RunAllRetryTasks(queue.SMS); err != nil {
		t.Fatal(err)
	}
	testkit.Eventually(t, testkit.Patience, func() bool {
		info, err := inspector.GetQueueInfo(queue.SMS)
		return err == nil && info.Size == 0
	}, "all tasks are done")
	if got := len(to.sentSMS()); got != 1 {
		t.Errorf("sent %d times, want once", got)
	}
	testkit.WantMetric(t, registry, `usher_messages_dropped_total{channel="sms",reason="sent"} 7`)
	if status, err := store.Codes().Status(t.Context(), issued.ID); err != nil || status.State != messages.Sent {
		t.Errorf("the person is told %v, %v; want sent", status.State, err)
	}
}

func TestObserve_keeps_a_worker_going_after_a_panic(t *testing.T) {
	t.Parallel()
	keys, url := testKeys(t), testkit.Redis(t)
	client := open(t, url)
	logger, log := testkit.Logger(t)
	registry := prometheus.NewRegistry()
	metrics := tasks.NewMetrics(registry)
	to := &sender{answer: func(_ context.Context, n int) error {
		if n == 1 {
			panic("no route to " + number)
		}
		return nil
	}}
	state := &claims{}
	serve(t, url, logger, newMux(logger, metrics, &tasks.SMSCodeHandler{
		Claims: state, Sender: to, Keys: keys, Timeout: sendTimeout, Metrics: metrics,
	}, nil))

	enqueuer, inspector := newEnqueuer(client, keys), newInspector(client)
	if err := enqueuer.EnqueueCode(t.Context(), queued(t, "panics")); err != nil {
		t.Fatal(err)
	}
	testkit.Eventually(t, testkit.Patience, func() bool {
		info, err := inspector.GetTaskInfo(queue.SMS, "panics")
		return err == nil && info.State == asynq.TaskStateRetry && strings.Contains(info.LastErr, "own_panic")
	}, "the task waits for the end of its claim")
	if found := testkit.FindSecrets(append(testkit.DumpRedis(t, client), log.Bytes()...), number); len(found) > 0 {
		t.Errorf("redis or the log hold %v", found)
	}
	testkit.WantMetric(t, registry, `usher_tasks_total{result="retry",type="sms:code"} 1`)

	state.mu.Lock()
	state.state = messages.Queued // of the next code
	state.mu.Unlock()
	if err := enqueuer.EnqueueCode(t.Context(), queued(t, "goes-on")); err != nil {
		t.Fatal(err)
	}
	testkit.Eventually(t, testkit.Patience, func() bool { return len(to.sentSMS()) == 2 }, "the next task is worked")
}

func TestAckHook_lets_a_task_be_acknowledged_after_redis_was_away(t *testing.T) {
	t.Parallel()
	server := testkit.RedisServer(t, "--appendonly", "yes", "--appendfsync", "always")
	client := open(t, server.URL())
	logger, log := testkit.Logger(t)
	var runs atomic.Int32
	started, release := make(chan struct{}, 1), make(chan struct{})
	serve(t, server.URL(), logger, asynq.HandlerFunc(func(context.Context, *asynq.Task) error {
		runs.Add(1)
		started <- struct{}{}
		<-release
		return nil
	}), queue.AckHook())
	if err := newEnqueuer(client, testKeys(t)).EnqueueCode(t.Context(), queued(t, codeID)); err != nil {
		t.Fatal(err)
	}

	<-started
	server.Stop()
	close(release)
	testkit.Eventually(t, testkit.Patience, func() bool {
		return strings.Contains(log.String(), "Will retry syncing")
	}, "the acknowledgement fails")
	server.Start(t)

	// Long before the task's lease could end and the task run again.
	testkit.Eventually(t, testkit.Patience, func() bool {
		info, err := newInspector(client).GetQueueInfo(queue.SMS)
		return err == nil && info.Size == 0
	}, "the task is acknowledged")
	if got := runs.Load(); got != 1 {
		t.Errorf("the task ran %d times, want once", got)
	}
}

func TestAckHook_leaves_other_contexts_alone(t *testing.T) {
	t.Parallel()
	var seen context.Context
	process := queue.AckHook().ProcessHook(func(ctx context.Context, _ redis.Cmder) error {
		seen = ctx //nolint:fatcontext // the test looks at what the hook made of it
		return ctx.Err()
	})
	ended, end := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
	defer end()
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	live, cancelLive := context.WithTimeout(t.Context(), time.Hour)
	defer cancelLive()
	for name, ctx := range map[string]context.Context{"ended": ended, "cancelled without deadline": cancelled, "live": live} {
		if err := process(ctx, nil); err != ctx.Err() || seen != ctx { //nolint:errorlint // the very one
			t.Errorf("%s: the command got another context, %v", name, err)
		}
	}
	early, cancelEarly := context.WithTimeout(t.Context(), time.Hour)
	cancelEarly()
	if err := process(early, nil); err != nil {
		t.Errorf("cancelled before its deadline: %v, want the command to go on", err)
	}
	want, _ := early.Deadline()
	if got, ok := seen.Deadline(); !ok || !got.Equal(want) {
		t.Errorf("goes on until %v, want %v", got, want)
	}
}

// journal collects what a run must not leave anywhere.
type journal struct {
	mu      sync.Mutex
	secrets []string
}

func (j *journal) add(secrets ...string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.secrets = append(j.secrets, secrets...)
}

// all is a copy, because tasks that come back may still add to the journal.
func (j *journal) all() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Clone(j.secrets)
}

// careless is a sender that breaks each of its promises for another number.
type careless struct {
	journal *journal
	calls   atomic.Int32
}

func (c *careless) Name() string { return "careless" }

func (c *careless) SendSMS(_ context.Context, sms providers.SMS) (providers.Receipt, error) {
	c.journal.add(sms.To.Reveal(), sms.Code)
	c.calls.Add(1)
	text := "number " + sms.To.Reveal() + " code " + sms.Code
	switch sms.To.Reveal()[10] {
	case '0':
		return providers.Receipt{Provider: "careless", ID: "receipt"}, nil
	case '1':
		return providers.Receipt{}, &providers.Error{Provider: "careless", Kind: providers.Rejected, Code: "blocked"}
	case '2':
		return providers.Receipt{}, &providers.Error{Provider: "careless", Kind: providers.Temporary, Code: "busy"}
	case '3':
		panic(text)
	default:
		return providers.Receipt{}, errorText(text)
	}
}

type errorText string

func (e errorText) Error() string { return string(e) }

func TestHandlers_leave_no_number_code_or_token_behind(t *testing.T) {
	t.Parallel()
	keys, url := testKeys(t), testkit.Redis(t)
	client := open(t, url)
	store := redisstore.New(client, keys, time.Now)
	logger, log := testkit.Logger(t)
	registry := prometheus.NewRegistry()
	metrics := tasks.NewMetrics(registry)
	var found journal
	to, claimed := &careless{journal: &found}, activation(t)
	router := &providers.Router{Senders: []providers.SMSSender{to, to}, Logger: logger}
	mailer := &sender{answer: refuse(providers.Rejected)}
	serve(t, url, logger, newMux(logger, metrics,
		&tasks.SMSCodeHandler{Claims: store.Codes(), Sender: router, Keys: keys, Timeout: sendTimeout, Metrics: metrics},
		&tasks.EmailHandler{
			Claims: mailClaims{&claims{}, claimed.Mail, claimed.Account}, Sender: mailer,
			Keys: keys, Mails: mustMails(t), Timeout: sendTimeout, Metrics: metrics,
		}))
	enqueuer := newEnqueuer(client, keys)
	issuer := service(t, store, enqueuer)
	for _, mobile := range []string{"13800138000", "13800138001", "13800138002", "13800138003", "13800138004"} {
		_, err := issuer.Issue(t.Context(), verify.Request{To: mustMobile(t, mobile), Purpose: verify.Register})
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := enqueuer.EnqueueMail(t.Context(), claimed.Mail); err != nil {
		t.Fatal(err)
	}
	inspector := newInspector(client)
	testkit.Eventually(t, testkit.Patience, func() bool {
		sms, err := inspector.GetQueueInfo(queue.SMS)
		if err != nil {
			return false
		}
		email, err := inspector.GetQueueInfo(queue.Email)
		return err == nil && sms.Processed >= 5 && sms.Archived >= 1 && sms.Retry >= 2 && email.Archived == 1
	}, "every task has ended or waits")

	_, rest, _ := strings.Cut(mailer.sentMails()[0].Text, "token=")
	activationToken, _, _ := strings.Cut(rest, "\n")
	found.add(activationToken, claimed.Account.PendingEmail.Reveal())
	secrets := found.all()
	if len(secrets) < 2*5+2 {
		t.Fatalf("only %d secrets went through the senders", len(secrets))
	}
	for where, content := range map[string][]byte{
		"log": log.Bytes(), "redis": testkit.DumpRedis(t, client), "metrics": []byte(testkit.MetricsText(t, registry)),
	} {
		if hits := testkit.FindSecrets(content, secrets...); len(hits) > 0 {
			t.Errorf("%s: %v\n%s", where, hits, content)
		}
	}
}
