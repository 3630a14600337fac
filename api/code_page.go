package api

import (
	"errors"
	"net/http"

	"github.com/labstack/echo/v4"

	"usher/verify"
	"usher/web"
)

// The page behind the button of a mail with a code. Opening it uses nothing up, because mail scanners open links: the form on it
// sends the token, which stands for the address and the code.

func (s *Server) showCode(c echo.Context) error {
	return s.codePage(c, web.Page{Token: linkToken(c)}, nil)
}

// codePage shows what the code of the token is for. A token that is not valid any more has no purpose.
func (s *Server) codePage(c echo.Context, p web.Page, refused error) error {
	link, err := s.Verify.ReadLink(p.Token)
	if err != nil {
		return s.form(c, "code", p, err)
	}
	p.Mode, p.Address = string(link.Purpose), link.To.String()
	if link.Purpose == verify.ChangeEmail {
		account, err := s.current(c)
		switch {
		case err == nil:
			p.Account = newPageAccount(account)
		case !errors.Is(err, errNotSignedIn):
			return err
		}
	}
	return s.form(c, "code", p, refused)
}

// codeForm does what the code was sent for.
func (s *Server) codeForm(c echo.Context) error {
	typed, err := readForm(c)
	if err != nil {
		return err
	}
	p := web.Page{Token: typed["email_code_token"], Form: typed}
	link, err := s.Verify.ReadLink(p.Token)
	if err != nil {
		return s.codePage(c, p, err)
	}
	switch link.Purpose {
	case verify.Register:
		_, err = fromForm(c, typed, s.signUp)
	case verify.Login:
		_, err = fromForm(c, typed, s.signIn)
	case verify.ResetPassword:
		_, err = fromForm(c, typed, s.resetPassword)
		p.Done = err == nil
	case verify.ChangeEmail:
		_, err = fromForm(c, typed, s.changeEmail)
	case verify.ChangeMobile, verify.UndoChange: // no mail has a code for these
		err = verify.ErrLink
	}
	if err != nil || p.Done {
		return s.codePage(c, p, err)
	}
	if link.Purpose == verify.ChangeEmail {
		return c.Redirect(http.StatusSeeOther, ownPage)
	}
	return s.land(c, typed)
}
