package api

import (
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"time"

	"github.com/labstack/echo/v4"

	"usher/accounts"
	"usher/captcha"
	"usher/captcha/challenge"
	"usher/contact"
	"usher/limits"
)

// accountView is what a person sees of an account; numbers and addresses encode masked.
type accountView struct {
	ID          string         `json:"id"`
	Username    string         `json:"username"`
	Mobile      contact.Mobile `json:"mobile"`
	Email       contact.Email  `json:"email"`
	Active      bool           `json:"active"`
	EmailActive bool           `json:"email_active"`

	// PendingEmail waits for its proof while another address is proved.
	PendingEmail  *contact.Email  `json:"pending_email,omitempty"`
	PendingMobile *contact.Mobile `json:"pending_mobile,omitempty"` // claimed from an account that was not seen for long
}

func viewOf(a accounts.Account) accountView {
	view := accountView{
		ID: a.ID, Username: a.Username, Mobile: a.Mobile, Email: a.Email, Active: a.Active, EmailActive: !a.Email.IsZero(),
	}
	if !a.PendingMobile.IsZero() {
		view.PendingMobile = &a.PendingMobile
	}
	switch {
	case a.PendingEmail.IsZero():
	case view.EmailActive:
		view.PendingEmail = &a.PendingEmail
	default:
		view.Email = a.PendingEmail
	}
	return view
}

type usernameView struct {
	Username string `json:"username"`
	Count    int    `json:"count"`
}

func (s *Server) countUsername(c echo.Context) error {
	username, err := pathText(c, "username")
	if err != nil {
		return err
	}
	if err := s.spend(c, s.byAddress(c, limits.LookupIP)); err != nil {
		return err
	}
	taken, err := s.Accounts.UsernameTaken(c.Request().Context(), username)
	if err != nil {
		return err
	}
	return answer(c, http.StatusOK, usernameView{username, count(taken)})
}

type mobileView struct {
	Mobile string `json:"mobile"` // as it was asked for
	Count  int    `json:"count"`
}

func (s *Server) countMobile(c echo.Context) error {
	number, err := pathText(c, "mobile")
	if err != nil {
		return err
	}
	mobile, err := contact.ParseMobile(number)
	if err != nil {
		return accounts.FieldErrors{accounts.FieldMobile: accounts.Malformed}
	}
	if err := s.spend(c, s.byAddress(c, limits.LookupIP)); err != nil {
		return err
	}
	taken, err := s.Accounts.MobileTaken(c.Request().Context(), mobile)
	if err != nil {
		return err
	}
	return answer(c, http.StatusOK, mobileView{number, count(taken)})
}

func count(taken bool) int {
	if taken {
		return 1
	}
	return 0
}

type registrationBody struct {
	Username       string `json:"username"`
	Password       string `json:"password"`
	PasswordRepeat string `json:"password_repeat"`
	Agree          bool   `json:"agree"`
	Mobile         string `json:"mobile"`
	SMSCodeID      string `json:"sms_code_id"`
	SMSCode        string `json:"sms_code"`
	Email          string `json:"email"`
	CaptchaID      string `json:"captcha_id"`
	Captcha        string `json:"captcha"`
}

func (s *Server) register(c echo.Context) (any, error) {
	var body registrationBody
	if err := decode(c, &body); err != nil {
		return nil, err
	}
	account, err := s.signUp(c, body)
	return viewOf(account), err
}

// signUp registers and, when nothing is left to prove, signs in; else the session only knows what it has
// registered. A number was guarded by a captcha when its code was sent; an address alone is guarded here.
func (s *Server) signUp(c echo.Context, body registrationBody) (accounts.Account, error) {
	request := accounts.SignUp{
		Username: body.Username, Password: body.Password, PasswordRepeat: body.PasswordRepeat, Agree: body.Agree,
		Mobile: body.Mobile, SMSCodeID: body.SMSCodeID, SMSCode: body.SMSCode, Email: body.Email,
		Origin: originOf(c),
	}
	byCode := body.Mobile != "" || body.SMSCode != ""
	if err := s.Accounts.CheckSignUp(request); err != nil {
		if byCode {
			return accounts.Account{}, err
		}
		return accounts.Account{}, s.withCaptcha(err, body.CaptchaID, body.Captcha)
	}
	email, err := contact.ParseEmail(body.Email)
	if err != nil { // there is none
		email = contact.Email{}
	}
	tries, mails := s.byAddress(c, limits.RegisterIP), s.mailSpends(email)
	if byCode {
		err = s.spend(c, slices.Concat(tries, mails))
	} else {
		err = s.admitByCaptcha(c, body, slices.Concat(tries, mails))
	}
	if err != nil {
		return accounts.Account{}, err
	}
	account, err := s.Accounts.Register(c.Request().Context(), request)
	if err != nil {
		s.refundTotals(c, tries)
		s.refund(c, mails)
		return accounts.Account{}, err
	}
	s.Metrics.registered(account)
	if !byCode {
		s.noteAnswered(c, body.CaptchaID, challenge.Done, s.Config.CaptchaTTL)
	}
	begin := s.noteRegistration
	if account.Active {
		s.know(c, account)
		begin = func(c echo.Context, account accounts.Account) error { return s.startSession(c, account, false) }
	}
	// The account is there: an error now would make the person register again, in vain.
	if err := begin(c, account); err != nil {
		s.Logger.LogAttrs(c.Request().Context(), slog.LevelWarn, "registered without a session",
			slog.String("request_id", idOf(c)), slog.String("error", err.Error()))
	}
	return account, nil
}

// A form that is sent twice comes second with a captcha that is spent. Its id is a secret of the one who asked for it, so
// only that one hears that the first request was done. The second waits for it as long as hashing a password takes.
const (
	secondLooks = 10
	secondPause = 200 * time.Millisecond
)

// admitByCaptcha is admit for a registration by an address alone. It returns errRegistered to a request that comes second.
func (s *Server) admitByCaptcha(c echo.Context, body registrationBody, spends []limits.Spend) error {
	_, err := s.admit(c, body.CaptchaID, body.Captcha, spends)
	if err == nil {
		s.noteAnswered(c, body.CaptchaID, challenge.Used, requestTimeout)
	}
	ctx, used := c.Request().Context(), err
	for look := range secondLooks {
		justTaken := look == 0 && errors.Is(err, errCaptchaGone) // its note may be under way
		if !justTaken && !errors.Is(err, errCaptchaUsed) {
			break
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(secondPause):
		}
		asked, _, lookErr := s.Gate.Admit(ctx, body.CaptchaID, nil)
		if lookErr != nil {
			return lookErr
		}
		if asked.Medium == challenge.Done || asked.Medium == challenge.Used {
			err = s.captchaRefusal(body.CaptchaID, asked, "")
		}
	}
	if !errors.Is(err, errCaptchaDone) {
		return used
	}
	s.noteAnswered(c, body.CaptchaID, challenge.Done, s.Config.CaptchaTTL) // for a third one
	return errRegistered
}

// noteAnswered leaves a note in the place of a captcha that was answered. Without it a second request hears that the
// captcha has expired.
func (s *Server) noteAnswered(c echo.Context, id string, note captcha.Medium, ttl time.Duration) {
	if !s.Captcha.Enabled() {
		return
	}
	err := s.Captchas.Put(c.Request().Context(), id, captcha.Asked{Medium: note, Price: captcha.Normal}, ttl)
	if err != nil {
		s.Logger.LogAttrs(c.Request().Context(), slog.LevelWarn, "answered captcha not noted",
			slog.String("request_id", idOf(c)), slog.String("error", err.Error()))
	}
}

// parseEmail notes in refused what is wrong with an address.
func parseEmail(address string, refused accounts.FieldErrors) contact.Email {
	email, err := contact.ParseEmail(address)
	if err != nil {
		refused[accounts.FieldEmail] = missingOr(address, accounts.Malformed)
	}
	return email
}
