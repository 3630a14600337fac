// Package api is the HTTP face: it decodes and validates, calls the domain and renders.
//
// routes.go is the table of contents; every resource has a file of endpoints. An endpoint returns the
// domain's error as it is, and errors.go alone says what a stranger is told about it.
package api

import (
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/labstack/echo/v4"
	"go.opentelemetry.io/otel/trace"

	"usher/accounts"
	"usher/captcha"
	"usher/captcha/pow"
	"usher/limits"
	"usher/verify"
	"usher/web"
)

// Server answers requests. All fields must be set before [Server.Handler] is called and
// stay as they are from then on. The Tracer and the Gates may be nil.
type Server struct {
	Verify   *verify.Service
	Accounts *accounts.Service
	Captcha  *captcha.Maker
	Work     *pow.Maker // of proofs of work
	Captchas Captchas
	Gate     Gate
	Answers  Answers
	Reports  Reports
	Limits   limits.Set
	Sessions Sessions
	Web      *web.Renderer
	Metrics  *Metrics
	Gates    Gates        // nil admits every request
	Tracer   trace.Tracer // nil makes no spans
	Config   Config
	Logger   *slog.Logger
	Now      func() time.Time

	sessions *scs.SessionManager // made by Handler
}

// Config is what the settings say about the HTTP face.
type Config struct {
	PublicURL      *url.URL       // where people reach the pages; https makes cookies Secure
	AllowedOrigins []string       // other origins that may call the API with credentials
	TrustedProxies []netip.Prefix // whose X-Forwarded-For is believed; none when empty
	Registration   accounts.Registration
	ReportSecret   string // in the path that vendors push delivery reports to; empty takes none

	CaptchaTTL      time.Duration
	SessionIdle     time.Duration // a session without a request ends
	SessionLifetime time.Duration // any session ends
	SessionRemember time.Duration // a remembered session ends, idle or not
}

// Captchas keeps the answers of asked captchas.
type Captchas interface {
	// Put keeps what was asked for the given time.
	Put(ctx context.Context, id string, asked captcha.Asked, ttl time.Duration) error

	// Peek returns what was asked and leaves it there; it is zero when the captcha is gone.
	Peek(ctx context.Context, id string) (captcha.Asked, error)

	// Fail counts a wrong answer; the third one spends the captcha.
	Fail(ctx context.Context, id string) error
}

// Gate lets requests in, or not. Every method is one round trip.
type Gate interface {
	// Admit takes the captcha away and returns what was asked, which is zero when it is gone or id is
	// empty; and spends all of the limits or none.
	Admit(ctx context.Context, captchaID string, spends []limits.Spend) (
		asked captcha.Asked, decision limits.Decision, err error)

	// Fill returns the share of the fullest of some limits that is used, 0 to 1, without spending.
	Fill(ctx context.Context, spends []limits.Spend) (float64, error)

	// Refund gives back what Admit granted.
	Refund(ctx context.Context, spends []limits.Spend) error

	// Know remembers a network for the given time for each of an account's login names, and Known tells whether it is
	// remembered for one.
	Know(ctx context.Context, ttl time.Duration, network string, logins ...string) error
	Known(ctx context.Context, network, login string) (bool, error)
}

// requestTimeout bounds the work on one request; the stores' own time-outs are shorter.
const requestTimeout = 8 * time.Second

// Handler returns the whole face. The caller's http.Server bounds headers, time and connections.
func (s *Server) Handler() http.Handler {
	h := *s // the endpoints' own copy, with what is derived from the fields
	h.sessions = newSessions(s.Sessions, s.Config)

	e := echo.New()
	e.HideBanner, e.HidePort = true, true
	e.IPExtractor = h.clientIP()
	e.HTTPErrorHandler = h.renderError
	e.Use(requestID)
	if h.Tracer != nil {
		e.Use(h.traced)
	}
	e.Use(h.measured, h.logged, h.recovered, h.headers, h.cors(), timeLimited, h.admitted, h.crossOrigin())
	h.routes(e)
	return e
}
