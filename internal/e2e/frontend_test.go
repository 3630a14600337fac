package e2e_test

import (
	"bytes"
	"context"
	"io/fs"
	"mime"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"usher/internal/testclient"
	"usher/internal/testkit"
)

// frontend serves the built examples of the client under an origin of its own, such as /plain/index.html. Where the API is, is known
// later: it wants to be told the origin first.
type frontend struct {
	dir string // of the examples; set before the first page is opened
	api string // the same
}

func openFrontend(t *testing.T) (f *frontend, origin string) {
	t.Helper()
	f = &frontend{}
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	return f, strings.Replace(server.URL, "127.0.0.1", "localhost", 1)
}

// ServeHTTP implements [http.Handler].
func (f *frontend) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name, file, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	text, err := fs.ReadFile(os.DirFS(f.dir), path.Join(name, "dist", file))
	if err != nil {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", mime.TypeByExtension(path.Ext(file)))
	_, _ = w.Write(bytes.Replace(text, []byte("https://signup.example.com"), []byte(f.api), 1))
}

// loseFirstAnswers makes the network of every page lose the first success of each request that has a key, and
// keeps the keys with what was said of them.
const loseFirstAnswers = `
	window.keys = [];
	const real = window.fetch, lost = new Set();
	window.fetch = async (url, options) => {
		const response = await real(url, options);
		const key = options.headers['Idempotency-Key'];
		if (key) keys.push([key, response.headers.get('Idempotency-Replayed')]);
		if (key && response.ok && !lost.has(url)) { lost.add(url); throw new TypeError('Failed to fetch'); }
		return response;
	};`

// sentTwice is true when the last request had the key of the one before it and got its answer again.
const sentTwice = `(([[first, fresh], [second, again]]) =>
	first === second && fresh === null && again === "true")(keys.slice(-2))`

func (b *browser) onEveryPage(t *testing.T, script string) {
	t.Helper()
	b.do(t, chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, page.AddScriptToEvaluateOnNewDocument,
			page.AddScriptToEvaluateOnNewDocumentParams{Source: script})
		return err
	}))
}

// shows waits until an element has the text.
func (b *browser) shows(t *testing.T, selector, text string) {
	t.Helper()
	b.await(t, `document.querySelector("`+selector+`")?.textContent.includes("`+text+`")`)
}

// walksPlain registers by number and by address, activates the address and signs in again, on a page of another origin that loses
// the first answer to each request with a key.
func walksPlain(t *testing.T, b *browser, origin string, p *testclient.Client) {
	const mobile, email, username, password = "13500135000", "frontend@example.com", "小红_front", "long enough 密码"

	b.onEveryPage(t, loseFirstAnswers)
	b.do(t, chromedp.Navigate(origin+"/plain/index.html"))
	b.await(t, `document.querySelector("#register img").naturalWidth > 0`)

	// A refusal, in two languages, beside its field.
	b.do(t, chromedp.Click(css("#register button[name=send]")))
	b.shows(t, "#register [data-error=mobile]", "请填写")
	b.await(t, `Object.assign(document.querySelector("#language"), { value: "en" }).dispatchEvent(new Event("change"))`)
	b.do(t, chromedp.Click(css("#register button[name=send]")))
	b.shows(t, "#register [data-error=mobile]", "fill")

	b.do(t, chromedp.SendKeys(css("#register input[name=mobile]"), mobile),
		chromedp.SendKeys(css("#register input[name=captcha]"), captchaAnswer),
		chromedp.Click(css("#register button[name=send]")))
	code := p.ReadCode(mobile, 1)
	b.await(t, `["sent", "delivered"].includes(document.querySelector("[data-status]").textContent)`)
	b.await(t, sentTwice)

	b.do(t, chromedp.SendKeys(css("#register input[name=username]"), username),
		chromedp.SendKeys(css("#register input[name=sms_code]"), code),
		chromedp.SendKeys(css("#register input[name=email]"), email),
		chromedp.SendKeys(css("#register input[name=password]"), password),
		chromedp.SendKeys(css("#register input[name=password_repeat]"), password),
		chromedp.Click(css("#register input[name=agree]")),
		chromedp.Click(css("#register button:not([name])")))
	b.shows(t, "#account p", username+" · 135****5000 · f***@example.com")
	b.await(t, sentTwice)

	b.do(t, chromedp.Navigate(origin+"/plain/index.html?token="+p.ReadToken(email, 1)))
	b.shows(t, "#account p", username) // the session has outlived the page
	b.do(t, chromedp.Click(css("#activate button")))
	b.shows(t, "#activate output", "f***@example.com")

	b.do(t, chromedp.Click(css("#account button")),
		chromedp.WaitVisible(css("#login")),
		chromedp.SendKeys(css("#login input[name=login]"), email),
		chromedp.SendKeys(css("#login input[name=password]"), "wrong"),
		chromedp.Click(css("#login button")))
	b.shows(t, "[role=alert]", "密码错误")
	b.retype(t, "#login input[name=password]", password)
	b.do(t, chromedp.Click(css("#login button")))
	b.await(t, `!document.querySelector("#account").hidden`)

	if n := len(p.Inbox(mobile)); n != 1 {
		t.Errorf("%d SMS were sent, want 1", n)
	}
	if n := len(p.Inbox(email)); n != 1 {
		t.Errorf("%d mails were sent, want 1", n)
	}
}

// retype types over what a field has. chromedp.Clear changes the attribute only, which a field that was typed in no longer shows.
func (b *browser) retype(t *testing.T, field, text string) {
	t.Helper()
	b.do(t, chromedp.Evaluate[chromedp.Void](`(() => { const it = document.querySelector("`+field+`"); it.focus(); it.select(); })()`),
		chromedp.KeyEvent(text))
}

// press clicks on an element as soon as it is enabled, where it is at that moment.
func (b *browser) press(t *testing.T, selector string) {
	t.Helper()
	b.await(t, `(() => {
		const it = document.querySelector("`+selector+`");
		if (!it || it.disabled) return false;
		it.click();
		return true;
	})()`)
}

// strangerIsRefused opens the same page under an origin that the API was not told about, in the same browser,
// where a person is signed in.
func (b *browser) strangerIsRefused(t *testing.T, site *frontend) {
	t.Helper()
	stranger, origin := openFrontend(t)
	*stranger = *site
	b.do(t, chromedp.Navigate(origin+"/plain/index.html"))
	b.shows(t, "[role=alert]", "网络连接失败")
	b.await(t, `document.querySelector("#account").hidden`)
}

// walksVue signs in with codes, by number and by address, and replaces a forgotten password.
func walksVue(t *testing.T, b *browser, origin string, p *testclient.Client) {
	const mobile, username = "13500135001", "vue_front"
	site{p: p}.account(t, username, mobile)
	sent := time.Now()
	press := func(button string) { t.Helper(); b.press(t, button) }
	send := func(nth int) {
		t.Helper()
		testkit.Eventually(t, testkit.Patience, func() bool { return time.Since(sent) > resendInterval }, "the number may get another code")
		b.await(t, `document.querySelector("img")?.naturalWidth > 0 && document.querySelector("[name=captcha]").value === ""`)
		b.do(t, chromedp.SendKeys(css("[name=captcha]"), captchaAnswer))
		press("#send")
		b.do(t, chromedp.SendKeys(css("[name=code]"), p.ReadCode(mobile, nth)))
		sent = time.Now()
	}
	b.do(t, chromedp.Navigate(origin+"/vue/index.html"), chromedp.WaitVisible(css("[name=captcha]")))
	press("#send")
	b.shows(t, "form", "请填写")
	b.do(t, chromedp.SendKeys(css("[name=contact]"), mobile))
	send(2)
	press("#submit")
	b.shows(t, "#account p", username)
	press("#language")
	press("#account button")
	b.do(t, chromedp.WaitVisible(css("#forgot")))
	b.shows(t, "h1", "Sign in")
	b.do(t, chromedp.Click(css("#forgot")))
	send(3)
	b.do(t, chromedp.SendKeys(css("[name=password]"), newPassword), chromedp.SendKeys(css("[name=repeat]"), "not the same"))
	press("#submit")
	b.await(t, `[...document.querySelectorAll("small")].some((place) => /password/i.test(place.textContent))`)
	b.retype(t, "[name=repeat]", newPassword)
	press("#submit")
	b.shows(t, "[role=status]", "has been changed")
	p.Must(http.StatusCreated, http.MethodPost, "/v1/sessions", map[string]any{"login": username, "password": newPassword})
}

// walksReact registers by address alone, has the mail sent again, corrects the address, follows the link and signs in again.
func walksReact(t *testing.T, b *browser, origin string, p *testclient.Client) {
	const mistyped, email, username = "raect@example.com", "react@example.com", "react_front"
	type keys map[string]string
	press := func(button string) { t.Helper(); b.press(t, button) }
	fill := func(form string, values keys) {
		t.Helper()
		b.await(t, `document.querySelector("`+form+` img")?.naturalWidth > 0`)
		for name, value := range values {
			b.retype(t, form+" [name="+name+"]", value)
		}
	}
	b.do(t, chromedp.Navigate(origin+"/react/index.html"))
	fill("#register", keys{
		"username": username, "email": mistyped, "password": oldPassword, "password_repeat": oldPassword, "captcha": "wrong",
	})
	press("#register [name=agree]")
	press("#register button")
	b.await(t, `[...document.querySelectorAll("#register small")].at(-2).textContent !== "" && document.querySelector("#register button").disabled === false`)
	fill("#register", keys{"captcha": captchaAnswer})
	press("#register button")
	b.shows(t, "#mailed", "r***@example.com")
	p.ReadToken(mistyped, 1)
	press("#resend button")
	b.shows(t, "[role=status]", "已重新发送")
	p.ReadToken(mistyped, 2)
	fill("#correct", keys{"email": email, "captcha": captchaAnswer})
	press("#correct button")
	b.do(t, chromedp.Navigate(origin+"/react/index.html?token="+p.ReadToken(email, 1)))
	press("#activate button")
	b.shows(t, "#account p", username+" · r***@example.com")
	press("#account button")
	b.do(t, chromedp.WaitVisible(css("#sign-in")),
		chromedp.SendKeys(css("#sign-in [name=login]"), email), chromedp.SendKeys(css("#sign-in [name=password]"), oldPassword))
	press("#sign-in button")
	b.shows(t, "#account p", username)
}
