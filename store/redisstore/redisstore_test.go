package redisstore_test

import (
	"context"
	"encoding/base64"
	"errors"
	"net"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"usher/contact"
	"usher/internal/testkit"
	"usher/limits"
	"usher/messages"
	"usher/reports"
	"usher/secrets"
	"usher/store/redisconn"
	"usher/store/redisstore"
	"usher/verify"
)

// trips counts round trips, keeps their commands, and loses answers when told to.
type trips struct {
	n    atomic.Int64
	lose atomic.Bool

	mu       sync.Mutex
	commands []redis.Cmder
}

func (t *trips) note(cmds ...redis.Cmder) {
	t.n.Add(1)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.commands = append(t.commands, cmds...)
}

// take returns the commands since the last call.
func (t *trips) take() []redis.Cmder {
	t.mu.Lock()
	defer t.mu.Unlock()
	commands := t.commands
	t.commands = nil
	return commands
}

func (t *trips) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := next(ctx, network, addr)
		return &lossy{Conn: conn, trips: t}, err
	}
}

func (t *trips) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		t.note(cmd)
		return next(ctx, cmd)
	}
}

func (t *trips) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		t.note(cmds...)
		return next(ctx, cmds)
	}
}

// lossy is a connection that can break after the server has answered.
type lossy struct {
	net.Conn
	trips *trips
}

func (l *lossy) Read(b []byte) (int, error) {
	n, err := l.Conn.Read(b)
	if err == nil && l.trips.lose.CompareAndSwap(true, false) {
		_ = l.Conn.Close()
		return 0, net.ErrClosed
	}
	return n, err
}

type bundle struct {
	store *redisstore.Store
	trips *trips
}

func setup(t testing.TB, url string) *bundle {
	t.Helper()
	client, err := redisconn.Open(url, redisconn.Settings{Timeout: testkit.RedisPatience})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	keys, err := secrets.ParseKeys("k1:" + base64.StdEncoding.EncodeToString([]byte(strings.Repeat("k", 32))))
	if err != nil {
		t.Fatal(err)
	}
	b := &bundle{store: redisstore.New(client, keys, time.Now), trips: &trips{}}
	client.AddHook(b.trips)
	return b
}

func mobile() contact.Mobile {
	m, err := contact.ParseMobile("13800138000")
	if err != nil {
		panic(err)
	}
	return m
}

// newIssue returns a code of a number that has none yet.
func newIssue() verify.Issue {
	subject, now := secrets.Random(16), time.Now()
	return verify.Issue{
		ID: verify.NewID(subject), Subject: subject, Purpose: verify.Login, KeyID: "k1", MAC: "mac",
		IssuedAt: now, ExpiresAt: now.Add(5 * time.Minute), ResendAfter: time.Minute, MaxAttempts: 5,
	}
}

// steps is the life of one code, each step one call.
func (b *bundle) steps(ctx context.Context) []step {
	issue, codes := newIssue(), b.store.Codes()
	var claim messages.Claim
	var entries []messages.Entry
	var run string
	spends := []limits.Spend{
		{Limit: limits.Limit{Name: "a", Count: 1000, Period: time.Hour}, Subject: "203.0.113.7"},
		{Limit: limits.Limit{Name: "b", Count: 1000, Period: time.Hour}, Subject: "203.0.113.7"},
		{Limit: limits.Limit{Name: "c", Count: 1000, Period: time.Hour}, Subject: "203.0.113.0/24"},
		{Limit: limits.Limit{Name: "d", Count: 1000, Period: time.Hour, Percent: 30}, Subject: "1380013"},
	}
	return []step{
		{"Admit", func() error { _, _, err := b.store.Gate().Admit(ctx, "captcha", spends); return err }},
		{"Watch", func() error { _, _, err := b.store.Gate().Admit(ctx, "", spends[:1], spends[1:3]...); return err }},
		{"Spend", func() error { _, _, err := b.store.Gate().Admit(ctx, "", spends); return err }},
		{"Issue", func() error { return codes.Issue(ctx, issue) }},
		{"Claim", func() (err error) { claim, err = codes.Claim(ctx, issue.ID, time.Minute); return err }},
		{"Record", func() error {
			return codes.Record(ctx, claim, messages.Outcome{State: messages.Sent, At: time.Now()})
		}},
		{"Apply", func() error {
			_, err := b.store.Reports().Apply(ctx, []reports.Report{{MessageID: issue.ID, State: messages.Delivered}})
			return err
		}},
		{"Remember", func() error {
			_, err := b.store.Reports().Remember(ctx, "ronglian", "reference", issue.ID)
			return err
		}},
		{"TryLock", func() error { _, err := b.store.Reports().TryLock(ctx, "pull", time.Minute); return err }},
		{"Status", func() error { _, err := codes.Status(ctx, issue.ID); return err }},
		{"Try", func() error { _, err := codes.Try(ctx, issue.ID, issue.Purpose); return err }},
		{"Use", func() error { _, err := codes.Use(ctx, issue.ID); return err }},
		{"Restore", func() error { return codes.Restore(ctx, issue.ID) }},
		{"Peek", func() error { _, err := b.store.Captchas().Peek(ctx, "captcha"); return err }},
		{"Begin", func() (err error) { run, _, _, err = b.store.Answers().Begin(ctx, issue.ID, "body"); return err }},
		{"Keep", func() error { return b.store.Answers().Keep(ctx, issue.ID, run, "answer") }},
		{"Drop", func() error { return b.store.Answers().Drop(ctx, issue.ID, run) }},
		{"Retry", func() error { _, err := codes.Retry(ctx, issue.ID, false); return err }},
		{"Void", func() error { return codes.Void(ctx, messages.SMS, issue.ID, "") }},
		{"Read", func() (err error) { entries, _, err = b.store.Outcomes().Read(ctx, 1000); return err }},
		{"Backlog", func() error { _, _, err := b.store.Outcomes().Backlog(ctx); return err }},
		{"Remove", func() error {
			return b.store.Outcomes().Remove(ctx, append(entries, messages.Entry{Log: "usher:{AA}:outcomes", ID: "1-1"}))
		}},
		{"Left", func() error { _, err := b.store.Gate().Left(ctx, spends[0]); return err }},
		{"Entered", func() error { return b.store.Gate().Entered(ctx, mobile()) }},
		{"Refund", func() error { return b.store.Gate().Refund(ctx, spends) }},
		{"Know", func() error { return b.store.Gate().Know(ctx, time.Hour, "a network", "a login") }},
		{"Known", func() error { _, err := b.store.Gate().Known(ctx, "a network", "a login"); return err }},
	}
}

type step struct {
	name string
	call func() error
}

func TestStore_takes_one_round_trip_a_call(t *testing.T) {
	t.Parallel()
	testkit.EachRedis(t, func(t *testing.T, url string) {
		b := setup(t, url)
		for _, step := range b.steps(t.Context()) { // the first time scripts are sent in full
			if err := step.call(); err != nil {
				t.Fatalf("%s: %v", step.name, err)
			}
		}
		for _, step := range b.steps(t.Context()) {
			before := b.trips.n.Load()
			if err := step.call(); err != nil {
				t.Errorf("%s: %v", step.name, err)
			}
			if n := b.trips.n.Load() - before; n != 1 {
				t.Errorf("%s took %d round trips", step.name, n)
			}
		}
	})
}

// A cluster runs a script only when all its keys are of one slot, which the part in braces decides. Scripts
// make some keys themselves, of arguments that begin like keys.
func TestStore_keeps_the_keys_of_a_script_in_one_slot(t *testing.T) {
	t.Parallel()
	b := setup(t, testkit.Miniredis(t))
	for _, step := range b.steps(t.Context()) {
		if err := step.call(); err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
	}
	key, scripts := regexp.MustCompile(`^usher:\{([\w-]{2})\}:`), 0
	for _, cmd := range b.trips.commands {
		if cmd.Name() == "hello" || cmd.Name() == "client" {
			continue // the connection's own
		}
		tags := map[string]bool{}
		for _, arg := range cmd.Args()[1:] {
			text, _ := arg.(string)
			if found := key.FindStringSubmatch(text); found != nil {
				tags[found[1]] = true
			} else if strings.HasPrefix(text, "usher:") {
				t.Errorf("%s has the key %q without a tag", cmd.Name(), text)
			}
		}
		if len(tags) != 1 {
			t.Errorf("%s has keys of %d slots", cmd.Name(), len(tags))
		}
		if strings.HasPrefix(cmd.Name(), "eval") {
			scripts++
		}
	}
	if scripts == 0 {
		t.Error("no script was looked at")
	}
}

// The server does what it is asked and its answer is lost: the client asks again, and every step must
// still succeed, once.
func TestStore_survives_lost_answers(t *testing.T) {
	t.Parallel()
	testkit.EachRedis(t, func(t *testing.T, url string) {
		b := setup(t, url)
		for _, step := range b.steps(t.Context()) {
			if err := step.call(); err != nil {
				t.Fatalf("%s: %v", step.name, err)
			}
		}
		for _, step := range b.steps(t.Context()) {
			b.trips.lose.Store(true)
			if err := step.call(); err != nil {
				t.Errorf("%s after its answer was lost: %v", step.name, err)
			}
			if b.trips.lose.Load() {
				t.Errorf("%s: no answer was lost", step.name)
			}
		}
	})
}

func TestStore_reports_an_unavailable_Redis(t *testing.T) {
	t.Parallel()
	// A socket that is not there: a port that was free might be another test's server by now.
	url := "unix://:SECRET@" + filepath.Join(t.TempDir(), "redis.sock")
	b := setup(t, url)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for _, step := range b.steps(ctx) {
		if step.name == "Record" {
			continue // without a claim it is stale whatever Redis says
		}
		err := step.call()
		if err == nil || strings.Contains(err.Error(), "SECRET") {
			t.Errorf("%s with Redis away: %v", step.name, err)
		}
		for _, domain := range []error{verify.ErrExpired, verify.ErrNotFound, messages.ErrDropped, context.DeadlineExceeded} {
			if errors.Is(err, domain) {
				t.Errorf("%s with Redis away: %v", step.name, err)
			}
		}
	}
}
