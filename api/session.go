package api

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/labstack/echo/v4"

	"usher/accounts"
)

// What a session holds.
const (
	sessionAccount    = "account"    // account id
	sessionGeneration = "generation" // of the account's sessions; a password change starts a new one
	sessionSeen       = "seen"       // Unix time of a recent request; absent when remembered
)

// seenEvery is the share of the idle time after which a request is noted: writing each one would
// double what a look at the session costs.
const seenEvery = 30

// newSessions does without scs.New, which starts a goroutine for a store in memory that nobody can
// stop without a data race. What New adds, a context key of its own, matters to those who have two.
func newSessions(store scs.CtxStore, config Config) *scs.SessionManager {
	m := &scs.SessionManager{
		Store: store, Codec: scs.GobCodec{}, Lifetime: config.SessionLifetime, HashTokenInStore: true,
		Cookie: scs.SessionCookie{Name: "usher", Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode},
	}
	if isHTTPS(config.PublicURL) {
		// Browsers refuse the prefix without Secure, and Secure where development has no TLS.
		m.Cookie.Name, m.Cookie.Secure = "__Host-usher", true
	}
	return m
}

func isHTTPS(u *url.URL) bool { return u != nil && u.Scheme == "https" }

// openCookie loads the session that the cookie names, or an empty one.
func (s *Server) openCookie(c echo.Context) (context.Context, error) {
	token := ""
	if cookie, err := c.Cookie(s.sessions.Cookie.Name); err == nil {
		token = cookie.Value
	}
	return s.sessions.Load(c.Request().Context(), token)
}

// startSession signs an account in under a new token: one that was known before the sign-in, to
// whomever, is worth nothing after it.
func (s *Server) startSession(c echo.Context, account accounts.Account, remember bool) error {
	ctx, err := s.openCookie(c)
	if err != nil {
		return err
	}
	if err := s.sessions.RenewToken(ctx); err != nil {
		return err
	}
	s.sessions.Put(ctx, sessionAccount, account.ID)
	s.sessions.Put(ctx, sessionGeneration, account.SessionGeneration)
	s.sessions.RememberMe(ctx, remember)
	lifetime := s.Config.SessionLifetime
	if remember {
		lifetime = s.Config.SessionRemember
		s.sessions.Remove(ctx, sessionSeen)
	} else {
		s.sessions.Put(ctx, sessionSeen, s.Now().Unix())
	}
	s.sessions.SetDeadline(ctx, s.Now().Add(lifetime).UTC()) // by our clock, not by that of scs
	token, expiry, err := s.sessions.Commit(ctx)
	if err != nil {
		return err
	}
	s.sessions.WriteSessionCookie(ctx, c.Response(), token, expiry)
	return nil
}

// current returns the signed-in account, or errNotSignedIn when the session is missing, idle for too
// long, or older than the account's password.
func (s *Server) current(c echo.Context) (accounts.Account, error) {
	ctx, err := s.openCookie(c)
	if err != nil {
		return accounts.Account{}, err
	}
	id := s.sessions.GetString(ctx, sessionAccount)
	if id == "" {
		return accounts.Account{}, errNotSignedIn
	}
	if s.isIdle(ctx) {
		return accounts.Account{}, s.over(ctx, c)
	}
	account, err := s.Accounts.Find(ctx, id)
	if errors.Is(err, accounts.ErrNotFound) {
		return accounts.Account{}, s.over(ctx, c)
	}
	if err != nil {
		return accounts.Account{}, err
	}
	if !account.Active || account.SessionGeneration != s.sessions.GetInt(ctx, sessionGeneration) {
		return accounts.Account{}, s.over(ctx, c)
	}
	return account, s.noteSeen(ctx)
}

func (s *Server) isIdle(ctx context.Context) bool {
	seen := s.sessions.GetInt64(ctx, sessionSeen)
	return seen != 0 && s.Now().Sub(time.Unix(seen, 0)) >= s.Config.SessionIdle
}

func (s *Server) noteSeen(ctx context.Context) error {
	seen := s.sessions.GetInt64(ctx, sessionSeen)
	if seen == 0 || s.Now().Sub(time.Unix(seen, 0)) < s.Config.SessionIdle/seenEvery {
		return nil
	}
	s.sessions.Put(ctx, sessionSeen, s.Now().Unix())
	_, _, err := s.sessions.Commit(ctx)
	return err
}

// over ends a session that has lost its worth and says so.
func (s *Server) over(ctx context.Context, c echo.Context) error {
	if err := s.destroy(ctx, c); err != nil {
		return err
	}
	return errNotSignedIn
}

func (s *Server) endSession(c echo.Context) error {
	ctx, err := s.openCookie(c)
	if err != nil {
		return err
	}
	return s.destroy(ctx, c)
}

func (s *Server) destroy(ctx context.Context, c echo.Context) error {
	if err := s.sessions.Destroy(ctx); err != nil {
		return err
	}
	s.sessions.WriteSessionCookie(ctx, c.Response(), "", time.Time{})
	return nil
}
