package api_test

import (
	"net/http"
	"strings"
	"testing"

	"usher/api"
)

// endpoint is one that takes a body, with one that it would accept as far as its form goes.
type endpoint struct {
	path  string
	body  string
	texts []string // fields that are text
	need  []string // fields that must be there, and the errno when one is not
}

// endpoints lists every endpoint that reads a body.
func endpoints() []endpoint {
	return []endpoint{
		{"/v1/captchas", `{"kind":"image","price":"normal","replaces":"ABCDEFGHIJKLMNOPQRSTUVWXYZ"}`, []string{"kind", "price", "replaces"}, nil},
		{"/v1/captchas/ABCDEFGHIJKLMNOPQRSTUVWXYZ/check", `{"answer":"x"}`, []string{"answer"}, []string{"answer"}},
		{
			"/v1/sms-codes", `{"mobile":"13800138000","purpose":"login","captcha_id":"ABCDEFGHIJKLMNOPQRSTUVWXYZ","captcha":"x"}`,
			[]string{"sms_code_id", "mobile", "purpose", "captcha_id", "captcha"},
			[]string{"mobile", "purpose"},
		},
		{
			"/v1/sms-codes/check", `{"sms_code_id":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA","mobile":"13800138000","code":"123456","purpose":"login"}`,
			[]string{"sms_code_id", "mobile", "code", "purpose"},
			[]string{"sms_code_id", "mobile", "code", "purpose"},
		},
		{
			"/v1/registrations",
			`{"username":"li_lei","password":"correct horse","password_repeat":"correct horse","agree":true,` +
				`"mobile":"13800138000","sms_code_id":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA","sms_code":"123456","email":"a@example.com"}`,
			[]string{"username", "password", "password_repeat", "mobile", "sms_code_id", "sms_code", "email", "captcha_id", "captcha"},
			[]string{"username", "password", "agree", "sms_code_id", "sms_code"},
		},
		{"/v1/activations", `{"token":"x"}`, []string{"token"}, nil},
		{"/v1/activations/resend", `{"email":"a@example.com"}`, []string{"email"}, []string{"email"}},
		{
			"/v1/sessions", `{"login":"li_lei","password":"correct horse","remember":true}`,
			[]string{"login", "password", "captcha_id", "captcha", "mobile", "sms_code_id", "sms_code"},
			[]string{"login", "password"},
		},
		{
			"/v1/password-resets",
			`{"mobile":"13800138000","sms_code_id":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA","sms_code":"123456","password":"correct horse","password_repeat":"correct horse"}`,
			[]string{"mobile", "sms_code_id", "sms_code", "password", "password_repeat"},
			[]string{"mobile", "sms_code_id", "sms_code", "password"},
		},
	}
}

func TestBodies_of_the_wrong_form_are_refused_and_cost_nothing(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	p := b.person()
	for _, e := range endpoints() {
		open := strings.TrimSuffix(e.body, "}")
		bad := map[string]string{
			"no JSON":           `hello`,
			"cut off":           open,
			"an array":          "[" + e.body + "]",
			"a text":            `"text"`,
			"null":              `null`,
			"two values":        e.body + e.body,
			"trailing garbage":  e.body + "]",
			"unknown field":     open + `,"admin":true}`,
			"repeated field":    open + "," + strings.TrimPrefix(e.body, "{"),
			"another case":      strings.Replace(e.body, `{"`, `{"X`, 1),
			"bad UTF-8":         strings.Replace(e.body, `":"`, "\":\"\xff\xfe", 1),
			"deep":              strings.Repeat(`{"a":`, 2000) + "1" + strings.Repeat("}", 2000),
			"deep arrays":       strings.Repeat(`[`, 8000),
			"a field in depths": `{"` + e.texts[0] + `":{"x":[1]}}`,
		}
		for name, text := range bad {
			got := p.do(request{method: "POST", path: e.path, contentType: "application/json", text: text})
			if got.status != http.StatusBadRequest || got.Errno != "4103" {
				t.Errorf("%s, %s: got %d %s", e.path, name, got.status, got.Errno)
			}
		}
	}
	b.wantNothingSpent()
}

func TestFields_of_the_wrong_form_are_refused_by_name(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	p := b.person()
	for _, e := range endpoints() {
		for _, field := range e.texts {
			for name, value := range map[string]string{
				"a fraction": `1.5`, "a boolean": `true`, "an object": `{}`, "an array": `[]`,
				"NUL": `"a\u0000b"`, "half a surrogate": `"\ud800"`, "oversized": `"` + strings.Repeat("a", 2000) + `"`,
			} {
				got := p.do(request{
					method: "POST", path: e.path, contentType: "application/json", text: `{"` + field + `":` + value + `}`,
				})
				if got.status != http.StatusBadRequest || got.Errno != "4103" || got.Fields[field] == "" {
					t.Errorf("%s, %s is %s: got %d %s %v", e.path, field, name, got.status, got.Errno, got.Fields)
				}
			}
		}
	}
	b.wantNothingSpent()
}

func TestMissing_fields_are_named(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	p := b.person()
	for _, e := range endpoints() {
		if len(e.need) == 0 {
			continue
		}
		given := `{}`
		if e.path == "/v1/registrations" { // else the captcha is missed first
			given = `{"mobile":"13800138000","sms_code":null}`
		}
		got := p.do(request{method: "POST", path: e.path, contentType: "application/json", text: given})
		if got.status != http.StatusUnprocessableEntity || got.Errno != "4103" {
			t.Errorf("%s: got %d %s", e.path, got.status, got.Errno)
		}
		for _, field := range e.need {
			if got.Fields[field] == "" {
				t.Errorf("%s: missing %s is not named: %v", e.path, field, got.Fields)
			}
		}
	}
	if len(b.sms.all()) != 0 {
		t.Error("something was enqueued")
	}
}

func TestBodies_too_large_or_of_another_type(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	p := b.person()
	for _, e := range endpoints() {
		large := strings.Replace(e.body, "{", "{"+strings.Repeat(" ", 17<<10), 1)
		p.do(request{method: "POST", path: e.path, contentType: "application/json", text: large}).want(413, "4103")
		for _, media := range []string{"", "text/plain", "application/x-www-form-urlencoded", "application/json; charset=gbk", "multipart/form-data"} {
			p.do(request{method: "POST", path: e.path, contentType: media, text: e.body}).want(415, "4103")
		}
	}
	b.wantNothingSpent()
}

func TestUnknown_paths_and_methods(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	p := b.person()
	for _, path := range []string{"/v1", "/v1/", "/v1/nothing", "/v1/captchas/", "/nothing", "/v1/sms-codes/a/b", "/static/app.css", "/static/..%2fapp.css"} {
		p.get(path).want(404, "4002")
	}
	for _, e := range endpoints() {
		for _, method := range []string{"PUT", "DELETE", "PATCH", "BREW"} {
			if method == "DELETE" && e.path == "/v1/sessions" {
				continue // ends one's other sessions
			}
			got := p.do(request{method: method, path: e.path}).want(405, "4005")
			if !strings.Contains(got.header.Get("Allow"), "POST") {
				t.Errorf("%s %s: Allow is %q", method, e.path, got.header.Get("Allow"))
			}
		}
		options := p.do(request{method: "OPTIONS", path: e.path})
		if options.status != http.StatusNoContent || !strings.Contains(options.header.Get("Allow"), "POST") {
			t.Errorf("OPTIONS %s: got %d, Allow %q", e.path, options.status, options.header.Get("Allow"))
		}
	}
	for _, path := range []string{"/register", "/openapi.yaml", "/docs", "/v1/usernames/li_lei"} {
		if got := p.do(request{method: "HEAD", path: path}); got.status != http.StatusOK || got.text != "" {
			t.Errorf("HEAD %s: got %d %q", path, got.status, got.text)
		}
	}
	if len(b.sms.all()) != 0 {
		t.Error("something was enqueued")
	}
}

func TestValues_that_cannot_be(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	p := b.person()
	for path, want := range map[string]string{
		"/v1/usernames/a":          "username",
		"/v1/usernames/a%2fbcdef":  "username",
		"/v1/usernames/12345678":   "username",
		"/v1/mobiles/123":          "mobile",
		"/v1/mobiles/13800138000,": "mobile",
		"/v1/mobiles/%E4%BD%A0":    "mobile",
	} {
		if got := p.get(path).want(422, "4103"); got.Fields[want] == "" {
			t.Errorf("%s: fields are %v", path, got.Fields)
		}
	}
	for _, path := range []string{"/v1/usernames/%ff%fe%fd%fc%fb", "/v1/mobiles/%00", "/v1/usernames/a%00bcdef"} {
		p.get(path).want(400, "4103")
	}
	for _, id := range []string{"x", strings.Repeat("a", 44), "..%2f..", "%ff"} {
		p.get("/v1/sms-codes/"+id).want(404, "4002")
	}
	p.post("/v1/captchas", body{"kind": "video"}).want(422, "4103")
	p.post("/v1/captchas", body{"price": "low"}).want(422, "4103")
	p.post("/v1/captchas/x/check", body{"answer": "x"}).want(422, "4201")
	p.post("/v1/sms-codes", body{"mobile": "13800138000,13800138001", "purpose": "login"}).want(422, "4103")
	p.post("/v1/sms-codes", body{"mobile": number, "purpose": "spam"}).want(422, "4103")
	if len(b.sms.all()) != 0 {
		t.Error("something was enqueued")
	}
}

func TestCaptcha_is_demanded_and_spent_once(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	p := b.person()
	ask := func(id, text string) *reply {
		return p.post("/v1/sms-codes", body{"mobile": number, "purpose": "login", "captcha_id": id, "captcha": text})
	}
	ask("", captchaText).want(422, "4202")
	ask(p.captcha(), "").want(422, "4202")
	ask("ABCDEFGHIJKLMNOPQRSTUVWXYZ", captchaText).want(422, "4201")
	ask("../../x", captchaText).want(422, "4201")
	wrong := p.captcha()
	ask(wrong, "nope").want(422, "4202")
	ask(wrong, captchaText).want(422, "4201")
	right := p.captcha()
	ask(right, captchaText).want(202, "0")
	ask(right, captchaText).want(422, "4201")
	tried := p.captcha()
	for range 3 {
		if p.post("/v1/captchas/"+tried+"/check", body{"answer": "no"}).want(200, "0").Data["valid"] != false {
			t.Error("wrong answer is valid")
		}
	}
	p.post("/v1/captchas/"+tried+"/check", body{"answer": captchaText}).want(422, "4201")
	if got := len(b.sms.all()); got != 1 {
		t.Errorf("%d codes were enqueued, want 1", got)
	}
}

// A recording costs a picture, of the same life: it cannot be asked for alone, and not twice for one picture.
func TestCaptcha_recording_only_in_place_of_a_picture(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	p := b.person()
	hear := func(id string) *reply { return p.post("/v1/captchas", body{"kind": "audio", "replaces": id}) }
	hear("").want(422, "4103")
	hear("ABCDEFGHIJKLMNOPQRSTUVWXYZ").want(422, "4201")
	hear("../../x").want(422, "4201")
	picture := p.captcha()
	spoken := hear(picture).want(201, "0").str("captcha_id")
	hear(picture).want(422, "4201")
	p.post("/v1/sms-codes", body{"mobile": number, "purpose": "login", "captcha_id": picture, "captcha": captchaText}).want(422, "4201")
	another := hear(p.captcha()).want(201, "0").str("captcha_id")
	hear(another).want(422, "4201") // a recording is no picture
	p.post("/v1/sms-codes", body{"mobile": number, "purpose": "login", "captcha_id": spoken, "captcha": captchaText}).want(202, "0")
}

func TestCaptcha_off_asks_nothing(t *testing.T) {
	t.Parallel()
	b := setup(t, func(s *api.Server) { s.Captcha = captchaOff(t) })
	p := b.person()
	p.post("/v1/captchas", body{}).want(404, "4002")
	p.post("/v1/sms-codes", body{"mobile": number, "purpose": "login"}).want(202, "0")
	p.get("/register").wantPage(200, "</html>")
}

// wantNothingSpent fails when Redis holds anything: a limit, a captcha, a code.
func (b *bundle) wantNothingSpent() {
	b.t.Helper()
	if keys := b.redis.Keys(); len(keys) > 0 {
		b.t.Errorf("refused requests left %d keys in Redis: %.3q", len(keys), keys)
	}
	if len(b.sms.all()) != 0 || len(b.mails.all()) != 0 {
		b.t.Error("a refused request enqueued something")
	}
}
