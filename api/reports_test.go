package api_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"usher/api"
	"usher/internal/testkit"
	"usher/messages"
	"usher/reports"
	"usher/store/redisstore"
)

const (
	reportSecret = "a-secret-of-the-console_1"
	toAliyun     = "/v1/reports/aliyun/" + reportSecret
	toRonglian   = "/v1/reports/ronglian/" + reportSecret
)

// reportFace is a face that takes reports, with the worker's side of the codes.
type reportFace struct {
	*bundle
	p      *person
	redis  *redisstore.Store
	vendor *person // whose client does not hold answers against the contract, which no XML fits
}

func setupReports(t *testing.T, change func(*api.Server)) *reportFace {
	t.Helper()
	b := setup(t, change)
	vendor := b.person()
	vendor.client = &http.Client{}
	return &reportFace{b, b.person(), redisstore.New(b.client, b.keys, b.clock.Now), vendor}
}

// sending issues a code and sends it as a worker does, except for the record of the answer.
func (r *reportFace) sending(t *testing.T) (string, messages.Claim) {
	t.Helper()
	r.p.code(number, "register")
	all := r.sms.all()
	id := all[len(all)-1].ID
	return id, must(r.redis.Codes().Claim(t.Context(), id, time.Minute))(t)
}

func (r *reportFace) record(t *testing.T, claim messages.Claim) {
	t.Helper()
	err := r.redis.Codes().Record(t.Context(), claim, messages.Outcome{
		State: messages.Sent, Provider: "aliyun", ProviderID: "900^0", At: r.clock.Now(),
	})
	if err != nil {
		t.Fatalf("Record: %v", err)
	}
}

func (r *reportFace) wantStatus(t *testing.T, id, want string) {
	t.Helper()
	if got := r.p.get("/v1/sms-codes/"+id).want(200, "0").str("status"); got != want {
		t.Errorf("status = %s, want %s", got, want)
	}
}

// push sends a body as a vendor does.
func (r *reportFace) push(path, contentType, text string) *reply {
	return r.vendor.do(request{method: "POST", path: path, contentType: contentType, text: text})
}

func entry(id string, success bool, code string) string {
	text, _ := json.Marshal(map[string]any{
		"phone_number": number, "send_time": "2017-08-30 00:00:00", "report_time": "2017-08-30 00:00:04",
		"success": success, "err_code": code, "err_msg": "用户接收成功", "sms_size": "1", "biz_id": "900^0", "out_id": id,
	})
	return string(text)
}

func (r *reportFace) wantTaken(t *testing.T, got *reply) {
	t.Helper()
	const want = `{"code":0,"msg":"成功"}`
	if got.status != 200 || got.text != want || got.header.Get("Content-Type") != "application/json; charset=utf-8" {
		t.Errorf("got %d %s %s, want 200 %s", got.status, got.header.Get("Content-Type"), shorten(got.text), want)
	}
}

func TestReports_of_Aliyun_show_in_the_status(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		success bool
		code    string
		want    string
	}{
		"delivered":           {true, "DELIVERED", "delivered"},
		"with the other name": {true, "DELIVRD", "delivered"},
		"undelivered":         {false, "MOBILE_NOT_ON_SERVICE", "undelivered"},
		"not answered yet":    {true, "REQUEST_SUCCESS", "sent"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := setupReports(t, nil)
			id, claim := r.sending(t)
			r.record(t, claim)
			r.wantStatus(t, id, "sent")
			for range 3 { // repeats are harmless
				r.wantTaken(t, r.push(toAliyun, "application/json", "["+entry(id, c.success, c.code)+"]"))
				r.wantStatus(t, id, c.want)
			}
			r.p.do(request{method: "POST", path: toAliyun, text: "[]"}) // held against the contract
		})
	}
}

func TestReports_may_come_before_the_answer(t *testing.T) {
	t.Parallel()
	r := setupReports(t, nil)
	id, claim := r.sending(t)
	r.wantTaken(t, r.push(toAliyun, "application/json", "["+entry(id, true, "DELIVERED")+"]"))
	r.record(t, claim)
	r.wantStatus(t, id, "delivered")
}

func TestReports_one_bad_entry_costs_the_others_nothing(t *testing.T) {
	t.Parallel()
	r := setupReports(t, nil)
	id, claim := r.sending(t)
	r.record(t, claim)
	strange := []string{
		`null`, `5`, `"text"`, `[]`, `{}`, `{"out_id":5}`, `{"success":"yes","out_id":"` + id + `"}`,
		entry("", true, "DELIVERED"), entry("unknown", true, "DELIVERED"), entry(strings.Repeat("x", 44), true, "DELIVERED"),
		entry("usher:{x}:code:", false, "x"), entry(strings.Repeat("很", 500), true, "DELIVERED"),
	}
	text := "[" + strings.Join(strange, ",") + "," + entry(id, true, "DELIVERED") + "]"
	r.wantTaken(t, r.push(toAliyun, "text/plain", text))
	r.wantStatus(t, id, "delivered")
}

func TestReports_of_Ronglian_in_both_forms(t *testing.T) {
	t.Parallel()
	const (
		inXML = `<?xml version="1.0" encoding="UTF-8"?>
<Request><action>SMSArrived</action><smsType>1</smsType><apiVersion>2013-12-26</apiVersion><content>ff80</content>
<fromNum>13800138000</fromNum><dateSent>20260102030405</dateSent><recvTime>20260102030408</recvTime>
<status>%s</status><deliverCode>%s</deliverCode><reqId>%s</reqId><smsCount>1</smsCount></Request>`
		inJSON = `{"Request":{"action":"SMSArrived","smsType":1,"content":"ff80","fromNum":"13800138000",` +
			`"recvTime":"20260102030408","status":"%s","deliverCode":"%s","reqId":"%s"}}`
		want = `<?xml version="1.0" encoding="UTF-8"?><Response><statuscode>000000</statuscode></Response>`
	)
	for name, form := range map[string]string{"xml": inXML, "json": inJSON} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := setupReports(t, nil)
			id, _ := r.sending(t)
			if _, err := r.redis.Reports().Remember(t.Context(), "ronglian", "0123456789abcdef", id); err != nil {
				t.Fatal(err)
			}
			push := func(status, code, reference string) {
				t.Helper()
				got := r.push(toRonglian, "application/"+name, fmt.Sprintf(form, status, code, reference))
				if got.status != 200 || got.text != want || !strings.HasPrefix(got.header.Get("Content-Type"), "application/xml") {
					t.Errorf("got %d %s", got.status, got.text)
				}
			}
			push("1", "UNDELIV", "fedcba9876543210") // not ours
			r.wantStatus(t, id, "queued")
			push("1", "UNDELIV", "0123456789abcdef")
			r.wantStatus(t, id, "undelivered")
			push("0", "DELIVRD", "0123456789abcdef")
			push("1", "UNDELIV", "0123456789abcdef")
			r.wantStatus(t, id, "delivered")
		})
	}
}

func TestReports_refusals_change_nothing(t *testing.T) {
	t.Parallel()
	r := setupReports(t, nil)
	id, claim := r.sending(t)
	r.record(t, claim)
	good := "[" + entry(id, true, "DELIVERED") + "]"
	for name, c := range map[string]struct {
		path, text string
		status     int
		errno      string
	}{
		"wrong secret":     {"/v1/reports/aliyun/a-secret-of-the-console_2", good, 404, "4002"},
		"short secret":     {"/v1/reports/aliyun/a", good, 404, "4002"},
		"unknown provider": {"/v1/reports/smtp/" + reportSecret, good, 404, "4002"},
		"huge":             {toAliyun, "[" + strings.Repeat(" ", 1<<20) + "]", 413, "4103"},
		"huge and good":    {toAliyun, good + strings.Repeat(" ", 1<<20), 413, "4103"},
		"no body":          {toAliyun, "", 400, "4103"},
		"bad JSON":         {toAliyun, good[:len(good)-1], 400, "4103"},
		"an object":        {toAliyun, good[1 : len(good)-1], 400, "4103"},
		"more behind":      {toAliyun, good + "[]", 400, "4103"},
		"deep":             {toAliyun, strings.Repeat("[", 100_000), 400, "4103"},
		"bad XML":          {toRonglian, "<Request><reqId>", 400, "4103"},
		"two documents":    {toRonglian, "<Request></Request><Request></Request>", 400, "4103"},
		"an entity": {toRonglian, `<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]>` +
			"<Request><reqId>&b;</reqId></Request>", 400, "4103"},
		"XML to Aliyun":     {toAliyun, "<Request></Request>", 400, "4103"},
		"Aliyun's to other": {toRonglian, good, 400, "4103"},
	} {
		r.p.do(request{method: "POST", path: c.path, contentType: "application/json", text: c.text}).want(c.status, c.errno)
		if t.Failed() {
			t.Fatalf("%s", name)
		}
	}
	r.wantStatus(t, id, "sent")
	r.p.do(request{method: "GET", path: toAliyun}).want(405, "4005")
	if found := testkit.FindSecrets(r.logs.Bytes(), reportSecret, number); len(found) > 0 {
		t.Errorf("the log shows %q", found)
	}
}

func TestReports_without_a_secret_in_the_settings_are_not_taken(t *testing.T) {
	t.Parallel()
	r := setupReports(t, func(s *api.Server) { s.Config.ReportSecret = "" })
	for _, path := range []string{toAliyun, "/v1/reports/aliyun/", "/v1/reports/aliyun/%00"} {
		r.p.do(request{method: "POST", path: path, text: "[]"}).want(404, "4002")
	}
}

// away fails to file anything.
type away struct{}

func (away) Take(context.Context, string, reports.Batch) error {
	return errors.Join(context.DeadlineExceeded)
}

func (away) TakeOnce(context.Context, string, string, reports.Batch) error {
	return errors.Join(context.DeadlineExceeded)
}

func TestReports_that_cannot_be_filed_are_to_be_pushed_again(t *testing.T) {
	t.Parallel()
	r := setupReports(t, func(s *api.Server) { s.Reports = away{} })
	r.p.do(request{method: "POST", path: toAliyun, text: "[]"}).want(503, "4301")
}
