package api_test

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"usher/accounts"
	"usher/api"
	"usher/contact"
)

const (
	nextPassword = "another good one"
	nextNumber   = "13900139000"
	nextAddress  = "han.meimei@example.com"
)

func (p *person) put(path string, b body) *reply {
	p.b.t.Helper()
	text := must(json.Marshal(p.withCodeID(path, b)))(p.b.t)
	return p.do(request{method: "PUT", path: path, contentType: "application/json", text: string(text)})
}

// proved signs a person up whose number and address are proved.
func (b *bundle) proved() *person {
	b.t.Helper()
	p := b.person()
	p.post("/v1/registrations", body{
		"username": "li_lei", "password": password, "password_repeat": password, "agree": true,
		"mobile": number, "sms_code": p.code(number, "register"), "email": address,
	}).want(201, "0")
	p.post("/v1/activations", body{"token": b.lastToken(address)}).want(200, "0")
	b.clock.Advance(time.Minute)
	return p
}

// signedIn is another browser of the same person.
func (b *bundle) signedIn(remember bool) *person {
	b.t.Helper()
	p := b.person()
	p.signIn(remember)
	return p
}

func (p *person) wantSignedIn(want bool) {
	p.b.t.Helper()
	if want {
		p.get("/v1/sessions/current").want(200, "0")
	} else {
		p.get("/v1/sessions/current").want(401, "4101")
	}
}

func newPasswords(current, next string) body {
	return body{"password_current": current, "password": next, "password_repeat": next}
}

func TestAccount_change_of_password_ends_the_other_sessions(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	p := b.proved()
	other, remembered := b.signedIn(false), b.signedIn(true)
	thief := b.person()
	thief.setCookie(p.cookie())
	thief.wantSignedIn(true)

	got := p.put("/v1/account/password", newPasswords(password, nextPassword)).want(200, "0")
	if got.Data["username"] != "li_lei" || p.cookie() == thief.cookie() {
		t.Errorf("account %v; a new token: %v", got.Data, p.cookie() != thief.cookie())
	}
	p.wantSignedIn(true)
	for _, ended := range []*person{other, remembered, thief} {
		ended.wantSignedIn(false)
	}
	if list := p.sessions(); len(list) != 1 || !list[0].Current {
		t.Errorf("sessions after the change are %+v", list)
	}
	if mails := b.mails.all(); mails[len(mails)-1].Purpose != accounts.MailPasswordChanged {
		t.Errorf("newest mail is %+v", mails[len(mails)-1])
	}
	other.post("/v1/sessions", body{"login": "li_lei", "password": password}).want(401, "4102")
	other.post("/v1/sessions", body{"login": "li_lei", "password": nextPassword}).want(201, "0")
	b.wantNoSecrets(password, nextPassword, p.cookie(), thief.cookie())
}

func TestAccount_remembered_session_stays_so_after_a_change_of_password(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	b.proved()
	p := b.signedIn(true)
	if cookie := p.put("/v1/account/password", newPasswords(password, nextPassword)).want(200, "0").header.Get("Set-Cookie"); !strings.Contains(cookie, "Max-Age=") {
		t.Errorf("cookie %q ends with the browser", cookie)
	}
	b.clock.Advance(24 * time.Hour)
	p.wantSignedIn(true)
}

func TestAccount_change_of_address(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	p := b.proved()
	got := p.put("/v1/account/email", body{"email": "Han.Meimei@Example.com", "password": password}).want(200, "0")
	if got.Data["pending_email"] != "h***@example.com" || got.Data["email"] != "l***@example.com" || got.Data["email_active"] != true {
		t.Errorf("account is %v", got.Data)
	}
	mails := b.mails.all()
	if len(mails) != 3 || mails[2].Purpose != accounts.MailActivation || mails[1].Purpose != accounts.MailEmailAsked ||
		mails[1].To.Reveal() != address {
		t.Fatalf("mails are %+v", mails)
	}
	other := b.signedIn(false)
	p.post("/v1/activations", body{"token": b.lastToken(nextAddress)}).want(200, "0")
	p.wantSignedIn(true) // the link was opened in this session
	other.wantSignedIn(false)
	if mails = b.mails.all()[3:]; len(mails) != 2 || mails[0].To.Reveal() != address || mails[1].To.Reveal() != nextAddress {
		t.Fatalf("mails about the change are %+v", mails)
	}
	b.person().post("/v1/sessions", body{"login": address, "password": password}).want(401, "4102")
	b.person().post("/v1/sessions", body{"login": nextAddress, "password": password}).want(201, "0")
	b.wantNoSecrets(address, nextAddress, password)
}

func TestAccount_change_of_number(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	p := b.proved()
	code := p.code(nextNumber, "change_mobile")
	change := body{"mobile": nextNumber, "sms_code": wrongFor(code), "password": password}
	p.put("/v1/account/mobile", change).want(422, "4204")
	change["sms_code"], change["password"] = code, "not this one"
	p.put("/v1/account/mobile", change).want(422, "4106")
	change["password"] = password
	if got := p.put("/v1/account/mobile", change).want(200, "0"); got.Data["mobile"] != "139****9000" {
		t.Errorf("account is %v", got.Data)
	}
	b.clock.Advance(time.Minute)
	q := b.person()
	q.post("/v1/sessions", body{"mobile": nextNumber, "sms_code": q.code(nextNumber, "login")}).want(201, "0")
	q.post("/v1/sessions", body{"mobile": number, "sms_code": q.code(number, "login")}).want(404, "4104")
	b.wantNoSecrets(number, nextNumber, password, code, "not this one")
}

func TestAccount_code_for_another_number_is_for_people_who_are_signed_in(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	p := b.person()
	p.post("/v1/sms-codes", body{
		"mobile": nextNumber, "purpose": "change_mobile", "captcha_id": p.captcha(), "captcha": captchaText,
	}).want(401, "4101")
	if len(b.sms.all()) != 0 {
		t.Error("a code was sent all the same")
	}
	// A code of another purpose does not do.
	owner := b.proved()
	owner.put("/v1/account/mobile", body{
		"mobile": nextNumber, "sms_code": owner.code(nextNumber, "login"), "password": password,
	}).want(422, "4203")
}

func TestAccount_refused_change_of_number_gives_the_code_back(t *testing.T) {
	t.Parallel()
	b := setup(t, func(s *api.Server) { s.Accounts.Store = &balking{Store: s.Accounts.Store} })
	p := b.proved()
	change := body{"mobile": nextNumber, "sms_code": p.code(nextNumber, "change_mobile"), "password": password}
	p.put("/v1/account/mobile", change).want(409, "4004")
	p.put("/v1/account/mobile", change).want(200, "0")
}

// balking refuses the first change of a number.
type balking struct {
	accounts.Store
	done bool
}

// ChangeMobile implements [accounts.Store].
func (f *balking) ChangeMobile(ctx context.Context, was accounts.Account, to contact.Mobile, change *accounts.Change) (accounts.Account, error) {
	if !f.done {
		f.done = true
		return accounts.Account{}, accounts.ErrChanged
	}
	return f.Store.ChangeMobile(ctx, was, to, change)
}

func TestAccount_changes_refuse(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	p := b.proved()
	b.person().signUp("han_meimei", nextNumber)
	b.clock.Advance(time.Minute)
	for name, c := range map[string]struct {
		path   string
		body   body
		status int
		errno  string
		field  string
	}{
		"a wrong password":         {"password", newPasswords("not this one", nextPassword), 422, "4106", "password_current"},
		"no password":              {"password", newPasswords("", nextPassword), 422, "4103", "password_current"},
		"the same password":        {"password", newPasswords(password, password), 422, "4103", "password"},
		"a common password":        {"password", newPasswords(password, "12345678"), 422, "4103", "password"},
		"an email, wrong password": {"email", body{"email": nextAddress, "password": "not this one"}, 422, "4106", "password"},
		"no email":                 {"email", body{"password": password}, 422, "4103", "email"},
		"not an email":             {"email", body{"email": "x", "password": password}, 422, "4103", "email"},
		"the same email":           {"email", body{"email": address, "password": password}, 422, "4103", "email"},
		"not a number":             {"mobile", body{"mobile": "1", "sms_code": "1", "password": password}, 422, "4103", "mobile"},
		"the same number":          {"mobile", body{"mobile": number, "sms_code": "1", "password": password}, 422, "4103", "mobile"},
		"a taken number":           {"mobile", body{"mobile": nextNumber, "sms_code": p.code(nextNumber, "change_mobile"), "password": password}, 409, "4003", "mobile"},
	} {
		got := p.put("/v1/account/"+c.path, c.body)
		if got.status != c.status || got.Errno != c.errno || len(got.Fields) != 1 || got.Fields[c.field] == "" {
			t.Errorf("%s: got %s, want %d, %s about %s", name, got.text, c.status, c.errno, c.field)
		}
	}
	p.wantSignedIn(true)
	b.wantNoSecrets("not this one", password, nextPassword, nextAddress, nextNumber)
}

func TestAccount_taken_address_is_refused(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	b.proved()
	p := b.person()
	p.signUp("han_meimei", nextNumber)
	got := p.put("/v1/account/email", body{"email": address, "password": password}).want(409, "4003")
	if got.Fields["email"] == "" {
		t.Errorf("fields are %v", got.Fields)
	}
}

func TestAccount_changes_are_for_people_who_are_signed_in(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	p := b.person()
	p.put("/v1/account/password", newPasswords(password, nextPassword)).want(401, "4101")
	p.put("/v1/account/email", body{"email": nextAddress, "password": password}).want(401, "4101")
	p.put("/v1/account/mobile", body{"mobile": nextNumber, "sms_code": "1", "password": password}).want(401, "4101")
	p.get("/v1/sessions").want(401, "4101")
	p.delete("/v1/sessions").want(401, "4101")
	p.delete("/v1/sessions/AAAAAAAAAAAAAAAAAAAAAA").want(401, "4101")
}

func TestAccount_passwords_cannot_be_guessed_from_inside(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	p := b.proved()
	for range 3 { // mistakes in the form cost nothing
		for range 5 {
			p.put("/v1/account/password", newPasswords(password, "short")).want(422, "4103")
		}
	}
	code := p.code(nextNumber, "change_mobile") // a wrong password does not cost it
	for range 5 {
		p.put("/v1/account/password", newPasswords("not this one", nextPassword)).want(422, "4106")
		p.put("/v1/account/mobile", body{"mobile": nextNumber, "sms_code": code, "password": "nor this"}).want(422, "4106")
	}
	refused := p.put("/v1/account/password", newPasswords(password, nextPassword)).want(429, "4206")
	if refused.header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	b.clock.Advance(16 * time.Minute)
	p.put("/v1/account/password", newPasswords(password, nextPassword)).want(200, "0")
}

func TestAccount_wrong_password_does_not_cost_the_mail(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	p := b.proved()
	p.put("/v1/account/email", body{"email": nextAddress, "password": "not this one"}).want(422, "4106")
	p.put("/v1/account/email", body{"email": nextAddress, "password": password}).want(200, "0")
	// No address gets one mail after the other in this way.
	p.put("/v1/account/email", body{"email": "third@example.com", "password": password}).want(200, "0")
	p.put("/v1/account/email", body{"email": nextAddress, "password": password}).want(429, "4206")
}

func TestAccount_changes_from_elsewhere_are_refused(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	p := b.proved()
	p.header = http.Header{"Sec-Fetch-Site": {"cross-site"}, "Origin": {"https://evil.example"}}
	p.put("/v1/account/password", newPasswords(password, nextPassword)).want(403, "4209")
	p.delete("/v1/sessions").want(403, "4209")
}

func TestAccount_just_activated_signs_in_by_code(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	p := b.person()
	p.post("/v1/registrations", body{
		"username": "jim_green", "password": password, "password_repeat": password, "agree": true, "email": address,
		"captcha_id": p.captcha(), "captcha": captchaText,
	}).want(201, "0")
	p.post("/v1/activations", body{"token": b.lastToken(address)}).want(200, "0")
	p.post("/v1/sessions", body{"login": address, "password": password}).want(201, "0")
	p.put("/v1/account/mobile", body{
		"mobile": number, "sms_code": p.code(number, "change_mobile"), "password": password,
	}).want(200, "0")
	b.clock.Advance(time.Minute)
	q := b.person()
	q.post("/v1/sessions", body{"mobile": number, "sms_code": q.code(number, "login")}).want(201, "0")
	q.wantSignedIn(true)
	if list := q.sessions(); len(list) != 2 || !list[0].Current {
		t.Errorf("sessions are %+v", list)
	}
}
