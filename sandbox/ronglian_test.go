package sandbox_test

import (
	"crypto/md5"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"usher/sandbox"
)

// ronglianRequest builds a signed request as the documents describe it.
func (b *bundle) ronglianRequest(t *testing.T, operation, contentType, body string) *http.Request {
	t.Helper()
	account := b.Credentials().Ronglian
	timestamp := b.clock.beijing("20060102150405")
	sum := md5.Sum([]byte(account.AccountSID + account.AuthToken + timestamp))
	path := "/ronglian/2013-12-26/Accounts/" + account.AccountSID + "/SMS/" + operation +
		"?sig=" + strings.ToUpper(hex.EncodeToString(sum[:]))
	r := b.request(t, "POST", path, body)
	r.Header.Set("Authorization", base64.StdEncoding.EncodeToString([]byte(account.AccountSID+":"+timestamp)))
	r.Header.Set("Content-Type", "application/"+contentType+";charset=utf-8")
	r.Header.Set("Accept", "application/"+contentType)
	return r
}

func (b *bundle) ronglianJSON(number, extra string) string {
	return fmt.Sprintf(`{"to":"%s","appId":"%s","templateId":"1","datas":["012345","5"]%s}`,
		number, b.Credentials().Ronglian.AppID, extra)
}

type ronglianResult struct {
	StatusCode  string
	StatusMsg   string
	TemplateSMS struct{ SMSMessageSID, DateCreated string }
	Reports     []map[string]string
}

func (b *bundle) ronglian(t *testing.T, r *http.Request) ronglianResult {
	t.Helper()
	status, _, body := b.do(t, r)
	if status != 200 {
		t.Errorf("http status: got %d, want 200", status)
	}
	return decode[ronglianResult](t, body)
}

func (b *bundle) sendRonglian(t *testing.T, body string) ronglianResult {
	t.Helper()
	return b.ronglian(t, b.ronglianRequest(t, "TemplateSMS", "json", body))
}

func TestRonglian_takes_json(t *testing.T) {
	t.Parallel()
	b := setup(t)
	got := b.sendRonglian(t, b.ronglianJSON("13800000011", ""))
	if got.StatusCode != "000000" || len(got.TemplateSMS.SMSMessageSID) != 32 || len(got.TemplateSMS.DateCreated) != 14 {
		t.Errorf("got %+v", got)
	}
	m := b.only(t)
	if m.Provider != "ronglian" || m.Code != "012345" || m.To != "13800000011" ||
		m.Text != "【云通讯】您的验证码是012345，请于5分钟内正确输入" {
		t.Errorf("kept: got %+v", m)
	}
}

func TestRonglian_takes_what_official_clients_send(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*bundle, *http.Request) (contentType, body string){
		"a trailing comma": func(b *bundle, _ *http.Request) (string, string) {
			return "json", strings.Replace(b.ronglianJSON("13800000011", ""), `"5"]`, `"5",]`, 1)
		},
		"xml": func(b *bundle, _ *http.Request) (string, string) {
			return "xml", xmlBody("TemplateSMS", b.Credentials().Ronglian.AppID, "012345")
		},
		"xml with the root and the blanks of the old client": func(b *bundle, _ *http.Request) (string, string) {
			return "xml", xmlBody("SubAccount", b.Credentials().Ronglian.AppID+"\t", " 012345 ")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			contentType, body := change(b, nil)
			_, _, answer := b.do(t, b.ronglianRequest(t, "TemplateSMS", contentType, body))
			want := `"statusCode":"000000"`
			if contentType == "xml" {
				want = "<Response><statusCode>000000</statusCode><TemplateSMS><smsMessageSid>"
			}
			if !strings.Contains(answer, want) {
				t.Errorf("got %s, want %s in it", answer, want)
			}
			if m := b.only(t); m.Code != "012345" {
				t.Errorf("code: got %q", m.Code)
			}
		})
	}
}

func xmlBody(root, appID, code string) string {
	return "<?xml version='1.0' encoding='utf-8'?><" + root + "><datas><data>" + code + "</data><data>5</data></datas>" +
		"<to>13800000011</to><templateId>1</templateId><appId>" + appID + "</appId></" + root + ">"
}

func TestRonglian_takes_both_cases_alphabets_and_paths(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := b.ronglianRequest(t, "TemplateSMS", "json", b.ronglianJSON("13800000011", ""))
	r.URL.Path = strings.TrimPrefix(r.URL.Path, "/ronglian")
	r.URL.RawQuery = strings.ToLower(r.URL.RawQuery)
	text, _ := base64.StdEncoding.DecodeString(r.Header.Get("Authorization"))
	r.Header.Set("Authorization", base64.URLEncoding.EncodeToString(text))
	if got := b.ronglian(t, r); got.StatusCode != "000000" {
		t.Errorf("got %+v", got)
	}
}

func TestRonglian_refuses_bad_authentication(t *testing.T) {
	t.Parallel()
	b := setup(t)
	authorize := func(r *http.Request, text string) {
		r.Header.Set("Authorization", base64.StdEncoding.EncodeToString([]byte(text)))
	}
	sid := b.Credentials().Ronglian.AccountSID
	for _, c := range []struct {
		name   string
		change func(*http.Request)
		code   string
	}{
		{"no Authorization", func(r *http.Request) { r.Header.Del("Authorization") }, "111101"},
		{"not Base64", func(r *http.Request) { r.Header.Set("Authorization", "Basic %%") }, "111102"},
		{"no colon", func(r *http.Request) { authorize(r, sid) }, "111103"},
		{"no timestamp", func(r *http.Request) { authorize(r, sid+":") }, "111105"},
		{"old timestamp", func(r *http.Request) { authorize(r, sid+":20200102030405") }, "111106"},
		{"timestamp in another form", func(r *http.Request) { authorize(r, sid+":2020") }, "111113"},
		{"another account than in the address", func(r *http.Request) {
			r.URL.Path = strings.Replace(r.URL.Path, sid, "ffffffff", 1)
		}, "111107"},
		{"no sig", func(r *http.Request) { r.URL.RawQuery = "" }, "111108"},
		{"wrong sig", func(r *http.Request) { r.URL.RawQuery = "sig=" + strings.Repeat("0", 32) }, "111109"},
	} {
		r := b.ronglianRequest(t, "TemplateSMS", "json", b.ronglianJSON("13800000011", ""))
		c.change(r)
		if got := b.ronglian(t, r); got.StatusCode != c.code || got.StatusMsg == "" {
			t.Errorf("%s: got %+v, want %s with a text", c.name, got, c.code)
		}
	}
}

func TestRonglian_refuses_bad_bodies(t *testing.T) {
	t.Parallel()
	b := setup(t, unlimited)
	app := b.Credentials().Ronglian.AppID
	good := b.ronglianJSON("13800000011", "")
	for name, c := range map[string]struct{ body, code string }{
		"empty":            {"", "112301"},
		"cut off":          {good[:40], "112616"},
		"numbers as datas": {strings.Replace(good, `"012345"`, `12345`, 1), "112616"},
		"two trailing":     {strings.Replace(good, `"5"]`, `"5",,]`, 1), "112616"},
		"no application":   {strings.Replace(good, app, "", 1), "111169"},
		"other one":        {strings.Replace(good, app, "x", 1), "111181"},
		"no template":      {strings.Replace(good, `"1"`, `""`, 1), "112307"},
		"template name":    {strings.Replace(good, `"1"`, `"SMS_1"`, 1), "112318"},
		"no number":        {b.ronglianJSON("", ""), "112300"},
		"bad number":       {b.ronglianJSON("1380", ""), "160042"},
		"number twice":     {b.ronglianJSON("13800000011,+8613800000011", ""), "160045"},
		"too many":         {b.ronglianJSON(strings.Repeat("13800000011,", 200)+"13800000012", ""), "160048"},
		"reqId too long":   {b.ronglianJSON("13800000011", `,"reqId":"`+strings.Repeat("a", 33)+`"`), "160055"},
		"reqId with signs": {b.ronglianJSON("13800000011", `,"reqId":"a-b"`), "160055"},
		"magic blacklist":  {b.ronglianJSON("13800990005", ""), "112317"},
		"magic temporary":  {b.ronglianJSON("13800990004", ""), "160000"},
		"magic limit":      {b.ronglianJSON("13800990006", ""), "160040"},
		"magic balance":    {b.ronglianJSON("13800990007", ""), "111142"},
		"too big":          {good + strings.Repeat(" ", 70_000), "112616"},
	} {
		if got := b.sendRonglian(t, c.body); got.StatusCode != c.code {
			t.Errorf("%s: got %s, want %s", name, got.StatusCode, c.code)
		}
	}
	if n := len(b.Messages("")); n != 0 {
		t.Errorf("messages: got %d, want 0", n)
	}
}

func TestRonglian_request_id_is_good_for_one_message_a_day(t *testing.T) {
	t.Parallel()
	b := setup(t)
	withID := b.ronglianJSON("13800000011", `,"reqId":"job42"`)
	for _, step := range []struct{ when, code string }{{"first", "000000"}, {"again", "160054"}} {
		if got := b.sendRonglian(t, withID); got.StatusCode != step.code {
			t.Errorf("%s: got %s, want %s", step.when, got.StatusCode, step.code)
		}
	}
	b.clock.advance(25 * time.Hour)
	if got := b.sendRonglian(t, withID); got.StatusCode != "000000" {
		t.Errorf("next day: got %s, want 000000", got.StatusCode)
	}
}

func TestRonglian_refused_request_does_not_spend_its_id(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.sendRonglian(t, b.ronglianJSON("13800990004", `,"reqId":"job42"`))
	if got := b.sendRonglian(t, b.ronglianJSON("13800000011", `,"reqId":"job42"`)); got.StatusCode != "000000" {
		t.Errorf("got %s, want 000000", got.StatusCode)
	}
}

func TestRonglian_limits_each_number(t *testing.T) {
	t.Parallel()
	b := setup(t)
	body := b.ronglianJSON("13800000011", "")
	for i := range 5 {
		if got := b.sendRonglian(t, body); got.StatusCode != "000000" {
			t.Fatalf("message %d: got %s", i+1, got.StatusCode)
		}
		if i == 0 {
			if got := b.sendRonglian(t, body); got.StatusCode != "160038" {
				t.Errorf("at once again: got %s, want 160038", got.StatusCode)
			}
		}
		b.clock.advance(61 * time.Second)
	}
	if got := b.sendRonglian(t, body); got.StatusCode != "160040" {
		t.Errorf("sixth of the day: got %s, want 160040", got.StatusCode)
	}
}

func TestRonglian_hands_each_report_out_once(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *sandbox.Config) { c.DeliveryDelay = time.Hour })
	delivered := b.sendRonglian(t, b.ronglianJSON("13800000011", `,"reqId":"job42"`))
	b.sendRonglian(t, b.ronglianJSON("13800990001", ""))
	b.sendRonglian(t, b.ronglianJSON("13800990002", ""))
	poll := func(body string) []map[string]string {
		t.Helper()
		got := b.ronglian(t, b.ronglianRequest(t, "GetArrived", "json", body))
		if got.StatusCode != "000000" {
			t.Fatalf("poll: got %+v", got)
		}
		return got.Reports
	}
	all := `{"appId":"` + b.Credentials().Ronglian.AppID + `","smsType":"1","count":"2"}`
	if got := poll(all); len(got) != 0 {
		t.Errorf("before the delay: got %v, want none", got)
	}
	b.clock.advance(2 * time.Hour)
	got := poll(all)
	if len(got) != 2 {
		t.Fatalf("reports: got %v, want 2", got)
	}
	if got[0]["content"] != delivered.TemplateSMS.SMSMessageSID || got[0]["reqId"] != "job42" ||
		got[0]["status"] != "0" || got[0]["deliverCode"] != "DELIVRD" || got[0]["fromNum"] != "13800000011" {
		t.Errorf("delivered: got %v", got[0])
	}
	if got[1]["status"] == "0" {
		t.Errorf("undelivered: got %v", got[1])
	}
	if got := poll(all); len(got) != 0 {
		t.Errorf("again: got %v, want none", got)
	}
}
