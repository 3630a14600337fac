package api

import (
	"errors"
	"net/http"

	"github.com/labstack/echo/v4"

	"usher/accounts"
	"usher/web"
)

// The page after a registration by address. It shows the address of the account that the browser's session has registered,
// so that a reload shows it again and no URL contains it.

func (s *Server) showCheckMail(c echo.Context) error {
	return s.checkMailPage(c, web.Page{Mode: c.QueryParam("mode")}, nil)
}

// checkMailPage shows the page, also to a browser that has registered no account: it may have refused the cookie.
func (s *Server) checkMailPage(c echo.Context, p web.Page, refused error) error {
	own, err := s.ownAccount(c)
	switch {
	case err != nil:
		return err
	case own.Active:
		return s.land(c, p.Form)
	}
	p.Address = own.PendingEmail.Reveal()
	return s.form(c, "check-mail", p, refused)
}

func (s *Server) checkMailForm(c echo.Context) error {
	typed, err := readForm(c)
	if err != nil {
		return err
	}
	p := web.Page{Mode: typed["mode"], Form: typed}
	switch typed["action"] {
	case "captcha_audio":
		err = s.speakCaptcha(c, &p)
	case "resend":
		if _, err = s.resend(c, resendBody{Email: typed["email"]}); err == nil {
			p.Said = "resent"
			if typed["email"] == "" { // only its own account can ask without an address
				p.Said = "resent_own"
			}
		} else if _, bounced := errors.AsType[accounts.FieldErrors](err); bounced {
			p.Mode = "correct" // the form for the right address says what is wrong with this one
		}
	case "correct":
		if _, err = fromForm(c, typed, s.correctEmail); err == nil {
			return c.Redirect(http.StatusSeeOther, "/check-mail")
		}
	}
	return s.checkMailPage(c, p, err)
}
