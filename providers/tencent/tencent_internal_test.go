package tencent

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"usher/config"
	"usher/messages"
	"usher/providers"
	"usher/providers/internal/wire"
	"usher/providers/providertest"
)

// TestAuthorization_published is the example of the vendor's page about signatures, which is one of another product.
func TestAuthorization_published(t *testing.T) {
	t.Parallel()
	const body = `{"Limit": 1, "Filters": [{"Values": ["\u672a\u547d\u540d"], "Name": "instance-name"}]}`
	keys := Config{SecretID: "AKID********************************", SecretKey: "********************************"}
	got := authorization(keys, signed{"cvm", "cvm.tencentcloudapi.com", "DescribeInstances", []byte(body), time.Unix(1551113065, 0)})
	const want = "TC3-HMAC-SHA256 Credential=AKID********************************/2019-02-25/cvm/tc3_request, " +
		"SignedHeaders=content-type;host;x-tc-action, Signature=10b1a37a7301a02ca19a647ad722d5e43b4b3cff309d421d85b46093f6ab6c4f"
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// TestAuthorization_SendSms holds a message's signature against values computed with openssl.
func TestAuthorization_SendSms(t *testing.T) {
	t.Parallel()
	const body = `{"PhoneNumberSet":["+8613800138000"],"SmsSdkAppId":"1400006666","TemplateId":"1110","SignName":"测试",` +
		`"TemplateParamSet":["012345","5"],"SessionContext":"j1"}`
	got := authorization(Config{SecretID: "testId", SecretKey: "testSecret"},
		signed{service, "sms.tencentcloudapi.com", "SendSms", []byte(body), time.Unix(1767323045, 0)})
	const want = "TC3-HMAC-SHA256 Credential=testId/2026-01-02/sms/tc3_request, SignedHeaders=content-type;host;x-tc-action, " +
		"Signature=706ccacf68bcd2816b5217f86277c7130080ef27dbfb257c89ee7b21c55a3cfd"
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestKindOf_every_family(t *testing.T) {
	t.Parallel()
	for code, want := range map[string]providers.Kind{
		"LimitExceeded.PhoneNumberThirtySecondLimit":       providers.RateLimited,
		"LimitExceeded.PhoneNumberWeekLimit":               providers.RateLimited, // not listed
		"LimitExceeded.PhoneNumberCountLimit":              providers.Rejected,
		"LimitExceeded.DeliveryFrequencyLimit":             providers.RateLimited,
		"LimitExceeded.AppDailyLimit":                      providers.Misconfigured,
		"LimitExceeded.DailyLimit":                         providers.Misconfigured,
		"LimitExceeded.AppMainlandChinaDailyLimit":         providers.Misconfigured,
		"LimitExceeded":                                    providers.Misconfigured,
		"RequestLimitExceeded":                             providers.Temporary,
		"RequestLimitExceeded.UinLimitExceeded":            providers.Temporary,
		"AuthFailure.SignatureExpire":                      providers.Misconfigured,
		"UnauthorizedOperation.SerivceSuspendDueToArrears": providers.Misconfigured,
		"UnauthorizedOperation.ServiceSuspendDueToArrears": providers.Misconfigured,
		"InvalidParameterValue.SdkAppIdNotExist":           providers.Misconfigured,
		"InvalidParameterValue.IncorrectPhoneNumber":       providers.Rejected,
		"MissingParameter":                                 providers.Misconfigured,
		"UnsupportedOperation.UnsuportedRegion":            providers.Rejected,
		"UnsupportedOperation.":                            providers.Misconfigured,
		"FailedOperation.ContainSensitiveWord":             providers.Rejected,
		"FailedOperation.InsufficientBalanceInSmsPackage":  providers.Misconfigured,
		"FailedOperation.OtherError":                       providers.Unknown,
		"FailedOperation.ParametersOtherError":             providers.Unknown,
		"InternalError":                                    providers.Unknown,
		"InternalError.Timeout":                            providers.Unknown,
		"InternalError.SendAndRecvFail":                    providers.Unknown,
		"InternalError.SigVerificationFail":                providers.Misconfigured,
		"ResourceUnavailable":                              providers.Unknown,
		"ok":                                               providers.Unknown,
	} {
		if got := kindOf(code); got != want {
			t.Errorf("%s: got %v, want %v", code, got, want)
		}
	}
}

func fuzzed(body string, status int) *Client {
	client, _ := New(benchConfig())
	client.HTTP = &http.Client{Transport: said{status, body}}
	return client
}

// said answers without a network.
type said struct {
	status int
	body   string
}

// RoundTrip implements [http.RoundTripper].
func (s said) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: s.status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(s.body)), Request: r}, nil
}

// wantSafe fails when the error is of another type than promised, or shows a private text.
func wantSafe(t *testing.T, err error, private ...string) {
	t.Helper()
	e, ok := err.(*providers.Error) //nolint:errorlint // the type promised
	if !ok || len(e.Code) > 64 || e.Provider != Name {
		t.Fatalf("got %#v", err)
	}
	for _, p := range private {
		if strings.Contains(err.Error(), p) {
			t.Errorf("the error shows %q: %v", p, err)
		}
	}
}

// FuzzClient_receipt feeds answers of any shape: only a status of Ok with a 2xx is an acceptance, and nothing but a bounded
// code comes out.
func FuzzClient_receipt(f *testing.F) {
	for _, body := range []string{
		"", "null", "{}", "[]", `{"Response":null}`, `{"Response":[]}`, `{"Response":{"SendStatusSet":[{"Code":"Ok","SerialNo":"5000:1045"}]}}`,
		`{"Response":{"SendStatusSet":[{"Code":"ok"}]}}`, `{"Response":{"SendStatusSet":[{"Code":"Ok"},{"Code":"Ok"}]}}`,
		`{"Response":{"Error":{"Code":"AuthFailure"},"SendStatusSet":[{"Code":"Ok"}]}}`, `{"Response":{"Error":{"Code":7}}}`,
		`{"Response":{"SendStatusSet":[{"Code":"FailedOperation.13800138000"}]}}`, strings.Repeat("[", 20000),
	} {
		f.Add(http.StatusOK, body)
		f.Add(http.StatusBadRequest, body)
	}
	sms := providertest.SMS(f)
	client, err := New(benchConfig())
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, status int, body string) {
		receipt, err := client.receipt(sms, wire.Answer{Status: status, Body: []byte(body)})
		if err != nil {
			wantSafe(t, err, sms.To.Reveal(), sms.Code)
			return
		}
		if status/100 != 2 || !strings.Contains(body, "Ok") && !strings.Contains(body, `\u`) || len(receipt.ID) > 64 {
			t.Errorf("status %d, %q: accepted with id %q", status, body, receipt.ID)
		}
	})
}

// FuzzClient_QuerySMS feeds answers of any shape: an outcome is one of those that exist, and an error shows no number.
func FuzzClient_QuerySMS(f *testing.F) {
	for _, entry := range []string{
		"", `null`, `{"ReportStatus":"SUCCESS"}`, `{"ReportStatus":"FAIL","Description":"to 13800138000"}`, `{"SessionContext":"x"}`,
		`{"ReportStatus":"FAIL","UserReceiveTime":99999999999}`, `{"ReportStatus":1}`,
	} {
		f.Add(http.StatusOK, `{"Response":{"PullSmsSendStatusSet":[`+entry+`]}}`)
	}
	f.Add(http.StatusOK, `{"Response":{"PullSmsSendStatusSet":null}}`)
	f.Add(http.StatusBadGateway, `<html>13800138000</html>`)
	sms := providertest.SMS(f)
	f.Fuzz(func(t *testing.T, status int, body string) {
		result, err := fuzzed(body, status).QuerySMS(t.Context(), providers.Query{ID: sms.ID, To: sms.To, SentAt: time.Now()})
		switch {
		case err != nil:
			wantSafe(t, err, sms.To.Reveal())
		case result.State == messages.Undelivered:
			wantSafe(t, result.Refusal, sms.To.Reveal())
		case result.State != messages.Sent && result.State != messages.Delivered:
			t.Errorf("%q: state %q", body, result.State)
		}
	})
}

// FuzzClient_Pull feeds answers of any shape: a report names a message, and its code is bounded.
func FuzzClient_Pull(f *testing.F) {
	for _, entry := range []string{"", "null", `{"SerialNo":"5000:1","ReportStatus":"SUCCESS"}`, `{"SerialNo":1,"ReportStatus":"FAIL"}`} {
		f.Add(http.StatusOK, `{"Response":{"PullSmsSendStatusSet":[`+entry+`]}}`)
	}
	f.Fuzz(func(t *testing.T, status int, body string) {
		batch, err := Puller{fuzzed(body, status)}.Pull(t.Context())
		if err != nil {
			wantSafe(t, err)
		}
		for _, r := range batch.Reports {
			if err != nil || r.Provider != Name || r.MessageID == "" || len(r.MessageID) > 64 || len(r.Code) > 32 {
				t.Errorf("%q: %+v, %v", body, r, err)
			}
		}
	})
}

// BenchmarkClient_request builds and signs without sending.
func BenchmarkClient_request(b *testing.B) {
	client, err := New(benchConfig())
	if err != nil {
		b.Fatal(err)
	}
	sms := providertest.SMS(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := client.request(b.Context(), sms.To.E164(), sms); err != nil {
			b.Fatal(err)
		}
	}
}

func benchConfig() Config {
	return Config{
		SecretID: "AKIDtestSecretId0123456789abcdefghij", SecretKey: config.Secret("testSecretKey0123456789abcdefghij"),
		SDKAppID: "1400006666", SignName: "测试签名", TemplateID: "1110", TemplateParams: []string{"code", "minutes"},
		Region: "ap-guangzhou", Endpoint: "http://127.0.0.1:1",
	}
}
