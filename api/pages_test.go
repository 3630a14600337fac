package api_test

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"usher/accounts"
	"usher/api"
)

var codeIDInPage = regexp.MustCompile(`name="sms_code_id" value="([A-Za-z0-9_-]{44})"`)

var captchaIDInPage = regexp.MustCompile(`name="captcha_id" value="([A-Z2-7]{26})"`)

// captchaOf returns the captcha that a page asks.
func (r *reply) captchaOf() string {
	r.t.Helper()
	found := captchaIDInPage.FindStringSubmatch(r.text)
	if found == nil || !strings.Contains(r.text, "data:image/png;base64,") {
		r.t.Fatalf("page has no captcha: %s", r.text)
	}
	return found[1]
}

// codeIDOf returns the id of the code that the page's form waits for.
func (r *reply) codeIDOf() string {
	r.t.Helper()
	found := codeIDInPage.FindStringSubmatch(r.text)
	if found == nil {
		r.t.Fatalf("page waits for no code: %s", r.text)
	}
	return found[1]
}

func TestPages_register_with_a_number_without_a_script(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	p := b.person()
	page := p.get("/register").wantPage(200, "注册账号")
	form := url.Values{
		"username": {"li_lei"}, "mobile": {number}, "mode": {"mobile"}, "agree": {"true"},
		"password": {password}, "password_repeat": {password},
	}
	form.Set("captcha_id", page.captchaOf())
	form.Set("captcha", "no")
	form.Set("action", "send_code")
	page = p.submit("/register", form).wantPage(422, "图形验证码错误")
	form.Set("captcha_id", page.captchaOf())
	form.Set("captcha", captchaText)
	page = p.submit("/register", form).wantPage(200, "验证码已发送")
	if strings.Contains(page.text, password) {
		t.Error("the page shows the password again")
	}
	if !strings.Contains(page.text, `value="li_lei"`) {
		t.Error("the page has forgotten what was typed")
	}
	form.Set("action", "register")
	form.Set("sms_code", "000000")
	p.submit("/register", form).wantPage(422, "请先获取验证码")
	form.Set("sms_code_id", page.codeIDOf())
	p.submit("/register", form).wantPage(422, "验证码错误")
	form.Set("sms_code", b.lastCode())
	if got := p.submit("/register", form); got.status != http.StatusSeeOther || got.header.Get("Location") != "/account" {
		t.Fatalf("got %d to %q", got.status, got.header.Get("Location"))
	}
	p.get("/account").wantPage(200, "138****8000")
	if got := p.submit("/logout", url.Values{}); got.status != http.StatusSeeOther {
		t.Errorf("sign-out got %d", got.status)
	}
	p.get("/account").wantPage(401, "/login")
	b.wantNoSecrets(number, password, b.lastCode(), captchaText)
}

func TestPages_register_with_an_address_without_a_script(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	p := b.person()
	form := url.Values{
		"username": {"li_lei"}, "email": {address}, "mode": {"email"}, "agree": {"true"},
		"password": {password}, "password_repeat": {password}, "action": {"register"},
	}
	page := p.submit("/register", form).wantPage(422, "请填写图形验证码")
	form.Set("captcha_id", page.captchaOf())
	form.Set("captcha", captchaText)
	if got := p.submit("/register", form); got.status != http.StatusSeeOther || got.header.Get("Location") != "/check-mail" {
		t.Fatalf("got %d to %q", got.status, got.header.Get("Location"))
	}
	for range 2 { // a reload
		p.get("/check-mail").wantPage(200, `<p class="address">`+address)
	}
	old := b.lastToken(address)
	p.submit("/check-mail", url.Values{"action": {"resend"}}).wantPage(200, "激活邮件已重新发送")

	token := b.lastToken(address)
	p.get("/activate?token="+token).wantPage(200, "验证邮箱")
	if _, found := b.lastMail(); found.Active {
		t.Error("looking at the page has activated the account")
	}
	p.get("/activate?token="+old).wantPage(200, old)
	for _, link := range []string{old, token} { // the mails are opened in any order
		p.submit("/activate", url.Values{"token": {link}, "action": {"activate"}}).wantPage(200, "<div data-done>")
	}
	b.clock.Advance(time.Minute)
	p.submit("/activate", url.Values{"action": {"resend"}, "email": {"x@example.com"}}).wantPage(200, "已重新发送激活邮件")
	b.wantNoSecrets(address, password, token)
}

func TestPages_sign_in_and_reset_without_a_script(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	b.person().signUp("li_lei", number)
	b.clock.Advance(time.Minute)
	p := b.person()
	form := url.Values{"mode": {"password"}, "login": {"li_lei"}, "password": {"wrong password"}, "action": {"password"}}
	if strings.Contains(p.get("/login").text, "data:image") {
		t.Error("the first try asks a captcha")
	}
	for range 3 {
		p.submit("/login", form).wantPage(401, "账号或密码错误")
	}
	page := p.submit("/login", form).wantPage(422, "请填写图形验证码")
	form.Set("captcha_id", page.captchaOf())
	form.Set("captcha", captchaText)
	page = p.submit("/login", form).wantPage(401, "账号或密码错误")
	form.Set("captcha_id", page.captchaOf())
	form.Set("password", password)
	if got := p.submit("/login", form); got.status != http.StatusSeeOther || p.cookie() == "" {
		t.Errorf("got %d", got.status)
	}

	code := url.Values{"mode": {"code"}, "mobile": {number}, "captcha": {captchaText}, "action": {"send_code"}}
	code.Set("captcha_id", p.get("/login?mode=code").captchaOf())
	code.Set("sms_code_id", p.submit("/login", code).wantPage(200, "验证码已发送").codeIDOf())
	code.Set("action", "code")
	code.Set("sms_code", b.lastCode())
	if got := p.submit("/login", code); got.status != http.StatusSeeOther {
		t.Errorf("got %d", got.status)
	}
	b.clock.Advance(time.Minute)

	reset := url.Values{"mobile": {number}, "captcha": {captchaText}, "action": {"send_code"}}
	reset.Set("captcha_id", p.get("/forgot").captchaOf())
	reset.Set("sms_code_id", p.submit("/forgot", reset).wantPage(200, "验证码已发送").codeIDOf())
	reset.Set("action", "reset_password")
	reset.Set("sms_code", b.lastCode())
	reset.Set("password", "another good one")
	reset.Set("password_repeat", "another good two")
	p.submit("/forgot", reset).wantPage(422, "不一致")
	reset.Set("password_repeat", "another good one")
	p.submit("/forgot", reset).wantPage(200, "<div data-done>")
	p.get("/account").wantPage(401, "/login")
}

func TestPages_empty_forms_name_what_is_missing(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	p := b.person()
	for path, form := range map[string]url.Values{
		"/login":    {"mode": {"code"}, "action": {"code"}},
		"/forgot":   {"action": {"reset_password"}},
		"/register": {"mode": {"mobile"}, "action": {"send_code"}},
	} {
		p.submit(path, form).wantPage(422, `id="mobile-error" aria-live="polite">请填写这一项`)
	}
}

func TestPages_speak_the_chosen_language_from_then_on(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	p := b.person()
	p.get("/login").wantPage(200, `<html lang="zh-CN">`)
	p.get("/login?lang=en").wantPage(200, `<html lang="en">`)
	p.get("/register").wantPage(200, `<html lang="en">`)
	p.submit("/login", url.Values{"login": {"a"}, "password": {"b"}}).wantPage(401, "The account or password is incorrect.")
	p.get("/login?lang=zh").wantPage(200, `<html lang="zh-CN">`)
	p.get("/login").wantPage(200, `<html lang="zh-CN">`)
	p.get("/login?lang=xx").wantPage(200, `<html lang="zh-CN">`)
}

func TestPages_of_errors(t *testing.T) {
	t.Parallel()
	b := setup(t, func(s *api.Server) { s.Config.Registration = accounts.EmailOnly })
	p := b.person()
	html := http.Header{"Accept": {"text/html,application/xhtml+xml"}}
	p.do(request{method: "GET", path: "/nothing", header: html}).wantPage(404, "这个页面不存在")
	p.do(request{method: "POST", path: "/register", header: html, contentType: "text/plain"}).wantPage(415, "</html>")
	p.do(request{method: "DELETE", path: "/login", header: html}).wantPage(405, "</html>")
	p.submit("/register", url.Values{"username": {strings.Repeat("a", 20000)}}).wantPage(413, "</html>")
	p.submit("/register", url.Values{"username": {"a\x00b"}}).wantPage(400, "</html>")
	p.do(request{method: "GET", path: "/v1/nothing", header: html}).want(404, "4002")
	cross := http.Header{"Accept": {"text/html"}, "Sec-Fetch-Site": {"cross-site"}, "Origin": {"https://evil.example"}}
	p.do(request{method: "POST", path: "/logout", header: cross, contentType: "application/x-www-form-urlencoded"}).wantPage(403, "</html>")
}

func TestStatic_files_are_cached_for_ever(t *testing.T) {
	t.Parallel()
	p := setup(t, nil).person()
	page := p.get("/login").text
	for _, pattern := range []string{`/static/[^"]+\.css`, `/static/[^"]+\.js`, `/static/[^"]+\.svg`} {
		path := regexp.MustCompile(pattern).FindString(page)
		got := p.get(path)
		if got.status != 200 || !strings.Contains(got.header.Get("Cache-Control"), "immutable") || got.text == "" {
			t.Errorf("%s: got %d, Cache-Control %q", path, got.status, got.header.Get("Cache-Control"))
		}
	}
}
