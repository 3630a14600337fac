package api

import (
	"log/slog"
	"maps"
	"net/http"
	"regexp"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"usher/audit"
	"usher/secrets"
	"usher/telemetry"
	"usher/web"
)

// requestIDPattern is the form of an id that a client may give, and digitsPattern what it must not be: it is written to logs, tasks and the
// audit, where no telephone number may stand.
var (
	requestIDPattern = regexp.MustCompile(`^[A-Za-z0-9_-]{8,64}$`)
	digitsPattern    = regexp.MustCompile(`^[0-9_-]+$`)
)

// requestID gives every request an id: the client's own if it matches the pattern, otherwise a new one.
func requestID(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		id := c.Request().Header.Get(echo.HeaderXRequestID)
		if !requestIDPattern.MatchString(id) || digitsPattern.MatchString(id) {
			id = secrets.Random(16)
		}
		c.Response().Header().Set(echo.HeaderXRequestID, id)
		c.SetRequest(c.Request().WithContext(telemetry.WithRequestID(c.Request().Context(), id)))
		return next(c)
	}
}

// caused makes the client the cause of what its request changes. The account is added when the session is known, see [Server.current].
func caused(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if !isForwardAuth(c) { // it changes nothing
			setCause(c, audit.Cause{Kind: audit.Person})
		}
		return next(c)
	}
}

// setCause sets the cause of what the request changes, with the request's id and network.
func setCause(c echo.Context, cause audit.Cause) {
	cause.RequestID, cause.Network = idOf(c), networkOf(c)
	c.SetRequest(c.Request().WithContext(audit.With(c.Request().Context(), cause)))
}

func idOf(c echo.Context) string {
	return telemetry.RequestID(c.Request().Context())
}

// logged writes one line a request, at debug level for a success that changed nothing or that a message tells of, and for
// forward-auth, which is asked for each request of other services. It names the route, never the path or the query, which
// contain numbers and tokens.
func (s *Server) logged(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		start := s.Now()
		err := next(c)
		if err != nil {
			c.Error(err) // here, so that the status below is the final one
		}
		if isOverload(err) {
			return nil // the gate logs one line for all of them
		}
		level, told := slog.LevelInfo, isFollowed(c)
		if told {
			s.clients.note(c.RealIP(), time.Now(), s.Logger)
		}
		if c.Response().Status < http.StatusBadRequest && (told || changesNothing(c)) ||
			c.Response().Status < http.StatusInternalServerError && isForwardAuth(c) {
			level = slog.LevelDebug
		}
		if !s.Logger.Enabled(c.Request().Context(), level) {
			return nil
		}
		s.Logger.LogAttrs(c.Request().Context(), level, "request",
			slog.String("request_id", idOf(c)),
			slog.String("method", method(c)),
			slog.String("route", c.Path()),
			slog.Int("status", c.Response().Status),
			slog.String("client", c.RealIP()),
			slog.Duration("elapsed", s.Now().Sub(start)))
		return nil
	}
}

// changesNothing reports whether a successful request changes nothing worth a log line. Delivery reports come by the
// thousand and are counted instead.
func changesNothing(c echo.Context) bool {
	switch c.Request().Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		return true
	}
	return slices.Contains([]string{
		"/v1/captchas", "/v1/captchas/:id/check", "/v1/sms-codes/check", "/v1/email-codes/check", "/v1/reports/:provider/:secret",
		"/v1/reports/http", "/v1/sessions/current/token",
	}, c.Path())
}

// keyFollowed marks a request that another record tells of.
const keyFollowed = "followed"

// followed says that the worker's line about the finished message, or the row of the message, tells of this request: both
// have its id. Its own line is for debugging then.
func followed(c echo.Context) { c.Set(keyFollowed, true) }

func isFollowed(c echo.Context) bool { return c.Get(keyFollowed) != nil }

// method returns the request's method if HTTP defines it: a label must not contain a stranger's text.
func method(c echo.Context) string {
	known := []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"}
	if m := c.Request().Method; slices.Contains(known, m) {
		return m
	}
	return "other"
}

// logError logs the cause of an error, which the answer does not show. Refusals are normal, so they have the debug level;
// those by limits are counted.
func (s *Server) logError(c echo.Context, status int, err error) {
	s.Metrics.refusal(err)
	level := slog.LevelDebug
	switch {
	case status == http.StatusInternalServerError:
		level = slog.LevelError
	case status > http.StatusInternalServerError:
		level = slog.LevelWarn
	}
	s.Logger.LogAttrs(c.Request().Context(), level, "request refused",
		slog.String("request_id", idOf(c)),
		slog.String("route", c.Path()),
		slog.Int("status", status),
		slog.String("error", err.Error()))
}

// recovered turns a panic into an error. It logs the panic's value only when the runtime made it: any other value may quote
// secrets that the endpoint was working on.
func (s *Server) recovered(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) (err error) {
		defer func() {
			cause := recover()
			if cause == nil {
				return
			}
			if cause == http.ErrAbortHandler { //nolint:errorlint // The value itself is the signal.
				panic(cause)
			}
			text := "not shown"
			if fault, ok := cause.(runtime.Error); ok {
				text = fault.Error()
			}
			s.Logger.LogAttrs(c.Request().Context(), slog.LevelError, "endpoint panicked",
				slog.String("request_id", idOf(c)),
				slog.String("route", c.Path()),
				slog.String("panic", text),
				slog.String("stack", string(debug.Stack())))
			err = errPanic
		}()
		return next(c)
	}
}

// timeLimited cancels a request after requestTimeout. The error stays as it is: errors.go knows it.
func timeLimited() echo.MiddlewareFunc {
	return middleware.ContextTimeoutWithConfig(middleware.ContextTimeoutConfig{
		Skipper: isForwardAuth, // it bounds its own work
		Timeout: requestTimeout, ErrorHandler: func(err error, _ echo.Context) error { return err },
	})
}

const headerNosniff = "X-Content-Type-Options"

// headers sets the security headers of every answer. All answers share the slices of values, which stay unchanged: adding
// to a header copies its slice.
func (s *Server) headers() echo.MiddlewareFunc {
	protection := http.Header{}
	protection.Set(headerNosniff, "nosniff")
	protection.Set("Cross-Origin-Opener-Policy", "same-origin")
	protection.Set("Cross-Origin-Resource-Policy", "same-origin")
	protection.Set("Content-Security-Policy", web.CSP(s.Hosted != nil, s.returnOrigins()...))
	protection.Set("Referrer-Policy", "same-origin")
	protection.Set(echo.HeaderCacheControl, "no-store")
	if isHTTPS(s.Config.PublicURL) {
		protection.Set(echo.HeaderStrictTransportSecurity, "max-age=31536000")
	}
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			h := c.Response().Header()
			if isForwardAuth(c) { // for a proxy, which shows a refusal at most: fewer headers halve the work of an answer
				h[headerNosniff], h[echo.HeaderCacheControl] = protection[headerNosniff], protection[echo.HeaderCacheControl]
				return next(c)
			}
			maps.Copy(h, protection)
			h.Add(echo.HeaderVary, "Accept-Language")
			h.Set("Content-Language", languageOf(c))
			return next(c)
		}
	}
}

// cors lets the frontends of other origins call the API with credentials. An OPTIONS request that is not a preflight goes
// to the router, which knows the methods of each path.
func (s *Server) cors() echo.MiddlewareFunc {
	return middleware.CORSWithConfig(middleware.CORSConfig{
		Skipper: func(c echo.Context) bool {
			r := c.Request()
			return !isAPI(c) || isForwardAuth(c) || forApps(c) || r.Method == http.MethodOptions && r.Header.Get(echo.HeaderAccessControlRequestMethod) == ""
		},
		AllowOriginFunc: func(origin string) (bool, error) {
			return slices.Contains(s.Config.AllowedOrigins, origin), nil
		},
		AllowCredentials: true,
		AllowMethods:     []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodDelete},
		AllowHeaders:     []string{"Content-Type", echo.HeaderAuthorization, headerKey, "Accept-Language", "X-Request-Id", "Traceparent"},
		ExposeHeaders:    []string{"Retry-After", "RateLimit", "RateLimit-Policy", "X-Request-Id", headerReplayed},
		MaxAge:           600,
	})
}

// crossOrigin refuses requests that the page of an untrusted origin made a browser send. A browser does not add a bearer token by
// itself, as it does with cookies, and sends one for a page of another origin only when cors allows it.
func (s *Server) crossOrigin() echo.MiddlewareFunc {
	var own []string
	if u := s.Config.PublicURL; u != nil { // behind a proxy that changes Host, the browser's Origin does not match it
		own = append(own, u.Scheme+"://"+u.Host)
	}
	all, admin := s.protection(append(own, s.Config.AllowedOrigins...)), s.protection(own)
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			// The first is the proxy's, and its method and origin are those of a request to another service; the second refuses browsers.
			if isForwardAuth(c) || forApps(c) {
				return next(c)
			}
			protection := all
			if isAdminPage(c.Path()) { // a mistake in the page of another origin must not reach other people's accounts
				protection = admin
			}
			if err := protection.Check(c.Request()); err != nil && !hasBearer(c) {
				return errCrossOrigin
			}
			return next(c)
		}
	}
}

// protection trusts the origins beside that of the request itself.
func (s *Server) protection(origins []string) *http.CrossOriginProtection {
	p := http.NewCrossOriginProtection()
	for _, origin := range origins {
		if err := p.AddTrustedOrigin(origin); err != nil {
			// The origin stays untrusted. It cannot happen: the settings were checked before.
			s.Logger.Error("allowed origin is unusable; check ALLOWED_ORIGINS", slog.String("error", err.Error()))
		}
	}
	return p
}

// isAPI reports whether the request is a program's, which always gets JSON.
func isAPI(c echo.Context) bool { return strings.HasPrefix(c.Request().URL.Path, "/v1/") }

// wantsPage reports whether the answer is for a person in a browser.
func wantsPage(c echo.Context) bool {
	return !isAPI(c) && strings.Contains(c.Request().Header.Get(echo.HeaderAccept), echo.MIMETextHTML)
}

// traced makes a span of every request. Its name is the route; it contains nothing else of the path, the query or the
// headers. A caller must not decide what we sample, so every request begins a new trace, with a link to the caller's.
func (s *Server) traced(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		r := c.Request()
		name := method(c)
		if c.Path() != "" {
			name += " " + c.Path()
		}
		options := []trace.SpanStartOption{
			trace.WithNewRoot(), trace.WithSpanKind(trace.SpanKindServer),
			trace.WithAttributes(
				attribute.String("http.request.method", method(c)),
				attribute.String("http.route", c.Path()),
				attribute.String("usher.request_id", idOf(c))),
		}
		if caller := callerOf(r); caller.IsValid() {
			options = append(options, trace.WithLinks(trace.Link{SpanContext: caller}))
		}
		ctx, span := s.Tracer.Start(r.Context(), name, options...)
		defer span.End()
		c.SetRequest(r.WithContext(ctx))
		err := next(c)
		status := c.Response().Status
		span.SetAttributes(attribute.Int("http.response.status_code", status))
		if status >= http.StatusInternalServerError {
			span.SetStatus(codes.Error, http.StatusText(status))
		}
		return err
	}
}

// callerOf returns the span of the traceparent header: its ids alone, since tracestate may contain any text.
func callerOf(r *http.Request) trace.SpanContext {
	header := propagation.MapCarrier{"traceparent": r.Header.Get("traceparent")}
	caller := trace.SpanContextFromContext(propagation.TraceContext{}.Extract(r.Context(), header))
	return trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: caller.TraceID(), SpanID: caller.SpanID(), TraceFlags: caller.TraceFlags(), Remote: true,
	})
}
