package api_test

import (
	"net/http"
	"testing"
	"time"

	"usher/accounts"
)

func TestMails_are_in_the_language_of_the_request_that_caused_them(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	p := b.person()
	p.header = http.Header{"Accept-Language": {"en-GB,en;q=0.9"}}
	p.post("/v1/registrations", body{
		"username": "li_lei", "password": password, "password_repeat": password, "agree": true,
		"mobile": number, "sms_code": p.code(number, "register"), "email": address,
	}).want(201, "0")
	p.header = http.Header{"Accept-Language": {"zh-CN"}}
	p.post("/v1/activations/resend", body{"email": address}).want(202, "0")
	p.post("/v1/activations", body{"token": b.lastToken(address)}).want(200, "0")
	b.clock.Advance(time.Minute)
	p.header = http.Header{"Accept-Language": {"en"}}
	p.post("/v1/password-resets", body{
		"mobile": number, "sms_code": p.code(number, "reset_password"),
		"password": "another good one", "password_repeat": "another good one",
	}).want(200, "0")

	want := []struct {
		purpose  accounts.MailPurpose
		language string
	}{{accounts.MailActivation, "en"}, {accounts.MailActivation, "zh"}, {accounts.MailPasswordChanged, "en"}}
	for _, code := range b.sms.all() {
		if code.Language != "en" {
			t.Errorf("code for %s is in %q", code.Purpose, code.Language)
		}
	}
	mails := b.mails.all()
	if len(mails) != len(want) {
		t.Fatalf("%d mails, want %d", len(mails), len(want))
	}
	for i, mail := range mails {
		if mail.Purpose != want[i].purpose || mail.Language != want[i].language || mail.RequestID == "" {
			t.Errorf("mail %d is %s in %q of request %q, want %+v", i, mail.Purpose, mail.Language, mail.RequestID, want[i])
		}
	}
}
