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
	"usher/audit"
)

// The contents of a session.
const (
	sessionAccount    = "account"    // id of the account that is signed in
	sessionRegistered = "registered" // id of an account that the session has registered and that waits for its proof
	sessionGeneration = "generation" // of the account's sessions; a password change starts a new one
	sessionID         = "id"         // for its owner to end it; opens nothing
	sessionCreated    = "created"    // Unix time of the sign-in
	sessionSeen       = "seen"       // Unix time of a recent request
	sessionRemembered = "remembered" // does not end when idle
	sessionClient     = "client"     // see clientOf
	sessionNetwork    = "network"    // of a recent request, see limits.Network
	sessionTransport  = "transport"  // missing in the session of a cookie, see transport
	sessionRotation   = "rotation"   // generation of the token of a bearer session
	sessionRotated    = "rotated"    // Unix time of the last rotation
	sessionConsent    = "consent"    // its person has to agree to something first
	sessionConfirmed  = "confirmed"  // the token of the last rotation was used
)

// Sessions keeps sessions under hashed tokens, and the list of each owner's sessions. An owner is an account in one
// generation of its sessions. The ids on the list open nothing.
type Sessions interface {
	scs.CtxStore

	// Enter puts a session on its owner's list and returns its id. It is called before the session is first committed.
	// An owner with too many sessions loses one.
	Enter(ctx context.Context, owner, token string, expiry time.Time) (id string, err error)

	// List returns the data of the owner's sessions by their ids.
	List(ctx context.Context, owner string) (map[string][]byte, error)

	// End ends those of the sessions that are the owner's, and returns their number.
	End(ctx context.Context, owner string, ids ...string) (int, error)
}

// owner is [accounts.SessionOwner].
func owner(account string, generation int) string { return accounts.SessionOwner(account, generation) }

// seenShare is the share of the idle time after which a request is recorded: to record every one would double the cost of
// a session.
const seenShare = 30

// sessionCodec is how sessions are stored.
var sessionCodec = scs.GobCodec{}

// newSessions does not call scs.New, which starts a goroutine for a store in memory that cannot be stopped without a data
// race. New also makes a context key, which only programs with two managers need. The store hashes the tokens, with a key
// that scs does not have.
func newSessions(store scs.CtxStore, config Config) *scs.SessionManager {
	m := &scs.SessionManager{
		Store: store, Codec: sessionCodec, Lifetime: config.SessionLifetime,
		Cookie: scs.SessionCookie{Name: "usher", Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode},
	}
	if isHTTPS(config.PublicURL) {
		// Browsers refuse this prefix without Secure, and Secure without TLS, which development does not have.
		m.Cookie.Name, m.Cookie.Secure = hostCookie, true
	}
	if config.CookieDomain != "" {
		// This prefix allows a domain. Browsers refuse the cookie from a page without TLS.
		m.Cookie.Name, m.Cookie.Domain = "__Secure-usher", config.CookieDomain
	}
	return m
}

// hostCookie is the name of the session's cookie for one host; browsers send it to no other.
const hostCookie = "__Host-usher"

func isHTTPS(u *url.URL) bool { return u != nil && u.Scheme == "https" }

// loadSession loads the session of the request, or an empty one, once in a request: that of the bearer token if there is one,
// otherwise that of the cookie.
func (s *Server) loadSession(c echo.Context) (context.Context, error) {
	if c.Get(loadedKey) != nil {
		return c.Request().Context(), nil
	}
	if token, given := bearerOf(c); given {
		return s.loadBearer(c, token, false)
	}
	return s.loadCookie(c)
}

// loadedKey marks a request whose session is loaded.
const loadedKey = "session loaded"

// keepLoaded puts the loaded session into the request.
func keepLoaded(ctx context.Context, c echo.Context) {
	c.Set(loadedKey, true)
	c.SetRequest(c.Request().WithContext(ctx))
}

// loadCookie loads the session of the cookie.
func (s *Server) loadCookie(c echo.Context) (context.Context, error) {
	ctx, err := s.loadToken(c, cookieOf(c, s.sessions.Cookie.Name))
	if old := cookieOf(c, hostCookie); err == nil && s.Config.CookieDomain != "" && old != "" {
		ctx, err = s.widenCookie(ctx, c, old)
	}
	if err != nil {
		return nil, err
	}
	keepLoaded(ctx, c)
	return ctx, nil
}

// cookieOf returns the value of a cookie. Of several different ones it returns none: one of them is for another path or domain, and
// may have been set by another host of the domain, to sign a person in to another account.
func cookieOf(c echo.Context, name string) (value string) {
	for _, cookie := range c.Request().CookiesNamed(name) {
		if value != "" && cookie.Value != value {
			return ""
		}
		value = cookie.Value
	}
	return value
}

// loadToken loads the session of a cookie's token. That of a bearer token is none: its name in the store opens nothing.
func (s *Server) loadToken(c echo.Context, token string) (context.Context, error) {
	ctx, err := s.sessions.Load(c.Request().Context(), token)
	if err == nil && s.sessions.Exists(ctx, sessionTransport) {
		ctx, err = s.sessions.Load(c.Request().Context(), "")
	}
	return ctx, err
}

// widenCookie replaces a cookie from before the setting of a domain, so that people stay signed in: the session gets the cookie
// of the domain. Such a cookie comes first, because no other host can have set it.
func (s *Server) widenCookie(wide context.Context, c echo.Context, token string) (context.Context, error) {
	ctx, err := s.loadToken(c, token)
	if err != nil {
		return nil, err
	}
	s.dropHostCookie(c)
	if s.sessions.Token(ctx) == "" {
		return wide, nil
	}
	s.sessions.WriteSessionCookie(ctx, c.Response(), token, s.sessions.Deadline(ctx))
	return ctx, nil
}

// dropHostCookie removes a cookie from before the setting of a domain.
func (s *Server) dropHostCookie(c echo.Context) {
	c.SetCookie(&http.Cookie{Name: hostCookie, Path: "/", MaxAge: -1, Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode})
}

// startSession signs an account in under a new token: a token that another person knew before the sign-in opens nothing
// after it.
func (s *Server) startSession(c echo.Context, account accounts.Account, remember bool, by transport) error {
	if by == byBearer {
		return s.startBearer(c, account, remember)
	}
	ctx, err := s.loadSession(c)
	if err != nil {
		return err
	}
	if err := s.unlist(ctx); err != nil {
		return err
	}
	if err := s.sessions.RenewToken(ctx); err != nil {
		return err
	}
	deadline := s.deadline(remember)
	id, err := s.Sessions.Enter(ctx, owner(account.ID, account.SessionGeneration), s.sessions.Token(ctx), deadline)
	if err != nil {
		return err
	}
	for key, value := range s.signedIn(c, account, id, remember) {
		s.sessions.Put(ctx, key, value)
	}
	s.sessions.RememberMe(ctx, remember)
	s.sessions.SetDeadline(ctx, deadline)
	s.sessions.Remove(ctx, sessionRegistered)
	return s.commit(ctx, c)
}

// deadline returns the end of a session that starts now, by our clock, which tests set; scs has its own.
func (s *Server) deadline(remember bool) time.Time {
	lifetime := s.Config.SessionLifetime
	if remember {
		lifetime = s.Config.SessionRemember
	}
	return s.Now().Add(lifetime).UTC()
}

// signedIn returns the contents of a session that starts now.
func (s *Server) signedIn(c echo.Context, account accounts.Account, id string, remember bool) map[string]any {
	now := s.Now().Unix()
	return map[string]any{
		sessionAccount: account.ID, sessionGeneration: account.SessionGeneration, sessionID: id,
		sessionCreated: now, sessionSeen: now, sessionRemembered: remember,
		sessionClient: clientOf(c.Request().UserAgent()), sessionNetwork: networkOf(c), sessionConsent: len(s.due(account)) > 0,
	}
}

// commit writes the session and its cookie.
func (s *Server) commit(ctx context.Context, c echo.Context) error {
	token, expiry, err := s.sessions.Commit(ctx)
	if err != nil {
		return err
	}
	s.sessions.WriteSessionCookie(ctx, c.Response(), token, expiry)
	return nil
}

// current returns the account that the request's session is signed in to, by cookie or bearer token; or errNotSignedIn when the
// session is missing, idle for too long, or older than the account's password.
func (s *Server) current(c echo.Context) (accounts.Account, error) {
	ctx, err := s.loadSession(c)
	if err != nil {
		return accounts.Account{}, err
	}
	account, err := s.accountOf(ctx)
	switch {
	case errors.Is(err, accounts.ErrBlocked), errors.Is(err, errNotSignedIn) && s.sessions.Exists(ctx, sessionAccount):
		return accounts.Account{}, s.expire(ctx, c)
	case err != nil:
		return accounts.Account{}, err
	}
	setCause(c, audit.Cause{Kind: audit.Person, Actor: account.ID})
	if err := s.refuseWithoutConsent(ctx, c, account); err != nil {
		return accounts.Account{}, err
	}
	s.Accounts.Seen(ctx, account)
	return account, s.noteUse(ctx, networkOf(c))
}

// accountOf returns the account that the loaded session is signed in to; errNotSignedIn when there is none, or the session is idle
// for too long or older than the account's password; or accounts.ErrBlocked. It changes nothing.
func (s *Server) accountOf(ctx context.Context) (accounts.Account, error) {
	id := s.sessions.GetString(ctx, sessionAccount)
	if id == "" {
		return accounts.Account{}, errNotSignedIn
	}
	if !s.sessions.GetBool(ctx, sessionRemembered) && s.tooLongAgo(s.sessions.GetInt64(ctx, sessionSeen)) {
		return accounts.Account{}, errNotSignedIn
	}
	generation := s.sessions.GetInt(ctx, sessionGeneration)
	account, err := s.Accounts.Store.FindSignedIn(ctx, id, sessionName(owner(id, generation), s.sessions.GetString(ctx, sessionID)))
	switch {
	case errors.Is(err, accounts.ErrNotFound):
		return accounts.Account{}, errNotSignedIn
	case err != nil:
		return accounts.Account{}, err
	case account.Blocked():
		return accounts.Account{}, accounts.ErrBlocked
	}
	if !account.Active || account.SessionGeneration != generation {
		return accounts.Account{}, errNotSignedIn
	}
	return account, nil
}

// recentlySignedIn reports whether the loaded session began so lately that it may change an account without a password.
func (s *Server) recentlySignedIn(c echo.Context) bool {
	created := time.Unix(s.sessions.GetInt64(c.Request().Context(), sessionCreated), 0)
	return s.Now().Sub(created) < accounts.RecentSignIn
}

// tooLongAgo reports whether a session that was last seen at a Unix time has ended, unless it is remembered.
func (s *Server) tooLongAgo(seen int64) bool {
	return s.Now().Sub(time.Unix(seen, 0)) >= s.Config.SessionIdle
}

// noteUse records that the session was used, from a network; an empty one stays as it was.
func (s *Server) noteUse(ctx context.Context, network string) error {
	seen := time.Unix(s.sessions.GetInt64(ctx, sessionSeen), 0)
	if s.Now().Sub(seen) < s.Config.SessionIdle/seenShare {
		return nil
	}
	s.sessions.Put(ctx, sessionSeen, s.Now().Unix())
	if network != "" {
		s.sessions.Put(ctx, sessionNetwork, network)
	}
	_, _, err := s.sessions.Commit(ctx)
	return err
}

// expire ends a session that is not valid any more and returns errNotSignedIn.
func (s *Server) expire(ctx context.Context, c echo.Context) error {
	if err := s.destroy(ctx, c); err != nil {
		return err
	}
	return errNotSignedIn
}

// signOut succeeds also for a client that is signed out already.
func (s *Server) signOut(c echo.Context) (none, error) {
	ctx, err := s.loadSession(c)
	if err != nil {
		return none{}, err
	}
	return none{}, s.destroy(ctx, c)
}

func (s *Server) destroy(ctx context.Context, c echo.Context) error {
	if err := s.unlist(ctx); err != nil {
		return err
	}
	if err := s.sessions.Destroy(ctx); err != nil {
		return err
	}
	if _, bearer := bearerOf(c); !bearer {
		s.sessions.WriteSessionCookie(ctx, c.Response(), "", time.Time{})
	}
	return nil
}

// sessionName is the key of the record that a session has ended. It contains the owner, so that an account cannot record
// the end of another account's session.
func sessionName(owner, id string) string { return owner + "/" + id }

// end ends those of the sessions that are the owner's, and returns their number. It writes to SQL first: an older copy of
// Redis must not bring them back.
func (s *Server) end(ctx context.Context, owner string, ids ...string) (int, error) {
	names := make([]string, len(ids))
	for i, id := range ids {
		names[i] = sessionName(owner, id)
	}
	until := s.Now().Add(max(s.Config.SessionLifetime, s.Config.SessionRemember))
	if err := s.Accounts.Store.EndSessions(ctx, until, names...); err != nil {
		return 0, err
	}
	return s.Sessions.End(ctx, owner, ids...)
}

// unlist removes the loaded session from its owner's list, if it is on one.
func (s *Server) unlist(ctx context.Context) error {
	id := s.sessions.GetString(ctx, sessionID)
	if id == "" {
		return nil
	}
	_, err := s.end(ctx,
		owner(s.sessions.GetString(ctx, sessionAccount), s.sessions.GetInt(ctx, sessionGeneration)), id)
	return err
}
