package api

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"usher/accounts"
	"usher/contact"
)

type signInBody struct {
	Login     string `json:"login"`
	Password  string `json:"password"`
	Remember  bool   `json:"remember"`
	CaptchaID string `json:"captcha_id"`
	Captcha   string `json:"captcha"`
	Mobile    string `json:"mobile"`
	SMSCodeID string `json:"sms_code_id"`
	SMSCode   string `json:"sms_code"`
}

func (s *Server) signIn(c echo.Context) error {
	var body signInBody
	if err := decode(c, &body); err != nil {
		return err
	}
	byCode := body.Login == "" && (body.Mobile != "" || body.SMSCode != "")
	account, err := s.openSession(c, body, byCode)
	if err != nil {
		return err
	}
	return answer(c, http.StatusCreated, viewOf(account))
}

// openSession signs in by password or by code.
func (s *Server) openSession(c echo.Context, body signInBody, byCode bool) (accounts.Account, error) {
	signIn := s.signInByPassword
	if byCode {
		signIn = s.signInByCode
	}
	account, err := signIn(c, body)
	if err != nil {
		return accounts.Account{}, err
	}
	s.know(c, account)
	return account, s.startSession(c, account, body.Remember)
}

func (s *Server) signInByPassword(c echo.Context, body signInBody) (accounts.Account, error) {
	refused := accounts.FieldErrors{}
	if body.Login == "" {
		refused[fieldLogin] = accounts.Missing
	}
	if body.Password == "" {
		refused[accounts.FieldPassword] = accounts.Missing
	}
	if len(refused) > 0 {
		return accounts.Account{}, refused
	}
	return s.tryPassword(c, body)
}

// loginSubject is the same for every spelling of a login name. The kinds are told apart: a user name may be compared in a
// form that is a number, and who has it must not count as the owner of that number.
func loginSubject(login string) string {
	if email, err := contact.ParseEmail(login); err == nil {
		return "email " + email.Reveal()
	}
	if mobile, err := contact.ParseMobile(login); err == nil {
		return "mobile " + mobile.Reveal()
	}
	if _, canonical, ok := accounts.CanonicalUsername(login); ok {
		return "username " + canonical
	}
	return "other " + login // no account has such a name, and it is counted like those that one may have
}

func (s *Server) signInByCode(c echo.Context, body signInBody) (accounts.Account, error) {
	refused := accounts.FieldErrors{}
	mobile := parseCode(body.Mobile, body.SMSCodeID, body.SMSCode, refused)
	if len(refused) > 0 {
		return accounts.Account{}, refused
	}
	if err := s.admitCode(c, mobile); err != nil {
		return accounts.Account{}, err
	}
	account, err := s.Accounts.SignInByCode(c.Request().Context(), mobile, body.SMSCodeID, body.SMSCode)
	if err == nil {
		s.Metrics.signIns.WithLabelValues("code").Inc()
	}
	return account, err
}

func (s *Server) currentSession(c echo.Context) error {
	account, err := s.current(c)
	if err != nil {
		return err
	}
	return answer(c, http.StatusOK, viewOf(account))
}

// signOut is the same for someone who is signed out already.
func (s *Server) signOut(c echo.Context) error {
	if err := s.endSession(c); err != nil {
		return err
	}
	return answer(c, http.StatusOK, none{})
}
