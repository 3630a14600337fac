package api_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"usher/api"
	"usher/captcha"
	"usher/captcha/hosted"
	"usher/captcha/hosted/geetest"
	"usher/limits"
	"usher/sandbox"
)

// vendor is a sandbox that plays the captcha's vendor.
type vendor struct {
	*sandbox.Server
	base  string
	asked atomic.Int64 // questions of servers
	twice atomic.Bool  // accept tokens any number of times, as vendors may do within seconds
}

// withHosted has the vendor's captcha shown.
func withHosted(t *testing.T) (*vendor, func(*api.Server)) {
	t.Helper()
	v := &vendor{}
	v.Server = must(sandbox.Open(t.Context(), sandbox.Config{HTTPAddr: "127.0.0.1:0", SMTPAddr: "127.0.0.1:0"}))(t)
	handler := v.Handler()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/geetest/validate" {
			if v.asked.Add(1); v.twice.Load() {
				_, _ = w.Write([]byte(`{"status":"success","result":"success"}`))
				return
			}
		}
		handler.ServeHTTP(w, r)
	}))
	t.Cleanup(func() { _ = v.Close(); server.Close() })
	v.base = server.URL + "/geetest"
	return v, func(s *api.Server) {
		s.Hosted = v.guard(s.Logger)
	}
}

func (v *vendor) guard(logger *slog.Logger) *hosted.Guard {
	keys := v.Credentials().Geetest
	client := geetest.New(geetest.Config{CaptchaID: keys.CaptchaID, Key: keys.Key, Endpoint: v.base, Script: v.base + "/v4/gt4.js"})
	return hosted.NewGuard(client, client.Widget(), logger)
}

// solve returns the token that a person's browser has after the challenge.
func (v *vendor) solve(t *testing.T) string {
	t.Helper()
	request := must(http.NewRequestWithContext(t.Context(), http.MethodGet, v.base+"/verify?captcha_id="+v.Credentials().Geetest.CaptchaID, http.NoBody))(t)
	response := must(http.DefaultTransport.RoundTrip(request))(t)
	defer func() { _ = response.Body.Close() }()
	var answer struct {
		Data struct{ Seccode json.RawMessage }
	}
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		t.Fatal(err)
	}
	return string(answer.Data.Seccode)
}

func (v *vendor) fault(t *testing.T, fault *sandbox.Fault) {
	t.Helper()
	if err := v.SetFaults(sandbox.Faults{Geetest: fault}); err != nil {
		t.Fatal(err)
	}
}

// hosted asks for the vendor's captcha and returns our id of it.
func (p *person) hosted() string {
	p.b.t.Helper()
	asked := p.post("/v1/captchas", body{"kind": "hosted"}).want(201, "0")
	if asked.str("kind") != "geetest" {
		p.b.t.Fatalf("got %s", asked.text)
	}
	return asked.str("captcha_id")
}

// askWith asks for a code to the number that ends in n.
func (p *person) askWith(n, id, answer string) *reply {
	p.b.t.Helper()
	return p.post("/v1/sms-codes", body{"mobile": "138001380" + n, "purpose": "login", "captcha_id": id, "captcha": answer})
}

func TestHosted_token_opens_once_what_a_picture_opens(t *testing.T) {
	t.Parallel()
	v, change := withHosted(t)
	b := setup(t, change)
	p := b.person()
	asked := p.post("/v1/captchas", body{"kind": "hosted"}).want(201, "0")
	shown, _ := asked.Data["geetest"].(map[string]any)
	if shown["captcha_id"] != v.Credentials().Geetest.CaptchaID || shown["script"] != v.base+"/v4/gt4.js" {
		t.Errorf("got %s", asked.text)
	}
	token := v.solve(t)
	p.askWith("00", asked.str("captcha_id"), token).want(202, "0")
	p.askWith("01", asked.str("captcha_id"), v.solve(t)).want(422, "4201") // our id is spent
	p.askWith("01", p.hosted(), token).want(422, "4202")                   // the vendor's token too
	p.askWith("01", p.hosted(), "k7m3p").want(422, "4202")
	p.askWith("01", p.hosted(), "hosted").want(422, "4202") // what is kept is no answer
	p.askWith("01", p.captcha(), v.solve(t)).want(422, "4202")
	p.askWith("01", p.captcha(), captchaText).want(202, "0") // pictures stay
	id := p.hosted()
	p.post("/v1/captchas/"+id+"/check", body{"answer": v.solve(t)}).want(422, "4103")
	if logs := b.logs.String(); strings.Contains(logs, "lot_number") || strings.Contains(logs, v.Credentials().Geetest.Key) {
		t.Error("the log has a token or the key")
	}
}

// The vendor may accept a token twice: 50 requests with one token, each with a captcha id of its own.
func TestHosted_token_is_used_up_here(t *testing.T) {
	t.Parallel()
	v, change := withHosted(t)
	v.twice.Store(true)
	b := setup(t, func(s *api.Server) {
		change(s)
		s.Limits = limits.Set{}
	})
	p, token := b.person(), v.solve(t)
	ids := make([]string, 50)
	for i := range ids {
		ids[i] = p.hosted()
	}
	var passed, refused atomic.Int64
	var group sync.WaitGroup
	for i, id := range ids {
		group.Go(func() {
			switch r := p.askWith(string(rune('0'+i/10))+string(rune('0'+i%10)), id, token); {
			case r.status == 202:
				passed.Add(1)
			case r.Errno == "4201":
				refused.Add(1)
			default:
				t.Errorf("got %d, %s", r.status, r.Errno)
			}
		})
	}
	group.Wait()
	if passed.Load() != 1 || refused.Load() != 49 {
		t.Errorf("%d of 50 passed, %d were refused", passed.Load(), refused.Load())
	}
	if v.asked.Load() == 0 {
		t.Error("the vendor was not asked")
	}
	b.clock.Advance(5 * time.Minute)
	b.redis.FastForward(5 * time.Minute)
	p.askWith("99", p.hosted(), token).want(422, "4201")
}

// A vendor that cannot be asked neither passes nor refuses: the person gets one of our captchas.
func TestHosted_vendor_away_means_our_captcha(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]sandbox.Fault{
		"down": {Status: 502}, "garbage": {Garbage: true}, "reset": {Reset: true}, "unclear": {Code: "-50000"}, "paused": {Code: "-50105"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v, change := withHosted(t)
			b := setup(t, func(s *api.Server) {
				change(s)
				s.Limits[limits.SMSIPHour] = limits.Limit{Name: limits.SMSIPHour, Count: 1, Period: time.Hour}
			})
			p := b.person()
			v.fault(t, &fault)
			for range 3 {
				refused := p.askWith("00", p.hosted(), v.solve(t)).want(422, "4202")
				if refused.Data["captcha_kind"] != "image" {
					t.Errorf("got %s", refused.text)
				}
			}
			asked := p.post("/v1/captchas", body{"kind": "hosted"}).want(201, "0")
			if want := map[bool]string{true: "geetest", false: "image"}[name == "unclear"]; asked.str("kind") != want {
				t.Errorf("after three failures: got %s, want %s", asked.str("kind"), want)
			}
			before := v.asked.Load()
			own := p.post("/v1/captchas", body{"kind": "image"}).want(201, "0").str("captcha_id")
			p.askWith("00", own, captchaText).want(202, "0") // the refusals cost no unit of the limit
			if v.asked.Load() != before {
				t.Error("the vendor is asked about our captcha")
			}
		})
	}
}

// A request does not wait longer than two seconds for the vendor, and not at all once three have waited.
func TestHosted_slow_vendor_does_not_hold_requests_up(t *testing.T) {
	t.Parallel()
	v, change := withHosted(t)
	p := setup(t, change).person()
	ids := []string{p.hosted(), p.hosted(), p.hosted(), p.hosted()}
	token := v.solve(t)
	v.fault(t, &sandbox.Fault{DelayMS: 60_000})
	var group sync.WaitGroup
	for _, id := range ids[:3] {
		group.Go(func() { p.askWith("00", id, token).want(422, "4202") })
	}
	group.Wait()
	asked := v.asked.Load()
	p.askWith("00", ids[3], token).want(422, "4202")
	if v.asked.Load() != asked {
		t.Error("the vendor is asked although it is unavailable")
	}
}

// A refusal of the client's own limit needs no answer of the vendor, and an answer of the high price is ours.
func TestHosted_is_not_asked_needlessly(t *testing.T) {
	t.Parallel()
	v, change := withHosted(t)
	p := setup(t, func(s *api.Server) {
		change(s)
		s.Limits[limits.SMSIPHour] = limits.Limit{Name: limits.SMSIPHour, Count: 1, Period: time.Hour}
	}).person()
	p.askWith("00", p.hosted(), v.solve(t)).want(202, "0")
	asked := v.asked.Load()
	p.askWith("01", p.hosted(), v.solve(t)).want(429, "4206")
	if v.asked.Load() != asked {
		t.Error("the vendor is asked for a request that a limit has refused")
	}
	if dear := p.post("/v1/captchas", body{"kind": "hosted", "price": "high"}).want(201, "0"); dear.str("kind") != "image" {
		t.Errorf("of the high price: got %s", dear.str("kind"))
	}
}

func TestHosted_is_our_captcha_where_there_is_no_vendor(t *testing.T) {
	t.Parallel()
	for kind, want := range map[captcha.Kind]string{captcha.Digits: "image", captcha.Work: "pow"} {
		p := setup(t, func(s *api.Server) {
			s.Captcha = must(captcha.New(captcha.Config{Kind: kind}))(t)
		}).person()
		if got := p.post("/v1/captchas", body{"kind": "hosted"}).want(201, "0").str("kind"); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		p.get("/captcha").want(404, "4002")
	}
}

// Pages allow the vendor's hosts inside the frame alone, which has an origin of its own.
func TestHosted_pages_allow_the_vendor_in_its_frame_alone(t *testing.T) {
	t.Parallel()
	v, change := withHosted(t)
	p := setup(t, change).person()
	page := p.get("/register").wantPage(200, `data-frame="/captcha"`)
	if policy := page.header.Get("Content-Security-Policy"); !strings.Contains(policy, "frame-src 'self'") || strings.Contains(policy, "geetest") {
		t.Errorf("the page's policy is %s", policy)
	}
	frame := p.get("/captcha").wantPage(200, v.Credentials().Geetest.CaptchaID)
	policy := frame.header.Get("Content-Security-Policy")
	for _, part := range []string{"sandbox allow-scripts allow-popups;", "frame-ancestors 'self'", "https://*.geetest.com", "form-action 'none'"} {
		if !strings.Contains(policy, part) {
			t.Errorf("the frame's policy has no %s: %s", part, policy)
		}
	}
	if strings.Contains(policy, "allow-same-origin") || strings.Contains(frame.text, v.Credentials().Geetest.Key) {
		t.Error("the frame has our origin or the key")
	}
	plain := setup(t, nil).person().get("/register")
	if policy := plain.header.Get("Content-Security-Policy"); strings.Contains(policy, "frame-src") || strings.Contains(plain.text, "data-frame") {
		t.Errorf("without a vendor the policy is %s", policy)
	}
}

// After a restart without the vendor, a captcha that was asked before counts as gone.
func TestHosted_turned_off_meanwhile(t *testing.T) {
	t.Parallel()
	v, change := withHosted(t)
	b := setup(t, change)
	id := b.person().hosted()
	other := *b.face
	other.Hosted = nil
	server := httptest.NewServer(other.Handler())
	t.Cleanup(server.Close)
	text := string(must(json.Marshal(body{"mobile": number, "purpose": "login", "captcha_id": id, "captcha": v.solve(t)}))(t))
	request := must(http.NewRequestWithContext(context.WithoutCancel(t.Context()), http.MethodPost, server.URL+"/v1/sms-codes", strings.NewReader(text)))(t)
	request.Header.Set("Content-Type", "application/json")
	response := must(http.DefaultTransport.RoundTrip(request))(t)
	defer func() { _ = response.Body.Close() }()
	var got struct{ Errno string }
	if err := json.NewDecoder(response.Body).Decode(&got); err != nil || got.Errno != "4201" {
		t.Errorf("got %s, %v", got.Errno, err)
	}
}
