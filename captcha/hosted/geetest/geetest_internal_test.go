package geetest

import (
	"errors"
	"strings"
	"testing"

	"usher/captcha/hosted"
)

// The first vector has the account of the vendor's example and the lot number of its answers, and the result of openssl dgst
// -sha256 -hmac; the second one is the well-known example of HMAC-SHA-256.
func Test_sign(t *testing.T) {
	t.Parallel()
	for _, v := range []struct{ key, lot, want string }{
		{"b09a7aafbfd83f73b35a9b530d0337bf", "4dc3cfc2cdff448cad8d13107198d473", "c99f3aa68104bdcd085f372dc6556a17a5a830a1a3d25125fb0010466977f3d8"},
		{"key", "The quick brown fox jumps over the lazy dog", "f7bc83f430538424b13298e6aa6fb143ef4d59a14946175997479dbc2d1a3cd8"},
	} {
		if got := sign(v.key, v.lot); got != v.want {
			t.Errorf("got %s, want %s", got, v.want)
		}
	}
}

// The first five are the examples of the vendor's documents.
var answers = map[string]struct {
	status int
	body   string
	ok     bool
	want   error // nil for a clear answer
}{
	"success":              {200, `{"status":"success","result":"success","reason":"","captcha_args":{"used_type":"slide","user_ip":"127.0.0.1","lot_number":"4dc3cfc2cdff448cad8d13107198d473","scene":"反爬虫","referer":"http://127.0.0.1:8077/"}}`, true, nil},
	"success without":      {200, `{"result":"success","reason":"","captcha_args":{}}`, true, nil},
	"fail":                 {200, `{"status":"success","result":"fail","reason":"pass_token expire","captcha_args":{}}`, false, nil},
	"fail without":         {200, `{"result":"fail","reason":"pass_token expire"}`, false, nil},
	"illegal gen_time":     {200, `{"status":"error","code":"-50005","msg":"illegal gen_time","desc":{"type":"defined error"}}`, false, nil},
	"code as a number":     {200, `{"status":"error","code":-50301}`, false, nil},
	"used":                 {200, `{"status":"error","code":"-50003"}`, false, nil},
	"captcha id deleted":   {200, `{"status":"error","code":"-50104"}`, false, hosted.ErrMisconfigured},
	"runtime error":        {200, `{"status":"error","code":"-50000"}`, false, hosted.ErrUnclear},
	"unknown code":         {200, `{"status":"error","code":"-1"}`, false, hosted.ErrUnclear},
	"no code":              {200, `{"status":"error","result":"success"}`, false, hosted.ErrUnclear},
	"code with a secret":   {200, `{"status":"error","code":"13800138000 secret"}`, false, hosted.ErrUnclear},
	"unknown status":       {200, `{"status":"ok","result":"success"}`, false, hosted.ErrAway},
	"result in capitals":   {200, `{"status":"success","result":"SUCCESS"}`, false, hosted.ErrAway},
	"result is true":       {200, `{"status":"success","result":true}`, false, hosted.ErrAway},
	"two documents":        {200, `{"result":"success"}{"result":"fail"}`, false, hosted.ErrAway},
	"nothing":              {200, ``, false, hosted.ErrAway},
	"null":                 {200, `null`, false, hosted.ErrAway},
	"a page":               {200, `<html>`, false, hosted.ErrAway},
	"created":              {201, `{"result":"success"}`, false, hosted.ErrAway},
	"moved":                {302, `{"result":"success"}`, false, hosted.ErrAway},
	"refused by a gateway": {403, `{"result":"success"}`, false, hosted.ErrUnclear},
	"down":                 {502, `{"result":"success"}`, false, hosted.ErrAway},
}

func Test_read(t *testing.T) {
	t.Parallel()
	for name, a := range answers {
		ok, _, err := read(a.status, []byte(a.body))
		if ok != a.ok || !errors.Is(err, a.want) || err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: got %t, %v; want %t, %v", name, ok, err, a.ok, a.want)
		}
	}
}

// Every code of the vendor's list has one class.
func Test_codes(t *testing.T) {
	t.Parallel()
	for code := range refusals {
		if _, twice := misconfigurations[code]; twice || refusal(code) != nil {
			t.Errorf("code %s is not a refusal", code)
		}
	}
	for code := range misconfigurations {
		if !errors.Is(refusal(code), hosted.ErrMisconfigured) {
			t.Errorf("code %s is not about our account", code)
		}
	}
}

// No answer makes the reader panic, pass with an error, or pass without the word for it.
func FuzzRead(f *testing.F) {
	for _, a := range answers {
		f.Add(a.status, a.body)
	}
	f.Fuzz(func(t *testing.T, status int, body string) {
		ok, code, err := read(status, []byte(body))
		if ok && (err != nil || code != "" || status != 200 || !strings.Contains(body, "success")) {
			t.Errorf("passes: %d %q, code %q, %v", status, body, code, err)
		}
		if err != nil && len(err.Error()) > 100 {
			t.Errorf("the error is too long: %v", err)
		}
	})
}

// No token makes the parser panic or lets anything but plain text through to the vendor.
func FuzzToken(f *testing.F) {
	f.Add(`{"captcha_id":"647f5ed2ed8acb4be36784e01556bb71","lot_number":"4dc3cfc2cdff448cad8d13107198d473","captcha_output":"uj8Xx==","pass_token":"f06f3a0c","gen_time":"1715850000"}`)
	f.Add(`{"lot_number":"4dc3cfc2cdff448cad8d13107198d473","captcha_output":"' or 1=1","pass_token":"a","gen_time":"1"}`)
	f.Add(`{"lot_number":["a"]}`)
	f.Add(`k7m3p`)
	client := New(Config{CaptchaID: "647f5ed2ed8acb4be36784e01556bb71"})
	f.Fuzz(func(t *testing.T, text string) {
		parsed, ok := client.parse(text)
		if !ok {
			return
		}
		sent := parsed.LotNumber + parsed.CaptchaOutput + parsed.PassToken + parsed.GenTime
		if strings.ContainsAny(sent, "\x00\r\n '\"<>&%;") || len(sent) > maxToken {
			t.Errorf("%q is sent to the vendor", sent)
		}
	})
}
