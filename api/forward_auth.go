package api

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"usher/accounts"
	"usher/secrets"
)

// Forward-auth: a proxy in front of another service asks before each request who is signed in. The answer is exactly 200 with the
// person in headers, 401 or 403; while a store is unavailable it is 503, on which proxies refuse. It depends on the session alone,
// never on the method, the path below the prefix, the body or a forwarded header: a client chooses those.

// The headers of a 200. Each of them is always present, with noValue where there is none: a proxy may keep the client's own header
// where the answer has none.
const (
	headerUser           = "X-Auth-Request-User"     // id of the account
	headerUsername       = "X-Usher-Username"        // percent-encoded UTF-8
	headerEmailVerified  = "X-Usher-Email-Verified"  // true or false
	headerMobileVerified = "X-Usher-Mobile-Verified" // true or false
	headerSession        = "X-Usher-Session"         // public id of the session, which opens nothing
	headerToken          = "X-Usher-Token"           //nolint:gosec // the name of a header
	noValue              = "-"
)

const (
	// factsTTL is how long the facts about an account are used without asking SQL again: a block, a change of the password and a new
	// name are seen so much later. A sign-out is seen at once, because every question reads the session.
	factsTTL = 2 * time.Second

	// factsRefresh is the age from which facts in use are read again in the background: questions about a busy session never wait for
	// SQL.
	factsRefresh = 1500 * time.Millisecond
)

// factsTimeout bounds one question to SQL, which several requests may wait for.
const factsTimeout = 3 * time.Second

// isForwardAuth reports whether the request is a proxy's question.
func isForwardAuth(c echo.Context) bool {
	return c.Path() == forwardAuthPath || c.Path() == forwardAuthBelow
}

// ReadsNoBody reports whether the answer to a request does not depend on its body, so that it is not awaited.
func ReadsNoBody(r *http.Request) bool {
	path, below := r.URL.Path, forwardAuthBelow[:len(forwardAuthBelow)-1]
	return path == forwardAuthPath || len(path) >= len(below) && path[:len(below)] == below
}

// signedInFacts is what a proxy is told about a session. The values of headers are slices that all answers share.
type signedInFacts struct {
	user, username, emailVerified, mobileVerified, session, token []string

	signedAt time.Time // when the token was signed; zero: there is none
}

// tokenReuse is how long a token is sent again instead of signing another one. Its life is longer: a service has four minutes more
// to use what it gets.
const tokenReuse = time.Minute

// forwardAuth answers a proxy. It reads the session from Redis, and the rest from memory if it was read lately.
func (s *Server) forwardAuth(c echo.Context) error {
	h := c.Response().Header()
	if c.Request().ContentLength != 0 {
		h.Set(echo.HeaderConnection, "close") // otherwise net/http reads the body before it answers
	}
	name, shown := s.storedSession(c)
	if name == "" {
		return errNotSignedIn
	}
	data, found, err := s.Sessions.FindCtx(c.Request().Context(), name)
	if err != nil {
		return err
	}
	if !found {
		return errNotSignedIn
	}
	e, r := c.Echo(), c.Request()
	facts, err := s.facts.get(shown+string(data), s.Now(), func(before signedInFacts) (signedInFacts, error) { return s.readFacts(e, r, before) })
	if err != nil {
		return err
	}
	h[headerUser], h[headerUsername] = facts.user, facts.username
	h[headerEmailVerified], h[headerMobileVerified] = facts.emailVerified, facts.mobileVerified
	h[headerSession], h[headerToken] = facts.session, facts.token
	return c.NoContent(http.StatusOK)
}

// storedSession returns the name in the store of the request's session, or "" for a request without one, and what the client has
// shown for it: it is part of the key of the facts, because what the store has is not enough to open a session.
func (s *Server) storedSession(c echo.Context) (name, shown string) {
	if token, given := bearerOf(c); given {
		if handle := secrets.SessionHandle(token); handle != "" {
			return bearerName(handle), "bearer " + token + " "
		}
		return "", ""
	}
	token := cookieOf(c, s.sessions.Cookie.Name)
	if s.Config.CookieDomain != "" { // in the order of loadCookie: the facts of one session must not get the key of another
		token = cmp.Or(cookieOf(c, hostCookie), token)
	}
	return token, "cookie "
}

// readFacts reads the session and its account. Several requests may wait for it, or none any more, so it does not end with this one
// and answers nothing. The question keeps the session alive, as every request does. The facts before may be zero.
func (s *Server) readFacts(e *echo.Echo, r *http.Request, before signedInFacts) (signedInFacts, error) {
	detached, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), factsTimeout)
	defer cancel()
	c := e.NewContext(r.WithContext(detached), nowhere{})
	ctx, err := s.loadSession(c)
	if err != nil {
		return signedInFacts{}, err
	}
	account, err := s.accountOf(ctx)
	if err != nil {
		return signedInFacts{}, err
	}
	if s.consentDue(ctx, account) {
		return signedInFacts{}, errConsent
	}
	s.Accounts.Seen(ctx, account)
	if err := s.noteUse(ctx, ""); err != nil {
		return signedInFacts{}, err
	}
	facts := signedInFacts{
		user:           value(account.ID),
		username:       value(url.PathEscape(account.Username)),
		emailVerified:  value(strconv.FormatBool(!account.Email.IsZero())),
		mobileVerified: value(strconv.FormatBool(!account.Mobile.IsZero())),
		session:        value(s.sessions.GetString(ctx, sessionID)),
		token:          before.token,
		signedAt:       before.signedAt,
	}
	return facts, s.signFacts(c, account, &facts)
}

// nowhere is the response of a request that gets its answer from elsewhere.
type nowhere struct{}

func (nowhere) Header() http.Header         { return http.Header{} }
func (nowhere) Write(p []byte) (int, error) { return len(p), nil }
func (nowhere) WriteHeader(int)             {}

// value returns the values of a header.
func value(text string) []string {
	return []string{cmp.Or(text, noValue)}
}

// signFacts sets the token for the first audience, unless the one from before is new enough. Account, session and generation are the
// same as before: the key of the facts contains them.
func (s *Server) signFacts(c echo.Context, account accounts.Account, facts *signedInFacts) error {
	switch {
	case s.Tokens == nil || len(s.Config.TokenAudiences) == 0:
		facts.token = value("")
		return nil
	case s.Now().Sub(facts.signedAt) < tokenReuse:
		return nil
	}
	token, err := s.sessionToken(c, account, s.Config.TokenAudiences[0])
	facts.token, facts.signedAt = value(token), s.Now()
	return err
}
