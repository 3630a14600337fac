package api

import (
	"net/http"
	"slices"

	"github.com/labstack/echo/v4"
)

// robotsText lets search engines find where people sign up and in, and nothing else. Pages about one person say noindex as well.
const robotsText = `User-agent: *
Allow: /register$
Allow: /login$
Allow: /static/
Disallow: /
`

// dayLong is for answers without a hash in their name that change with a release at most.
const dayLong = "public, max-age=86400"

func robots(c echo.Context) error {
	c.Response().Header().Set(echo.HeaderCacheControl, dayLong)
	return c.String(http.StatusOK, robotsText)
}

// changePassword is where password managers send a person who wants to change a password.
// https://www.w3.org/TR/change-password-url/
func changePassword(c echo.Context) error {
	return c.Redirect(http.StatusSeeOther, ownPage+"?mode=password#change")
}

// securityTxt tells finders of security problems where to report them, if the team has said so (RFC 9116).
func (s *Server) securityTxt(c echo.Context) error {
	text := s.Web.SecurityTxt()
	if len(text) == 0 {
		return echo.ErrNotFound
	}
	c.Response().Header().Set(echo.HeaderCacheControl, dayLong)
	return c.Blob(http.StatusOK, echo.MIMETextPlainCharsetUTF8, text)
}

// icon is for browsers that ask for an icon without having seen a page: of an answer of the API, or of a bookmark.
func (s *Server) icon(url string) echo.HandlerFunc {
	return func(c echo.Context) error {
		if url == "" {
			return echo.ErrNotFound
		}
		c.Response().Header().Set(echo.HeaderCacheControl, dayLong)
		return c.Redirect(http.StatusFound, url)
	}
}

// formsOfAccount are the forms that /account shows by its query.
var formsOfAccount = []string{"username", "password", "email", "mobile"}

// backToForm is the address of the account's form that a person who is not signed in has asked for, or "".
func backToForm(c echo.Context) string {
	if mode := c.QueryParam("mode"); slices.Contains(formsOfAccount, mode) {
		return ownPage + "?mode=" + mode
	}
	return ""
}
