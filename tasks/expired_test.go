package tasks_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"usher/contact"
	"usher/internal/testkit"
	"usher/messages"
	"usher/queue"
	"usher/secrets"
	"usher/store/redisstore"
	"usher/tasks"
	"usher/verify"
)

// ending is a queue with codes that have ended, and others.
type ending struct {
	url   string
	store *redisstore.Store
	queue *tasks.Enqueuer
}

func newEnding(t *testing.T) *ending {
	t.Helper()
	e := &ending{url: testkit.Redis(t)}
	client := open(t, e.url)
	e.store = redisstore.New(client, testKeys(t), time.Now)
	e.queue = newEnqueuer(client, testKeys(t))
	return e
}

// file files a code that ends after the time and was issued five minutes before that, with its task.
func (e *ending) file(ctx context.Context, n int, ends time.Duration) (id string, err error) {
	mobile, err := contact.ParseMobile(fmt.Sprintf("138%08d", n))
	if err != nil {
		return "", err
	}
	keys := e.queue.Keys
	subject := keys.Index("mobile", mobile.Reveal())
	id = verify.NewID(subject)
	expires := time.Now().Add(ends)
	err = e.store.Codes().Issue(ctx, verify.Issue{
		ID: id, Subject: subject, Purpose: verify.Login, KeyID: keys.SigningID(), To: mobile.String(), MAC: secrets.Random(16),
		IssuedAt: expires.Add(-5 * time.Minute), ExpiresAt: expires, ResendAfter: time.Second, MaxAttempts: 5,
	})
	if err != nil {
		return "", err
	}
	return id, e.queue.EnqueueCode(ctx, verify.Queued{
		ID: id, KeyID: keys.SigningID(), Purpose: verify.Login, To: mobile, Length: 6, ExpiresAt: expires,
	})
}

func (e *ending) fileMany(t testing.TB, first, many int, ends time.Duration) (ids []string) {
	t.Helper()
	ids = make([]string, many)
	var group errgroup.Group
	group.SetLimit(16)
	for i := range many {
		group.Go(func() (err error) { ids[i], err = e.file(t.Context(), first+i, ends); return err })
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	return ids
}

// serve works the queue until the test's end.
func (e *ending) serve(t testing.TB, registry *prometheus.Registry) *sender {
	t.Helper()
	logger, _ := testkit.Logger(t)
	metrics, client, to := tasks.NewMetrics(registry), open(t, e.url), &sender{}
	expired := tasks.NewExpired(client, e.store.Codes(), metrics, logger, []string{queue.SMS})
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { expired.Run(ctx) })
	t.Cleanup(func() { cancel(); running.Wait() })
	serve(t, e.url, logger, newMux(logger, metrics, &tasks.SMSCodeHandler{
		Claims: e.store.Codes(), Sender: to, Keys: e.queue.Keys, Timeout: sendTimeout, Metrics: metrics, Expired: expired,
	}, nil))
	return to
}

func TestExpired_takes_ended_codes_off_the_queue_and_closes_each(t *testing.T) {
	t.Parallel()
	e, registry := newEnding(t), prometheus.NewRegistry()
	const over = 1500 // more than a sweep looks at at once
	ended := e.fileMany(t, 0, over, -time.Minute)
	alive := e.fileMany(t, over, 3, 5*time.Minute)
	ended = append(ended, e.fileMany(t, over+3, 20, -time.Minute)...)

	to := e.serve(t, registry)
	testkit.Eventually(t, testkit.Patience, func() bool { return len(to.sentSMS()) == len(alive) }, "the living codes are sent")
	dropped := fmt.Sprintf(`usher_messages_dropped_total{channel="sms",reason="expired"} %d`, len(ended))
	testkit.Eventually(t, testkit.Patience, func() bool { return strings.Contains(testkit.MetricsText(t, registry), dropped+"\n") }, "each ended code is counted once")
	for _, id := range ended {
		status, err := e.store.Codes().Status(t.Context(), id)
		if err != nil || status.State != verify.StateExpired {
			t.Fatalf("an ended code is %q, %v", status.State, err)
		}
		claim, err := e.store.Codes().Claim(t.Context(), id, time.Second)
		if claim.Reason != "expired" || err == nil {
			t.Fatalf("claimed an ended code: %+v, %v", claim, err)
		}
	}
	info, err := newInspector(open(t, e.url)).GetQueueInfo(queue.SMS)
	if err != nil || info.Size != 0 {
		t.Errorf("%d tasks are left, %v", info.Size, err)
	}
	if worked := info.Processed; worked > over/2 {
		t.Errorf("%d tasks were worked one by one", worked)
	}
	for _, sms := range to.sentSMS() {
		if status, _ := e.store.Codes().Status(t.Context(), sms.ID); status.State != messages.Sent {
			t.Errorf("a sent code is %q", status.State)
		}
	}
}
