package reports_test

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"usher/messages"
	"usher/reports"
)

func format(t testing.TB, provider string) reports.Format {
	t.Helper()
	f, ok := reports.FormatOf(provider)
	if !ok || f.Provider != provider {
		t.Fatalf("FormatOf(%s) = %+v, %v", provider, f, ok)
	}
	return f
}

func read(t testing.TB, file string) []byte {
	t.Helper()
	text, err := os.ReadFile("testdata/" + file)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func beijing(text string) time.Time {
	at, err := time.ParseInLocation(time.DateTime, text, time.FixedZone("", 8*60*60))
	if err != nil {
		panic(err)
	}
	return at
}

func wantReports(t *testing.T, got, want []reports.Report) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmp.Comparer(time.Time.Equal)); diff != "" {
		t.Errorf("reports (-want +got):\n%s", diff)
	}
}

func TestFormatOf_knows_the_vendors_that_push(t *testing.T) {
	t.Parallel()
	if _, ok := reports.FormatOf("smtp"); ok {
		t.Error("a mail server pushes reports")
	}
	format(t, reports.Aliyun)
	format(t, reports.AliyunVerify)
	format(t, reports.Ronglian)
	format(t, reports.Tencent)
}

func TestAliyun_reads_what_the_vendor_documents(t *testing.T) {
	t.Parallel()
	batch, err := format(t, reports.Aliyun).Parse(read(t, "aliyun.json"))
	if err != nil || batch.Skipped != 0 {
		t.Fatalf("Parse = %+v, %v", batch, err)
	}
	wantReports(t, batch.Reports, []reports.Report{
		{
			Provider: "aliyun", MessageID: "67890", ProviderID: "12345", State: messages.Delivered,
			Code: "DELIVERED", At: beijing("2017-02-02 22:23:24"),
		},
		{
			Provider: "aliyun", MessageID: "67891", ProviderID: "932702304080415357^0", State: messages.Undelivered,
			Code: "MOBILE_NOT_ON_SERVICE", At: beijing("2017-02-02 22:23:25"),
		},
	})
}

func TestAliyunVerify_reads_the_same_form(t *testing.T) {
	t.Parallel()
	batch, err := format(t, reports.AliyunVerify).Parse([]byte(`[{"phone_number":"13800138000","send_time":"2026-01-02 03:04:05",
		"report_time":"2026-01-02 03:04:08","success":true,"err_code":"DELIVERED","err_msg":"用户接收成功","sms_size":"1",
		"biz_id":"112231421412414124123^4","out_id":"job-42"}]`))
	if err != nil || batch.Skipped != 0 {
		t.Fatalf("Parse = %+v, %v", batch, err)
	}
	wantReports(t, batch.Reports, []reports.Report{{
		Provider: "aliyun_verify", MessageID: "job-42", ProviderID: "112231421412414124123^4", State: messages.Delivered,
		Code: "DELIVERED", At: beijing("2026-01-02 03:04:08"),
	}})
}

func TestAliyun_states(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]messages.State{
		`{"out_id":"a","success":true}`:                                messages.Delivered,
		`{"out_id":"a","success":true,"err_code":"DELIVRD"}`:           messages.Delivered,
		`{"out_id":"a","success":true,"err_code":"REQUEST_SUCCESS"}`:   messages.Sent,
		`{"out_id":"a","success":false,"err_code":"REQUEST_SUCCESS"}`:  messages.Sent,
		`{"out_id":"a","success":false,"err_code":"SP_UNKNOWN_ERROR"}`: messages.Undelivered,
		`{"out_id":"a","success":false,"err_code":"a new one"}`:        messages.Undelivered,
		`{"out_id":"a","success":false}`:                               messages.Undelivered,
	} {
		batch, err := format(t, reports.Aliyun).Parse([]byte("[" + text + "]"))
		if err != nil || len(batch.Reports) != 1 || batch.Reports[0].State != want {
			t.Errorf("%s: %+v, %v, want %s", text, batch, err, want)
		}
	}
}

func TestAliyun_skips_entries_and_refuses_bodies(t *testing.T) {
	t.Parallel()
	parse := format(t, reports.Aliyun).Parse
	for _, entry := range []string{
		`null`, `1`, `"a"`, `[]`, `{}`, `{"success":true}`, `{"out_id":"a"}`, `{"out_id":"a","success":1}`,
		`{"out_id":1,"success":true}`, `{"out_id":"","success":true}`, `{"out_id":"很","success":true}`,
	} {
		batch, err := parse([]byte("[" + entry + `,{"out_id":"a","success":true}]`))
		if err != nil || batch.Skipped != 1 || len(batch.Reports) != 1 {
			t.Errorf("%s: %+v, %v", entry, batch, err)
		}
	}
	for _, body := range []string{
		"", " ", "null", "{}", "1", `"a"`, "[", "[1", "[1,", "[{]", "[]]", "[] []", "[1 2]", "\x00", "<a></a>",
		strings.Repeat("[", 200_000),
	} {
		if batch, err := parse([]byte(body)); err == nil {
			t.Errorf("%.20q = %+v", body, batch)
		}
	}
}

func TestRonglian_reads_what_the_vendor_documents(t *testing.T) {
	t.Parallel()
	want := []reports.Report{{
		Provider: "ronglian", MessageID: "0123456789abcdef0123456789abcdef",
		ProviderID: "ff8080813c37da53013c37de3ae40001", State: messages.Delivered, Code: "DELIVRD",
		At: beijing("2013-02-01 13:38:09"),
	}}
	const inJSON = `{"action":"SMSArrived","smsType":1,"content":"ff8080813c37da53013c37de3ae40001",` +
		`"recvTime":20130201133809,"status":0,"deliverCode":"DELIVRD","reqId":"0123456789abcdef0123456789abcdef"}`
	for name, body := range map[string]string{
		"XML": string(read(t, "ronglian.xml")), "JSON": inJSON, "wrapped JSON": `{"Request":` + inJSON + `}`,
		"XML after a mark": "\ufeff\n" + string(read(t, "ronglian.xml")),
	} {
		batch, err := format(t, reports.Ronglian).Parse([]byte(body))
		if err != nil || batch.Skipped != 0 {
			t.Errorf("%s: %+v, %v", name, batch, err)
		}
		wantReports(t, batch.Reports, want)
	}
	batch := reports.PulledRonglian([]json.RawMessage{
		[]byte(inJSON), []byte(`5`), []byte(`{"smsType":"0","status":"0","reqId":"a"}`), []byte(`{"status":"0"}`),
	})
	if batch.Skipped != 3 {
		t.Errorf("%d rows skipped", batch.Skipped)
	}
	wantReports(t, batch.Reports, want)
}

func TestRonglian_takes_what_is_no_report_and_refuses_what_is_no_push(t *testing.T) {
	t.Parallel()
	parse := format(t, reports.Ronglian).Parse
	for _, body := range []string{
		"<Request></Request>", "{}", `{"Request":{}}`, `{"smsType":"0","status":"0","reqId":"a"}`,
		"<Request><smsType>0</smsType><status>0</status><reqId>a</reqId></Request>",
		"<Request><status>0</status></Request>",
	} {
		if batch, err := parse([]byte(body)); err != nil || batch.Skipped != 1 || len(batch.Reports) != 0 {
			t.Errorf("%s: %+v, %v", body, batch, err)
		}
	}
	for _, body := range []string{
		"", "null", "[]", "<", "<Request>", "<Request></Other>", "<a/><a/>", "{", `{"status":{}}`, "{}{}", "text",
		strings.Repeat("<a>", 100_000), "<?xml version=\"1.0\" encoding=\"GBK\"?><Request></Request>",
	} {
		if batch, err := parse([]byte(body)); err == nil {
			t.Errorf("%.20q = %+v", body, batch)
		}
	}
}

func TestTencent_reads_what_the_vendor_documents(t *testing.T) {
	t.Parallel()
	const first, second = "5000:1045710669157053657849499619", "5000:1045710669157053657849499620"
	want := []reports.Report{
		{Provider: "tencent", MessageID: first, ProviderID: first, State: messages.Delivered, Code: "DELIVRD", At: beijing("2015-10-17 08:03:04")},
		{Provider: "tencent", MessageID: "67891", ProviderID: second, State: messages.Undelivered, Code: "MK:0012", At: beijing("2015-10-17 08:03:05")},
	}
	batch, err := format(t, reports.Tencent).Parse(read(t, "tencent.json"))
	if err != nil || batch.Skipped != 0 {
		t.Fatalf("Parse = %+v, %v", batch, err)
	}
	wantReports(t, batch.Reports, want)

	pulled := func(serial, session, status, description string, at time.Time) json.RawMessage {
		return fmt.Appendf(nil, `{"SerialNo":%q,"SessionContext":%s,"ReportStatus":%q,"Description":%q,"UserReceiveTime":%d}`,
			serial, session, status, description, at.Unix())
	}
	batch = reports.PulledTencent([]json.RawMessage{
		pulled(first, "null", "SUCCESS", "DELIVRD", want[0].At), pulled(second, `"67891"`, "FAIL", "MK:0012", want[1].At),
		[]byte(`5`), []byte(`null`), pulled("", "null", "FAIL", "x", want[0].At),
	})
	if batch.Skipped != 3 {
		t.Errorf("%d rows skipped", batch.Skipped)
	}
	wantReports(t, batch.Reports, want)
}

func TestTencent_skips_entries_and_refuses_bodies(t *testing.T) {
	t.Parallel()
	parse := format(t, reports.Tencent).Parse
	for _, entry := range []string{
		`null`, `1`, `[]`, `{}`, `{"report_status":"SUCCESS"}`, `{"sid":"a"}`, `{"sid":"a","report_status":"success"}`,
		`{"sid":1,"report_status":"SUCCESS"}`, `{"sid":"很","report_status":"FAIL"}`,
	} {
		batch, err := parse([]byte("[" + entry + `,{"sid":"a","report_status":"SUCCESS"}]`))
		if err != nil || batch.Skipped != 1 || len(batch.Reports) != 1 {
			t.Errorf("%s: %+v, %v", entry, batch, err)
		}
	}
	for _, body := range []string{"", "null", "{}", `"a"`, "[", "[1,", "[]]", "<a></a>", strings.Repeat("[", 200_000)} {
		if batch, err := parse([]byte(body)); err == nil {
			t.Errorf("%.20q = %+v", body, batch)
		}
	}
}

func TestCodes_are_bounded_and_hold_no_number(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]string{
		"MK:0012": "MK:0012", "a b\nc": "abc", "to 13800138000": "", strings.Repeat("x", 99): strings.Repeat("x", 32),
	} {
		text, err := json.Marshal([]map[string]any{{"out_id": "a", "success": false, "err_code": given}})
		if err != nil {
			t.Fatal(err)
		}
		batch, err := format(t, reports.Aliyun).Parse(text)
		if err != nil || batch.Reports[0].Code != want {
			t.Errorf("%.20q: %+v, %v, want %q", given, batch, err, want)
		}
	}
}

func TestCauseOf(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		provider, code string
		want           reports.Cause
	}{
		{"aliyun", "MOBILE_IN_BLACK", reports.CauseNumber},
		{"aliyun", "MOBLLE_TERMINAL_ERROR", reports.CauseNumber},
		{"aliyun", "MOBILE_SEND_LIMIT", reports.CauseFrequency},
		{"aliyun", "CONTENT_KEYWORD", reports.CauseContent},
		{"aliyun", "PORT_NOT_REGISTERED", reports.CauseAccount},
		{"aliyun", "IS_CLOSE", reports.CauseCarrier},
		{"aliyun", "UNDELIV", reports.CauseUnlisted},
		{"ronglian", "UNDELIV", reports.CauseNumber},
		{"ronglian", "MK:0012", reports.CauseUnlisted},
		{"tencent", "EXPIRED", reports.CauseNumber},
		{"unknown", "", reports.CauseUnlisted},
	} {
		if got := reports.CauseOf(c.provider, c.code); got != c.want {
			t.Errorf("CauseOf(%s, %s) = %s, want %s", c.provider, c.code, got, c.want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, file := range []string{"aliyun.json", "ronglian.xml", "tencent.json"} {
		f.Add(read(f, file))
	}
	f.Add([]byte(`{"Request":{"status":0,"reqId":"a"}}`))
	f.Add([]byte(`[{"out_id":"a","success":true},null]`))
	f.Add([]byte(`{"id":"a","state":"delivered","code":"13800138000","at":"2026-01-02T03:04:08Z"}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, provider := range []string{reports.Aliyun, reports.AliyunVerify, reports.Ronglian, reports.Tencent, reports.HTTP} {
			parse := reports.ParseHTTP
			if provider != reports.HTTP {
				parse = format(t, provider).Parse
			}
			batch, err := parse(body)
			if err != nil && len(batch.Reports) > 0 {
				t.Errorf("reports and %v", err)
			}
			for _, r := range batch.Reports {
				if r.Provider != provider || r.MessageID == "" || len(r.MessageID) > 64 || len(r.ProviderID) > 64 ||
					len(r.Code) > 32 || !utf8.ValidString(r.Code) || strings.ContainsAny(r.Code+r.MessageID+r.ProviderID, "{}\n \x00") {
					t.Errorf("%+v", r)
				}
			}
		}
	})
}

func TestParseHTTP(t *testing.T) {
	t.Parallel()
	const delivered = `{"id":"msg_1","state":"delivered","provider_id":"77-abc","code":"DELIVRD","at":"2026-01-02T03:04:08Z"}`
	want := reports.Report{
		Provider: "http", MessageID: "msg_1", ProviderID: "77-abc", State: messages.Delivered, Code: "DELIVRD",
		At: time.Date(2026, 1, 2, 3, 4, 8, 0, time.UTC),
	}
	for _, body := range []string{delivered, " " + delivered + "\n", "[" + delivered + "]", `[{"id":"x"},` + delivered + `]`} {
		batch, err := reports.ParseHTTP([]byte(body))
		if err != nil || batch.Skipped != strings.Count(body, `"x"`) {
			t.Fatalf("%s: %+v, %v", body, batch, err)
		}
		wantReports(t, batch.Reports, []reports.Report{want})
	}
	for entry, state := range map[string]messages.State{
		`{"id":"a","state":"undelivered"}`: messages.Undelivered, `{"id":"a","state":"sent","at":null}`: messages.Sent,
		`{"id":"a","state":"queued"}`: "", `{"id":"a"}`: "", `{"state":"sent"}`: "", `{"id":5,"state":"sent"}`: "", `5`: "", `null`: "",
		`{"id":"a","state":"sent","at":"yesterday"}`: "", `{"id":"很","state":"sent"}`: "",
	} {
		batch, err := reports.ParseHTTP([]byte("[" + entry + "]"))
		if err != nil || len(batch.Reports)+batch.Skipped != 1 || (state == "") != (batch.Skipped == 1) {
			t.Errorf("%s: %+v, %v", entry, batch, err)
		}
		if state != "" && batch.Reports[0].State != state {
			t.Errorf("%s: %+v, want %s", entry, batch.Reports[0], state)
		}
	}
	for _, body := range []string{"", "null", "5", `"a"`, "{", "{}{}", "{},{}", "[{]", "[]]", strings.Repeat("[", 200_000), "\x00"} {
		if batch, err := reports.ParseHTTP([]byte(body)); err == nil {
			t.Errorf("%.20q = %+v", body, batch)
		}
	}
}
