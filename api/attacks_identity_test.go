package api_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"usher/accounts"
	"usher/contact"
)

const strangersPassword = "a password of the stranger"

// registersAlone registers by an address alone.
func (p *person) registersAlone(username, email, secret string) *reply {
	p.b.t.Helper()
	return p.post("/v1/registrations", body{
		"username": username, "password": secret, "password_repeat": secret, "agree": true, "email": email,
		"captcha_id": p.captcha(), "captcha": captchaText,
	})
}

// declineToken derives the other token of the newest activation mail, which went to this address.
func (b *bundle) declineToken(email string) string {
	b.t.Helper()
	mail, account := b.lastMail()
	account.PendingEmail = must(contact.ParseEmail(email))(b.t)
	return must(accounts.DeclineToken(b.keys, accounts.ClaimedMail{Mail: mail, Account: account}))(b.t)
}

// A stranger registers with a number of theirs and another person's address. It is no account of that address.
func TestAttack_a_strangers_number_beside_my_address(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	stranger, owner := b.person(), b.person()
	stranger.post("/v1/registrations", body{
		"username": "stranger", "password": strangersPassword, "password_repeat": strangersPassword, "agree": true,
		"mobile": number, "sms_code": stranger.code(number, "register"), "email": address,
	}).want(201, "0")
	strangersLink := b.lastToken(address)
	b.clock.Advance(400 * 24 * time.Hour)

	owner.registersAlone("li_lei", address, password).want(201, "0")
	mails := len(b.mails.all())
	owner.post("/v1/activations/resend", body{"email": address}).want(202, "0")
	if mail, account := b.lastMail(); len(b.mails.all()) != mails+1 || account.Username != "li_lei" {
		t.Errorf("the mail that the owner asked for is %+v of %s", mail, account.Username)
	}
	owner.post("/v1/activations", body{"token": b.lastToken(address)}).want(200, "0")
	owner.wantSignedIn(true)

	b.person().post("/v1/sessions", body{"login": address, "password": strangersPassword}).want(401, "4102")
	if got := b.person().post("/v1/sessions", body{"login": address, "password": password}).want(201, "0"); got.Data["username"] != "li_lei" {
		t.Errorf("the address signs in %v", got.Data)
	}
	b.person().post("/v1/activations", body{"token": strangersLink}).want(422, "4207")
	got := b.person().post("/v1/sessions", body{"login": "stranger", "password": strangersPassword}).want(201, "0")
	if got.Data["email"] != "" {
		t.Errorf("the stranger's account still waits with %v", got.Data)
	}
	stranger.registersAlone("stranger_2", address, strangersPassword).want(409, "4003")
}

// The owner presses the button of the mail that the stranger's registration caused.
func TestAttack_a_link_gives_a_strangers_account_no_address(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	stranger, owner := b.person(), b.person()
	stranger.post("/v1/registrations", body{
		"username": "stranger", "password": strangersPassword, "password_repeat": strangersPassword, "agree": true,
		"mobile": number, "sms_code": stranger.code(number, "register"), "email": address,
	}).want(201, "0")
	link := b.lastToken(address)
	owner.post("/v1/activations", body{"token": link}).want(403, "4210")
	owner.post("/v1/activations", body{"token": link, "password": password, "password_repeat": password}).want(422, "4106")
	owner.wantSignedIn(false)
	owner.post("/v1/sessions", body{"login": address, "password": strangersPassword}).want(401, "4102")
	stranger.post("/v1/activations", body{"token": link}).want(200, "0") // had the stranger the mailbox
}

// A stranger registers another person's address alone, with a password that the owner of the address does not know.
func TestAttack_a_strangers_password_beside_my_address(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	stranger, owner := b.person(), b.person()
	stranger.registersAlone("stranger", address, strangersPassword).want(201, "0")
	link := b.lastToken(address)
	got := owner.post("/v1/activations", body{"token": link}).want(422, "4103")
	if got.Fields["password"] == "" || got.Fields["password_repeat"] == "" {
		t.Errorf("the fields that are asked for are %v", got.Fields)
	}
	stranger.wantSignedIn(false)
	owner.post("/v1/activations", body{"token": link, "password": password, "password_repeat": password}).want(200, "0")
	owner.wantSignedIn(true)

	stranger.wantSignedIn(false)
	for _, login := range []string{address, "stranger"} {
		stranger.post("/v1/sessions", body{"login": login, "password": strangersPassword}).want(401, "4102")
	}
	stranger.post("/v1/activations", body{"token": link, "password": strangersPassword, "password_repeat": strangersPassword}).want(200, "0")
	stranger.wantSignedIn(false)
	b.person().post("/v1/sessions", body{"login": address, "password": password}).want(201, "0")
	b.wantNoSecrets(address, password, strangersPassword, link)
}

func TestAttack_this_was_not_me(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	stranger, owner := b.person(), b.person()
	stranger.registersAlone("stranger", address, strangersPassword).want(201, "0")
	link, decline := b.lastToken(address), b.declineToken(address)
	owner.post("/v1/activations/decline", body{"token": link}).want(422, "4208")
	owner.post("/v1/activations", body{"token": decline}).want(422, "4208")
	for range 2 {
		owner.post("/v1/activations/decline", body{"token": decline}).want(200, "0")
	}
	stranger.post("/v1/activations", body{"token": link}).want(422, "4208")
	if got := owner.get("/v1/usernames/stranger").want(200, "0"); got.Data["count"] != 0.0 {
		t.Errorf("the user name is taken: %v", got.Data)
	}
	mails := len(b.mails.all())
	for name, refused := range map[string]*reply{
		"registration": stranger.registersAlone("stranger", address, strangersPassword),
		"resend":       stranger.post("/v1/activations/resend", body{"email": address}),
	} {
		if refused.want(429, "4206").header.Get("Retry-After") != "86400" {
			t.Errorf("%s: Retry-After is %q", name, refused.header.Get("Retry-After"))
		}
	}
	if len(b.mails.all()) != mails {
		t.Error("a mail went to an address whose owner declined it")
	}
	b.clock.Advance(24 * time.Hour)
	stranger.registersAlone("stranger", address, strangersPassword).want(201, "0")
	b.wantNoSecrets(address, decline, link)
}

// Guesses of an account's password beside a link are counted like those from inside.
func TestAttack_passwords_cannot_be_guessed_beside_a_link(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	p := b.person()
	p.post("/v1/registrations", body{
		"username": "li_lei", "password": password, "password_repeat": password, "agree": true,
		"mobile": number, "sms_code": p.code(number, "register"), "email": address,
	}).want(201, "0")
	link, reader := b.lastToken(address), b.person()
	compared := 0
	for range 20 {
		got := reader.post("/v1/activations", body{"token": link, "password": "not this one"})
		if got.status == http.StatusTooManyRequests {
			break
		}
		got.want(422, "4106")
		compared++
	}
	if compared == 0 || compared > 10 {
		t.Errorf("%d guesses were compared", compared)
	}
	p.post("/v1/activations", body{"token": link}).want(200, "0") // the owner needs none
}

func TestRegistration_by_an_address_leaves_a_session_that_is_not_signed_in(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	p, elsewhere := b.person(), b.person()
	p.registersAlone("li_lei", address, password).want(201, "0")
	p.wantSignedIn(false)
	for _, path := range []string{"/v1/sessions", "/v1/sessions/current"} {
		p.get(path).want(401, "4101")
	}
	p.put("/v1/account/password", newPasswords(password, nextPassword)).want(401, "4101")
	token := b.lastToken(address)
	before := p.cookie()
	p.post("/v1/activations", body{"token": token}).want(200, "0")
	p.wantSignedIn(true)
	if p.cookie() == before || before == "" {
		t.Error("the session of the registration has the same token once it is signed in")
	}
	elsewhere.setCookie(before)
	elsewhere.wantSignedIn(false)

	other := b.person()
	other.signUp("han_meimei", nextNumber)
	other.registersAlone("second_one", nextAddress, password).want(201, "0")
	if got := other.get("/v1/sessions/current").want(200, "0"); got.Data["username"] != "han_meimei" {
		t.Errorf("a registration has signed out %v", got.Data)
	}
	other.post("/v1/activations", body{"token": b.lastToken(nextAddress)}).want(422, "4103")
}

func TestResend_is_for_the_session_that_asks(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	first, second := b.person(), b.person()
	first.registersAlone("first_one", address, password).want(201, "0")
	b.clock.Advance(2 * time.Minute)
	second.registersAlone("second_one", address, password).want(201, "0")
	for name, asker := range map[string]*person{"first_one": first, "second_one": b.person()} {
		b.clock.Advance(2 * time.Minute)
		asker.post("/v1/activations/resend", body{"email": address}).want(202, "0")
		if _, account := b.lastMail(); account.Username != name {
			t.Errorf("the mail is for %s, want %s", account.Username, name)
		}
	}
}

func TestPages_activate_asks_for_what_the_link_lacks(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	b.person().registersAlone("stranger", address, strangersPassword).want(201, "0")
	link, decline := b.lastToken(address), b.declineToken(address)
	reader := b.person()
	reader.get("/activate?token="+link).wantPage(200, "验证邮箱")
	form := url.Values{"token": {link}, "action": {"activate"}}
	page := reader.submit("/activate", form).wantPage(422, `name="password_repeat"`)
	if strings.Contains(page.text, `aria-live="polite">请填写这一项`) {
		t.Error("what was not asked before is shown as a mistake")
	}
	form.Set("password", "short")
	form.Set("password_repeat", "short")
	reader.submit("/activate", form).wantPage(422, "密码至少需要 8 个字符")
	reader.get("/decline?token="+decline).wantPage(200, "移除我的邮箱")
	form.Set("password", password)
	form.Set("password_repeat", password)
	reader.submit("/activate", form).wantPage(200, "<div data-done>")
	reader.wantSignedIn(true)
	reader.submit("/decline", url.Values{"token": {decline}}).wantPage(200, "<div data-done>")
	reader.wantSignedIn(true) // a proved address stays
	reader.submit("/decline", url.Values{"token": {link}}).wantPage(422, "激活链接无效")

	p := b.person()
	p.signUp("li_lei", number)
	p.put("/v1/account/email", body{"email": nextAddress, "password": password}).want(200, "0")
	form = url.Values{"token": {b.lastToken(nextAddress)}}
	elsewhere := b.person()
	elsewhere.submit("/activate", form).wantPage(403, `autocomplete="current-password"`)
	form.Set("password", "not this one")
	elsewhere.submit("/activate", form).wantPage(422, "密码错误")
	form.Set("password", password)
	elsewhere.submit("/activate", form).wantPage(200, "<div data-done>")
	elsewhere.wantSignedIn(false)
}
