package api_test

import (
	"net/url"
	"testing"
)

// A name that is made to look like an existing one is refused. Typed at sign-in it means the existing one: there is no
// other.
func TestNames_that_look_alike_are_taken(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	b.person().signUp("admin12345", "13800138000")
	b.person().signUp("ooooo_1", "13800138001")

	p := b.person()
	register := func(name string) *reply {
		return p.post("/v1/registrations", body{
			"username": name, "password": password, "password_repeat": password, "agree": true, "email": "li@example.com",
			"captcha_id": p.captcha(), "captcha": captchaText,
		})
	}
	register("\u0430dmin12345").want(422, "4103") // a Cyrillic a
	register("\u043e\u043e\u043e\u043e\u043e_1").want(409, "4003")
	p.get("/v1/usernames/"+url.PathEscape("\u0430dmin12345")).want(422, "4103")
	if got := p.get("/v1/usernames/"+url.PathEscape("\u043e\u043e\u043e\u043e\u043e_1")).want(200, "0"); got.Data["count"] != 1.0 {
		t.Errorf("count of a look-alike = %v, want 1", got.Data["count"])
	}
}
