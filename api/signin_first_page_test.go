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
	p.submit("/account", url.Values{"action": {"username"}, "mode": {"username"}, "username": {"han_mei"}}).wantPage(200, "用户名已保存。")
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
	p.submit("/account", set).wantPage(200, "密码已修改")
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
