package api_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"usher/api"
)

// nameCookieOf is the cookie of an answer with the user name, or nil.
func nameCookieOf(r *reply) *http.Cookie {
	cookies := (&http.Response{Header: r.header}).Cookies()
	i := slices.IndexFunc(cookies, func(c *http.Cookie) bool { return c.Name == "usher-name" })
	if i < 0 {
		return nil
	}
	return cookies[i]
}

func TestLogin_page_remembers_a_user_name_for_seven_days(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	b.person().signUp("李雷_12", number)
	p := b.person()
	signIn := func(login string, remember bool) *reply {
		return p.post("/v1/sessions", body{"login": login, "password": password, "remember": remember}).want(201, "0")
	}
	filled := func(want bool) {
		t.Helper()
		page := p.get("/login").wantPage(200, "</html>").text
		if strings.Contains(page, `value="李雷_12"`) != want || strings.Contains(page, "forget_name") != want {
			t.Errorf("the page fills in the name: %v, want %v", !want, want)
		}
		if strings.Contains(page, number) {
			t.Error("the page shows the number")
		}
	}
	filled(false)
	cookie := nameCookieOf(signIn("李雷_12", true))
	if cookie == nil || cookie.MaxAge != 7*24*60*60 || !cookie.HttpOnly || cookie.SameSite != http.SameSiteLaxMode || cookie.Secure {
		t.Fatalf("the cookie is %v", cookie)
	}
	filled(true)
	p.delete("/v1/sessions/current").want(200, "0")
	filled(true)
	p.submit("/login", url.Values{"action": {"forget_name"}})
	filled(false)

	signIn("李雷_12", true)
	signIn("李雷_12", false)
	filled(false)
	signIn("李雷_12", true)
	if kept := nameCookieOf(signIn(number, true)); kept == nil || kept.MaxAge >= 0 || kept.Value != "" {
		t.Errorf("after a sign-in with a number the cookie is %v", kept)
	}
	filled(false)
	p.post("/v1/sessions", body{"login": "李雷_12", "password": "wrong password", "remember": true}).want(401, "4102")
	filled(false)
}

func TestLogin_page_fills_in_nothing_but_a_user_name(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	for _, value := range []string{number, "li.lei%40example.com", "%zz", "%00", "a", strings.Repeat("%41", 400), `%22%3E%3Cscript%3E`} {
		page := b.person().do(request{method: "GET", path: "/login", header: http.Header{"Cookie": {"usher-name=" + value}}})
		if page.status != 200 || strings.Contains(page.text, "forget_name") {
			t.Errorf("%.40s is filled in, status %d", value, page.status)
		}
	}
}

func TestLogin_name_cookie_is_secure_with_https(t *testing.T) {
	t.Parallel()
	b := setup(t, func(s *api.Server) { s.Config.PublicURL.Scheme = "https" })
	b.person().signUp("li_lei", number)
	if cookie := nameCookieOf(b.person().signIn(true)); cookie == nil || !cookie.Secure {
		t.Errorf("the cookie is %v", cookie)
	}
}
