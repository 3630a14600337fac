package app_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"usher/app/front"
	"usher/config"
	"usher/internal/testclient"
	"usher/internal/testkit"
)

// keySpec returns a key of an id like no other's, as the settings have it.
func keySpec(id string) string {
	return id + ":" + base64.StdEncoding.EncodeToString(bytes.Repeat([]byte(id[len(id)-1:]), 32))
}

// The steps of a rotation from k1 to k2, as docs/keys.md has them.
func rotationSteps() (before, known, signs string) {
	first, second := keySpec("k1"), keySpec("k2")
	return first, first + "," + second + ",k1", second + "," + first
}

// with starts an API and a worker with other keys on the same stores.
func (d *deployment) with(t *testing.T, keys string) *deployment {
	t.Helper()
	other := &deployment{sandbox: d.sandbox, environ: maps.Clone(d.environ)}
	other.environ["USHER_SECRET_KEYS"] = keys
	logger, log := testkit.Logger(t)
	other.log = log
	other.startAPI(t, logger)
	other.startWorker(t, logger)
	return other
}

// balance hands every request to the other of two APIs than the one before, and returns its own address.
func balance(t *testing.T, apis ...*deployment) string {
	t.Helper()
	transport := &http.Transport{}
	var proxies []http.Handler
	for _, d := range apis {
		proxy := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: d.api.HTTPAddr()})
		proxy.Transport = transport
		proxies = append(proxies, proxy)
	}
	var turn atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		proxies[int(turn.Add(1))%len(proxies)].ServeHTTP(w, r)
	}))
	t.Cleanup(func() { server.Close(); transport.CloseIdleConnections() })
	return server.Listener.Addr().String()
}

// While keys are rotated, processes of two neighbouring steps work side by side: codes, links, sessions and
// sealed contacts that one has made are good for the other, whichever worker sends.
func TestRotation_nobody_notices(t *testing.T) {
	t.Parallel()
	before, known, signs := rotationSteps()
	for name, steps := range map[string][2]string{
		"the new key becomes known": {before, known},
		"the new key signs":         {known, signs},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fakes := startSandbox(t)
			d := &deployment{sandbox: fakes, environ: environment(t, fakes, testkit.Redis(t), testkit.SQLite(t))}
			d.environ["USHER_LIMITS"] = "sms_ip_hour=off,sms_prefix=off,status_ip=off,register_ip=off,login_ip=off"
			d.migrate(t)
			one, two := d.with(t, steps[0]), d.with(t, steps[1])
			for i, order := range [][]*deployment{{one, two}, {two, one}} {
				p := testclient.New(t, balance(t, order...), fakes.HTTPAddr())
				p.CaptchaAnswer = captchaAnswer
				p.Walk(testclient.Journey{
					Username: fmt.Sprintf("li_lei_%d", i), Password: "correct horse 电池",
					Mobile: fmt.Sprintf("1380013800%d", i), Email: fmt.Sprintf("lilei%d@example.com", i),
				})
			}
			for _, d := range []*deployment{one, two} {
				if log := d.log.String(); strings.Contains(log, "not configured") {
					t.Errorf("a process did not know a key:\n%s", log)
				}
			}
		})
	}
}

// A step that was left out loses nothing either: what one worker cannot open waits for one that can.
func TestRotation_leaves_what_it_cannot_open_to_others(t *testing.T) {
	t.Parallel()
	before, _, signs := rotationSteps()
	fakes := startSandbox(t)
	d := &deployment{sandbox: fakes, environ: environment(t, fakes, testkit.Redis(t), testkit.SQLite(t))}
	d.environ["USHER_LIMITS"] = "sms_ip_hour=off,sms_prefix=off,status_ip=off"
	d.migrate(t)
	d.with(t, before)
	p := d.with(t, signs).person(t)
	for i := range 8 { // the older worker gets some of them first
		number := fmt.Sprintf("1380013800%d", i)
		p.AskCode(number, "register")
		p.ReadCode(number, 1)
	}
}

// A code and a link of the time before are good after both steps, and so is a session.
func TestRotation_during_a_sign_up(t *testing.T) {
	t.Parallel()
	before, known, signs := rotationSteps()
	fakes := startSandbox(t)
	d := &deployment{sandbox: fakes, environ: environment(t, fakes, testkit.Redis(t), testkit.SQLite(t))}
	d.migrate(t)
	one, two, three := d.with(t, before), d.with(t, known), d.with(t, signs)
	var turn atomic.Pointer[deployment]
	turn.Store(one)
	transport := &http.Transport{}
	proxy := &httputil.ReverseProxy{Transport: transport, Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(&url.URL{Scheme: "http", Host: turn.Load().api.HTTPAddr()})
	}}
	server := httptest.NewServer(proxy)
	t.Cleanup(func() { server.Close(); transport.CloseIdleConnections() })
	p := testclient.New(t, server.Listener.Addr().String(), fakes.HTTPAddr())
	p.CaptchaAnswer = captchaAnswer

	journey := lilei()
	p.AskCode(journey.Mobile, "register")
	code := p.ReadCode(journey.Mobile, 1)
	turn.Store(two)
	p.Must(http.StatusOK, http.MethodPost, "/v1/sms-codes/check", map[string]any{
		"mobile": journey.Mobile, "code": code, "purpose": "register",
	})
	p.Must(http.StatusCreated, http.MethodPost, "/v1/registrations", map[string]any{
		"username": journey.Username, "password": journey.Password, "password_repeat": journey.Password,
		"agree": true, "mobile": journey.Mobile, "sms_code": code, "email": journey.Email,
	})
	token := p.ReadToken(journey.Email, 1)
	turn.Store(three)
	p.Must(http.StatusOK, http.MethodGet, "/v1/sessions/current", nil)
	if active := p.Must(http.StatusOK, http.MethodPost, "/v1/activations", map[string]any{"token": token}).Data["email_active"]; active != true {
		t.Errorf("email_active = %v after the link was used", active)
	}
	p.Must(http.StatusOK, http.MethodGet, "/v1/sessions/current", nil)
}

func TestKeys_that_would_do_harm_are_refused_at_the_start(t *testing.T) {
	t.Parallel()
	before, known, signs := rotationSteps()
	d := &deployment{sandbox: startSandbox(t)}
	d.environ = environment(t, d.sandbox, testkit.Miniredis(t), testkit.SQLite(t))
	d.migrate(t)
	d.with(t, before).person(t).Walk(lilei())
	for name, row := range map[string]struct{ keys, want string }{
		"the old key dropped too early": {keySpec("k2"), "k1"},
		"the new key put last":          {before + "," + keySpec("k2"), "indexed with another key"},
		"another key under the old id":  {"k1:" + strings.TrimPrefix(keySpec("k2"), "k2:"), "not made with the configured keys"},
		"known":                         {known, ""},
		"signs":                         {signs, ""},
	} {
		environ := maps.Clone(d.environ)
		environ["USHER_SECRET_KEYS"] = row.keys
		settings, err := front.Load(environ)
		if err != nil {
			t.Fatal(err)
		}
		logger, _ := testkit.Logger(t)
		api, err := front.Open(t.Context(), settings, logger)
		if err == nil {
			background(t, api.Run)
		}
		mistakes, _ := errors.AsType[config.Mistakes](err)
		if row.want == "" {
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if len(mistakes) != 1 || mistakes[0].Variable != "USHER_SECRET_KEYS" || !strings.Contains(mistakes[0].Text, row.want) {
			t.Errorf("%s: %v, want a mistake with %q", name, err, row.want)
		}
	}
}
