package person

import (
	"net/http"
	"strings"
	"time"
)

// Journey is the whole way, with what one run of it uses.
type Journey struct {
	Username, Password, Mobile, Email string
}

// Walk goes the whole way: code, registration, activation, sign-in by password and by code, sign-out.
// It needs a number that no code was sent to within the resend interval, and a resend interval that has
// passed by the second code; the tests set it to a second.
func (p *Person) Walk(j Journey) {
	p.t.Helper()
	p.Register(j)
	p.Must(http.StatusOK, http.MethodPost, "/v1/activations",
		map[string]any{"token": p.ReadToken(j.Email, 1)})
	p.signOut()

	session := p.Must(http.StatusCreated, http.MethodPost, "/v1/sessions",
		map[string]any{"login": strings.ToUpper(j.Username), "password": j.Password})
	if session.Data["email_active"] != true {
		p.t.Errorf("after activation the account is %s", session.Body)
	}
	p.signOut()
	p.signInByCode(j)
}

// Register signs the person up and leaves the session open.
func (p *Person) Register(j Journey) {
	p.t.Helper()
	id := p.AskCode(j.Mobile, "register")
	code := p.ReadCode(j.Mobile, 1)
	check := p.Must(http.StatusOK, http.MethodPost, "/v1/sms-codes/check",
		map[string]any{"mobile": j.Mobile, "code": code, "purpose": "register"})
	if check.Data["valid"] != true {
		p.t.Fatalf("the code that arrived is %s", check.Body)
	}
	account := p.Must(http.StatusCreated, http.MethodPost, "/v1/registrations", map[string]any{
		"username": j.Username, "password": j.Password, "password_repeat": j.Password, "agree": true,
		"mobile": j.Mobile, "sms_code": code, "email": j.Email,
	})
	if account.Data["active"] != true || account.Data["email_active"] != false ||
		account.Text("mobile") == j.Mobile || account.Text("email") == j.Email {
		p.t.Errorf("account = %s", account.Body)
	}
	current := p.Must(http.StatusOK, http.MethodGet, "/v1/sessions/current", nil)
	if current.Text("username") != j.Username {
		p.t.Errorf("signed in as %s", current.Body)
	}
	status := p.Must(http.StatusOK, http.MethodGet, "/v1/sms-codes/"+id, nil)
	if status.Text("status") != "used" {
		p.t.Errorf("status of a used code = %s", status.Body)
	}
}

func (p *Person) signInByCode(j Journey) {
	p.t.Helper()
	// The resend interval may still run: a person waits and asks again.
	for again := time.NewTicker(400 * time.Millisecond); ; <-again.C {
		answer := p.Do(http.MethodPost, "/v1/sms-codes",
			p.Captcha(map[string]any{"mobile": j.Mobile, "purpose": "login"}))
		if answer.Status == http.StatusAccepted {
			break
		}
		if answer.Status != http.StatusTooManyRequests {
			p.t.Fatalf("asking for a code again = %d %s", answer.Status, answer.Body)
		}
	}
	p.Must(http.StatusCreated, http.MethodPost, "/v1/sessions",
		map[string]any{"mobile": j.Mobile, "sms_code": p.ReadCode(j.Mobile, 2)})
	p.signOut()
}

func (p *Person) signOut() {
	p.t.Helper()
	p.Must(http.StatusOK, http.MethodDelete, "/v1/sessions/current", nil)
	if gone := p.Do(http.MethodGet, "/v1/sessions/current", nil); gone.Status != http.StatusUnauthorized {
		p.t.Errorf("after signing out: %d %s", gone.Status, gone.Body)
	}
}
