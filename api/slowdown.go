package api

import (
	"errors"
	"log/slog"
	"time"

	"github.com/labstack/echo/v4"

	"usher/accounts"
	"usher/limits"
	"usher/verify"
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
	failures := s.failureSpends(c, body, known)
	if err := s.admitPassword(c, body, failures); err != nil {
		return accounts.Account{}, err
	}
	priority := accounts.Later
	if known {
		priority = accounts.First
	}
	account, err := s.Accounts.SignIn(c.Request().Context(), body.Login, body.Password, priority)
	switch {
	case errors.Is(err, accounts.ErrCredentials):
		s.Metrics.signIns.WithLabelValues("wrong").Inc()
		return accounts.Account{}, err
	case err == nil:
		s.Metrics.signIns.WithLabelValues("right").Inc()
	}
	s.refund(c, failures)
	return account, err
}

// failureSpends is what a wrong password costs. Signing in by SMS code costs none of it, and a network that
// the owner has signed in from is not held to what others try: nobody can lock an owner out for ever.
func (s *Server) failureSpends(c echo.Context, body signInBody, known bool) []limits.Spend {
	login := loginSubject(body.Login)
	addr, network := limits.Network(clientAddr(c))
	spends := []limits.Spend{{Limit: s.Limits[limits.LoginNameNet], Subject: from(network, login)}}
	if !known {
		spends = append(spends, limits.Spend{Limit: s.Limits[limits.LoginNameAll], Subject: login})
	}
	if s.Captcha.Enabled() && body.CaptchaID == "" {
		spends = append(spends,
			limits.Spend{Limit: s.Limits[limits.LoginName], Subject: login},
			limits.Spend{Limit: s.Limits[limits.LoginAddr], Subject: addr})
	}
	return spends
}

// knownNetwork tells whether the account of a login name was signed in from this network lately.
func (s *Server) knownNetwork(c echo.Context, login string) (bool, error) {
	_, network := limits.Network(clientAddr(c))
	return s.Gate.Known(c.Request().Context(), from(network, loginSubject(login)))
}

// admitPassword lets a password be tried: without a captcha after a few wrong ones only.
func (s *Server) admitPassword(c echo.Context, body signInBody, failures []limits.Spend) error {
	spends := append(s.byAddress(c, limits.LoginIP), failures...)
	if body.CaptchaID != "" {
		_, err := s.admit(c, body.CaptchaID, body.Captcha, spends)
		return err
	}
	err := s.spend(c, spends)
	if limit, ok := errors.AsType[*verify.LimitError](err); ok &&
		(limit.Name == string(limits.LoginName) || limit.Name == string(limits.LoginAddr)) {
		return errCaptchaNeeded
	}
	return err
}

// refund gives units back. When it cannot, they are forgotten with their period.
func (s *Server) refund(c echo.Context, spends []limits.Spend) {
	if err := s.Gate.Refund(c.Request().Context(), spends); err != nil {
		s.Logger.LogAttrs(c.Request().Context(), slog.LevelWarn, "limits not given back",
			slog.String("request_id", idOf(c)), slog.String("error", err.Error()))
	}
}

// know remembers the network that an account was signed in from, under each of its login names.
func (s *Server) know(c echo.Context, account accounts.Account) {
	_, network := limits.Network(clientAddr(c))
	var subjects []string
	for _, login := range []string{account.Username, account.Mobile.Reveal(), account.Email.Reveal()} {
		if login != "" {
			subjects = append(subjects, from(network, loginSubject(login)))
		}
	}
	if err := s.Gate.Know(c.Request().Context(), knownFor, subjects...); err != nil {
		s.Logger.LogAttrs(c.Request().Context(), slog.LevelWarn, "network not remembered",
			slog.String("request_id", idOf(c)), slog.String("error", err.Error()))
	}
}

func from(network, login string) string { return network + " " + login }
