package tencent_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"usher/contact"
	"usher/providers"
	"usher/providers/internal/wire"
	"usher/providers/providertest"
	"usher/providers/tencent"
)

const (
	secretID  = "AKIDtestSecretId0123456789abcdefghij"
	secretKey = "testSecretKey0123456789abcdefghij"
	appID     = "1400006666"
	serial    = "5000:1045710669157053657849499619"
)

func settings(endpoint string) tencent.Config {
	return tencent.Config{
		SecretID: secretID, SecretKey: secretKey, SDKAppID: appID, SignName: "测试", TemplateID: "1110",
		TemplateParams: []string{"code", "minutes"}, Region: "ap-guangzhou", Endpoint: endpoint,
	}
}

func open(t testing.TB, endpoint string) *tencent.Client {
	t.Helper()
	client, err := tencent.New(settings(endpoint))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.HTTP.CloseIdleConnections)
	return client
}

// whole refuses a whole request.
func whole(code string) string {
	return fmt.Sprintf(`{"Response":{"Error":{"Code":%q,"Message":"to +8613800138000: code 739105"},"RequestId":"r-1"}}`, code)
}

// single is the answer with the status of one number.
func single(code string) string {
	id := ""
	if code == "Ok" {
		id = serial
	}
	return fmt.Sprintf(`{"Response":{"SendStatusSet":[{"SerialNo":%q,"PhoneNumber":"+8613800138000","Fee":1,`+
		`"SessionContext":"01JD5V6Z8Q-suite_1","Code":%q,"Message":"code 739105","IsoCode":"CN"}],"RequestId":"r-1"}}`, id, code)
}

func TestClient(t *testing.T) {
	t.Parallel()
	rows := []providertest.Refusal{
		{Name: "an error with a 4xx", Status: 400, Body: whole("AuthFailure.SignatureFailure"), Kind: providers.Misconfigured, Code: "AuthFailure.SignatureFailure"},
		{Name: "an error beside a status", Body: strings.Replace(single("Ok"), `{"Response":{`, `{"Response":{"Error":{"Code":"InternalError"},`, 1), Kind: providers.Unknown, Code: "InternalError"},
		{Name: "ok in lower case", Body: single("ok"), Kind: providers.Unknown, Code: "ok"},
	}
	for code, kind := range map[string]providers.Kind{
		"RequestLimitExceeded":                            providers.Temporary,
		"LimitExceeded.PhoneNumberDailyLimit":             providers.RateLimited,
		"InvalidParameterValue.IncorrectPhoneNumber":      providers.Rejected,
		"FailedOperation.InsufficientBalanceInSmsPackage": providers.Misconfigured,
		"FailedOperation.TemplateIncorrectOrUnapproved":   providers.Misconfigured,
		"InternalError.SendAndRecvFail":                   providers.Unknown,
		"SomethingNew":                                    providers.Unknown,
	} {
		rows = append(rows,
			providertest.Refusal{Name: code + " of the request", Body: whole(code), Kind: kind, Code: code},
			providertest.Refusal{Name: code + " of the number", Body: single(code), Kind: kind, Code: code})
	}
	for name, echo := range map[string]func(string) string{"errors": whole, "statuses": single} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			providertest.Run(t, providertest.SMSCase{
				Provider: "tencent",
				New:      func(t testing.TB, endpoint string) providers.SMSSender { return open(t, endpoint) },
				Secrets:  []string{secretID, secretKey},
				Accepted: single("Ok"), ReceiptID: serial, Refusals: rows, Echo: echo,
			})
		})
	}
}

func TestClient_acceptance_is_one_status(t *testing.T) {
	t.Parallel()
	status := `{"Code":"Ok","SerialNo":"5000:1"}`
	for name, body := range map[string]string{
		"no status":        `{"Response":{"SendStatusSet":[],"RequestId":"r"}}`,
		"two of them":      `{"Response":{"SendStatusSet":[` + status + `,` + status + `],"RequestId":"r"}}`,
		"without a code":   `{"Response":{"SendStatusSet":[{"SerialNo":"5000:1"}],"RequestId":"r"}}`,
		"an object":        `{"Response":{"SendStatusSet":` + status + `}}`,
		"without envelope": `{"SendStatusSet":[` + status + `]}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, body) }))
			defer server.Close()
			if receipt, err := open(t, server.URL).SendSMS(t.Context(), providertest.SMS(t)); err == nil || providers.KindOf(err) != providers.Unknown {
				t.Errorf("got %+v, %v; want unknown", receipt, err)
			}
		})
	}
}

func TestClient_refuses_codes_with_letters_before_it_asks(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the vendor was asked") }))
	defer server.Close()
	sms := providertest.SMS(t)
	sms.Code = "K4M7XN"
	_, err := open(t, server.URL).SendSMS(t.Context(), sms)
	if providers.KindOf(err) != providers.Misconfigured || !errors.Is(err, providers.ErrLetters) {
		t.Errorf("got %v, want misconfigured", err)
	}
}

func TestClient_request(t *testing.T) {
	t.Parallel()
	var (
		got  *http.Request
		body []byte
	)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r
		body, _ = io.ReadAll(r.Body)
		fmt.Fprint(w, single("Ok"))
	}))
	defer server.Close()
	client := open(t, server.URL+"/tencent/")
	// 1 January in UTC: the date of the signature is not Beijing's.
	client.Now = func() time.Time { return time.Date(2026, 1, 2, 3, 4, 5, 0, time.FixedZone("UTC+8", 8*60*60)) }
	if _, err := client.SendSMS(t.Context(), providertest.SMS(t)); err != nil {
		t.Fatal(err)
	}
	if got.Method != http.MethodPost || got.RequestURI != "/tencent/" {
		t.Errorf("got %s %s", got.Method, got.RequestURI)
	}
	for name, want := range map[string]string{
		"Content-Type": "application/json; charset=utf-8", "X-TC-Action": "SendSms", "X-TC-Version": "2021-01-11",
		"X-TC-Region": "ap-guangzhou", "X-TC-Timestamp": "1767294245",
	} {
		if value := got.Header.Get(name); value != want {
			t.Errorf("got %s %q, want %q", name, value, want)
		}
	}
	if prefix := "TC3-HMAC-SHA256 Credential=" + secretID + "/2026-01-01/sms/tc3_request, "; !strings.HasPrefix(got.Header.Get("Authorization"), prefix) {
		t.Errorf("got %s", got.Header.Get("Authorization"))
	}
	var params map[string]any
	if err := json.Unmarshal(body, &params); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"PhoneNumberSet": []any{"+8613800138000"}, "SmsSdkAppId": appID, "TemplateId": "1110", "SignName": "测试",
		"TemplateParamSet": []any{"739105", "5"}, "SessionContext": "01JD5V6Z8Q-suite_1",
	}
	if diff := cmp.Diff(want, params); diff != "" {
		t.Errorf("body (-want +got):\n%s", diff)
	}
}

// sent is what the client puts into the body of a message.
func sent(t *testing.T, cfg tencent.Config, purpose string) (template string, params []string) {
	t.Helper()
	var body struct {
		TemplateID       string `json:"TemplateId"`
		TemplateParamSet []string
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
			t.Error(err)
		}
		fmt.Fprint(w, single("Ok"))
	}))
	defer server.Close()
	cfg.Endpoint = server.URL
	client, err := tencent.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer client.HTTP.CloseIdleConnections()
	sms := providertest.SMS(t)
	sms.Purpose, sms.Product = purpose, "示例商城"
	if _, err := client.SendSMS(t.Context(), sms); err != nil {
		t.Fatal(err)
	}
	return body.TemplateID, body.TemplateParamSet
}

func TestClient_uses_the_template_of_the_purpose_and_its_variables(t *testing.T) {
	t.Parallel()
	cfg := settings("")
	cfg.TemplateRegister = "11"
	for purpose, want := range map[string]string{"register": "11", "login": "1110", "": "1110"} {
		if got, _ := sent(t, cfg, purpose); got != want {
			t.Errorf("purpose %q is sent in template %s, want %s", purpose, got, want)
		}
	}
	for _, order := range [][]string{{"code"}, {"code", "minutes"}, {"minutes", "code"}, {"product", "code"}, {"code", "minutes", "product"}} {
		cfg.TemplateParams = order
		var want []string
		for _, name := range order {
			want = append(want, map[string]string{"code": "739105", "minutes": "5", "product": "示例商城"}[name])
		}
		if _, got := sent(t, cfg, ""); !slices.Equal(got, want) {
			t.Errorf("%v: got %v, want %v", order, got, want)
		}
	}
}

// TestClient_remembers_serial_numbers checks that reports, which name the vendor's number only, can be matched.
func TestClient_remembers_serial_numbers(t *testing.T) {
	t.Parallel()
	answers := make(chan string, 3)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, <-answers) }))
	defer server.Close()
	client := open(t, server.URL)
	var got []string
	client.OnReference(func(ctx context.Context, reference, id string) {
		if _, limited := ctx.Deadline(); limited {
			t.Error("an accepted message is remembered under the time of its send")
		}
		got = append(got, reference+" "+id)
	})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for _, answer := range []string{single("Ok"), single("FailedOperation.PhoneNumberInBlacklist"), strings.Replace(single("Ok"), serial, "", 1)} {
		answers <- answer
		_, _ = client.SendSMS(ctx, providertest.SMS(t))
	}
	if want := []string{serial + " 01JD5V6Z8Q-suite_1"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestClient_sends_abroad_in_a_template_of_its_own(t *testing.T) {
	t.Parallel()
	providertest.WantUnserved(t, func(endpoint string) providers.SMSSender { return open(t, endpoint) })
	var got map[string]any
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = nil
		if err := json.NewDecoder(r.Body).Decode(&got); err != nil {
			t.Error(err)
		}
		fmt.Fprint(w, single("Ok"))
	}))
	defer server.Close()
	cfg := settings(server.URL)
	cfg.TemplateAbroad, cfg.TemplateLogin = "852", "2"
	client, err := tencent.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer client.HTTP.CloseIdleConnections()
	sms := providertest.SMS(t)
	sms.Purpose = "login"
	for _, test := range []struct {
		to               contact.Mobile
		template, number string
		signName         any
	}{{sms.To, "2", "+8613800138000", "测试"}, {providertest.Abroad(t), "852", "+85251234567", nil}} {
		sms.To = test.to
		_, err := client.SendSMS(t.Context(), sms)
		want := map[string]any{
			"PhoneNumberSet": []any{test.number}, "SmsSdkAppId": appID, "TemplateId": test.template,
			"TemplateParamSet": []any{"739105", "5"}, "SessionContext": sms.ID,
		}
		if test.signName != nil {
			want["SignName"] = test.signName
		}
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("to %s: %v (-want +got):\n%s", sms.To, err, diff)
		}
	}
	cfg.TemplateAbroad = "SMS_852"
	if m := cfg.Validate(); len(m) != 1 || m[0].Variable != "TENCENT_TEMPLATE_ID_ABROAD" {
		t.Errorf("mistakes %v, want one for the template abroad", m)
	}
}

func TestClient_Probe(t *testing.T) {
	t.Parallel()
	for code, well := range map[string]bool{
		"InvalidParameterValue.IncorrectPhoneNumber": true, "FailedOperation.PhoneNumberParseFail": true,
		"FailedOperation.InsufficientBalanceInSmsPackage": false, "RequestLimitExceeded": false, "InternalError.Timeout": false,
	} {
		t.Run(code, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if body, _ := io.ReadAll(r.Body); !strings.Contains(string(body), `["+861"]`) {
					t.Errorf("sent %s", body)
				}
				fmt.Fprint(w, single(code))
			}))
			defer server.Close()
			if err := open(t, server.URL).Probe(t.Context()); (err == nil) != well {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestConfig_Validate(t *testing.T) {
	t.Parallel()
	if m := settings("https://sms.tencentcloudapi.com").Validate(); len(m) > 0 {
		t.Errorf("got %v, want no mistakes", m)
	}
	bad := tencent.Config{
		SecretID: " " + secretID, SecretKey: "a secret", SDKAppID: "app", SignName: "【测试】", TemplateID: "SMS_1",
		TemplateParams: []string{"code", "code"}, Region: "Guangzhou", Endpoint: "http://203.0.113.7", Bounds: wire.Bounds{QPS: -1},
	}
	bad.TemplateLogin = "x"
	var names []string
	for _, m := range bad.Validate() {
		names = append(names, m.Variable)
		if strings.Contains(m.Text, secretID) || strings.Contains(m.Text, "a secret") {
			t.Errorf("the mistake shows a secret: %s", m.Text)
		}
	}
	want := []string{
		"TENCENT_SECRET_ID", "TENCENT_SECRET_KEY", "TENCENT_SDK_APP_ID", "TENCENT_SIGN_NAME", "TENCENT_TEMPLATE_ID",
		"TENCENT_TEMPLATE_ID_LOGIN", "TENCENT_TEMPLATE_PARAMS", "TENCENT_REGION", "TENCENT_ENDPOINT", "TENCENT_QPS",
	}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("variables (-want +got):\n%s", diff)
	}
	if _, err := tencent.Open(bad); err == nil {
		t.Error("opened with mistakes")
	}
	if missing := (tencent.Config{}).Validate(); len(missing) < 7 {
		t.Errorf("nothing set: %v", missing)
	}
}

func TestOpen_pulls_reports_when_the_settings_say_so(t *testing.T) {
	t.Parallel()
	for _, pulls := range []bool{false, true} {
		cfg := settings("https://sms.tencentcloudapi.com")
		cfg.PullReports = pulls
		sender, err := tencent.Open(cfg)
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := sender.(providers.Puller); ok != pulls {
			t.Errorf("pull %v: the sender is a %T", pulls, sender)
		}
		if _, ok := sender.(providers.Referencer); !ok {
			t.Errorf("pull %v: the sender tells no references", pulls)
		}
	}
}

func BenchmarkClient_SendSMS(b *testing.B) {
	providertest.Benchmark(b, func(t testing.TB, endpoint string) providers.SMSSender { return open(t, endpoint) }, single("Ok"))
}
