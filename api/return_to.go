package api

import (
	"cmp"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"usher/accounts"
	"usher/web"
)

// Where a page sends a person after a sign-in: to the address that the page was opened with (?next=), if it is one of
// USHER_RETURN_TO or a page of Usher. Links and forms of the pages carry it. A cookie carries it to the pages that a mail links to.

// ownPage is where a person lands without a valid address.
const ownPage = "/account"

// nextCookie keeps the address for the pages that a mail links to. Its value is checked like any other.
const nextCookie = "usher-next"

const (
	nextTTL = time.Hour
	maxNext = 1000 // bytes; its escaped form fits into a cookie
)

// ownPages are the pages that a relative address may lead to.
var ownPages = []string{"/account", "/login", "/register", "/forgot", "/undo", "/check-mail"}

// returnOrigins returns the origins of the addresses that people may be sent back to.
func (s *Server) returnOrigins() []string {
	origins := make([]string, len(s.Config.ReturnTo))
	for i, u := range s.Config.ReturnTo {
		origins[i] = u.Scheme + "://" + u.Host
	}
	slices.Sort(origins)
	return slices.Compact(origins)
}

// checkNext returns an address that people may be sent to, as browsers read it, or "". It accepts only what every browser reads as
// this server does: ASCII without control characters, spaces and backslashes, and paths without steps upwards.
func (s *Server) checkNext(text string) string {
	u := parseNext(text)
	switch {
	case u == nil:
		return ""
	case u.Scheme == "" && u.Host == "":
		return ownAddress(text, u)
	}
	u.Host = strings.ToLower(u.Host)
	if port := map[string]string{"https": ":443", "http": ":80"}[u.Scheme]; port != "" {
		u.Host = strings.TrimSuffix(u.Host, port)
	}
	for _, allowed := range s.Config.ReturnTo {
		inside := u.Path == allowed.Path || strings.HasPrefix(u.Path, allowed.Path+"/")
		if u.Scheme == allowed.Scheme && u.Host == allowed.Host && inside {
			return u.String()
		}
	}
	return ""
}

// parseNext returns an address that has one meaning only, or nil.
func parseNext(text string) *url.URL {
	foreign := func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune("\\\"<>^`{|}", r) }
	if text == "" || len(text) > maxNext || strings.ContainsFunc(text, foreign) {
		return nil
	}
	u, err := url.Parse(text)
	if err != nil || u.Opaque != "" || u.User != nil || !isStraight(u) {
		return nil
	}
	return u
}

// ownAddress returns a relative address if it leads to a page of Usher, or "".
func ownAddress(text string, u *url.URL) string {
	if !strings.HasPrefix(text, "/") || strings.HasPrefix(text, "//") || u.RawPath != "" || !slices.Contains(ownPages, u.Path) && !isAdminPage(u.Path) {
		return ""
	}
	return u.String()
}

// isStraight reports whether a path stays where its beginning says: it has no "..", "." or "//", and hides none of these or a
// separator in an escape sequence.
func isStraight(u *url.URL) bool {
	escaped := strings.ToLower(u.EscapedPath())
	for _, hidden := range []string{"%2e", "%2f", "%5c", "%25", "%00", "//", ";"} {
		if strings.Contains(escaped, hidden) {
			return false
		}
	}
	plain := strings.TrimSuffix(u.Path, "/")
	return plain == "" || path.Clean(plain) == plain
}

// next returns the address that the person of this page is sent to, or "": of the form or the query, or on a page that mails link to of
// the cookie.
func (s *Server) next(c echo.Context, form map[string]string) string {
	text := form["next"]
	if text == "" && c.Request().URL.RawQuery != "" {
		text = c.QueryParam("next")
	}
	if cookie, err := c.Cookie(nextCookie); text == "" && err == nil && isMailPage(c) {
		text, _ = url.QueryUnescape(cookie.Value)
	}
	return s.checkNext(text)
}

// isMailPage reports whether people come to the page by a mail, perhaps in the browser in which they began.
func isMailPage(c echo.Context) bool {
	return slices.Contains([]string{"/activate", "/code", "/check-mail"}, c.Path())
}

// land sends a person who is signed in now to the address of the page, or to the own page.
func (s *Server) land(c echo.Context, form map[string]string) error {
	return c.Redirect(http.StatusSeeOther, s.landing(c, form))
}

// todoParam tells the page of a landing what a registration has left to do. The script of the pages adds it too.
const todoParam = "usher-todo"

// landAfterSignUp is land for a new account. It says where an address is still to be proved; the account's own page does so itself.
func (s *Server) landAfterSignUp(c echo.Context, account accounts.Account, form map[string]string) error {
	landing, err := url.Parse(s.landing(c, form))
	if err != nil {
		return err
	}
	s.sayNext(c, "said_created")
	if landing.Host != "" && !account.PendingEmail.IsZero() {
		query := landing.Query()
		query.Set(todoParam, "email")
		landing.RawQuery = query.Encode()
	}
	return c.Redirect(http.StatusSeeOther, landing.String())
}

// landing returns where the person goes, and forgets the address that a mail's link would have led to.
func (s *Server) landing(c echo.Context, form map[string]string) string {
	next := s.next(c, form)
	if _, err := c.Cookie(nextCookie); err == nil {
		s.setNextCookie(c, "", -1)
	}
	return web.Page{Next: next, Home: s.home()}.Landing()
}

// landSignedIn is land after a sign-in: the account's page comes first when it asks for a consent, or says that a deletion was taken
// back.
func (s *Server) landSignedIn(c echo.Context, account accounts.Account, form map[string]string) error {
	switch {
	case !account.DeleteAt.IsZero():
		s.sayNext(c, "said_kept")
		return c.Redirect(http.StatusSeeOther, ownPage)
	case len(s.due(account)) > 0:
		return c.Redirect(http.StatusSeeOther, ownPage)
	}
	return s.land(c, form)
}

// sentCookie is on a browser for [sentTTL] after it was sent on. An application that does not see the session sends the person back at
// once: the second time they see the form, and are not sent to and fro.
const (
	sentCookie = "usher-sent"
	sentTTL    = 10 * time.Second
)

// sendsOn reports whether a person who opens the sign-in page goes on to the address: who is signed in and is sent by an application. Our
// own pages send people here who are signed in, but too long ago.
func (s *Server) sendsOn(c echo.Context, next string) bool {
	if next == "" || strings.HasPrefix(next, "/") {
		return false
	}
	if _, err := c.Cookie(sentCookie); err == nil {
		return false
	}
	if _, err := s.current(c); err != nil {
		return false
	}
	s.setShortCookie(c, sentCookie, "1", int(sentTTL/time.Second))
	return true
}

// home is where a person goes without an address of the page.
func (s *Server) home() string { return cmp.Or(s.checkNext(s.Config.Landing), ownPage) }

// keepNext keeps the address of a page on which a person may ask for a mail.
func (s *Server) keepNext(c echo.Context, next string) {
	if next != "" && !isMailPage(c) {
		s.setNextCookie(c, url.QueryEscape(next), int(nextTTL/time.Second))
	}
}

func (s *Server) setNextCookie(c echo.Context, value string, maxAge int) {
	s.setShortCookie(c, nextCookie, value, maxAge)
}

func (s *Server) setShortCookie(c echo.Context, name, value string, maxAge int) {
	c.SetCookie(&http.Cookie{ //nolint:gosec // Secure wherever the pages are on https
		Name: name, Value: value, Path: "/", MaxAge: maxAge,
		Secure: isHTTPS(s.Config.PublicURL), HttpOnly: true, SameSite: http.SameSiteLaxMode,
	})
}
