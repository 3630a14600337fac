package api_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"usher/accounts"
	"usher/api"
)

func TestFirstSignIn_page_works_without_a_script(t *testing.T) {
	t.Parallel()
	b := setup(t, func(s *api.Server) {
		signInCreates(s)
		s.Config.TermsURL, s.Config.PrivacyURL = "https://www.example.com/terms", "https://www.example.com/privacy"
	})
	p := b.person()
	page := p.get("/login").wantPage(200, "还没有账号？输入验证码后会自动为你注册。").text
	code, pass := strings.Index(page, `href="/login?mode=code" aria-current="page"`), strings.Index(page, `href="/login?mode=password"`)
	if code < 0 || pass < code || !strings.Contains(page, `href="https://www.example.com/terms"`) || !strings.Contains(page, `src="data:image/png`) {
		t.Errorf("tabs at %d and %d, or no link to the terms, or no captcha:\n%s", code, pass, page)
	}
	if strings.Contains(page, `name="agree" type="checkbox" value="true" checked`) || strings.Contains(page, `value="true" required`) {
		t.Error("consent is given beforehand, or asked of people with an account")
	}
	p.get("/login?mode=password").wantPage(200, `name="password"`)

	digits := p.code(number, "login")
	form := url.Values{"action": {"code"}, "mode": {"code"}, "mobile": {number}, "sms_code": {digits}, "sms_code_id": {b.codeID(number)}}
	p.submit("/login", form).wantPage(422, "请先同意，再注册")
	form.Set("agree", "true")
	if made := p.submit("/login", form); made.status != 303 || made.header.Get("Location") != "/account" {
		t.Fatalf("status %d: %s", made.status, made.text)
	}
	p.get("/account").wantPage(200, "你好，138****8000").wantPage(200, "你还可以设置用户名和密码")
	p.get("/account?mode=username").wantPage(200, `data-flow="own_username"`)
	p.submit("/account", url.Values{"action": {"username"}, "mode": {"username"}, "username": {"x"}}).wantPage(422, "用户名至少需要 5 个字符")
	p.changes(url.Values{"action": {"username"}, "mode": {"username"}, "username": {"han_mei"}}).wantPage(200, "用户名已保存。")
	if first := p.get("/account?mode=password").wantPage(200, "设置密码").text; strings.Contains(first, "password_current") {
		t.Error("the form for a first password asks for the current one")
	}
	if email := p.get("/account?mode=email").text; strings.Contains(email, `name="password"`) {
		t.Error("the form for an address asks for a password that does not exist")
	}
	set := url.Values{"action": {"password"}, "mode": {"password"}, "password": {password}, "password_repeat": {password}}
	b.clock.Advance(accounts.RecentSignIn + time.Second)
	p.submit("/account", set).wantPage(403, "请用验证码重新登录")
	b.clock.Advance(-accounts.RecentSignIn)
	p.changes(set).wantPage(200, "密码已修改")
	if done := p.get("/account").text; strings.Contains(done, "你还可以设置") || !strings.Contains(done, "你好，han_mei") {
		t.Errorf("after both:\n%s", done)
	}
}

func TestLogin_begins_with_the_password_unless_a_sign_in_makes_accounts(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	page := b.person().get("/login").text
	if !strings.Contains(page, `href="/login" aria-current="page"`) || strings.Contains(page, `name="agree"`) {
		t.Errorf("page:\n%s", page)
	}
}

func TestLogin_with_a_remembered_name_shows_the_password_first(t *testing.T) {
	t.Parallel()
	b := setup(t, signInCreates)
	b.person().signUp("li_lei", number)
	p := b.person()
	p.signIn(true)
	p.get("/login").wantPage(200, `value="li_lei"`).wantPage(200, `name="password"`)
}

func TestFirstSignIn_page_takes_an_address(t *testing.T) {
	t.Parallel()
	b := setup(t, signInCreates)
	p := b.person()
	form := url.Values{"mode": {"code"}, "mobile": {address}, "captcha": {captchaText}, "action": {"send_code"}, "sms_code_id": {""}}
	form.Set("captcha_id", p.get("/login").captchaOf())
	sent := b.readMailCode(p.submit("/login", form).wantPage(200, "验证码已发送，请查收邮件").codeIDOf())
	form.Set("action", "code")
	form.Set("sms_code_id", sent.id)
	form.Set("sms_code", sent.code)
	p.submit("/login", form).wantPage(422, `id="agree-error" aria-live="polite">请先同意，再注册`)
	p.wantSignedIn(false)
	form.Set("agree", "true")
	p.submit("/login", form).wantSeeOther("/account")
	p.get("/account").wantPage(200, "你好，l***@example.com")
	b.wantNoSecrets(address, sent.code, sent.token)
}

func TestFirstSignIn_by_the_button_of_a_mail_asks_for_consent(t *testing.T) {
	t.Parallel()
	b := setup(t, signInCreates)
	p := b.person()
	sent := p.mailCode(address, "login")
	first := p.get("/code?token="+sent.token).wantPage(200, `name="agree"`).text
	form := url.Values{"email_code_token": {sent.token}}
	p.submit("/code", form).wantPage(422, `id="agree-error" aria-live="polite">请先同意，再注册`)
	form.Set("agree", "true")
	p.submit("/code", form).wantSeeOther("/account")
	p.wantSignedIn(true)
	b.clock.Advance(time.Minute)

	q := b.person()
	again := q.mailCode(address, "login")
	known := q.get("/code?token=" + again.token).text
	if strings.ReplaceAll(known, again.token, "") != strings.ReplaceAll(first, sent.token, "") {
		t.Errorf("the page tells whether the address has an account:\n%s\nand\n%s", first, known)
	}
	q.submit("/code", url.Values{"email_code_token": {again.token}}).wantSeeOther("/account")
}

// A new address needs a recent sign-in where there is no password, whether a code or a link proves it.
func TestFirstSignIn_pages_of_a_new_address_ask_for_no_password(t *testing.T) {
	t.Parallel()
	b := setup(t, signInCreates)
	p := b.person()
	p.signInByCode(number, true).want(201, "0")
	b.clock.Advance(accounts.RecentSignIn - time.Minute)
	sent := p.mailCode(address, "change_email")
	page := p.get("/code?token="+sent.token).wantPage(200, "点击按钮后，这个邮箱将成为你账号的邮箱").text
	if strings.Contains(page, `type="password"`) {
		t.Errorf("page asks for a password that does not exist:\n%s", page)
	}
	form := url.Values{"email_code_token": {sent.token}}
	b.clock.Advance(2 * time.Minute)
	p.submit("/code", form).wantPage(403, "请用验证码重新登录")
	p.signInByCode(number, false).want(201, "0")
	p.submit("/code", form).wantSeeOther("/account")
	p.get("/account").wantPage(200, "l***@example.com")

	byLink := url.Values{"action": {"email"}, "mode": {"email"}, "email": {nextAddress}}
	p.changes(byLink).wantPage(200, "激活链接已发送到新邮箱")
	link := b.lastToken(nextAddress)
	other := b.person().submit("/activate", url.Values{"token": {link}}).wantPage(403, "请先登录，再打开链接").text
	if strings.Contains(other, `type="password"`) || !strings.Contains(other, `class="main" href="/login"`) {
		t.Errorf("page of the link in another browser:\n%s", other)
	}
	p.submit("/activate", url.Values{"token": {link}}).wantPage(200, "<div data-done>")
}
