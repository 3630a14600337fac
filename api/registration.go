package api

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/labstack/echo/v4"

	"usher/accounts"
	"usher/captcha/challenge"
	"usher/contact"
	"usher/limits"
)

// accountView is what a person sees of an account; numbers and addresses are masked.
type accountView struct {
	ID          string         `json:"id"`
	Username    string         `json:"username"`
	Mobile      contact.Mobile `json:"mobile"`
	Email       contact.Email  `json:"email"`
	Active      bool           `json:"active"`
	EmailActive bool           `json:"email_active"`
	HasPassword bool           `json:"has_password"`

	// PendingEmail is shown apart only while another address is proved.
	PendingEmail  *contact.Email  `json:"pending_email,omitempty"`
	PendingMobile *contact.Mobile `json:"pending_mobile,omitempty"` // claimed from an account that was unused for long
}

func newAccountView(a accounts.Account) accountView {
	view := accountView{
		ID: a.ID, Username: a.Username, Mobile: a.Mobile, Email: a.Email, Active: a.Active, EmailActive: !a.Email.IsZero(),
		HasPassword: a.HasPassword(),
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

func (s *Server) countUsername(c echo.Context) (usernameView, error) {
	username, err := pathText(c, "username")
	if err != nil {
		return usernameView{}, err
	}
	count, err := s.lookUp(c, func(ctx context.Context) (bool, error) { return s.Accounts.UsernameTaken(ctx, username) })
	return usernameView{username, count}, err
}

type mobileView struct {
	Mobile string `json:"mobile"` // as it was asked for
	Count  int    `json:"count"`
}

func (s *Server) countMobile(c echo.Context) (mobileView, error) {
	number, err := pathText(c, "mobile")
	if err != nil {
		return mobileView{}, err
	}
	wrong := mistakes{}
	mobile := wrong.mobile(s.Config.Regions, number)
	if err := wrong.err(); err != nil {
		return mobileView{}, err
	}
	count, err := s.lookUp(c, func(ctx context.Context) (bool, error) { return s.Accounts.MobileTaken(ctx, mobile) })
	return mobileView{number, count}, err
}

// lookUp returns the number of accounts that have a name or number, 0 or 1, within the limit of look-ups.
func (s *Server) lookUp(c echo.Context, isTaken func(context.Context) (bool, error)) (count int, err error) {
	if err := s.spend(c, s.byAddress(c, limits.LookupIP)); err != nil {
		return 0, err
	}
	taken, err := isTaken(c.Request().Context())
	if taken {
		count = 1
	}
	return count, err
}

type registrationBody struct {
	accounts.SignUp

	EmailCodeToken string `json:"email_code_token"`
	CaptchaID      string `json:"captcha_id"`
	Captcha        string `json:"captcha"`
	Transport      string `json:"transport"`
}

// openLink replaces the token of a mail's link by the address and the code that it stands for.
func (s *Server) openLink(body *registrationBody) error {
	if body.EmailCodeToken == "" {
		return nil
	}
	code, err := s.readProof(emailProof{Email: body.Email, EmailCodeToken: body.EmailCodeToken}, accounts.FieldEmailCode, mistakes{})
	body.Email, body.EmailCodeID, body.EmailCode = code.to.Reveal(), code.id, code.code
	return err
}

// signUp registers an account. When nothing is left to prove it signs in; otherwise the session only records which
// account it has registered. A code needed a captcha; an address alone needs one here.
func (s *Server) signUp(c echo.Context, body registrationBody) (accounts.Account, error) {
	body.Origin = originOf(c)
	by, err := transportOf(c, body.Transport)
	if err != nil {
		return accounts.Account{}, err
	}
	if err := s.openLink(&body); err != nil {
		return accounts.Account{}, err
	}
	byCode := body.ByCode()
	if err := s.Accounts.CheckSignUp(body.SignUp); err != nil {
		if byCode {
			return accounts.Account{}, err
		}
		return accounts.Account{}, s.withCaptcha(err, body.CaptchaID, body.Captcha)
	}
	var email contact.Email // that gets an activation mail
	if body.SendsLink() {
		email, _ = contact.ParseEmail(body.Email) // checked above
	}
	tries, mails := s.byAddress(c, limits.RegisterIP), s.mailSpends(email)
	admit := s.admitByCaptcha
	if byCode {
		admit = func(c echo.Context, _ registrationBody, spends []limits.Spend) error { return s.spend(c, spends) }
	}
	if err := admit(c, body, slices.Concat(tries, mails)); err != nil {
		return accounts.Account{}, err
	}
	account, err := s.Accounts.Register(c.Request().Context(), body.SignUp)
	if err != nil {
		s.refundTotals(c, tries)
		s.refund(c, mails)
		return accounts.Account{}, err
	}
	s.Metrics.registered(account)
	if !account.PendingEmail.IsZero() { // the worker tells of its mail
		followed(c)
	}
	if !byCode {
		s.noteAnswered(c, body.CaptchaID, challenge.Done, s.Config.CaptchaTTL)
	}
	s.beginSession(c, account, by)
	return account, nil
}

// beginSession signs in to a new account, or notes its registration in the session if it waits for its proof.
func (s *Server) beginSession(c echo.Context, account accounts.Account, by transport) {
	begin := s.noteRegistration
	if account.Active {
		s.know(c, account)
		begin = func(c echo.Context, account accounts.Account, by transport) error {
			return s.startSession(c, account, false, by)
		}
	}
	// The account exists: after an error the person would try to register it again.
	if err := begin(c, account, by); err != nil && !errors.Is(err, errSignedIn) {
		s.warn(c, "account opened without a session; the person has to sign in", err)
	}
}

// The second request of a form that is sent twice has a spent captcha. Only its client knows the captcha's id, so only
// that client may learn that the first request succeeded. The second one waits for it while it hashes a password.
const (
	repeatTries = 10
	repeatPause = 200 * time.Millisecond
)

// admitByCaptcha is admit for a registration by an address alone. It returns errRegistered to a repeated request.
func (s *Server) admitByCaptcha(c echo.Context, body registrationBody, spends []limits.Spend) error {
	_, err := s.admit(c, body.CaptchaID, body.Captcha, spends)
	if err == nil {
		s.noteAnswered(c, body.CaptchaID, challenge.Used, requestTimeout)
	}
	ctx, used := c.Request().Context(), err
	for try := range repeatTries {
		justTaken := try == 0 && errors.Is(err, errCaptchaGone) // the first request may be about to leave its note
		if !justTaken && !errors.Is(err, errCaptchaUsed) {
			break
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(repeatPause):
		}
		asked, _, admitErr := s.Gate.Admit(ctx, body.CaptchaID, nil)
		if admitErr != nil {
			return admitErr
		}
		if asked.Medium == challenge.Done || asked.Medium == challenge.Used {
			err = s.captchaRefusal(c, body.CaptchaID, asked, "")
		}
	}
	if !errors.Is(err, errCaptchaDone) {
		return used
	}
	s.noteAnswered(c, body.CaptchaID, challenge.Done, s.Config.CaptchaTTL) // for a third request
	return errRegistered
}

// noteAnswered stores a note in place of an answered captcha. Without it a repeated request is told that the captcha has
// expired.
func (s *Server) noteAnswered(c echo.Context, id string, note challenge.Medium, ttl time.Duration) {
	if !s.Captcha.Enabled() {
		return
	}
	err := s.Captchas.Put(c.Request().Context(), id, challenge.Asked{Medium: note, Price: challenge.Normal}, ttl)
	if err != nil {
		s.warn(c, "note of an answered captcha not stored; a repeated request is told that it has expired", err)
	}
}
