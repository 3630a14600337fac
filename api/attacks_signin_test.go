package api_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"usher/api"
	"usher/limits"
	"usher/store/redisstore"
)

// try tries a password; with a captcha when told to.
func (p *person) try(login, word string, withCaptcha bool) *reply {
	p.b.t.Helper()
	given := body{"login": login, "password": word}
	if withCaptcha {
		given["captcha_id"], given["captcha"] = p.captcha(), captchaText
	}
	return p.post("/v1/sessions", given)
}

// withoutTries takes the limit of all tries of an address away, and that of captchas; and lets fewer
// strangers fail, since every failure costs a hash.
func withoutTries(s *api.Server, _ *redisstore.Store) {
	delete(s.Limits, limits.LoginIP)
	delete(s.Limits, limits.CaptchaIP)
	s.Limits[limits.LoginNameAll] = limits.Limit{Name: limits.LoginNameAll, Count: failures, Period: 15 * time.Minute}
}

// failures is how many strangers may fail together: more than those of one network.
const failures = 12

func TestSignIn_right_passwords_cost_nothing(t *testing.T) {
	t.Parallel()
	b := onRedis(t, nil)
	b.at(anyAddress(1)).signUp("li_lei", number)
	for range 12 {
		b.at(sameAddress(0)).try("li_lei", password, false).want(201, "0")
	}
}

func TestSignIn_demands_a_captcha_after_three_failures(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ login, address func(i int) string }{
		"for one name from anywhere":      {func(int) string { return "li_lei" }, anyAddress},
		"for one name in its spellings":   {func(i int) string { return []string{"LI_LEI", "ｌｉ_ｌｅｉ", "li_lei", "Li_Lei"}[i] }, anyAddress},
		"for one number in its spellings": {func(i int) string { return []string{"13800138000", "+86 13800138000", "8613800138000", number}[i] }, anyAddress},
		"from one address for any name":   {func(i int) string { return fmt.Sprintf("somebody_%d", i) }, sameAddress},
		"for a name that is not allowed":  {func(int) string { return "!!" }, anyAddress},
		"for a name that was never taken": {func(int) string { return "never_taken" }, anyAddress},
		"from one address, own or not":    {func(i int) string { return []string{"li_lei", "a@example.com", "!!", "li_lei"}[i] }, sameAddress},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := onRedis(t, nil)
			b.at("192.0.2.1").signUp("li_lei", number)
			for i := range 3 {
				b.at(test.address(i)).try(test.login(i), "wrong password", false).want(401, "4102")
			}
			p := b.at(test.address(3))
			p.try(test.login(3), password, false).want(422, "4202")
			p.try(test.login(3), "wrong password", true).want(401, "4102")
			b.clock.Advance(16 * time.Minute)
			p.try(test.login(3), "wrong password", false).want(401, "4102")
		})
	}
}

func TestSignIn_parallel_failures_are_counted_before_they_are_compared(t *testing.T) {
	t.Parallel()
	b := onRedis(t, withoutTries)
	b.at("192.0.2.1").signUp("li_lei", number)
	got := together(200, func(i int) *reply {
		return b.at(anyAddress(i)).try("li_lei", fmt.Sprintf("wrong password %d", i), false)
	})
	if got["401 4102"] != 3 || got["422 4202"] != 197 {
		t.Errorf("answers %v, want 3 compared and 197 asked for a captcha", got)
	}
}

func TestSignIn_slows_down_one_network_and_then_all_strangers(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		address func(int) string
		count   int
		status  int
		errno   string
	}{
		"one address":   {sameAddress, 10, 429, "4206"},
		"one network":   {sameNetwork, 10, 429, "4206"},
		"many networks": {anyAddress, failures, 422, "4202"}, // a captcha of the high price is demanded
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := onRedis(t, withoutTries)
			owner := b.at("192.0.2.1")
			owner.signUp("li_lei", number)
			for i := range test.count {
				b.at(test.address(i)).try("li_lei", "wrong password", true).want(401, "4102")
			}
			wait := 15*time.Minute + 16*time.Second
			for i := range 3 {
				refused := b.at(test.address(test.count+i)).try("li_lei", password, true).want(test.status, test.errno)
				if test.status == http.StatusTooManyRequests && (refused.wait() <= 0 || refused.wait() > wait) {
					t.Errorf("Retry-After is %v", refused.wait())
				}
			}

			// The owner is not held up where he has been, nor anywhere with a code.
			for range 3 {
				owner.try("li_lei", password, true).want(201, "0")
			}
			traveller := b.at(test.address(0))
			b.clock.Advance(time.Minute)
			traveller.post("/v1/sessions", body{"mobile": number, "sms_code": owner.code(number, "login")}).want(201, "0")

			b.clock.Advance(wait)
			b.at(test.address(test.count)).try("li_lei", password, true).want(201, "0")
		})
	}
}

// A sign-in makes a network known under every name of the account.
func TestSignIn_by_code_makes_a_network_known(t *testing.T) {
	t.Parallel()
	b := onRedis(t, withoutTries)
	owner := b.at("192.0.2.1")
	b.at("198.51.100.1").signUp("li_lei", number)
	b.clock.Advance(time.Minute)
	owner.post("/v1/sessions", body{"mobile": number, "sms_code": owner.code(number, "login")}).want(201, "0")
	for _, login := range []string{"li_lei", number} {
		for i := range failures {
			b.at(anyAddress(i)).try(login, "wrong password", true).want(401, "4102")
		}
		b.at(anyAddress(99)).try(login, password, true).want(422, "4202")
		owner.try(login, password, true).want(201, "0")
	}
	b.clock.Advance(31 * 24 * time.Hour)
	for i := range failures {
		b.at(anyAddress(i)).try("li_lei", "wrong password", true).want(401, "4102")
	}
	owner.try("li_lei", password, true).want(422, "4202")
}

// shapeOf is an answer without what differs between any two.
func (r *reply) shapeOf() string {
	return fmt.Sprint(r.status, " ", strings.ReplaceAll(r.text, r.RequestID, "ID"))
}

func TestStrangers_learn_nothing_about_accounts(t *testing.T) {
	t.Parallel()
	b := onRedis(t, func(s *api.Server, _ *redisstore.Store) {
		for name := range s.Limits { // they would tell how often was asked, not whom
			delete(s.Limits, name)
		}
	})
	p := b.at(sameAddress(0))
	p.signUp("li_lei", number)
	p.post("/v1/registrations", body{
		"username": "han_meimei", "password": password, "password_repeat": password, "agree": true, "email": address,
		"captcha_id": p.captcha(), "captcha": captchaText,
	}).want(201, "0")
	b.clock.Advance(2 * time.Minute)
	const stranger = "13900139000"
	ask := func(mobile, purpose string) func() *reply {
		return func() *reply {
			r := p.post("/v1/sms-codes", body{
				"mobile": mobile, "purpose": purpose, "captcha_id": p.captcha(), "captcha": captchaText,
			})
			r.text = strings.ReplaceAll(r.text, r.str("sms_code_id"), strings.Repeat("x", 44))
			return r
		}
	}
	post := func(path string, given body) func() *reply {
		return func() *reply { return p.post(path, given) }
	}
	reset := func(mobile string) body {
		return body{"mobile": mobile, "sms_code": "000000", "password": "another " + password, "password_repeat": "another " + password}
	}
	signUpForm := func(username, mobile, email string) body {
		return body{
			"username": username, "password": password, "password_repeat": password, "agree": true,
			"mobile": mobile, "sms_code": "000000", "email": email,
		}
	}
	for name, pair := range map[string][2]func() *reply{
		"resending":                  {post("/v1/activations/resend", body{"email": address}), post("/v1/activations/resend", body{"email": "unknown@example.com"})},
		"signing in by name":         {post("/v1/sessions", body{"login": "li_lei", "password": "wrong password"}), post("/v1/sessions", body{"login": "unknown", "password": "wrong password"})},
		"signing in by address":      {post("/v1/sessions", body{"login": address, "password": "wrong password"}), post("/v1/sessions", body{"login": "x@example.com", "password": "wrong password"})},
		"signing in with no code":    {post("/v1/sessions", body{"mobile": number, "sms_code": "000000"}), post("/v1/sessions", body{"mobile": stranger, "sms_code": "000000"})},
		"registering with no code":   {post("/v1/registrations", signUpForm("li_lei", number, address)), post("/v1/registrations", signUpForm("unknown", stranger, "unknown@example.com"))},
		"registering a known name":   {post("/v1/registrations", signUpForm("li_lei", stranger, "")), post("/v1/registrations", signUpForm("unknown", stranger, ""))},
		"resetting with no code":     {post("/v1/password-resets", reset(number)), post("/v1/password-resets", reset(stranger))},
		"a code for registering":     {ask(number, "register"), ask(stranger, "register")},
		"a code for signing in":      {ask("13800138001", "login"), ask("13900139001", "login")},
		"a code for a new password":  {ask("13800138002", "reset_password"), ask("13900139002", "reset_password")},
		"an activation of a made-up": {post("/v1/activations", body{"token": "k1.e30.AAAA"}), post("/v1/activations", body{"token": "k1.e30.BBBB"})},
	} {
		known, unknown := pair[0](), pair[1]()
		if a, z := known.shapeOf(), unknown.shapeOf(); a != z {
			t.Errorf("%s: known %s, unknown %s", name, a, z)
		}
		for _, header := range []string{"Content-Length", "Retry-After", "Ratelimit"} {
			if known.header.Get(header) != unknown.header.Get(header) {
				t.Errorf("%s: %s is %q for a known account and %q for none", name, header, known.header.Get(header), unknown.header.Get(header))
			}
		}
	}
}

func TestHost_and_next_of_a_request_lead_nowhere(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	p := b.person()
	p.signUp("li_lei", number)
	p.header = http.Header{"X-Forwarded-Host": {"evil.example"}, "X-Forwarded-Proto": {"https"}, "Forwarded": {"host=evil.example"}}
	for _, path := range []string{"/", "/login?next=https://evil.example/", "/register", "/forgot", "/activate?token=x&next=//evil.example", "/account"} {
		got := p.get(path)
		if strings.Contains(got.text, "evil.example") || strings.Contains(got.header.Get("Location"), "evil") {
			t.Errorf("%s shows or leads to the stranger's host: %q", path, got.header.Get("Location"))
		}
	}
	form := map[string][]string{
		"login": {"li_lei"}, "password": {password}, "next": {"https://evil.example/"}, "mode": {"password"}, "action": {"sign_in"},
	}
	if to := p.submit("/login?next=https://evil.example/", form).header.Get("Location"); to != "/account" {
		t.Errorf("after signing in one is led to %q", to)
	}
}

func TestAddresses_that_inject_are_refused(t *testing.T) {
	t.Parallel()
	b := setup(t, func(s *api.Server) { s.Limits = nil })
	p := b.person()
	for _, bad := range []string{
		"a@example.com\r\nBcc: b@example.com", "a@example.com\nb", "a@example.com,b@example.com", "a@example.com b@example.com",
		"<a@example.com>", "A <a@example.com>", "\"a\r\nb\"@example.com", "a@example.com\x00", "a@[127.0.0.1]", "a@example.com>",
		"a@example.com\u2028b@example.com", "a;b@example.com",
	} {
		for path, given := range map[string]body{
			"/v1/activations/resend": {"email": bad},
			"/v1/registrations": {
				"username": "li_lei", "password": password, "password_repeat": password, "agree": true, "email": bad,
				"captcha_id": p.captcha(), "captcha": captchaText,
			},
		} {
			if got := p.post(path, given); got.status != 422 && got.status != 400 || got.Errno != "4103" {
				t.Errorf("%s with %q: %s", path, bad, got.text)
			}
		}
	}
	if n := len(b.mails.all()); n != 0 {
		t.Errorf("%d mails were queued", n)
	}
}
