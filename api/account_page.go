package api

import (
	"errors"
	"net/http"

	"github.com/labstack/echo/v4"

	"usher/accounts"
	"usher/verify"
	"usher/web"
)

// accountPage also shows the form that the query asks for: password, email or mobile.
func (s *Server) accountPage(c echo.Context) error {
	account, err := s.current(c)
	if err != nil {
		return s.strangerPage(c, err)
	}
	return s.showAccount(c, account, web.Page{Mode: c.QueryParam("mode")}, nil)
}

// accountForm does what a button on the page asks for and shows the page again.
func (s *Server) accountForm(c echo.Context) error {
	typed, err := readForm(c)
	if err != nil {
		return err
	}
	account, err := s.current(c)
	if err != nil {
		return s.strangerPage(c, err)
	}
	p := web.Page{Mode: typed["mode"], Form: typed}
	changed, err := s.accountAction(c, account, &p)
	if err == nil {
		account = changed
	}
	return s.showAccount(c, account, p, err)
}

// accountAction does what a button asks for and returns the account after it. A page after success says what was done.
func (s *Server) accountAction(c echo.Context, account accounts.Account, p *web.Page) (accounts.Account, error) {
	form, action := p.Form, p.Form["action"]
	var err error
	switch action {
	case "send_code":
		return account, s.sendCodeForm(c, p, verify.ChangeMobile)
	case "password":
		account, err = fromForm(c, form, s.changePassword)
	case "email":
		account, err = fromForm(c, form, s.changeEmail)
	case "mobile":
		account, err = fromForm(c, s.withCallingCode(form), s.changeMobile)
	case "resend":
		if err = s.resendOwn(c, account); err == nil {
			*p = web.Page{Notice: resent.in(languageOf(c))}
		}
		return account, err
	case "end_session":
		err = s.endOne(c, form["session"])
	case "end_others":
		_, err = s.endOtherSessions(c)
	default:
		return account, nil
	}
	if err == nil {
		*p = web.Page{Said: "said_" + action}
	}
	return account, err
}

// fromForm calls the work of an endpoint with a body from the fields of a form.
func fromForm[B, R any](c echo.Context, form map[string]string, do func(echo.Context, B) (R, error)) (R, error) {
	var body B
	fill(&body, form)
	return do(c, body)
}

// strangerPage tells a person who is not signed in where to sign in.
func (s *Server) strangerPage(c echo.Context, err error) error {
	if errors.Is(err, errNotSignedIn) {
		return s.page(c, http.StatusUnauthorized, "account", web.Page{})
	}
	return err
}

func (s *Server) showAccount(c echo.Context, account accounts.Account, p web.Page, refused error) error {
	var err error
	if p.Sessions, err = s.sessionsOf(c.Request().Context(), account); err != nil {
		return err
	}
	p.Account = &web.Account{
		ID: account.ID, Username: account.Username, Active: account.Active,
		Mobile: account.Mobile.String(), PendingMobile: account.PendingMobile.String(), Email: account.Email.String(), PendingEmail: account.PendingEmail.String(),
	}
	return s.form(c, "account", p, refused)
}
