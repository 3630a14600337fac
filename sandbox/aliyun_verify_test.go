package sandbox_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	sdkerrors "github.com/aliyun/alibaba-cloud-sdk-go/sdk/errors"
	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/requests"
	"github.com/aliyun/alibaba-cloud-sdk-go/services/dypnsapi"
	"github.com/aliyun/alibaba-cloud-sdk-go/services/dysmsapi"

	"usher/sandbox"
)

func verifyPairs(number string) []string {
	return []string{
		"PhoneNumber", number, "SignName", "速通互联验证码", "TemplateCode", "100001",
		"TemplateParam", `{"code":"012345","min":"5"}`, "OutId", "job-1",
	}
}

// verify calls SendSmsVerifyCode with other values for some parameters.
func (b *bundle) verify(t *testing.T, number string, pairs ...string) (int, map[string]any) {
	t.Helper()
	return b.callAliyun(t, b.aliyunParams("POST", "SendSmsVerifyCode", append(verifyPairs(number), pairs...)...))
}

func (b *bundle) mustVerify(t *testing.T, number string, pairs ...string) {
	t.Helper()
	if status, got := b.verify(t, number, pairs...); status != 200 || got["Code"] != "OK" {
		t.Fatalf("send to %s: got %d %v, want OK", number, status, got)
	}
}

func TestAliyunVerify_stock_sdk_sends(t *testing.T) {
	t.Parallel()
	b := setup(t)
	keys := b.Credentials()
	client, err := dypnsapi.NewClientWithAccessKey("cn-hangzhou", keys.Aliyun.AccessKeyID, keys.Aliyun.AccessKeySecret)
	if err != nil {
		t.Fatal(err)
	}
	request := func() *dypnsapi.SendSmsVerifyCodeRequest {
		r := dypnsapi.CreateSendSmsVerifyCodeRequest()
		r.Scheme, r.Domain = "http", b.HTTPAddr()
		r.PhoneNumber, r.SignName, r.TemplateCode = "13800000011", keys.AliyunVerify.SignName, keys.AliyunVerify.TemplateCode
		r.TemplateParam, r.OutId, r.Interval = `{"code":"012345","min":"5"}`, "job-42/1", requests.NewInteger(60)
		r.QueryParams["AutoRetry"] = "0"
		return r
	}
	response, err := client.SendSmsVerifyCode(request())
	if err != nil || response.Code != "OK" || !response.Success || response.Model.BizId == "" || response.Model.OutId != "job-42/1" {
		t.Fatalf("got %+v, %v", response, err)
	}
	if m := b.only(t); m.Code != "012345" || m.From != keys.AliyunVerify.SignName || m.Provider != "aliyun_verify" ||
		m.Text != "【速通互联验证码】您正在登录或注册，验证码为：012345，5分钟内有效，请勿泄露于他人！" {
		t.Errorf("kept: got %+v", m)
	}
	response, err = client.SendSmsVerifyCode(request())
	if err != nil || response.Code != "biz.FREQUENCY" || response.Success {
		t.Errorf("at once again: got %+v, %v, want a refusal with the status 200", response, err)
	}
	wrong := request()
	wrong.SignName = "海马"
	_, err = client.SendSmsVerifyCode(wrong)
	var refused sdkerrors.Error
	if !errors.As(err, &refused) || refused.ErrorCode() != "INVALID_PARAMETERS" || refused.HttpStatus() != 400 {
		t.Errorf("a sign name of one's own: got %v, want an error of the SDK", err)
	}
}

func TestAliyunVerify_field_rules(t *testing.T) {
	t.Parallel()
	b := setup(t, unlimited)
	for _, c := range []struct{ name, param, value, code string }{
		{"no number", "PhoneNumber", "", "MissingPhoneNumber"},
		{"no sign name", "SignName", "", "MissingSignName"},
		{"no template", "TemplateCode", "", "MissingTemplateCode"},
		{"no variables", "TemplateParam", "", "MissingTemplateParam"},
		{"country code", "PhoneNumber", "+8613800000011", "MOBILE_NUMBER_ILLEGAL"},
		{"abroad", "PhoneNumber", "85251234567", "MOBILE_NUMBER_ILLEGAL"},
		{"two numbers", "PhoneNumber", "13800000011,13800000012", "MOBILE_NUMBER_ILLEGAL"},
		{"no number at all", "PhoneNumber", "1", "MOBILE_NUMBER_ILLEGAL"},
		{"another country", "CountryCode", "852", "INVALID_PARAMETERS"},
		{"the only country", "CountryCode", "86", "OK"},
		{"a sign name of one's own", "SignName", "测试签名", "INVALID_PARAMETERS"},
		{"a template of SMS", "TemplateCode", "SMS_71390007", "INVALID_PARAMETERS"},
		{"another given template", "TemplateCode", "100005", "OK"},
		{"no life", "TemplateParam", `{"code":"012345"}`, "INVALID_PARAMETERS"},
		{"one variable too many", "TemplateParam", `{"code":"012345","min":"5","name":"a"}`, "INVALID_PARAMETERS"},
		{"a bare number", "TemplateParam", `{"code":"012345","min":5}`, "INVALID_PARAMETERS"},
		{"letters in the code", "TemplateParam", `{"code":"01234a","min":"5"}`, "INVALID_PARAMETERS"},
		{"a code of the vendor's", "TemplateParam", `{"code":"##code##","min":"5"}`, "INVALID_PARAMETERS"},
		{"long name of a scheme", "SchemeName", strings.Repeat("s", 21), "INVALID_PARAMETERS"},
		{"long OutId", "OutId", strings.Repeat("o", 256), "INVALID_PARAMETERS"},
		{"interval", "Interval", "0", "INVALID_PARAMETERS"},
		{"life", "ValidTime", "5m", "INVALID_PARAMETERS"},
		{"length", "CodeLength", "9", "INVALID_PARAMETERS"},
		{"kind of code", "CodeType", "8", "INVALID_PARAMETERS"},
		{"policy", "DuplicatePolicy", "3", "INVALID_PARAMETERS"},
		{"return the code", "ReturnVerifyCode", "yes", "INVALID_PARAMETERS"},
		{"retry", "AutoRetry", "2", "INVALID_PARAMETERS"},
		{"no retry", "AutoRetry", "0", "OK"},
	} {
		status, got := b.verify(t, "13800000011", c.param, c.value)
		want := map[bool]int{true: 200, false: 400}[c.code == "OK"]
		if got["Code"] != c.code || status != want {
			t.Errorf("%s: got %d %v, want %d %s", c.name, status, got["Code"], want, c.code)
		}
		if host, refused := got["HostId"]; refused && host != "dypnsapi.aliyuncs.com" {
			t.Errorf("%s: refused by %v", c.name, host)
		}
	}
}

func TestAliyunVerify_limits(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *sandbox.Config) { c.AliyunVerifyLimits.Day = 3 })
	expect := func(when, want string, pairs ...string) {
		t.Helper()
		if _, got := b.verify(t, "13800000011", pairs...); got["Code"] != want {
			t.Errorf("%s: got %v, want %s", when, got["Code"], want)
		}
	}
	expect("first", "OK")
	expect("at once again", "biz.FREQUENCY")
	expect("at once with a short interval", "biz.FREQUENCY", "Interval", "30")
	b.clock.advance(31 * time.Second)
	expect("after half a minute", "biz.FREQUENCY")
	expect("after half a minute with a short interval", "OK", "Interval", "30")
	b.clock.advance(61 * time.Second)
	expect("a minute later", "OK")
	b.clock.advance(61 * time.Second)
	expect("fourth of the day", "BUSINESS_LIMIT_CONTROL")
	b.mustVerify(t, "13800000012")
	b.clock.advance(24 * time.Hour)
	expect("next day", "OK")
	b.mustSendAliyun(t, "13800000011", "123456") // SMS counts for itself
}

func TestAliyunVerify_magic_numbers_and_faults(t *testing.T) {
	t.Parallel()
	b := setup(t, unlimited)
	for number, code := range map[string]string{
		"13800990004": "SYSTEM_ERROR", "13800990005": "isv.MOBILE_NUMBER_ILLEGAL", "13800990006": "BUSINESS_LIMIT_CONTROL",
		"13800990007": "isv.AMOUNT_NOT_ENOUGH", "13800990008": "MOBILE_NUMBER_ILLEGAL",
	} {
		status, got := b.verify(t, number)
		want := map[bool]int{true: 200, false: 400}[strings.HasPrefix(code, "isv.")]
		if status != want || got["Code"] != code {
			t.Errorf("%s: got %d %v, want %d %s", number, status, got["Code"], want, code)
		}
	}
	b.fault(t, sandbox.Faults{AliyunVerify: &sandbox.Fault{Code: "FUNCTION_NOT_OPENED", Count: 1}})
	b.mustSendAliyun(t, "13800000011", "123456") // SMS is not disturbed
	if status, got := b.verify(t, "13800000011"); status != 400 || got["Code"] != "FUNCTION_NOT_OPENED" {
		t.Errorf("with a fault: got %d %v", status, got)
	}
	b.mustVerify(t, "13800000011")
	if n := len(b.Messages("")); n != 2 {
		t.Errorf("messages: got %d, want 2", n)
	}
}

func TestAliyunVerify_answers_in_xml_when_asked(t *testing.T) {
	t.Parallel()
	b := setup(t)
	params := b.aliyunParams("POST", "SendSmsVerifyCode", append(verifyPairs("13800000011"), "Format", "XML")...)
	if _, _, body := b.do(t, b.request(t, "POST", "/aliyun/?"+params.Encode(), "")); !strings.Contains(body, "<SendSmsVerifyCodeResponse><Code>OK</Code>") {
		t.Errorf("got %s", body)
	}
}

// SMS authentication waits 700 ms. SMS waits longer: its first push is still open when the other one comes again.
func TestPushes_of_AliyunVerify_wait_less_than_a_second(t *testing.T) {
	t.Parallel()
	slow := func() *customer {
		c := &customer{pushes: make(chan string, 10)}
		first := make(chan struct{}, 1)
		first <- struct{}{}
		c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			c.pushes <- string(body)
			select {
			case <-first:
				<-r.Context().Done()
			default:
				_, _ = io.WriteString(w, aliyunTakes)
			}
		}))
		t.Cleanup(c.Close)
		return c
	}
	sms, verify := slow(), slow()
	b := setup(t, pushing, func(config *sandbox.Config) { config.Reports.Aliyun, config.Reports.AliyunVerify = sms.URL, verify.URL })
	b.mustSendAliyun(t, "13800000011", "123456")
	sms.next(t)
	b.mustVerify(t, "13800990001")
	for range 2 {
		if body := verify.next(t); !strings.Contains(body, `"success":false`) || !strings.Contains(body, `"out_id":"job-1"`) {
			t.Errorf("pushed %s", body)
		}
	}
	if len(sms.pushes) > 0 {
		t.Error("SMS waits no longer than SMS authentication")
	}
}

func TestAliyun_shows_the_states_of_sign_names(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for name, want := range map[string]struct {
		audit    float64
		carriers []float64
		sends    string
	}{
		"海马":     {1, []float64{3, 3, 3}, "OK"},
		"海马审核中":  {0, []float64{-2, -2, -2}, "isv.SMS_SIGNATURE_ILLEGAL"},
		"海马审核失败": {2, []float64{-2, -2, -2}, "isv.SMS_SIGNATURE_ILLEGAL"},
		"海马未报备":  {1, []float64{-2, -2, -2}, "OK"},
		"海马部分报备": {1, []float64{3, -1, 0}, "OK"},
		"海马待验证":  {1, []float64{1, 1, 1}, "OK"},
		"海马报备失效": {1, []float64{3, 2, 3}, "OK"},
	} {
		_, got := b.callAliyun(t, b.aliyunParams("POST", "GetSmsSign", "SignName", name))
		list, _ := got["SignIspRegisterDetailList"].([]any)
		if got["Code"] != "OK" || got["SignStatus"] != want.audit || len(list) != 3 {
			t.Errorf("%s: got %v", name, got)
			continue
		}
		for i, entry := range list {
			if state := entry.(map[string]any)["RegisterStatus"]; state != want.carriers[i] {
				t.Errorf("%s: carrier %d has %v, want %v", name, i, state, want.carriers[i])
			}
		}
		if _, sent := b.sendAliyun(t, append(smsPairs("13800000011", "123456"), "SignName", name)...); sent["Code"] != want.sends {
			t.Errorf("%s sends: got %v, want %s", name, sent["Code"], want.sends)
		}
	}
	for name, code := range map[string]string{"": "MissingSignName", "【海马】": "isv.SMS_SIGNATURE_ILLEGAL"} {
		if _, got := b.callAliyun(t, b.aliyunParams("POST", "GetSmsSign", "SignName", name)); got["Code"] != code {
			t.Errorf("%q: got %v, want %s", name, got["Code"], code)
		}
	}
	request := dysmsapi.CreateGetSmsSignRequest()
	request.Scheme, request.Domain, request.SignName = "http", b.HTTPAddr(), "海马审核失败"
	if got, err := b.sdk(t).GetSmsSign(request); err != nil || got.SignStatus != 2 {
		t.Errorf("the SDK reads %+v, %v", got, err)
	}
}
