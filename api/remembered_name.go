package api

import (
	"net/http"
	"net/url"
	"time"

	"github.com/labstack/echo/v4"

	"usher/accounts"
	"usher/web"
)

// nameCookie keeps the user name that the sign-in page fills in. It is never a number or an address, and opens nothing.
const nameCookie = "usher-name"

// nameTTL is how long the name is kept after a sign-in.
const nameTTL = 7 * 24 * time.Hour

// maxNameCookie is longer than the escaped form of every user name: 20 letters of up to four bytes.
const maxNameCookie = 20 * 4 * len("%XX")

// rememberName keeps the name of a sign-in with "remember me", and forgets the name of an earlier one otherwise. A number or an
// address that was typed is not kept.
func (s *Server) rememberName(c echo.Context, body signInBody, account accounts.Account) {
	_, typed, ok := accounts.CanonicalUsername(body.Login)
	_, own, _ := accounts.CanonicalUsername(account.Username)
	if body.Remember && ok && typed == own {
		s.setNameCookie(c, url.QueryEscape(account.Username), int(nameTTL/time.Second))
		return
	}
	s.forgetName(c)
}

// forgetName removes the cookie from a browser that has it.
func (s *Server) forgetName(c echo.Context) {
	if _, err := c.Cookie(nameCookie); err == nil {
		s.setNameCookie(c, "", -1)
	}
}

func (s *Server) setNameCookie(c echo.Context, value string, maxAge int) {
	c.SetCookie(&http.Cookie{ //nolint:gosec // Secure wherever the pages are on https
		Name: nameCookie, Value: value, Path: "/", MaxAge: maxAge,
		Secure: isHTTPS(s.Config.PublicURL), HttpOnly: true, SameSite: http.SameSiteLaxMode,
	})
}

// rememberedName returns the name of the cookie, or "" when there is none or it is no user name.
func rememberedName(c echo.Context) string {
	cookie, err := c.Cookie(nameCookie)
	if err != nil || len(cookie.Value) > maxNameCookie {
		return ""
	}
	name, err := url.QueryUnescape(cookie.Value)
	if err != nil {
		return ""
	}
	if shown, _, ok := accounts.CanonicalUsername(name); ok {
		return shown
	}
	return ""
}

// showLogin shows the sign-in page, with the remembered name filled in. It sends a person who is signed in on to the application that
// has sent them here.
func (s *Server) showLogin(c echo.Context) error {
	p := web.Page{Mode: c.QueryParam("mode")}
	if next := s.next(c, nil); p.Mode == "" && s.sendsOn(c, next) {
		return c.Redirect(http.StatusSeeOther, next)
	}
	if p.RememberedName = rememberedName(c); p.RememberedName != "" {
		p.Form = map[string]string{"login": p.RememberedName, "remember": "true"}
		if p.Mode == "" {
			p.Mode = "password" // the name is for this tab, which may not be the first one
		}
	}
	if isAdminPage(s.next(c, nil)) {
		p.Notice = signInForAdmin.in(languageOf(c))
	}
	return s.form(c, "login", p, nil)
}

// signInForAdmin says why a superuser who is signed in signs in again.
var signInForAdmin = wording{"为了安全，请重新登录后继续管理账号。", "For security, please sign in again to continue managing accounts."}
