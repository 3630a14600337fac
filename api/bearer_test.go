package api_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"usher/api"
	"usher/internal/testkit"
	"usher/secrets"
	"usher/store"
)

// app returns a client that sends a bearer token. It has a cookie jar, so that a cookie that it was given would count.
func (b *bundle) app(token string) *person {
	p := b.person()
	p.header = http.Header{"Authorization": {"Bearer " + token}}
	return p
}

// bearerSignIn signs li_lei in under a bearer token and returns it.
func (b *bundle) bearerSignIn(remember bool) (token string) {
	b.t.Helper()
	p := b.person()
	got := p.post("/v1/sessions", body{"login": "li_lei", "password": password, "remember": remember, "transport": "bearer"}).want(201, "0")
	got.wantNoCookie()
	return got.str("token")
}

func (r *reply) wantNoCookie() *reply {
	r.t.Helper()
	if cookies := r.header.Values("Set-Cookie"); cookies != nil {
		r.t.Errorf("the answer sets a cookie: %s", cookies[0][:min(12, len(cookies[0]))])
	}
	return r
}

func (p *person) rotate() *reply {
	p.b.t.Helper()
	return p.post("/v1/sessions/current/rotate", body{})
}

// wantAccepted checks whether a token opens a session now.
func (b *bundle) wantAccepted(token string, want bool) {
	b.t.Helper()
	if got := b.app(token).get("/v1/sessions/current").wantNoCookie(); (got.status == 200) != want {
		b.t.Errorf("got %d for a token, want it accepted: %v", got.status, want)
	}
}

func TestBearer_signs_in_without_a_cookie(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	got := b.person().post("/v1/registrations", body{
		"username": "li_lei", "password": password, "password_repeat": password, "agree": true,
		"mobile": number, "sms_code": b.person().code(number, "register"), "transport": "bearer",
	}).want(201, "0").wantNoCookie()
	b.wantAccepted(got.str("token"), true)
	if got.Data["expires_in"] != (12 * time.Hour).Seconds() {
		t.Errorf("expires_in is %v", got.Data["expires_in"])
	}
	remembered := b.bearerSignIn(true)
	b.clock.Advance(time.Minute)
	byCode := b.person().post("/v1/sessions", body{
		"mobile": number, "sms_code": b.person().code(number, "login"), "transport": "bearer",
	}).want(201, "0").wantNoCookie().str("token")
	if list := b.app(byCode).sessions(); len(list) != 3 {
		t.Errorf("sessions are %+v", list)
	}
	b.app(byCode).delete("/v1/sessions/current").want(200, "0").wantNoCookie()
	b.wantAccepted(byCode, false)
	b.clock.Advance(3 * 24 * time.Hour)
	b.wantAccepted(remembered, true)
	b.wantNoSecrets(got.str("token"), remembered, byCode)
	for _, key := range b.redis.Keys() {
		value, _ := b.redis.Get(key)
		if found := testkit.FindSecrets([]byte(key+value), remembered, secrets.SessionHandle(remembered)); len(found) > 0 {
			t.Errorf("Redis has a part of the token under %q: %v", key, found)
		}
	}
}

func TestBearer_of_a_registration_that_waits(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	p := b.person()
	waiting := p.post("/v1/registrations", body{
		"username": "li_lei", "password": password, "password_repeat": password, "agree": true, "email": address,
		"captcha_id": p.captcha(), "captcha": captchaText, "transport": "bearer",
	}).want(201, "0").wantNoCookie().str("token")
	b.wantAccepted(waiting, false)
	b.person().post("/v1/sessions", body{"login": "li_lei", "password": password, "transport": "bearer"}).want(403, "4104").wantNoCookie()
	signedIn := b.app(waiting).post("/v1/activations", body{"token": b.lastToken(address)}).want(200, "0").wantNoCookie().str("token")
	b.wantAccepted(signedIn, true)
	b.wantAccepted(waiting, false)
}

func TestBearer_and_cookie_are_apart(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	browser := b.person()
	browser.signUp("li_lei", number)
	token := b.bearerSignIn(true)

	// The session of a cookie is none for a bearer, and the other way round.
	for _, text := range []string{browser.cookie(), "usr_" + browser.cookie()} {
		b.wantAccepted(text, false)
	}
	for _, value := range []string{token, "usr_" + secrets.SessionHandle(token), secrets.SessionHandle(token)} {
		p := b.person()
		p.setCookie(value)
		p.get("/v1/sessions/current").want(401, "4101")
	}
	b.wantAccepted(token, true)

	// Of both, the bearer alone counts, and the cookie stays as it is.
	both := b.person()
	both.setCookie(browser.cookie())
	for _, text := range []string{"", "usr_x", token + "x"} {
		both.header = http.Header{"Authorization": {"Bearer " + text}}
		both.get("/v1/sessions/current").want(401, "4101").wantNoCookie()
		both.delete("/v1/sessions/current").want(200, "0").wantNoCookie()
		both.post("/v1/sessions/current/rotate", body{}).want(401, "4101").wantNoCookie()
	}
	both.header = http.Header{"Authorization": {"Bearer " + token}}
	both.delete("/v1/sessions/current").want(200, "0").wantNoCookie()
	browser.wantSignedIn(true)
	b.wantAccepted(token, false)
	browser.rotate().want(401, "4101")

	// A sign-in with a bearer token starts a bearer session, and no other.
	again := b.app(b.bearerSignIn(false))
	right := body{"login": "li_lei", "password": password, "transport": "cookie"}
	again.post("/v1/sessions", right).want(422, "4103").wantNoCookie()
	right["transport"] = "carrier_pigeon"
	b.person().post("/v1/sessions", right).want(422, "4103").wantNoCookie()
	delete(right, "transport")
	b.wantAccepted(again.post("/v1/sessions", right).want(201, "0").wantNoCookie().str("token"), true)
	again.get("/v1/sessions/current").want(401, "4101") // the one before has ended

	// The pages know cookies only.
	again.header.Set("Cookie", "usher="+browser.cookie())
	again.do(request{method: "GET", path: "/account", header: http.Header{"Accept": {"text/html"}}}).wantPage(200, "li_lei")
	other := b.app(b.bearerSignIn(false))
	other.do(request{method: "GET", path: "/account", header: http.Header{"Accept": {"text/html"}}}).wantPage(401, "/login")
}

func TestBearer_header(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	b.person().signUp("li_lei", number)
	token := b.bearerSignIn(true)
	unknown := secrets.NewToken("usr")
	for name, c := range map[string]struct {
		values    []string
		ok        bool
		challenge string
	}{
		"plain":             {[]string{"Bearer " + token}, true, ""},
		"lower case":        {[]string{"bearer " + token}, true, ""},
		"upper case":        {[]string{"BEARER " + token}, true, ""},
		"more spaces":       {[]string{"  Bearer   " + token + "  "}, true, ""},
		"none":              {nil, false, `Bearer`},
		"empty":             {[]string{""}, false, `Bearer`},
		"another scheme":    {[]string{"Basic " + token}, false, `Bearer`},
		"no space":          {[]string{"Bearer" + token}, false, `Bearer`},
		"tab":               {[]string{"Bearer\t" + token}, false, `Bearer`},
		"scheme alone":      {[]string{"Bearer"}, false, `Bearer error="invalid_token"`},
		"token alone":       {[]string{token}, false, `Bearer`},
		"twice the same":    {[]string{"Bearer " + token, "Bearer " + token}, false, `Bearer error="invalid_token"`},
		"beside another":    {[]string{"Basic eA==", "Bearer " + token}, false, `Bearer error="invalid_token"`},
		"two in one":        {[]string{"Bearer " + token + ", Bearer " + token}, false, `Bearer error="invalid_token"`},
		"space inside":      {[]string{"Bearer " + token[:20] + " " + token[20:]}, false, `Bearer error="invalid_token"`},
		"quoted":            {[]string{`Bearer "` + token + `"`}, false, `Bearer error="invalid_token"`},
		"longer":            {[]string{"Bearer " + token + "0"}, false, `Bearer error="invalid_token"`},
		"very long":         {[]string{"Bearer usr_" + strings.Repeat("0", 8000)}, false, `Bearer error="invalid_token"`},
		"another kind":      {[]string{"Bearer " + secrets.NewToken("usk")}, false, `Bearer error="invalid_token"`},
		"unknown":           {[]string{"Bearer " + unknown}, false, `Bearer error="invalid_token"`},
		"another secret":    {[]string{"Bearer " + b.keys.SessionToken(secrets.SessionHandle(token), 1000)}, false, `Bearer error="invalid_token"`},
		"lower-case letter": {[]string{"Bearer " + strings.ToLower(token)}, false, `Bearer error="invalid_token"`},
	} {
		p := b.person()
		p.header = http.Header{"Authorization": c.values}
		got := p.get("/v1/sessions/current").wantNoCookie()
		if want := map[bool]int{true: 200, false: 401}[c.ok]; got.status != want || got.header.Get("WWW-Authenticate") != c.challenge {
			t.Errorf("%s: got %d and the challenge %q, want %d and %q", name, got.status, got.header.Get("WWW-Authenticate"), want, c.challenge)
		}
	}
	b.wantAccepted(token, true) // none of these has ended it
	b.wantNoSecrets(token, unknown)
}

func TestBearer_in_a_wrong_form_costs_no_question_to_Redis(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	b.redis.SetError("LOADING Redis must not be asked")
	flipped := []byte(secrets.NewToken("usr"))
	flipped[10] ^= 1
	for _, token := range []string{"", "x", string(flipped), secrets.NewToken("usk")} {
		b.app(token).get("/v1/sessions/current").want(401, "4101")
		b.app(token).rotate().want(401, "4101")
	}
	b.app(secrets.NewToken("usr")).get("/v1/sessions/current").want(503, "4301")
}

func TestBearer_rotation(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	b.person().signUp("li_lei", number)
	first := b.bearerSignIn(true)
	id := b.app(first).sessions()[0].ID
	b.clock.Advance(6 * 24 * time.Hour)
	rotated := b.app(first).rotate().want(200, "0").wantNoCookie()
	second := rotated.str("token")
	if second == first || !secrets.CheckToken("usr", second) || rotated.Data["expires_in"] != (7*24*time.Hour).Seconds() {
		t.Fatalf("rotation gave a token that is the same: %v, valid: %v, for %v s", second == first, secrets.CheckToken("usr", second), rotated.Data["expires_in"])
	}
	b.wantAccepted(second, true)
	b.clock.Advance(59 * time.Second)
	b.wantAccepted(first, true)
	if again := b.app(first).rotate().want(200, "0").str("token"); again != second {
		t.Error("the replaced token gets another one in its grace")
	}
	if list := b.app(second).sessions(); len(list) != 1 || list[0].ID != id {
		t.Errorf("sessions are %+v", list)
	}
	b.clock.Advance(6 * 24 * time.Hour) // twelve days after the sign-in
	b.wantAccepted(second, true)

	// The session of a replaced token that is used after its grace ends, with a line in the log.
	if strings.Contains(b.logs.String(), "perhaps by a thief") {
		t.Fatal("a theft is logged before there was one")
	}
	b.wantAccepted(first, false)
	b.wantAccepted(second, false)
	if !strings.Contains(b.logs.String(), "perhaps by a thief") {
		t.Error("the reuse of a replaced token is not logged")
	}
	if list := b.signedIn(false).sessions(); len(list) != 1 {
		t.Errorf("the session that has ended is listed: %+v", list)
	}
	b.wantNoSecrets(first, second)
}

func TestBearer_rotation_survives_lost_answers(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	b.person().signUp("li_lei", number)
	first := b.bearerSignIn(true)
	lost := b.app(first).rotate().want(200, "0").str("token")
	b.clock.Advance(time.Hour) // in a tunnel
	b.wantAccepted(first, false)
	second := b.app(first).rotate().want(200, "0").str("token")
	if second != lost {
		t.Error("a repeated rotation gives another token")
	}
	b.wantAccepted(second, true)
	b.app(first).rotate().want(401, "4101") // by now the answer has arrived, so this is not its client
	b.wantAccepted(second, false)
}

// Rotations at the same time are one. The number of requests finds writes that overtake each other.
func TestBearer_rotation_at_the_same_time(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	b.person().signUp("li_lei", number)
	token := b.bearerSignIn(true)
	for range 4 {
		b.clock.Advance(time.Hour)
		var all sync.WaitGroup
		tokens := make([]string, 8)
		for i := range tokens {
			all.Go(func() {
				if i%2 == 0 {
					tokens[i] = b.app(token).rotate().want(200, "0").str("token")
				} else {
					b.app(token).get("/v1/sessions/current").want(200, "0")
				}
			})
		}
		all.Wait()
		for i := 0; i < len(tokens); i += 2 {
			if tokens[i] != tokens[0] || tokens[i] == token {
				t.Fatal("rotations at the same time gave different tokens, or the old one")
			}
		}
		token = tokens[0]
		b.wantAccepted(token, true)
	}
}

// A rotation writes the list of sessions and then the session. Without the second write, the token stays as it was.
func TestBearer_rotation_survives_an_outage(t *testing.T) {
	t.Parallel()
	fails := &failingSessions{}
	b := setup(t, func(s *api.Server) {
		fails.Sessions = s.Sessions
		s.Sessions = fails
	})
	b.person().signUp("li_lei", number)
	first := b.bearerSignIn(true)
	b.clock.Advance(time.Hour)
	for range 3 {
		fails.commits.Store(true)
		b.app(first).rotate().want(503, "4301")
		fails.commits.Store(false)
		b.clock.Advance(2 * time.Minute)
		b.wantAccepted(first, true)
	}
	second := b.app(first).rotate().want(200, "0").str("token")
	b.wantAccepted(second, true)
	if list := b.app(second).sessions(); len(list) != 1 {
		t.Errorf("sessions are %+v", list)
	}
}

// failingSessions refuses to write, as if Redis were killed between two commands.
type failingSessions struct {
	api.Sessions

	commits atomic.Bool
}

// CommitCtx implements [api.Sessions].
func (f *failingSessions) CommitCtx(ctx context.Context, token string, data []byte, expiry time.Time) error {
	if f.commits.Load() {
		return &store.Outage{Of: store.Redis, Err: errors.New("killed")}
	}
	return f.Sessions.CommitCtx(ctx, token, data, expiry)
}

// A request that has read the session before a rotation may write it back after it.
func TestBearer_rotation_survives_a_late_write(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	b.person().signUp("li_lei", number)
	first := b.bearerSignIn(true)
	before := map[string]string{}
	for _, key := range b.redis.Keys() {
		if value, err := b.redis.Get(key); err == nil && strings.Contains(key, "session") {
			before[key] = value
		}
	}
	second := b.app(first).rotate().want(200, "0").str("token")
	for key, value := range before {
		_ = b.redis.Set(key, value)
	}
	b.wantAccepted(second, true)
	b.clock.Advance(2 * time.Minute)
	b.wantAccepted(second, true)
	b.wantAccepted(first, false)
}

func TestBearer_ends_with_the_password(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	b.person().signUp("li_lei", number)
	here, there, browser := b.bearerSignIn(true), b.bearerSignIn(true), b.signedIn(true)
	changed := b.app(here).do(request{
		method: "PUT", path: "/v1/account/password", contentType: "application/json",
		text: `{"password_current":"` + password + `","password":"another good one","password_repeat":"another good one"}`,
	}).want(200, "0").wantNoCookie()
	b.wantAccepted(changed.str("token"), true)
	b.wantAccepted(here, false)
	b.wantAccepted(there, false)
	browser.wantSignedIn(false)
}

func TestBearer_is_kept_sealed_for_a_repeated_registration(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	form := body{
		"username": "li_lei", "password": password, "password_repeat": password, "agree": true,
		"mobile": number, "sms_code": b.person().code(number, "register"), "transport": "bearer",
	}
	token := b.person().postWith("a-key-of-the-app", "/v1/registrations", form).want(201, "0").wantReplayed(false).str("token")
	if again := b.person().postWith("a-key-of-the-app", "/v1/registrations", form).want(201, "0").wantReplayed(true).str("token"); again != token {
		t.Error("the repeated request gets another token")
	}
	if found := testkit.FindSecrets([]byte(b.redis.Dump()), token, secrets.SessionHandle(token)); len(found) > 0 {
		t.Errorf("Redis has the token: %v", found)
	}
	b.wantNoSecrets(token)
}

// A page of another origin cannot send the header unless CORS allows it; a cookie beside it does not count.
func TestBearer_needs_no_origin_and_lends_none_to_cookies(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	browser := b.person()
	browser.signUp("li_lei", number)
	token := b.bearerSignIn(true)
	foreign := http.Header{"Origin": {"https://evil.example"}, "Sec-Fetch-Site": {"cross-site"}}
	p := b.app(token)
	p.do(request{method: "DELETE", path: "/v1/sessions", header: foreign}).want(200, "0")
	browser.wantSignedIn(false)

	victim := b.signedIn(true)
	for _, value := range []string{"", "Bearer ", "Bearer usr_x", "Basic eA=="} {
		header := foreign.Clone()
		header.Set("Authorization", value)
		victim.do(request{method: "DELETE", path: "/v1/sessions/current", header: header}).want(403, "4209")
	}
	header := foreign.Clone()
	header.Set("Authorization", "Bearer "+secrets.NewToken("usr"))
	victim.do(request{method: "DELETE", path: "/v1/sessions/current", header: header}).want(200, "0").wantNoCookie()
	victim.wantSignedIn(true)
	victim.do(request{method: "POST", path: "/logout", contentType: "application/x-www-form-urlencoded", header: header})
	victim.wantSignedIn(true)

	for origin, want := range map[string]string{"https://app.example.com": "https://app.example.com", "https://evil.example": ""} {
		got := p.do(request{method: "OPTIONS", path: "/v1/sessions/current", header: http.Header{
			"Origin": {origin}, "Access-Control-Request-Method": {"GET"}, "Access-Control-Request-Headers": {"authorization"},
		}})
		allowed := strings.Contains(strings.ToLower(got.header.Get("Access-Control-Allow-Headers")), "authorization")
		if got.header.Get("Access-Control-Allow-Origin") != want || allowed != (want != "") {
			t.Errorf("%s: preflight says %v", origin, got.header)
		}
	}
}

// FuzzBearer sends strange headers: none opens a session, and the API refuses them all in the same way.
func FuzzBearer(f *testing.F) {
	shared := setup(f, nil)
	shared.person().signUp("li_lei", number)
	token := shared.bearerSignIn(true)
	f.Add("Bearer usr_0123456789ABCDEFGHIJKLMNOPQRSTUV_2zewna")
	f.Add("bearer  usr_x, Bearer")
	f.Add("Bearer\t" + token)
	f.Add("Bearer " + token + ",")
	f.Add(token)
	f.Fuzz(func(t *testing.T, value string) {
		if !printable(value) {
			t.Skip("not a header")
		}
		b := *shared
		b.t = t
		p := b.person()
		p.header = http.Header{"Authorization": {value}}
		if scheme, rest, _ := strings.Cut(strings.Trim(value, " "), " "); strings.EqualFold(scheme, "bearer") && strings.Trim(rest, " ") == token {
			t.Skip("the token itself")
		}
		p.get("/v1/sessions/current").want(401, "4101").wantNoCookie()
	})
}
