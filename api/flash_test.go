package api_test

import (
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"usher/accounts"
	"usher/api"
)

func TestFlash_says_once_what_was_done(t *testing.T) {
	t.Parallel()
	b := setup(t, func(s *api.Server) { s.Accounts.Policy.Asked = accounts.Asked{Password: true, Email: true} })
	p := b.person()
	form := url.Values{
		"mobile": {number}, "email": {address}, "mode": {"mobile"}, "agree": {"true"}, "password": {password}, "action": {"register"},
		"sms_code": {p.code(number, "register")}, "sms_code_id": {b.codeID(number)},
	}
	p.submit("/register", form).wantSeeOther("/account")
	page := p.get("/account").wantPage(200, "<title>账号已创建。 · ").wantPage(200, `id="said">账号已创建。</p>`).text
	if !strings.Contains(page, "还差一步：打开我们发到") || !strings.Contains(page, `value="resend"`) {
		t.Errorf("the page does not say that an address is to be proved: %s", page)
	}
	if id := p.get("/v1/sessions/current").Data["id"].(string); id == "" || strings.Contains(page, id) {
		t.Error("the page shows the identifier of the account")
	}
	p.get("/account").wantPage(200, `id="said"></p>`) // once only
	for _, forged := range []string{"said_nothing", "account.title", "%3Cscript%3E", "<script>", "../x"} {
		p.header = map[string][]string{"Cookie": {"usher-said=" + forged + "; usher=" + p.cookie()}}
		p.get("/account").wantPage(200, `id="said"></p>`)
	}
}

func TestPages_show_times_with_their_zone(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	p := b.proved()
	now := b.clock.Now()
	zh := now.In(time.FixedZone("", 8*60*60)).Format("2006-01-02 15:04")
	p.get("/account").wantPage(200, `>北京时间 `+zh+`</time>`)
	p.get("/account?lang=en").wantPage(200, `>`+now.UTC().Format("2 Jan 2006, 15:04")+` UTC</time>`)
}

var recording = regexp.MustCompile(`<audio class="recording" controls src="data:audio/wav;base64,[A-Za-z0-9+/=&#;]{1000,}"></audio>`)

func TestCaptcha_is_spoken_without_a_script(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	for path, mode := range map[string]string{"/register": "mobile", "/forgot": "", "/login": "code"} {
		p := b.person()
		picture := p.get(path + "?mode=" + mode).captchaOf()
		form := url.Values{"mode": {mode}, "mobile": {number}, "captcha_id": {picture}, "action": {"captcha_audio"}}
		page := p.submit(path, form).wantPage(200, `value="`+number+`"`)
		id := captchaIDInPage.FindStringSubmatch(page.text)[1]
		if !recording.MatchString(page.text) || strings.Contains(page.text, "data:image") || id == picture || id == "" {
			t.Fatalf("%s: no recording, or a picture beside it", path)
		}
		p.submit(path, form).wantPage(422, `id="captcha-error" aria-live="polite">`) // the picture is spent
		form.Set("captcha_id", id)
		form.Set("captcha", captchaText)
		form.Set("action", "send_code")
		if path == "/register" { // one code a minute and number
			p.submit(path, form).wantPage(200, "验证码已发送")
		}
	}
}

func TestRegister_keeps_what_was_typed_without_a_script(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	p := b.person()
	form := url.Values{
		"mode": {"mobile"}, "mobile": {number}, "username": {"li_lei"}, "agree": {"true"}, "sms_code_id": {"s1"}, "password": {password}, "action": {"switch"},
	}
	shows := func(page *reply, want string) {
		t.Helper()
		got := typedInto(page, form)
		if got != want || !strings.Contains(page.text, ` checked`) || strings.Contains(page.text, password) {
			t.Errorf("the form has %s, want %s", got, want)
		}
	}
	shows(p.submit("/register?mode=mobile&lang=en", form).wantPage(200, "Create your account"), "mode=mobile username=li_lei mobile="+number+" sms_code_id=s1")
	shows(p.submit("/register?mode=email", form).wantPage(200, `name="email_code"`), "kept="+number+" kept_id=s1 mode=email username=li_lei")
	form.Set("email", address)
	form.Set("email_code_id", "e1")
	shows(p.submit("/register?mode=mobile", form).wantPage(200, `name="sms_code"`),
		"kept="+address+" kept_id=e1 mode=mobile username=li_lei mobile="+number+" sms_code_id=s1 email="+address)
	shows(p.submit("/register?mode=email", form).wantPage(200, `name="email_code"`), "kept="+number+" kept_id=s1 mode=email username=li_lei email="+address+" email_code_id=e1")
}

var typedField = regexp.MustCompile(`name="(mode|login|mobile|email|username|kept|kept_id|sms_code_id|email_code_id)" [^>]*value="([^"]*)"`)

// typedInto returns the fields of a page's form that have a value, and makes them those of the next request, as a browser does.
func typedInto(page *reply, form url.Values) string {
	for name := range form {
		if typedField.MatchString(`name="` + name + `" value=""`) {
			form.Del(name)
		}
	}
	var got []string
	for _, found := range typedField.FindAllStringSubmatch(page.text, -1) {
		form.Set(found[1], found[2])
		if found[2] != "" && !slices.Contains(got, found[1]+"="+found[2]) { // a second form repeats the mode
			got = append(got, found[1]+"="+found[2])
		}
	}
	return strings.Join(got, " ")
}

// A code that was sent before the tab was changed can still be used.
func TestLogin_keeps_a_code_over_a_change_of_tab_without_a_script(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	b.person().signUp("li_lei", number)
	b.clock.Advance(2 * time.Minute) // the pause between two codes
	p := b.person()
	code, id := p.code(number, "login"), b.codeID(number)
	form := url.Values{"mode": {"code"}, "mobile": {number}, "sms_code_id": {id}, "captcha_id": {"spent"}, "action": {"switch"}}
	page := p.submit("/login?mode=password", form).wantPage(200, `name="password"`)
	if got := typedInto(page, form); got != "kept="+number+" kept_id="+id+" mode=password" || !strings.Contains(page.text, "data-demand hidden") {
		t.Errorf("the password's tab has %s", got)
	}
	form.Set("login", "li_lei")
	if got := typedInto(p.submit("/login?mode=password&lang=en", form).wantPage(200, "Keep me signed in"), form); got != "kept="+number+" kept_id="+id+" mode=password login=li_lei" {
		t.Errorf("in English the password's tab has %s", got)
	}
	if got := typedInto(p.submit("/login?mode=code", form).wantPage(200, `name="sms_code"`), form); got != "kept=li_lei mode=code mobile="+number+" sms_code_id="+id {
		t.Errorf("the code's tab has %s", got)
	}
	form.Set("action", "code")
	form.Set("sms_code", code)
	p.submit("/login", form).wantSeeOther("/account")
}
