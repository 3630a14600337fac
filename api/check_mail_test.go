package api_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"usher/api"
	"usher/limits"
)

const mistyped = "li.lei@exmaple.com"

// corrects sends the right address from this person's browser.
func (p *person) corrects(email string) *reply {
	p.b.t.Helper()
	return p.post("/v1/activations/correct", body{"email": email, "captcha_id": p.captcha(), "captcha": captchaText})
}

func TestCorrection_of_a_mistyped_address(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	p := b.person()
	p.registersAlone("li_lei", mistyped, password).want(201, "0")
	old := b.lastToken(mistyped)
	p.post("/v1/activations/correct", body{"email": address}).want(422, "4202")
	p.post("/v1/activations/correct", body{"email": "x"}).want(422, "4103")
	if got := p.corrects(address).want(202, "0"); got.Data["email"] == address || got.Data["active"] != false {
		t.Errorf("got %v, want a masked address of an account that is not active", got.Data)
	}
	p.wantSignedIn(false)
	p.post("/v1/activations", body{"token": old}).want(422, "4208")
	b.person().post("/v1/activations", body{"token": old, "password": password, "password_repeat": password}).want(422, "4208")
	token := b.lastToken(address)
	p.post("/v1/activations", body{"token": token}).want(200, "0") // the session still knows its registration
	p.wantSignedIn(true)
	p.corrects("third@example.com").want(401, "4101")
	b.wantNoSecrets(mistyped, address, password, token, old)
}

func TestCorrection_is_for_the_browser_that_has_registered(t *testing.T) {
	t.Parallel()
	b := setup(t, func(s *api.Server) { delete(s.Limits, limits.ResendPause) })
	p, stranger := b.person(), b.person()
	p.registersAlone("li_lei", mistyped, password).want(201, "0")
	mails := len(b.mails.all())
	stranger.corrects(address).want(401, "4101")
	stranger.get("/check-mail").wantPage(200, `name="email"`)
	if page := stranger.get("/check-mail?mode=correct").wantPage(200, "请查收邮件"); strings.Contains(page.text, mistyped) {
		t.Error("the page shows a stranger the address")
	}
	stranger.post("/v1/sessions", body{"login": "li_lei", "password": "not this one"}).want(401, "4102")
	stranger.corrects(address).want(401, "4101")
	stranger.post("/v1/activations/resend", body{}).want(422, "4103")
	if got := len(b.mails.all()); got != mails {
		t.Errorf("a stranger caused %d mails", got-mails)
	}

	owner := b.person() // on another device, with the password
	if got := owner.post("/v1/sessions", body{"login": "li_lei", "password": password}).want(403, "4104"); got.Data["waiting"] != true {
		t.Errorf("got %v, want data.waiting", got.Data)
	}
	owner.wantSignedIn(false)
	owner.corrects(address).want(202, "0")
	owner.post("/v1/activations/resend", body{}).want(202, "0")
	if _, found := b.lastMail(); found.PendingEmail.Reveal() != address || len(b.mails.all()) != mails+2 {
		t.Errorf("%d mails, the last to %v", len(b.mails.all()), found.PendingEmail)
	}
	owner.post("/v1/activations", body{"token": b.lastToken(address)}).want(200, "0")
	owner.wantSignedIn(true)
}

func TestCorrection_is_refused_and_limited(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	b.proved()
	p := b.person()
	p.registersAlone("han_meimei", mistyped, password).want(201, "0")
	p.corrects(mistyped).want(422, "4103")
	p.corrects(address).want(409, "4003") // that of the account above, as a registration tells
	refused := 0
	for i := range 40 {
		if got := p.corrects(strings.Repeat("x", i+1) + "@example.org"); got.status == http.StatusTooManyRequests {
			refused++
		}
	}
	if refused < 20 {
		t.Errorf("of 40 corrections %d were refused, want at least 20", refused)
	}
}

// A browser that is signed in to another account keeps that session.
func TestSignIn_to_a_waiting_account_keeps_another_session(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	b.person().registersAlone("li_lei", address, password).want(201, "0")
	p := b.person()
	p.signUp("han_meimei", number)
	if got := p.post("/v1/sessions", body{"login": "li_lei", "password": password}).want(403, "4104"); got.Data["waiting"] != nil {
		t.Errorf("got %v, want no offer that this session could not use", got.Data)
	}
	p.wantSignedIn(true)
	if got := p.get("/check-mail"); got.status != http.StatusSeeOther || got.header.Get("Location") != "/account" {
		t.Errorf("/check-mail of a signed-in browser: %d to %q", got.status, got.header.Get("Location"))
	}
}

func TestPages_send_the_activation_again_and_correct_the_address_without_a_script(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	b.person().registersAlone("li_lei", mistyped, password).want(201, "0")
	first := b.lastToken(mistyped)
	p := b.person()
	if page := p.get("/login"); !strings.Contains(page.text, "data-waiting hidden") {
		t.Error("the sign-in page offers a mail before anything was typed")
	}
	signIn := url.Values{"mode": {"password"}, "login": {"li_lei"}, "password": {"wrong password"}, "action": {"password"}}
	p.submit("/login", signIn).wantPage(401, "data-waiting hidden")
	signIn.Set("password", password)
	p.submit("/login", signIn).wantPage(403, `<div class="second" data-waiting>`)
	p.submit("/check-mail", url.Values{"action": {"resend"}}).wantPage(200, "激活邮件已重新发送")
	p.submit("/check-mail", url.Values{"action": {"resend"}}).wantPage(429, "操作过于频繁")

	page := p.get("/check-mail?mode=correct").wantPage(200, `<p class="address">`+mistyped)
	form := url.Values{"mode": {"correct"}, "action": {"correct"}, "email": {address}, "captcha": {"no"}, "captcha_id": {page.captchaOf()}}
	page = p.submit("/check-mail", form).wantPage(422, "图形验证码错误")
	if !strings.Contains(page.text, `value="`+address+`"`) {
		t.Error("the page has forgotten the address that was typed")
	}
	form.Set("captcha_id", page.captchaOf())
	form.Set("captcha", captchaText)
	if got := p.submit("/check-mail", form); got.status != http.StatusSeeOther || got.header.Get("Location") != "/check-mail" {
		t.Fatalf("correction: %d to %q", got.status, got.header.Get("Location"))
	}
	p.get("/check-mail").wantPage(200, `<p class="address">`+address)
	p.submit("/activate", url.Values{"token": {first}, "action": {"activate"}}).wantPage(422, "激活链接无效")
	p.submit("/activate", url.Values{"token": {b.lastToken(address)}, "action": {"activate"}}).wantPage(200, "<div data-done>")
	p.wantSignedIn(true)

	unknown := b.person() // whose browser has refused the cookie
	unknown.submit("/check-mail", url.Values{"action": {"resend"}}).wantPage(422, "请填写这一项")
	unknown.submit("/check-mail", url.Values{"action": {"resend"}, "email": {"x@example.com"}}).wantPage(200, "如果这个邮箱正在等待激活")
}
