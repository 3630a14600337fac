package api_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hibiken/asynq"

	"usher/accounts"
	"usher/api"
	"usher/limits"
	"usher/store/redisstore"
	"usher/tasks"
	"usher/verify"
)

func reportTo(m *api.Metrics) func(context.Context, limits.Name, time.Duration) {
	return func(_ context.Context, name limits.Name, _ time.Duration) { m.Recorded(name) }
}

// check asks whether a code is right.
func (p *person) check(mobile, code, purpose string) *reply {
	p.b.t.Helper()
	return p.post("/v1/sms-codes/check", body{"mobile": mobile, "code": code, "purpose": purpose})
}

// another returns digits that are not the code.
func another(code string, by int) string {
	var n int
	_, _ = fmt.Sscanf(code, "%d", &n)
	return fmt.Sprintf("%06d", (n+1+by%999_998)%1_000_000)
}

func TestGuessing_at_once_is_counted_before_it_is_compared(t *testing.T) {
	t.Parallel()
	b := onRedis(t, only(t, limits.Limit{}))
	b.person().ask(number).want(202, "0")
	code := b.lastCode()
	var right atomic.Int32
	got := together(200, func(i int) *reply {
		guess := another(code, i)
		if i == 100 {
			guess = code
		}
		r := b.person().check(number, guess, "register")
		if r.Data["valid"] == true {
			right.Add(1)
		}
		return r
	})
	if got["200 0"] != 5 || got["422 4205"] != 195 || right.Load() > 1 {
		t.Errorf("answers %v, %d of them right", got, right.Load())
	}
	b.person().check(number, code, "register").want(422, "4205")
}

func TestGuessing_before_and_at_the_end_shares_one_budget(t *testing.T) {
	t.Parallel()
	b := onRedis(t, nil)
	p := b.at(sameAddress(0))
	code := p.code(number, "login")
	for i := range 3 {
		if left := p.check(number, another(code, i), "login").want(200, "0").Data["attempts_left"]; left != float64(4-i) {
			t.Errorf("attempts_left is %v after %d", left, i+1)
		}
	}
	for i := range 2 {
		p.post("/v1/sessions", body{"mobile": number, "sms_code": another(code, i)}).want(422, "4204")
	}
	p.check(number, code, "login").want(422, "4205")
	p.post("/v1/sessions", body{"mobile": number, "sms_code": code}).want(422, "4205")
}

func TestGuessing_is_limited_by_address(t *testing.T) {
	t.Parallel()
	b := onRedis(t, func(s *api.Server, store *redisstore.Store) {
		only(t, limits.Defaults()[limits.CheckIP])(s, store)
		s.Verify.Policy.MaxAttempts = 30
	})
	p := b.person()
	p.ask(number).want(202, "0")
	for i := range 30 {
		p.check(number, another(b.lastCode(), i), "register").want(200, "0")
	}
	p.check(number, b.lastCode(), "register").want(429, "4206").wait()
}

// A stranger who knows the number, and not the id of the code, tries everything that takes a code.
func TestStrangers_cannot_use_up_the_attempts_of_a_code(t *testing.T) {
	t.Parallel()
	b := onRedis(t, nil)
	owner := b.at("192.0.2.1")
	owner.signUp("li_lei", number)
	b.clock.Advance(time.Minute)
	code := owner.code(number, "login")
	id := b.codeID(number)
	b.clock.Advance(time.Minute)
	foreign := b.at("192.0.2.2")
	foreign.code("13900139000", "login")
	for i, guessed := range []any{nil, "", "x", strings.Repeat("A", 44), b.codeID("13900139000"), id[:22] + strings.Repeat("A", 22)} {
		for range 4 {
			p := b.at(anyAddress(i))
			want := "4203"
			if guessed == nil || guessed == "" {
				want = "4103"
			}
			p.post("/v1/sms-codes/check", body{"mobile": number, "purpose": "login", "code": "000000", "sms_code_id": guessed}).want(422, want)
			p.post("/v1/sessions", body{"mobile": number, "sms_code": "000000", "sms_code_id": guessed}).want(422, want)
			p.post("/v1/password-resets", body{
				"mobile": number, "sms_code": "000000", "sms_code_id": guessed, "password": password + "2", "password_repeat": password + "2",
			}).want(422, want)
		}
	}
	if left := owner.check(number, another(code, 1), "login").want(200, "0").Data["attempts_left"]; left != 4.0 {
		t.Errorf("the owner has %v attempts after the first", left)
	}
	owner.post("/v1/sessions", body{"mobile": number, "sms_code": code}).want(201, "0")
}

func TestCodes_never_pass_for_another_purpose_number_or_issue(t *testing.T) {
	t.Parallel()
	b := onRedis(t, nil)
	p := b.at(sameAddress(0))
	p.signUp("li_lei", number)
	b.clock.Advance(time.Minute)
	code := p.code(number, "login")
	p.check(number, code, "register").want(422, "4203")
	p.check(number, code, "reset_password").want(422, "4203")
	p.check("13900139000", code, "login").want(422, "4203")
	p.post("/v1/password-resets", body{
		"mobile": number, "sms_code": code, "password": password + "2", "password_repeat": password + "2",
	}).want(422, "4203")
	b.clock.Advance(time.Minute)
	newer := p.code(number, "login")
	if newer == code { // one in a million
		t.Skip("the new code is the old one by chance")
	}
	p.post("/v1/sessions", body{"mobile": number, "sms_code": code}).want(422, "4204")
	p.post("/v1/sessions", body{"mobile": number, "sms_code": newer}).want(201, "0")
	p.post("/v1/sessions", body{"mobile": number, "sms_code": newer}).want(422, "4203")
	b.clock.Advance(time.Minute)
	late := p.code(number, "login")
	b.clock.Advance(5 * time.Minute)
	p.check(number, late, "login").want(422, "4203")
	p.post("/v1/sessions", body{"mobile": number, "sms_code": late}).want(422, "4203")
}

// reads is a store of accounts that can do one thing: say whether a value is taken. Whatever else is asked
// panics, and so does every hash, since there is no hasher.
type reads struct {
	accounts.Store
	n atomic.Int32
}

// Exists implements [accounts.Store].
func (r *reads) Exists(context.Context, accounts.Key) (bool, error) {
	r.n.Add(1)
	return false, nil
}

// NameTaken implements [accounts.Store].
func (r *reads) NameTaken(ctx context.Context, _ string, _ time.Time) (bool, error) {
	return r.Exists(ctx, accounts.Key{})
}

// both puts a code on two queues: the test's own, and the real one.
type both [2]verify.Queue

// EnqueueCode implements [verify.Queue].
func (q both) EnqueueCode(ctx context.Context, code verify.Queued) error {
	return errors.Join(q[0].EnqueueCode(ctx, code), q[1].EnqueueCode(ctx, code))
}

func TestCodes_and_look_ups_cost_few_round_trips_and_no_hash(t *testing.T) {
	t.Parallel()
	sql, redis := &reads{}, &trips{}
	b := onRedis(t, func(s *api.Server, _ *redisstore.Store) {
		s.Accounts.Store, s.Accounts.Passwords = sql, nil
	})
	b.client.AddHook(redis)
	queue := &tasks.Enqueuer{Client: asynq.NewClientFromRedisClient(b.client), Keys: b.keys}
	b.face.Verify.Queue = both{b.sms, queue}
	for round := range 2 { // scripts are sent in full the first time
		p, mobile := b.at(anyAddress(round)), anyNumber(round)
		steps := []struct {
			name       string
			call       func()
			redis, sql int64
		}{
			{"send", func() {}, 0, 0},
			{"early click", func() {}, 0, 0},
			{"wrong code", func() { p.check(mobile, another(b.lastCode(), 1), "register").want(200, "0") }, 2, 0},
			{"right code", func() { p.check(mobile, b.lastCode(), "register").want(200, "0") }, 4, 0}, // a second guess, which is given back
			{"user name", func() { p.get("/v1/usernames/li_lei").want(200, "0") }, 1, 1},
			{"number", func() { p.get("/v1/mobiles/"+mobile).want(200, "0") }, 1, 1},
		}
		for i, status := range []int{202, 429} {
			given := body{"mobile": mobile, "purpose": "register", "captcha_id": p.captcha(), "captcha": captchaText}
			steps[i].redis = 3
			steps[i].call = func() {
				if got := p.post("/v1/sms-codes", given); got.status != status {
					t.Errorf("%s: %s", steps[i].name, got.text)
				}
			}
		}
		for _, step := range steps {
			trips, looks := redis.n.Load(), sql.n.Load()
			step.call()
			trips, looks = redis.n.Load()-trips, sql.n.Load()-looks
			if round > 0 && (trips != step.redis || int64(looks) != step.sql) {
				t.Errorf("%s: %d round trips to Redis and %d reads of SQL, want %d and %d", step.name, trips, looks, step.redis, step.sql)
			}
		}
	}
}
