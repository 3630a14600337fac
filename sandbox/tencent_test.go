package sandbox_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"usher/sandbox"
)

// tencentRequest builds a signed request as the documents describe it.
func (b *bundle) tencentRequest(t *testing.T, action, body string) *http.Request {
	t.Helper()
	r := b.request(t, "POST", "/tencent/", body)
	for name, value := range map[string]string{
		"Content-Type": "application/json; charset=utf-8", "X-TC-Action": action, "X-TC-Version": "2021-01-11",
		"X-TC-Region": "ap-guangzhou", "X-TC-Timestamp": fmt.Sprint(b.clock.now().Unix()),
	} {
		r.Header.Set(name, value)
	}
	b.signTencent(r, body, b.clock.now())
	return r
}

func (b *bundle) signTencent(r *http.Request, body string, at time.Time) {
	hash := func(text string) string { sum := sha256.Sum256([]byte(text)); return hex.EncodeToString(sum[:]) }
	keys, date := b.Credentials().Tencent, at.UTC().Format("2006-01-02")
	const signed = "content-type;host;x-tc-action"
	canonical := "POST\n/\n\ncontent-type:" + r.Header.Get("Content-Type") + "\nhost:" + r.Host +
		"\nx-tc-action:" + strings.ToLower(r.Header.Get("X-TC-Action")) + "\n\n" + signed + "\n" + hash(body)
	scope := date + "/sms/tc3_request"
	sum := []byte("TC3" + keys.SecretKey)
	for _, part := range []string{date, "sms", "tc3_request", fmt.Sprintf("TC3-HMAC-SHA256\n%d\n%s\n%s", at.Unix(), scope, hash(canonical))} {
		mac := hmac.New(sha256.New, sum)
		mac.Write([]byte(part))
		sum = mac.Sum(nil)
	}
	r.Header.Set("Authorization", "TC3-HMAC-SHA256 Credential="+keys.SecretID+"/"+scope+", SignedHeaders="+signed+
		", Signature="+hex.EncodeToString(sum))
}

type tencentResult struct {
	Response struct {
		Error         struct{ Code, Message string }
		RequestId     string
		SendStatusSet []struct {
			SerialNo, PhoneNumber, SessionContext, Code, Message, IsoCode string
			Fee                                                           int
		}
		PullSmsSendStatusSet []struct {
			UserReceiveTime                                       int64
			SerialNo, ReportStatus, PhoneNumber, SubscriberNumber string
			SessionContext                                        *string
		}
		DescribeTemplateStatusSet []struct {
			TemplateId uint64
			StatusCode int
		}
	}
}

// code is that of the whole request, or of the only message.
func (r tencentResult) code() string {
	if code := r.Response.Error.Code; code != "" || len(r.Response.SendStatusSet) == 0 {
		return code
	}
	return r.Response.SendStatusSet[0].Code
}

func (b *bundle) tencent(t *testing.T, r *http.Request) tencentResult {
	t.Helper()
	status, header, body := b.do(t, r)
	got := decode[tencentResult](t, body)
	if status != 200 || !strings.HasPrefix(header.Get("Content-Type"), "application/json") || got.Response.RequestId == "" {
		t.Errorf("http status %d, %s", status, body)
	}
	return got
}

func (b *bundle) tencentJSON(number string) string {
	return fmt.Sprintf(`{"PhoneNumberSet":["%s"],"SmsSdkAppId":"%s","TemplateId":"71390002","SignName":"测试",`+
		`"TemplateParamSet":["012345","5"],"SessionContext":"job-1"}`, number, b.Credentials().Tencent.SDKAppID)
}

func (b *bundle) sendTencent(t *testing.T, body string) tencentResult {
	t.Helper()
	return b.tencent(t, b.tencentRequest(t, "SendSms", body))
}

func TestTencent_takes_a_message(t *testing.T) {
	t.Parallel()
	for _, form := range []string{"+8613800000011", "008613800000011", "8613800000011", "13800000011"} {
		b := setup(t)
		got := b.sendTencent(t, b.tencentJSON(form)).Response.SendStatusSet
		if len(got) != 1 || got[0].Code != "Ok" || got[0].SerialNo == "" || got[0].PhoneNumber != "+8613800000011" ||
			got[0].SessionContext != "job-1" || got[0].Fee != 1 || got[0].IsoCode != "CN" {
			t.Errorf("%s: got %+v", form, got)
		}
		m := b.only(t)
		if m.Provider != "tencent" || m.Code != "012345" || m.To != "13800000011" || m.From != "测试" ||
			m.Text != "【测试】您正在登录，验证码为：012345，5分钟内有效，请勿泄露于他人！" {
			t.Errorf("kept: got %+v", m)
		}
	}
}

func TestTencent_takes_numbers_abroad_and_several(t *testing.T) {
	t.Parallel()
	b := setup(t)
	body := strings.Replace(b.tencentJSON("+85261234567"), `"],"SmsSdkAppId`, `","+886912345678","+8521"],"SmsSdkAppId`, 1)
	got := b.sendTencent(t, strings.Replace(body, `"SignName":"测试",`, "", 1)).Response.SendStatusSet
	if len(got) != 3 || got[0].Code != "Ok" || got[1].Code != "Ok" || got[2].Code != "InvalidParameterValue.IncorrectPhoneNumber" {
		t.Errorf("got %+v", got)
	}
	if n := len(b.Messages("+85261234567")); n != 1 {
		t.Errorf("%d messages", n)
	}
}

func TestTencent_serves_the_root_for_SDKs(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := b.tencentRequest(t, "SendSms", b.tencentJSON("+8613800000011"))
	r.URL.Path = "/"
	if got := b.tencent(t, r); got.code() != "Ok" {
		t.Errorf("got %+v", got)
	}
}

func TestTencent_refuses_bad_authentication(t *testing.T) {
	t.Parallel()
	b := setup(t)
	good := b.tencentJSON("+8613800000011")
	swap := func(from, to string) func(*http.Request) {
		return func(r *http.Request) {
			r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), from, to, 1))
		}
	}
	stamp := func(at time.Time) func(*http.Request) {
		return func(r *http.Request) {
			r.Header.Set("X-TC-Timestamp", fmt.Sprint(at.Unix()))
			b.signTencent(r, good, at)
		}
	}
	set := func(name, value string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set(name, value) }
	}
	now := b.clock.now()
	for _, c := range []struct {
		name   string
		change func(*http.Request)
		code   string
	}{
		{"no Authorization", func(r *http.Request) { r.Header.Del("Authorization") }, "AuthFailure.InvalidAuthorization"},
		{"another algorithm", swap("TC3-HMAC-SHA256 ", "TC3-HMAC-SHA1 "), "AuthFailure.InvalidAuthorization"},
		{"another service", swap("/sms/", "/cvm/"), "AuthFailure.InvalidAuthorization"},
		{"content type is not signed", swap("content-type;", ""), "AuthFailure.InvalidAuthorization"},
		{"another key", swap("sandbox-secret-id", "AKIDother"), "AuthFailure.SecretIdNotFound"},
		{"another signature", swap("Signature=", "Signature=0000"), "AuthFailure.InvalidAuthorization"},
		{"another action", set("X-TC-Action", "PullSmsSendStatus"), "AuthFailure.SignatureFailure"},
		{"another content type", set("Content-Type", "application/json"), "AuthFailure.SignatureFailure"},
		{"another host", func(r *http.Request) { r.Host = "sms.tencentcloudapi.com" }, "AuthFailure.SignatureFailure"},
		{"six minutes old", stamp(now.Add(-6 * time.Minute)), "AuthFailure.SignatureExpire"},
		{"six minutes ahead", stamp(now.Add(6 * time.Minute)), "AuthFailure.SignatureExpire"},
		{"four minutes old", stamp(now.Add(-4 * time.Minute)), "Ok"},
		{"time differs from the signed one", set("X-TC-Timestamp", fmt.Sprint(now.Unix()-1)), "AuthFailure.SignatureFailure"},
		{"no time", func(r *http.Request) { r.Header.Del("X-TC-Timestamp") }, "MissingParameter"},
		{"time in words", set("X-TC-Timestamp", "now"), "InvalidParameter"},
		{"a token", set("X-TC-Token", "x"), "AuthFailure.TokenFailure"},
		{"another version", set("X-TC-Version", "2019-07-11"), "NoSuchVersion"},
		{"no region", func(r *http.Request) { r.Header.Del("X-TC-Region") }, "MissingParameter"},
		{"no such region", set("X-TC-Region", "Guangzhou"), "UnsupportedRegion"},
	} {
		r := b.tencentRequest(t, "SendSms", good)
		c.change(r)
		if got := b.tencent(t, r); got.code() != c.code {
			t.Errorf("%s: got %+v, want %s", c.name, got, c.code)
		}
	}
	if got := b.tencent(t, b.tencentRequest(t, "AddSmsSign", "{}")); got.code() != "InvalidAction" {
		t.Errorf("an action that is not played: %+v", got)
	}
	b.only(t)
}

func TestTencent_refuses_bad_bodies(t *testing.T) {
	t.Parallel()
	b := setup(t, unlimited)
	good := b.tencentJSON("+8613800000011")
	swap := func(from, to string) string {
		if !strings.Contains(good, from) {
			t.Fatalf("%s is not in the body", from)
		}
		return strings.Replace(good, from, to, 1)
	}
	for name, c := range map[string]struct{ body, code string }{
		"cut off":                    {good[:40], "InvalidParameter"},
		"a list":                     {"[]", "InvalidParameter"},
		"number as a variable":       {swap(`"012345"`, "12345"), "InvalidParameter"},
		"names of the older version": {swap("SmsSdkAppId", "SmsSdkAppid"), "MissingParameter"},
		"a field too many":           {swap(`"SignName"`, `"Sign":"x","SignName"`), "UnknownParameter"},
		"no numbers":                 {swap(`["+8613800000011"]`, "[]"), "MissingParameter.EmptyPhoneNumberSet"},
		"too many numbers":           {swap(`["`, `["`+strings.Repeat(`+8613800000012","`, 200)), "LimitExceeded.PhoneNumberCountLimit"},
		"both sides of the border":   {swap(`["`, `["+85261234567","`), "UnsupportedOperation.ContainDomesticAndInternationalPhoneNumber"},
		"another application":        {swap("1400000001", "1400000002"), "UnauthorizedOperation.SmsSdkAppIdVerifyFail"},
		"session is too long":        {swap("job-1", strings.Repeat("a", 512)), "InvalidParameterValue"},
		"bad number":                 {b.tencentJSON("1380"), "InvalidParameterValue.IncorrectPhoneNumber"},
		"abroad without a plus":      {b.tencentJSON("85261234567"), "InvalidParameterValue.IncorrectPhoneNumber"},
		"no sign name":               {swap(`"SignName":"测试",`, ""), "FailedOperation.MissingSignature"},
		"sign name in brackets":      {swap("测试", "【测试】"), "FailedOperation.SignatureIncorrectOrUnapproved"},
		"sign name of one character": {swap("测试", "测"), "FailedOperation.SignatureIncorrectOrUnapproved"},
		"template is a name":         {swap(`"71390002"`, `"SMS_1"`), "FailedOperation.TemplateIncorrectOrUnapproved"},
		"template in audit":          {swap("71390002", "990001"), "FailedOperation.TemplateIncorrectOrUnapproved"},
		"no variables":               {swap(`["012345","5"]`, "[]"), "FailedOperation.TemplateParamSetNotMatchApprovedTemplate"},
		"three variables":            {swap(`"5"`, `"5","6"`), "FailedOperation.TemplateParamSetNotMatchApprovedTemplate"},
		"seven digits":               {swap("012345", "0123456"), "InvalidParameterValue.TemplateParameterFormatError"},
		"letters":                    {swap("012345", "abc"), "InvalidParameterValue.TemplateParameterFormatError"},
		"a name among digits":        {swap(`"5"`, `"示例商城"`), "InvalidParameterValue.TemplateParameterFormatError"},
		"a long name":                {strings.Replace(swap(`"5"`, `"示例商城测试号"`), "71390002", "71990003", 1), "InvalidParameterValue.TemplateParameterLengthLimit"},
		"an address":                 {swap("012345", "https://x"), "InvalidParameterValue.ProhibitedUseUrlInTemplateParameter"},
		"magic temporary":            {b.tencentJSON("+8613800990004"), "RequestLimitExceeded"},
		"magic blacklist":            {b.tencentJSON("+8613800990005"), "FailedOperation.PhoneNumberInBlacklist"},
		"magic limit":                {b.tencentJSON("+8613800990006"), "LimitExceeded.PhoneNumberDailyLimit"},
		"magic balance":              {b.tencentJSON("+8613800990007"), "FailedOperation.InsufficientBalanceInSmsPackage"},
		"magic number":               {b.tencentJSON("+8613800990008"), "InvalidParameterValue.IncorrectPhoneNumber"},
		"too big":                    {good + strings.Repeat(" ", 70_000), "RequestSizeLimitExceeded"},
	} {
		if got := b.sendTencent(t, c.body); got.code() != c.code {
			t.Errorf("%s: got %+v, want %s", name, got, c.code)
		}
	}
	if n := len(b.Messages("")); n != 0 {
		t.Errorf("messages: got %d, want 0", n)
	}
}

func TestTencent_limits_each_number(t *testing.T) {
	t.Parallel()
	b := setup(t)
	start, _ := time.Parse(time.RFC3339, b.clock.beijing("2006-01-02")+"T00:00:00+08:00")
	b.clock.advance(start.Add(24 * time.Hour).Sub(b.clock.now())) // midnight in Beijing, which is not that of UTC
	body := b.tencentJSON("+8613800000011")
	want := func(when, body, code string) {
		t.Helper()
		if got := b.sendTencent(t, body); got.code() != code {
			t.Errorf("%s: got %+v, want %s", when, got, code)
		}
	}
	want("first", body, "Ok")
	want("at once again", body, "LimitExceeded.PhoneNumberThirtySecondLimit")
	want("at once with another code", strings.Replace(body, "012345", "012346", 1), "Ok")
	for i := range 8 {
		b.clock.advance(31 * time.Second)
		want(fmt.Sprint("message ", i+3), body, "Ok")
	}
	b.clock.advance(31 * time.Second)
	want("eleventh of the day", body, "LimitExceeded.PhoneNumberDailyLimit")
	want("another number", b.tencentJSON("+8613800000012"), "Ok")
	b.clock.advance(24 * time.Hour)
	want("next day", body, "Ok")
}

func TestTencent_reports_are_asked_for(t *testing.T) {
	t.Parallel()
	b := setup(t, unlimited, func(c *sandbox.Config) { c.DeliveryDelay = time.Hour })
	app := b.Credentials().Tencent.SDKAppID
	sent := b.clock.now().Unix()
	serial := b.sendTencent(t, b.tencentJSON("+8613800000011")).Response.SendStatusSet[0].SerialNo
	b.sendTencent(t, b.tencentJSON("+8613800990001"))
	b.sendTencent(t, b.tencentJSON("+8613800990002")) // never reported
	ask := func(action, body string) tencentResult {
		t.Helper()
		return b.tencent(t, b.tencentRequest(t, action, body))
	}
	byNumber := func(number, change string) tencentResult {
		t.Helper()
		body := fmt.Sprintf(`{"SmsSdkAppId":"%s","PhoneNumber":"%s","BeginTime":%d,"EndTime":%d,"Offset":0,"Limit":10}`,
			app, number, sent-1, b.clock.now().Unix())
		if change != "" {
			from, to, _ := strings.Cut(change, "=")
			body = strings.Replace(body, from, to, 1)
		}
		return ask("PullSmsSendStatusByPhoneNumber", body)
	}
	if got := byNumber("+8613800000011", ""); got.code() != "" || len(got.Response.PullSmsSendStatusSet) != 0 {
		t.Errorf("before the report: %+v", got)
	}
	b.clock.advance(2 * time.Hour)
	for number, want := range map[string]string{"+8613800000011": "SUCCESS", "+8613800990001": "FAIL"} {
		got := byNumber(number, "").Response.PullSmsSendStatusSet
		if len(got) != 1 || got[0].ReportStatus != want || got[0].PhoneNumber != number || got[0].UserReceiveTime < sent+3599 ||
			got[0].SessionContext != nil || want == "SUCCESS" && got[0].SerialNo != serial {
			t.Errorf("%s: got %+v", number, got)
		}
	}
	for change, code := range map[string]string{
		app + "=1400000002": "UnauthorizedOperation.SmsSdkAppIdVerifyFail", `"Offset":0="Offset":1`: "InvalidParameterValue.OffsetVerifyFail",
		`"Limit":10="Limit":101`: "InvalidParameterValue.LimitVerifyFail", `"BeginTime":1="BeginTime":-1`: "InvalidParameterValue.BeginTimeVerifyFail",
		"+8613800000011=+861": "InvalidParameterValue.IncorrectPhoneNumber", `"EndTime":1="EndTime":-1`: "InvalidParameterValue.EndTimeVerifyFail",
		`"Limit":10="Page":10`: "MissingParameter",
	} {
		if got := byNumber("+8613800000011", change); got.code() != code {
			t.Errorf("%s: got %+v, want %s", change, got, code)
		}
	}
	all := `{"SmsSdkAppId":"` + app + `","Limit":100}`
	if got := ask("PullSmsSendStatus", all); len(got.Response.PullSmsSendStatusSet) != 2 {
		t.Errorf("all: %+v", got)
	}
	if got := ask("PullSmsSendStatus", all); got.code() != "" || len(got.Response.PullSmsSendStatusSet) != 0 {
		t.Errorf("all again: %+v", got)
	}
}

func TestTencent_tells_the_state_of_templates(t *testing.T) {
	t.Parallel()
	b := setup(t)
	got := b.tencent(t, b.tencentRequest(t, "DescribeSmsTemplateList", `{"International":0,"TemplateIdSet":[1110,990001,990002]}`))
	want := []int{0, 1, -1}
	for i, template := range got.Response.DescribeTemplateStatusSet {
		if template.StatusCode != want[i] {
			t.Errorf("%d: got %d, want %d", template.TemplateId, template.StatusCode, want[i])
		}
	}
	if len(got.Response.DescribeTemplateStatusSet) != 3 {
		t.Errorf("got %+v", got)
	}
}

func TestTencent_faults(t *testing.T) {
	t.Parallel()
	b := setup(t, unlimited)
	b.fault(t, sandbox.Faults{Tencent: &sandbox.Fault{Code: "InternalError.Timeout", Count: 1}})
	if got := b.sendTencent(t, b.tencentJSON("+8613800000011")); got.Response.Error.Code != "InternalError.Timeout" {
		t.Errorf("got %+v", got)
	}
	b.fault(t, sandbox.Faults{Tencent: &sandbox.Fault{Reset: true, Count: 1}})
	if response, err := b.client.Do(b.tencentRequest(t, "SendSms", b.tencentJSON("+8613800000011"))); err == nil {
		response.Body.Close()
		t.Error("got an answer")
	}
	b.only(t)
	if err := b.SetFaults(sandbox.Faults{Tencent: &sandbox.Fault{Code: "Ok"}}); err == nil {
		t.Error("success as a fault was accepted")
	}
}

const tencentTakes = `{"result":0,"errmsg":"OK"}`

func TestPushes_of_Tencent_are_arrays_and_repeated_twice(t *testing.T) {
	t.Parallel()
	c := newCustomer(t, tencentTakes, 500, 500, 500)
	b := setup(t, pushing, func(config *sandbox.Config) {
		config.Reports.Tencent = c.URL
		config.ReportRetries = []time.Duration{time.Millisecond, time.Millisecond, time.Millisecond}
	})
	serial := b.sendTencent(t, b.tencentJSON("+8613800000011")).Response.SendStatusSet[0].SerialNo
	first := c.next(t)
	kind, body, _ := strings.Cut(first, " ")
	type entry struct {
		At      string  `json:"user_receive_time"`
		Nation  string  `json:"nationcode"`
		Mobile  string  `json:"mobile"`
		Status  string  `json:"report_status"`
		ErrMsg  string  `json:"errmsg"`
		SID     string  `json:"sid"`
		Session *string `json:"ext"`
	}
	got := decode[[]entry](t, body)
	if !strings.HasPrefix(kind, "application/json") || len(got) != 1 || got[0].Session != nil || len(got[0].At) != 19 {
		t.Fatalf("got %s", first)
	}
	got[0].At = ""
	if want := (entry{Nation: "86", Mobile: "13800000011", Status: "SUCCESS", ErrMsg: "DELIVRD", SID: serial}); got[0] != want {
		t.Errorf("got %+v, want %+v", got[0], want)
	}
	for range 2 {
		if again := c.next(t); again != first {
			t.Errorf("got %s, then %s", first, again)
		}
	}
	b.sendTencent(t, b.tencentJSON("+8613800990001"))
	if push := c.next(t); !strings.Contains(push, "13800990001") || !strings.Contains(push, `"FAIL"`) {
		t.Errorf("got %s, want the report of another message", push)
	}
}
