package api

import (
	"errors"
	"log/slog"
	"net/http"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"

	"usher/overload"
)

// Classes of requests, each with limits of its own, so that a crowd of one class does not keep another out.
const (
	classGeneral   = "general"   // codes, captchas and every request without another class
	classPasswords = "passwords" // may hash a password, which has a queue of its own: their time does not measure the stores
	classLookups   = "look_ups"  // whether a name or number is taken; requested while people type
	classWaiting   = "waiting"   // repeated by people who wait for a code or are signed in
	classPages     = "pages"     // pages that ask the stores
	classReports   = "reports"   // delivery reports of vendors
	classForward   = "forward"   // questions of proxies: one for each request of other services
	classApps      = "apps"      // services with keys, which a crowd of people must not keep out
)

// classOf returns the class of a route, or "" for one that asks no store and is always admitted.
func classOf(method, route string) string {
	switch route {
	case "", "/", "/openapi.yaml", "/docs", "/.well-known/jwks.json", "/.well-known/change-password", "/.well-known/security.txt",
		"/robots.txt", "/favicon.ico", "/apple-touch-icon.png", framePath, "/static/:file":
		return ""
	case "/v1/reports/:provider/:secret", "/v1/reports/http":
		return classReports
	case forwardAuthPath, forwardAuthBelow:
		return classForward
	case "/v1/sms-codes/:id", "/v1/email-codes/:id", "/v1/sessions/current/token":
		return classWaiting
	case "/v1/verifications", "/v1/verifications/:id", "/v1/verifications/:id/check", "/v1/verifications/:id/redeem",
		pathAdminAccounts, pathAdminAccounts + "/look-up", pathAdminAccounts + "/:id", pathAdminAccounts + "/:id/messages",
		pathAdminAccounts + "/:id/sessions", pathAdminAccounts + "/:id/audit", pathAdminAccounts + "/:id/block",
		pathAdminAccounts + "/:id/unblock", pathAdminAccounts + "/:id/end-sessions", pathAdminAccounts + "/:id/resend", pathAdminAccounts + "/:id/erase":
		return classApps
	case "/v1/usernames/:username", "/v1/mobiles/:mobile":
		return classLookups
	case "/v1/registrations", "/v1/password-resets", "/v1/account/password", "/v1/account/export", "/v1/account/deletion", "/v1/activations", "/v1/sessions":
		if method == http.MethodPost || method == http.MethodPut {
			return classPasswords
		}
	case "/v1/sessions/current":
		if method != http.MethodDelete {
			return classWaiting
		}
	case adminPath, adminAccountPath + ":id":
		return classPages
	case "/register", "/check-mail", "/code", "/login", "/forgot", "/activate", "/undo", "/decline", "/account":
		if method == http.MethodPost {
			return classPasswords
		}
		return classPages
	}
	return classGeneral
}

// Gates admit requests by class. Nil admits everything.
type Gates map[string]*overload.Gate

const (
	// leastInFlight is enough for the full rate of the process: more requests only wait for each other, in the stores or
	// here. With a store at a great distance the limit grows.
	leastInFlight = 64

	// passwordsInFlight is for each password that is hashed at the same time. Most of these requests wait for a hash, for
	// a second at most, in the order of their priorities there.
	passwordsInFlight = 64
)

// GateConfig is what the settings say about gates.
type GateConfig struct {
	InFlight    int // upper bound of simultaneous requests of a class
	Connections int // that the process may have
	Passwords   int // that are hashed at the same time
}

// NewGates makes the gates of a process and registers their metrics.
func NewGates(c GateConfig, registry prometheus.Registerer, logger *slog.Logger) Gates {
	adaptive := overload.Bounds{Least: min(leastInFlight, c.InFlight), Most: c.InFlight, Waiting: c.Connections / 4 * 3}
	hashing := max(c.Passwords, 1) * passwordsInFlight
	g := Gates{}
	for _, class := range []string{classGeneral, classLookups, classWaiting, classPages, classReports, classForward, classApps} {
		g[class] = overload.New(class, adaptive, logger)
	}
	g[classPasswords] = overload.New(classPasswords, overload.Bounds{Least: hashing, Most: hashing, Waiting: hashing}, logger)
	for class, gate := range g {
		registerGate(registry, class, gate)
	}
	return g
}

// registerGate registers the metrics of the gate of a class.
func registerGate(registry prometheus.Registerer, class string, gate *overload.Gate) {
	gauge := func(name, help string, value func(overload.Stats) int) {
		registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: name, Help: help, ConstLabels: prometheus.Labels{"class": class},
		}, func() float64 { return float64(value(gate.Stats())) }))
	}
	gauge("usher_admission_limit", "Simultaneous requests of a class that the gate allows, found from the time they take.",
		func(s overload.Stats) int { return s.Limit })
	gauge("usher_admission_in_flight", "Requests of a class in progress.", func(s overload.Stats) int { return s.InFlight })
	gauge("usher_admission_waiting", "Requests of a class that wait to be admitted, or whose refusal is delayed.",
		func(s overload.Stats) int { return s.Waiting })
	for result, value := range map[string]func(overload.Stats) uint64{
		"admitted": func(s overload.Stats) uint64 { return s.Admitted },
		"refused":  func(s overload.Stats) uint64 { return s.Refused },
	} {
		registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "usher_admission_requests_total", Help: "Requests by class that were admitted, or refused because the process was overloaded.",
			ConstLabels: prometheus.Labels{"class": class, "result": result},
		}, func() float64 { return float64(value(gate.Stats())) }))
	}
}

// admitted admits a request when there is room for its class, before it has cost a round trip to a store. The room is free
// again when the answer begins, so a client that reads slowly takes none. Neither does one that sends slowly: the body
// has arrived before (see app.Server).
func (s *Server) admitted(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		gate := s.Gates[classOf(c.Request().Method, c.Path())]
		if gate == nil {
			return next(c)
		}
		pass, err := gate.Enter(c.Request().Context())
		if err != nil {
			if refused, ok := errors.AsType[*overload.Refused](err); ok && refused.Far {
				c.Response().Header().Set(echo.HeaderConnection, "close")
			}
			return err
		}
		defer pass.Drop() // after a panic
		c.Response().Before(func() { leave(pass, c.Response().Status) })
		if err = next(c); err != nil {
			leave(pass, describe(err, chinese).status)
		}
		return err
	}
}

// leave ends the work on a request. The time of a refusal does not measure the stores, so it does not count.
func leave(pass *overload.Pass, status int) {
	if status >= http.StatusBadRequest && status < http.StatusInternalServerError {
		pass.Drop()
		return
	}
	pass.Done()
}

// isOverload reports whether the gate refused the request. Such requests have no log line of their own.
func isOverload(err error) bool {
	_, refused := errors.AsType[*overload.Refused](err)
	return refused
}
