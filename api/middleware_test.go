package api_test

import (
	"encoding/json"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"usher/api"
	"usher/captcha"
	"usher/limits"
)

func captchaOff(t *testing.T) *captcha.Maker {
	t.Helper()
	return must(captcha.New(captcha.Config{Kind: captcha.Off}))(t)
}

// few sets a limit so low that the second spend is refused.
func few(name limits.Name) func(*api.Server) {
	return func(s *api.Server) {
		s.Limits = limits.Defaults()
		delete(s.Limits, limits.ResendPause) // stands in front of the others of its kind
		s.Limits[name] = limits.Limit{Name: name, Count: 1, Period: time.Hour}
	}
}

func TestForged_forwarding_is_not_believed(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		trusted   []string
		forwarded []string // of the first and of the second request
		want      int      // status of the second
	}{
		"no proxy is trusted":              {nil, []string{"1.1.1.1", "2.2.2.2"}, 429},
		"another proxy is trusted":         {[]string{"10.0.0.0/8"}, []string{"1.1.1.1", "2.2.2.2"}, 429},
		"two people behind a proxy":        {[]string{"127.0.0.0/8"}, []string{"1.1.1.1", "2.2.2.2"}, 200},
		"one person who forges in front":   {[]string{"127.0.0.0/8"}, []string{"9.9.9.9, 1.1.1.1", "8.8.8.8, 1.1.1.1"}, 429},
		"one person who writes garbage":    {[]string{"127.0.0.0/8"}, []string{"1.1.1.1", "x, 1.1.1.1"}, 429},
		"private addresses are no proxies": {[]string{"127.0.0.0/8"}, []string{"1.1.1.1, 10.0.0.1", "2.2.2.2, 10.0.0.1"}, 429},
		"one IPv6 customer":                {[]string{"127.0.0.0/8"}, []string{"2001:db8::1", "2001:db8::2"}, 429},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, func(s *api.Server) {
				few(limits.LookupIP)(s)
				for _, text := range test.trusted {
					s.Config.TrustedProxies = append(s.Config.TrustedProxies, netip.MustParsePrefix(text))
				}
			})
			p := b.person()
			for i, status := range []int{200, test.want} {
				p.header = http.Header{"X-Forwarded-For": {test.forwarded[i]}, "X-Real-Ip": {test.forwarded[i]}}
				if got := p.get("/v1/usernames/li_lei"); got.status != status {
					t.Errorf("request %d: got %d, want %d", i+1, got.status, status)
				}
			}
		})
	}
}

func TestCross_origin_requests(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	tests := map[string]struct {
		header http.Header
		status int
		errno  string
	}{
		"a program":               {http.Header{}, 201, "0"},
		"our own page":            {http.Header{"Sec-Fetch-Site": {"same-origin"}, "Origin": {"http://localhost:8080"}}, 201, "0"},
		"our page, old browser":   {http.Header{"Origin": {"http://localhost:8080"}}, 201, "0"},
		"an allowed origin":       {http.Header{"Sec-Fetch-Site": {"cross-site"}, "Origin": {"https://app.example.com"}}, 201, "0"},
		"a stranger":              {http.Header{"Sec-Fetch-Site": {"cross-site"}, "Origin": {"https://evil.example"}}, 403, "4209"},
		"a sibling of our host":   {http.Header{"Sec-Fetch-Site": {"same-site"}, "Origin": {"https://x.localhost"}}, 403, "4209"},
		"a stranger, old browser": {http.Header{"Origin": {"https://evil.example"}}, 403, "4209"},
		"a sandboxed frame":       {http.Header{"Origin": {"null"}}, 403, "4209"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := b.person()
			p.header = test.header
			got := p.post("/v1/captchas", body{}).want(test.status, test.errno)
			allowed := got.header.Get("Access-Control-Allow-Origin")
			if origin := test.header.Get("Origin"); origin == "https://app.example.com" {
				if allowed != origin || got.header.Get("Access-Control-Allow-Credentials") != "true" {
					t.Errorf("allowed origin is told %q", allowed)
				}
			} else if allowed != "" {
				t.Errorf("%q is told that %q is allowed", origin, allowed)
			}
		})
	}
}

func TestLanguage(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	for accept, want := range map[string]string{
		"":                                   "未找到",
		"zh-CN,zh;q=0.9,en;q=0.8":            "未找到",
		"en-GB":                              "Not found.",
		"fr-FR, en;q=0.5":                    "Not found.",
		"fr, *":                              "未找到",
		"en;q=0.2, zh-TW;q=0.7":              "未找到",
		"en;q=0":                             "未找到",
		"garbage;;;q=":                       "未找到",
		strings.Repeat("en,", 1000):          "未找到",
		"zh;q=0, en":                         "Not found.",
		"en-US-x-klingon,en;q=0.1,zh;q=0.05": "Not found.",
	} {
		p := b.person()
		if accept != "" {
			p.header = http.Header{"Accept-Language": {accept}}
		}
		if got := p.get("/v1/nothing").want(404, "4002"); got.Errmsg != want {
			t.Errorf("Accept-Language %.40q: got %q, want %q", accept, got.Errmsg, want)
		}
	}
}

func TestRequest_id(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	for given, kept := range map[string]bool{
		"abc_DEF-12345": true, "short": false, "with space in it": false, "": false,
		strings.Repeat("a", 64): true, strings.Repeat("a", 65): false, "evil<script>1234": false,
		"13800138000": false, "010-1234-5678": false, "4bf92f3577b34da6a3ce929d0e0e4736": true,
	} {
		p := b.person()
		p.header = http.Header{"X-Request-Id": {given}}
		got := p.get("/v1/nothing")
		if (got.RequestID == given) != kept {
			t.Errorf("given %q, answered with %q", given, got.RequestID)
		}
		if got.RequestID != got.header.Get("X-Request-Id") || len(got.RequestID) < 8 {
			t.Errorf("body says %q, header %q", got.RequestID, got.header.Get("X-Request-Id"))
		}
		if !strings.Contains(b.logs.String(), `"request_id":"`+got.RequestID+`"`) {
			t.Errorf("request %q is not in the log", got.RequestID)
		}
	}
}

func TestHeaders_protect_every_answer(t *testing.T) {
	t.Parallel()
	b := setup(t, func(s *api.Server) { s.Config.PublicURL.Scheme = "https" })
	p := b.person()
	for _, path := range []string{"/v1/nothing", "/v1/usernames/li_lei", "/login"} {
		got := p.get(path)
		for name, want := range map[string]string{
			"X-Content-Type-Options":    "nosniff",
			"Strict-Transport-Security": "max-age=31536000",
			"Content-Security-Policy":   "frame-ancestors 'none'",
			"Cache-Control":             "no-store",
			"Referrer-Policy":           "same-origin",
		} {
			if !strings.Contains(got.header.Get(name), want) {
				t.Errorf("%s: %s is %q", path, name, got.header.Get(name))
			}
		}
	}
	for _, path := range []string{"/docs", "/openapi.yaml"} { // the same for all people, and checked before each use
		if got := p.get(path).header; got.Get("X-Content-Type-Options") != "nosniff" || got.Get("Cache-Control") != "public, no-cache" {
			t.Errorf("%s: %v", path, got)
		}
	}
	if got := p.get("/activate?token=x").header.Get("Referrer-Policy"); got != "strict-origin" {
		t.Errorf("the page of a token has Referrer-Policy %q", got)
	}
}

func TestRefusals_by_limits_say_when_to_come_back(t *testing.T) {
	t.Parallel()
	calls := map[limits.Name]func(p *person) *reply{
		limits.LookupIP:  func(p *person) *reply { return p.get("/v1/mobiles/" + number) },
		limits.CaptchaIP: func(p *person) *reply { return p.post("/v1/captchas", body{}) },
		limits.CaptchaAudioIP: func(p *person) *reply {
			return p.post("/v1/captchas", body{"kind": "audio", "replaces": p.captcha()})
		},
		limits.CheckIP: func(p *person) *reply {
			return p.post("/v1/sms-codes/check", body{"mobile": number, "purpose": "login", "code": "1"})
		},
		limits.RegisterIP: func(p *person) *reply {
			return p.post("/v1/registrations", body{
				"username": "li_lei", "password": password, "password_repeat": password, "agree": true, "mobile": number, "sms_code": "1",
			})
		},
		limits.LoginIP: func(p *person) *reply { return p.post("/v1/sessions", body{"login": "x", "password": "x"}) },
		limits.ResetIP: func(p *person) *reply {
			return p.post("/v1/password-resets", body{"mobile": number, "sms_code": "1", "password": "x", "password_repeat": "x"})
		},
		limits.ResendIP:        func(p *person) *reply { return p.post("/v1/activations/resend", body{"email": address}) },
		limits.ResendEmail:     func(p *person) *reply { return p.post("/v1/activations/resend", body{"email": address}) },
		limits.SMSIPHour:       func(p *person) *reply { return p.send("13800138" + strconv.Itoa(100+len(p.b.sms.all()))) },
		limits.SMSIPHour.Net(): func(p *person) *reply { return p.send("13800138" + strconv.Itoa(100+len(p.b.sms.all()))) },
		limits.SMSPrefix:       func(p *person) *reply { return p.send("13800138" + strconv.Itoa(100+len(p.b.sms.all()))) },
		limits.SMSTotal:        func(p *person) *reply { return p.send("1380013" + strconv.Itoa(1000*(1+len(p.b.sms.all())))) },
	}
	for name, call := range calls {
		t.Run(string(name), func(t *testing.T) {
			t.Parallel()
			b := setup(t, few(name))
			p := b.person()
			if got := call(p); got.status == http.StatusTooManyRequests {
				t.Fatalf("the first is refused: %s", got.text)
			}
			wait := must(strconv.Atoi(call(p).want(429, "4206").header.Get("Retry-After")))(t)
			if wait < 1 || wait > 3660 {
				t.Errorf("Retry-After is %d", wait)
			}
			b.clock.Advance(time.Duration(wait) * time.Second)
			if got := call(p); got.status == http.StatusTooManyRequests {
				t.Errorf("refused again after the time it named: %s", got.text)
			}
		})
	}
}

// send asks for a code with a fresh captcha.
func (p *person) send(mobile string) *reply {
	p.b.t.Helper()
	id, answer := p.priced("normal")
	return p.post("/v1/sms-codes", body{"mobile": mobile, "purpose": "register", "captcha_id": id, "captcha": answer})
}

func TestPause_between_codes(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	p := b.person()
	p.send(number).want(202, "0")
	if got := p.send(number).want(429, "4206").header.Get("Retry-After"); got != "60" {
		t.Errorf("Retry-After is %q, want 60", got)
	}
}

func TestLog_has_one_line_a_request_and_no_path(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	p := b.person()
	p.header = http.Header{"X-Request-Id": {"the-one-id"}}
	p.get("/v1/mobiles/" + number + "?token=topsecret")
	p.get("/" + number)
	p.get("/activate?token=topsecret")
	lines := 0
	for line := range strings.Lines(b.logs.String()) {
		var entry struct {
			Msg, Method, Route string
			Status             int
			RequestID          string `json:"request_id"`
		}
		if err := json.Unmarshal([]byte(line), &entry); err != nil {
			t.Fatal(err)
		}
		if entry.Msg == "request" && entry.RequestID == "the-one-id" && entry.Method == "GET" && entry.Status > 0 {
			lines++
		}
	}
	if lines != 3 {
		t.Errorf("%d lines, want 3", lines)
	}
	b.wantNoSecrets(number, "topsecret")
}
