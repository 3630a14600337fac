package api_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"usher/accounts"
	"usher/api"
	"usher/internal/testkit"
	"usher/secrets"
)

// identityHeaders are the documented headers, with the values that they may have.
var identityHeaders = map[string]*regexp.Regexp{
	"X-Auth-Request-User":     regexp.MustCompile(`^[0-9a-f-]{36}$`),
	"X-Usher-Username":        regexp.MustCompile(`^(-|[A-Za-z0-9_%]{5,})$`),
	"X-Usher-Email-Verified":  regexp.MustCompile(`^(true|false)$`),
	"X-Usher-Mobile-Verified": regexp.MustCompile(`^(true|false)$`),
	"X-Usher-Session":         regexp.MustCompile(`^[A-Za-z0-9_-]{22}$`),
	"X-Usher-Token":           regexp.MustCompile(`^(-|[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+)$`),
}

// askProxy asks as a proxy does, and checks what all answers have in common.
func (p *person) askProxy(method, path string, header http.Header, body io.Reader) *http.Response {
	p.b.t.Helper()
	req := must(http.NewRequestWithContext(p.b.t.Context(), method, p.b.server.URL+path, body))(p.b.t)
	if header != nil {
		req.Header = header.Clone()
	}
	req.AddCookie(&http.Cookie{Name: "usher", Value: p.cookie()})
	res := must(http.DefaultTransport.RoundTrip(req))(p.b.t)
	p.b.t.Cleanup(func() { _ = res.Body.Close() })
	if res.Header.Get("Cache-Control") != "no-store" {
		p.b.t.Errorf("%s %s: Cache-Control is %q", method, path, res.Header.Get("Cache-Control"))
	}
	if cookies := res.Header.Values("Set-Cookie"); len(cookies) > 0 {
		p.b.t.Errorf("%s %s sets %q", method, path, cookies)
	}
	switch res.StatusCode {
	case http.StatusOK:
		if text := must(io.ReadAll(res.Body))(p.b.t); len(text) > 0 {
			p.b.t.Errorf("%s %s: the body is %q", method, path, text)
		}
		for name, form := range identityHeaders {
			if values := res.Header.Values(name); len(values) != 1 || !form.MatchString(values[0]) {
				p.b.t.Errorf("%s %s: %s is %q", method, path, name, values)
			}
		}
	default:
		for name := range identityHeaders {
			if value := res.Header.Get(name); value != "" {
				p.b.t.Errorf("%s %s: %d with %s: %s", method, path, res.StatusCode, name, value)
			}
		}
	}
	return res
}

func (p *person) wantAsked(status int) http.Header {
	p.b.t.Helper()
	res := p.askProxy("GET", "/v1/auth", nil, nil)
	if res.StatusCode != status {
		p.b.t.Errorf("GET /v1/auth is answered with %d, want %d", res.StatusCode, status)
	}
	if (res.Header.Get("WWW-Authenticate") != "") != (status == http.StatusUnauthorized) {
		p.b.t.Errorf("%d with WWW-Authenticate %q", status, res.Header.Get("WWW-Authenticate"))
	}
	return res.Header
}

func TestForwardAuth_tells_who_is_signed_in(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	p := b.person()
	p.get("/v1/auth").want(401, "4101")
	p.wantAsked(http.StatusUnauthorized)
	account := p.signUp("李雷_2026", number)
	header := p.wantAsked(http.StatusOK)
	session := p.get("/v1/sessions").want(200, "0").Data["sessions"].([]any)[0].(map[string]any)["id"]
	for name, want := range map[string]any{
		"X-Auth-Request-User": account.str("id"), "X-Usher-Username": url.PathEscape("李雷_2026"), "X-Usher-Session": session,
		"X-Usher-Mobile-Verified": "true", "X-Usher-Email-Verified": "false", "X-Usher-Token": "-",
	} {
		if header.Get(name) != want {
			t.Errorf("%s is %q, want %q", name, header.Get(name), want)
		}
	}
	if res := p.get("/v1/auth"); res.status != http.StatusOK { // against the contract
		t.Errorf("GET /v1/auth is answered with %d", res.status)
	}
	p.delete("/v1/sessions/current").want(200, "0")
	p.wantAsked(http.StatusUnauthorized)
}

func TestForwardAuth_of_an_account_without_a_name(t *testing.T) {
	t.Parallel()
	b := setup(t, func(s *api.Server) { s.Accounts.Policy.SignInCreates = true })
	p := b.person()
	p.post("/v1/sessions", body{"mobile": number, "sms_code": p.code(number, "login"), "agree": true}).want(201, "0")
	if name := p.wantAsked(http.StatusOK).Get("X-Usher-Username"); name != "-" {
		t.Errorf("X-Usher-Username is %q, want -", name)
	}
}

// The method, the path, the origin and the body are the client's, who must not decide anything by them.
func TestForwardAuth_depends_on_the_session_alone(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	in, out := b.person(), b.person()
	in.signUp("li_lei", number)
	foreign := http.Header{
		"Origin": {"https://evil.example"}, "Sec-Fetch-Site": {"cross-site"}, "Access-Control-Request-Method": {"PUT"},
		"X-Forwarded-Uri": {"/public/logo.png"}, "X-Forwarded-Method": {"OPTIONS"}, "X-Original-Url": {"/healthz"},
		"User-Agent": {"kube-probe/1.31"}, "X-Auth-Request-User": {"admin"}, "Content-Type": {"text/xml"},
	}
	for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "PURGE", "M-SEARCH"} {
		for _, path := range []string{
			"/v1/auth", "/v1/auth?next=/", "/v1/auth/envoy/", "/v1/auth/envoy/a/b?c=d", "/v1/auth/envoy/%2e%2e/healthz", "/v1/auth/envoy/../x", "/v1/auth/envoy//",
		} {
			for _, header := range []http.Header{nil, foreign} {
				if got := in.askProxy(method, path, header, nil).StatusCode; got != http.StatusOK {
					t.Errorf("signed in, %s %s: %d", method, path, got)
				}
				if got := out.askProxy(method, path, header, nil).StatusCode; got != http.StatusUnauthorized {
					t.Errorf("signed out, %s %s: %d", method, path, got)
				}
			}
		}
	}
	if res := out.askProxy("GET", "/v1/auth", http.Header{"Accept": {"text/html"}}, nil); res.StatusCode != http.StatusUnauthorized || res.Header.Get("Location") != "" {
		t.Errorf("a browser is answered with %d to %q", res.StatusCode, res.Header.Get("Location"))
	}
}

// endless is a body of which nothing may be read.
type endless struct{ read atomic.Int64 }

func (e *endless) Read(p []byte) (int, error) {
	clear(p)
	e.read.Add(int64(len(p)))
	return len(p), nil
}

func TestForwardAuth_does_not_wait_for_a_body(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	p := b.person()
	p.signUp("li_lei", number)
	if got := p.askProxy("POST", "/v1/auth/envoy/upload", nil, strings.NewReader(strings.Repeat("x", 1<<20))).StatusCode; got != http.StatusOK {
		t.Errorf("with a body of 1 MB: %d", got)
	}
	pipe, feed := io.Pipe() // never written to
	defer func() { _ = feed.Close() }()
	if got := p.askProxy("PUT", "/v1/auth", nil, pipe).StatusCode; got != http.StatusOK {
		t.Errorf("with a body that never comes: %d", got)
	}
	expecting, body := http.Header{"Expect": {"100-continue"}}, &endless{}
	req := must(http.NewRequestWithContext(t.Context(), "PUT", b.server.URL+"/v1/auth", body))(t)
	req.Header, req.ContentLength = expecting, 1<<20
	req.AddCookie(&http.Cookie{Name: "usher", Value: p.cookie()})
	patient := &http.Transport{ExpectContinueTimeout: time.Hour}
	defer patient.CloseIdleConnections()
	res := must(patient.RoundTrip(req))(t)
	_ = res.Body.Close()
	if res.StatusCode != http.StatusOK || body.read.Load() > 0 {
		t.Errorf("Expect: 100-continue is answered with %d, and %d bytes were asked for", res.StatusCode, body.read.Load())
	}
}

func TestForwardAuth_sees_changes_in_time(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	p, elsewhere := b.person(), b.person()
	id := p.signUp("li_lei", number).str("id")
	elsewhere.signIn(false)
	elsewhere.wantAsked(http.StatusOK)
	if err := elsewhere.endedBy(p); err != nil {
		t.Fatal(err)
	}
	elsewhere.wantAsked(http.StatusUnauthorized) // at once: the session is read from Redis each time

	p.wantAsked(http.StatusOK)
	must(b.face.Accounts.Block(t.Context(), id))(t)
	p.wantAsked(http.StatusOK)
	b.clock.Advance(2 * time.Second)
	p.wantAsked(http.StatusForbidden)
	p.get("/v1/auth").want(403, "4209")
	must(b.face.Accounts.Unblock(t.Context(), id))(t)
	b.clock.Advance(2 * time.Second)
	p.wantAsked(http.StatusUnauthorized) // the block has ended the session
	p.signIn(false)
	p.wantAsked(http.StatusOK)

	p.put("/v1/account/password", body{
		"password_current": password, "password": "another horse battery", "password_repeat": "another horse battery",
	}).want(200, "0")
	p.wantAsked(http.StatusOK) // in the session that the change has started
}

// endedBy ends the person's session from another session of the account.
func (p *person) endedBy(owner *person) error {
	list, _ := owner.get("/v1/sessions").want(200, "0").Data["sessions"].([]any)
	own := p.askProxy("GET", "/v1/auth", nil, nil).Header.Get("X-Usher-Session")
	if !slices.ContainsFunc(list, func(one any) bool { return one.(map[string]any)["id"] == own }) {
		return errors.New("X-Usher-Session names no session of the list")
	}
	owner.delete("/v1/sessions/"+own).want(200, "0")
	return nil
}

func TestForwardAuth_keeps_the_session_alive(t *testing.T) {
	t.Parallel()
	b := setup(t, nil) // idle sessions end after half an hour
	p, idle := b.person(), b.person()
	p.signUp("li_lei", number)
	idle.signIn(false)
	for range 4 {
		b.clock.Advance(20 * time.Minute)
		p.wantAsked(http.StatusOK)
	}
	idle.wantAsked(http.StatusUnauthorized)
}

// slowStore answers questions about sessions when it is told to, and counts them.
type slowStore struct {
	accounts.Store

	asked   atomic.Int32
	release chan struct{}
	err     error
}

func (s *slowStore) FindSignedIn(ctx context.Context, id, session string) (accounts.Account, error) {
	s.asked.Add(1)
	if s.release != nil {
		<-s.release
	}
	if s.err != nil {
		return accounts.Account{}, s.err
	}
	return s.Store.FindSignedIn(ctx, id, session)
}

func TestForwardAuth_asks_SQL_once_for_many(t *testing.T) {
	t.Parallel()
	store := &slowStore{}
	b := setup(t, func(s *api.Server) {
		store.Store = s.Accounts.Store
		s.Accounts.Store = store
	})
	p := b.person()
	p.signUp("li_lei", number)
	store.release = make(chan struct{})
	before := b.redis.CommandCount()
	var group sync.WaitGroup
	const many = 20
	for range many {
		group.Go(func() { p.wantAsked(http.StatusOK) })
	}
	testkit.Eventually(t, testkit.Patience, func() bool { return b.redis.CommandCount()-before > many }, "all have read the session")
	close(store.release)
	group.Wait()
	if n := store.asked.Load(); n != 1 {
		t.Errorf("SQL was asked %d times for %d requests at once", n, many)
	}
	before = b.redis.CommandCount()
	p.wantAsked(http.StatusOK)
	if n := b.redis.CommandCount() - before; n != 1 || store.asked.Load() != 1 {
		t.Errorf("a further question costs %d commands of Redis, and SQL was asked %d times", n, store.asked.Load())
	}
}

// An unavailable store is no refusal of a person: 503, on which proxies let no request through.
func TestForwardAuth_without_its_stores(t *testing.T) {
	t.Parallel()
	store := &slowStore{}
	b := setup(t, func(s *api.Server) {
		store.Store = s.Accounts.Store
		s.Accounts.Store = store
	})
	p := b.person()
	p.signUp("li_lei", number)
	store.err = context.DeadlineExceeded
	p.wantAsked(http.StatusServiceUnavailable)
	store.err = nil
	p.wantAsked(http.StatusOK) // the failure was not kept
	b.redis.SetError("LOADING Redis is loading the dataset in memory")
	p.wantAsked(http.StatusServiceUnavailable)
	b.person().wantAsked(http.StatusUnauthorized) // without a cookie no store is asked
}

func TestForwardAuth_leaves_no_lines_in_the_log(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	p := b.person()
	p.signUp("li_lei", number)
	before := len(b.logs.String())
	p.wantAsked(http.StatusOK)
	b.person().wantAsked(http.StatusUnauthorized)
	for line := range strings.Lines(b.logs.String()[before:]) {
		if !strings.Contains(line, `"level":"DEBUG"`) {
			t.Errorf("a question was logged: %s", line)
		}
	}
	if found := testkit.FindSecrets([]byte(b.logs.String()), p.cookie(), number); found != nil {
		t.Errorf("the log has %v", found)
	}
}

func TestForwardAuth_sends_a_token(t *testing.T) {
	t.Parallel()
	b := setup(t, withTokens(t))
	p := b.person()
	account := p.signUp("li_lei", number)
	first := p.wantAsked(http.StatusOK)
	claims, err := b.face.Tokens.VerifySession(first.Get("X-Usher-Token"), "shop", 0)
	if err != nil || claims.Account != account.str("id") || claims.Session != first.Get("X-Usher-Session") {
		t.Errorf("claims %+v, %v", claims, err)
	}
	for _, step := range []struct {
		after time.Duration
		same  bool
	}{{0, true}, {3 * time.Second, true}, {50 * time.Second, true}, {10 * time.Second, false}} {
		b.clock.Advance(step.after)
		token := p.wantAsked(http.StatusOK).Get("X-Usher-Token")
		if same := token == first.Get("X-Usher-Token"); same != step.same {
			t.Errorf("after %v more the token is the same: %v", step.after, same)
		}
		if _, err := b.face.Tokens.VerifySession(token, "shop", 0); err != nil {
			t.Errorf("after %v more: %v", step.after, err)
		}
	}
	if found := testkit.FindSecrets([]byte(b.logs.String()), first.Get("X-Usher-Token")); found != nil {
		t.Errorf("the log has %v", found)
	}
}

func TestForwardAuth_of_a_bearer_session(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	b.person().signUp("li_lei", number)
	app := b.person()
	token := app.post("/v1/sessions", body{"login": "li_lei", "password": password, "transport": "bearer"}).want(201, "0").str("token")
	bearer := func(text string) http.Header { return http.Header{"Authorization": {"Bearer " + text}} }
	wanted := func(what string, header http.Header, status int) {
		t.Helper()
		for range 2 { // the second answer comes from memory
			if got := app.askProxy("GET", "/v1/auth", header, nil).StatusCode; got != status {
				t.Errorf("%s: %d, want %d", what, got, status)
			}
		}
	}
	wanted("the token", bearer(token), http.StatusOK)
	wanted("an unknown token", bearer("usr_x"), http.StatusUnauthorized)
	wanted("a token twice", http.Header{"Authorization": {"Bearer " + token, "Bearer " + token}}, http.StatusUnauthorized)
	wanted("no token", nil, http.StatusUnauthorized)

	// The name of the session in the store, which is part of the token, opens nothing as a cookie: not while the facts of the session
	// are in memory either.
	app.setCookie("usr_" + secrets.SessionHandle(token))
	wanted("the handle as cookie", nil, http.StatusUnauthorized)
	wanted("the token, and the handle as cookie", bearer(token), http.StatusOK)
	app.setCookie(token)
	wanted("the token as cookie", nil, http.StatusUnauthorized)

	before := b.redis.CommandCount()
	wanted("a wrong checksum", bearer(token[:len(token)-1]+"_"), http.StatusUnauthorized)
	if n := b.redis.CommandCount() - before; n != 0 {
		t.Errorf("a text that is no token costs %d commands of Redis", n)
	}
}
