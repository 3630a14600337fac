package sandbox_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"usher/sandbox"
)

// geetestForm solves a captcha and returns the form of a server's question about it.
func (b *bundle) geetestForm(t *testing.T) url.Values {
	t.Helper()
	keys := b.Credentials().Geetest
	_, _, body := b.do(t, b.request(t, http.MethodGet, "/geetest/verify?captcha_id="+keys.CaptchaID, ""))
	var answer struct {
		Data struct{ Seccode map[string]string }
	}
	if err := json.Unmarshal([]byte(body), &answer); err != nil {
		t.Fatal(err)
	}
	form := url.Values{}
	for name, value := range answer.Data.Seccode {
		form.Set(name, value)
	}
	form.Set("sign_token", geetestSum(keys.Key, form.Get("lot_number")))
	return form
}

func geetestSum(key, lot string) string {
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte(lot))
	return hex.EncodeToString(mac.Sum(nil))
}

// validate asks as a server does.
func (b *bundle) validate(t *testing.T, form url.Values) string {
	t.Helper()
	r := b.request(t, http.MethodPost, "/geetest/validate?captcha_id="+form.Get("captcha_id"), form.Encode())
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	_, _, body := b.do(t, r)
	return body
}

func TestGeetest_is_as_strict_as_the_vendor(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for name, test := range map[string]struct {
		change func(url.Values)
		want   string
	}{
		"right":           {func(url.Values) {}, `"result":"success"`},
		"no id":           {func(f url.Values) { f.Del("captcha_id") }, `"code":"-50101"`},
		"short id":        {func(f url.Values) { f.Set("captcha_id", "x") }, `"code":"-50102"`},
		"another id":      {func(f url.Values) { f.Set("captcha_id", strings.Repeat("0", 32)) }, `"code":"-50103"`},
		"no lot":          {func(f url.Values) { f.Del("lot_number") }, `"code":"-50302"`},
		"malformed lot":   {func(f url.Values) { f.Set("lot_number", "x") }, `"code":"-50303"`},
		"unsigned":        {func(f url.Values) { f.Del("sign_token") }, `"reason":"sign_token error"`},
		"wrongly signed":  {func(f url.Values) { f.Set("sign_token", geetestSum("key", f.Get("lot_number"))) }, `"reason":"sign_token error"`},
		"time with a dot": {func(f url.Values) { f.Set("gen_time", "1.5") }, `"code":"-50005"`},
		"another pass":    {func(f url.Values) { f.Set("pass_token", "x") }, `"reason":"pass_token error"`},
		"unknown lot": {func(f url.Values) {
			f.Set("lot_number", strings.Repeat("0", 32))
			f.Set("sign_token", geetestSum(b.Credentials().Geetest.Key, f.Get("lot_number")))
		}, `"code":"-50301"`},
	} {
		form := b.geetestForm(t)
		test.change(form)
		if got := b.validate(t, form); !strings.Contains(got, test.want) {
			t.Errorf("%s: got %s, want %s", name, got, test.want)
		}
	}
}

func TestGeetest_accepts_a_token_once_and_for_a_time(t *testing.T) {
	t.Parallel()
	b := setup(t)
	form := b.geetestForm(t)
	b.validate(t, form)
	if got := b.validate(t, form); !strings.Contains(got, `"code":"-50003"`) {
		t.Errorf("the second use: got %s", got)
	}
	late := b.geetestForm(t)
	b.clock.advance(11 * time.Minute)
	if got := b.validate(t, late); !strings.Contains(got, `"reason":"pass_token expire"`) {
		t.Errorf("after its life: got %s", got)
	}
}

func TestGeetest_wants_a_form(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := b.request(t, http.MethodPost, "/geetest/validate?captcha_id=x", `{"lot_number":"x"}`)
	r.Header.Set("Content-Type", "application/json")
	if _, _, got := b.do(t, r); !strings.Contains(got, `"code":"-50005"`) {
		t.Errorf("got %s", got)
	}
}

func TestGeetest_script_and_callbacks(t *testing.T) {
	t.Parallel()
	b := setup(t)
	if _, _, got := b.do(t, b.request(t, http.MethodGet, "/geetest/v4/gt4.js", "")); !strings.Contains(got, "window.initGeetest4 =") {
		t.Errorf("got %.60s", got)
	}
	id := b.Credentials().Geetest.CaptchaID
	if _, _, got := b.do(t, b.request(t, http.MethodGet, "/geetest/verify?callback=geetest_1&captcha_id="+id, "")); !strings.HasPrefix(got, `geetest_1({"status":"success"`) {
		t.Errorf("got %s", got)
	}
	for _, query := range []string{"callback=geetest_1&captcha_id=other", "callback=alert(1)//&captcha_id=" + id} {
		if _, _, got := b.do(t, b.request(t, http.MethodGet, "/geetest/verify?"+query, "")); !strings.Contains(got, `"status":"error"`) || strings.HasPrefix(got, "alert") {
			t.Errorf("got %s for %s", got, query)
		}
	}
}

func TestGeetest_faults(t *testing.T) {
	t.Parallel()
	b := setup(t)
	if err := b.SetFaults(sandbox.Faults{Geetest: &sandbox.Fault{Code: "-50105"}}); err != nil {
		t.Fatal(err)
	}
	if got := b.validate(t, b.geetestForm(t)); !strings.Contains(got, `"code":"-50105"`) {
		t.Errorf("got %s", got)
	}
	for _, wrong := range []sandbox.Fault{{Code: "50105"}, {Undelivered: true}} {
		if err := b.SetFaults(sandbox.Faults{Geetest: &wrong}); err == nil {
			t.Errorf("%+v is accepted", wrong)
		}
	}
}
