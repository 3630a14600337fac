package testclient

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
func (c *Client) Walk(j Journey) {
	c.t.Helper()
	c.Register(j)
	c.Must(http.StatusOK, http.MethodPost, "/v1/activations",
		map[string]any{"token": c.ReadToken(j.Email, 1)})
	c.signOut()

	session := c.Must(http.StatusCreated, http.MethodPost, "/v1/sessions",
		map[string]any{"login": strings.ToUpper(j.Username), "password": j.Password})
	if session.Data["email_active"] != true {
		c.t.Errorf("after activation the account is %s", session.Body)
	}
	c.signOut()
	c.signInByCode(j)
}

// Register signs the person up and leaves the session open.
func (c *Client) Register(j Journey) {
	c.t.Helper()
	id := c.AskCode(j.Mobile, "register")
	code := c.ReadCode(j.Mobile, 1)
	check := c.Must(http.StatusOK, http.MethodPost, "/v1/sms-codes/check",
		map[string]any{"mobile": j.Mobile, "code": code, "purpose": "register"})
	if check.Data["valid"] != true {
		c.t.Fatalf("the code that arrived is %s", check.Body)
	}
	account := c.Must(http.StatusCreated, http.MethodPost, "/v1/registrations", map[string]any{
		"username": j.Username, "password": j.Password, "password_repeat": j.Password, "agree": true,
		"mobile": j.Mobile, "sms_code": code, "email": j.Email,
	})
	if account.Data["active"] != true || account.Data["email_active"] != false ||
		account.Text("mobile") == j.Mobile || account.Text("email") == j.Email {
		c.t.Errorf("account = %s", account.Body)
	}
	current := c.Must(http.StatusOK, http.MethodGet, "/v1/sessions/current", nil)
	if current.Text("username") != j.Username {
		c.t.Errorf("signed in as %s", current.Body)
	}
	status := c.Must(http.StatusOK, http.MethodGet, "/v1/sms-codes/"+id, nil)
	if status.Text("status") != "used" {
		c.t.Errorf("status of a used code = %s", status.Body)
	}
}

func (c *Client) signInByCode(j Journey) {
	c.t.Helper()
	// The resend interval may still run: a person waits and asks again.
	for again := time.NewTicker(400 * time.Millisecond); ; <-again.C {
		answer := c.Do(http.MethodPost, "/v1/sms-codes",
			c.Captcha(map[string]any{"mobile": j.Mobile, "purpose": "login"}))
		if answer.Status == http.StatusAccepted {
			break
		}
		if answer.Status != http.StatusTooManyRequests {
			c.t.Fatalf("asking for a code again = %d %s", answer.Status, answer.Body)
		}
	}
	c.Must(http.StatusCreated, http.MethodPost, "/v1/sessions",
		map[string]any{"mobile": j.Mobile, "sms_code": c.ReadCode(j.Mobile, 2)})
	c.signOut()
}

// signOut signs out and checks that the session has ended.
func (c *Client) signOut() {
	c.t.Helper()
	c.Must(http.StatusOK, http.MethodDelete, "/v1/sessions/current", nil)
	if gone := c.Do(http.MethodGet, "/v1/sessions/current", nil); gone.Status != http.StatusUnauthorized {
		c.t.Errorf("after signing out: %d %s", gone.Status, gone.Body)
	}
}
