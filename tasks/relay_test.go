package tasks_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"usher/accounts"
	"usher/internal/testkit"
	"usher/messages"
	"usher/queue"
	"usher/store/redisstore"
	"usher/store/sqlstore"
	"usher/tasks"
)

// outbox hands out each of its mails once.
type outbox struct {
	mu        sync.Mutex
	due       []accounts.DueMail
	err       error
	handedOut int
	expired   int             // calls
	left      int             // mails that were still due then, at most
	latest    []time.Duration // asked for with each call of Due
}

func (o *outbox) Due(_ context.Context, _, latest time.Duration, limit int) ([]accounts.DueMail, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.latest = append(o.latest, latest)
	if o.err != nil {
		err := o.err
		o.err = nil
		return nil, err
	}
	n := min(limit, len(o.due))
	due := o.due[:n]
	o.due, o.handedOut = o.due[n:], o.handedOut+n
	return due, nil
}

func (o *outbox) Expire(context.Context, int) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.expired++
	o.left = max(o.left, len(o.due))
	return 0, nil
}

// relay runs until the test's end and reports that it ended.
func relay(t *testing.T, r *tasks.Relay) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); r.Run(ctx) }()
	stop = func() { cancel(); <-ended }
	t.Cleanup(stop)
	return stop
}

func dueMails(n int) (due []accounts.DueMail) {
	for i := range n {
		due = append(due, accounts.DueMail{Mail: accounts.Mail{ID: mailID}, Enqueues: i})
	}
	return due
}

func TestRelay_enqueues_more_than_a_batch_and_ends_with_its_context(t *testing.T) {
	t.Parallel()
	client := open(t, testkit.Redis(t))
	logger, _ := testkit.Logger(t)
	box := &outbox{due: dueMails(250)}
	stop := relay(t, &tasks.Relay{Outbox: box, Enqueuer: newEnqueuer(client, testKeys(t)), Logger: logger})
	testkit.Eventually(t, testkit.Patience, func() bool {
		info, err := newInspector(client).GetQueueInfo(queue.Email)
		return err == nil && info.Pending == 250
	}, "250 mails are on the queue")
	stop()
	if box.left > 0 {
		t.Errorf("a sweep left %d due mails behind", box.left)
	}
}

func TestRelay_goes_on_when_redis_and_the_outbox_come_back(t *testing.T) {
	t.Parallel()
	server := testkit.RedisServer(t)
	client := open(t, server.URL())
	server.Stop()
	logger, log := testkit.Logger(t)
	box := &outbox{due: dueMails(3), err: errors.New("database is unavailable")}
	relay(t, &tasks.Relay{Outbox: box, Enqueuer: newEnqueuer(client, testKeys(t)), Logger: logger})

	testkit.Eventually(t, testkit.Patience, func() bool {
		box.mu.Lock()
		defer box.mu.Unlock()
		return box.expired >= 2
	}, "mails expire while redis is unavailable")
	box.mu.Lock()
	if box.handedOut != 0 {
		t.Errorf("%d mails were asked for, which count as enqueued now and are not", box.handedOut)
	}
	box.mu.Unlock()

	server.Start(t)
	testkit.Eventually(t, testkit.Patience, func() bool {
		info, err := newInspector(client).GetQueueInfo(queue.Email)
		return err == nil && info.Pending == 3
	}, "the mails are on the queue")
	for _, want := range []string{"ping queue", "database is unavailable", "mail re-enqueued by the relay"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log lacks %q", want)
		}
	}
}

// A waiting mail's task in the archive was put there by an operator, or by a handler that broke down.
func TestRelay_runs_an_archived_task_of_a_mail_that_waits(t *testing.T) {
	t.Parallel()
	client := open(t, testkit.Redis(t))
	logger, log := testkit.Logger(t)
	enqueuer, inspector := newEnqueuer(client, testKeys(t)), newInspector(client)
	due := dueMails(2)
	for i, mail := range due {
		if err := enqueuer.EnqueueDue(t.Context(), mail); err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			if err := inspector.ArchiveTask(queue.Email, tasks.MailTaskID(mail.ID, i)); err != nil {
				t.Fatal(err)
			}
		}
	}
	relay(t, &tasks.Relay{Outbox: &outbox{due: due}, Enqueuer: enqueuer, Inspector: inspector, Logger: logger})
	testkit.Eventually(t, testkit.Patience, func() bool {
		info, err := inspector.GetQueueInfo(queue.Email)
		return err == nil && info.Pending == 2 && info.Archived == 0
	}, "both tasks are on the queue")
	testkit.Eventually(t, testkit.Patience, func() bool {
		return strings.Count(log.String(), "archived task of a waiting mail requeued") == 1
	}, "the log tells of one")
}

func TestRelay_hurries_after_redis_was_emptied(t *testing.T) {
	t.Parallel()
	client := open(t, testkit.Redis(t))
	logger, _ := testkit.Logger(t)
	box := &outbox{due: dueMails(1500)} // more than one sweep hands out
	store := redisstore.New(client, testKeys(t), time.Now)
	relay(t, &tasks.Relay{Outbox: box, Enqueuer: newEnqueuer(client, testKeys(t)), Logger: logger, Locks: store.Reports()})
	hurried := func() (soon, late int) {
		box.mu.Lock()
		defer box.mu.Unlock()
		for _, latest := range box.latest {
			if latest > time.Minute {
				late++
			} else {
				soon++
			}
		}
		return soon, late
	}
	testkit.Eventually(t, testkit.Patience, func() bool { _, late := hurried(); return late > 0 }, "the relay takes its time again")
	if soon, _ := hurried(); soon != 16 { // ten, then six of which the last is not full
		t.Errorf("%d looks in a hurry, want 16", soon)
	}
	if err := client.FlushDB(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	testkit.Eventually(t, testkit.Patience, func() bool { soon, _ := hurried(); return soon > 16 }, "the relay hurries again")
}

func TestRelay_brings_the_mail_of_a_new_account_on_its_way(t *testing.T) {
	t.Parallel()
	testkit.EachDatabase(t, func(t *testing.T, databaseURL string) {
		keys, url := testKeys(t), testkit.Redis(t)
		logger, _ := testkit.Logger(t)
		db, err := sqlstore.Open(t.Context(), databaseURL, sqlstore.Settings{Timeout: testkit.DatabasePatience})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = db.Close() })
		if err := sqlstore.Migrate(t.Context(), db); err != nil {
			t.Fatal(err)
		}
		outbox := sqlstore.NewMails(db, keys, time.Now)
		to := &sender{}
		metrics := tasks.NewMetrics(prometheus.NewRegistry())
		serve(t, url, logger, newMux(logger, metrics, nil, &tasks.EmailHandler{
			Claims: outbox, Sender: to, Keys: keys, Mails: mustMails(t), Timeout: sendTimeout, Metrics: metrics,
		}))
		relay(t, &tasks.Relay{Outbox: outbox, Enqueuer: newEnqueuer(open(t, url), keys), Logger: logger})

		// The mail is not enqueued, as when the API died right after its commit, a minute ago.
		claimed := activation(t)
		account, mail := claimed.Account, claimed.Mail
		mail.CreatedAt = time.Now().Add(-time.Minute)
		mail.NotAfter = mail.CreatedAt.Add(24 * time.Hour)
		account.PasswordHash, account.CreatedAt, account.UpdatedAt = "hash", time.Now(), time.Now()
		if err := sqlstore.NewAccounts(db, keys).Create(t.Context(), account, &mail); err != nil {
			t.Fatal(err)
		}
		testkit.Eventually(t, testkit.Patience, func() bool { return len(to.sentMails()) == 1 }, "the mail is sent")
		_, rest, _ := strings.Cut(to.sentMails()[0].Text, "token=")
		text, _, _ := strings.Cut(rest, "\n")
		if token, err := keys.ParseToken(text, time.Now()); err != nil || token.Account != account.ID {
			t.Errorf("the link's token is %+v, %v", token, err)
		}
		testkit.Eventually(t, testkit.Patience, func() bool {
			refused, err := outbox.Claim(t.Context(), mailID, time.Minute)
			return errors.Is(err, messages.ErrDropped) && refused.Reason == "sent"
		}, "the mail is known as sent")
	})
}
