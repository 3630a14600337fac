package api

import (
	"errors"
	"log/slog"
	"net/http"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"

	"usher/overload"
)

// Classes of requests. A crowd of one class does not keep another out.
const (
	classGeneral   = "general"   // codes, captchas and all that has no class of its own
	classPasswords = "passwords" // may hash a password, which has a queue of its own: their time says nothing about the stores
	classLookups   = "look_ups"  // is a name or a number taken; asked while people type
	classWaiting   = "waiting"   // what people ask again and again who wait for a code or are signed in
	classPages     = "pages"     // pages that ask the stores for something
	classReports   = "reports"   // delivery reports of vendors
)

// classOf returns the class of a route, or "" for one that asks no store and is always answered.
func classOf(method, route string) string {
	switch route {
	case "", "/", "/openapi.yaml", "/docs", "/static/:file":
		return ""
	case "/v1/reports/:provider/:secret":
		return classReports
	case "/v1/sms-codes/:id":
		return classWaiting
	case "/v1/usernames/:username", "/v1/mobiles/:mobile":
		return classLookups
	case "/v1/registrations", "/v1/password-resets", "/v1/account/password", "/v1/activations", "/v1/sessions":
		if method == http.MethodPost || method == http.MethodPut {
			return classPasswords
		}
	case "/v1/sessions/current":
		if method != http.MethodDelete {
			return classWaiting
		}
	case "/register", "/login", "/forgot", "/activate", "/undo", "/decline", "/account":
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
	// leastInFlight is enough for the full rate of the process: more at once only wait for each other, in the stores
	// or here. A store that is far away allows more.
	leastInFlight = 64

	// passwordsInFlight is for each password that is hashed at the same time. Of these requests most wait for a hash,
	// a second at most; who is let in here has a priority there.
	passwordsInFlight = 64
)

// GateConfig is what the settings say about gates.
type GateConfig struct {
	InFlight    int // requests of a class that are worked on at the same time, at the most
	Connections int // that the process may have
	Passwords   int // that are hashed at the same time
}

// NewGates makes the gates of a process. Their figures are registered.
func NewGates(c GateConfig, registry prometheus.Registerer, logger *slog.Logger) Gates {
	adaptive := overload.Bounds{Least: min(leastInFlight, c.InFlight), Most: c.InFlight, Waiting: c.Connections / 4 * 3}
	hashing := max(c.Passwords, 1) * passwordsInFlight
	g := Gates{}
	for _, class := range []string{classGeneral, classLookups, classWaiting, classPages, classReports} {
		g[class] = overload.New(class, adaptive, logger)
	}
	g[classPasswords] = overload.New(classPasswords, overload.Bounds{Least: hashing, Most: hashing, Waiting: hashing}, logger)
	registry.MustRegister(newGateMetrics(g))
	return g
}

// admitted lets a request in when there is room for its class, before it has cost a trip to a store. Its place is free
// again when the answer begins: a client that reads slowly holds none. The body has arrived before (see app.Server), so
// neither does one that sends slowly.
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
		defer pass.Drop() // a panic
		c.Response().Before(func() { leave(pass, c.Response().Status) })
		if err = next(c); err != nil {
			leave(pass, describe(err, chinese).status)
		}
		return err
	}
}

// leave ends the work on a request. Refusals are quicker than work that is done, or slower, for no reason of the stores.
func leave(pass *overload.Pass, status int) {
	if status >= http.StatusBadRequest && status < http.StatusInternalServerError {
		pass.Drop()
		return
	}
	pass.Done()
}

// isOverload reports whether the request was not taken on. Such requests have no line of their own in the log.
func isOverload(err error) bool {
	_, refused := errors.AsType[*overload.Refused](err)
	return refused
}

// gateMetrics shows the gates of a process.
type gateMetrics struct {
	gates    Gates
	requests *prometheus.Desc
	limit    *prometheus.Desc
	inFlight *prometheus.Desc
	waiting  *prometheus.Desc
}

func newGateMetrics(g Gates) *gateMetrics {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(name, help, append([]string{"class"}, labels...), nil)
	}
	return &gateMetrics{
		gates:    g,
		requests: desc("usher_admission_requests_total", "Requests by class that were admitted, or refused because the process had too much to do.", "result"),
		limit:    desc("usher_admission_limit", "Requests of a class that may be worked on at the same time, as found from the time they take."),
		inFlight: desc("usher_admission_in_flight", "Requests of a class that are worked on."),
		waiting:  desc("usher_admission_waiting", "Requests of a class that wait to be admitted, or whose refusal is held back."),
	}
}

// Describe implements [prometheus.Collector].
func (m *gateMetrics) Describe(descriptions chan<- *prometheus.Desc) {
	descriptions <- m.requests
	descriptions <- m.limit
	descriptions <- m.inFlight
	descriptions <- m.waiting
}

// Collect implements [prometheus.Collector].
func (m *gateMetrics) Collect(metrics chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, n int, class string) {
		metrics <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, float64(n), class)
	}
	for class, gate := range m.gates {
		stats := gate.Stats()
		for result, n := range map[string]uint64{"admitted": stats.Admitted, "refused": stats.Refused} {
			metrics <- prometheus.MustNewConstMetric(m.requests, prometheus.CounterValue, float64(n), class, result)
		}
		gauge(m.limit, stats.Limit, class)
		gauge(m.inFlight, stats.InFlight, class)
		gauge(m.waiting, stats.Waiting, class)
	}
}
