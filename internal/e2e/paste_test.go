package e2e_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"

	"usher/internal/testkit"
)

// paste puts a text into a field as a clipboard does.
func (b *browser) paste(t testing.TB, selector, text string) {
	t.Helper()
	b.do(t, chromedp.Focus(css(selector)),
		chromedp.Evaluate[chromedp.Void](`document.querySelector(`+strconv.Quote(selector)+`).select()`),
		chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
			_, err := cdp.Call(ctx, target, input.InsertText, input.InsertTextParams{Text: text})
			return err
		}))
}

// awaitStill is await for a tab whose pages run no script, where nothing can wait within the page.
func (b *browser) awaitStill(t testing.TB, expression string) {
	t.Helper()
	testkit.Eventually(t, pageTime, func() bool {
		holds, err := chromedp.Run(b.ctx, chromedp.Evaluate[bool](expression))
		return err == nil && holds
	}, "%s", expression)
}

// withoutScripts makes the tab's pages run none.
func withoutScripts() chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
		return err
	})
}

// pasted are texts for each kind of field, by its name, and how the API takes one alone. The answer says whether the
// form is right, whatever else is wrong with the request.
var pasted = map[string]struct {
	texts  []string
	method string
	path   string // %s stands for the text
	body   func(text string) map[string]any
	takes  func(status int, errno string, fields map[string]string) bool
}{
	"mobile": {
		[]string{
			"13700137001", "13700137001 ", "\u00a0137\u00a00013\u00a07001", "１３７００１３７００１", "+86 137 0013 7001", "0086 137-0013-7001",
			"86 13700137001", "(+86) 137.0013.7001", "\u202a+8613700137001\u202c", "137\u201100137001", "tel:13700137001", "137\u200b00137001\ufeff",
			"1370013700", "not a number", "13700137001,13700137002",
		},
		http.MethodGet, "/v1/mobiles/%s", nil, func(status int, _ string, _ map[string]string) bool { return status == http.StatusOK },
	},
	"username": {
		[]string{
			"xiaoming", " xiaoming ", "\u3000xiaoming\u00a0", "\ufeffxiao\u200bming", "ｘｉａｏｍｉｎｇ", "小明小明小", "小明_usher１", "Mu\u0308ller",
			"four", "with space", strings.Repeat("长", 20), strings.Repeat("长", 21), strings.Repeat("𠀀", 20), "1234567",
		},
		http.MethodGet, "/v1/usernames/%s", nil, func(status int, _ string, _ map[string]string) bool { return status == http.StatusOK },
	},
	"email": {
		[]string{
			"paste@example.com", " paste@example.com ", "\u00a0paste@example.com\u200b", "ｐａｓｔｅ＠ｅｘａｍｐｌｅ．ｃｏｍ", "paste＠example。com",
			"mailto:paste@example.com", "paste@例子.example", "PASTE@EXAMPLE.COM", "paste", "a b@example.com", "张三@qq.com",
		},
		http.MethodPost, "/v1/activations/resend", func(text string) map[string]any { return map[string]any{"email": text} },
		func(_ int, _ string, fields map[string]string) bool { return fields["email"] == "" },
	},
	"sms_code": {
		[]string{
			"402913", "402 913", "402913 ", "４０２９１３", "402\u2011913", "\u200e402913", "【Usher】您的验证码是402913，5分钟内有效", "40291", "4029130", "none",
		},
		http.MethodPost, "/v1/sms-codes/check", func(text string) map[string]any {
			return map[string]any{"mobile": "13700137001", "purpose": "login", "code": text, "sms_code_id": "x"}
		},
		func(_ int, errno string, _ map[string]string) bool { return errno != "4204" },
	},
	"email_code": {
		[]string{
			"40291376", "4029 1376", "40291376 ", "４０２９１３７６", "4029\u20111376", "\u200e40291376", "您的验证码是40291376，10分钟内有效", "4029137", "none",
		},
		http.MethodPost, "/v1/email-codes/check", func(text string) map[string]any {
			return map[string]any{"email": "paste@example.com", "purpose": "login", "code": text, "email_code_id": "x"}
		},
		func(_ int, errno string, _ map[string]string) bool { return errno != "4204" },
	},
	// What is wrong with these shows only when they are compared: the page takes them all.
	"captcha": {texts: []string{"7qk2", " 7 q k 2 ", "７ｑｋ２", "\u200b7QK2\u00a0", "7-q-k-2"}},
	"login":   {texts: []string{"xiaoming ", "+86 137 0013 7001\u00a0", "\ufeffpaste@example.com ", strings.Repeat(" ", 300) + "xiaoming"}},
}

// No field of a page refuses what the API takes: neither the script nor, without it, the browser.
func TestPages_take_what_the_API_takes(t *testing.T) {
	t.Parallel()
	b := openBrowser(t)
	s := openSite(t, "1s")
	tab, s := s.visit(t, b)
	s.account(t, "pasting", "13911110031")
	tab.paste(t, "#login", "13911110031\u00a0")
	tab.paste(t, "#password", oldPassword)
	tab.do(t, chromedp.Click(css("button.main[value=password]")), chromedp.WaitVisible(css("dl")))

	taken := map[string][]string{}
	for name, kind := range pasted {
		for _, text := range kind.texts {
			if kind.takes == nil {
				taken[name] = append(taken[name], text)
				continue
			}
			var body any
			if kind.body != nil {
				body = kind.body(text)
			}
			answer := s.p.Do(kind.method, strings.Replace(kind.path, "%s", url.PathEscape(text), 1), body)
			if kind.takes(answer.Status, answer.Errno, answer.Fields) {
				taken[name] = append(taken[name], text)
			}
		}
		if len(taken[name]) < 3 {
			t.Errorf("the API takes only %q of a %s", taken[name], name)
		}
	}
	walked := map[string]int{}
	for _, path := range []string{
		"/register?mode=mobile", "/register?mode=email", "/login", "/login?mode=code", "/forgot", "/undo", "/activate",
		"/account?mode=mobile", "/account?mode=email", "/account?mode=password",
	} {
		tab.do(t, chromedp.Navigate(s.base+path))
		ids := evaluate[[]string](t, tab, `[...document.querySelectorAll('input')].filter((i) => i.id && i.offsetParent && i.type !== 'checkbox').map((i) => i.id)`)
		for _, id := range ids {
			if strings.HasPrefix(id, "password") {
				continue // nothing is forgiven there
			}
			if _, known := pasted[id]; !known {
				t.Errorf("%s: the field %s has no texts here", path, id)
			}
			for _, text := range taken[id] {
				walked[id]++
				tab.judge(t, path, id, text)
			}
		}
	}
	for name := range pasted {
		if walked[name] == 0 {
			t.Errorf("no page has a field %s", name)
		}
	}
}

// judge fails the test when the page's script or the browser itself refuses a text.
func (b *browser) judge(t *testing.T, path, id, text string) {
	t.Helper()
	quoted, err := json.Marshal(text)
	if err != nil {
		t.Fatal(err)
	}
	got := evaluate[map[string]string](t, b, `(() => {
		const field = document.getElementById('`+id+`');
		field.value = `+string(quoted)+`;
		for (const type of ['input', 'change']) field.dispatchEvent(new Event(type, { bubbles: true }));
		const said = { script: field.getAttribute('aria-invalid') === 'true' ? document.getElementById('`+id+`-error').textContent : '' };
		return { ...said, browser: field.checkValidity() ? '' : field.validationMessage, kept: field.value };
	})()`)
	testkit.Conditions(t, fmt.Sprintf("%s: %q in %s: %q", path, text, id, got), map[string]bool{
		"the script accepts it":  got["script"] == "",
		"the browser accepts it": got["browser"] == "",
		"the field keeps it":     got["kept"] != "",
	})
}

// A person pastes everything, the whole SMS too: with the script, and without it.
func TestPages_register_from_a_clipboard(t *testing.T) {
	t.Parallel()
	b := openBrowser(t)
	s := openSite(t, "1s")
	for i, scripts := range []bool{true, false} {
		tab, s := s.visit(t, b)
		if !scripts {
			tab.do(t, withoutScripts())
		}
		mobile := "1370013701" + strconv.Itoa(i)
		tab.do(t, chromedp.Navigate(s.base+"/register"))
		tab.paste(t, "#username", "\u3000pasted_"+strconv.Itoa(i)+"\u00a0")
		tab.paste(t, "#mobile", "\u202a+86 "+mobile[:3]+"\u00a0"+mobile[3:]+"\u202c")
		tab.paste(t, "#captcha", "７ q k 2 ")
		tab.do(t, chromedp.Click(css(sendCode)))
		message := "【Usher】您的验证码是" + s.p.ReadCode(mobile, 1) + "，5分钟内有效"
		if scripts {
			tab.await(t, `document.activeElement.id === 'sms_code'`)
		} else {
			tab.awaitStill(t, `document.querySelector('[name=sms_code_id]').value !== ''`)
		}
		tab.paste(t, "#sms_code", message)
		if held := evaluate[string](t, tab, `document.getElementById('sms_code').value`); scripts && len(held) != 6 {
			t.Errorf("the field holds %q after the whole message was pasted", held)
		}
		for _, id := range []string{"#password", "#password_repeat"} {
			tab.paste(t, id, newPassword)
		}
		tab.do(t, chromedp.Click(css("#agree")), chromedp.Click(css("button.main[value=register]")), chromedp.WaitVisible(css("dl")))
		if shown := tab.text(t, "main"); !strings.Contains(shown, "pasted_"+strconv.Itoa(i)) {
			t.Errorf("scripts %v: /account shows:\n%s", scripts, shown)
		}
	}
}

// stripped is the site behind a proxy that takes away what browsers say of the site that a request comes from.
func stripped(t *testing.T, base string) string {
	t.Helper()
	target, err := url.Parse(base)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httptest.NewServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(target)
		r.Out.Host = r.In.Host
		for name := range r.Out.Header {
			if strings.HasPrefix(name, "Sec-Fetch-") {
				r.Out.Header.Del(name)
			}
		}
	}})
	t.Cleanup(proxy.Close)
	return proxy.URL
}

// Every form of every page, sent without scripts by a real browser, is known as ours where Sec-Fetch-Site is taken away.
func TestPages_without_scripts_behind_a_proxy_that_strips_Sec_Fetch_Site(t *testing.T) {
	t.Parallel()
	b := openBrowser(t)
	s := openSite(t, "1s")
	tab, s := s.visit(t, b)
	base := stripped(t, s.base)
	const email, refused = "stripped@example.com", "来源不受信任"
	tab.do(t, withoutScripts(), chromedp.Navigate(base+"/register?mode=email&lang=zh"))
	for id, text := range map[string]string{
		"#username": "stripped", "#email": email, "#captcha": captchaAnswer, "#password": newPassword, "#password_repeat": newPassword,
	} {
		tab.paste(t, id, text)
	}
	tab.do(t, chromedp.Click(css("#agree")), chromedp.Click(css("button.main[value=register]")), chromedp.WaitVisible(css(".address")))
	tab.do(t, chromedp.Navigate(base+"/activate?token="+s.p.ReadToken(email, 1)),
		chromedp.Click(css("button.main[value=activate]")), chromedp.WaitVisible(css("[data-done]")))
	tab.do(t, chromedp.Navigate(base+"/account"), chromedp.WaitVisible(css("dl"))) // it is signed in

	forms := 0
	for _, path := range []string{
		"/register", "/register?mode=email", "/login", "/login?mode=code", "/forgot", "/undo", "/undo?token=x", "/activate", "/activate?token=x",
		"/decline?token=x", "/account?mode=password", "/account?mode=email", "/account?mode=mobile", "/account", // the last form signs out
	} {
		tab.do(t, chromedp.Navigate(base+path))
		for i := range evaluate[int](t, tab, `document.forms.length`) {
			tab.do(t, chromedp.Navigate(base+path))
			if path != "/account" && evaluate[bool](t, tab, `document.forms[`+strconv.Itoa(i)+`].getAttribute('action').endsWith('/logout')`) {
				continue
			}
			forms++
			tab.do(t, chromedp.Evaluate[chromedp.Void](`document.title = 'before'; document.forms[`+strconv.Itoa(i)+`].submit()`))
			tab.awaitStill(t, `document.title !== 'before' && document.readyState === 'complete'`)
			if shown := tab.text(t, "main"); strings.Contains(shown, refused) {
				t.Errorf("form %d of %s is refused:\n%s", i+1, path, shown)
			}
		}
	}
	if forms < 15 {
		t.Errorf("only %d forms were found", forms)
	}
	if slices.Contains([]string{"", base + "/account"}, evaluate[string](t, tab, `location.href`)) {
		t.Error("the form that signs out did nothing")
	}
}
