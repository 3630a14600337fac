package app_test

import (
	"net/http"
	"testing"

	"usher/internal/testclient"
	"usher/internal/testkit"
)

// askMailCode asks for a code by mail until the pause after the code before is over, and returns its id.
func askMailCode(t *testing.T, p *testclient.Client, address, purpose string) (id string) {
	t.Helper()
	testkit.Eventually(t, testkit.Patience, func() bool {
		answer := p.Do(http.MethodPost, "/v1/email-codes", p.Captcha(map[string]any{"email": address, "purpose": purpose}))
		if answer.Status == http.StatusAccepted {
			id = answer.Text("email_code_id")
		}
		return id != ""
	}, "a code by mail is on its way")
	return id
}

// A person with an address alone registers, signs in, has forgotten the password and moves to another address, each with
// what the mail says: the digits, or the button.
func TestMail_codes_carry_a_person_from_registration_to_another_address(t *testing.T) {
	t.Parallel()
	d := deploy(t, testkit.Miniredis(t), testkit.SQLite(t), map[string]string{
		"USHER_EMAIL_CODE_RESEND_INTERVAL": "1s",
		"USHER_LIMITS":                     "captcha_ip=off,email_code_ip=off", // the test asks until the pause is over
	})
	const address, next, first, second = "lilei@example.com", "li.lei@example.org", "correct horse battery", "another good one"
	p, other := d.person(t), d.person(t)

	id := askMailCode(t, p, address, "register")
	code, _ := p.ReadMailCode(address, 1)
	registered := p.Must(http.StatusCreated, http.MethodPost, "/v1/registrations", map[string]any{
		"username": "lilei_1", "password": first, "password_repeat": first, "agree": true,
		"email": address, "email_code_id": id, "email_code": code,
	})
	if registered.Data["email_active"] != true {
		t.Errorf("registered account is %v", registered.Data)
	}
	p.Must(http.StatusOK, http.MethodGet, "/v1/sessions/current", nil)

	askMailCode(t, other, address, "login")
	_, login := other.ReadMailCode(address, 2)
	other.Must(http.StatusCreated, http.MethodPost, "/v1/sessions", map[string]any{"email_code_token": login})
	other.Must(http.StatusUnprocessableEntity, http.MethodPost, "/v1/sessions", map[string]any{"email_code_token": login})

	id = askMailCode(t, other, address, "reset_password")
	reset, _ := other.ReadMailCode(address, 3)
	other.Must(http.StatusOK, http.MethodPost, "/v1/password-resets", map[string]any{
		"email": address, "email_code_id": id, "email_code": reset, "password": second, "password_repeat": second,
	})
	p.Must(http.StatusUnauthorized, http.MethodGet, "/v1/sessions/current", nil)
	p.Must(http.StatusCreated, http.MethodPost, "/v1/sessions", map[string]any{"login": address, "password": second})

	askMailCode(t, p, next, "change_email")
	_, change := p.ReadMailCode(next, 1)
	p.Must(http.StatusOK, http.MethodPut, "/v1/account/email", map[string]any{"email_code_token": change, "password": second})
	p.Must(http.StatusOK, http.MethodGet, "/v1/sessions/current", nil)
	other.Must(http.StatusCreated, http.MethodPost, "/v1/sessions", map[string]any{"login": next, "password": second})
	if found := testkit.FindSecrets(d.log.Bytes(), address, next, code, login, reset, change); found != nil {
		t.Errorf("the log shows %q", found)
	}
}
