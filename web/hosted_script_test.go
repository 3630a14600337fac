package web_test

import (
	"testing"

	"github.com/chromedp/chromedp"

	"usher/web"
)

// A vendor's captcha that does not come makes room for ours, and only the frame can say that it was solved.
func TestScript_falls_back_to_our_captcha(t *testing.T) {
	t.Parallel()
	const hosted = `{"errno":"0","data":{"captcha_id":"c1","kind":"geetest","geetest":{"captcha_id":"x","script":"https://static.example.com/gt4.js"},"expires_in":300}}`
	s := newSite(t, web.Page{CaptchaRequired: true, CaptchaKind: "digits", CaptchaFrame: "/captcha"}, map[string][]string{
		"POST /v1/captchas": {hosted, okCaptcha}, "POST /v1/sms-codes": {okCode},
	})
	b := openTab(t, newBrowser(t), s.URL+"/register")
	b.fill(map[string]string{"mobile": "13800138000"})
	b.until(`document.querySelector('[data-hosted] iframe') !== null`)
	b.do(chromedp.Evaluate[chromedp.Void](`postMessage({ captcha: 'solved', token: 'forged' }, location.origin)`))
	b.do(clickOn(sendButton))
	b.until(`document.getElementById('captcha-error').textContent !== ''`)
	if sent := s.called("POST /v1/sms-codes"); len(sent) > 0 {
		t.Errorf("sent %s without an answer", sent)
	}
	b.until(`document.querySelector('[data-hosted]').hidden && document.querySelector('[name=captcha_id]').value === 'c2'`)
	if asked := s.called("POST /v1/captchas"); len(asked) != 2 || asked[0] != `{"kind":"hosted"}` || asked[1] != `{"kind":"image"}` {
		t.Errorf("asked for %s", asked)
	}
}
