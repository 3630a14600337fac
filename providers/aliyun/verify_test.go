package aliyun_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"usher/providers"
	"usher/providers/aliyun"
	"usher/providers/internal/wire"
	"usher/providers/providertest"
)

func verifySettings(endpoint string) aliyun.VerifyConfig {
	return aliyun.VerifyConfig{
		Keys:     aliyun.Keys{AccessKeyID: keyID, AccessKeySecret: keySecret},
		SignName: "速通互联验证码", TemplateCode: "100001", Endpoint: endpoint,
	}
}

func openVerify(t testing.TB, endpoint string) *aliyun.VerifyClient {
	t.Helper()
	client, err := aliyun.NewVerify(verifySettings(endpoint))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.HTTP.CloseIdleConnections)
	return client
}

const verifyAcceptance = `{"Code":"OK","Success":true,"Message":"成功","RequestId":"R-1",` +
	`"Model":{"BizId":"112231421412414124123^4","OutId":"01JD5V6Z8Q-suite_1","RequestId":"R-1"}}`

func TestVerifyClient(t *testing.T) {
	t.Parallel()
	providertest.Run(t, providertest.SMSCase{
		Provider:  "aliyun_verify",
		New:       func(t testing.TB, endpoint string) providers.SMSSender { return openVerify(t, endpoint) },
		Secrets:   []string{keyID, keySecret},
		Accepted:  verifyAcceptance,
		ReceiptID: "112231421412414124123^4",
		Refusals: []providertest.Refusal{
			business("biz.FREQUENCY", providers.RateLimited),
			gateway("FREQUENCY_FAIL", http.StatusBadRequest, providers.RateLimited),
			gateway("BUSINESS_LIMIT_CONTROL", http.StatusBadRequest, providers.RateLimited),
			business("isv.BUSINESS_LIMIT_CONTROL", providers.RateLimited),
			gateway("MOBILE_NUMBER_ILLEGAL", http.StatusBadRequest, providers.Rejected),
			business("isv.MOBILE_NUMBER_ILLEGAL", providers.Rejected),
			gateway("INVALID_PARAMETERS", http.StatusBadRequest, providers.Misconfigured),
			business("isv.INVALID_PARAMETERS", providers.Misconfigured),
			gateway("FUNCTION_NOT_OPENED", http.StatusBadRequest, providers.Misconfigured),
			business("isv.SMS_SIGNATURE_ILLEGAL", providers.Misconfigured),
			business("isv.AMOUNT_NOT_ENOUGH", providers.Misconfigured),
			business("isv.RAM_PERMISSION_DENY", providers.Misconfigured),
			business("isv.SYSTEM_ERROR", providers.Temporary),
			gateway("SYSTEM_ERROR", http.StatusBadRequest, providers.Temporary),
			business("isv.NEVER_HEARD_OF", providers.Rejected),
			gateway("SignatureDoesNotMatch", http.StatusBadRequest, providers.Misconfigured),
			gateway("Throttling.User", http.StatusBadRequest, providers.Temporary),
			gateway("InternalError", http.StatusInternalServerError, providers.Unknown),
			gateway("ServiceUnavailable", http.StatusServiceUnavailable, providers.Unknown),
		},
		Echo: refusal,
	})
}

// verified is a vendor that answers every request alike, and the parameters of the last one.
func verified(t *testing.T, body string) (endpoint string, params func() map[string]string) {
	t.Helper()
	var got map[string]string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = flat(r.URL.Query())
		if signature := sign(r.Method, got, keySecret); got["Signature"] != signature {
			t.Errorf("got signature %q, want %q", got["Signature"], signature)
		}
		fmt.Fprint(w, body)
	}))
	t.Cleanup(server.Close)
	return server.URL, func() map[string]string { return got }
}

func TestVerifyClient_request(t *testing.T) {
	t.Parallel()
	endpoint, params := verified(t, verifyAcceptance)
	sms := providertest.SMS(t)
	sms.TTL = 5*time.Minute - time.Second
	if _, err := openVerify(t, endpoint).SendSMS(t.Context(), sms); err != nil {
		t.Fatal(err)
	}
	got := params()
	var template map[string]string
	if err := json.Unmarshal([]byte(got["TemplateParam"]), &template); err != nil {
		t.Errorf("template parameter %s: %v", got["TemplateParam"], err)
	}
	if want := map[string]string{"code": sms.Code, "min": "5"}; !cmp.Equal(template, want) {
		t.Errorf("got template parameter %v, want %v", template, want)
	}
	for _, changing := range []string{"Signature", "SignatureNonce", "Timestamp", "TemplateParam"} {
		delete(got, changing)
	}
	want := map[string]string{
		"AccessKeyId": keyID, "Action": "SendSmsVerifyCode", "AutoRetry": "0", "CountryCode": "86", "Format": "JSON", "Interval": "60",
		"OutId": sms.ID, "PhoneNumber": "13800138000", "RegionId": "cn-hangzhou", "SignName": "速通互联验证码",
		"SignatureMethod": "HMAC-SHA1", "SignatureType": "", "SignatureVersion": "1.0", "TemplateCode": "100001", "Version": "2017-05-25",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("parameters (-want +got):\n%s", diff)
	}
}

func TestVerifyClient_uses_the_template_of_the_purpose(t *testing.T) {
	t.Parallel()
	endpoint, params := verified(t, verifyAcceptance)
	cfg := verifySettings(endpoint)
	cfg.TemplateResetPassword = "100003"
	client, err := aliyun.NewVerify(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer client.HTTP.CloseIdleConnections()
	for purpose, want := range map[string]string{"login": "100001", "reset_password": "100003"} {
		sms := providertest.SMS(t)
		sms.Purpose = purpose
		if _, err := client.SendSMS(t.Context(), sms); err != nil || params()["TemplateCode"] != want {
			t.Errorf("purpose %q is sent in template %q, %v; want %q", purpose, params()["TemplateCode"], err, want)
		}
	}
}

// A sign name that is not on the account's own list is answered with a system error as well: a second one is no accident.
func TestVerifyClient_takes_a_second_system_error_for_a_wrong_sign_name(t *testing.T) {
	t.Parallel()
	endpoint, _ := verified(t, refusal("isv.SYSTEM_ERROR"))
	client, sms := openVerify(t, endpoint), providertest.SMS(t)
	for attempt, want := range map[int]providers.Kind{1: providers.Temporary, 2: providers.Misconfigured, 3: providers.Misconfigured} {
		sms.Attempt = attempt
		if _, err := client.SendSMS(t.Context(), sms); err == nil || providers.KindOf(err) != want {
			t.Errorf("attempt %d: got %v, want %v", attempt, err, want)
		}
	}
}

func TestVerifyClient_leaves_numbers_abroad_to_other_providers(t *testing.T) {
	t.Parallel()
	providertest.WantUnserved(t, func(endpoint string) providers.SMSSender { return openVerify(t, endpoint) })
}

func TestVerifyClient_CheckCredentials(t *testing.T) {
	t.Parallel()
	for body, right := range map[string]bool{
		refusal("MOBILE_NUMBER_ILLEGAL"): true, refusal("isv.MOBILE_NUMBER_ILLEGAL"): true,
		refusal("SignatureDoesNotMatch"): false, refusal("isv.RAM_PERMISSION_DENY"): false, refusal("FUNCTION_NOT_OPENED"): false,
		refusal("INVALID_PARAMETERS"): false, refusal("SYSTEM_ERROR"): false, `<html>`: false,
	} {
		endpoint, params := verified(t, body)
		client := openVerify(t, endpoint)
		for _, check := range []error{client.CheckCredentials(t.Context()), client.Probe(t.Context())} {
			if (check == nil) != right {
				t.Errorf("%s: got %v", body, check)
			}
		}
		if params()["PhoneNumber"] != "10000000000" {
			t.Errorf("asked with the number %q, which exists", params()["PhoneNumber"])
		}
	}
}

func TestVerifyConfig_Validate(t *testing.T) {
	t.Parallel()
	if m := verifySettings("https://dypnsapi.aliyuncs.com").Validate(); len(m) > 0 {
		t.Errorf("got %v, want no mistakes", m)
	}
	bad := aliyun.VerifyConfig{
		Keys: aliyun.Keys{AccessKeySecret: " " + keySecret}, SignName: "【速通互联验证码】", TemplateCode: "SMS_71390007",
		Endpoint: "http://example.com/?k=" + keyID, Bounds: wire.Bounds{QPS: -1, Concurrency: 10_001},
	}
	bad.TemplateLogin = "login"
	var names []string
	for _, m := range bad.Validate() {
		names = append(names, m.Variable)
	}
	want := []string{
		"ALIYUN_ACCESS_KEY_ID", "ALIYUN_ACCESS_KEY_SECRET", "ALIYUN_VERIFY_SIGN_NAME", "ALIYUN_VERIFY_TEMPLATE_CODE",
		"ALIYUN_VERIFY_TEMPLATE_CODE_LOGIN", "ALIYUN_VERIFY_ENDPOINT", "ALIYUN_VERIFY_QPS", "ALIYUN_VERIFY_CONCURRENCY",
	}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("variables (-want +got):\n%s", diff)
	}
	_, err := aliyun.NewVerify(bad)
	if diff := cmp.Diff(error(bad.Validate()), err); diff != "" {
		t.Errorf("error (-want +got):\n%s", diff)
	}
	if text := err.Error(); strings.Contains(text, keyID) || strings.Contains(text, keySecret) || !strings.Contains(text, "such as 100001") {
		t.Errorf("the error shows a secret, or no example: %s", text)
	}
}
