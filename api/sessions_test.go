package api_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"usher/api"
	"usher/limits"
)

// cookie returns the session that the person's browser holds.
func (p *person) cookie() string {
	p.b.t.Helper()
	for _, c := range p.client.Jar.Cookies(must(url.Parse(p.b.server.URL))(p.b.t)) {
		if c.Name == "usher" {
			return c.Value
		}
	}
	return ""
}

func (p *person) setCookie(value string) {
	p.b.t.Helper()
	p.client.Jar.SetCookies(must(url.Parse(p.b.server.URL))(p.b.t), []*http.Cookie{{Name: "usher", Value: value, Path: "/"}})
}

// signIn signs in by password.
func (p *person) signIn(remember bool) *reply {
	p.b.t.Helper()
	return p.post("/v1/sessions", body{"login": "li_lei", "password": password, "remember": remember}).want(201, "0")
}

func TestSession_cookie(t *testing.T) {
	t.Parallel()
	for scheme, want := range map[string][]string{
		"http":  {"usher=", "Path=/", "HttpOnly", "SameSite=Lax"},
		"https": {"__Host-usher=", "Path=/", "HttpOnly", "Secure", "SameSite=Lax"},
	} {
		b := setup(t, func(s *api.Server) { s.Config.PublicURL.Scheme = scheme })
		cookie := b.person().signUp("li_lei", number).header.Get("Set-Cookie")
		for _, part := range want {
			if !strings.Contains(cookie, part) {
				t.Errorf("%s: cookie %q lacks %q", scheme, cookie, part)
			}
		}
		if strings.Contains(cookie, "Domain") || strings.Contains(cookie, "Expires") {
			t.Errorf("%s: cookie %q has a domain or outlives the browser", scheme, cookie)
		}
		if scheme == "http" && strings.Contains(cookie, "Secure") {
			t.Errorf("cookie %q is lost without TLS", cookie)
		}
	}
}

// widely is a face whose cookie all hosts of a domain get.
func widely(t *testing.T) *bundle {
	t.Helper()
	return setup(t, func(s *api.Server) {
		s.Config.PublicURL = must(url.Parse("https://signup.example.com"))(t)
		s.Config.CookieDomain = "example.com"
	})
}

// cookies sends a request with these cookies and returns those that the answer sets.
func (b *bundle) cookies(method, path, cookies string, status int) string {
	b.t.Helper()
	p := b.person()
	p.header = http.Header{"Cookie": {cookies}}
	got := p.do(request{method: method, path: path})
	if got.status != status {
		b.t.Errorf("%s %s: got %d, want %d", method, path, got.status, status)
	}
	return strings.Join(got.header.Values("Set-Cookie"), "\n")
}

func TestSession_cookie_of_a_domain(t *testing.T) {
	t.Parallel()
	b := widely(t)
	set := b.person().signUp("li_lei", number).header.Get("Set-Cookie")
	token, found := strings.CutPrefix(strings.Split(set, ";")[0], "__Secure-usher=")
	for _, part := range []string{"Domain=example.com", "Path=/", "HttpOnly", "Secure", "SameSite=Lax"} {
		if !found || !strings.Contains(set, part) {
			t.Errorf("cookie %q has another name, or lacks %q", set, part)
		}
	}
	b.cookies("GET", "/v1/sessions/current", "__Secure-usher="+token, 200)
	// Another host of the domain may set a cookie for a path. Then neither counts: one of them may be another person's.
	b.cookies("GET", "/v1/sessions/current", "__Secure-usher=planted; __Secure-usher="+token, 401)
	b.cookies("GET", "/v1/sessions/current", "__Secure-usher="+token+"; __Secure-usher="+token, 200)

	// Proxies get the same answers, also while they are kept.
	other := b.person().signUp("han_meimei", nextNumber).header.Get("Set-Cookie")
	planted, _, _ := strings.Cut(other, ";")
	for range 2 {
		b.cookies("GET", "/v1/auth", "__Secure-usher="+token, 200)
		b.cookies("GET", "/v1/auth", planted, 200)
		b.cookies("GET", "/v1/auth", planted+"; __Secure-usher="+token, 401)
		for _, beside := range []string{"", planted + "; "} {
			p := b.person()
			p.header = http.Header{"Cookie": {beside + "__Host-usher=" + token}}
			if got := p.get("/v1/auth").header.Get("X-Usher-Username"); got != "li_lei" {
				t.Errorf("a proxy hears that %q is signed in", got)
			}
		}
	}

	// A cookie from before the setting stays valid, is replaced, and comes before one that another host may have set.
	for _, beside := range []string{"", "__Secure-usher=planted; "} {
		set = b.cookies("GET", "/v1/sessions/current", beside+"__Host-usher="+token, 200)
		if !strings.Contains(set, "__Host-usher=; Path=/; Max-Age=0") || !strings.Contains(set, "__Secure-usher="+token+"; Path=/; Domain=example.com") {
			t.Errorf("the cookie is not replaced: %s", set)
		}
	}
	// One that has ended does not keep its person out.
	set = b.cookies("GET", "/v1/sessions/current", "__Host-usher=ended; __Secure-usher="+token, 200)
	if !strings.Contains(set, "__Host-usher=; Path=/; Max-Age=0") || strings.Contains(set, "__Secure-usher") {
		t.Errorf("the ended cookie stays, or changes the other: %s", set)
	}
	set = b.cookies("DELETE", "/v1/sessions/current", "__Host-usher="+token, 200)
	if !strings.HasSuffix(strings.Split(set, "; Path=/; Domain=example.com; Expires=Thu, 01 Jan 1970")[0], "__Secure-usher=") || !strings.Contains(set, "__Host-usher=; Path=/; Max-Age=0") {
		t.Errorf("signing out leaves a cookie: %s", set)
	}
	b.cookies("GET", "/v1/sessions/current", "__Secure-usher="+token, 401)
}

// Without the setting the cookie of a domain is none: another host may have set it.
func TestSession_cookie_of_a_domain_does_not_outlive_the_setting(t *testing.T) {
	t.Parallel()
	b := setup(t, func(s *api.Server) { s.Config.PublicURL.Scheme = "https" })
	set := b.person().signUp("li_lei", number).header.Get("Set-Cookie")
	token, _ := strings.CutPrefix(strings.Split(set, ";")[0], "__Host-usher=")
	b.cookies("GET", "/v1/sessions/current", "__Host-usher="+token, 200)
	b.cookies("GET", "/v1/sessions/current", "__Secure-usher="+token, 401)
}

func TestSession_has_a_new_token_after_each_sign_in(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	p := b.person()
	p.setCookie("planted-by-a-stranger")
	p.signUp("li_lei", number)
	first := p.cookie()
	if first == "planted-by-a-stranger" || first == "" {
		t.Fatalf("session after registering is %q", first)
	}
	p.signIn(false)
	if p.cookie() == first {
		t.Error("token is the same after signing in again")
	}
	old := b.person()
	old.setCookie(first)
	old.get("/v1/sessions/current").want(401, "4101")
	for _, key := range b.redis.Keys() {
		value, _ := b.redis.Get(key)
		if strings.Contains(key+value, p.cookie()) {
			t.Errorf("Redis holds the token itself under %q", key)
		}
	}
}

func TestSession_ends_when_idle(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	p := b.person()
	p.signUp("li_lei", number)
	for range 3 {
		b.clock.Advance(29 * time.Minute)
		p.get("/v1/sessions/current").want(200, "0")
	}
	b.clock.Advance(30 * time.Minute)
	p.get("/v1/sessions/current").want(401, "4101")
	if p.cookie() != "" {
		t.Error("cookie of the ended session is still there")
	}
}

func TestSession_ends_after_its_lifetime_however_busy(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	p := b.person()
	p.signUp("li_lei", number)
	for range 35 {
		b.clock.Advance(20 * time.Minute)
		p.get("/v1/sessions/current").want(200, "0")
	}
	b.clock.Advance(20 * time.Minute)
	p.get("/v1/sessions/current").want(401, "4101")
}

func TestSession_remembered_lives_for_days_without_a_request(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	p := b.person()
	p.signUp("li_lei", number)
	if cookie := p.signIn(true).header.Get("Set-Cookie"); !strings.Contains(cookie, "Max-Age=") {
		t.Errorf("cookie %q ends with the browser", cookie)
	}
	b.clock.Advance(7*24*time.Hour - time.Minute)
	p.get("/v1/sessions/current").want(200, "0")
	b.clock.Advance(2 * time.Minute)
	p.get("/v1/sessions/current").want(401, "4101")
}

func TestSession_of_garbage_is_none(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	for _, value := range []string{"x", strings.Repeat("A", 4000), "..%2f..", "a b"} {
		p := b.person()
		p.header = http.Header{"Cookie": {"usher=" + value}}
		p.get("/v1/sessions/current").want(401, "4101")
	}
}

func TestSignIn_demands_a_captcha_after_three_tries(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	b.person().signUp("li_lei", number)
	p := b.person()
	wrong := body{"login": "li_lei", "password": "wrong password"}
	for _, login := range []string{"li_lei", "LI_LEI", "ｌｉ_ｌｅｉ"} {
		wrong["login"] = login
		p.post("/v1/sessions", wrong).want(401, "4102")
	}
	right := body{"login": "li_lei", "password": password}
	p.post("/v1/sessions", right).want(422, "4202")
	right["captcha_id"], right["captcha"] = p.captcha(), "no"
	p.post("/v1/sessions", right).want(422, "4202")
	right["captcha_id"], right["captcha"] = p.captcha(), captchaText
	p.post("/v1/sessions", right).want(201, "0")
	b.wantNoSecrets("wrong password", password)
}

func TestSignIn_tells_unknown_from_wrong_to_nobody(t *testing.T) {
	t.Parallel()
	b := setup(t, func(s *api.Server) { delete(s.Limits, limits.LoginAddr) })
	b.person().signUp("li_lei", number)
	p := b.person()
	p.header = http.Header{"X-Request-Id": {"always-the-same"}}
	known := p.post("/v1/sessions", body{"login": "li_lei", "password": "wrong password"}).want(401, "4102")
	for _, login := range []string{"nobody_here", "13900139000", "x@example.com", "!!"} {
		if got := p.post("/v1/sessions", body{"login": login, "password": "wrong password"}); got.text != known.text {
			t.Errorf("%s: got %s, want %s", login, got.text, known.text)
		}
	}
}

func TestCodes_for_unknown_numbers_are_answered_alike(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	p := b.person()
	p.signUp("li_lei", number)
	b.clock.Advance(time.Minute)
	for _, purpose := range []string{"login", "reset_password"} {
		var shapes [2]string
		for i, mobile := range []string{number, "13900139000"} {
			got := p.post("/v1/sms-codes", body{
				"mobile": mobile, "purpose": purpose, "captcha_id": p.captcha(), "captcha": captchaText,
			}).want(202, "0")
			id := got.str("sms_code_id")
			shapes[i] = strings.NewReplacer(id, "ID", got.RequestID, "REQUEST").Replace(got.text) +
				p.get("/v1/sms-codes/"+id).want(200, "0").str("status")
		}
		if shapes[0] != shapes[1] {
			t.Errorf("%s: known %s, unknown %s", purpose, shapes[0], shapes[1])
		}
		b.clock.Advance(time.Minute)
	}
	p.post("/v1/sessions", body{"mobile": "13900139000", "sms_code": p.code("13900139000", "login")}).want(404, "4104")
}
