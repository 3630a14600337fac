package app_test

import (
	"net/http"
	"strings"
	"testing"

	"usher/internal/testkit"
)

// The sandbox has no mailbox whose name ends in +550.
func TestMail_that_bounces_is_the_last_one_until_the_address_is_typed_again(t *testing.T) {
	t.Parallel()
	d := deploy(t, testkit.Miniredis(t), testkit.SQLite(t), map[string]string{"USHER_LIMIT_RESEND_ACCOUNT": "9/1h"})
	refused := func(field string, n int) {
		t.Helper()
		testkit.Eventually(t, testkit.Patience, func() bool {
			return strings.Count(d.log.String(), field) == n
		}, "%d mails end with %s", n, field)
	}
	p, journey := d.person(t), lilei()
	journey.Email = "lilei+550@example.com"
	p.Register(journey)
	refused(`"code":"550-5.2.1"`, 1)

	// Their own session is told; a stranger is not, and no server is asked again.
	resend := map[string]any{"email": journey.Email}
	answer := p.Do(http.MethodPost, "/v1/activations/resend", resend)
	if answer.Status != http.StatusUnprocessableEntity || !strings.Contains(string(answer.Body), "邮件无法送达") {
		t.Errorf("resend = %d %s, want that the address does not exist", answer.Status, answer.Body)
	}
	waiting := d.person(t)
	waiting.Must(http.StatusCreated, http.MethodPost, "/v1/registrations", waiting.Captcha(map[string]any{
		"username": "han_meimei", "password": journey.Password, "password_repeat": journey.Password, "agree": true, "email": journey.Email,
	}))
	refused(`"code":"550-5.2.1"`, 2) // the address was typed again
	d.person(t).Must(http.StatusAccepted, http.MethodPost, "/v1/activations/resend", resend)
	refused(`"reason":"bounced"`, 1)

	p.Must(http.StatusOK, http.MethodPut, "/v1/account/email", map[string]any{"email": journey.Email, "password": journey.Password})
	refused(`"code":"550-5.2.1"`, 3)
	refused(`"reason":"bounced"`, 1)
	if found := testkit.FindSecrets(d.log.Bytes(), journey.Email); found != nil {
		t.Errorf("the log shows %q", found)
	}
}
