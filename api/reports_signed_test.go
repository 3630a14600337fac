package api_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"usher/api"
	"usher/internal/testkit"
	"usher/webhooks"
)

const (
	signedSecret = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
	toHTTP       = "/v1/reports/http"
)

// setupSigned returns a face that takes signed reports.
func setupSigned(t *testing.T) *reportFace {
	t.Helper()
	return setupReports(t, func(s *api.Server) { s.Config.ReportKeys = must(webhooks.ParseKeys(signedSecret))(t) })
}

// signed is a push as the receiver of the signed sender makes it. Each change happens after the signature.
func (r *reportFace) signed(t *testing.T, id string, at time.Time, text string, changes ...func(*request)) *reply {
	t.Helper()
	header := http.Header{}
	must(webhooks.ParseKeys(signedSecret))(t).Sign(header, id, at, []byte(text))
	push := request{method: "POST", path: toHTTP, contentType: "application/json", text: text, header: header}
	for _, change := range changes {
		change(&push)
	}
	return r.p.do(push) // held against the contract
}

func report(id, state string) string {
	return fmt.Sprintf(`{"id":%q,"state":%q,"provider_id":"900^0","code":"DELIVRD","at":"2017-08-30T00:00:04Z"}`, id, state)
}

func TestSignedReports_show_in_the_status(t *testing.T) {
	t.Parallel()
	for state, want := range map[string]string{"delivered": "delivered", "undelivered": "undelivered", "sent": "queued"} {
		r := setupSigned(t)
		id, _ := r.sending(t)
		for _, text := range []string{report(id, state), "[" + report("unknown", state) + "," + report(id, state) + ",5]"} {
			got := r.signed(t, "push_"+fmt.Sprint(len(text)), r.clock.Now(), text)
			if got.status != 200 || !strings.HasPrefix(got.text, `{"accepted":`) {
				t.Errorf("got %d %s", got.status, got.text)
			}
			r.wantStatus(t, id, want)
		}
	}
}

func TestSignedReports_of_one_id_are_taken_once(t *testing.T) {
	t.Parallel()
	r := setupSigned(t)
	id, claim := r.sending(t)
	r.record(t, claim)
	r.signed(t, "push_1", r.clock.Now(), "[]")
	if got := r.signed(t, "push_1", r.clock.Now(), "["+report(id, "delivered")+"]"); got.status != 200 {
		t.Errorf("got %d %s", got.status, got.text)
	}
	r.wantStatus(t, id, "sent")
	r.signed(t, "push_2", r.clock.Now(), "["+report(id, "delivered")+"]")
	if r.get(id) == "sent" {
		t.Error("a push of another id was not taken")
	}
}

// get returns the status of a code.
func (r *reportFace) get(id string) string {
	return r.p.get("/v1/sms-codes/"+id).want(200, "0").str("status")
}

func TestSignedReports_refusals_change_nothing(t *testing.T) {
	t.Parallel()
	r := setupSigned(t)
	id, claim := r.sending(t)
	r.record(t, claim)
	now := r.clock.Now()
	header := func(name, value string) func(*request) { return func(push *request) { push.header.Set(name, value) } }
	text := func(text string) func(*request) { return func(push *request) { push.text = text } }
	good := report(id, "delivered")
	for name, c := range map[string]struct {
		at     time.Time
		sign   string
		change func(*request)
		status int
		errno  string
	}{
		"another body":     {now, good, text(good + " "), 401, "4101"},
		"another id":       {now, good, header(webhooks.HeaderID, "push_2"), 401, "4101"},
		"no id":            {now, good, header(webhooks.HeaderID, ""), 401, "4101"},
		"no signature":     {now, good, header(webhooks.HeaderSignature, ""), 401, "4101"},
		"wrong signature":  {now, good, header(webhooks.HeaderSignature, "v1,"+strings.Repeat("A", 43)+"="), 401, "4101"},
		"old":              {now.Add(-5*time.Minute - 2*time.Second), good, text(good), 401, "4101"},
		"of the future":    {now.Add(5*time.Minute + 2*time.Second), good, text(good), 401, "4101"},
		"huge":             {now, "[" + strings.Repeat(" ", 1<<20) + "]", text("[" + strings.Repeat(" ", 1<<20) + "]"), 413, "4103"},
		"signed nonsense":  {now, "{", text("{"), 400, "4103"},
		"with a secret":    {now, good, func(push *request) { push.path += "/" + reportSecret }, 404, "4002"},
		"the wrong method": {now, good, func(push *request) { push.method = "PUT" }, 405, "4005"},
	} {
		r.signed(t, "push_1", c.at, c.sign, c.change).want(c.status, c.errno)
		if t.Failed() {
			t.Fatalf("%s", name)
		}
	}
	r.wantStatus(t, id, "sent")
	if found := testkit.FindSecrets(r.logs.Bytes(), signedSecret, number); len(found) > 0 {
		t.Errorf("the log shows %q", found)
	}
}

func TestSignedReports_without_a_secret_in_the_settings_are_not_taken(t *testing.T) {
	t.Parallel()
	setupReports(t, nil).signed(t, "push_1", time.Now(), "[]").want(404, "4002")
}

func TestSignedReports_that_cannot_be_filed_are_to_be_pushed_again(t *testing.T) {
	t.Parallel()
	r := setupReports(t, func(s *api.Server) {
		s.Config.ReportKeys, s.Reports = must(webhooks.ParseKeys(signedSecret))(t), away{}
	})
	r.signed(t, "push_1", r.clock.Now(), "[]").want(503, "4301")
}
