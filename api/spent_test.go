package api_test

import (
	"context"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"usher/accounts"
	"usher/internal/testkit"
	"usher/store/redisstore"
	"usher/verify"
)

// onServer is setup on a redis-server of the test's own.
func onServer(t *testing.T, server *testkit.Server) *bundle {
	t.Helper()
	b := setup(t, nil)
	b.client = patient(t, server.URL())
	store := redisstore.New(b.client, b.keys, b.clock.Now)
	b.face.Verify.Codes = store.Codes()
	b.face.Captchas, b.face.Gate, b.face.Answers = store.Captchas(), store.Gate(), store.Answers()
	b.face.Sessions = store.Sessions()
	b.server = httptest.NewServer(b.face.Handler())
	t.Cleanup(b.server.Close)
	return b
}

// backup writes the RDB file of a server and returns what puts it back, as an operator does after a loss.
func (b *bundle) backup(server *testkit.Server) (restore func()) {
	b.t.Helper()
	if err := b.client.Save(b.t.Context()).Err(); err != nil {
		b.t.Fatal(err)
	}
	file := filepath.Join(must(b.client.ConfigGet(b.t.Context(), "dir").Result())(b.t)["dir"], "dump.rdb")
	older := must(os.ReadFile(file))(b.t)
	return func() {
		server.Stop()
		if err := os.WriteFile(file, older, 0o600); err != nil {
			b.t.Fatal(err)
		}
		server.Start(b.t)
	}
}

func TestSpent_stays_spent_when_Redis_comes_back_as_it_was_before(t *testing.T) {
	t.Parallel()
	server := testkit.RedisServer(t)
	b := onServer(t, server)
	out, byOther, stays := b.person(), b.person(), b.person()
	out.signUp("li_lei", number)
	signIn := func(p *person) { p.post("/v1/sessions", body{"login": "li_lei", "password": password}).want(201, "0") }
	signIn(byOther)
	signIn(stays)
	b.clock.Advance(time.Minute)
	login := body{"mobile": number, "sms_code": stays.code(number, "login"), "sms_code_id": b.codeID(number)}
	b.clock.Advance(time.Minute)
	word := "another " + password
	reset := body{
		"mobile": number, "sms_code": stays.code(number, "reset_password"), "sms_code_id": b.codeID(number),
		"password": word, "password_repeat": word,
	}
	outCookie, byOtherCookie, staysCookie := out.cookie(), byOther.cookie(), stays.cookie()
	restore := b.backup(server)

	out.delete("/v1/sessions/current").want(200, "0")
	for _, session := range stays.sessions() {
		if !session.Current {
			stays.delete("/v1/sessions/"+session.ID).want(200, "0")
		}
	}
	b.person().post("/v1/sessions", login).want(201, "0")
	restore()

	// That the third session is there shows that Redis has brought sessions back.
	stays.setCookie(staysCookie)
	stays.get("/v1/sessions/current").want(200, "0")
	for name, cookie := range map[string]string{"signed out": outCookie, "ended by its owner": byOtherCookie} {
		p := b.person()
		p.setCookie(cookie)
		if got := p.get("/v1/sessions/current"); got.status != 401 {
			t.Errorf("the session that was %s lives again: %s", name, got.text)
		}
	}
	b.person().post("/v1/sessions", login).want(422, "4203")

	// The same with the code of a new password: its use ends the sessions by the account's generation.
	b.person().post("/v1/password-resets", reset).want(200, "0")
	restore()
	stays.setCookie(staysCookie)
	if got := stays.get("/v1/sessions/current"); got.status != 401 {
		t.Errorf("a session from before the new password lives again: %s", got.text)
	}
	b.person().post("/v1/password-resets", reset).want(422, "4203")
}

// counted counts the statements that sessions and codes cost beyond those of accounts.
type counted struct {
	accounts.Store
	verify.Uses

	n *atomic.Int64
}

func (c counted) FindSignedIn(ctx context.Context, id, session string) (accounts.Account, error) {
	c.n.Add(1)
	return c.Store.FindSignedIn(ctx, id, session)
}

func (c counted) EndSessions(ctx context.Context, until time.Time, sessions ...string) error {
	c.n.Add(1)
	return c.Store.EndSessions(ctx, until, sessions...)
}

func (c counted) Use(ctx context.Context, id string, until time.Time) (bool, error) {
	c.n.Add(1)
	return c.Uses.Use(ctx, id, until)
}

func (c counted) Forget(ctx context.Context, id string) error {
	c.n.Add(1)
	return c.Uses.Forget(ctx, id)
}

func TestSpent_costs_one_statement_or_none(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	c := counted{b.face.Accounts.Store, b.face.Verify.Uses, &atomic.Int64{}}
	b.face.Accounts.Store, b.face.Verify.Uses = c, c
	p := b.person()
	p.signUp("li_lei", number)
	b.clock.Advance(time.Minute)
	code := p.code(number, "login")
	other := b.person()
	for _, step := range []struct {
		name string
		call func()
		want int64
	}{
		{"a request with a session", func() { p.get("/v1/sessions/current").want(200, "0") }, 1}, // it reads the account
		{"a sign-in by password", func() { b.person().signIn(false) }, 0},
		{"a sign-in by code", func() {
			other.post("/v1/sessions", body{"mobile": number, "sms_code": code}).want(201, "0")
		}, 1},
		{"a wrong code", func() {
			other.post("/v1/sessions", body{"mobile": number, "sms_code": "000000"}).want(422, "4203")
		}, 0},
		{"a sign-out", func() { p.delete("/v1/sessions/current").want(200, "0") }, 1},
	} {
		before := c.n.Load()
		step.call()
		if n := c.n.Load() - before; n != step.want {
			t.Errorf("%s: %d statements, want %d", step.name, n, step.want)
		}
	}
}
