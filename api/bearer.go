package api

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"usher/accounts"
	"usher/secrets"
)

// Sessions of clients that keep no cookies, such as apps and mini-programs. They are sessions like those of cookies, in the same
// store and on the same list, but a client sends their token in the header Authorization. A session has one transport for its
// whole life: a request with a bearer token neither reads nor sets a cookie.
//
// The token is rotated in generations: see [secrets.Keys.SessionToken]. The store has the number of the generation only. A write
// that another request has read before a rotation may put the number back; the newer token, which only Usher can have made, then
// brings it forward again.

// transport says how a client sends the token of its session.
type transport string

const (
	byCookie transport = "cookie"
	byBearer transport = "bearer"
)

const (
	// graceTTL is how long the token before a rotation stays valid: for requests on their way, and for a repeated rotation.
	graceTTL = time.Minute

	// generationsAhead is how many rotations a late write may have put back; see above.
	generationsAhead = 3

	// generationsBack is how many old tokens of a session are recognized as such. Older ones are unknown like any other text.
	generationsBack = 64
)

// bearerView is the token of a session that the request has started or rotated. It is empty for one of a cookie.
type bearerView struct {
	Token     string `json:"token,omitempty"`
	ExpiresIn int    `json:"expires_in,omitempty"`
}

// openedView is an account, and the token of the bearer session that the request has started for it, if it has.
type openedView struct {
	accountView
	bearerView
}

// startedKey keeps the bearerView of a request.
const startedKey = "bearer started"

// startedBearer returns the token of the bearer session that the request has started; it is empty if there is none.
func startedBearer(c echo.Context) bearerView {
	view, _ := c.Get(startedKey).(bearerView)
	return view
}

// bearerOf returns the bearer token of a request to the API, unchecked; given is false for a request without one. The pages do not
// know bearer tokens, and other schemes are those of proxies. Of several headers none counts.
func bearerOf(c echo.Context) (token string, given bool) {
	if !isAPI(c) {
		return "", false
	}
	values := c.Request().Header.Values(echo.HeaderAuthorization)
	for _, value := range values {
		scheme, rest, _ := strings.Cut(value, " ")
		if strings.EqualFold(scheme, "Bearer") {
			token, given = strings.Trim(rest, " "), true
		}
	}
	if len(values) > 1 {
		token = ""
	}
	return token, given
}

// hasBearer reports whether the request has a token in the form of a session's.
func hasBearer(c echo.Context) bool {
	token, _ := bearerOf(c)
	return secrets.CheckToken(secrets.SessionPrefix, token)
}

// transportOf returns the transport of the session that a request starts. The default is that of the request itself.
func transportOf(c echo.Context, asked string) (transport, error) {
	_, given := bearerOf(c)
	switch {
	case !isAPI(c), asked == "" && !given:
		return byCookie, nil
	case asked == "", transport(asked) == byBearer:
		return byBearer, nil
	case transport(asked) != byCookie:
		return "", accounts.FieldErrors{fieldTransport: accounts.Malformed}
	case given:
		return "", accounts.FieldErrors{fieldTransport: accounts.NotAllowed}
	}
	return byCookie, nil
}

// setChallenge tells a program that is not signed in how to be.
func setChallenge(c echo.Context, err error) {
	if !errors.Is(err, errNotSignedIn) || !isAPI(c) {
		return
	}
	challenge := "Bearer"
	if _, given := bearerOf(c); given {
		challenge = `Bearer error="invalid_token"`
	}
	c.Response().Header().Set(echo.HeaderWWWAuthenticate, challenge)
}

// bearerName is the name of a session in the store. It opens nothing: the generation's part of the token is missing.
func bearerName(handle string) string { return secrets.SessionPrefix + "_" + handle }

// startBearer signs an account in under a new bearer token. It ends the bearer session of the request; that of a cookie stays.
func (s *Server) startBearer(c echo.Context, account accounts.Account, remember bool) error {
	if _, given := bearerOf(c); given {
		ctx, err := s.loadSession(c)
		if err != nil {
			return err
		}
		if err := s.destroy(ctx, c); err != nil {
			return err
		}
	}
	handle, deadline := secrets.NewHandle(), s.deadline(remember)
	id, err := s.Sessions.Enter(
		c.Request().Context(), owner(account.ID, account.SessionGeneration), bearerName(handle), deadline)
	if err != nil {
		return err
	}
	return s.commitBearer(c, handle, deadline, s.signedIn(c, account, id, remember))
}

// commitBearer writes a new bearer session, whose token the answer to the request carries.
func (s *Server) commitBearer(c echo.Context, handle string, deadline time.Time, values map[string]any) error {
	values[sessionTransport] = string(byBearer)
	data, err := s.sessions.Codec.Encode(deadline, values)
	if err != nil {
		return err
	}
	if err := s.Sessions.CommitCtx(c.Request().Context(), bearerName(handle), data, deadline); err != nil {
		return err
	}
	c.Set(startedKey, s.bearerView(handle, 0, deadline))
	return nil
}

func (s *Server) bearerView(handle string, generation int, deadline time.Time) bearerView {
	return bearerView{s.Accounts.Keys.SessionToken(handle, generation), seconds(deadline.Sub(s.Now()))}
}

// loadBearer loads the session of a bearer token, or an empty one. A text that is no token costs no question to the store. The
// token that a rotation has replaced is valid for graceTTL; a rotation takes it for longer, until the new one was used, because the
// answer with the new one may have been lost.
func (s *Server) loadBearer(c echo.Context, token string, forRotation bool) (context.Context, error) {
	none, err := s.sessions.Load(c.Request().Context(), "")
	if err != nil {
		return nil, err
	}
	ctx, handle := none, secrets.SessionHandle(token)
	if handle != "" {
		ctx, err = s.sessions.Load(c.Request().Context(), bearerName(handle))
		if err != nil {
			return nil, err
		}
	}
	valid := false
	if s.sessions.GetString(ctx, sessionTransport) == string(byBearer) {
		valid, err = s.checkBearer(ctx, c, token, forRotation)
	}
	if !valid {
		ctx = none
	}
	keepLoaded(ctx, c)
	return ctx, err
}

// checkBearer reports whether a token is valid for the loaded session, and notes its use.
func (s *Server) checkBearer(ctx context.Context, c echo.Context, token string, forRotation bool) (valid bool, err error) {
	generation := s.sessions.GetInt(ctx, sessionRotation)
	confirmed := generation == 0 || s.sessions.GetBool(ctx, sessionConfirmed)
	switch of := s.generationOf(token, generation); {
	case of == generation && confirmed:
		return true, nil
	case of >= generation:
		return true, s.confirm(ctx, of)
	case of < 0:
		return false, nil
	case of == generation-1 && s.inGrace(ctx):
		return true, nil
	case of == generation-1 && !confirmed:
		return forRotation, nil
	}
	s.Logger.LogAttrs(ctx, slog.LevelWarn, "replaced bearer token was used again, perhaps by a thief; its session has ended",
		slog.String("request_id", idOf(c)), slog.String("account", s.sessions.GetString(ctx, sessionAccount)),
		slog.String("network", networkOf(c)))
	return false, s.destroy(ctx, c)
}

// generationOf returns the generation of a token of a session that is in the given one, or -1.
func (s *Server) generationOf(token string, present int) int {
	handle := secrets.SessionHandle(token)
	is := func(generation int) bool { return s.Accounts.Keys.IsSessionToken(token, handle, generation) }
	if is(present) { // nearly always
		return present
	}
	for generation := present + generationsAhead; generation >= max(0, present-generationsBack); generation-- {
		if is(generation) {
			return generation
		}
	}
	return -1
}

// inGrace reports whether the last rotation of the loaded session was less than graceTTL ago.
func (s *Server) inGrace(ctx context.Context) bool {
	return s.Now().Sub(time.Unix(s.sessions.GetInt64(ctx, sessionRotated), 0)) < graceTTL
}

// confirm notes that the newest token of a session was used: the one before it ends with its grace.
func (s *Server) confirm(ctx context.Context, generation int) error {
	if generation > s.sessions.GetInt(ctx, sessionRotation) { // a late write has put the rotation back
		s.sessions.Put(ctx, sessionRotation, generation)
		s.sessions.Put(ctx, sessionRotated, s.Now().Unix())
	}
	s.sessions.Put(ctx, sessionConfirmed, true)
	_, _, err := s.sessions.Commit(ctx)
	return err
}

// rotate replaces the token of the bearer session, and renews a remembered session. Two rotations within graceTTL are one and have
// the same answer, also by the replaced token: only one token at a time has its grace.
func (s *Server) rotate(c echo.Context) (bearerView, error) {
	token, given := bearerOf(c)
	if !given {
		return bearerView{}, errNotSignedIn
	}
	if _, err := s.loadBearer(c, token, true); err != nil {
		return bearerView{}, err
	}
	account, err := s.current(c)
	if err != nil {
		return bearerView{}, err
	}
	ctx, handle := c.Request().Context(), secrets.SessionHandle(token)
	generation, deadline := s.sessions.GetInt(ctx, sessionRotation), s.sessions.Deadline(ctx)
	if generation > 0 && (s.inGrace(ctx) || !s.Accounts.Keys.IsSessionToken(token, handle, generation)) {
		return s.bearerView(handle, generation, deadline), nil
	}
	generation++
	if remembered := s.sessions.GetBool(ctx, sessionRemembered); remembered {
		deadline = s.deadline(remembered)
		s.sessions.SetDeadline(ctx, deadline)
		if _, err := s.Sessions.Enter(ctx, owner(account.ID, account.SessionGeneration), bearerName(handle), deadline); err != nil {
			return bearerView{}, err
		}
	}
	s.sessions.Put(ctx, sessionRotation, generation)
	s.sessions.Put(ctx, sessionRotated, s.Now().Unix())
	s.sessions.Put(ctx, sessionConfirmed, false)
	if _, _, err := s.sessions.Commit(ctx); err != nil {
		return bearerView{}, err
	}
	return s.bearerView(handle, generation, deadline), nil
}
