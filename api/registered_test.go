package api_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"usher/api"
	"usher/limits"
)

// requestCode asks for a code with a right captcha.
func (p *person) requestCode(mobile, purpose string) *reply {
	p.b.t.Helper()
	return p.post("/v1/sms-codes", body{"mobile": mobile, "purpose": purpose, "captcha_id": p.captcha(), "captcha": captchaText})
}

func refuseRegistered(s *api.Server) { s.Config.RefuseRegistered = true }

func TestRegistered_numbers_get_no_code_for_a_registration_where_the_operator_says_so(t *testing.T) {
	t.Parallel()
	b := setup(t, refuseRegistered)
	b.person().signUp("li_lei", number)
	b.clock.Advance(2 * time.Minute)
	sent := len(b.sms.all())
	p := b.person()
	if got := p.requestCode("+86 "+number, "register").want(409, "4003"); got.Fields["mobile"] == "" {
		t.Errorf("no sentence beside the number: %s", got.text)
	}
	b.clock.Advance(2 * time.Minute)
	p.submit("/register", url.Values{
		"action": {"send_code"}, "mobile": {number}, "captcha_id": {p.captcha()}, "captcha": {captchaText},
	}).wantPage(409, "这个手机号已")
	if len(b.sms.all()) != sent {
		t.Fatal("a code was sent")
	}
	p.requestCode(number, "login").want(202, "0") // the refusals cost no pause
	p.requestCode("13900139000", "register").want(202, "0")
	if len(b.sms.all()) != sent+2 {
		t.Errorf("%d codes were sent, want one for the sign-in and one for the number without an account", len(b.sms.all())-sent)
	}
}

func TestRegistered_numbers_that_a_new_holder_may_claim_get_their_code(t *testing.T) {
	t.Parallel()
	b := setup(t, refuseRegistered)
	b.proved()
	b.clock.Advance(180 * 24 * time.Hour)
	b.person().requestCode(number, "register").want(202, "0")
}

func TestRegistered_numbers_are_told_no_oftener_than_by_a_look_up(t *testing.T) {
	t.Parallel()
	b := setup(t, func(s *api.Server) {
		refuseRegistered(s)
		for _, name := range []limits.Name{limits.LookupIP, limits.LookupIP.Net()} {
			s.Limits[name] = limits.Limit{Name: name, Count: 1, Period: time.Hour}
		}
	})
	p := b.person()
	p.signUp("li_lei", number) // its code is the one look-up of the hour
	sent := len(b.sms.all())
	got := p.requestCode("13900139000", "register").want(429, "4206")
	if got.header.Get("Retry-After") == "" || len(b.sms.all()) != sent {
		t.Errorf("no time to wait, or a code was sent: %v", got.header)
	}
	p.post("/v1/sms-codes", body{"mobile": number, "purpose": "register", "captcha_id": p.captcha(), "captcha": strings.Repeat("x", 4)}).want(422, "4202")
}
