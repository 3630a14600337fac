package api_test

import (
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"usher/accounts"
	"usher/api"
)

var nextInPage = regexp.MustCompile(`name="next" value="([^"]*)"`)

// nextOf returns the address that a page sends the person to, or "".
func (r *reply) nextOf() string {
	found := nextInPage.FindStringSubmatch(r.text)
	if found == nil {
		return ""
	}
	return html.UnescapeString(found[1])
}

// returning is a face that may send people back to an application.
func returning(t testing.TB) *bundle {
	t.Helper()
	return setup(t, func(s *api.Server) {
		for _, address := range []string{"https://shop.example.com", "https://www.example.com/app", "http://localhost:3000"} {
			s.Config.ReturnTo = append(s.Config.ReturnTo, must(url.Parse(address))(t))
		}
	})
}

func TestReturnTo_leads_to_its_addresses_only(t *testing.T) {
	t.Parallel()
	b := returning(t)
	for next, want := range map[string]string{
		"https://shop.example.com":                   "same",
		"https://shop.example.com/":                  "same",
		"https://shop.example.com/cart?id=1&b=%20#x": "same",
		"https://shop.example.com?x=1":               "same",
		"https://SHOP.example.com:443/Cart":          "https://shop.example.com/Cart",
		"HTTPS://shop.example.com/":                  "https://shop.example.com/",
		"https://www.example.com/app":                "same",
		"https://www.example.com/app/":               "same",
		"https://www.example.com/app/a?next=//evil":  "same",
		"http://localhost:3000/":                     "same",
		"/account":                                   "same",
		"/account?mode=password":                     "same",

		"https://evil.example/":                                 "",
		"https://shop.example.com.evil.example/":                "",
		"https://shop.example.com./":                            "",
		"https://evilshop.example.com/":                         "",
		"https://a.shop.example.com/":                           "",
		"https://shop.example.com@evil.example/":                "",
		"https://shop.example.com:pw@evil.example/":             "",
		"https://user@shop.example.com/":                        "",
		"https://shop.example.com:8443/":                        "",
		"https://shop.example.com:80/":                          "",
		"https://shop.example.com:/":                            "",
		"http://shop.example.com/":                              "",
		"http://localhost/":                                     "",
		"http://localhost:3001/":                                "",
		"https://www.example.com/":                              "",
		"https://www.example.com/apple":                         "",
		"https://www.example.com/app/../admin":                  "",
		"https://www.example.com/app/%2e%2e/admin":              "",
		"https://www.example.com/app/.%2E/admin":                "",
		"https://www.example.com/app/..%2fadmin":                "",
		"https://www.example.com/app/..;/admin":                 "",
		"https://www.example.com/app/%252e%252e/":               "",
		"https://www.example.com/APP":                           "",
		"https://www.example.com//app":                          "",
		"//evil.example":                                        "",
		"//evil.example/account":                                "",
		"///evil.example":                                       "",
		"//shop.example.com":                                    "",
		`/\evil.example`:                                        "",
		`\/evil.example`:                                        "",
		`\\evil.example`:                                        "",
		`https:\\shop.example.com\`:                             "",
		`https://shop.example.com\@evil.example`:                "",
		`https://evil.example\.shop.example.com`:                "",
		"https:evil.example":                                    "",
		"https:/evil.example":                                   "",
		"https:shop.example.com":                                "",
		"https:///shop.example.com":                             "",
		"https://shop。example。com/":                             "",
		"https://shop\u2024example.com/":                        "",
		"https://ｓhop.example.com/":                             "",
		"https://shop.example.com%2eevil.example/":              "",
		"https://%73hop.example.com/":                           "",
		"https%3A%2F%2Fshop.example.com":                        "",
		"javascript:alert(1)":                                   "",
		"javascript://shop.example.com/%0aalert(1)":             "",
		"data:text/html,x":                                      "",
		"ftp://shop.example.com/":                               "",
		"https://shop.example.com/\r\nSet-Cookie: a=b":          "",
		"https://shop.example.com/%0d%0aSet-Cookie:%20a=b":      "same",
		"https://shop.example.com/\t":                           "",
		"https://shop.example.com/a b":                          "",
		"https://shop.example.com/\x00":                         "",
		"java\tscript:alert(1)":                                 "",
		"https://shop.example.com/" + strings.Repeat("a", 2000): "",
		`https://shop.example.com/"><script>`:                   "",
		"https://[::1]/":                                        "",
		"account":                                               "",
		"/":                                                     "",
		"/logout":                                               "",
		"/v1/sessions/current":                                  "",
		"/account/../logout":                                    "",
		"/account/":                                             "",
		"/%61ccount":                                            "",
		"/account%2f..%2flogout":                                "",
		"?mode=code":                                            "",
		"#x":                                                    "",
		"":                                                      "",
		" ":                                                     "",
	} {
		if want == "same" {
			want = next
		}
		got := b.person().get("/login?next="+url.QueryEscape(next)).wantPage(200, "登录").nextOf()
		if got != want {
			t.Errorf("%q leads to %q, want %q", next, got, want)
		}
	}
	if got := b.person().get("/login?next=%ff%fe&next=https://shop.example.com").nextOf(); got != "" {
		t.Errorf("the second of two leads to %q", got)
	}
	policy := b.person().get("/login").header.Get("Content-Security-Policy")
	if !strings.Contains(policy, "form-action 'self' http://localhost:3000 https://shop.example.com https://www.example.com;") {
		t.Errorf("browsers stop the redirect after a form: %s", policy)
	}
}

const cart = "https://shop.example.com/cart?id=7&x=%E4%BD%A0"

func TestReturnTo_is_carried_through_the_forms(t *testing.T) {
	t.Parallel()
	b := returning(t)
	p := b.person()
	in := func(path string) string { return path + "next=" + url.QueryEscape(cart) }
	for _, path := range []string{"/login?", "/login?mode=code&", "/register?", "/register?mode=email&", "/forgot?"} {
		page := p.get(in(path)).wantPage(200, html.EscapeString(in("?")[1:]))
		if got := page.nextOf(); got != cart {
			t.Errorf("%s leads to %q", path, got)
		}
		for _, link := range regexp.MustCompile(`href="(/(?:login|register|forgot)[^"]*)"`).FindAllStringSubmatch(page.text, -1) {
			if !strings.Contains(link[1], "next=") && !strings.Contains(page.text, `class="brand" href="`+link[1]+`"`) {
				t.Errorf("%s links to %s without it", path, link[1])
			}
		}
	}

	form := url.Values{
		"next": {cart}, "username": {"li_lei"}, "mobile": {number}, "mode": {"mobile"}, "agree": {"true"},
		"password": {password}, "password_repeat": {password}, "action": {"register"}, "sms_code": {"000000"}, "sms_code_id": {"x"},
	}
	if got := p.submit("/register", form).nextOf(); got != cart {
		t.Errorf("the page after a mistake leads to %q", got)
	}
	form.Set("sms_code", p.code(number, "register"))
	form.Set("sms_code_id", b.codeID(number))
	p.submit("/register", form).wantSeeOther(cart)

	login := url.Values{"next": {cart}, "login": {"li_lei"}, "password": {password}, "mode": {"password"}, "action": {"password"}}
	b.person().submit("/login", login).wantSeeOther(cart)
	login.Set("next", "https://evil.example/")
	b.person().submit("/login", login).wantSeeOther("/account")
	q := b.person()
	q.get(in("/login?"))
	q.submit("/login", url.Values{"login": {"li_lei"}, "password": {password}, "mode": {"password"}, "action": {"password"}}).
		wantSeeOther("/account") // the cookie is for the pages of mails only
	q.submit("/login", url.Values{"action": {"forget_name"}, "next": {cart}}).wantSeeOther(in("/login?"))
}

func TestReturnTo_is_carried_through_mails(t *testing.T) {
	t.Parallel()
	b := returning(t)
	p := b.person()
	form := url.Values{
		"next": {cart}, "username": {"li_lei"}, "email": {address}, "mode": {"email"}, "agree": {"true"},
		"password": {password}, "password_repeat": {password}, "captcha": {captchaText}, "action": {"register"},
	}
	form.Set("captcha_id", p.get("/register?mode=email").captchaOf())
	p.submit("/register", form).wantSeeOther("/check-mail")
	done := p.submit("/activate", url.Values{"token": {b.lastToken(address)}, "action": {"activate"}}).
		wantPage(200, `<a class="main" href="`+html.EscapeString(cart))
	if strings.Contains(done.text, "/account") && !strings.Contains(done.text, "继续") {
		t.Error("the page does not say what the button does")
	}
	p.get("/check-mail").wantSeeOther(cart)
	if got := p.get("/check-mail"); got.header.Get("Location") != "/account" {
		t.Errorf("the address is used twice: %q", got.header.Get("Location"))
	}

	// A cookie of another origin's making is checked like a query.
	for _, value := range []string{"https%3A%2F%2Fevil.example", "%2F%2Fevil.example", "%zz", strings.Repeat("a", 3000)} {
		p.header = http.Header{"Cookie": {"usher-next=" + value + "; usher=" + p.cookie()}}
		p.get("/check-mail").wantSeeOther("/account")
	}
}

func TestLanding_is_where_people_go_without_another_address(t *testing.T) {
	t.Parallel()
	const shop = "https://shop.example.com/welcome?from=usher"
	b := setup(t, func(s *api.Server) {
		s.Config.ReturnTo, s.Config.Landing = []*url.URL{must(url.Parse("https://shop.example.com"))(t)}, shop
		s.Accounts.Policy.Asked = accounts.Asked{Password: true, Email: true}
	})
	p := b.person()
	if page := p.get("/login"); !strings.Contains(page.text, `data-next="`+html.EscapeString(shop)) || page.nextOf() != "" {
		t.Errorf("the script of /login does not learn the landing, or the form repeats it: %s", page.text)
	}
	form := url.Values{
		"mobile": {number}, "email": {address}, "mode": {"mobile"}, "agree": {"true"}, "password": {password}, "action": {"register"},
		"sms_code": {p.code(number, "register")}, "sms_code_id": {b.codeID(number)},
	}
	p.submit("/register", form).wantSeeOther(shop + "&usher-todo=email")
	p.get("/activate?token="+b.lastToken(address)).wantPage(200, "")
	p.submit("/activate", url.Values{"token": {b.lastToken(address)}, "action": {"activate"}}).
		wantPage(200, `<a class="main" href="`+html.EscapeString(shop)+`">继续`)

	login := url.Values{"login": {address}, "password": {password}, "mode": {"password"}, "action": {"password"}}
	b.person().submit("/login", login).wantSeeOther(shop)
	login.Set("next", "/account")
	b.person().submit("/login", login).wantSeeOther("/account")
}

// A person who is signed in already need not sign in for an application. Our own pages ask for a new sign-in on purpose.
func TestReturnTo_sends_people_on_who_are_signed_in(t *testing.T) {
	t.Parallel()
	b := returning(t)
	p := b.person()
	const next = "https://shop.example.com/cart?id=1"
	page := func(target, mode string, status int) *reply {
		t.Helper()
		got := p.get("/login?" + url.Values{"next": {target}, "mode": {mode}}.Encode())
		if got.status != status {
			t.Errorf("/login for %q, mode %q: %d, want %d", target, mode, got.status, status)
		}
		return got
	}
	page(next, "", 200)
	p.signUp("li_lei", number)
	for _, target := range []string{"https://evil.example/", "/account", "/account?mode=password", "/admin", ""} {
		page(target, "", 200)
	}
	page(next, "password", 200)
	if sent := page(next, "", 303); sent.header.Get("Location") != next {
		t.Errorf("sent to %q", sent.header.Get("Location"))
	}
	page(next, "", 200) // the application did not see the session
	p.delete("/v1/sessions/current").want(200, "0")
	p = b.person()
	page(next, "", 200)
}
