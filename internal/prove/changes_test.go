package prove_test

import (
	"maps"
	"net/http"
	"testing"
	"time"

	"usher/internal/testclient"
	"usher/internal/testkit"
)

// account is the data with which a person registers and signs in.
type account struct{ name, mobile, address, password string }

// registered signs up, proves the address and stays signed in; it uses the first SMS and mail to them.
func (a account) registered(r *row, p, mailbox *testclient.Client) {
	r.t.Helper()
	a.register(r, p, 1)
	p.Must(http.StatusOK, http.MethodPost, "/v1/activations", map[string]any{"token": mailbox.ReadToken(a.address, 1)})
}

// mailbox reads the mails of a deployment.
func (d *deployment) mailbox() *testclient.Client {
	return testclient.New(d.t, d.parts["api1"].addr, d.parts[partMail].addr)
}

// askCode asks for a code as soon as the pause after the one before is over.
func (r *row) askCode(p *testclient.Client, mobile, purpose string) (id string) {
	r.t.Helper()
	testkit.Eventually(r.t, patience, func() bool {
		got := p.Do(http.MethodPost, "/v1/sms-codes", map[string]any{"mobile": mobile, "purpose": purpose})
		id = got.Text("sms_code_id")
		return got.Status != http.StatusTooManyRequests
	}, "a code is promised")
	return id
}

// register signs up with the nth SMS to the number.
func (a account) register(r *row, p *testclient.Client, nth int) testclient.Answer {
	r.t.Helper()
	id := r.askCode(p, a.mobile, "register")
	return p.Must(http.StatusCreated, http.MethodPost, "/v1/registrations", map[string]any{
		"username": a.name, "password": a.password, "password_repeat": a.password, "agree": true,
		"mobile": a.mobile, "sms_code_id": id, "sms_code": p.ReadCode(a.mobile, nth), "email": a.address,
	})
}

// byCode sends the request for which the nth SMS to the number has the code.
func (r *row) byCode(p *testclient.Client, method, path, purpose, mobile string, nth int, more map[string]any) testclient.Answer {
	r.t.Helper()
	body := map[string]any{"mobile": mobile, "sms_code_id": r.askCode(p, mobile, purpose), "sms_code": p.ReadCode(mobile, nth)}
	maps.Copy(body, more)
	return p.Do(method, path, body)
}

func twice(password string) map[string]any {
	return map[string]any{"password": password, "password_repeat": password}
}

func status(a testclient.Answer) string { return http.StatusText(a.Status) + " " + a.Errno }

// wantStatus counts answers that are not what they should be.
func (r *row) wantStatus(wrong *int, title string, got testclient.Answer, want int, errno string) {
	r.t.Helper()
	if got.Status != want || got.Errno != errno {
		*wrong++
		r.t.Errorf("%s: %s %s, want %d %s", title, status(got), got.Body, want, errno)
	}
}

// Row 20: an intruder with a session and the password moves an account to a number and an address of their own; the mail to
// the owner undoes all of it.
func TestRow20_an_intruder_s_changes_are_undone(t *testing.T) {
	t.Parallel()
	r := newRow(t, 20, "an intruder changes number, address and password")
	d := newDeployment(t, plan{apis: 2, sms: 1, email: 1, environ: map[string]string{"USHER_SMS_RESEND_INTERVAL": "1s"}})
	d.up()
	people := d.people()
	owner, intruder, mailbox := people[0], people[1], d.mailbox()
	victim := account{"owner_name", "13820000001", "owner@example.com", "the owner's password"}
	const number, address, stolen = "13820000002", "intruder@example.net", "the intruder's password"
	victim.registered(r, owner, mailbox)
	intruder.Must(http.StatusCreated, http.MethodPost, "/v1/sessions", map[string]any{"login": victim.name, "password": victim.password})

	wrong := 0
	r.wantStatus(&wrong, "number", r.byCode(intruder, http.MethodPut, "/v1/account/mobile", "change_mobile", number, 1,
		map[string]any{"password": victim.password}), http.StatusOK, "0")
	told := time.Now()
	undo := mailbox.ReadToken(victim.address, 2)
	r.within("the owner was told", time.Since(told), 10*time.Second)
	r.wantStatus(&wrong, "the owner's session", owner.Do(http.MethodGet, "/v1/sessions/current", nil), http.StatusUnauthorized, "4101")
	r.wantStatus(&wrong, "address", intruder.Do(http.MethodPut, "/v1/account/email",
		map[string]any{"email": address, "password": victim.password}), http.StatusOK, "0")
	r.wantStatus(&wrong, "its proof", intruder.Do(http.MethodPost, "/v1/activations",
		map[string]any{"token": mailbox.ReadToken(address, 1)}), http.StatusOK, "0")
	r.wantStatus(&wrong, "password", intruder.Do(http.MethodPut, "/v1/account/password", map[string]any{
		"password_current": victim.password, "password": stolen, "password_repeat": stolen,
	}), http.StatusOK, "0")
	r.wantStatus(&wrong, "reset by the new number", r.byCode(intruder, http.MethodPost, "/v1/password-resets", "reset_password", number, 2,
		twice(stolen)), http.StatusForbidden, "4209")

	const own = "the owner's next password"
	body := twice(own)
	body["token"] = undo
	r.wantStatus(&wrong, "undo", owner.Do(http.MethodPost, "/v1/account-changes/undo", body), http.StatusOK, "0")
	r.wantStatus(&wrong, "undo again", intruder.Do(http.MethodPost, "/v1/account-changes/undo", body), http.StatusUnprocessableEntity, "4207")
	r.wantStatus(&wrong, "the intruder's session", intruder.Do(http.MethodGet, "/v1/sessions/current", nil), http.StatusUnauthorized, "4101")
	r.wantStatus(&wrong, "the intruder's password", intruder.Do(http.MethodPost, "/v1/sessions",
		map[string]any{"login": victim.name, "password": stolen}), http.StatusUnauthorized, "4102")
	r.wantStatus(&wrong, "the intruder's number", r.byCode(intruder, http.MethodPost, "/v1/sessions", "login", number, 3, nil),
		http.StatusNotFound, "4104")
	r.wantStatus(&wrong, "undo by the intruder's number", r.byCode(intruder, http.MethodPost, "/v1/account-changes/undo", "undo_change", number, 4,
		twice(stolen)), http.StatusNotFound, "4002")
	got := owner.Do(http.MethodPost, "/v1/sessions", map[string]any{"login": victim.mobile, "password": own})
	r.wantStatus(&wrong, "the owner by the old number", got, http.StatusCreated, "0")
	r.exactly("answers other than wanted", wrong, 0)
	r.tried("three changes, one undo")
}

// Row 20: a number that changed hands opens nothing by a code, and passes on when the account before does not answer.
func TestRow20_a_number_that_changed_hands_opens_nothing_old(t *testing.T) {
	t.Parallel()
	r := newRow(t, 20, "a number passes to another person")
	d := newDeployment(t, plan{apis: 1, sms: 1, email: 1, environ: map[string]string{"USHER_SMS_RESEND_INTERVAL": "1s"}})
	d.up()
	p := d.people()[0]
	before := account{"before_name", "13820000003", "before@example.com", "the former holder's"}
	before.registered(r, p, d.mailbox())
	db := d.sql()
	defer func() { _ = db.Close() }()
	long := time.Now().Add(-200 * 24 * time.Hour)
	if _, err := db.ExecContext(t.Context(), "update accounts set seen_at = $1 where username = $2", long, before.name); err != nil {
		t.Fatal(err)
	}
	wrong := 0
	r.wantStatus(&wrong, "sign-in by code", r.byCode(p, http.MethodPost, "/v1/sessions", "login", before.mobile, 2, nil), http.StatusForbidden, "4210")
	r.wantStatus(&wrong, "reset by code", r.byCode(p, http.MethodPost, "/v1/password-resets", "reset_password", before.mobile, 3,
		twice("the next holder's")), http.StatusForbidden, "4210")
	after := account{"after_name", before.mobile, "", "the next holder's"}
	if got := after.register(r, p, 4); got.Text("pending_mobile") == "" || got.Text("mobile") != "" {
		t.Errorf("the new account is %v", got.Data)
	}
	d.mailbox().ReadToken(before.address, 2) // the account before was told, and could answer
	got := r.byCode(p, http.MethodPost, "/v1/sessions", "login", before.mobile, 5, nil)
	r.wantStatus(&wrong, "sign-in by code after the registration", got, http.StatusCreated, "0")
	if got.Text("username") != after.name {
		wrong++
		t.Errorf("the code opens %v", got.Data)
	}
	r.exactly("answers other than wanted", wrong, 0)
	r.tried("one account not seen for 200 days")
}
