package api_test

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"usher/api"
	"usher/verify"
)

// postWith posts with an Idempotency-Key.
func (p *person) postWith(key, path string, b body) *reply {
	p.b.t.Helper()
	text := must(json.Marshal(p.withCodeID(path, b)))(p.b.t)
	return p.do(request{
		method: "POST", path: path, contentType: "application/json", text: string(text),
		header: http.Header{"Idempotency-Key": {key}},
	})
}

// codeRequest has a fresh captcha, which a second run of the request would find spent.
func (p *person) codeRequest() body {
	p.b.t.Helper()
	return body{"mobile": number, "purpose": "register", "captcha_id": p.captcha(), "captcha": captchaText}
}

func (r *reply) wantReplayed(want bool) *reply {
	r.t.Helper()
	if got := r.header.Get("Idempotency-Replayed"); (got == "true") != want {
		r.t.Errorf("Idempotency-Replayed is %q: %s", got, shorten(r.text))
	}
	return r
}

func (b *bundle) wantCodes(want int) {
	b.t.Helper()
	if got := len(b.sms.all()); got != want {
		b.t.Errorf("%d codes were enqueued, want %d", got, want)
	}
}

// tunnel dials connections that go into one: when told to, the next one breaks after the server has
// answered and before the client has read.
type tunnel struct{ collapse atomic.Bool }

func (l *tunnel) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, network, addr)
	return &tunnelled{conn, l}, err
}

type tunnelled struct {
	net.Conn
	tunnel *tunnel
}

func (c *tunnelled) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if err == nil && c.tunnel.collapse.CompareAndSwap(true, false) {
		return 0, errors.Join(errors.New("tunnel"), c.Close())
	}
	return n, err
}

// commuter is a person who loses the answer to every first try.
func (b *bundle) commuter() (p *person, lose func(key, path string, sent body)) {
	b.t.Helper()
	under := &tunnel{}
	p = b.person()
	// A connection of its own for each request: net/http repeats one with this header by itself where an
	// idle connection breaks.
	p.client.Transport = &contract{t: b.t, next: &http.Transport{DialContext: under.dial, DisableKeepAlives: true}}
	return p, func(key, path string, sent body) {
		b.t.Helper()
		req := must(http.NewRequestWithContext(b.t.Context(), http.MethodPost, b.server.URL+path,
			strings.NewReader(string(must(json.Marshal(sent))(b.t)))))(b.t)
		req.Header = http.Header{"Content-Type": {"application/json"}, "Idempotency-Key": {key}}
		under.collapse.Store(true)
		if res, err := p.client.Do(req); err == nil {
			_ = res.Body.Close()
			b.t.Fatalf("%s: the answer arrived, %d", path, res.StatusCode)
		}
	}
}

func TestIdempotency_a_lost_answer_is_given_again_and_nothing_done_twice(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	p, lose := b.commuter()

	ask := p.codeRequest()
	lose("a-key-for-the-code", "/v1/sms-codes", ask)
	again := p.postWith("a-key-for-the-code", "/v1/sms-codes", ask).want(202, "0").wantReplayed(true)
	b.wantCodes(1)
	if id := b.sms.all()[0].ID; again.str("sms_code_id") != id {
		t.Errorf("the answer given again is about %s, sent was %s", again.str("sms_code_id"), id)
	}
	if again.RequestID != again.header.Get("X-Request-Id") {
		t.Errorf("the body says request %q, the header %q", again.RequestID, again.header.Get("X-Request-Id"))
	}

	form := body{
		"username": "li_lei", "password": password, "password_repeat": password, "agree": true,
		"mobile": number, "sms_code_id": b.codeID(number), "sms_code": b.lastCode(), "email": address,
	}
	lose("a-key-for-the-account", "/v1/registrations", form)
	account := p.postWith("a-key-for-the-account", "/v1/registrations", form).want(201, "0").wantReplayed(true)
	if account.str("username") != "li_lei" || account.str("mobile") != "138****8000" || len(b.mails.all()) != 1 {
		t.Errorf("account given again is %v, with %d mails", account.Data, len(b.mails.all()))
	}
	if cookie := account.header.Get("Set-Cookie"); cookie != "" {
		t.Errorf("a session is given again: %s", cookie)
	}
	p.get("/v1/sessions/current").want(401, "4101")
	p.post("/v1/sessions", body{"login": "li_lei", "password": password}).want(201, "0")
	b.wantNoSecrets(number, address, password, "a-key-for-the-code")
}

// slowQueue lets a test hold a request in the middle of its work.
type slowQueue struct {
	*smsQueue
	entered, leave chan struct{}
}

// EnqueueCode implements [verify.Queue].
func (q *slowQueue) EnqueueCode(ctx context.Context, code verify.Queued) error {
	q.entered <- struct{}{}
	<-q.leave
	if err := ctx.Err(); err != nil {
		return err
	}
	return q.smsQueue.EnqueueCode(ctx, code)
}

func TestIdempotency_second_request_waits_for_the_first_even_when_its_client_has_gone(t *testing.T) {
	t.Parallel()
	slow := &slowQueue{entered: make(chan struct{}), leave: make(chan struct{})}
	b := setup(t, func(s *api.Server) {
		slow.smsQueue = s.Verify.Queue.(*smsQueue)
		s.Verify.Queue = slow
	})
	p := b.person()
	ask := p.codeRequest()
	text := string(must(json.Marshal(ask))(t))

	// Served without a network: the server learns at once that this client has gone.
	ctx, hangUp := context.WithCancel(t.Context())
	req := httptest.NewRequestWithContext(ctx, http.MethodPost, "/v1/sms-codes", strings.NewReader(text))
	req.Header = http.Header{"Content-Type": {"application/json"}, "Idempotency-Key": {"the-same-key"}}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		b.face.Handler().ServeHTTP(httptest.NewRecorder(), req)
	}()
	<-slow.entered
	busy := p.postWith("the-same-key", "/v1/sms-codes", ask).want(409, "4206").wantReplayed(false)
	if busy.header.Get("Retry-After") != "1" {
		t.Errorf("Retry-After is %q", busy.header.Get("Retry-After"))
	}
	p.postWith("the-same-key", "/v1/sms-codes", body{"mobile": number, "purpose": "login"}).want(422, "4103")
	hangUp()
	slow.leave <- struct{}{}
	<-ended

	p.postWith("the-same-key", "/v1/sms-codes", ask).want(202, "0").wantReplayed(true)
	b.wantCodes(1)
}

func TestIdempotency_key_is_for_one_body_of_one_endpoint(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	p := b.person()
	ask := p.codeRequest()
	p.postWith("the-same-key", "/v1/sms-codes", ask).want(202, "0").wantReplayed(false)
	other := p.codeRequest()
	got := p.postWith("the-same-key", "/v1/sms-codes", other).want(422, "4103").wantReplayed(false)
	if !strings.Contains(got.Errmsg, "Idempotency-Key") || len(got.Fields) != 0 {
		t.Errorf("refused with %q, %v", got.Errmsg, got.Fields)
	}
	b.wantCodes(1)
	p.postWith("the-same-key", "/v1/sms-codes", ask).want(202, "0").wantReplayed(true)
	p.postWith("the-same-key", "/v1/registrations", body{
		"username": "li_lei", "password": password, "password_repeat": password, "agree": true,
		"mobile": number, "sms_code": b.lastCode(),
	}).want(201, "0").wantReplayed(false)
}

func TestIdempotency_refusals_give_the_key_up(t *testing.T) {
	t.Parallel()
	const key = "the-same-key"
	tests := map[string]struct {
		spoil  func(b *bundle, ask body)
		status int
		errno  string
		mend   func(b *bundle)
	}{
		"a wrong captcha": {func(_ *bundle, ask body) { ask["captcha"] = "nope" }, 422, "4202", nil},
		"a bad number":    {func(_ *bundle, ask body) { ask["mobile"] = "1" }, 422, "4103", nil},
		"an unknown field": {
			func(_ *bundle, ask body) { ask["x"] = "1" }, 400, "4103", nil,
		},
		"a limit": {
			func(b *bundle, _ body) { b.person().send(number).want(202, "0") }, 429, "4206",
			func(b *bundle) { b.clock.Advance(time.Minute) },
		},
		"an unavailable queue": {
			func(b *bundle, _ body) { b.sms.refuse = errors.New("no queue") }, 503, "4301",
			func(b *bundle) { b.sms.refuse = nil },
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, nil)
			p := b.person()
			spoilt := p.codeRequest()
			test.spoil(b, spoilt)
			before := len(b.sms.all())
			p.postWith(key, "/v1/sms-codes", spoilt).want(test.status, test.errno)
			if test.mend != nil {
				test.mend(b)
			}
			ask := p.codeRequest()
			p.postWith(key, "/v1/sms-codes", ask).want(202, "0").wantReplayed(false)
			p.postWith(key, "/v1/sms-codes", ask).want(202, "0").wantReplayed(true)
			b.wantCodes(before + 1)
		})
	}
}

// panicking is a queue with a fault.
type panicking struct{}

// EnqueueCode implements [verify.Queue].
func (panicking) EnqueueCode(context.Context, verify.Queued) error { panic("queue") }

func TestIdempotency_a_panic_gives_the_key_up(t *testing.T) {
	t.Parallel()
	b := setup(t, func(s *api.Server) { s.Verify.Queue = panicking{} })
	p := b.person()
	p.postWith("the-same-key", "/v1/sms-codes", p.codeRequest()).want(500, "4500")
	for _, key := range b.redis.Keys() {
		if strings.HasSuffix(key, ":answer") {
			t.Errorf("%s is held after the panic", key)
		}
	}
}

func TestIdempotency_malformed_keys_are_refused_and_cost_nothing(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	p := b.person()
	for name, keys := range map[string][]string{
		"empty": {""}, "seven": {"1234567"}, "too long": {strings.Repeat("k", 129)}, "a space": {"two words"},
		"no ASCII": {"密密密密密密密密"}, "a tab": {"1234\t5678"}, "two of them": {"key-number-1", "key-number-2"},
	} {
		for _, path := range []string{"/v1/sms-codes", "/v1/registrations"} {
			got := p.do(request{
				method: "POST", path: path, contentType: "application/json", text: `{}`,
				header: http.Header{"Idempotency-Key": keys},
			})
			if got.status != 400 || got.Errno != "4103" || !strings.Contains(got.Errmsg, "Idempotency-Key") {
				t.Errorf("%s on %s: got %d %s %q", name, path, got.status, got.Errno, got.Errmsg)
			}
		}
	}
	p.do(request{
		method: "POST", path: "/v1/sms-codes", contentType: "application/json", text: strings.Repeat(" ", 17<<10),
		header: http.Header{"Idempotency-Key": {"a-good-key"}},
	}).want(413, "4103")
	b.wantNothingSpent()
}

func TestIdempotency_without_Redis_nothing_runs(t *testing.T) {
	t.Parallel()
	b := setup(t, func(s *api.Server) { s.Captcha = captchaOff(t) })
	b.redis.Close()
	b.person().postWith("the-same-key", "/v1/sms-codes", body{"mobile": number, "purpose": "login"}).want(503, "4301")
	b.wantCodes(0)
}

// trips counts round trips to Redis.
type trips struct{ n atomic.Int64 }

func (t *trips) DialHook(next redis.DialHook) redis.DialHook { return next }

func (t *trips) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		t.n.Add(1)
		return next(ctx, cmd)
	}
}

func (t *trips) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		t.n.Add(1)
		return next(ctx, cmds)
	}
}

func TestIdempotency_costs_two_round_trips_and_a_replay_one(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	count := &trips{}
	b.client.AddHook(count)
	p := b.person()
	p.postWith("warms-up-scripts", "/v1/sms-codes", p.codeRequest()).want(202, "0")
	cost := func(call func() *reply) int64 {
		b.clock.Advance(time.Minute)
		before := count.n.Load()
		call().want(202, "0")
		return count.n.Load() - before
	}
	plain, keyed := p.codeRequest(), p.codeRequest()
	without := cost(func() *reply { return p.post("/v1/sms-codes", plain) })
	with := cost(func() *reply { return p.postWith("the-same-key", "/v1/sms-codes", keyed) })
	again := cost(func() *reply { return p.postWith("the-same-key", "/v1/sms-codes", keyed) })
	if without != 2 || with != without+2 || again != 1 {
		t.Errorf("without a key %d round trips, with one %d, again %d; want 2, 4, 1", without, with, again)
	}
}
