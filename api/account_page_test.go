package api_test

import (
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"usher/accounts"
)

var sessionInPage = regexp.MustCompile(`name="session" value="([A-Za-z0-9_-]{22})"`)

func TestPages_account_without_a_script(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	p := b.proved()
	other := b.signedIn(true)
	page := p.get("/account").wantPage(200, "138****8000")
	if strings.Contains(page.text, `type="password"`) || strings.Contains(page.text, "data:image") {
		t.Error("the page shows a form without a request for it")
	}
	ids := sessionInPage.FindAllStringSubmatch(page.text, -1)
	if len(ids) != 1 {
		t.Fatalf("the page has buttons for %d sessions, want one for the other", len(ids))
	}
	end := url.Values{"action": {"end_session"}, "session": {ids[0][1]}}
	p.changes(end).wantPage(200, "那台设备已退出登录")
	other.wantSignedIn(false)
	p.submit("/account", end).wantPage(404, "未找到")

	another := b.signedIn(false)
	p.changes(url.Values{"action": {"end_others"}}).wantPage(200, "其他设备都已退出登录")
	another.wantSignedIn(false)

	p.get("/account?mode=password").wantPage(200, `id="password_current"`)
	form := url.Values{
		"mode": {"password"}, "action": {"password"}, "username": {"li_lei"},
		"password_current": {"not this one"}, "password": {nextPassword}, "password_repeat": {nextPassword},
	}
	page = p.submit("/account", form).wantPage(422, `id="password_current-error" aria-live="polite">密码错误`)
	if strings.Contains(page.text, "not this one") || strings.Contains(page.text, nextPassword) {
		t.Error("the page shows a password again")
	}
	form.Set("password_current", password)
	before := p.cookie()
	p.changes(form).wantPage(200, "密码已修改")
	if p.cookie() == before {
		t.Error("the session has the token that it had before")
	}
	p.get("/account").wantPage(200, "138****8000")
	b.wantNoSecrets(password, nextPassword, "not this one", before)
}

func TestPages_account_changes_contacts_without_a_script(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	p := b.proved()
	email := url.Values{"mode": {"email"}, "action": {"email"}, "email": {"x"}, "password": {password}}
	p.submit("/account", email).wantPage(422, `id="email-error" aria-live="polite">邮箱格式不正确`)
	email.Set("email", nextAddress)
	page := p.changes(email).wantPage(200, "激活链接已发送到新邮箱")
	if !strings.Contains(page.text, "h***@example.com") || !strings.Contains(page.text, `value="resend"`) {
		t.Errorf("the page does not show the new address, or offers no other mail: %s", page.text)
	}
	b.clock.Advance(2 * time.Minute)
	mails := len(b.mails.all())
	p.changes(url.Values{"action": {"resend"}}).wantPage(200, "激活邮件已重新发送")
	if all := b.mails.all(); len(all) != mails+1 || all[mails].Purpose != accounts.MailActivation {
		t.Errorf("%d mails after asking for one more than %d", len(all), mails)
	}
	p.submit("/account", url.Values{"action": {"resend"}}).wantPage(429, "操作过于频繁")

	form := url.Values{"mode": {"mobile"}, "mobile": {nextNumber}, "captcha": {captchaText}, "action": {"send_code"}}
	form.Set("captcha_id", p.get("/account?mode=mobile").captchaOf())
	page = p.submit("/account", form).wantPage(200, "验证码已发送")
	if !strings.Contains(page.text, `value="`+nextNumber+`"`) {
		t.Error("the page has forgotten the number")
	}
	form.Set("sms_code_id", page.codeIDOf())
	form.Set("action", "mobile")
	form.Set("password", password)
	form.Set("sms_code", wrongFor(b.lastCode()))
	p.submit("/account", form).wantPage(422, "验证码错误")
	form.Set("sms_code", b.lastCode())
	p.changes(form).wantPage(200, "手机号已修改").wantPage(200, "139****9000")
	b.wantNoSecrets(number, nextNumber, nextAddress, password, b.lastCode())
}

func TestPages_account_without_a_session(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	p := b.person()
	for _, action := range []string{"password", "email", "mobile", "send_code", "resend", "end_session", "end_others", "nonsense", ""} {
		p.submit("/account", url.Values{"action": {action}, "mode": {action}}).wantPage(401, "/login")
	}
	b.proved()
	q := b.signedIn(false)
	for _, action := range []string{"nonsense", ""} {
		q.submit("/account", url.Values{"action": {action}, "mode": {action}}).wantPage(200, "138****8000")
	}
}
