package api

import (
	"errors"
	"net/http"
	"slices"

	"github.com/labstack/echo/v4"

	"usher/accounts"
	"usher/limits"
	"usher/tokens"
)

// errTokensOff refuses what needs keys that sign tokens, where the operator has set none.
var errTokensOff = errors.New("no keys for tokens are configured")

// keySet publishes the keys that verify tokens. They are for programs of any origin, and caches may keep them: a new key is
// published long before it signs.
func (s *Server) keySet(c echo.Context) error {
	if s.Tokens == nil {
		return errTokensOff
	}
	h := c.Response().Header()
	h.Del(echo.HeaderVary) // the same in every language
	h.Del("Content-Language")
	h.Set(echo.HeaderCacheControl, "public, max-age=300")
	h.Set(echo.HeaderAccessControlAllowOrigin, "*")
	h.Set("Cross-Origin-Resource-Policy", "cross-origin")
	// Libraries ask for application/json, and some accept nothing else, although RFC 7517 has a type of its own.
	return c.Blob(http.StatusOK, echo.MIMEApplicationJSON, s.Tokens.Keys().JWKS())
}

type tokenRequest struct {
	Audience string `json:"aud"`
}

type tokenView struct {
	Token     string `json:"token"`
	ExpiresIn int    `json:"expires_in"` // seconds
}

// createToken signs a token that tells another service who is signed in. A page may ask for one in a loop, so they are
// limited: a signature takes more processor time than all else in such a request.
func (s *Server) createToken(c echo.Context, body tokenRequest) (tokenView, error) {
	account, err := s.current(c)
	if err != nil {
		return tokenView{}, err
	}
	if s.Tokens == nil {
		return tokenView{}, errTokensOff
	}
	wrong := mistakes{}
	if !slices.Contains(s.Config.TokenAudiences, body.Audience) {
		wrong.malformed(fieldAudience, body.Audience)
		return tokenView{}, wrong.err()
	}
	if err := s.spend(c, []limits.Spend{{Limit: s.Limits[limits.TokenAccount], Subject: account.ID}}); err != nil {
		return tokenView{}, err
	}
	token, err := s.sessionToken(c, account, body.Audience)
	return tokenView{token, seconds(tokens.SessionTTL)}, err
}

// sessionToken signs a token of the session that [Server.current] has loaded.
func (s *Server) sessionToken(c echo.Context, account accounts.Account, audience string) (string, error) {
	token, err := s.Tokens.Session(tokens.SessionClaims{
		Audience: audience, Account: account.ID, Generation: account.SessionGeneration,
		Session: s.sessions.GetString(c.Request().Context(), sessionID),
	})
	if err != nil {
		return "", err
	}
	s.Metrics.tokens.WithLabelValues("session").Inc()
	return token.Reveal(), nil
}
