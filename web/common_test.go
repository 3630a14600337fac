package web_test

import (
	"context"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"usher/accounts"
	"usher/passwords/common"
	"usher/web"
)

// refusedByServer reports whether a registration refuses a password as too common.
func refusedByServer(password string) bool {
	service := accounts.Service{Policy: accounts.Policy{Registration: accounts.Either, Asked: accounts.Asked{Password: true}}}
	err := service.CheckSignUp(accounts.SignUp{
		Username: "zhang_san", Mobile: "13800138000", SMSCodeID: "s1", SMSCode: "123456", Agree: true, Password: password,
	})
	fields, _ := err.(accounts.FieldErrors) //nolint:errorlint // returned as it is
	return fields[accounts.FieldPassword] == accounts.TooCommon
}

// refusesCommonPasswords walks the server's list, in several spellings, and other passwords through the meter.
func refusesCommonPasswords(t *testing.T, browser context.Context, page web.Page) {
	s := newSite(t, page, map[string][]string{"POST /v1/captchas": {okCaptcha}, "GET /v1/mobiles/13800138000": {free}, "GET /v1/usernames/zhang_san": {free}})
	b := openTab(t, browser, s.URL+"/register")
	b.until(`document.querySelector('[name=captcha_id]').value === 'c2'`)
	b.fill(map[string]string{"username": "zhang_san", "mobile": "138 0013 8000"})
	b.do(chromedp.Evaluate[chromedp.Void](`document.getElementById('password').focus()`))
	b.fill(map[string]string{"password": "password1"})
	b.until(textIs("password-hint", "too common"))

	tried := map[string]bool{
		"13800138000": true, "Zhang_San": true, "ＺＨＡＮＧ＿ＳＡＮ": true, "ſunshine1": true, "Straße123": false, "correct horse": false, "138 0013 8000": false,
		"password1 ": false, "zhang_san1": false, "ΟΔΥΣΣΕΥΣ": false,
	}
	text, err := fs.ReadFile(common.Files, common.File)
	if err != nil {
		t.Fatal(err)
	}
	for i, password := range strings.Fields(string(text)) {
		tried[password] = true
		switch i % 3 {
		case 0:
			tried[strings.ToUpper(password)] = true
		case 1:
			tried[strings.Map(wide, password)] = true
		case 2:
			tried[password+"x"] = common.Has(password + "x")
		}
	}
	list := slices.Sorted(maps.Keys(tried))
	shown := map[string]bool{}
	for part := range slices.Chunk(list, 200) {
		var answer map[string]bool
		quoted := make([]string, len(part))
		for i, password := range part {
			quoted[i] = fmt.Sprintf("%q", password)
		}
		answer, err = chromedp.Run(b.ctx, chromedp.Evaluate[map[string]bool](`(async () => {
			const input = document.getElementById('password'), answers = {};
			for (const password of [`+strings.Join(quoted, ",")+`]) {
				input.value = password;
				input.dispatchEvent(new Event('input'));
				for (let i = 0; i < 8; i++) await null; // the meter waits for the list, which is there
				answers[password] = document.getElementById('password-hint').textContent.includes('too common');
			}
			input.value = '';
			return answers;
		})()`, chromedp.EvalAwaitPromise))
		if err != nil {
			t.Fatal(err)
		}
		maps.Copy(shown, answer)
	}
	if len(shown) < 2000 {
		t.Fatalf("%d passwords were tried", len(shown))
	}
	for password, want := range tried {
		if server := refusedByServer(password); server != want || shown[password] != want {
			t.Errorf("%q: the server says that it is too common: %t, the page: %t, want %t", password, server, shown[password], want)
		}
	}
	// The form is not sent with such a password.
	b.fill(map[string]string{"password": "password1", "password_repeat": "password1"})
	b.do(clickOn(mainButton))
	b.until(textIs("password-error", "too common"))
}

// wide returns the full-width form of a character of ASCII.
func wide(r rune) rune {
	if r > ' ' && r <= '~' {
		return r - '!' + '！'
	}
	return r
}
