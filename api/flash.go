package api

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"usher/web"
)

// What was done is said on the page that follows the redirect after a plain form, once. The cookie has the key of a text, and any other
// value counts as none. The script of the pages needs no cookie: it calls the API and keeps the key itself.

// flashCookie keeps the key until the next page is shown.
const flashCookie = "usher-said"

// flashTTL is the life of the cookie in seconds: the redirect follows at once.
const flashTTL = 60

// sayNext has the next page say what was done.
func (s *Server) sayNext(c echo.Context, key string) { s.setFlash(c, key, flashTTL) }

// said returns the key of what the page before has done, and forgets it; it is empty for none.
func (s *Server) said(c echo.Context) string {
	cookie, err := c.Cookie(flashCookie)
	if err != nil {
		return ""
	}
	s.setFlash(c, "", -1)
	if !web.IsSaid(cookie.Value) {
		return ""
	}
	return cookie.Value
}

func (s *Server) setFlash(c echo.Context, key string, maxAge int) {
	c.SetCookie(&http.Cookie{ //nolint:gosec // Secure wherever the pages are on https
		Name: flashCookie, Value: key, Path: "/", MaxAge: maxAge,
		Secure: isHTTPS(s.Config.PublicURL), HttpOnly: true, SameSite: http.SameSiteLaxMode,
	})
}
