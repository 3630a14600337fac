package api_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"

	"usher/accounts"
	"usher/api"
	"usher/apps"
	"usher/captcha"
	"usher/captcha/pow"
	"usher/contact"
	"usher/internal/testkit"
	"usher/limits"
	"usher/passwords"
	"usher/reports"
	"usher/secrets"
	"usher/store/redisconn"
	"usher/store/redisstore"
	"usher/store/sqlstore"
	"usher/verify"
	"usher/web"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// What the tests' people type. Each is a secret that no log may hold.
const (
	captchaText = "k7m3p"
	password    = "correct horse battery"
	number      = "13800138000"
	address     = "li.lei@example.com"
)

// workMost is how much work a proof of the normal price takes at most.
const workMost = 20

// bundle is a whole HTTP face on real services and stores, with the workers' side of the queue in
// the test's hands.
type bundle struct {
	t       testing.TB
	face    *api.Server
	server  *httptest.Server
	clock   *testkit.Clock
	redis   *miniredis.Miniredis
	client  redis.UniversalClient
	db      *sqlstore.DB
	store   *sqlstore.Accounts
	keys    *secrets.Keys
	logs    *testkit.Buffer
	metrics *prometheus.Registry
	sms     *smsQueue
	mails   *mailQueue
}

// setup starts a face; change may alter it before it serves.
func setup(t testing.TB, change func(*api.Server)) *bundle {
	t.Helper()
	b := &bundle{t: t, clock: testkit.NewClock(time.Now()), sms: &smsQueue{}, mails: &mailQueue{}, metrics: prometheus.NewRegistry()}
	var logger *slog.Logger
	logger, b.logs = testkit.Logger(t)
	b.keys = must(secrets.ParseKeys("k1:MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="))(t)

	b.redis = testkit.NewMiniredis(t)
	b.client = must(redisconn.Open("redis://"+b.redis.Addr()+"/0", redisconn.Settings{Timeout: testkit.RedisPatience}))(t)
	t.Cleanup(func() { _ = b.client.Close() })
	redis := redisstore.New(b.client, b.keys, b.clock.Now)
	db := must(sqlstore.Open(t.Context(), testkit.SQLite(t), sqlstore.Settings{}))(t)
	t.Cleanup(func() { _ = db.Close() })
	if err := sqlstore.Migrate(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	b.db, b.store = db, sqlstore.NewAccounts(db, b.keys)

	codes := &verify.Service{
		Codes: redis.Codes(), Uses: sqlstore.NewSpent(db, b.clock.Now), Queue: b.sms, Keys: b.keys, Now: b.clock.Now, Logger: logger,
		Policy: verify.Policy{
			CodeLength: 6, CodeTTL: 5 * time.Minute, ResendInterval: time.Minute, MaxAttempts: 5,
			EmailCodeLength: 8, EmailCodeTTL: 10 * time.Minute,
		},
	}
	b.face = &api.Server{
		Verify: codes,
		Accounts: &accounts.Service{
			Store: b.store, Codes: codes, Mailer: b.mails, Remains: b, Passwords: passwords.NewHasherOf(2, passwords.Cost{MemoryKiB: 64, Passes: 1}), Keys: b.keys,
			Policy: accounts.Policy{
				Registration: accounts.Either, Asked: accounts.Asked{Username: true, Password: true, PasswordRepeat: true, Email: true}, ActivationTTL: time.Hour, UnprovedTTL: 24 * time.Hour, NumberRecheck: 180 * 24 * time.Hour,
			},
			Now: b.clock.Now, Logger: logger,
		},
		Captcha:  must(captcha.New(captcha.Config{Fixed: captchaText}))(t),
		Work:     &pow.Maker{Secrets: []pow.Secrets{{Challenge: "c", Key: "k"}}, Most: workMost},
		Captchas: redis.Captchas(), Gate: redis.Gate(), Answers: redis.Answers(), Sessions: redis.Sessions(),
		Reports: &reports.Service{
			Store: redis.Reports(), Pushes: redis.Reports(), Metrics: reports.NewMetrics(b.metrics), Now: b.clock.Now, Logger: logger,
		},
		Apps: apps.NewKeyring(sqlstore.NewApps(db), b.clock.Now, logger),

		Directory: sqlstore.NewDirectory(db, b.keys),

		Limits: limits.Defaults(), Metrics: api.NewMetrics(b.metrics), Web: must(web.New(nil))(t), Logger: logger, Now: b.clock.Now,
		Config: api.Config{
			PublicURL: must(url.Parse("http://localhost:8080"))(t), Registration: accounts.Either,
			AllowedOrigins: []string{"https://app.example.com"},
			ReportSecret:   reportSecret,
			CaptchaTTL:     5 * time.Minute, SessionIdle: 30 * time.Minute,
			SessionLifetime: 12 * time.Hour, SessionRemember: 7 * 24 * time.Hour,
		},
	}
	if change != nil {
		change(b.face)
	}
	b.server = httptest.NewServer(b.face.Handler())
	t.Cleanup(b.server.Close)
	return b
}

// Forget implements [accounts.Remains] for sessions. Package app tests the rest.
func (b *bundle) Forget(ctx context.Context, erased []accounts.Erased) error {
	var f redisstore.Forgotten
	for _, e := range erased {
		f.Owners = append(f.Owners, accounts.SessionOwner(e.ID, e.Sessions))
	}
	return redisstore.New(b.client, b.keys, b.clock.Now).Forget(ctx, f)
}

// must ends the test with the error, if there is one: must(f())(t).
func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// person returns a new browser of its own, which keeps cookies and holds every answer against the
// contract.
func (b *bundle) person() *person {
	return &person{b: b, client: &http.Client{
		Jar:           must(cookiejar.New(nil))(b.t),
		Transport:     &contract{t: b.t, next: http.DefaultTransport},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// smsQueue keeps what was enqueued; refuse makes it answer with an error.
type smsQueue struct {
	mu     sync.Mutex
	codes  []verify.Queued
	refuse error
}

// EnqueueCode implements [verify.Queue].
func (q *smsQueue) EnqueueCode(_ context.Context, code verify.Queued) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.refuse != nil {
		return q.refuse
	}
	q.codes = append(q.codes, code)
	return nil
}

func (q *smsQueue) all() []verify.Queued {
	q.mu.Lock()
	defer q.mu.Unlock()
	return append([]verify.Queued(nil), q.codes...)
}

// mailQueue keeps what was enqueued.
type mailQueue struct {
	mu    sync.Mutex
	mails []accounts.Mail
}

// EnqueueMail implements [accounts.Mailer].
func (q *mailQueue) EnqueueMail(_ context.Context, mail accounts.Mail) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.mails = append(q.mails, mail)
	return nil
}

func (q *mailQueue) all() []accounts.Mail {
	q.mu.Lock()
	defer q.mu.Unlock()
	return append([]accounts.Mail(nil), q.mails...)
}

// codeID is the id of the newest code for a number, as its person's client remembers it. For a number without a code
// it is one that no code has.
func (b *bundle) codeID(mobile any) string {
	id := strings.Repeat("A", 44)
	for _, q := range b.sms.all() {
		if q.To.Reveal() == mobile {
			id = q.ID
		}
	}
	return id
}

// lastCode derives the newest code as a worker would.
func (b *bundle) lastCode() string {
	b.t.Helper()
	all := b.sms.all()
	if len(all) == 0 {
		b.t.Fatal("no code was enqueued")
	}
	q := all[len(all)-1]
	return must(b.keys.Code(q.Derivation()))(b.t)
}

// lastToken derives the token of the newest activation mail, which went to this address, as a worker would.
func (b *bundle) lastToken(email string) string {
	b.t.Helper()
	mail, account := b.lastMail()
	account.PendingEmail = must(contact.ParseEmail(email))(b.t) // although it may be proved by now
	return must(accounts.ActivationToken(b.keys, accounts.ClaimedMail{Mail: mail, Account: account}))(b.t)
}

// lastMail returns the newest activation mail and its account as it is now.
func (b *bundle) lastMail() (accounts.Mail, accounts.Account) {
	b.t.Helper()
	for _, mail := range slices.Backward(b.mails.all()) {
		if mail.Purpose == accounts.MailActivation {
			var id string
			if err := b.db.Unwrap().GetContext(b.t.Context(), &id, "select account_id from messages where id = ?", mail.ID); err != nil {
				b.t.Fatal(err)
			}
			return mail, must(b.store.Find(b.t.Context(), accounts.Key{By: accounts.ByID, Value: id}))(b.t)
		}
	}
	b.t.Fatal("no activation mail was enqueued")
	return accounts.Mail{}, accounts.Account{}
}
