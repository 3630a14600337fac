package smtp_test

import (
	"bytes"
	"mime"
	"net/mail"
	"strings"
	"testing"
	"time"

	"usher/providers/providertest"
	"usher/providers/smtp"
)

func TestRender_folds_subjects_that_every_reader_puts_together(t *testing.T) {
	t.Parallel()
	for _, subject := range []string{
		"请激活您的账号", "Activate your account", strings.Repeat("激", 100), strings.Repeat("a", 61), strings.Repeat("🦄é ", 30) + "完",
		"=?UTF-8?B?5rW36ams?=", "two  blanks  " + strings.Repeat("x ", 40) + "x",
	} {
		email := providertest.Email(t)
		email.Subject = subject
		raw, err := smtp.Render("海马 <a@example.com>", email, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		message, err := mail.ReadMessage(bytes.NewReader(raw))
		if err != nil {
			t.Fatal(err)
		}
		got, err := new(mime.WordDecoder).DecodeHeader(message.Header.Get("Subject"))
		if err != nil || got != subject {
			t.Errorf("%q is read as %q, %v", subject, got, err)
		}
		if bytes.Contains(raw, []byte("Subject:\r\n")) {
			t.Errorf("%q begins on the line after its name", subject)
		}
		for line := range bytes.Lines(raw) {
			if len(line) > 78+len("\r\n") {
				t.Errorf("%q makes a line of %d characters: %s", subject, len(line), line)
			}
		}
	}
}

func TestRender_refuses_a_sender_that_is_none(t *testing.T) {
	t.Parallel()
	if _, err := smtp.Render("no address", providertest.Email(t), time.Now()); err == nil || !strings.Contains(err.Error(), "USHER_MAIL_FROM") {
		t.Errorf("got %v, want a mistake of USHER_MAIL_FROM", err)
	}
}
