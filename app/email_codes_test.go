package app_test

import (
	"net/http"
	"testing"
	"time"

	"usher/internal/testkit"
	"usher/messages"
	"usher/store/sqlstore"
)

// The whole way of two codes by mail: one is typed, the button of the other is pressed.
func TestCodes_by_mail_arrive_with_a_button_that_does_the_same(t *testing.T) {
	t.Parallel()
	d := deploy(t, testkit.Redis(t), testkit.SQLite(t), map[string]string{"USHER_EMAIL_CODE_RESEND_INTERVAL": "1s"})
	p, journey := d.person(t), lilei()
	typedID := p.AskMailCode(journey.Email, "register")
	code, pressed := p.ReadMailCode(journey.Email, 1)
	if status := p.Must(http.StatusOK, http.MethodGet, "/v1/email-codes/"+typedID, nil).Text("status"); status != "sent" && status != "queued" {
		t.Errorf("status of a code that arrived: %s", status)
	}
	for name, proof := range map[string]map[string]any{
		"code": {"email": journey.Email, "email_code_id": typedID, "code": code}, "button": {"email_code_token": pressed},
	} {
		proof["purpose"] = "register"
		if answer := p.Must(http.StatusOK, http.MethodPost, "/v1/email-codes/check", proof); answer.Data["valid"] != true {
			t.Errorf("%s: check = %s", name, answer.Body)
		}
	}
	account := p.Must(http.StatusCreated, http.MethodPost, "/v1/registrations", map[string]any{
		"username": journey.Username, "password": journey.Password, "password_repeat": journey.Password, "agree": true,
		"email": journey.Email, "email_code_id": typedID, "email_code": code,
	})
	if account.Data["active"] != true || account.Data["email_active"] != true {
		t.Errorf("account = %s", account.Body)
	}
	// The button of a used code is used as well.
	p.Must(http.StatusUnprocessableEntity, http.MethodPost, "/v1/email-codes/check", map[string]any{"email_code_token": pressed, "purpose": "register"})

	var id string
	testkit.Eventually(t, testkit.Patience, func() bool {
		answer := p.Do(http.MethodPost, "/v1/email-codes", p.Captcha(map[string]any{"email": journey.Email, "purpose": "login"}))
		id = answer.Text("email_code_id")
		return answer.Status == http.StatusAccepted
	}, "the pause is over")
	_, pressed = p.ReadMailCode(journey.Email, 2)
	stranger := d.person(t)
	stranger.Must(http.StatusCreated, http.MethodPost, "/v1/sessions", map[string]any{"email_code_token": pressed})
	stranger.Must(http.StatusUnprocessableEntity, http.MethodPost, "/v1/sessions", map[string]any{"email_code_token": pressed})

	db, err := sqlstore.Open(t.Context(), d.environ["USHER_DATABASE_URL"], sqlstore.Settings{Timeout: testkit.DatabasePatience})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	var row sqlstore.Message
	testkit.Eventually(t, testkit.Patience, func() bool {
		row, err = sqlstore.NewMessages(db, time.Now).Find(t.Context(), id)
		return err == nil && !row.UsedAt.IsZero()
	}, "the code's row says that it was used")
	if row.Channel != messages.Email || row.State != messages.Sent || row.Provider != "smtp" || row.Purpose != "login" || row.AccountID != "" {
		t.Errorf("row = %+v", row)
	}
	if found := testkit.FindSecrets(d.log.Bytes(), journey.Email, code, pressed); found != nil {
		t.Errorf("the log shows %q", found)
	}
}
