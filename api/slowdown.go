package api

import (
	"errors"
	"log/slog"
	"slices"
	"time"

	"github.com/labstack/echo/v4"

	"usher/accounts"
	"usher/captcha"
	"usher/contact"
	"usher/limits"
	"usher/passwords"
)

// knownFor is how long a network is known for an account after a sign-in from it.
const knownFor = 30 * 24 * time.Hour

// tryPassword compares a password within the limits of wrong ones. All of them are spent before anything
// is compared, so that guesses that arrive together are counted together, and given back unless the
// password was wrong.
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
	failures []limits.Spend // what a wrong password costs
	priority passwords.Priority
}

// passwordAttempt returns what a wrong password costs. Signing in by SMS code costs none of it, and a network that
// the owner has signed in from is not held to what others try: nobody can lock an owner out for ever.
func (s *Server) passwordAttempt(c echo.Context, body signInBody, known bool) passwordAttempt {
	login := loginSubject(body.Login)
	_, network := limits.Network(clientAddr(c))
	attempt := passwordAttempt{
		failures: []limits.Spend{{Limit: s.Limits[limits.LoginNameNet], Subject: from(network, login), Beside: network}},
		priority: passwords.Later,
	}
	if known {
		attempt.priority = passwords.First
	} else {
		attempt.failures = append(attempt.failures, limits.Spend{Limit: s.Limits[limits.LoginNameAll], Subject: login})
	}
	if s.Captcha.Enabled() && body.CaptchaID == "" {
		if !known { // else strangers, who can use captchas up as well, would decide what the owner needs
			attempt.failures = append(attempt.failures, limits.Spend{Limit: s.Limits[limits.LoginName], Subject: login})
		}
		attempt.failures = append(attempt.failures, s.byAddress(c, limits.LoginAddr)...)
	}
	return attempt
}

// knownNetwork tells whether the account of a login name was signed in from this network lately.
func (s *Server) knownNetwork(c echo.Context, login string) (bool, error) {
	_, network := limits.Network(clientAddr(c))
	return s.Gate.Known(c.Request().Context(), network, loginSubject(login))
}

// admitPassword lets a password be tried: without a captcha after a few wrong ones only, and after many wrong ones
// from unknown networks with a captcha of the high price. What strangers can use up is no limit for who pays that:
// an owner on a new network, whose number strangers keep from getting codes, has this way in left.
func (s *Server) admitPassword(c echo.Context, body signInBody, attempt *passwordAttempt) error {
	own := s.byAddress(c, limits.LoginIP)
	if attempt.priority == passwords.First { // a known network: strangers' tries do not shut a person out
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
	case admitted.price != captcha.High:
		return errCaptchaCheap
	}
	attempt.failures, attempt.priority = withoutStrangers(attempt.failures), passwords.First
	return s.spend(c, slices.Concat(withoutStrangers(own), attempt.failures))
}

// strangersLimits are those of sign-ins by password that strangers from many networks can use up.
var strangersLimits = []limits.Name{limits.LoginNameAll, limits.LoginIP.All()}

// withoutStrangers returns the spends that count the caller alone.
func withoutStrangers(spends []limits.Spend) []limits.Spend {
	return slices.DeleteFunc(slices.Clone(spends), func(s limits.Spend) bool {
		return slices.Contains(strangersLimits, s.Limit.Name)
	})
}

// admitCode lets a code to sign in with be tried. When strangers have used the total up, networks pass that the
// number was signed in from before.
func (s *Server) admitCode(c echo.Context, mobile contact.Mobile) error {
	tries := s.byAddress(c, limits.LoginIP)
	err := s.spend(c, tries)
	if !refusedBy(err, limits.LoginIP.All()) {
		return err
	}
	if known, failed := s.knownNetwork(c, mobile.Reveal()); failed != nil || !known {
		return errors.Join(failed, err)
	}
	own, _ := limits.Split(tries)
	return s.spend(c, own)
}

// refund gives units back. When it cannot, they are forgotten with their period.
func (s *Server) refund(c echo.Context, spends []limits.Spend) {
	if err := s.Gate.Refund(c.Request().Context(), spends); err != nil {
		s.Logger.LogAttrs(c.Request().Context(), slog.LevelWarn, "limits not given back",
			slog.String("request_id", idOf(c)), slog.String("error", err.Error()))
	}
}

// refundTotals gives back what a request that failed took from everybody. Its address and its network have paid for the
// try; what belongs to all could else be used up by made-up codes.
func (s *Server) refundTotals(c echo.Context, spends []limits.Spend) {
	_, totals := limits.Split(spends)
	s.refund(c, totals)
}

// know remembers the network that an account was signed in from, under each of its login names.
func (s *Server) know(c echo.Context, account accounts.Account) {
	_, network := limits.Network(clientAddr(c))
	var logins []string
	for _, login := range []string{account.Username, account.Mobile.Reveal(), account.Email.Reveal()} {
		if login != "" {
			logins = append(logins, loginSubject(login))
		}
	}
	if err := s.Gate.Know(c.Request().Context(), knownFor, network, logins...); err != nil {
		s.Logger.LogAttrs(c.Request().Context(), slog.LevelWarn, "network not remembered",
			slog.String("request_id", idOf(c)), slog.String("error", err.Error()))
	}
}

func from(network, login string) string { return network + " " + login }
