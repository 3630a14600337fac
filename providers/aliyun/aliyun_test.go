package aliyun_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"usher/contact"
	"usher/providers"
	"usher/providers/aliyun"
	"usher/providers/internal/wire"
	"usher/providers/providertest"
)

const (
	keyID     = "LTAI5tTestKeyId0123456789"
	keySecret = "testSecret0123456789abcdefghij"
)

func settings(endpoint string) aliyun.Config {
	return aliyun.Config{
		Keys:          aliyun.Keys{AccessKeyID: keyID, AccessKeySecret: keySecret},
		SignName:      "测试 签名*~",
		TemplateCode:  "SMS_71390007",
		TemplateParam: "code",
		Endpoint:      endpoint,
	}
}

func open(t testing.TB, endpoint string) *aliyun.Client {
	t.Helper()
	client, err := aliyun.New(settings(endpoint))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.HTTP.CloseIdleConnections)
	return client
}

func refusal(code string) string {
	return fmt.Sprintf(`{"Code":%q,"Message":"to 13800138000: code 739105","RequestId":"R-1"}`, code)
}

const acceptance = `{"Message":"OK","RequestId":"R-1","BizId":"900619746936498440^0","Code":"OK"}`

func TestClient(t *testing.T) {
	t.Parallel()
	providertest.Run(t, providertest.SMSCase{
		Provider:  "aliyun",
		New:       func(t testing.TB, endpoint string) providers.SMSSender { return open(t, endpoint) },
		Secrets:   []string{keyID, keySecret},
		Accepted:  acceptance,
		ReceiptID: "900619746936498440^0",
		Refusals: []providertest.Refusal{
			business("isv.BUSINESS_LIMIT_CONTROL", providers.RateLimited),
			business("isv.MOBILE_NUMBER_ILLEGAL", providers.Rejected),
			business("isv.BLACK_KEY_CONTROL_LIMIT", providers.Rejected),
			business("isv.SMS_TEMPLATE_ILLEGAL", providers.Misconfigured),
			business("isv.SMS_SIGNATURE_ILLEGAL", providers.Misconfigured),
			business("isv.AMOUNT_NOT_ENOUGH", providers.Misconfigured),
			business("isp.RAM_PERMISSION_DENY", providers.Misconfigured),
			business("isp.SYSTEM_ERROR", providers.Temporary),
			business("isv.NEVER_HEARD_OF", providers.Rejected),
			business("isp.NEVER_HEARD_OF", providers.Temporary),
			business("NeverHeardOf", providers.Misconfigured),
			gateway("InvalidAccessKeyId.NotFound", http.StatusNotFound, providers.Misconfigured),
			gateway("SignatureDoesNotMatch", http.StatusBadRequest, providers.Misconfigured),
			gateway("Throttling.User", http.StatusBadRequest, providers.Temporary),
			gateway("Throttling.NeverHeardOf", http.StatusTooManyRequests, providers.Temporary),
			gateway("ServiceUnavailable", http.StatusServiceUnavailable, providers.Unknown),
			gateway("SignatureNonceUsed", http.StatusBadRequest, providers.Unknown),
			gateway("NeverHeardOf", http.StatusInternalServerError, providers.Unknown),
			{
				Name: "a code too long and strange is cut", Body: refusal("isv.<b>A</b> " + strings.Repeat("B", 100)),
				Kind: providers.Rejected, Code: "isv.bAb" + strings.Repeat("B", 57),
			},
		},
		Echo: refusal,
	})
}

func business(code string, kind providers.Kind) providertest.Refusal {
	return gateway(code, http.StatusOK, kind)
}

func gateway(code string, status int, kind providers.Kind) providertest.Refusal {
	return providertest.Refusal{Name: code, Status: status, Body: refusal(code), Kind: kind, Code: code}
}

// An id that comes as a JSON number is the same id. What is no id does not change that the message was accepted.
func TestClient_SendSMS_reads_every_id(t *testing.T) {
	t.Parallel()
	for id, want := range map[string]string{
		`"900619746936498440^0"`: "900619746936498440^0",
		`900619746936498441`:     "900619746936498441",
		`null`:                   "",
		`{"Id":1}`:               "",
		`true`:                   "",
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprintf(w, `{"Code":"OK","BizId":%s}`, id)
		}))
		receipt, err := open(t, server.URL).SendSMS(t.Context(), providertest.SMS(t))
		server.Close()
		if err != nil || receipt.ID != want || receipt.Provider != aliyun.Name {
			t.Errorf("BizId %s: got %+v, %v; want the id %q", id, receipt, err, want)
		}
	}
}

func TestClient_request(t *testing.T) {
	t.Parallel()
	var got *http.Request
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r
		fmt.Fprint(w, acceptance)
	}))
	defer server.Close()
	sms := providertest.SMS(t)
	sms.Code = `01"<&34`
	if _, err := open(t, server.URL+"/aliyun/").SendSMS(t.Context(), sms); err != nil {
		t.Fatal(err)
	}
	if got.Method != http.MethodPost || got.URL.Path != "/aliyun/" || got.ContentLength != 0 {
		t.Errorf("got %s %s with %d bytes, want POST /aliyun/ with none", got.Method, got.URL.Path, got.ContentLength)
	}
	params := flat(got.URL.Query())
	var template map[string]string
	if err := json.Unmarshal([]byte(params["TemplateParam"]), &template); err != nil {
		t.Errorf("template parameter %s: %v", params["TemplateParam"], err)
	}
	if want := map[string]string{"code": sms.Code}; !cmp.Equal(template, want) {
		t.Errorf("got template parameter %v, want %v", template, want)
	}
	if signature := sign(got.Method, params, keySecret); params["Signature"] != signature {
		t.Errorf("got signature %q, want %q", params["Signature"], signature)
	}
	for _, changing := range []string{"Signature", "SignatureNonce", "Timestamp", "TemplateParam"} {
		if params[changing] == "" {
			t.Errorf("%s is missing", changing)
		}
		delete(params, changing)
	}
	want := map[string]string{
		"AccessKeyId": keyID, "Action": "SendSms", "Format": "JSON", "OutId": sms.ID,
		"PhoneNumbers": "13800138000", "RegionId": "cn-hangzhou", "SignName": "测试 签名*~",
		"SignatureMethod": "HMAC-SHA1", "SignatureType": "", "SignatureVersion": "1.0",
		"TemplateCode": "SMS_71390007", "Version": "2017-05-25",
	}
	if diff := cmp.Diff(want, params); diff != "" {
		t.Errorf("parameters (-want +got):\n%s", diff)
	}
}

func TestClient_uses_the_template_of_the_purpose(t *testing.T) {
	t.Parallel()
	var got string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		params := flat(r.URL.Query())
		got = params["TemplateCode"]
		if signature := sign(r.Method, params, keySecret); params["Signature"] != signature {
			t.Errorf("got signature %q, want %q", params["Signature"], signature)
		}
		fmt.Fprint(w, acceptance)
	}))
	defer server.Close()
	cfg := settings(server.URL)
	cfg.TemplateRegister, cfg.TemplateResetPassword, cfg.TemplateChangeMobile = "SMS_1", "SMS_3", "SMS_4"
	cfg.TemplateUndoChange = "SMS_5"
	client, err := aliyun.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer client.HTTP.CloseIdleConnections()
	for purpose, want := range map[string]string{
		"register": "SMS_1", "login": cfg.TemplateCode, "reset_password": "SMS_3", "change_mobile": "SMS_4", "undo_change": "SMS_5",
		"": cfg.TemplateCode, "of another release": cfg.TemplateCode,
	} {
		sms := providertest.SMS(t)
		sms.Purpose = purpose
		if _, err := client.SendSMS(t.Context(), sms); err != nil || got != want {
			t.Errorf("purpose %q is sent in template %q, %v; want %q", purpose, got, err, want)
		}
	}
	if missing := client.Templates().Missing(); !cmp.Equal(missing, []string{"login"}) {
		t.Errorf("missing %v, want login", missing)
	}
	cfg.TemplateLogin = "71390002"
	if m := cfg.Validate(); len(m) != 1 || m[0].Variable != "ALIYUN_TEMPLATE_CODE_LOGIN" {
		t.Errorf("mistakes %v, want one for the template of sign-ins", m)
	}
}

func TestClient_sends_abroad_in_a_template_of_its_own(t *testing.T) {
	t.Parallel()
	providertest.WantUnserved(t, func(endpoint string) providers.SMSSender { return open(t, endpoint) })
	var got map[string]string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = flat(r.URL.Query())
		fmt.Fprint(w, acceptance)
	}))
	defer server.Close()
	cfg := settings(server.URL)
	cfg.TemplateAbroad, cfg.TemplateLogin = "SMS_852", "SMS_2"
	client, err := aliyun.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer client.HTTP.CloseIdleConnections()
	sms := providertest.SMS(t)
	sms.Purpose = "login"
	for _, test := range []struct {
		to               contact.Mobile
		template, number string
	}{{sms.To, "SMS_2", "13800138000"}, {providertest.Abroad(t), "SMS_852", "85251234567"}} {
		sms.To = test.to
		if _, err := client.SendSMS(t.Context(), sms); err != nil || got["TemplateCode"] != test.template || got["PhoneNumbers"] != test.number {
			t.Errorf("%s is sent to %s in %s, %v; want %+v", sms.To, got["PhoneNumbers"], got["TemplateCode"], err, test)
		}
		if signature := sign(http.MethodPost, got, keySecret); got["Signature"] != signature {
			t.Errorf("got signature %q, want %q", got["Signature"], signature)
		}
	}
	cfg.TemplateAbroad = "852"
	if m := cfg.Validate(); len(m) != 1 || m[0].Variable != "ALIYUN_TEMPLATE_CODE_ABROAD" {
		t.Errorf("mistakes %v, want one for the template abroad", m)
	}
}

// flat keeps parameters without a value: they are signed too.
func flat(values url.Values) map[string]string {
	params := make(map[string]string, len(values))
	for name := range values {
		params[name] = values.Get(name)
	}
	return params
}

func TestConfig_Validate(t *testing.T) {
	t.Parallel()
	if m := settings("https://dysmsapi.aliyuncs.com").Validate(); len(m) > 0 {
		t.Errorf("got %v, want no mistakes", m)
	}
	bad := aliyun.Config{
		Keys: aliyun.Keys{AccessKeySecret: " " + keySecret}, SignName: "【测试】", TemplateCode: "71390007", Endpoint: "http://example.com/?k=" + keyID,
		Bounds: wire.Bounds{QPS: -1, Concurrency: 10_001},
	}
	var names []string
	for _, m := range bad.Validate() {
		names = append(names, m.Variable)
	}
	want := []string{
		"ALIYUN_ACCESS_KEY_ID", "ALIYUN_ACCESS_KEY_SECRET", "ALIYUN_SIGN_NAME", "ALIYUN_TEMPLATE_CODE",
		"ALIYUN_TEMPLATE_PARAM", "ALIYUN_ENDPOINT", "ALIYUN_QPS", "ALIYUN_CONCURRENCY",
	}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("variables (-want +got):\n%s", diff)
	}
	_, err := aliyun.New(bad)
	if diff := cmp.Diff(error(bad.Validate()), err); diff != "" {
		t.Errorf("error (-want +got):\n%s", diff)
	}
	if text := err.Error(); strings.Contains(text, keyID) || strings.Contains(text, keySecret) {
		t.Errorf("the error shows a secret: %s", text)
	}
}

func BenchmarkClient_SendSMS(b *testing.B) {
	providertest.Benchmark(b, func(t testing.TB, endpoint string) providers.SMSSender { return open(t, endpoint) }, acceptance)
}
