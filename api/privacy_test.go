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

const grace = 7 * 24 * time.Hour

func withGrace(s *api.Server) { s.Accounts.Policy.DeleteGrace = grace }

func (p *person) signInByName(login string) *reply {
	p.b.t.Helper()
	return p.post("/v1/sessions", body{"login": login, "password": password}).want(201, "0")
}

func TestDeletion_is_taken_back_by_a_sign_in(t *testing.T) {
	t.Parallel()
	b := setup(t, withGrace)
	p, other := b.person(), b.person()
	p.signUp("li_lei", number)
	other.signInByName("li_lei")
	p.post("/v1/account/deletion", body{}).want(422, "4103")
	p.post("/v1/account/deletion", body{"password": "not the password"}).want(422, "4106")
	got := p.post("/v1/account/deletion", body{"password": password}).want(200, "0")
	if got.Data["deleted"] != false || !strings.HasPrefix(got.str("delete_at"), b.clock.Now().Add(grace).UTC().Format("2006-01-02T15:04")) {
		t.Errorf("the answer is %s", got.text)
	}
	p.get("/v1/sessions/current").want(401, "4101")
	other.get("/v1/sessions/current").want(401, "4101")
	if res := p.get("/v1/usernames/li_lei"); res.Data["count"] != 1. {
		t.Errorf("the name of an account that waits: %s", res.text)
	}
	b.clock.Advance(grace - time.Minute)
	if n, err := b.face.Accounts.EraseDue(t.Context(), 10); n != 0 || err != nil {
		t.Errorf("EraseDue = %d, %v", n, err)
	}
	if back := p.signInByName("li_lei"); back.Data["deletion_canceled"] != true {
		t.Errorf("the sign-in does not say that the deletion is taken back: %s", back.text)
	}
	b.clock.Advance(time.Hour)
	if n, err := b.face.Accounts.EraseDue(t.Context(), 10); n != 0 || err != nil {
		t.Errorf("EraseDue after the sign-in = %d, %v", n, err)
	}
	if again := p.signInByName("li_lei"); again.Data["deletion_canceled"] != false {
		t.Errorf("a second sign-in says it again: %s", again.text)
	}
	p.post("/v1/account/deletion", body{"password": password}).want(200, "0")
	back := p.post("/v1/sessions", body{"mobile": number, "sms_code": p.code(number, "login")}).want(201, "0")
	if back.Data["deletion_canceled"] != true {
		t.Errorf("the sign-in by code does not say it: %s", back.text)
	}
}

func TestDeletion_is_carried_out(t *testing.T) {
	t.Parallel()
	for name, days := range map[string]time.Duration{"after the grace": grace, "at once": 0} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, func(s *api.Server) { s.Accounts.Policy.DeleteGrace = days })
			p := b.person()
			p.signUp("li_lei", number)
			if got := p.post("/v1/account/deletion", body{"password": password}).want(200, "0"); got.Data["deleted"] != (days == 0) {
				t.Errorf("the answer is %s", got.text)
			}
			b.clock.Advance(days + time.Second)
			if _, err := b.face.Accounts.EraseDue(t.Context(), 10); err != nil {
				t.Fatal(err)
			}
			p.post("/v1/sessions", body{"login": "li_lei", "password": password}).want(401, "4102")
			if res := p.get("/v1/usernames/li_lei"); res.Data["count"] != 1. {
				t.Errorf("the name is free at once: %s", res.text)
			}
			b.clock.Advance(25 * time.Hour)
			for range 2 { // the first deletes the rest, which must be done before the row goes
				if _, err := b.face.Accounts.ForgetErased(t.Context(), 10); err != nil {
					t.Fatal(err)
				}
			}
			if res := p.get("/v1/usernames/li_lei"); res.Data["count"] != 0. {
				t.Errorf("the name is taken a day later: %s", res.text)
			}
			p.signUp("li_lei", number)
		})
	}
}

func TestExport_has_what_is_known(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	p := b.person()
	p.post("/v1/account/export", body{"password": password}).want(401, "4101")
	p.post("/v1/registrations", body{
		"username": "li_lei", "password": password, "password_repeat": password, "agree": true, "email": address,
		"mobile": number, "sms_code": p.code(number, "register"),
	}).want(201, "0")
	p.post("/v1/account/export", body{"password": "not the password"}).want(422, "4106")
	got := p.post("/v1/account/export", body{"password": password}).want(200, "0")
	for _, want := range []string{
		`"mobile":"+8613800138000"`, `"pending_email":"` + address + `"`, `"document":"terms"`, `"purpose":"activation"`, `"current":true`,
	} {
		if !strings.Contains(got.text, want) {
			t.Errorf("the export lacks %s: %s", want, got.text)
		}
	}
	if strings.Contains(got.text, "argon2") {
		t.Error("the export has the hash of the password")
	}
	page := p.submit("/account", url.Values{"mode": {"export"}, "action": {"export"}, "password": {password}}).wantPage(200, "+8613800138000")
	if file := page.header.Get("Content-Disposition"); !strings.HasPrefix(file, "attachment") {
		t.Errorf("Content-Disposition: %q", file)
	}
	p.submit("/account", url.Values{"mode": {"export"}, "action": {"export"}, "password": {"not the password"}}).wantPage(422, `name="password"`)
}

func TestConsent_to_a_new_version_is_asked_at_the_next_sign_in(t *testing.T) {
	t.Parallel()
	b := setup(t, func(s *api.Server) { s.Accounts.Policy.TermsVersion = "1" })
	p, other := b.person(), b.person()
	p.signUp("li_lei", number)
	name := func(p *person) *reply {
		return p.do(request{method: "PUT", path: "/v1/account/username", contentType: "application/json", text: `{"username":"another"}`})
	}
	if got := other.signInByName("li_lei"); got.Data["consent_due"] != false {
		t.Errorf("a sign-in with the present version: %s", got.text)
	}
	b.face.Accounts.Policy.TermsVersion, b.face.Accounts.Policy.PrivacyVersion = "2", "7"
	name(p).want(409, "4003") // the session goes on
	if got := other.signInByName("li_lei"); got.Data["consent_due"] != true {
		t.Errorf("a sign-in with an older version: %s", got.text)
	}
	name(other).want(403, "4211")
	if res := other.askProxy("GET", "/v1/auth", nil, http.NoBody); res.StatusCode != 403 {
		t.Errorf("a proxy hears %d", res.StatusCode)
	}
	other.get("/v1/sessions/current").want(200, "0")
	other.post("/v1/account/export", body{"password": password}).want(200, "0")
	if due, _ := other.get("/v1/account/consents").want(200, "0").Data["due"].([]any); len(due) != 2 {
		t.Errorf("due: %v", due)
	}
	other.post("/v1/account/consents", body{"terms": "2"}).want(422, "4103")
	other.post("/v1/account/consents", body{"terms": "1", "privacy": "7"}).want(422, "4103")
	got := other.post("/v1/account/consents", body{"terms": "2", "privacy": "7"}).want(200, "0")
	if list, _ := got.Data["consents"].([]any); len(list) != 3 {
		t.Errorf("consents: %s", got.text)
	}
	name(other).want(409, "4003")
	other.delete("/v1/account/consents/else").want(404, "4002")
	if got := other.delete("/v1/account/consents/privacy").want(200, "0"); !strings.Contains(got.text, "withdrawn_at") {
		t.Errorf("consents: %s", got.text)
	}
	name(other).want(403, "4211")
}

func TestWithdrawals_have_a_day_s_limit(t *testing.T) {
	t.Parallel()
	b := setup(t, func(s *api.Server) { s.Accounts.Policy.TermsVersion = "1" })
	p := b.person()
	p.signUp("li_lei", number)
	for range limits.Defaults()[limits.ChangesDay].Count {
		p.delete("/v1/account/consents/terms").want(200, "0")
		p.post("/v1/account/consents", body{"terms": "1"}).want(200, "0")
	}
	p.delete("/v1/account/consents/terms").want(429, "4206")
}

func TestPages_ask_for_consent_and_delete(t *testing.T) {
	t.Parallel()
	b := setup(t, func(s *api.Server) { withGrace(s); s.Accounts.Policy.TermsVersion = "1" })
	p := b.person()
	p.signUp("li_lei", number)
	p.submit("/account", url.Values{"action": {"withdraw_terms"}})
	p.get("/account").wantPage(200, `value="agree"`)
	page := p.submit("/account", url.Values{"action": {"username"}, "username": {"another"}})
	if page.status != 403 {
		t.Errorf("a change without consent: %d", page.status)
	}
	p.submit("/account", url.Values{"action": {"agree"}, "terms": {"1"}}).wantPage(422, `value="agree"`)
	p.submit("/account", url.Values{"action": {"agree"}, "terms": {"1"}, "agree": {"true"}})
	p.get("/account").wantPage(200, "mode=delete")
	p.get("/account?mode=delete").wantPage(200, `value="delete"`)
	p.submit("/account", url.Values{"mode": {"delete"}, "action": {"delete"}, "password": {"not the password"}}).wantPage(422, `value="delete"`)
	p.submit("/account", url.Values{"mode": {"delete"}, "action": {"delete"}, "password": {password}}).
		wantPage(200, b.clock.Now().Add(grace).UTC().Format("2006-01-02 15:04"))
	back := p.submit("/login", url.Values{"login": {"li_lei"}, "password": {password}})
	if back.status != 303 || back.header.Get("Location") != "/account" {
		t.Fatalf("sign-in: %d to %s", back.status, back.header.Get("Location"))
	}
	p.get("/account").wantPage(200, "不会被注销")
}
