package e2e_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"usher/internal/testclient"
)

// documented are the files of docs/frontend.
func documented(t *testing.T) map[string]string {
	t.Helper()
	files := map[string]string{}
	for _, name := range []string{"index.html", "usher.js", "signup.js"} {
		text, err := os.ReadFile("../../docs/frontend/" + name)
		if err != nil {
			t.Fatal(err)
		}
		files[name] = string(text)
	}
	return files
}

// frontend serves the documented files under an origin of its own. Where the API is, is known later: it wants
// to be told the origin first.
type frontend struct {
	files map[string]string
	api   string // set before the first page is opened
}

func openFrontend(t *testing.T) (f *frontend, origin string) {
	t.Helper()
	f = &frontend{files: documented(t)}
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	return f, strings.Replace(server.URL, "127.0.0.1", "localhost", 1)
}

// ServeHTTP implements [http.Handler].
func (f *frontend) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name := strings.TrimPrefix(r.URL.Path, "/")
	text, found := f.files[name]
	if !found {
		http.NotFound(w, r)
		return
	}
	media := "text/html; charset=utf-8"
	if strings.HasSuffix(name, ".js") {
		media = "text/javascript; charset=utf-8"
	}
	w.Header().Set("Content-Type", media)
	_, _ = w.Write([]byte(strings.Replace(text, "https://signup.example.com", f.api, 1)))
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

func TestFrontend_of_another_origin_as_documented(t *testing.T) {
	t.Parallel()
	b := openBrowser(t)
	site, origin := openFrontend(t)
	dev := launchDev(t, map[string]string{"USHER_ALLOWED_ORIGINS": origin})
	port := dev.Await(t, `Sign up +http://localhost(:\d+)/register`)
	site.api = "http://localhost" + port
	p := testclient.New(t, "127.0.0.1"+port, dev.Await(t, `Inbox +http://(\S+)/inbox`))
	const mobile, email, username, password = "13500135000", "frontend@example.com", "小红_front", "long enough 密码"

	b.onEveryPage(t, loseFirstAnswers)
	b.do(t, chromedp.Navigate(origin+"/index.html"))
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
	b.shows(t, "#register button[name=send]", "(5") // counting down from 60 seconds
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

	b.do(t, chromedp.Navigate(origin+"/index.html?token="+p.ReadToken(email, 1)))
	b.shows(t, "#account p", username) // the session has outlived the page
	b.do(t, chromedp.Click(css("#activate button")))
	b.shows(t, "#activate output", "f***@example.com")

	b.do(t, chromedp.Click(css("#account button")),
		chromedp.WaitVisible(css("#login")),
		chromedp.SendKeys(css("#login input[name=login]"), email),
		chromedp.SendKeys(css("#login input[name=password]"), "wrong"),
		chromedp.Click(css("#login button")))
	b.shows(t, "[role=alert]", "密码错误")
	b.do(t, chromedp.Clear(css("#login input[name=password]")),
		chromedp.SendKeys(css("#login input[name=password]"), password),
		chromedp.Click(css("#login button")))
	b.shows(t, "#account p", username)

	if n := len(p.Inbox(mobile)); n != 1 {
		t.Errorf("%d SMS were sent, want 1", n)
	}
	if n := len(p.Inbox(email)); n != 1 {
		t.Errorf("%d mails were sent, want 1", n)
	}
	b.strangerIsRefused(t, site.api)
}

// strangerIsRefused opens the same page under an origin that the API was not told about, in the same browser,
// where a person is signed in.
func (b *browser) strangerIsRefused(t *testing.T, api string) {
	t.Helper()
	stranger, origin := openFrontend(t)
	stranger.api = api
	b.do(t, chromedp.Navigate(origin+"/index.html"))
	b.shows(t, "[role=alert]", "网络不通")
	b.await(t, `document.querySelector("#account").hidden`)
}
