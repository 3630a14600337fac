package api_test

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"
)

var mailCodeIDInPage = regexp.MustCompile(`name="email_code_id" value="([A-Za-z0-9_-]{44})"`)

// wantSeeOther looks where a form has led.
func (r *reply) wantSeeOther(path string) {
	r.t.Helper()
	if r.status != http.StatusSeeOther || r.header.Get("Location") != path {
		r.t.Fatalf("got %d to %q, want 303 to %q: %s", r.status, r.header.Get("Location"), path, shorten(r.text))
	}
}

func TestPages_know_people_by_a_code_in_a_mail_without_a_script(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	p := b.person()
	form := url.Values{
		"username": {"li_lei"}, "email": {address}, "mode": {"email"}, "agree": {"true"}, "email_code_id": {""},
		"password": {password}, "password_repeat": {password}, "captcha": {captchaText}, "action": {"send_code"},
	}
	form.Set("captcha_id", p.get("/register?mode=email").captchaOf())
	page := p.submit("/register", form).wantPage(200, "验证码已发送，请查收邮件")
	id := mailCodeIDInPage.FindStringSubmatch(page.text)
	if id == nil {
		t.Fatalf("page waits for no code: %s", page.text)
	}
	sent := b.readMailCode(id[1])
	form.Set("email_code_id", sent.id)
	form.Set("action", "register")
	p.submit("/register", form).wantPage(422, `id="email_code-error" aria-live="polite">请填写`)
	form.Set("email_code", sent.code)
	p.submit("/register", form).wantSeeOther("/account")
	b.clock.Advance(time.Minute)

	q := b.person()
	code := url.Values{"mode": {"code"}, "mobile": {address}, "captcha": {captchaText}, "action": {"send_code"}, "sms_code_id": {""}}
	code.Set("captcha_id", q.get("/login?mode=code").captchaOf())
	sent = b.readMailCode(q.submit("/login", code).wantPage(200, "验证码已发送，请查收邮件").codeIDOf())
	code.Set("action", "code")
	code.Set("sms_code_id", sent.id)
	code.Set("sms_code", sent.wrong().code)
	page = q.submit("/login", code).wantPage(422, `id="sms_code-error" aria-live="polite">验证码错误`)
	if !strings.Contains(page.text, `value="`+address+`"`) {
		t.Error("the page has forgotten the address that was typed")
	}
	code.Set("sms_code", sent.code)
	q.submit("/login", code).wantSeeOther("/account")
	q.wantSignedIn(true)
	b.wantNoSecrets(address, password, sent.code, sent.token)
}

func TestPages_of_the_button_in_a_mail_with_a_code(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	p := b.person()
	sent := p.mailCode(address, "register")
	for range 2 { // a mail scanner opens it first
		page := p.get("/code?token="+sent.token).wantPage(200, `name="username"`)
		if strings.Contains(page.text, address) || page.header.Get("Referrer-Policy") != "strict-origin" {
			t.Errorf("the page passes the address or its token on: policy %q", page.header.Get("Referrer-Policy"))
		}
	}
	form := url.Values{
		"email_code_token": {sent.token}, "username": {"li_lei"}, "password": {password}, "password_repeat": {"another one"}, "agree": {"true"},
	}
	p.submit("/code", form).wantPage(422, "不一致")
	form.Set("password_repeat", password)
	p.submit("/code", form).wantSeeOther("/account")
	p.wantSignedIn(true)
	p.get("/code?token="+sent.token).wantPage(200, `name="username"`)
	p.submit("/code", form).wantPage(409, "已") // a repeated registration says so
	b.clock.Advance(time.Minute)

	q := b.person()
	sent = q.mailCode(address, "login")
	signIn := url.Values{"email_code_token": {sent.token}}
	q.submit("/code", signIn).wantSeeOther("/account")
	q.wantSignedIn(true)
	b.person().submit("/code", signIn).wantPage(422, "验证码")
	b.clock.Advance(time.Minute)

	sent = q.mailCode(address, "reset_password")
	q.submit("/code", url.Values{
		"email_code_token": {sent.token}, "password": {"another good one"}, "password_repeat": {"another good one"},
	}).wantPage(200, "<div data-done>")
	q.wantSignedIn(false)
	b.clock.Advance(time.Minute)

	q.post("/v1/sessions", body{"login": "li_lei", "password": "another good one"}).want(201, "0")
	sent = q.mailCode(nextAddress, "change_email")
	b.person().get("/code?token="+sent.token).wantPage(200, `href="/login"`)
	q.get("/code?token="+sent.token).wantPage(200, `autocomplete="current-password"`)
	q.submit("/code", url.Values{"email_code_token": {sent.token}, "password": {"not this one"}}).wantPage(422, "密码错误")
	q.submit("/code", url.Values{"email_code_token": {sent.token}, "password": {"another good one"}}).wantSeeOther("/account")
	q.get("/account").wantPage(200, "已验证")

	for _, token := range []string{"", "nonsense", "k1.e30.AAAA"} {
		p.get("/code?token="+token).wantPage(422, "链接已失效")
		p.submit("/code", url.Values{"email_code_token": {token}}).wantPage(422, "链接已失效")
	}
	b.wantNoSecrets(address, nextAddress, password, sent.code, sent.token)
}
