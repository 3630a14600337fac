package api

import (
	"context"
	"errors"
	"log/slog"
	"strings"

	"github.com/labstack/echo/v4"

	"usher/apps"
	"usher/limits"
	"usher/tokens"
	"usher/verify"
)

// Apps finds the app of a key.
type Apps interface {
	// Cached reports whether Authenticate needs no look-up for the key with this id.
	Cached(keyID string) bool

	// Authenticate returns the app of a key and the key's id, which is empty for a text without one. The error is apps.ErrKey for every
	// text that is no valid key.
	Authenticate(ctx context.Context, key string) (app apps.App, keyID string, err error)
}

// caller is the app that sends a request.
type caller struct {
	app   apps.App
	keyID string
}

// callerKey is where Echo's context has the caller.
const callerKey = "usher.app"

// appOf returns the app that sends a request; it is zero on routes that are not for apps.
func appOf(c echo.Context) caller {
	from, _ := c.Get(callerKey).(caller)
	return from
}

// forApps reports whether a path is for apps alone. No browser may read its answers, and its key protects it from forged requests.
func forApps(c echo.Context) bool {
	path := c.Request().URL.Path
	for _, root := range []string{pathVerifications, pathAdminAccounts} {
		if path == root || strings.HasPrefix(path, root+"/") {
			return true
		}
	}
	return false
}

// forApp lets requests pass whose key belongs to an app with the scope, within the app's rate.
func (s *Server) forApp(scope apps.Scope, next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		from, err := s.admitApp(c, scope)
		if err == nil {
			c.Set(callerKey, from)
			err = next(c)
		}
		if err != nil {
			s.auditApp(c, from, err)
		}
		return err
	}
}

// admitApp returns the app of a request.
func (s *Server) admitApp(c echo.Context, scope apps.Scope) (caller, error) {
	if len(c.Request().Header.Values(echo.HeaderOrigin)) > 0 {
		key, _ := bearerOf(c)
		id, _ := apps.KeyID(key) // the operator must learn which key is in a browser
		return caller{keyID: id}, errAppOrigin
	}
	from, err := s.authenticateApp(c)
	if errors.Is(err, apps.ErrKey) {
		c.Response().Header().Set(echo.HeaderWWWAuthenticate, "Bearer")
		return from, errAppKey
	}
	if err != nil {
		return from, err
	}
	if !from.app.May(scope) {
		return from, errAppScope
	}
	rate, _ := s.limitsOf(from.app)
	return from, s.spend(c, []limits.Spend{{Limit: rate, Subject: from.app.ID}})
}

// authenticateApp finds the app of the key in the header. A key that must be looked up costs a unit of its address first, which is
// refunded for a valid key: invented keys must not become a load of the database.
func (s *Server) authenticateApp(c echo.Context) (caller, error) {
	key, _ := bearerOf(c)
	id, ok := apps.KeyID(key)
	if !ok {
		return caller{}, apps.ErrKey
	}
	var guess []limits.Spend
	if !s.Apps.Cached(id) {
		guess = s.byAddress(c, limits.AppKeyIP)
		if err := s.spend(c, guess); err != nil {
			return caller{keyID: id}, err
		}
	}
	app, id, err := s.Apps.Authenticate(c.Request().Context(), key)
	if err == nil && guess != nil {
		s.refund(c, guess)
	}
	return caller{app, id}, err
}

// limitsOf returns the limits of one app.
func (s *Server) limitsOf(app apps.App) (rate, budget limits.Limit) {
	return s.Limits.ForApp(app.Limits.Rate, app.Limits.BudgetYuan, s.Config.SMSUnitYuan)
}

// auditApp counts and logs that a request of an app was refused because of its key, its limits or its proof. Mistakes in a body and wrong
// codes are the app's own business.
func (s *Server) auditApp(c echo.Context, from caller, err error) {
	reason := appRefusal(err)
	if reason == "" {
		return
	}
	s.Metrics.appRefused.WithLabelValues(reason).Inc()
	s.Logger.LogAttrs(c.Request().Context(), slog.LevelWarn, "request of an app refused",
		slog.String("request_id", idOf(c)), slog.String("key_id", from.keyID), slog.String("app", from.app.ID), slog.String("reason", reason))
}

// appRefusal returns the word for a refusal that an operator wants to know of, or "".
func appRefusal(err error) string {
	if limit, ok := errors.AsType[*verify.LimitError](err); ok {
		switch limits.Name(limit.Name) { //nolint:exhaustive // the others are limits of people, not of the app
		case limits.AppRate:
			return "rate"
		case limits.AppBudgetDay:
			return "budget"
		case limits.AppKeyIP, limits.AppKeyIP.Net():
			return "guesses"
		}
		return ""
	}
	for _, known := range []struct {
		reason string
		errs   []error
	}{
		{"key", []error{errAppKey}},
		{"origin", []error{errAppOrigin}},
		{"scope", []error{errAppScope}},
		{"region", []error{errAppRegion}},
		{"proof", []error{
			errProofSpent, errProofOther, errProofNonce, tokens.ErrTooLarge, tokens.ErrMalformed, tokens.ErrAlgorithm, tokens.ErrType,
			tokens.ErrUnknownKey, tokens.ErrSignature, tokens.ErrIssuer, tokens.ErrAudience, tokens.ErrExpired, tokens.ErrEarly,
		}},
	} {
		for _, one := range known.errs {
			if errors.Is(err, one) {
				return known.reason
			}
		}
	}
	return ""
}
