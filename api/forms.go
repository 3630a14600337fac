package api

import (
	"errors"
	"net/http"

	"github.com/labstack/echo/v4"

	"usher/accounts"
	"usher/verify"
	"usher/web"
)

// The forms of people without a script, who press buttons called action. Each does what the endpoint
// for programs does and shows the page again, or the next one.

// resent is told to everybody who asks for another activation mail.
var resent = wording{"如果这个邮箱正在等待激活，新邮件已经发出。", "If this address is waiting for activation, a new mail is on its way."}

func (s *Server) registerForm(c echo.Context) error {
	var body registrationBody
	typed, err := readForm(c, &body)
	if err != nil {
		return err
	}
	p := web.Page{Mode: typed["mode"], Form: typed}
	switch typed["action"] {
	case "captcha":
	case "send_code":
		return s.sendCodeForm(c, "register", p, verify.Register)
	case "resend":
		p.Done = true
		err = s.resendForm(c, &p)
	default:
		account, refused := s.signUp(c, body)
		if refused == nil && account.Active {
			return c.Redirect(http.StatusSeeOther, "/account")
		}
		if errors.Is(refused, errRegistered) { // the button was pressed twice: the person sees this answer only
			refused = nil
		}
		p.Done, err = refused == nil, refused
	}
	return s.form(c, "register", p, err)
}

func (s *Server) loginForm(c echo.Context) error {
	var body signInBody
	typed, err := readForm(c, &body)
	if err != nil {
		return err
	}
	// Once asked, the captcha stays on the form, whatever else is wrong.
	p := web.Page{Mode: typed["mode"], Form: typed, PasswordCaptcha: body.CaptchaID != ""}
	switch typed["action"] {
	case "captcha":
	case "send_code":
		return s.sendCodeForm(c, "login", p, verify.Login)
	default:
		if _, err = s.openSession(c, body, p.Mode == "code"); err == nil {
			return c.Redirect(http.StatusSeeOther, "/account")
		}
	}
	return s.form(c, "login", p, err)
}

func (s *Server) forgotForm(c echo.Context) error {
	var body resetBody
	typed, err := readForm(c, &body)
	if err != nil {
		return err
	}
	p := web.Page{Form: typed}
	switch typed["action"] {
	case "captcha":
	case "send_code":
		return s.sendCodeForm(c, "forgot", p, verify.ResetPassword)
	default:
		err = s.reset(c, body)
		p.Done = err == nil
	}
	return s.form(c, "forgot", p, err)
}

func (s *Server) activateForm(c echo.Context) error {
	var body activationBody
	typed, err := readForm(c, &body)
	if err != nil {
		return err
	}
	p := web.Page{Token: body.Token, Form: typed}
	if typed["action"] == "resend" {
		p.Token = "" // the old link is worthless once there is a new one
		err = s.resendForm(c, &p)
	} else {
		_, err = s.prove(c, body)
		p.Done = err == nil
		p.Mode = activationMode(err)
		if body.Password == "" && body.PasswordRepeat == "" && p.Mode != "" {
			return s.page(c, describe(err, languageOf(c)).status, "activate", p) // asked for the first time: no mistake
		}
	}
	return s.form(c, "activate", p, err)
}

// activationMode names the fields that the page has to ask for after a refusal: the next password of an account that
// waits, or the current one of another.
func activationMode(err error) string {
	fields, _ := errors.AsType[accounts.FieldErrors](err)
	_, wrong := errors.AsType[*accounts.PasswordError](err)
	switch {
	case fields[accounts.FieldPassword] != "" || fields[accounts.FieldPasswordRepeat] != "":
		return "choose"
	case wrong || errors.Is(err, accounts.ErrLinkAlone):
		return "confirm"
	}
	return ""
}

func (s *Server) declineForm(c echo.Context) error {
	var body declineBody
	if _, err := readForm(c, &body); err != nil {
		return err
	}
	err := s.decline(c, body.Token)
	return s.form(c, "decline", web.Page{Token: body.Token, Done: err == nil}, err)
}

func (s *Server) logoutForm(c echo.Context) error {
	if err := s.endSession(c); err != nil {
		return err
	}
	return c.Redirect(http.StatusSeeOther, "/login")
}

func (s *Server) sendCodeForm(c echo.Context, name string, p web.Page, purpose verify.Purpose) error {
	view, err := s.issueCode(c, codeBody{
		ID: p.Form["sms_code_id"], Mobile: p.Form["mobile"], Purpose: string(purpose),
		CaptchaID: p.Form["captcha_id"], Captcha: p.Form["captcha"],
	})
	noteSent(&p, view, err)
	return s.form(c, name, p, err)
}

// noteSent has the page carry the id of the code that was sent: what is typed is held against that one.
func noteSent(p *web.Page, view codeView, err error) {
	if p.CodeSent = err == nil; p.CodeSent {
		p.ResendAfter, p.Form["sms_code_id"] = view.ResendAfter, view.ID
	}
}

func (s *Server) resendForm(c echo.Context, p *web.Page) error {
	err := s.resend(c, p.Form["email"])
	if err == nil {
		p.Notice = resent.in(languageOf(c))
	}
	return err
}
