package api_test

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"

	"usher/api"
	"usher/captcha"
	"usher/captcha/challenge"
	"usher/internal/testkit"
	"usher/limits"
	"usher/verify"
)

// crowdedGate holds everybody up who comes with a captcha or has something to spend, until it is told to go on.
type crowdedGate struct {
	api.Gate

	began, goOn chan struct{}
}

func (g *crowdedGate) Admit(ctx context.Context, id string, spends []limits.Spend, watch ...limits.Spend) (challenge.Asked, limits.Decision, error) {
	g.began <- struct{}{}
	select {
	case <-g.goOn:
	case <-ctx.Done():
		return challenge.Asked{}, limits.Decision{}, ctx.Err()
	}
	return g.Gate.Admit(ctx, id, spends, watch...)
}

func post(t *testing.T, b *bundle, path, body string, header http.Header) *http.Response {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	request := must(http.NewRequestWithContext(ctx, http.MethodPost, b.server.URL+path, strings.NewReader(body)))(t)
	request.Header = header.Clone()
	request.Header.Set("Content-Type", "application/json")
	response := must((&contract{t: t, next: http.DefaultTransport}).RoundTrip(request))(t)
	t.Cleanup(func() { _ = response.Body.Close() })
	return response
}

func TestOverload_is_refused_before_it_costs_anything(t *testing.T) {
	t.Parallel()
	gate := &crowdedGate{began: make(chan struct{}, 10), goOn: make(chan struct{})}
	b := setup(t, func(s *api.Server) {
		gate.Gate = s.Gate
		s.Gate = gate
		s.Captcha = must(captcha.New(captcha.Config{Kind: captcha.Off}))(t)
		s.Limits[limits.CheckIP] = limits.Limit{Name: limits.CheckIP, Count: 2, Period: time.Hour}
		s.Gates = api.NewGates(api.GateConfig{InFlight: 1, Passwords: 1}, prometheus.NewRegistry(), s.Logger)
	})
	const path, body = "/v1/sms-codes/check", `{"sms_code_id":"x","mobile":"` + number + `","purpose":"login","code":"123456"}`

	first := make(chan int)
	go func() {
		response, err := http.Post(b.server.URL+path, "application/json", strings.NewReader(body))
		if err != nil {
			t.Error(err)
			first <- 0
			return
		}
		_ = response.Body.Close()
		first <- response.StatusCode
	}()
	<-gate.began
	commands := b.redis.CommandCount()
	for range 5 {
		response := post(t, b, path, body, http.Header{"Origin": {"https://app.example.com"}, "Accept-Language": {"en"}})
		after, err := strconv.Atoi(response.Header.Get("Retry-After"))
		if response.StatusCode != http.StatusServiceUnavailable || err != nil || after < 1 || after > 9 || !response.Close {
			t.Errorf("got %d, Retry-After %q, to be closed: %t", response.StatusCode, response.Header.Get("Retry-After"), response.Close)
		}
		if response.Header.Get("Access-Control-Allow-Origin") == "" {
			t.Error("a frontend of another origin cannot read the refusal")
		}
	}
	if got := b.redis.CommandCount(); got != commands {
		t.Errorf("refusals cost %d commands", got-commands)
	}
	page := must(http.NewRequestWithContext(t.Context(), http.MethodGet, b.server.URL+"/register", http.NoBody))(t)
	if response := must(http.DefaultTransport.RoundTrip(page))(t); response.StatusCode != http.StatusOK {
		t.Errorf("a page, which is of another class, is answered %d", response.StatusCode)
	} else {
		_ = response.Body.Close()
	}
	close(gate.goOn)
	if got := <-first; got != http.StatusUnprocessableEntity && got != http.StatusOK {
		t.Errorf("the first is answered %d", got)
	}
	if response := post(t, b, path, body, http.Header{}); response.StatusCode == http.StatusTooManyRequests || response.StatusCode >= 500 {
		t.Errorf("afterwards: %d; the refused ones have spent the limit, or the place is not free", response.StatusCode)
	}
	if lines := strings.Count(b.logs.String(), `"status":503`); lines != 0 {
		t.Errorf("the log has %d lines about refused requests", lines)
	}
}

// The classes name routes; one that is renamed must not lose its class.
func TestOverload_classes_are_of_routes_that_exist(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	routes := b.face.Handler().(*echo.Echo).Routes()
	classes := map[string]string{}
	for _, r := range routes {
		if class := api.ClassOf(r.Method, r.Path); class != "general" {
			classes[r.Method+" "+r.Path] = class
		}
	}
	want := map[string]string{
		"GET /": "", "GET /docs": "", "GET /openapi.yaml": "", "GET /.well-known/jwks.json": "", "GET /captcha": "", "GET /static/:file": "",
		"GET /v1/sms-codes/:id": "waiting", "GET /v1/email-codes/:id": "waiting", "GET /v1/sessions/current": "waiting",
		"POST /v1/sessions/current/token": "waiting",
		"GET /v1/usernames/:username":     "look_ups", "GET /v1/mobiles/:mobile": "look_ups",
		"POST /v1/reports/:provider/:secret": "reports", "POST /v1/reports/http": "reports",
		echo.RouteNotFound + " /v1/auth": "forward", echo.RouteNotFound + " /v1/auth/envoy/*": "forward",
		"POST /v1/verifications": "apps", "GET /v1/verifications/:id": "apps", "DELETE /v1/verifications/:id": "apps",
		"POST /v1/verifications/:id/check": "apps", "POST /v1/verifications/:id/redeem": "apps",
		"POST /v1/registrations": "passwords", "POST /v1/password-resets": "passwords", "POST /v1/sessions": "passwords",
		"POST /v1/activations": "passwords", "PUT /v1/account/password": "passwords",
		"POST /v1/account/export": "passwords", "POST /v1/account/deletion": "passwords",
	}
	for _, small := range []string{"/.well-known/change-password", "/.well-known/security.txt", "/robots.txt", "/favicon.ico", "/apple-touch-icon.png"} {
		want["GET "+small] = ""
	}
	for _, page := range []string{"/register", "/check-mail", "/code", "/login", "/forgot", "/activate", "/undo", "/decline", "/account"} {
		want["GET "+page], want["POST "+page] = "pages", "passwords"
	}
	for _, page := range []string{"/admin", "/admin/accounts/:id"} {
		want["GET "+page], want["POST "+page] = "pages", "pages"
	}
	for _, route := range []string{
		"GET ", "POST /look-up", "GET /:id", "GET /:id/messages", "GET /:id/sessions", "GET /:id/audit", "POST /:id/block", "POST /:id/unblock",
		"POST /:id/end-sessions", "POST /:id/resend", "POST /:id/erase",
	} {
		want[strings.Replace(route, " ", " "+adminAccounts, 1)] = "apps"
	}
	for route, class := range want {
		if head, isGet := strings.CutPrefix(route, "GET "); isGet {
			want["HEAD "+head] = class
		}
	}
	for route := range want {
		if got, found := classes[route]; !found || got != want[route] {
			t.Errorf("%s: class %q, want %q", route, got, want[route])
		}
	}
	for route, class := range classes {
		if _, found := want[route]; !found {
			t.Errorf("%s has the class %q", route, class)
		}
	}
	if !slices.ContainsFunc(routes, func(r *echo.Route) bool { return api.ClassOf(r.Method, r.Path) == "general" }) {
		t.Error("no route is of the general class")
	}
}

// deafQueue does not take the first code before its request's time is over.
type deafQueue struct {
	verify.Queue

	first sync.Once
	began chan struct{}
}

func (q *deafQueue) EnqueueCode(ctx context.Context, code verify.Queued) error {
	q.first.Do(func() {
		close(q.began)
		<-ctx.Done()
	})
	if err := ctx.Err(); err != nil {
		return err
	}
	return q.Queue.EnqueueCode(ctx, code)
}

func TestLimits_come_back_when_the_request_has_no_time_left(t *testing.T) {
	t.Parallel()
	queue := &deafQueue{began: make(chan struct{})}
	b := setup(t, func(s *api.Server) {
		s.Captcha = must(captcha.New(captcha.Config{Kind: captcha.Off}))(t)
		s.Limits[limits.SMSIPHour] = limits.Limit{Name: limits.SMSIPHour, Count: 1, Period: time.Hour}
		queue.Queue = s.Verify.Queue
		s.Verify.Queue = queue
	})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-queue.began
		cancel() // the client goes away, which ends the request's context as its deadline does
	}()
	request := must(http.NewRequestWithContext(ctx, http.MethodPost, b.server.URL+"/v1/sms-codes",
		strings.NewReader(`{"mobile":"13800138001","purpose":"login"}`)))(t)
	request.Header.Set("Content-Type", "application/json")
	if response, err := http.DefaultTransport.RoundTrip(request); err == nil {
		_ = response.Body.Close()
		t.Fatalf("answered %d", response.StatusCode)
	}
	testkit.Eventually(t, testkit.Patience, func() bool { // the first request ends when its server has noticed
		response := post(t, b, "/v1/sms-codes", `{"mobile":"13800138002","purpose":"login"}`, http.Header{})
		return response.StatusCode == http.StatusAccepted
	}, "the limit comes back")
}
