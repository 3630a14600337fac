package api_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"testing"
	"time"

	"usher/internal/testkit"
)

// volatile is what differs from run to run in an answer.
var volatile = regexp.MustCompile(`"(request_id|sms_code_id|captcha_id|id)": "[^"]+"|(data:[a-z/]+;base64,)[^"]+`)

// golden renders an answer as a file that a reader of the contract can learn from.
func (r *reply) golden(name string) {
	r.t.Helper()
	var out bytes.Buffer
	fmt.Fprintf(&out, "%d %s\n", r.status, http.StatusText(r.status))
	for _, header := range []string{"Retry-After", "Ratelimit", "Ratelimit-Policy", "Allow"} {
		if value := r.header.Get(header); value != "" {
			fmt.Fprintf(&out, "%s: %s\n", header, value)
		}
	}
	var text bytes.Buffer
	if err := json.Indent(&text, []byte(r.text), "", "  "); err != nil {
		r.t.Fatal(err)
	}
	out.WriteString("\n" + volatile.ReplaceAllString(text.String(), `"$1": "$2…"`) + "\n")
	testkit.Golden(r.t, name+".http", out.Bytes())
}

func TestAnswers_are_as_recorded(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	p, english := b.person(), b.person()
	english.header = http.Header{"Accept-Language": {"en"}}

	p.post("/v1/captchas", body{}).golden("captcha_image")
	p.post("/v1/captchas", body{"kind": "audio", "replaces": p.captcha()}).golden("captcha_audio")
	p.post("/v1/captchas/"+p.captcha()+"/check", body{"answer": "no"}).golden("captcha_check")
	sent := p.send(number)
	sent.golden("code")
	p.send(number).golden("code_too_soon")
	p.get("/v1/sms-codes/" + sent.str("sms_code_id")).golden("code_status")
	p.post("/v1/sms-codes/check", body{"mobile": number, "code": wrongFor(b.lastCode()), "purpose": "register"}).golden("code_wrong")
	p.post("/v1/sms-codes/check", body{"mobile": number, "code": "123456", "purpose": "login"}).golden("code_expired")

	form := body{
		"username": "li_lei", "password": password, "password_repeat": password, "agree": true,
		"mobile": number, "sms_code": wrongFor(b.lastCode()), "email": address,
	}
	p.post("/v1/registrations", form).golden("registration_wrong_code")
	form["sms_code"] = b.lastCode()
	p.post("/v1/registrations", form).golden("registration")
	form["mobile"], form["sms_code"] = nextNumber, p.code(nextNumber, "register")
	p.post("/v1/registrations", form).golden("registration_exists")
	bad := body{"username": "x", "password": "1", "password_repeat": "2", "mobile": "1", "email": "1"}
	p.post("/v1/registrations", bad).golden("registration_fields")
	english.post("/v1/registrations", bad).golden("registration_fields_en")
	p.get("/v1/usernames/li_lei").golden("username")
	p.get("/v1/mobiles/" + number).golden("mobile")
	p.post("/v1/activations", body{"token": "x"}).golden("activation_invalid")
	p.post("/v1/activations", body{"token": b.lastToken(address)}).golden("activation")
	p.post("/v1/activations/resend", body{"email": address}).golden("resend")

	p.get("/v1/sessions/current").golden("session")
	p.put("/v1/account/password", newPasswords("not this one", nextPassword)).golden("account_password_wrong")
	p.put("/v1/account/email", body{"email": nextAddress, "password": password}).golden("account_email")
	p.delete("/v1/sessions").golden("sessions_end_others")
	p.delete("/v1/sessions/current").golden("session_end")
	p.get("/v1/sessions/current").golden("session_none")
	p.post("/v1/sessions", body{"login": "li_lei", "password": "wrong"}).golden("session_wrong")
	english.post("/v1/sessions", body{"login": "li_lei", "password": "wrong"}).golden("session_wrong_en")
	b.clock.Advance(time.Minute)
	p.post("/v1/password-resets", body{
		"mobile": number, "sms_code": p.code(number, "reset_password"), "password": "another good one", "password_repeat": "another good one",
	}).golden("password_reset")
	p.get("/v1/nothing").golden("not_found")
	english.do(request{method: "PUT", path: "/v1/sessions"}).golden("method_en")
	english.do(request{method: "POST", path: "/v1/sessions", contentType: "application/json", text: "{"}).golden("malformed_en")
}

// wrongFor returns a code that is not this one.
func wrongFor(code string) string {
	if code == "111111" {
		return "222222"
	}
	return "111111"
}
