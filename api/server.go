// Package api is the HTTP face: it decodes and validates, calls the domain and renders.
//
// routes.go is the table of contents; every resource has a file of endpoints. An endpoint returns the domain's errors
// unchanged; errors.go alone turns them into answers.
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
	"usher/captcha/challenge"
	"usher/captcha/hosted"
	"usher/captcha/pow"
	"usher/contact"
	"usher/limits"
	"usher/tokens"
	"usher/verify"
	"usher/web"
	"usher/webhooks"
)

// Server answers requests. All fields must be set before [Server.Handler] is called and
// stay as they are from then on. The Tracer and the Gates may be nil.
type Server struct {
	Verify   *verify.Service
	Accounts *accounts.Service
	Captcha  *captcha.Maker
	Work     *pow.Maker // of proofs of work
	Captchas Captchas
	Hosted   *hosted.Guard // nil where no vendor's captcha is shown
	Gate     Gate
	Answers  Answers
	Apps     Apps

	Directory accounts.Directory // for the administration of accounts

	Reports  Reports
	Limits   limits.Set
	Sessions Sessions
	Tokens   *tokens.Issuer // nil where the operator has set no keys for tokens
	Web      *web.Renderer
	Metrics  *Metrics
	Gates    Gates        // nil admits every request
	Tracer   trace.Tracer // nil makes no spans
	Config   Config
	Logger   *slog.Logger
	Now      func() time.Time

	sessions *scs.SessionManager // made by Handler, like the next one
	facts    *factsCache
	clients  *clientCounts
}

// Config are the settings of the HTTP face.
type Config struct {
	PublicURL      *url.URL       // of the pages; https makes cookies Secure
	AllowedOrigins []string       // other origins that may call the API with credentials
	ReturnTo       []*url.URL     // addresses that people may be sent back to: an origin and the beginning of a path
	Landing        string         // where people go without another address, inside one of ReturnTo; empty: /account
	CookieDomain   string         // whose hosts all get the session's cookie; empty: the host of PublicURL alone
	TrustedProxies []netip.Prefix // whose X-Forwarded-For counts
	Registration   accounts.Registration
	Regions        contact.Regions // whose numbers are served
	SMSUnits       map[string]int  // what a code to a region costs of the limits that follow the budget; 1 for one that is not listed
	SMSUnitYuan    float64         // the price of one such unit; 0 where there is no price
	// RefuseRegistered refuses codes for registrations to numbers whose registration would fail, which tells who has an account.
	RefuseRegistered bool

	// TermsURL and PrivacyURL are the pages that a person agrees to; empty: the pages link to none.
	TermsURL, PrivacyURL string

	TokenAudiences []string // services that session tokens are made for

	ReportSecret string // in the path that vendors push delivery reports to; empty: none are accepted

	// ReportKeys check the pushes of the signed HTTP sender's receiver; the zero value accepts none.
	ReportKeys webhooks.Keys

	CaptchaTTL      time.Duration
	SessionIdle     time.Duration // a session ends after this time without a request
	SessionLifetime time.Duration // a session ends after this time in any case
	SessionRemember time.Duration // lifetime of a remembered session, which does not end when idle
}

// Captchas stores the answers of captchas.
type Captchas interface {
	// Put stores what was asked for the given time.
	Put(ctx context.Context, id string, asked challenge.Asked, ttl time.Duration) error

	// Peek returns what was asked and keeps it; it is zero when the captcha was spent or has expired.
	Peek(ctx context.Context, id string) (challenge.Asked, error)

	// Fail counts a wrong answer; the third one spends the captcha.
	Fail(ctx context.Context, id string) error

	// UseToken remembers a vendor's token for the given time and reports whether it is new.
	UseToken(ctx context.Context, token string, ttl time.Duration) (isNew bool, err error)
}

// Gate admits requests by captchas and limits. Every method is one round trip.
type Gate interface {
	// Admit deletes the captcha and returns what was asked, which is zero when the captcha does not exist or id is
	// empty; and spends all of the limits or none. The decision's risk is of those and of the limits to watch.
	Admit(ctx context.Context, captchaID string, spends []limits.Spend, watch ...limits.Spend) (
		asked challenge.Asked, decision limits.Decision, err error)

	// Refund returns units that Admit has spent.
	Refund(ctx context.Context, spends []limits.Spend) error

	// Know remembers a network for the given time for each of an account's login names, and Known reports whether it is
	// remembered for one.
	Know(ctx context.Context, ttl time.Duration, network string, logins ...string) error
	Known(ctx context.Context, network, login string) (bool, error)
}

// requestTimeout bounds the work on one request; the stores' own time-outs are shorter.
const requestTimeout = 8 * time.Second

// Handler returns the handler of all routes. The caller's http.Server bounds headers, time and connections.
func (s *Server) Handler() http.Handler {
	h := *s // the endpoints use a copy with the derived fields
	h.sessions, h.facts, h.clients = newSessions(s.Sessions, s.Config), newFactsCache(s.Logger), &clientCounts{}

	e := echo.New()
	e.HideBanner, e.HidePort = true, true
	e.IPExtractor = h.clientIP()
	e.HTTPErrorHandler = h.renderError
	e.Use(requestID)
	if h.Tracer != nil {
		e.Use(h.traced)
	}
	e.Use(h.measured, h.logged, h.recovered, h.headers(), h.cors(), timeLimited(), h.admitted, h.crossOrigin(), caused, compressed())
	h.routes(e)
	return e
}
