package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"log/slog"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/hibiken/asynq"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"

	"usher/accounts"
	"usher/app"
	"usher/contact"
	"usher/internal/testkit"
	"usher/messages"
	"usher/providers"
	"usher/queue"
	"usher/secrets"
	"usher/store/redisconn"
	"usher/store/redisstore"
	"usher/store/sqlstore"
	"usher/tasks"
	"usher/verify"
)

// messageBench is a sign-up's both stores and the queues, with commands that look at them.
type messageBench struct {
	environ  map[string]string
	keys     *secrets.Keys
	db       *sqlstore.DB
	accounts *sqlstore.Accounts
	mails    *sqlstore.Mails
	client   redis.UniversalClient
	redis    *redisstore.Store
	queue    *tasks.Enqueuer
	mobile   contact.Mobile
	email    contact.Email
	hidden   []string // what no command may show
}

func eachMessageBench(t *testing.T, test func(t *testing.T, b *messageBench)) {
	t.Helper()
	testkit.EachDatabase(t, func(t *testing.T, databaseURL string) {
		t.Helper()
		spec := "t1:" + base64.StdEncoding.EncodeToString([]byte(strings.Repeat("k", 32)))
		redisURL := testkit.Miniredis(t)
		b := &messageBench{environ: testkit.PatientTimes(), hidden: []string{"13800138000", "lilei@example.com"}}
		// No keys: messages can be read without them.
		b.environ["USHER_DATABASE_URL"], b.environ["USHER_REDIS_URL"] = databaseURL, redisURL
		var err error
		if b.keys, err = secrets.ParseKeys(spec); err != nil {
			t.Fatal(err)
		}
		b.mobile, _ = contact.ParseMobile(b.hidden[0])
		b.email, _ = contact.ParseEmail(b.hidden[1])
		if b.db, err = sqlstore.Open(t.Context(), databaseURL, sqlstore.Settings{Timeout: testkit.DatabasePatience}); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = b.db.Close() })
		if err := sqlstore.Migrate(t.Context(), b.db); err != nil {
			t.Fatal(err)
		}
		if b.client, err = redisconn.Open(redisURL, redisconn.Settings{Timeout: testkit.RedisPatience}); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = b.client.Close() })
		b.accounts, b.mails = sqlstore.NewAccounts(b.db, b.keys), sqlstore.NewMails(b.db, b.keys, time.Now)
		b.redis = redisstore.New(b.client, b.keys, time.Now)
		b.queue = &tasks.Enqueuer{Client: asynq.NewClientFromRedisClient(b.client), Keys: b.keys}
		test(t, b)
	})
}

// run runs a command and returns what it said, in which no secret may be.
func (b *messageBench) run(t *testing.T, args ...string) (stdout string, err error) {
	t.Helper()
	var out, errs bytes.Buffer
	err = run(t.Context(), app.Process{Args: args, Environ: b.environ, Stdout: &out, Stderr: &errs})
	all := out.String() + errs.String()
	if err != nil {
		all += err.Error()
	}
	if found := testkit.FindSecrets([]byte(all), b.hidden...); found != nil {
		t.Errorf("%v shows %v:\n%s", args, found, all)
	}
	return out.String(), err
}

// must is a run that has to succeed.
func (b *messageBench) must(t *testing.T, args ...string) string {
	t.Helper()
	out, err := b.run(t, args...)
	if err != nil {
		t.Fatalf("%v: %v\n%s", args, err, out)
	}
	return out
}

// issueTo issues a code to another number.
func (b *messageBench) issueTo(t *testing.T, number string) string {
	t.Helper()
	mobile, err := contact.ParseMobile(number)
	if err != nil {
		t.Fatal(err)
	}
	was := b.mobile
	defer func() { b.mobile = was }()
	b.mobile = mobile
	return b.issue(t)
}

// issue issues a code whose task is on the queue.
func (b *messageBench) issue(t *testing.T) string {
	t.Helper()
	service := &verify.Service{
		Codes: b.redis.Codes(), Queue: b.queue, Keys: b.keys, Now: time.Now, Logger: slog.New(slog.DiscardHandler),
		Policy: verify.Policy{CodeLength: 6, CodeTTL: 5 * time.Minute, ResendInterval: time.Minute, MaxAttempts: 5},
	}
	issued, err := service.Issue(t.Context(), verify.Request{To: b.mobile, Purpose: verify.Register, RequestID: "request-of-code"})
	if err != nil {
		t.Fatal(err)
	}
	code, err := b.keys.Code(secrets.Derivation{
		KeyID: b.keys.SigningID(), ID: issued.ID, To: b.mobile.Reveal(), Purpose: string(verify.Register), Length: 6,
	})
	if err != nil {
		t.Fatal(err)
	}
	b.hidden = append(b.hidden, code)
	return issued.ID
}

// attempt lets a code's message end, and the database know of it.
func (b *messageBench) attempt(t *testing.T, id string, outcome messages.Outcome) {
	t.Helper()
	claim, err := b.redis.Codes().Claim(t.Context(), id, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	outcome.At = time.Now()
	if err := b.redis.Codes().Record(t.Context(), claim, outcome); err != nil {
		t.Fatal(err)
	}
	b.save(t)
}

// save copies what is known of codes to the database.
func (b *messageBench) save(t *testing.T) {
	t.Helper()
	entries, _, err := b.redis.Outcomes().Read(t.Context(), 100_000)
	if err != nil {
		t.Fatal(err)
	}
	records := make([]messages.Record, 0, len(entries))
	for _, entry := range entries {
		records = append(records, entry.Record)
	}
	if err := sqlstore.NewOutcomes(b.db, time.Now).Save(t.Context(), records); err != nil {
		t.Fatal(err)
	}
}

// failedCode is a code whose task lies in the archive.
func (b *messageBench) failedCode(t *testing.T) string {
	t.Helper()
	id := b.issue(t)
	b.attempt(t, id, messages.Outcome{State: messages.Failed, Provider: "aliyun", Code: "isv.OUT_OF_SERVICE"})
	if err := asynq.NewInspectorFromRedisClient(b.client).ArchiveTask(queue.SMS, id); err != nil {
		t.Fatal(err)
	}
	return id
}

// register files an account with its activation mail.
func (b *messageBench) register(t *testing.T) (accounts.Account, accounts.Mail) {
	t.Helper()
	now := time.Now()
	account := accounts.Account{
		ID: uuid.NewString(), Username: "lilei_" + b.hidden[0][:4], Mobile: b.mobile, PendingEmail: b.email, Active: true,
		ActivationGeneration: 1, CreatedAt: now, UpdatedAt: now,
	}
	mail := accounts.Mail{
		ID: uuid.NewString(), Purpose: accounts.MailActivation, Language: "en", KeyID: "t1",
		NotAfter: now.Add(time.Hour), CreatedAt: now, RequestID: "request-of-sign-up",
	}
	if err := b.accounts.Create(t.Context(), account, &mail); err != nil {
		t.Fatal(err)
	}
	return account, mail
}

// failedMail is a mail whose task lies in the archive.
func (b *messageBench) failedMail(t *testing.T) (accounts.Account, accounts.Mail) {
	t.Helper()
	account, mail := b.register(t)
	if err := b.queue.EnqueueMail(t.Context(), mail); err != nil {
		t.Fatal(err)
	}
	b.end(t, mail.ID, messages.Failed)
	if err := asynq.NewInspectorFromRedisClient(b.client).ArchiveTask(queue.Email, mail.ID+":0"); err != nil {
		t.Fatal(err)
	}
	return account, mail
}

// end lets a mail's attempt end.
func (b *messageBench) end(t *testing.T, id string, state messages.State) {
	t.Helper()
	claimed, err := b.mails.Claim(t.Context(), id, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	outcome := messages.Outcome{State: state, Provider: "smtp", Code: "550", At: time.Now()}
	if err := b.mails.Record(t.Context(), claimed.Claim, outcome); err != nil {
		t.Fatal(err)
	}
}

// mailbox is a provider that keeps what it is given.
type mailbox struct{ mails []providers.Email }

func (m *mailbox) Name() string { return "mailbox" }

func (m *mailbox) SendEmail(_ context.Context, mail providers.Email) (providers.Receipt, error) {
	m.mails = append(m.mails, mail)
	return providers.Receipt{Provider: "mailbox", ID: "1"}, nil
}

func (m *mailbox) Close() error { return nil }

// work takes what is due to the queue, as the relay does, and works the task.
func (b *messageBench) work(t *testing.T, taskID string) *mailbox {
	t.Helper()
	due, err := b.mails.Due(t.Context(), 0, 0, 10)
	if err != nil || len(due) != 1 {
		t.Fatalf("Due = %+v, %v, want one mail", due, err)
	}
	if err := b.queue.EnqueueDue(t.Context(), due[0]); err != nil {
		t.Fatal(err)
	}
	info, err := asynq.NewInspectorFromRedisClient(b.client).GetTaskInfo(queue.Email, taskID)
	if err != nil || info.State != asynq.TaskStatePending {
		t.Fatalf("task %s: %+v, %v, want it pending", taskID, info, err)
	}
	public, _ := url.Parse("https://signup.example.com")
	written, err := tasks.NewMails(public, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	box := &mailbox{}
	handler := &tasks.EmailHandler{
		Claims: b.mails, Sender: box, Keys: b.keys, Mails: written, Timeout: 8 * time.Second,
		Metrics: tasks.NewMetrics(prometheus.NewRegistry()),
	}
	if err := handler.ProcessTask(t.Context(), asynq.NewTask(info.Type, info.Payload)); err != nil {
		t.Fatal(err)
	}
	return box
}

func TestMessages_list_shows_SMS_and_mails_with_the_newest_first(t *testing.T) {
	t.Parallel()
	eachMessageBench(t, func(t *testing.T, b *messageBench) {
		code := b.failedCode(t)
		_, mail := b.register(t)
		lines := strings.Split(strings.TrimSpace(b.must(t, "messages", "list")), "\n")
		if len(lines) != 3 {
			t.Fatalf("got %d lines:\n%s", len(lines), strings.Join(lines, "\n"))
		}
		want(t, lines[1], nil, mail.ID, "email", "activation", "l***@example.com", "queued")
		want(t, lines[2], nil, code, "sms", "register", "138****8000", "failed", "isv.OUT_OF_SERVICE", "aliyun")

		for _, flags := range [][]string{
			{"-state", "dead"},
			{"-channel", "sms"},
			{"-to", "13800138000"},
			{"-to", "138****8000"},
			{"-code", "isv.OUT_OF_SERVICE"},
			{"-purpose", "register"},
			{"-provider", "aliyun"},
			{"-request-id", "request-of-code"},
			{"-state", "failed,sent", "-since", "1h", "-until", "2100-01-02T03:04:05Z"},
		} {
			out := b.must(t, append([]string{"messages", "list", "-json"}, flags...)...)
			var view map[string]any
			if err := json.Unmarshal([]byte(out), &view); err != nil || view["id"] != code || view["state"] != "failed" {
				t.Errorf("%v: %v\n%s", flags, err, out)
			}
			if _, there := view["delivered_at"]; there {
				t.Errorf("%v: what is not known is not left out:\n%s", flags, out)
			}
		}
		want(t, b.must(t, "messages", "list", "-to", "LiLei@example.com"), nil, mail.ID)
		want(t, b.must(t, "messages", "list", "-until", "1h"), nil, "No messages match.")
	})
}

func TestMessages_refuse_flags_that_make_no_sense(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{
		{},
		{"remove"},
		{"list", "-channel", "fax"},
		{"list", "-state", "lost"},
		{"list", "-to", "1380013800"},
		{"list", "-since", "yesterday"},
		{"list", "-until", "-1h"},
		{"list", "-limit", "0"},
		{"list", "-limit", "10001"},
		{"list", "an-id"},
		{"show"},
		{"show", "one", "two"},
		{"retry"},
		{"retry", "-all", "an-id"},
		{"retry", "an-id", "-state", "dead"},
	} {
		var out bytes.Buffer
		err := run(t.Context(), app.Process{Args: append([]string{"messages"}, args...), Stdout: &out, Stderr: &out})
		if _, ok := errors.AsType[*app.UsageError](err); !ok {
			t.Errorf("%v: %v, want a usage error", args, err)
		}
		if err != nil && strings.Contains(err.Error(), "1380013800") {
			t.Errorf("%v quotes the number: %v", args, err)
		}
	}
}

func TestMessages_show_says_what_both_stores_know(t *testing.T) {
	t.Parallel()
	eachMessageBench(t, func(t *testing.T, b *messageBench) {
		code := b.issue(t)
		want(t, b.must(t, "messages", "show", code), nil, "register", "queued; the database does not have it yet")
		b.attempt(t, code, messages.Outcome{State: messages.Sent, Provider: "aliyun", ProviderID: "biz-1"})
		want(t, b.must(t, "messages", "show", code), nil,
			"request-of-code", "138****8000", "biz-1", "accepted ", "ms", "useful until", "+5m0s")
		want(t, b.must(t, "messages", "show", code, "-json"), nil, `"redis_state":"sent"`, `"provider_id":"biz-1"`)

		_, mail := b.register(t)
		out := b.must(t, "messages", "show", mail.ID)
		want(t, out, nil, "l***@example.com", "request-of-sign-up")
		if strings.Contains(out, "Redis") {
			t.Errorf("a mail is not in Redis:\n%s", out)
		}
		out, err := b.run(t, "messages", "show", uuid.NewString())
		if err == nil {
			t.Errorf("an unknown id is shown:\n%s", out)
		}

		b.environ["USHER_REDIS_URL"] = "redis://127.0.0.1:1/0"
		want(t, b.must(t, "messages", "show", code), nil, "does not answer", "biz-1")
	})
}

func TestMessages_retry_sends_a_mail_that_failed(t *testing.T) {
	t.Parallel()
	eachMessageBench(t, func(t *testing.T, b *messageBench) {
		_, mail := b.failedMail(t)
		want(t, b.must(t, "messages", "retry", "-dry-run", mail.ID), nil, "would be requeued")
		want(t, b.must(t, "messages", "list", "-state", "failed"), nil, mail.ID)
		want(t, b.must(t, "messages", "retry", mail.ID), nil, "requeued")
		box := b.work(t, mail.ID+":1")
		if len(box.mails) != 1 || box.mails[0].To != b.email {
			t.Errorf("%d mails went out, want one", len(box.mails))
		}
		want(t, b.must(t, "messages", "show", mail.ID), nil, "sent", "mailbox", "requeued")

		out, err := b.run(t, "messages", "retry", mail.ID)
		want(t, out, err, "not requeued: it was sent; -force", "0 of 1")
		b.must(t, "messages", "retry", mail.ID, "-force")
		if box := b.work(t, mail.ID+":2"); len(box.mails) != 1 {
			t.Errorf("%d mails went out by force, want one", len(box.mails))
		}
	})
}

// A mail that waits is on its way only while its task is: not when an operator archived or deleted that.
func TestMessages_retry_tells_the_truth_of_a_mail_that_waits(t *testing.T) {
	t.Parallel()
	eachMessageBench(t, func(t *testing.T, b *messageBench) {
		inspector := asynq.NewInspectorFromRedisClient(b.client)
		_, mail := b.register(t)
		if err := b.queue.EnqueueMail(t.Context(), mail); err != nil {
			t.Fatal(err)
		}
		out, err := b.run(t, "messages", "retry", mail.ID)
		want(t, out, err, "not requeued: it is being sent")
		for i, put := range []func(queue, id string) error{inspector.ArchiveTask, inspector.DeleteTask} {
			if err := put(queue.Email, tasks.MailTaskID(mail.ID, i)); err != nil {
				t.Fatal(err)
			}
			want(t, b.must(t, "messages", "retry", "-dry-run", mail.ID), nil, "would be requeued")
			want(t, b.must(t, "messages", "retry", mail.ID), nil, "requeued")
			due, err := b.mails.Due(t.Context(), 0, 0, 10)
			if err != nil || len(due) != 1 || due[0].ID != mail.ID || due[0].Enqueues != i+1 {
				t.Fatalf("%d: due %+v, %v, want it at once, under a new name", i, due, err)
			}
			if err := b.queue.EnqueueDue(t.Context(), due[0]); err != nil {
				t.Fatal(err)
			}
		}
		b.environ["USHER_REDIS_URL"] = "redis://127.0.0.1:1/0"
		out, err = b.run(t, "messages", "retry", mail.ID)
		want(t, out, err, "it waits in the database, and Redis")
	})
}

func TestMessages_retry_says_why_a_mail_is_not_sent(t *testing.T) {
	t.Parallel()
	eachMessageBench(t, func(t *testing.T, b *messageBench) {
		account, mail := b.failedMail(t)
		if _, err := b.accounts.Activate(t.Context(), account, "", time.Now(), nil); err != nil {
			t.Fatal(err)
		}
		out, err := b.run(t, "messages", "retry", mail.ID, uuid.NewString())
		want(t, out, err, "the address is already proved", "no message has this id", "0 of 2")
		if _, usage := errors.AsType[*app.UsageError](err); usage || err == nil {
			t.Errorf("got %v, want an error that is none of usage", err)
		}
	})
}

func TestMessages_retry_puts_the_task_of_a_code_back(t *testing.T) {
	t.Parallel()
	eachMessageBench(t, func(t *testing.T, b *messageBench) {
		id := b.failedCode(t)
		want(t, b.must(t, "messages", "retry", id, "-dry-run"), nil, "would be requeued")
		want(t, b.must(t, "messages", "retry", id), nil, "requeued")
		info, err := asynq.NewInspectorFromRedisClient(b.client).GetTaskInfo(queue.SMS, id)
		if err != nil || info.State != asynq.TaskStatePending {
			t.Errorf("task: %+v, %v, want it pending", info, err)
		}
		out, err := b.run(t, "messages", "retry", id)
		want(t, out, err, "its task is on the queue already")
		b.save(t)
		want(t, b.must(t, "messages", "list", "-state", "queued"), nil, id)
		b.attempt(t, id, messages.Outcome{State: messages.Sent, Provider: "aliyun", ProviderID: "biz-2"})
		out, err = b.run(t, "messages", "retry", id)
		want(t, out, err, "a code is not sent twice")

		if err := asynq.NewInspectorFromRedisClient(b.client).DeleteTask(queue.SMS, id); err != nil {
			t.Fatal(err)
		}
		out, err = b.run(t, "messages", "retry", verify.NewID(b.keys.Index("mobile", "13900139000")))
		want(t, out, err, "Redis does not know this code any more")
		b.environ["USHER_REDIS_URL"] = "redis://127.0.0.1:1/0"
		out, err = b.run(t, "messages", "retry", id)
		want(t, out, err, "Redis, where codes are kept, does not answer")
	})
}

func TestMessages_retry_leaves_a_code_alone_whose_task_is_gone(t *testing.T) {
	t.Parallel()
	eachMessageBench(t, func(t *testing.T, b *messageBench) {
		id := b.failedCode(t)
		if err := asynq.NewInspectorFromRedisClient(b.client).DeleteTask(queue.SMS, id); err != nil {
			t.Fatal(err)
		}
		out, err := b.run(t, "messages", "retry", id)
		want(t, out, err, "its task is gone")
		if status, err := b.redis.Codes().Status(t.Context(), id); err != nil || status.State != messages.Failed {
			t.Errorf("Status = %+v, %v, want failed", status, err)
		}
	})
}

func TestMessages_retry_all_takes_what_is_still_of_use(t *testing.T) {
	t.Parallel()
	eachMessageBench(t, func(t *testing.T, b *messageBench) {
		want(t, b.must(t, "messages", "retry", "-all", "-yes"), nil, "No messages match")
		code := b.failedCode(t)
		account, mail := b.failedMail(t)
		ended := accounts.Mail{ID: uuid.NewString(), NotAfter: time.Now(), CreatedAt: time.Now(), Purpose: accounts.MailPasswordChanged}
		_, err := b.accounts.ChangePassword(t.Context(), account, "hash", &accounts.Change{
			ID: uuid.NewString(), AccountID: account.ID, Kind: accounts.ChangedPassword, At: time.Now(), EndsAt: time.Now(),
			Mails: []*accounts.Mail{&ended},
		})
		if err != nil {
			t.Fatal(err)
		}
		_, _ = b.mails.Claim(t.Context(), ended.ID, time.Minute)
		out := b.must(t, "messages", "retry", "-all", "-dry-run")
		want(t, out, nil, code, mail.ID)
		if strings.Contains(out, ended.ID) {
			t.Errorf("what has ended is not left out:\n%s", out)
		}
		want(t, b.must(t, "messages", "list", "-state", "failed"), nil, code, mail.ID)
		out = b.must(t, "messages", "retry", "-all", "-yes", "-channel", "email")
		if strings.Contains(out, code) || !strings.Contains(out, mail.ID) {
			t.Errorf("the filter did not hold:\n%s", out)
		}
		b.must(t, "messages", "retry", "-all", "-yes")
		want(t, b.must(t, "messages", "retry", "-all", "-yes", "-channel", "email"), nil, "No messages match", "1 match and have expired")
	})
}

// A bulk retry counts by reason and result, asks, sends what is useful once, and repeats nothing.
func TestMessages_retry_all_previews_asks_and_is_idempotent(t *testing.T) {
	t.Parallel()
	eachMessageBench(t, func(t *testing.T, b *messageBench) {
		code := b.failedCode(t)
		_, mail := b.failedMail(t)
		d, err := openDesk(t.Context(), app.Process{Environ: b.environ})
		if err != nil {
			t.Fatal(err)
		}
		defer d.close()
		archive := &tasks.Archive{Inspector: asynq.NewInspectorFromRedisClient(b.client), Namespace: d.namespace}
		retry := func(answer string) string {
			var out bytes.Buffer
			r := &retrier{desk: d, archive: archive, out: &out}
			filter := sqlstore.Filter{Limit: sqlstore.ListMost}
			if err := r.retryBulk(t.Context(), app.Process{Stdout: &out}, retryFlags{all: true, rate: bulkRate}, filter, strings.NewReader(answer)); err != nil {
				t.Fatal(err)
			}
			return out.String()
		}
		want(t, retry("n\n"), nil, "COUNT", "would be requeued", "Continue?", "Nothing was changed.")
		var plan bulkResult
		if err := json.Unmarshal([]byte(b.must(t, "messages", "retry", "-all", "-dry-run", "-json")), &plan); err != nil {
			t.Fatal(err)
		}
		if !plan.DryRun || plan.Requeued != 2 || plan.NotRequeued != 0 || len(plan.Groups) != 2 {
			t.Errorf("plan %+v, want two groups of one message each", plan)
		}
		out := retry("y\n")
		want(t, out, nil, code, mail.ID, "1      email", "1      sms")
		if !strings.Contains(out[strings.Index(out, "Continue?"):], "  requeued") {
			t.Errorf("no result after the answer:\n%s", out)
		}
		b.save(t)
		if out := retry("y\n"); !strings.Contains(out, "No messages match") {
			t.Errorf("a second run repeats what the first has requeued:\n%s", out)
		}
		if box := b.work(t, mail.ID+":1"); len(box.mails) != 1 {
			t.Errorf("%d mails went out, want one", len(box.mails))
		}
	})
}

func TestMessages_retry_all_needs_a_terminal_to_ask(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		flags    retryFlags
		terminal bool
		refused  bool
	}{
		{retryFlags{all: true}, false, true},
		{retryFlags{all: true}, true, false},
		{retryFlags{all: true, yes: true}, false, false},
		{retryFlags{all: true, dryRun: true}, false, false},
	} {
		test.flags.rate = bulkRate
		err := test.flags.check(newFlags("retry", ""), nil, test.terminal)
		if _, usage := errors.AsType[*app.UsageError](err); usage != test.refused {
			t.Errorf("%+v, terminal %t: %v", test.flags, test.terminal, err)
		}
	}
}

func TestMessages_retry_takes_only_a_clear_yes(t *testing.T) {
	t.Parallel()
	for answer, want := range map[string]bool{"y\n": true, " YES \n": true, "": false, "\n": false, "n\n": false, "yup\n": false} {
		if got := confirmed(strings.NewReader(answer), &bytes.Buffer{}); got != want {
			t.Errorf("%q: %t, want %t", answer, got, want)
		}
	}
}
