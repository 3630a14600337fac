package api_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"usher/accounts"
	"usher/api"
)

// frames are what a clipboard puts around a value.
var frames = []func(string) string{
	func(v string) string { return v + " " },
	func(v string) string { return "\u00a0" + v + "\u3000" },
	func(v string) string { return "\ufeff" + v + "\r\n" },
	func(v string) string { return "\u202a" + v + "\u202c" },
	func(v string) string { return v[:len(v)/2] + "\u200b" + v[len(v)/2:] },
	wide,
}

// wide writes ASCII in full-width forms.
func wide(v string) string {
	return strings.Map(func(r rune) rune {
		if r > ' ' && r <= '~' {
			return r - '!' + '！'
		}
		return r
	}, v)
}

// grouped writes digits with something between them.
func grouped(digits, between string) string { return digits[:3] + between + digits[3:] }

func TestPasted_values_are_taken_by_every_kind_of_field(t *testing.T) {
	t.Parallel()
	b := setup(t, func(s *api.Server) { s.Limits = nil })
	p := b.proved()

	kinds := map[string]struct {
		value string
		more  []string // further forms
		taken func(t *testing.T, form string) bool
	}{
		"number": {number, []string{
			"+86 138 0013 8000", "0086138-0013-8000", "86 13800138000", "(+86) 138.0013.8000", grouped(number, "\u2011"), grouped(number, " "), "tel:+8613800138000",
		}, func(_ *testing.T, form string) bool {
			return p.get("/v1/mobiles/" + url.PathEscape(form)).Data["count"] == 1.0
		}},
		"name": {"li_lei", []string{"LI_LEI"}, func(_ *testing.T, form string) bool {
			return p.get("/v1/usernames/" + url.PathEscape(form)).Data["count"] == 1.0
		}},
		"address": {address, []string{"mailto:" + address, strings.Replace(address, ".com", "。com", 1)}, func(_ *testing.T, form string) bool {
			return p.post("/v1/sessions", body{"login": form, "password": password}).status == http.StatusCreated
		}},
		"login by number": {number, []string{"+86 " + number, grouped(number, "\u2013")}, func(_ *testing.T, form string) bool {
			return p.post("/v1/sessions", body{"login": form, "password": password}).status == http.StatusCreated
		}},
		"login by name": {"li_lei", nil, func(_ *testing.T, form string) bool {
			return p.post("/v1/sessions", body{"login": form, "password": password}).status == http.StatusCreated
		}},
		"captcha": {captchaText, []string{grouped(captchaText, " "), strings.ToUpper(captchaText)}, func(_ *testing.T, form string) bool {
			return p.post("/v1/captchas/"+p.captcha()+"/check", body{"answer": form}).Data["valid"] == true
		}},
	}
	for name, kind := range kinds {
		forms := kind.more
		for _, frame := range frames {
			forms = append(forms, frame(kind.value))
		}
		for _, form := range append(forms, kind.value) {
			if !kind.taken(t, form) {
				t.Errorf("%s: %q is refused", name, form)
			}
		}
	}
	// Passwords are left as they are.
	p.post("/v1/sessions", body{"login": number, "password": password + " "}).want(401, "4102")
}

func TestPasted_codes_are_taken(t *testing.T) {
	t.Parallel()
	forms := map[string]func(code string) string{
		"message": func(code string) string { return "【Usher】您的验证码是" + code + "，5分钟内有效" },
		"two":     func(code string) string { return grouped(code, " ") },
		"hyphen":  func(code string) string { return grouped(code, "-") },
	}
	for name, form := range forms {
		b := setup(t, nil)
		p := b.person()
		code := p.code(number, "register")
		if got := p.check(number, form(code), "register").want(200, "0"); got.Data["valid"] != true {
			t.Errorf("%s: %q is not valid", name, form(code))
		}
	}
	for i, frame := range frames {
		b := setup(t, nil)
		p := b.person()
		code := p.code(number, "register")
		p.post("/v1/registrations", body{
			"username": frame("han_meimei"), "password": password, "password_repeat": password, "agree": true,
			"mobile": frame(number), "sms_code": frame(code), "email": frame(address), "sms_code_id": b.codeID(number),
		}).want(201, "0")
		if t.Failed() {
			t.Fatalf("frame %d", i)
		}
	}
}

func TestBodies_as_clients_write_them(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	p := b.person()
	for _, media := range []string{
		"application/json; charset=utf8", "application/json;charset=UTF-8", `application/json; charset="utf-8"`, "Application/JSON; Charset=Utf8",
		"application/json; charset='utf-8'", "application/json; charset=us-ascii", "application/json;",
	} {
		p.do(request{method: "POST", path: "/v1/captchas", contentType: media, text: `{"kind":"image"}`}).want(201, "0")
	}
	p.do(request{method: "POST", path: "/v1/captchas", contentType: "application/json", text: "\ufeff{}"}).want(201, "0")
	p.do(request{method: "POST", path: "/v1/captchas", contentType: "application/json", text: "\ufeff\ufeff{}"}).want(400, "4103")

	// Numbers as JSON numbers, where a field has digits.
	code := p.code(number, "login")
	checked := func(mobile, code string) *reply {
		return p.do(request{method: "POST", path: "/v1/sms-codes/check", contentType: "application/json", text: `{"sms_code_id":"` +
			b.codeID(number) + `","mobile":` + mobile + `,"code":` + code + `,"purpose":"login"}`})
	}
	if code[0] != '0' { // JSON has no number that begins with 0
		if got := checked(number, code).want(200, "0"); got.Data["valid"] != true {
			t.Errorf("the code %s as a JSON number is not valid", code)
		}
	}
	for _, odd := range []string{"1.38e10", "13800138000.0", "-13800138000", "true", "[13800138000]", "13800138000e0"} {
		if got := checked(odd, `"1"`); got.status != http.StatusBadRequest || got.Errno != "4103" {
			t.Errorf("mobile %s is answered with %d %s", odd, got.status, got.text)
		}
	}
	for _, field := range []string{"password", "username"} {
		got := p.do(request{method: "POST", path: "/v1/registrations", contentType: "application/json", text: `{"` + field + `":12345678}`})
		got.want(400, "4103")
	}
}

// A key belongs to a body, whatever a client puts in front of it.
func TestIdempotency_compares_bodies_without_their_byte_order_mark(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	p := b.person()
	text := `{"mobile":13800138000,"purpose":"register","captcha_id":"` + p.captcha() + `","captcha":"` + captchaText + `"}`
	for i, prefix := range []string{"", "\ufeff"} {
		got := p.do(request{
			method: "POST", path: "/v1/sms-codes", contentType: "application/json; charset=utf8", text: prefix + text,
			header: http.Header{"Idempotency-Key": {"one-request"}},
		}).want(202, "0")
		if replayed := got.header.Get("Idempotency-Replayed") != ""; replayed != (i == 1) {
			t.Errorf("request %d is replayed: %v", i+1, replayed)
		}
	}
	b.wantCodes(1)
}

// Every endpoint with fields that must be there names all of them at once when none is.
func TestEmpty_bodies_name_every_required_field(t *testing.T) {
	t.Parallel()
	doc := must(loadContract())(t)
	b := setup(t, withTokens(t))
	p := b.proved()
	walked := 0
	for path, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			if op.RequestBody == nil || strings.Contains(path, "{provider}") || forApps(path) { // for vendors, for apps
				continue
			}
			media := op.RequestBody.Value.Content.Get("application/json")
			if media == nil || len(media.Schema.Value.Required) == 0 {
				continue
			}
			walked++
			got := p.do(request{
				method: method, path: strings.Replace(path, "{id}", strings.Repeat("A", 26), 1), contentType: "application/json", text: "{}",
			}).want(422, "4103")
			for _, field := range media.Schema.Value.Required {
				if got.Fields[field] == "" {
					t.Errorf("%s %s: %s is missing, and only %v are named", method, path, field, got.Fields)
				}
			}
		}
	}
	if walked < 10 {
		t.Errorf("only %d endpoints were found", walked)
	}
	for registration, want := range map[accounts.Registration]string{
		accounts.Either:     "agree captcha email mobile password password_repeat username",
		accounts.EmailOnly:  "agree captcha email password password_repeat username",
		accounts.MobileOnly: "agree captcha mobile password password_repeat sms_code sms_code_id username",
		accounts.Both:       "agree captcha email mobile password password_repeat sms_code sms_code_id username",
	} {
		b := setup(t, func(s *api.Server) { s.Accounts.Policy.Registration = registration })
		got := b.person().post("/v1/registrations", body{"sms_code_id": ""}).want(422, "4103")
		for field := range strings.FieldsSeq(want) {
			if field == "captcha" && registration != accounts.EmailOnly && registration != accounts.Either {
				continue // a code is asked for, which has had its captcha
			}
			if got.Fields[field] == "" {
				t.Errorf("registration %s: %s is missing in %v", registration, field, got.Fields)
			}
		}
	}
}

func TestRegistration_sent_twice_is_told_that_it_was_done(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	p := b.person()
	code := p.code(number, "register")
	form := body{
		"username": "li_lei", "password": password, "password_repeat": password, "agree": true, "mobile": number, "sms_code": code,
		"sms_code_id": b.codeID(number),
	}
	replies := make(chan *reply, 2)
	for range 2 {
		go func() { replies <- b.person().post("/v1/registrations", form) }()
	}
	seen := map[int]*reply{}
	for range 2 {
		got := <-replies
		seen[got.status] = got
	}
	if seen[201] == nil || seen[409] == nil || seen[409].Errno != "4003" || !strings.Contains(seen[409].Errmsg, "注册已经成功") {
		t.Fatalf("got %v, want one account and one who hears of it", seen)
	}
	// A page says so too. It is no oracle: with other digits the code has expired, and of the account nothing is said.
	page := p.submit("/register", url.Values{
		"username": {"li_lei"}, "password": {password}, "password_repeat": {password}, "agree": {"true"}, "mobile": {number},
		"sms_code": {code}, "sms_code_id": {b.codeID(number)}, "action": {"register"},
	})
	page.wantPage(409, "注册已经成功")
	form["sms_code"] = another(code, 1)
	wrong := p.post("/v1/registrations", form).want(422, "4203")
	form["sms_code_id"] = strings.Repeat("A", 44)
	if unknown := p.post("/v1/registrations", form).want(422, "4203"); wrong.Errmsg != unknown.Errmsg {
		t.Errorf("other digits: %q; an unknown id: %q", wrong.Errmsg, unknown.Errmsg)
	}
	b.clock.Advance(6 * time.Minute)
	form["sms_code"], form["sms_code_id"] = code, b.codeID(number)
	p.post("/v1/registrations", form).want(422, "4203") // the note ends with the code
}

func TestRegistration_by_address_sent_twice_is_told_that_it_was_done(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	p := b.person()
	form := body{
		"username": "li_lei", "password": password, "password_repeat": password, "agree": true, "email": address,
		"captcha_id": p.captcha(), "captcha": captchaText,
	}
	replies := make(chan *reply, 2)
	for range 2 {
		go func() { replies <- b.person().post("/v1/registrations", form) }()
	}
	seen := map[int]int{}
	for range 2 {
		got := <-replies
		seen[got.status]++
		if got.status != 201 && (got.Errno != "4003" || !strings.Contains(got.Fields["email"], "激活邮件")) {
			t.Errorf("the second request hears %s", got.text)
		}
	}
	if seen[201] != 1 || seen[409] != 1 {
		t.Fatalf("got %v, want one account and one who hears of it", seen)
	}
	// The page shows what it would have shown the first time. No other captcha hears of it, and the note opens nothing.
	p.submit("/register", url.Values{
		"mode": {"email"}, "username": {"li_lei"}, "password": {password}, "password_repeat": {password}, "agree": {"true"}, "email": {address},
		"captcha_id": {form["captcha_id"].(string)}, "captcha": {captchaText}, "action": {"register"},
	}).wantPage(200, address)
	p.post("/v1/captchas/"+form["captcha_id"].(string)+"/check", body{"answer": captchaText}).want(422, "4201")
	p.post("/v1/sms-codes", body{
		"mobile": number, "purpose": "register", "captcha_id": form["captcha_id"], "captcha": captchaText,
	}).want(422, "4201")
	form["captcha_id"] = p.captcha()
	if got := p.post("/v1/registrations", form).want(409, "4003"); got.Fields["username"] == "" {
		t.Errorf("a new captcha hears %v", got.Fields)
	}
	if mails := len(b.mails.all()); mails != 1 {
		t.Errorf("%d mails were sent", mails)
	}
}

// A first request that is refused leaves nothing that the second one could be told.
func TestRegistration_by_address_that_was_refused_is_not_said_to_be_done(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	p := b.person()
	p.signUp("li_lei", number)
	form := body{
		"username": "li_lei", "password": password, "password_repeat": password, "agree": true, "email": address,
		"captcha_id": p.captcha(), "captcha": captchaText,
	}
	p.post("/v1/registrations", form).want(409, "4003")
	p.post("/v1/registrations", form).want(422, "4201")
}

// A second submit of another form is told that the code was used, not that it is too old.
func TestCodes_sent_twice_are_said_to_be_used(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	p := b.person()
	p.signUp("li_lei", number)
	b.clock.Advance(time.Minute)
	code := p.code(number, "login")
	p.post("/v1/sessions", body{"mobile": number, "sms_code": code}).want(201, "0")
	if got := p.post("/v1/sessions", body{"mobile": number, "sms_code": code}).want(422, "4203"); !strings.Contains(got.Errmsg, "已被使用") {
		t.Errorf("the second request hears %q", got.Errmsg)
	}
	if got := p.check(number, code, "login").want(422, "4203"); !strings.Contains(got.Errmsg, "已被使用") {
		t.Errorf("the early check hears %q", got.Errmsg)
	}
}

// No page keeps browsers from saying whose form it is, also where a proxy takes Sec-Fetch-Site away.
func TestPages_let_browsers_send_an_origin(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	p := b.person()
	p.signUp("li_lei", number)
	for _, path := range []string{
		"/register", "/register?mode=email", "/login", "/login?mode=code", "/forgot", "/activate?token=x", "/activate", "/undo", "/undo?token=x",
		"/decline?token=x", "/code?token=x", "/check-mail", "/account", "/account?mode=mobile", "/nothing",
	} {
		got := p.do(request{method: "GET", path: path, header: http.Header{"Accept": {"text/html"}}})
		if policy := got.header.Get("Referrer-Policy"); policy != "same-origin" && policy != "strict-origin" {
			t.Errorf("%s has the policy %q", path, policy)
		}
		if strings.Contains(path, "token") && got.header.Get("Referrer-Policy") != "strict-origin" {
			t.Errorf("%s passes its token on", path)
		}
	}
}
