package redisstore_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"hash/fnv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"usher/contact"
	"usher/internal/testkit"
	"usher/limits"
	"usher/messages"
	"usher/secrets"
	"usher/store/redisstore"
	"usher/verify"
)

// fixture is what a test of the Redis half works with: its own clock and numbers on a shared database.
type fixture struct {
	client  redis.UniversalClient
	store   *redisstore.Store
	codes   *redisstore.Codes
	service *verify.Service
	queue   *queue
	keys    *secrets.Keys
	clock   *testkit.Clock
	mobile  contact.Mobile
	subject string
}

// probe runs the full probe.
func (b *fixture) probe(t *testing.T) {
	t.Helper()
	if warning, err := b.store.ProbeAll(t.Context()); err != nil || warning != nil {
		t.Fatalf("ProbeAll: %v, %v", warning, err)
	}
}

// policy is that of the tests' service; no limit of a number is in its way.
func policy() verify.Policy {
	return verify.Policy{CodeLength: 6, CodeTTL: 5 * time.Minute, ResendInterval: time.Minute, MaxAttempts: 5}
}

// newRedis opens the database with time-outs that a busy machine keeps; production's are in redisconn.Open.
func newFixture(t *testing.T, url string) *fixture {
	t.Helper()
	options, err := redis.ParseURL(url)
	if err != nil {
		t.Fatal(err)
	}
	options.ReadTimeout, options.WriteTimeout, options.PoolTimeout = time.Minute, time.Minute, time.Minute
	options.DialTimeout, options.PoolSize = time.Minute, 32
	client := redis.NewClient(options)
	t.Cleanup(func() {
		if err := client.Close(); err != nil {
			t.Errorf("close client: %v", err)
		}
	})
	keys, err := secrets.ParseKeys("k1:" + base64.StdEncoding.EncodeToString([]byte(strings.Repeat("k", 32))))
	if err != nil {
		t.Fatal(err)
	}
	mobile, err := contact.ParseMobile(numberOf(t.Name()))
	if err != nil {
		t.Fatal(err)
	}
	clock := testkit.NewClock(time.Date(2031, 5, 6, 7, 8, 9, 123_000_000, time.UTC))
	b := &fixture{
		client: client, store: redisstore.New(client, keys, clock.Now), keys: keys, clock: clock,
		queue: &queue{}, mobile: mobile, subject: keys.Index("mobile", mobile.Reveal()),
	}
	b.codes = b.store.Codes()
	logger, _ := testkit.Logger(t)
	b.service = &verify.Service{
		Codes: b.codes, Queue: b.queue, Keys: keys, Policy: policy(), Now: clock.Now, Logger: logger,
	}
	return b
}

// numberOf gives every test a number of its own.
func numberOf(name string) string {
	h := fnv.New32a()
	_, _ = h.Write([]byte(name))
	return fmt.Sprintf("138%08d", h.Sum32()%100_000_000)
}

// unlimited takes the limits of the number out of the way.
func (b *fixture) unlimited() {
	b.store.Rules.Set = limits.Set{}
}

// issue asks the service for a code.
func (b *fixture) issue(t *testing.T, purpose verify.Purpose) verify.Issued {
	t.Helper()
	issued, err := b.service.Issue(t.Context(), verify.Request{To: b.mobile, Purpose: purpose, RequestID: "r1"})
	if err != nil {
		t.Fatalf("Issue: %v", err)
	}
	return issued
}

// replace asks for another code by a person who has one.
func (b *fixture) replace(t *testing.T, purpose verify.Purpose, id string) verify.Issued {
	t.Helper()
	issued, err := b.service.Issue(t.Context(), verify.Request{To: b.mobile, Purpose: purpose, Replaces: id, RequestID: "r1"})
	if err != nil {
		t.Fatalf("Issue: %v", err)
	}
	return issued
}

// code derives the digits of an issued code as a worker does.
func (b *fixture) code(t *testing.T, id string, purpose verify.Purpose) string {
	t.Helper()
	code, err := b.keys.Code(secrets.Derivation{
		KeyID: b.keys.SigningID(), ID: id, To: b.mobile.Reveal(), Purpose: string(purpose), Length: 6,
	})
	if err != nil {
		t.Fatal(err)
	}
	return code
}

// wrong returns digits that differ from the code.
func wrong(code string, by int) string {
	var n int
	_, _ = fmt.Sscanf(code, "%d", &n)
	return fmt.Sprintf("%06d", (n+by)%1_000_000)
}

// claim claims a code that nothing speaks against.
func (b *fixture) claim(t *testing.T, id string) messages.Claim {
	t.Helper()
	claim, err := b.codes.Claim(t.Context(), id, 30*time.Second)
	if err != nil {
		t.Fatalf("Claim: %v, %q", err, claim.Reason)
	}
	return claim
}

// wantState compares a code's state.
func (b *fixture) wantState(t *testing.T, id string, want messages.State) {
	t.Helper()
	status, err := b.codes.Status(t.Context(), id)
	if err != nil || status.State != want {
		t.Errorf("Status = %q, %v, want %q", status.State, err, want)
	}
}

// queue takes codes in place of Asynq.
type queue struct {
	mu     sync.Mutex
	queued []verify.Queued
	err    error
}

// EnqueueCode keeps the code, or fails as it was told.
func (q *queue) EnqueueCode(_ context.Context, code verify.Queued) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.err != nil {
		return q.err
	}
	q.queued = append(q.queued, code)
	return nil
}

func (q *queue) len() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.queued)
}

func (q *queue) fail(err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.err = err
}
