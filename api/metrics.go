package api

import (
	"errors"
	"strconv"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"

	"usher/accounts"
	"usher/limits"
	"usher/verify"
)

// Metrics are the counters of the HTTP face. No label contains a value that a stranger chose. It is safe for concurrent
// use.
type Metrics struct {
	requests    *prometheus.HistogramVec
	refused     *prometheus.CounterVec
	recorded    *prometheus.CounterVec
	blocked     prometheus.Counter
	captchas    *prometheus.CounterVec
	prices      *prometheus.CounterVec
	issued      *prometheus.CounterVec
	issuedMails *prometheus.CounterVec
	resent      *prometheus.CounterVec
	entered     prometheus.Counter
	registers   *prometheus.CounterVec
	signIns     *prometheus.CounterVec
	unaudited   prometheus.Counter
	tokens      *prometheus.CounterVec
	verified    *prometheus.CounterVec
	appRefused  *prometheus.CounterVec
}

// NewMetrics registers the metrics of a face.
func NewMetrics(r prometheus.Registerer) *Metrics {
	vec := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	}
	one := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	}
	m := &Metrics{
		requests: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "usher_http_request_seconds", Help: "Time of a request.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 8},
		}, []string{"route", "method", "status"}),
		refused:     vec("usher_limits_refused_total", "Requests that a limit refused.", "limit"),
		recorded:    vec("usher_limits_recorded_total", "Requests that a limit would have refused if it were enforced.", "limit"),
		blocked:     one("usher_sms_conversion_blocked_total", "Codes not sent because too few of their number's prefix are entered."),
		issued:      vec("usher_sms_codes_issued_total", "Codes issued and queued.", "purpose"),
		issuedMails: vec("usher_email_codes_issued_total", "Codes by mail issued and queued.", "purpose"),
		resent:      vec("usher_sms_codes_resent_total", "Codes queued a second time because their person asked for it.", "purpose"),
		entered:     one("usher_sms_codes_entered_total", "Codes that were entered and used for the first time."),
		captchas: vec("usher_captchas_total",
			"Captchas that were made (asked), and answers that spent one: right, wrong, gone (spent or expired), away (its vendor could not be asked); of the right ones, those too cheap for a code (cheap).", "result"),
		prices: vec("usher_captcha_prices_total", "Captchas that were made, by medium and price.", "medium", "price"),
		registers: vec("usher_registrations_total",
			"Created accounts: active, or waiting for the link in a mail.", "state"),
		signIns: vec("usher_sign_ins_total",
			"Tries of passwords by result (right, wrong), and sign-ins by code.", "result"),
		unaudited: one("usher_sign_ins_unaudited_total", "Sign-ins whose record in the audit was not written."),
		tokens:    vec("usher_tokens_signed_total", "Tokens for other services that were signed, by kind.", "kind"),
		verified: vec("usher_verifications_total",
			"Verifications of apps by channel: started, approved, canceled, and proofs that were redeemed.", "channel", "event"),
		appRefused: vec("usher_app_refused_total",
			"Requests with app keys that were refused: key, origin, scope, rate, budget, region, proof, or many wrong keys of one address (guesses).", "reason"),
	}
	r.MustRegister(m.requests, m.refused, m.recorded, m.blocked, m.captchas, m.prices, m.issued, m.issuedMails, m.resent, m.entered, m.registers, m.signIns, m.unaudited, m.tokens, m.verified, m.appRefused)
	return m
}

// Recorded counts a spend that only the record mode admitted.
func (m *Metrics) Recorded(name limits.Name) { m.recorded.WithLabelValues(string(name)).Inc() }

// Entered counts a code that was used for the first time.
func (m *Metrics) Entered() { m.entered.Inc() }

func (m *Metrics) registered(account accounts.Account) {
	state := "waiting"
	if account.Active {
		state = "active"
	}
	m.registers.WithLabelValues(state).Inc()
}

// refusal counts the limit that refused a request, if one did.
func (m *Metrics) refusal(err error) {
	limit, ok := errors.AsType[*verify.LimitError](err)
	if !ok {
		return
	}
	m.refused.WithLabelValues(limit.Name).Inc()
	if limit.Name == string(limits.SMSConversion) {
		m.blocked.Inc()
	}
}

// measured observes the time of every request by its route; paths without a route share a label.
func (s *Server) measured(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		start := s.Now()
		err := next(c)
		s.Metrics.requests.WithLabelValues(c.Path(), method(c), strconv.Itoa(c.Response().Status)).
			Observe(s.Now().Sub(start).Seconds())
		return err
	}
}
