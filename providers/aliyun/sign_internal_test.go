package aliyun

import (
	"fmt"
	"net/url"
	"testing"
	"time"

	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/auth"
	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/auth/credentials"
	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/requests"
	"github.com/aliyun/alibaba-cloud-sdk-go/services/dypnsapi"
	"github.com/aliyun/alibaba-cloud-sdk-go/services/dysmsapi"
	"github.com/google/go-cmp/cmp"

	"usher/config"
	"usher/providers/providertest"
)

// StringToSign is what a client signs for the parameters.
func StringToSign(method string, params map[string]string) string {
	var pairs []string
	for name, value := range params {
		pairs = append(pairs, pair(name, value))
	}
	return stringToSign(method, canonical(pairs))
}

// nasty are values that encodings disagree on.
var nasty = []string{
	"", "job-42/1", "测试 签名*~", "a+b c%20d", "~*'()!-_.", "=&?#;:@,/\\", `{"code":"01\"<&34"}`, "🔑\u200d👩🏽", "tab\tline\n\x00\x7f",
	"not\xffutf8", "é e\u0301", "％全角＋",
}

// TestClient_signsAsTheSDK builds each request by the SDK alone as well. Whatever an upgrade of the SDK changes in
// parameters, encoding, order, time, headers or signature shows here.
func TestClient_signsAsTheSDK(t *testing.T) {
	t.Parallel()
	for _, value := range nasty {
		t.Run(fmt.Sprintf("%q", value), func(t *testing.T) {
			t.Parallel()
			cfg := benchConfig()
			cfg.AccessKeyID, cfg.AccessKeySecret = config.Secret("id"+value), config.Secret("secret"+value)
			cfg.SignName, cfg.TemplateCode = "签名"+value+"1", "SMS_"+value+"1"
			c, err := New(cfg)
			if err != nil {
				t.Fatal(err)
			}
			send := dysmsapi.CreateSendSmsRequest()
			send.SignName, send.TemplateCode = cfg.SignName, cfg.TemplateCode
			send.PhoneNumbers, send.TemplateParam, send.OutId = value+"1", value, value
			agree(t, cfg.Keys, &c.rpc, c.send[cfg.TemplateCode], send,
				map[string]string{"PhoneNumbers": send.PhoneNumbers, "TemplateParam": value, "OutId": value})
			list := dysmsapi.CreateQuerySendDetailsRequest()
			list.PhoneNumber, list.SendDate = value, "20310507"
			list.PageSize, list.CurrentPage = requests.NewInteger(pageSize), requests.NewInteger(2)
			agree(t, cfg.Keys, &c.rpc, c.list, list,
				map[string]string{"PhoneNumber": value, "SendDate": "20310507", "CurrentPage": "2"})
			sign := dysmsapi.CreateGetSmsSignRequest()
			sign.SignName = value
			agree(t, cfg.Keys, &c.rpc, c.audit, sign, map[string]string{"SignName": value})
		})
	}
}

func TestVerifyClient_signsAsTheSDK(t *testing.T) {
	t.Parallel()
	for _, value := range nasty {
		t.Run(fmt.Sprintf("%q", value), func(t *testing.T) {
			t.Parallel()
			cfg := VerifyConfig{
				Keys:     Keys{config.Secret("id" + value + "1"), config.Secret("secret" + value + "1")},
				SignName: "签名" + value + "1", TemplateCode: "100001", Endpoint: "http://127.0.0.1:1",
			}
			c, err := NewVerify(cfg)
			if err != nil {
				t.Fatal(err)
			}
			send := dypnsapi.CreateSendSmsVerifyCodeRequest()
			send.SignName, send.TemplateCode, send.CountryCode = cfg.SignName, cfg.TemplateCode, "86"
			send.PhoneNumber, send.TemplateParam, send.OutId = value+"1", value, value
			send.Interval = requests.NewInteger(60)
			send.QueryParams["AutoRetry"] = "0" // the SDK has no field for it
			agree(t, cfg.Keys, &c.rpc, c.send[cfg.TemplateCode], send, map[string]string{
				"PhoneNumber": send.PhoneNumber, "TemplateParam": value, "OutId": value, "CountryCode": "86", "Interval": "60", "AutoRetry": "0",
			})
		})
	}
}

// agree compares with the SDK's request, whose nonce and time are taken over.
func agree(t *testing.T, cfg Keys, c *rpc, a action, r requests.AcsRequest, own map[string]string) {
	t.Helper()
	keys := credentials.NewStaticAKCredentialsProvider(cfg.AccessKeyID.Reveal(), cfg.AccessKeySecret.Reveal())
	if err := requests.InitParams(r); err != nil {
		t.Fatal(err)
	}
	if err := auth.Sign(r, nil, region, keys); err != nil {
		t.Fatal(err)
	}
	theirs := r.GetQueryParams()
	now, err := time.Parse(time.RFC3339, theirs["Timestamp"])
	if err != nil {
		t.Fatal(err)
	}
	// In Beijing's time, so that a time that is not turned into UTC shows.
	query := a.query(own, theirs["SignatureNonce"], now.In(beijing))
	if got, want := stringToSign(a.method, query), r.GetStringToSign(); got != want {
		t.Errorf("string to sign: got\n%s\nwant\n%s", got, want)
	}
	if got := c.signer.Sign(stringToSign(a.method, query), "&"); got != theirs["Signature"] {
		t.Errorf("got signature %q, want %q", got, theirs["Signature"])
	}

	req, err := c.sign(t.Context(), a, own)
	if err != nil {
		t.Fatal(err)
	}
	sent, err := url.ParseQuery(req.URL.RawQuery)
	if err != nil {
		t.Fatal(err)
	}
	want := url.Values{}
	for name, value := range theirs {
		want.Set(name, value)
	}
	for _, changing := range []string{"Signature", "SignatureNonce", "Timestamp"} {
		if got, want := len(sent.Get(changing)), len(want.Get(changing)); got != want {
			t.Errorf("%s has %d characters, want %d", changing, got, want)
		}
		sent.Del(changing)
		want.Del(changing)
	}
	if diff := cmp.Diff(want, sent); diff != "" {
		t.Errorf("parameters (-want +got):\n%s", diff)
	}
	if req.Method != r.GetMethod() || len(req.Header) != len(r.GetHeaders()) {
		t.Errorf("got %s with headers %v, want %s with %v", req.Method, req.Header, r.GetMethod(), r.GetHeaders())
	}
	for name, value := range r.GetHeaders() {
		if got := req.Header.Get(name); got != value {
			t.Errorf("header %s: got %q, want %q", name, got, value)
		}
	}
}

// TestClient_requestIsBuiltCheaply bounds what a request costs: the SDK alone needs 130 allocations.
func TestClient_requestIsBuiltCheaply(t *testing.T) { //nolint:paralleltest // counts allocations
	c, err := New(benchConfig())
	if err != nil {
		t.Fatal(err)
	}
	sms := providertest.SMS(t)
	allocs := testing.AllocsPerRun(100, func() {
		if _, err := c.request(t.Context(), sms.To.Reveal(), sms); err != nil {
			t.Error(err)
		}
	})
	if allocs > 60 {
		t.Errorf("a request takes %v allocations, want 60 at most", allocs)
	}
}
