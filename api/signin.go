package api

import (
	"errors"
	"slices"
	"time"

	"github.com/labstack/echo/v4"

	"usher/accounts"
	"usher/captcha/challenge"
	"usher/limits"
	"usher/passwords"
	"usher/verify"
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
	Agree     bool   `json:"agree"` // to the terms, where the sign-in makes the account
	Transport string `json:"transport"`
	emailProof
}

// signInView is the account that is signed in.
type signInView struct {
	openedView

	Created          bool `json:"created"`           // by this sign-in
	DeletionCanceled bool `json:"deletion_canceled"` // by this sign-in
	ConsentDue       bool `json:"consent_due"`       // the session does little before its person has agreed
}

func (s *Server) signIn(c echo.Context, body signInBody) (signInView, error) {
	account, created, err := s.openSession(c, body, body.Login == "" && (body.Mobile != "" || body.SMSCode != "" || body.emailProof != emailProof{}))
	return signInView{
		openedView{newAccountView(account), startedBearer(c)}, created, !account.DeleteAt.IsZero(), len(s.due(account)) > 0,
	}, err
}

// openSession signs in by password or by code. It reports whether it has made the account.
func (s *Server) openSession(c echo.Context, body signInBody, byCode bool) (account accounts.Account, created bool, err error) {
	by, err := transportOf(c, body.Transport)
	if err != nil {
		return accounts.Account{}, false, err
	}
	if byCode {
		account, created, err = s.signInByCode(c, body)
	} else {
		account, err = s.signInByPassword(c, body)
	}
	if errors.Is(err, accounts.ErrNotActive) && account.Waiting() {
		return accounts.Account{}, false, s.noteWaiting(c, account, err, by)
	}
	if err != nil {
		return accounts.Account{}, false, err
	}
	s.know(c, account)
	if err := s.startSession(c, account, body.Remember, by); err != nil {
		return account, created, err
	}
	if err := s.Accounts.SignedIn(c.Request().Context(), account); err != nil {
		s.Metrics.unaudited.Inc()
	}
	if !byCode && by == byCookie {
		s.rememberName(c, body, account)
	}
	return account, created, nil
}

func (s *Server) signInByPassword(c echo.Context, body signInBody) (accounts.Account, error) {
	wrong := mistakes{}
	wrong.require(fieldLogin, body.Login)
	wrong.require(accounts.FieldPassword, body.Password)
	if err := wrong.err(); err != nil {
		return accounts.Account{}, err
	}
	return s.tryPassword(c, body)
}

// loginSubject is [accounts.LoginSubject] for the regions that are served.
func (s *Server) loginSubject(login string) string {
	return accounts.LoginSubject(s.Config.Regions, login)
}

func (s *Server) signInByCode(c echo.Context, body signInBody) (account accounts.Account, created bool, err error) {
	code, err := s.readCode(smsProof{body.Mobile, body.SMSCodeID, body.SMSCode}, body.emailProof, mistakes{})
	if err != nil {
		return accounts.Account{}, false, err
	}
	if err := s.admitCode(c, code.to); err != nil {
		return accounts.Account{}, false, err
	}
	var registration []limits.Spend
	first := accounts.FirstSignIn{Agree: body.Agree, Origin: originOf(c), Admit: func() error {
		registration = s.byAddress(c, limits.RegisterIP)
		return s.spend(c, registration)
	}}
	account, created, err = s.Accounts.SignInByCode(c.Request().Context(), code.to, code.id, code.text, first)
	_, refused := errors.AsType[*verify.LimitError](err)
	switch {
	case err == nil:
		s.Metrics.signIns.WithLabelValues("code").Inc()
	case !refused && registration != nil:
		s.refundTotals(c, registration)
	}
	if created {
		s.Metrics.registered(account)
	}
	return account, created, err
}

// knownTTL is how long a network is known for an account after a sign-in from it.
const knownTTL = 30 * 24 * time.Hour

// tryPassword compares a password within the limits of wrong ones. It spends all of them before it compares, so that
// simultaneous guesses count, and refunds them unless the password was wrong.
func (s *Server) tryPassword(c echo.Context, body signInBody) (accounts.Account, error) {
	known, err := s.knownNetwork(c, body.Login)
	if err != nil {
		return accounts.Account{}, err
	}
	attempt := s.passwordAttempt(c, body, known)
	if err := s.admitPassword(c, body, &attempt); err != nil {
		return accounts.Account{}, err
	}
	account, err := s.Accounts.SignIn(c.Request().Context(), body.Login, body.Password, attempt.priority)
	switch {
	case errors.Is(err, accounts.ErrCredentials):
		s.Metrics.signIns.WithLabelValues("wrong").Inc()
		return accounts.Account{}, err
	case err == nil:
		s.Metrics.signIns.WithLabelValues("right").Inc()
	}
	s.refund(c, attempt.failures)
	return account, err
}

// passwordAttempt is one try of a password.
type passwordAttempt struct {
	failures []limits.Spend // the cost of a wrong password
	priority passwords.Priority
}

// passwordAttempt returns the cost of a wrong password. A sign-in by SMS code costs nothing of it, and the tries of others
// do not count for a network that the owner has signed in from: strangers cannot lock an owner out for ever.
func (s *Server) passwordAttempt(c echo.Context, body signInBody, known bool) passwordAttempt {
	login, network := s.loginSubject(body.Login), networkOf(c)
	attempt := passwordAttempt{
		failures: []limits.Spend{{Limit: s.Limits[limits.LoginNameNet], Subject: network + " " + login, Beside: network}},
		priority: passwords.Later,
	}
	if known {
		attempt.priority = passwords.First
	} else {
		attempt.failures = append(attempt.failures, limits.Spend{Limit: s.Limits[limits.LoginNameAll], Subject: login})
	}
	if s.Captcha.Enabled() && body.CaptchaID == "" {
		if !known { // otherwise strangers would decide when the owner needs a captcha
			attempt.failures = append(attempt.failures, limits.Spend{Limit: s.Limits[limits.LoginName], Subject: login})
		}
		attempt.failures = append(attempt.failures, s.byAddress(c, limits.LoginAddr)...)
	}
	return attempt
}

// knownNetwork reports whether the account of a login name was signed in from this network recently.
func (s *Server) knownNetwork(c echo.Context, login string) (bool, error) {
	return s.Gate.Known(c.Request().Context(), networkOf(c), s.loginSubject(login))
}

// admitPassword admits a try of a password: after a few wrong ones only with a captcha, after many wrong ones from unknown
// networks only with a captcha of the high price. A client that pays the high price passes the limits that strangers can
// use up. It is the last way in for an owner on a new network whose number gets no codes because of strangers.
func (s *Server) admitPassword(c echo.Context, body signInBody, attempt *passwordAttempt) error {
	own := s.byAddress(c, limits.LoginIP)
	if attempt.priority == passwords.First { // a known network: the tries of strangers do not count
		own, _ = limits.Split(own)
	}
	spends := slices.Concat(own, attempt.failures)
	var admitted admission
	var err error
	if body.CaptchaID != "" {
		admitted, err = s.admit(c, body.CaptchaID, body.Captcha, spends)
	} else {
		err = s.spend(c, spends)
	}
	switch {
	case refusedBy(err, limits.LoginName, limits.LoginAddr, limits.LoginAddr.Net()):
		return errCaptchaNeeded
	case !refusedBy(err, strangersLimits...) || !s.Captcha.Enabled():
		return err
	case admitted.price != challenge.High:
		return &cheapError{challenge.High}
	}
	attempt.failures, attempt.priority = withoutStrangers(attempt.failures), passwords.First
	return s.spend(c, slices.Concat(withoutStrangers(own), attempt.failures))
}

// strangersLimits are the limits of sign-ins by password that strangers from many networks can use up.
var strangersLimits = []limits.Name{limits.LoginNameAll, limits.LoginIP.All()}

// withoutStrangers returns the spends that count this client alone.
func withoutStrangers(spends []limits.Spend) []limits.Spend {
	return slices.DeleteFunc(slices.Clone(spends), func(s limits.Spend) bool {
		return slices.Contains(strangersLimits, s.Limit.Name)
	})
}

// admitCode admits a try of a code to sign in. When strangers have used the total up, it still admits networks that the
// number or address was signed in from.
func (s *Server) admitCode(c echo.Context, to verify.Recipient) error {
	tries := s.byAddress(c, limits.LoginIP)
	err := s.spend(c, tries)
	if !refusedBy(err, limits.LoginIP.All()) {
		return err
	}
	if known, failed := s.knownNetwork(c, loginOf(to)); failed != nil || !known {
		return errors.Join(failed, err)
	}
	own, _ := limits.Split(tries)
	return s.spend(c, own)
}

// know remembers the network that an account was signed in from, under each of its login names.
func (s *Server) know(c echo.Context, account accounts.Account) {
	var logins []string
	for _, login := range []string{account.Username, account.Mobile.E164(), account.Email.Reveal()} {
		if login != "" {
			logins = append(logins, s.loginSubject(login))
		}
	}
	if err := s.Gate.Know(c.Request().Context(), knownTTL, networkOf(c), logins...); err != nil {
		s.warn(c, "network of a sign-in not remembered; it counts as unknown", err)
	}
}
