package api_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"usher/internal/testkit"
)

func TestJourney_by_number(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	p := b.person()

	if got := p.get("/v1/mobiles/"+number).want(200, "0").Data["count"]; got != 0.0 {
		t.Errorf("count of a new number is %v", got)
	}
	captcha := p.captcha()
	if p.post("/v1/captchas/"+captcha+"/check", body{"answer": captchaText}).want(200, "0").Data["valid"] != true {
		t.Error("right captcha answer is not valid")
	}
	sent := p.post("/v1/sms-codes", body{
		"mobile": number, "captcha_id": captcha, "captcha": strings.ToUpper(captchaText), "purpose": "register",
	}).want(202, "0")
	if sent.header.Get("RateLimit-Policy") == "" || sent.header.Get("RateLimit") == "" {
		t.Errorf("no RateLimit fields on %v", sent.header)
	}
	status := p.get("/v1/sms-codes/"+sent.str("sms_code_id")).want(200, "0")
	if status.Data["status"] != "queued" || status.Data["resend_after"] != 60.0 {
		t.Errorf("status of a fresh code is %v", status.Data)
	}
	code := b.lastCode()
	if p.post("/v1/sms-codes/check", body{"mobile": number, "code": code, "purpose": "register"}).want(200, "0").Data["valid"] != true {
		t.Error("right code is not valid")
	}

	account := p.post("/v1/registrations", body{
		"username": "li_lei", "password": password, "password_repeat": password, "agree": true,
		"mobile": number, "sms_code": code, "email": address,
	}).want(201, "0")
	if account.Data["mobile"] != "138****8000" || account.Data["active"] != true || account.Data["email_active"] != false {
		t.Errorf("registered account is %v", account.Data)
	}
	if got := p.get("/v1/sessions/current").want(200, "0").Data["username"]; got != "li_lei" {
		t.Errorf("signed in as %v after registering", got)
	}
	if p.get("/v1/sms-codes/"+sent.str("sms_code_id")).want(200, "0").Data["status"] != "used" {
		t.Error("code is not used after registering")
	}
	activated := p.post("/v1/activations", body{"token": b.lastToken(address)}).want(200, "0")
	if activated.Data["email_active"] != true {
		t.Errorf("activated account is %v", activated.Data)
	}
	p.delete("/v1/sessions/current").want(200, "0")
	p.get("/v1/sessions/current").want(401, "4101")
	p.delete("/v1/sessions/current").want(200, "0")

	for _, login := range []string{"LI_LEI", number, address} {
		p.post("/v1/sessions", body{"login": login, "password": password}).want(201, "0")
	}
	b.wantNoSecrets(number, address, password, captchaText, code, b.lastToken(address))
}

func TestJourney_sign_in_by_code_then_reset_ends_sessions(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	first, second := b.person(), b.person()
	first.signUp("han_meimei", number)
	b.clock.Advance(time.Minute)

	login := second.code(number, "login")
	second.post("/v1/sessions", body{"mobile": number, "sms_code": login}).want(201, "0")
	second.post("/v1/sessions", body{"mobile": number, "sms_code": login}).want(422, "4203")
	b.clock.Advance(time.Minute)

	reset := body{"mobile": number, "password": "another good one", "password_repeat": "another good one"}
	reset["sms_code"] = second.code(number, "reset_password")
	second.post("/v1/password-resets", reset).want(200, "0")
	for name, p := range map[string]*person{"first": first, "second": second} {
		if got := p.get("/v1/sessions/current"); got.status != http.StatusUnauthorized {
			t.Errorf("%s session lives on after the reset: %d", name, got.status)
		}
	}
	first.post("/v1/sessions", body{"login": "han_meimei", "password": password}).want(401, "4102")
	first.post("/v1/sessions", body{"login": "han_meimei", "password": "another good one"}).want(201, "0")
	b.wantNoSecrets(number, password, "another good one", login)
}

func TestJourney_by_address(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	p := b.person()
	form := body{
		"username": "jim_green", "password": password, "password_repeat": password, "agree": true, "email": address,
	}
	p.post("/v1/registrations", form).want(422, "4202")
	form["captcha_id"], form["captcha"] = p.captcha(), captchaText
	registered := p.post("/v1/registrations", form).want(201, "0")
	if registered.Data["active"] != false {
		t.Errorf("an unproved address is active: %v", registered.Data)
	}
	p.wantSignedIn(false)
	p.post("/v1/sessions", body{"login": address, "password": password}).want(401, "4102") // the address may be another person's
	p.post("/v1/sessions", body{"login": "jim_green", "password": password}).want(403, "4104")
	old := b.lastToken(address)
	p.post("/v1/activations/resend", body{"email": "Li.Lei@Example.com"}).want(202, "0")
	p.post("/v1/activations/resend", body{"email": "unknown@example.com"}).want(202, "0")
	if len(b.mails.all()) != 2 {
		t.Errorf("%d mails enqueued, want the first and one more", len(b.mails.all()))
	}
	p.post("/v1/activations", body{"token": old + "x"}).want(422, "4208")
	token := b.lastToken(address)
	p.post("/v1/activations", body{"token": old}).want(200, "0") // the first link still works
	p.post("/v1/activations", body{"token": token}).want(200, "0")
	p.post("/v1/activations", body{"token": token}).want(200, "0")
	p.post("/v1/sessions", body{"login": address, "password": password}).want(201, "0")
	b.wantNoSecrets(address, password, token)
}

// wantNoSecrets searches the logs.
func (b *bundle) wantNoSecrets(secrets ...string) {
	b.t.Helper()
	if b.logs.String() == "" {
		b.t.Error("nothing was logged")
	}
	for _, found := range testkit.FindSecrets(b.logs.Bytes(), secrets...) {
		b.t.Error("log: " + found)
	}
}
