package sandbox_test

import (
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	sdkerrors "github.com/aliyun/alibaba-cloud-sdk-go/sdk/errors"
	"github.com/aliyun/alibaba-cloud-sdk-go/services/dysmsapi"

	"usher/sandbox"
)

// sign is a second implementation of signature v1, so that the sandbox is not checked against itself.
func sign(method string, params url.Values, secret string) string {
	var pairs []string
	for _, name := range slices.Sorted(maps.Keys(params)) {
		pairs = append(pairs, escape(name)+"="+escape(params.Get(name)))
	}
	mac := hmac.New(sha1.New, []byte(secret+"&"))
	fmt.Fprintf(mac, "%s&%s&%s", method, escape("/"), escape(strings.Join(pairs, "&")))
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

func escape(s string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		if c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || strings.IndexByte("-_.~", c) >= 0 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

// aliyunParams returns the parameters of a signed call; pairs are added before signing.
func (b *bundle) aliyunParams(method, action string, pairs ...string) url.Values {
	params := query("AccessKeyId", b.Credentials().Aliyun.AccessKeyID, "Action", action, "Format", "JSON",
		"SignatureMethod", "HMAC-SHA1", "SignatureType", "", "SignatureVersion", "1.0",
		"SignatureNonce", fmt.Sprint("nonce-", b.nonce.Add(1)), "Version", "2017-05-25",
		"Timestamp", b.clock.now().UTC().Format("2006-01-02T15:04:05Z"))
	maps.Copy(params, query(pairs...))
	params.Set("Signature", sign(method, params, b.Credentials().Aliyun.AccessKeySecret))
	return params
}

func smsPairs(number, code string) []string {
	return []string{
		"PhoneNumbers", number, "SignName", "测试签名", "TemplateCode", "SMS_1",
		"TemplateParam", `{"code":"` + code + `"}`, "OutId", "job-1",
	}
}

// callAliyun posts parameters in the query and returns the status and the decoded document.
func (b *bundle) callAliyun(t *testing.T, params url.Values) (int, map[string]any) {
	t.Helper()
	status, _, body := b.do(t, b.request(t, "POST", "/aliyun/?"+params.Encode(), ""))
	return status, decode[map[string]any](t, body)
}

func (b *bundle) sendAliyun(t *testing.T, pairs ...string) (int, map[string]any) {
	t.Helper()
	return b.callAliyun(t, b.aliyunParams("POST", "SendSms", pairs...))
}

func (b *bundle) mustSendAliyun(t *testing.T, number, code string) string {
	t.Helper()
	status, got := b.sendAliyun(t, smsPairs(number, code)...)
	if status != 200 || got["Code"] != "OK" {
		t.Fatalf("send to %s: got %d %v, want OK", number, status, got)
	}
	return got["BizId"].(string)
}

func (b *bundle) sdk(t *testing.T) *dysmsapi.Client {
	t.Helper()
	c := b.Credentials().Aliyun
	client, err := dysmsapi.NewClientWithAccessKey("cn-hangzhou", c.AccessKeyID, c.AccessKeySecret)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func (b *bundle) sdkRequest() *dysmsapi.SendSmsRequest {
	request := dysmsapi.CreateSendSmsRequest()
	request.Scheme, request.Domain = "http", b.HTTPAddr()
	request.PhoneNumbers, request.SignName, request.TemplateCode = "13800000011", "测试 签名*~", "SMS_71390007"
	request.TemplateParam, request.OutId = `{"code":"012345"}`, "job-42/1"
	return request
}

func TestAliyun_stock_sdk_sends(t *testing.T) {
	t.Parallel()
	b := setup(t)
	response, err := b.sdk(t).SendSms(b.sdkRequest())
	if err != nil {
		t.Fatal(err)
	}
	if response.Code != "OK" || !strings.HasSuffix(response.BizId, "^0") || response.RequestId == "" {
		t.Errorf("got code %q, BizId %q, RequestId %q", response.Code, response.BizId, response.RequestId)
	}
	if m := b.only(t); m.Code != "012345" || m.From != "测试 签名*~" {
		t.Errorf("kept: got %+v", m)
	}
	details := dysmsapi.CreateQuerySendDetailsRequest()
	details.Scheme, details.Domain = "http", b.HTTPAddr()
	details.PhoneNumber, details.SendDate = "13800000011", b.clock.beijing("20060102")
	details.PageSize, details.CurrentPage = "10", "1"
	found, err := b.sdk(t).QuerySendDetails(details)
	if err != nil {
		t.Fatal(err)
	}
	list := found.SmsSendDetailDTOs.SmsSendDetailDTO
	if found.Code != "OK" || found.TotalCount != "1" || len(list) != 1 || list[0].OutId != "job-42/1" {
		t.Errorf("query: got %+v", found)
	}
}

func TestAliyun_stock_sdk_sees_real_errors(t *testing.T) {
	t.Parallel()
	b := setup(t)
	wrongSecret, err := dysmsapi.NewClientWithAccessKey(
		"cn-hangzhou", b.Credentials().Aliyun.AccessKeyID, "wrong")
	if err != nil {
		t.Fatal(err)
	}
	unknownKey, err := dysmsapi.NewClientWithAccessKey("cn-hangzhou", "unknown", "wrong")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		client *dysmsapi.Client
		code   string
		status int
	}{
		{wrongSecret, "SignatureDoesNotMatch", 400},
		{unknownKey, "InvalidAccessKeyId.NotFound", 404},
	} {
		_, err := c.client.SendSms(b.sdkRequest())
		var got sdkerrors.Error
		if !errors.As(err, &got) {
			t.Fatalf("%s: got %v, want an error of the SDK", c.code, err)
		}
		if got.ErrorCode() != c.code || got.HttpStatus() != c.status {
			t.Errorf("got %q %d, want %q %d", got.ErrorCode(), got.HttpStatus(), c.code, c.status)
		}
	}
	request := b.sdkRequest()
	request.PhoneNumbers = "123"
	response, err := b.sdk(t).SendSms(request)
	if err != nil || response.Code != "isv.MOBILE_NUMBER_ILLEGAL" {
		t.Errorf("business error: got %v, %v, want its code and a nil error", response, err)
	}
	if got := b.Messages(""); len(got) != 0 {
		t.Errorf("refused messages were kept: %d", len(got))
	}
}

func TestAliyun_gateway_refuses(t *testing.T) {
	t.Parallel()
	resign := func(b *bundle, p url.Values) {
		p.Del("Signature")
		p.Set("Signature", sign("POST", p, b.Credentials().Aliyun.AccessKeySecret))
	}
	for _, c := range []struct {
		name   string
		change func(*bundle, url.Values)
		status int
		code   string
	}{
		{
			"a tampered number", func(_ *bundle, p url.Values) { p.Set("PhoneNumbers", "13900000011") },
			400, "SignatureDoesNotMatch",
		},
		{
			"a dropped empty parameter", func(_ *bundle, p url.Values) { p.Del("SignatureType") },
			400, "SignatureDoesNotMatch",
		},
		{"a missing signature", func(_ *bundle, p url.Values) { p.Del("Signature") }, 400, "MissingSignature"},
		{"an old timestamp", func(b *bundle, p url.Values) {
			p.Set("Timestamp", b.clock.now().UTC().Add(-16*time.Minute).Format("2006-01-02T15:04:05Z"))
			resign(b, p)
		}, 400, "InvalidTimeStamp.Expired"},
		{"a timestamp from the future", func(b *bundle, p url.Values) {
			p.Set("Timestamp", b.clock.now().UTC().Add(16*time.Minute).Format("2006-01-02T15:04:05Z"))
			resign(b, p)
		}, 400, "InvalidTimeStamp.Expired"},
		{"a timestamp in another form", func(b *bundle, p url.Values) {
			p.Set("Timestamp", "2026-01-02 03:04:05")
			resign(b, p)
		}, 400, "InvalidTimeStamp.Format"},
		{
			"a missing nonce", func(b *bundle, p url.Values) { p.Del("SignatureNonce"); resign(b, p) },
			400, "MissingSignatureNonce",
		},
		{
			"another version", func(b *bundle, p url.Values) { p.Set("Version", "2018-05-01"); resign(b, p) },
			400, "InvalidVersion",
		},
		{
			"an unknown action", func(b *bundle, p url.Values) { p.Set("Action", "SendFax"); resign(b, p) },
			404, "InvalidAction.NotFound",
		},
		{"another signature method", func(b *bundle, p url.Values) {
			p.Set("SignatureMethod", "HMAC-SHA256")
			resign(b, p)
		}, 400, "IncompleteSignature"},
		{
			"no number", func(b *bundle, p url.Values) { p.Del("PhoneNumbers"); resign(b, p) },
			400, "MissingPhoneNumbers",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			params := b.aliyunParams("POST", "SendSms", smsPairs("13800000011", "123456")...)
			c.change(b, params)
			status, got := b.callAliyun(t, params)
			if status != c.status || got["Code"] != c.code {
				t.Errorf("got %d %v, want %d %s", status, got["Code"], c.status, c.code)
			}
			for _, name := range []string{"Message", "RequestId", "HostId", "Recommend"} {
				if got[name] == "" || got[name] == nil {
					t.Errorf("%s is missing in %v", name, got)
				}
			}
		})
	}
}

func TestAliyun_mismatch_shows_the_servers_string_to_sign(t *testing.T) {
	t.Parallel()
	b := setup(t)
	params := b.aliyunParams("POST", "SendSms", smsPairs("13800000011", "123456")...)
	params.Set("Signature", "bm8=")
	_, got := b.callAliyun(t, params)
	if text, _ := got["Message"].(string); !strings.Contains(text, "server string to sign is:POST&%2F&AccessKeyId%3D") {
		t.Errorf("Message: got %q", text)
	}
}

func TestAliyun_nonce_is_good_for_one_request(t *testing.T) {
	t.Parallel()
	b := setup(t, unlimited)
	params := b.aliyunParams("POST", "SendSms", smsPairs("13800000011", "123456")...)
	tampered := maps.Clone(params)
	tampered["Signature"] = []string{"bm8="}
	b.callAliyun(t, tampered) // must not spend the nonce
	if status, got := b.callAliyun(t, params); status != 200 || got["Code"] != "OK" {
		t.Fatalf("first: got %d %v", status, got)
	}
	if status, got := b.callAliyun(t, params); status != 400 || got["Code"] != "SignatureNonceUsed" {
		t.Errorf("replay: got %d %v, want 400 SignatureNonceUsed", status, got)
	}
	if n := len(b.Messages("")); n != 1 {
		t.Errorf("messages: got %d, want 1", n)
	}
}

func TestAliyun_takes_every_way_to_send_parameters(t *testing.T) {
	t.Parallel()
	form := func(b *bundle, r *http.Request) *http.Request {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		return r
	}
	for name, build := range map[string]func(*testing.T, *bundle, func(string) string) *http.Request{
		"GET": func(t *testing.T, b *bundle, p func(string) string) *http.Request {
			return b.request(t, "GET", "/aliyun/?"+p("GET"), "")
		},
		"GET on the root": func(t *testing.T, b *bundle, p func(string) string) *http.Request {
			return b.request(t, "GET", "/?"+p("GET"), "")
		},
		"POST with a form": func(t *testing.T, b *bundle, p func(string) string) *http.Request {
			return form(b, b.request(t, "POST", "/aliyun/", p("POST")))
		},
		"POST with a form on the root": func(t *testing.T, b *bundle, p func(string) string) *http.Request {
			return form(b, b.request(t, "POST", "/", p("POST")))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			status, _, body := b.do(t, build(t, b, func(method string) string {
				return b.aliyunParams(method, "SendSms", smsPairs("13800000011", "123456")...).Encode()
			}))
			if got := decode[map[string]any](t, body); status != 200 || got["Code"] != "OK" {
				t.Errorf("got %d %s", status, body)
			}
		})
	}
}

func TestAliyun_answers_in_xml_when_asked(t *testing.T) {
	t.Parallel()
	b := setup(t)
	pairs := append(smsPairs("13800000011", "123456"), "Format", "XML")
	_, header, body := b.do(t, b.request(t, "POST",
		"/aliyun/?"+b.aliyunParams("POST", "SendSms", pairs...).Encode(), ""))
	if !strings.Contains(header.Get("Content-Type"), "xml") ||
		!strings.Contains(body, "<SendSmsResponse><Message>OK</Message>") {
		t.Errorf("got %s %s", header.Get("Content-Type"), body)
	}
}

func TestAliyun_business_errors(t *testing.T) {
	t.Parallel()
	many := strings.TrimSuffix(strings.Repeat("13800000011,", 1001), ",")
	b := setup(t, unlimited)
	for _, c := range []struct{ name, param, value, code string }{
		{"short number", "PhoneNumbers", "1380000", "OK"}, // a foreign one may be so short
		{"too short a number", "PhoneNumbers", "138000", "isv.MOBILE_NUMBER_ILLEGAL"},
		{"eleven digits that are no mobile", "PhoneNumbers", "12000000011", "isv.MOBILE_NUMBER_ILLEGAL"},
		{"letters", "PhoneNumbers", "1380000001a", "isv.MOBILE_NUMBER_ILLEGAL"},
		{"an empty entry", "PhoneNumbers", "13800000011,", "isv.MOBILE_NUMBER_ILLEGAL"},
		{"country code", "PhoneNumbers", "008613800000011", "OK"},
		{"abroad", "PhoneNumbers", "85251234567", "OK"},
		{"too many", "PhoneNumbers", many, "isv.MOBILE_COUNT_OVER_LIMIT"},
		{"sign name with brackets", "SignName", "【测试】", "isv.SMS_SIGNATURE_ILLEGAL"},
		{"template of another kind", "TemplateCode", "71390007", "isv.SMS_TEMPLATE_ILLEGAL"},
		{"bare number", "TemplateParam", `{"code":123456}`, "isv.INVALID_JSON_PARAM"},
		{"single quotes", "TemplateParam", `{'code':'123456'}`, "isv.INVALID_JSON_PARAM"},
		{"null", "TemplateParam", `null`, "isv.INVALID_JSON_PARAM"},
		{"no variables", "TemplateParam", "", "OK"},
		{"code too long", "TemplateParam", `{"code":"1234567"}`, "isv.PARAM_LENGTH_LIMIT"},
		{"variable too long", "TemplateParam", `{"name":"` + strings.Repeat("长", 36) + `"}`, "isv.PARAM_LENGTH_LIMIT"},
		{"address in a variable", "TemplateParam", `{"u":"http://a.example"}`, "isv.PARAM_NOT_SUPPORT_URL"},
		{"code with blanks", "TemplateParam", `{"code":"12 34"}`, "isv.TEMPLATE_PARAMS_ILLEGAL"},
		{"OutId too long", "OutId", strings.Repeat("o", 256), "isv.INVALID_PARAMETERS"},
		{"extension with letters", "SmsUpExtendCode", "1a", "isv.EXTEND_CODE_ERROR"},
	} {
		pairs := append(smsPairs("13800000011", "123456"), c.param, c.value)
		status, got := b.sendAliyun(t, pairs...)
		if status != 200 || got["Code"] != c.code {
			t.Errorf("%s: got %d %v, want 200 %s", c.name, status, got["Code"], c.code)
		}
		if _, has := got["BizId"]; has != (c.code == "OK") {
			t.Errorf("%s: BizId present is %v", c.name, has)
		}
	}
}

func TestAliyun_limits_roll(t *testing.T) {
	t.Parallel()
	b := setup(t)
	send := func() any {
		_, got := b.sendAliyun(t, smsPairs("13800000011", "123456")...)
		if got["Code"] == "OK" {
			return "OK"
		}
		return got["Message"]
	}
	expect := func(when string, want any) {
		t.Helper()
		if got := send(); got != want {
			t.Errorf("%s: got %v, want %v", when, got, want)
		}
	}
	expect("first", "OK")
	expect("at once again", "触发分钟级流控Permits:1")
	for range 4 {
		b.clock.advance(61 * time.Second)
		expect("a minute later", "OK")
	}
	b.clock.advance(61 * time.Second)
	expect("sixth within the hour", "触发小时级流控Permits:5")
	b.clock.advance(time.Hour)
	for range 5 {
		expect("second hour", "OK")
		b.clock.advance(61 * time.Second)
	}
	b.clock.advance(time.Hour)
	expect("eleventh of the day", "触发天级流控Permits:10")
	if _, got := b.sendAliyun(t, smsPairs("13800000012", "123456")...); got["Code"] != "OK" {
		t.Errorf("another number: got %v", got)
	}
	b.clock.advance(24 * time.Hour)
	expect("next day", "OK")
}

type detail struct {
	SendStatus                                     int
	ErrCode, OutId, Content, ReceiveDate, PhoneNum string
}

func (b *bundle) details(t *testing.T, number string, pairs ...string) []detail {
	t.Helper()
	pairs = append([]string{
		"PhoneNumber", number, "SendDate", b.clock.beijing("20060102"),
		"PageSize", "10", "CurrentPage", "1",
	}, pairs...)
	_, got := b.callAliyun(t, b.aliyunParams("POST", "QuerySendDetails", pairs...))
	if got["Code"] != "OK" {
		t.Fatalf("query: got %v", got)
	}
	raw, _ := json.Marshal(got["SmsSendDetailDTOs"].(map[string]any)["SmsSendDetailDTO"])
	return decode[[]detail](t, string(raw))
}

func TestAliyun_query_shows_what_became_of_a_message(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *sandbox.Config) { c.DeliveryDelay = time.Hour })
	for number, want := range map[string]detail{
		"13800000011": {SendStatus: 3, ErrCode: "DELIVERED"},
		"13800990001": {SendStatus: 2, ErrCode: "MOBILE_NOT_ON_SERVICE"},
		"13800990002": {SendStatus: 1},
	} {
		bizID := b.mustSendAliyun(t, number, "123456")
		waiting := b.details(t, number, "BizId", bizID)
		if len(waiting) != 1 || waiting[0].SendStatus != 1 || waiting[0].ReceiveDate != "" ||
			waiting[0].OutId != "job-1" || !strings.Contains(waiting[0].Content, "123456") {
			t.Fatalf("%s before the report: got %+v", number, waiting)
		}
		day := b.clock.beijing("20060102")
		b.clock.advance(2 * time.Hour)
		after := b.details(t, number, "SendDate", day)
		if len(after) != 1 || after[0].SendStatus != want.SendStatus || after[0].ErrCode != want.ErrCode {
			t.Errorf("%s after it: got %+v, want %+v", number, after, want)
		}
		if other := b.details(t, number, "BizId", "1^0", "SendDate", day); len(other) != 0 {
			t.Errorf("another BizId: got %+v, want none", other)
		}
	}
}

func TestAliyun_magic_numbers_refuse(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for number, code := range map[string]string{
		"13800990004": "isp.SYSTEM_ERROR", "13800990005": "isv.BLACK_KEY_CONTROL_LIMIT",
		"13800990006": "isv.BUSINESS_LIMIT_CONTROL", "13800990007": "isv.AMOUNT_NOT_ENOUGH",
		"13800990008": "isv.MOBILE_NUMBER_ILLEGAL",
	} {
		if status, got := b.sendAliyun(t, smsPairs(number, "123456")...); status != 200 || got["Code"] != code {
			t.Errorf("%s: got %d %v, want 200 %s", number, status, got["Code"], code)
		}
	}
	if n := len(b.Messages("")); n != 0 {
		t.Errorf("messages: got %d, want 0", n)
	}
}

func TestAliyun_body_is_bounded(t *testing.T) {
	t.Parallel()
	b := setup(t)
	status, _, _ := b.do(t, b.request(t, "POST", "/aliyun/", strings.Repeat("a", 100_000)))
	if status != http.StatusRequestEntityTooLarge {
		t.Errorf("got %d, want 413", status)
	}
}

// acs3 signs a request as the newer SDKs do.
func (b *bundle) acs3(r *http.Request, action, body string) *http.Request {
	bodyHash := sha256.Sum256([]byte(body))
	r.Header.Set("x-acs-action", action)
	r.Header.Set("x-acs-version", "2017-05-25")
	r.Header.Set("x-acs-date", b.clock.now().UTC().Format("2006-01-02T15:04:05Z"))
	r.Header.Set("x-acs-signature-nonce", fmt.Sprint("v3-nonce-", b.nonce.Add(1)))
	r.Header.Set("x-acs-content-sha256", hex.EncodeToString(bodyHash[:]))
	names := []string{
		"host", "x-acs-action", "x-acs-content-sha256", "x-acs-date", "x-acs-signature-nonce",
		"x-acs-version",
	}
	canonical := r.Method + "\n/\n" + strings.ReplaceAll(r.URL.RawQuery, "+", "%20") + "\nhost:" + r.URL.Host + "\n"
	for _, name := range names[1:] {
		canonical += name + ":" + r.Header.Get(name) + "\n"
	}
	canonical += "\n" + strings.Join(names, ";") + "\n" + hex.EncodeToString(bodyHash[:])
	hash := sha256.Sum256([]byte(canonical))
	mac := hmac.New(sha256.New, []byte(b.Credentials().Aliyun.AccessKeySecret))
	fmt.Fprintf(mac, "ACS3-HMAC-SHA256\n%x", hash)
	r.Header.Set("Authorization", fmt.Sprintf("ACS3-HMAC-SHA256 Credential=%s,SignedHeaders=%s,Signature=%x",
		b.Credentials().Aliyun.AccessKeyID, strings.Join(names, ";"), mac.Sum(nil)))
	return r
}

func TestAliyun_takes_the_newer_signature(t *testing.T) {
	t.Parallel()
	b := setup(t, unlimited)
	params := query(smsPairs("13800000011", "123456")...).Encode()
	inQuery := b.acs3(b.request(t, "POST", "/?"+params, ""), "SendSms", "")
	inForm := b.acs3(b.request(t, "POST", "/aliyun/", params), "SendSms", params)
	inForm.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for name, r := range map[string]*http.Request{"query": inQuery, "form": inForm} {
		status, _, body := b.do(t, r)
		if got := decode[map[string]any](t, body); status != 200 || got["Code"] != "OK" {
			t.Errorf("%s: got %d %s", name, status, body)
		}
	}
	tampered := b.acs3(b.request(t, "POST", "/aliyun/", params+"0"), "SendSms", params)
	tampered.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if status, _, body := b.do(t, tampered); status != 400 || !strings.Contains(body, "SignatureDoesNotMatch") {
		t.Errorf("tampered body: got %d %s", status, body)
	}
	replay := b.acs3(b.request(t, "POST", "/?"+params, ""), "SendSms", "")
	again := replay.Clone(t.Context())
	b.do(t, replay)
	if status, _, body := b.do(t, again); status != 400 || !strings.Contains(body, "SignatureNonceUsed") {
		t.Errorf("replay: got %d %s", status, body)
	}
}

func BenchmarkAliyunSend(b *testing.B) {
	s, err := sandbox.Open(b.Context(), sandbox.Config{
		HTTPAddr: "127.0.0.1:0", SMTPAddr: "127.0.0.1:0", AliyunLimits: sandbox.Limits{Minute: -1, Hour: -1, Day: -1},
	})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	bench, handler := &bundle{Server: s, clock: &clock{}}, s.Handler()
	for b.Loop() {
		b.StopTimer()
		params := bench.aliyunParams("POST", "SendSms", smsPairs("13800000011", "123456")...)
		r := httptest.NewRequest("POST", "/aliyun/?"+params.Encode(), nil)
		w := httptest.NewRecorder()
		b.StartTimer()
		handler.ServeHTTP(w, r)
		if w.Code != 200 {
			b.Fatalf("got %d %s", w.Code, w.Body)
		}
	}
}
