package api

import (
	"errors"
	"net/http"

	"github.com/labstack/echo/v4"

	"usher/accounts"
	"usher/verify"
	"usher/web"
)

// accountPage shows one of the forms as well when the query asks for it: password, email or mobile.
func (s *Server) accountPage(c echo.Context) error {
	account, err := s.current(c)
	if err != nil {
		return s.strangerPage(c, err)
	}
	return s.showAccount(c, account, web.Page{Mode: c.QueryParam("mode")}, nil)
}

// accountForm does what a button on the page asks for and shows the page again.
func (s *Server) accountForm(c echo.Context) error {
	var none struct{} // each action takes its own fields
	typed, err := readForm(c, &none)
	if err != nil {
		return err
	}
	account, err := s.current(c)
	if err != nil {
		return s.strangerPage(c, err)
	}
	p := web.Page{Mode: typed["mode"], Form: typed}
	if typed["action"] == "send_code" {
		err = s.sendOwnCode(c, &p)
	} else if do := s.accountAction(typed["action"]); do != nil {
		var changed accounts.Account
		changed, err = do(c, account, typed)
		if err == nil {
			account, p = changed, done(c, typed["action"])
		}
	}
	return s.showAccount(c, account, p, err)
}

// done is the page after an action, which says that it was done.
func done(c echo.Context, action string) web.Page {
	if action == "resend" {
		return web.Page{Notice: resent.in(languageOf(c))}
	}
	return web.Page{Said: "said_" + action}
}

// accountAction returns what a button does; the account comes back as it is then. It is nil for those that
// only show the page again.
func (s *Server) accountAction(name string) func(echo.Context, accounts.Account, map[string]string) (accounts.Account, error) {
	type account = accounts.Account
	return map[string]func(echo.Context, account, map[string]string) (account, error){
		"password": func(c echo.Context, _ account, typed map[string]string) (account, error) {
			return s.setOwnPassword(c, passwordBody{
				PasswordCurrent: typed["password_current"], Password: typed["password"], PasswordRepeat: typed["password_repeat"],
			})
		},
		"email": func(c echo.Context, _ account, typed map[string]string) (account, error) {
			return s.setOwnEmail(c, emailBody{Email: typed["email"], Password: typed["password"]})
		},
		"mobile": func(c echo.Context, _ account, typed map[string]string) (account, error) {
			return s.setOwnMobile(c, ownMobileBody{
				Mobile: typed["mobile"], SMSCodeID: typed["sms_code_id"], SMSCode: typed["sms_code"], Password: typed["password"],
			})
		},
		"resend": func(c echo.Context, a account, _ map[string]string) (account, error) {
			return a, s.resendOwn(c, a)
		},
		"end_session": func(c echo.Context, a account, typed map[string]string) (account, error) {
			return a, s.endOne(c, typed["session"])
		},
		"end_others": func(c echo.Context, a account, _ map[string]string) (account, error) {
			_, err := s.endOthers(c)
			return a, err
		},
	}[name]
}

func (s *Server) sendOwnCode(c echo.Context, p *web.Page) error {
	view, err := s.issueCode(c, codeBody{
		ID: p.Form["sms_code_id"], Mobile: p.Form["mobile"], Purpose: string(verify.ChangeMobile),
		CaptchaID: p.Form["captcha_id"], Captcha: p.Form["captcha"],
	})
	noteSent(p, view, err)
	return err
}

// resendOwn has another activation mail sent to the account's own address, which the page knows in part only.
func (s *Server) resendOwn(c echo.Context, account accounts.Account) error {
	if account.PendingEmail.IsZero() {
		return nil
	}
	spends := s.ownResendSpends(c, account, account.PendingEmail)
	if err := s.spend(c, spends); err != nil {
		return err
	}
	err := s.Accounts.ResendOwnActivation(c.Request().Context(), account, originOf(c))
	if err != nil {
		s.refund(c, spends)
	}
	return err
}

// strangerPage tells somebody who is not signed in where to do that.
func (s *Server) strangerPage(c echo.Context, err error) error {
	if errors.Is(err, errNotSignedIn) {
		return s.page(c, http.StatusUnauthorized, "account", web.Page{})
	}
	return err
}

func (s *Server) showAccount(c echo.Context, account accounts.Account, p web.Page, refused error) error {
	sessions, err := s.sessionsOf(c.Request().Context(), account)
	if err != nil {
		return err
	}
	for _, view := range sessions {
		p.Sessions = append(p.Sessions, web.Session{
			ID: view.ID, Client: view.Client, Network: view.Network, Created: view.CreatedAt, Seen: view.SeenAt,
			Remembered: view.Remembered, Current: view.Current,
		})
	}
	p.Account = &web.Account{
		ID: account.ID, Username: account.Username, Active: account.Active,
		Mobile: account.Mobile.String(), PendingMobile: account.PendingMobile.String(), Email: account.Email.String(), PendingEmail: account.PendingEmail.String(),
	}
	return s.form(c, "account", p, refused)
}
