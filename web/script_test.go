package web_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"usher/captcha/challenge"
	"usher/captcha/pow"
	"usher/web"
)

// The script is tested in a real browser against an API that answers from a list.

// site serves the pages under their policy, and an API whose answers a test sets.
type site struct {
	*httptest.Server
	mu      sync.Mutex
	answers map[string][]string // "METHOD /path" -> answers in turn, the last one for ever
	calls   []string            // "METHOD /path body"
}

const (
	okCaptcha = `{"errno":"0","data":{"captcha_id":"c2","image":"data:image/png;base64,AAAA","expires_in":300}}`
	okCode    = `{"errno":"0","data":{"sms_code_id":"s1","expires_in":300,"resend_after":60}}`
	free      = `{"errno":"0","data":{"count":0}}`
)

func newSite(t *testing.T, p web.Page, answers map[string][]string) *site {
	t.Helper()
	s := &site{answers: answers}
	r := newRenderer(t)
	mux := http.NewServeMux()
	mux.Handle("GET /static/", http.StripPrefix("/static/", http.FileServerFS(newRenderer(t).Static())))
	mux.HandleFunc("/v1/", s.api)
	mux.HandleFunc("GET /{page}", func(w http.ResponseWriter, q *http.Request) {
		w.Header().Set("Content-Security-Policy", web.CSP(true))
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		shown := p
		shown.Mode, shown.Token = q.FormValue("mode"), q.FormValue("token")
		if err := r.Render(w, q.PathValue("page"), shown); err != nil {
			http.NotFound(w, q)
		}
	})
	s.Server = httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s
}

func (s *site) api(w http.ResponseWriter, q *http.Request) {
	body, _ := io.ReadAll(io.LimitReader(q.Body, 1<<16))
	key := q.Method + " " + q.URL.Path
	s.mu.Lock()
	s.calls = append(s.calls, strings.TrimSpace(key+" "+string(body)))
	answer := `{"errno":"4002","errmsg":"nothing here"}`
	if list := s.answers[key]; len(list) > 0 {
		answer = list[0]
		if len(list) > 1 {
			s.answers[key] = list[1:]
		}
	}
	s.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	if !strings.Contains(answer, `"errno":"0"`) {
		w.WriteHeader(http.StatusUnprocessableEntity)
	}
	_, _ = io.WriteString(w, answer)
}

// called returns the bodies sent to a "METHOD /path", in turn.
func (s *site) called(key string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var bodies []string
	for _, call := range s.calls {
		if body, ok := strings.CutPrefix(call, key); ok {
			bodies = append(bodies, strings.TrimSpace(body))
		}
	}
	return bodies
}

func newBrowser(t *testing.T) context.Context {
	t.Helper()
	var path string
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if found, err := exec.LookPath(name); err == nil {
			path = found
			break
		}
	}
	if path == "" {
		t.Skip("no chromium on this machine")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 8*time.Minute)
	t.Cleanup(cancel)
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.NoSandbox, chromedp.ExecPath(path),
		chromedp.WSURLReadTimeout(time.Minute))
	ctx, cancel = chromedp.NewExecAllocator(ctx, options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx, chromedp.Navigate("about:blank")); err != nil {
		t.Fatalf("start browser: %v", err)
	}
	return ctx
}

// tab is one page under test.
type tab struct {
	t   *testing.T
	ctx context.Context
}

func openTab(t *testing.T, browser context.Context, url string) tab {
	t.Helper()
	ctx, cancel := chromedp.NewContext(browser)
	t.Cleanup(cancel)
	b := tab{t, ctx}
	b.do(chromedp.Navigate(url))
	return b
}

func (b tab) do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	if err := chromedp.Do(b.ctx, steps...); err != nil {
		b.t.Fatalf("browser: %v", err)
	}
}

// fill types into fields by their ids.
func (b tab) fill(values map[string]string) {
	b.t.Helper()
	for id, value := range values {
		b.do(chromedp.SendKeys("#"+id, value))
	}
}

// until waits for a JavaScript condition and says what the page shows when it never holds.
func (b tab) until(condition string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, time.Minute)
	defer cancel()
	var err error
	for ctx.Err() == nil { // A poll ends with an error when the page changes under it.
		if _, err = chromedp.Run(ctx, chromedp.Poll[bool](condition)); err == nil {
			return
		}
	}
	shown, _ := chromedp.Run(b.ctx, chromedp.Evaluate[string]("location.href + ' ' + document.body.innerText"))
	b.t.Fatalf("%s never held (%v) on:\n%s", condition, err, shown)
}

func textIs(id, want string) string {
	return fmt.Sprintf("document.getElementById(%q).textContent.includes(%q)", id, want)
}

const (
	sendButton = `button[value=send_code]`
	mainButton = `[data-todo] [data-submit], main > .card > form [data-submit]`
)

func clickOn(selector string) chromedp.Action[chromedp.Void] {
	return func(ctx context.Context, t *chromedp.Target) (chromedp.Void, error) {
		return chromedp.Evaluate[chromedp.Void](fmt.Sprintf("document.querySelector(%q).click()", selector))(ctx, t)
	}
}

func TestScript(t *testing.T) {
	t.Parallel()
	browser := newBrowser(t)
	page := web.Page{Lang: "en", CaptchaRequired: true, Asked: everyField}
	for name, test := range map[string]func(*testing.T, context.Context, web.Page){
		"registers by mobile, step by step":           registersByMobile,
		"adds the chosen country code":                addsCountryCode,
		"takes codes with letters":                    takesCodesWithLetters,
		"does the work that is asked":                 doesWork,
		"does work beside a picture":                  doesWorkBesidePicture,
		"does more work where more is wanted":         doesMoreWork,
		"says that a message was refused":             saysRefusedMessage,
		"a delayed message is told, with another way": saysDelayedMessage,
		"offers a second way when a message failed":   offersSecondWay,
		"offers a second way when nothing came":       offersSecondWayAfterPatience,
		"registers by email and points to the inbox":  registersByEmail,
		"registers by a code that came by mail":       registersByMailCode,
		"one field takes a number or an address":      takesEitherContact,
		"the button of a mail with a code works":      opensMailCode,
		"shows the captcha when sign-in demands it":   showsDemandedCaptcha,
		"activates on a click only":                   activatesOnClick,
		"helps while typing":                          helpsWhileTyping,
		"keeps what was typed when the network fails": survivesDeadNetwork,
		"refuses the common passwords of the server":  refusesCommonPasswords,
	} {
		t.Run(name, func(t *testing.T) { test(t, browser, page) })
	}
}

func registersByMobile(t *testing.T, browser context.Context, page web.Page) {
	s := newSite(t, page, map[string][]string{
		"POST /v1/captchas":           {okCaptcha},
		"POST /v1/sms-codes":          {`{"errno":"4202","errmsg":"captcha is wrong"}`, okCode},
		"GET /v1/sms-codes/s1":        {`{"errno":"0","data":{"status":"delivered","resend_after":50}}`},
		"GET /v1/usernames/zhang_san": {free},
		"GET /v1/mobiles/13800138000": {free},
		"POST /v1/registrations":      {`{"errno":"4204","errmsg":"code is wrong"}`, `{"errno":"0","data":{"active":true}}`},
		"DELETE /v1/sessions/current": {`{"errno":"0"}`},
	})
	b := openTab(t, browser, s.URL+"/register")
	b.until(`document.querySelector('[name=captcha_id]').value === 'c2'`)
	b.fill(map[string]string{"username": "zhang_san", "mobile": "+86 138-0013-8000", "captcha": "abcd"})
	b.do(clickOn(sendButton))
	b.until(textIs("captcha-error", "captcha is wrong"))
	b.until(`document.getElementById('captcha').value === ''`)

	b.fill(map[string]string{"captcha": "efgh"})
	b.do(clickOn(sendButton))
	b.until(`document.querySelector('` + sendButton + `').textContent.startsWith('Resend in ')`)
	b.until(`document.getElementById('captcha').disabled && document.activeElement.id === 'sms_code'`)
	b.until(textIs("code-status", "Delivered"))
	b.do(chromedp.Reload())
	b.until(`document.querySelector('` + sendButton + `').disabled`)

	b.do(chromedp.Evaluate[chromedp.Void](`for (const i of document.querySelectorAll('form[data-flow=register] input:not([type=hidden])')) { i.value = ''; i.checked = false }`))
	b.do(clickOn(mainButton))
	b.until(`document.activeElement.id === 'username' && document.getElementById('agree').getAttribute('aria-invalid') === 'true'`)
	b.fill(map[string]string{
		"username": "zhang_san", "mobile": "13800138000", "sms_code": "123456",
		"password": "correct horse", "password_repeat": "correct horse",
	})
	b.do(clickOn("#agree"), clickOn(mainButton))
	b.until(textIs("sms_code-error", "code is wrong"))
	b.do(clickOn(mainButton))
	b.until(`location.pathname === '/account'`)

	var sent map[string]any
	bodies := s.called("POST /v1/registrations")
	if err := json.Unmarshal([]byte(bodies[len(bodies)-1]), &sent); err != nil {
		t.Fatalf("parse registration: %v", err)
	}
	if sent["agree"] != true || sent["mobile"] != "13800138000" || sent["email"] != nil || sent["captcha"] != nil {
		t.Errorf("got registration %v, want agree true, a plain number, no email, no captcha", sent)
	}
	if got := s.called("POST /v1/sms-codes"); len(got) != 2 || !strings.Contains(got[1], `"purpose":"register"`) {
		t.Errorf("got codes asked for with %v, want two, with purpose register", got)
	}
}

func addsCountryCode(t *testing.T, browser context.Context, page web.Page) {
	page.Regions = []web.Region{{Code: "CN", Calling: 86}, {Code: "HK", Calling: 852}}
	s := newSite(t, page, map[string][]string{
		"POST /v1/captchas":            {okCaptcha},
		"POST /v1/sms-codes":           {okCode},
		"GET /v1/sms-codes/s1":         {`{"errno":"0","data":{"status":"delivered","resend_after":50}}`},
		"GET /v1/mobiles/+85251234567": {free},
	})
	b := openTab(t, browser, s.URL+"/register")
	b.until(`document.querySelector('[name=captcha_id]').value === 'c2'`)
	b.do(chromedp.Evaluate[chromedp.Void](`document.querySelector('[name=calling_code]').value = '+852'`))
	b.fill(map[string]string{"mobile": "5123-4567", "captcha": "abcd"})
	b.do(clickOn(sendButton))
	b.until(textIs("code-status", "Delivered"))
	if got := s.called("POST /v1/sms-codes"); len(got) != 1 || !strings.Contains(got[0], `"mobile":"+85251234567"`) {
		t.Errorf("got codes asked for with %v", got)
	}
}

func takesCodesWithLetters(t *testing.T, browser context.Context, page web.Page) {
	page.CodeLength, page.CodeLetters = 6, true
	b := openTab(t, browser, newSite(t, page, map[string][]string{"POST /v1/captchas": {okCaptcha}}).URL+"/login?mode=code")
	for typed, taken := range map[string]string{
		"k4m 7xn": "K4M7XN", "402913": "402913", "您的验证码是k4m7xn，5分钟内有效": "K4M7XN", "K4M7X0": "K4M7X0", "please": "please",
	} {
		b.do(chromedp.Evaluate[chromedp.Void](fmt.Sprintf(`{
			const code = document.getElementById('sms_code');
			code.value = %q;
			code.dispatchEvent(new Event('input'));
			code.dispatchEvent(new Event('change'));
		}`, typed)))
		b.until(fmt.Sprintf(`document.getElementById('sms_code').value === %q`, taken))
		b.until(fmt.Sprintf(`document.getElementById('sms_code').getAttribute('aria-invalid') === '%t'`, taken != "K4M7XN" && taken != "402913"))
	}
}

// askForWork returns an answer with a challenge, and what checks the proof of it.
func askForWork(t *testing.T, beside string) (answer string, check func(proof string) error) {
	t.Helper()
	maker := &pow.Maker{Secrets: []pow.Secrets{{Challenge: "c", Key: "k"}}, Most: 100}
	id, challenge, err := maker.Make(challenge.Normal, time.Now().Add(time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(challenge)
	if err != nil {
		t.Fatal(err)
	}
	return `{"errno":"0","data":{"captcha_id":"` + id + `",` + beside + `"challenge":` + string(text) + `,"expires_in":300}}`,
		func(proof string) error { return maker.Verify(id, proof, time.Now()) }
}

// sentCaptcha is the answer to a captcha that a code was asked for with.
func (s *site) sentCaptcha(t *testing.T) string {
	t.Helper()
	var sent struct{ Captcha string }
	bodies := s.called("POST /v1/sms-codes")
	if len(bodies) == 0 {
		t.Fatal("no code was asked for")
	}
	if err := json.Unmarshal([]byte(bodies[len(bodies)-1]), &sent); err != nil {
		t.Fatal(err)
	}
	return sent.Captcha
}

func doesWork(t *testing.T, browser context.Context, page web.Page) {
	answer, check := askForWork(t, "")
	page.CaptchaKind, page.CaptchaID = "pow", "a picture's"
	s := newSite(t, page, map[string][]string{
		"POST /v1/captchas":    {answer, okCaptcha},
		"POST /v1/sms-codes":   {okCode},
		"GET /v1/sms-codes/s1": {`{"errno":"0","data":{"status":"delivered","resend_after":50}}`},
	})
	b := openTab(t, browser, s.URL+"/register")
	b.until(`document.querySelector('.captcha').offsetParent === null && document.querySelector('[data-work]').offsetParent !== null`)
	if got := s.called("POST /v1/captchas"); len(got) != 0 {
		t.Errorf("work was asked for before the form was used: %v", got)
	}
	b.fill(map[string]string{"mobile": "13800138000"})
	b.do(clickOn(sendButton))
	b.until(textIs("code-status", "Delivered"))
	if err := check(s.sentCaptcha(t)); err != nil {
		t.Errorf("sent %q: %v", s.sentCaptcha(t), err)
	}
	if got := s.called("POST /v1/captchas"); len(got) != 1 || !strings.Contains(got[0], `"kind":"pow"`) {
		t.Errorf("asked for captchas with %v", got)
	}
	b.do(clickOn("[value=captcha]")) // an image is there for who wants one
	b.until(`document.querySelector('[name=captcha_id]').value === 'c2' && document.querySelector('.captcha').offsetParent !== null`)
}

// doesMoreWork: a person who has nothing to type need not press again when the price has risen.
func doesMoreWork(t *testing.T, browser context.Context, page web.Page) {
	cheap, _ := askForWork(t, "")
	raised, _ := askForWork(t, "")
	high, check := askForWork(t, "")
	refusal := func(price string) string {
		return `{"errno":"4202","errmsg":"too cheap","data":{"captcha_price":"` + price + `"}}`
	}
	page.CaptchaKind = "pow"
	s := newSite(t, page, map[string][]string{
		"POST /v1/captchas":    {cheap, raised, high},
		"POST /v1/sms-codes":   {refusal("raised"), refusal("high"), okCode},
		"GET /v1/sms-codes/s1": {`{"errno":"0","data":{"status":"delivered","resend_after":50}}`},
	})
	b := openTab(t, browser, s.URL+"/register")
	b.fill(map[string]string{"mobile": "13800138000"})
	b.do(clickOn(sendButton))
	b.until(textIs("code-status", "Delivered"))
	asked := s.called("POST /v1/captchas")
	if len(asked) != 3 || !strings.Contains(asked[1], `"price":"raised"`) || !strings.Contains(asked[2], `"price":"high"`) {
		t.Errorf("asked for captchas with %v", asked)
	}
	if got := len(s.called("POST /v1/sms-codes")); got != 3 {
		t.Errorf("codes were requested %d times, want 3", got)
	}
	if err := check(s.sentCaptcha(t)); err != nil {
		t.Errorf("sent %q: %v", s.sentCaptcha(t), err)
	}
}

func doesWorkBesidePicture(t *testing.T, browser context.Context, page web.Page) {
	answer, check := askForWork(t, `"image":"data:image/png;base64,AAAA",`)
	s := newSite(t, page, map[string][]string{
		"POST /v1/captchas":    {answer},
		"POST /v1/sms-codes":   {okCode},
		"GET /v1/sms-codes/s1": {`{"errno":"0","data":{"status":"delivered","resend_after":50}}`},
	})
	b := openTab(t, browser, s.URL+"/register")
	b.until(`document.querySelector('[name=captcha_id]').value !== ''`)
	b.fill(map[string]string{"mobile": "13800138000", "captcha": "abcd"})
	b.do(clickOn(sendButton))
	b.until(textIs("code-status", "Delivered"))
	typed, proof, _ := strings.Cut(s.sentCaptcha(t), " ")
	if err := check(proof); err != nil || typed != "abcd" {
		t.Errorf("sent %q and %q: %v", typed, proof, err)
	}
}

func saysRefusedMessage(t *testing.T, browser context.Context, page web.Page) {
	s := newSite(t, page, map[string][]string{
		"POST /v1/captchas":    {okCaptcha},
		"POST /v1/sms-codes":   {okCode},
		"GET /v1/sms-codes/s1": {`{"errno":"0","data":{"status":"failed","resend_after":0}}`},
	})
	b := openTab(t, browser, s.URL+"/register")
	b.until(`document.querySelector('[name=captcha_id]').value === 'c2'`)
	b.fill(map[string]string{"mobile": "13800138000", "captcha": "abcd"})
	b.do(clickOn(sendButton))
	b.until(textIs("code-status", "Use email instead"))
	b.until(`!document.querySelector('` + sendButton + `').disabled`)
	b.do(clickOn(sendButton)) // A new code needs a new captcha.
	b.until(`!document.getElementById('captcha').disabled && document.activeElement.id === 'captcha'`)
	if got := len(s.called("POST /v1/sms-codes")); got != 1 {
		t.Errorf("got %d codes asked for, want 1", got)
	}
}

func saysDelayedMessage(t *testing.T, browser context.Context, page web.Page) {
	for path, other := range map[string]string{"/register": "Use email instead", "/login?mode=code": "Sign in with your password"} {
		s := newSite(t, page, map[string][]string{
			"POST /v1/captchas":    {okCaptcha},
			"POST /v1/sms-codes":   {okCode},
			"GET /v1/sms-codes/s1": {`{"errno":"0","data":{"status":"delayed","resend_after":0}}`},
		})
		b := openTab(t, browser, s.URL+path)
		b.until(`document.querySelector('[name=captcha_id]').value === 'c2'`)
		b.fill(map[string]string{"mobile": "13800138000", "captcha": "abcd"})
		b.do(clickOn(sendButton))
		b.until(textIs("code-status", "We cannot send the message right now"))
		b.until(textIs("code-status", other))
	}
}

const againButton = `#code-status button[value=second_way]`

func offersSecondWay(t *testing.T, browser context.Context, page web.Page) {
	const status = `{"errno":"0","data":{"status":%q,"resend_after":%d,"second_way":[%s]}}`
	s := newSite(t, page, map[string][]string{
		"POST /v1/captchas":  {okCaptcha},
		"POST /v1/sms-codes": {okCode},
		"GET /v1/sms-codes/s1": {
			fmt.Sprintf(status, "sent", 2, `{"via":"sms","after":2}`), fmt.Sprintf(status, "undelivered", 1, `{"via":"sms","after":1}`),
			fmt.Sprintf(status, "queued", 60, ""), fmt.Sprintf(status, "delivered", 58, ""),
		},
		"POST /v1/sms-codes/s1/resend": {`{"errno":"0","data":{"sms_code_id":"s1","expires_in":200,"resend_after":60}}`},
	})
	b := openTab(t, browser, s.URL+"/register")
	b.until(`document.querySelector('[name=captcha_id]').value === 'c2'`)
	b.until(`!document.querySelector('` + againButton + `')`)
	b.fill(map[string]string{"mobile": "13800138000", "captcha": "abcd"})
	b.do(clickOn(sendButton))
	b.until(textIs("code-status", "Sent. It usually arrives"))
	b.until(`!document.querySelector('` + againButton + `')`)
	b.until(textIs("code-status", "Send it again by another way"))
	b.until(`document.querySelector('` + againButton + `')?.disabled === false`) // the pause is over
	b.do(clickOn(againButton))
	b.until(textIs("code-status", "Sent again by another way. The code is still the same."))
	b.until(`document.activeElement.id === 'sms_code' && !document.querySelector('` + againButton + `')`)
	b.until(textIs("code-status", "Delivered"))
	if got := s.called("POST /v1/sms-codes/s1/resend"); len(got) != 1 || got[0] != `{"via":"sms"}` {
		t.Errorf("got resends %v", got)
	}
	if got := len(s.called("POST /v1/sms-codes")); got != 2 { // the prefix of both paths
		t.Errorf("got %d calls, want a code and its resend", got)
	}
}

func offersSecondWayAfterPatience(t *testing.T, browser context.Context, page web.Page) {
	s := newSite(t, page, map[string][]string{
		"POST /v1/captchas":            {okCaptcha},
		"POST /v1/sms-codes":           {okCode},
		"GET /v1/sms-codes/s1":         {`{"errno":"0","data":{"status":"sent","resend_after":0,"second_way":[{"via":"sms","after":0}]}}`},
		"POST /v1/sms-codes/s1/resend": {`{"errno":"4203","errmsg":"cannot be sent again"}`},
	})
	b := openTab(t, browser, s.URL+"/login?mode=code")
	b.until(`document.querySelector('[name=captcha_id]').value === 'c2'`)
	b.do(chromedp.Evaluate[chromedp.Void](`{
		const set = setTimeout;
		window.setTimeout = (f, ms) => set(f, ms / 20);
	}`))
	b.fill(map[string]string{"mobile": "13800138000", "captcha": "abcd"})
	b.do(clickOn(sendButton))
	b.until(`document.querySelector('` + againButton + `')?.disabled === false`)
	if got := len(s.called("GET /v1/sms-codes/s1")); got < 6 {
		t.Errorf("offered after %d looks, want the one after 25 s", got)
	}
	b.until(textIs("code-status", "Nothing yet?"))
	b.until(`document.querySelector('` + againButton + `')?.disabled === false`) // still there
	b.do(clickOn(againButton))
	b.until(textIs("sms_code-error", "cannot be sent again"))
	b.until(`!document.querySelector('` + againButton + `')`)
}

func registersByEmail(t *testing.T, browser context.Context, page web.Page) {
	page.Address = "zhang@example.com"
	s := newSite(t, page, map[string][]string{
		"POST /v1/captchas":            {okCaptcha},
		"POST /v1/registrations":       {`{"errno":"0","data":{"active":false}}`},
		"POST /v1/activations/resend":  {`{"errno":"0","data":{}}`},
		"POST /v1/activations/correct": {`{"errno":"4103","errmsg":"look again","fields":{"email":"the same"}}`, `{"errno":"0","data":{}}`},
		"POST /v1/sessions":            {`{"errno":"4104","errmsg":"not active","data":{"waiting":true}}`},
	})
	b := openTab(t, browser, s.URL+"/register?mode=email")
	b.until(`document.querySelector('[name=captcha_id]').value === 'c2'`)
	b.fill(map[string]string{
		"username": "zhang_san", "email": "zhang@example.com", "captcha": "abcd",
		"password": "correct horse", "password_repeat": "correct horse",
	})
	b.do(clickOn("#agree"), clickOn(mainButton))
	const ready = `document.querySelector('form')?.noValidate` // the script has the forms
	b.until(`location.pathname === '/check-mail' && document.querySelector('.address')?.textContent === 'zhang@example.com' && ` + ready)
	b.do(clickOn("[data-flow=resend] [data-submit]"))
	b.until(`document.querySelector('[data-said]').textContent !== ''`)
	if got := s.called("POST /v1/registrations"); len(got) != 1 || !strings.Contains(got[0], `"captcha_id":"c2"`) {
		t.Errorf("got registrations %v, want one with its captcha", got)
	}
	b.do(clickOn(`a[href^="/check-mail?mode=correct"]`))
	b.until(`document.querySelector('[name=captcha_id]')?.value === 'c2'`)
	b.fill(map[string]string{"email": "zhang@example.org", "captcha": "abcd"})
	b.do(clickOn("#correct [data-submit]"))
	b.until(textIs("email-error", "the same"))
	b.until(`document.getElementById('captcha').value === '' && document.querySelector('[name=captcha_id]').value === 'c2'`)
	b.fill(map[string]string{"captcha": "efgh"})
	b.do(clickOn("#correct [data-submit]"))
	b.until(`location.search === ''`)
	if got := s.called("POST /v1/activations/correct"); len(got) != 2 || !strings.Contains(got[1], `"email":"zhang@example.org","captcha_id":"c2","captcha":"efgh"`) {
		t.Errorf("got corrections %v, want the second with its captcha", got)
	}

	b = openTab(t, browser, s.URL+"/login")
	b.until(`document.querySelector('[data-waiting]').hidden && ` + ready)
	b.fill(map[string]string{"login": "zhang_san", "password": "correct horse"})
	b.do(clickOn(mainButton))
	b.until(`!document.querySelector('[data-waiting]').hidden`)
	b.do(clickOn("[data-waiting] [data-submit]"))
	b.until(`document.querySelector('[data-waiting] [data-said]').textContent !== ''`)
	if got := s.called("POST /v1/activations/resend"); len(got) != 2 || got[0] != `{}` || got[1] != `{}` {
		t.Errorf("got resends %v, want two for the session's own account", got)
	}
}

const okMailCode = `{"errno":"0","data":{"email_code_id":"e1","expires_in":300,"resend_after":60}}`

func registersByMailCode(t *testing.T, browser context.Context, page web.Page) {
	page.CodeLength, page.MailCodeLength = 6, 8
	s := newSite(t, page, map[string][]string{
		"POST /v1/captchas":       {okCaptcha},
		"POST /v1/email-codes":    {okMailCode},
		"GET /v1/email-codes/e1":  {`{"errno":"0","data":{"status":"sent","resend_after":50}}`},
		"POST /v1/registrations":  {`{"errno":"4204","errmsg":"code is wrong"}`, `{"errno":"0","data":{"active":true}}`},
		"GET /v1/usernames/zhang": {free},
	})
	b := openTab(t, browser, s.URL+"/register?mode=email")
	b.until(`document.querySelector('[name=captcha_id]').value === 'c2' && !document.getElementById('email_code').required`)
	b.fill(map[string]string{"username": "zhang_san", "email": "zhang@example.com", "captcha": "abcd"})
	b.do(clickOn(sendButton))
	b.until(`document.activeElement.id === 'email_code' && document.getElementById('captcha').disabled`)
	b.until(textIs("code-status", "check your email"))
	b.fill(map[string]string{"password": "correct horse", "password_repeat": "correct horse"})
	b.do(clickOn("#agree"), clickOn(mainButton)) // a code that was sent is not optional any more
	b.until(`document.activeElement.id === 'email_code' && document.getElementById('email_code').getAttribute('aria-invalid') === 'true'`)
	b.fill(map[string]string{"email_code": "1234 5678"})
	b.do(clickOn(mainButton))
	b.until(textIs("email_code-error", "code is wrong"))
	b.do(clickOn(mainButton))
	b.until(`location.pathname === '/account'`)
	got := s.called("POST /v1/registrations")
	if len(got) != 2 || !strings.Contains(got[1], `"email":"zhang@example.com","email_code_id":"e1","email_code":"12345678"`) || strings.Contains(got[1], "captcha") {
		t.Errorf("got registrations %v, want the address with its code and no captcha", got)
	}
	if got := s.called("POST /v1/email-codes"); len(got) != 1 ||
		got[0] != `{"email":"zhang@example.com","purpose":"register","captcha_id":"c2","captcha":"abcd"}` {
		t.Errorf("got codes asked for with %v", got)
	}
}

func takesEitherContact(t *testing.T, browser context.Context, page web.Page) {
	page.CodeLength, page.MailCodeLength = 6, 8
	s := newSite(t, page, map[string][]string{
		"POST /v1/captchas":        {okCaptcha},
		"POST /v1/email-codes":     {`{"errno":"4103","errmsg":"look again","fields":{"email":"no such domain"}}`, okMailCode},
		"GET /v1/email-codes/e1":   {`{"errno":"0","data":{"status":"failed","resend_after":0}}`},
		"POST /v1/sms-codes":       {okCode},
		"GET /v1/sms-codes/s1":     {`{"errno":"0","data":{"status":"delivered","resend_after":50}}`},
		"POST /v1/sessions":        {`{"errno":"4103","errmsg":"look again","fields":{"email_code":"too short"}}`, `{"errno":"0","data":{}}`},
		"POST /v1/password-resets": {`{"errno":"0","data":{}}`},
	})
	b := openTab(t, browser, s.URL+"/login?mode=code")
	b.until(`document.querySelector('[name=captcha_id]').value === 'c2'`)
	b.fill(map[string]string{"mobile": "zhang", "captcha": "abcd"})
	b.do(clickOn(sendButton))
	b.until(textIs("mobile-error", "Enter a mobile number or an email address"))
	b.fill(map[string]string{"mobile": "@example.com"})
	b.do(clickOn(sendButton))
	b.until(textIs("mobile-error", "no such domain"))
	b.until(`document.getElementById('captcha').value === ''`)
	b.fill(map[string]string{"captcha": "efgh"})
	b.do(clickOn(sendButton))
	b.until(textIs("code-status", "The mail server rejected the message"))
	b.fill(map[string]string{"sms_code": "12345678"})
	b.do(clickOn(mainButton))
	b.until(textIs("sms_code-error", "too short"))
	b.do(clickOn(mainButton))
	b.until(`location.pathname === '/account'`)
	if got := s.called("POST /v1/sessions"); len(got) != 2 || got[1] != `{"email":"zhang@example.com","email_code_id":"e1","email_code":"12345678"}` {
		t.Errorf("got sign-ins %v, want the names of an address", got)
	}

	b = openTab(t, browser, s.URL+"/forgot")
	b.until(`document.querySelector('[name=captcha_id]').value === 'c2'`)
	b.fill(map[string]string{"mobile": "138 0013 8000", "captcha": "abcd"})
	b.do(clickOn(sendButton))
	b.until(textIs("code-status", "Delivered"))
	b.fill(map[string]string{"sms_code": "123456", "password": "correct horse", "password_repeat": "correct horse"})
	b.do(clickOn(mainButton))
	b.until(`!document.querySelector('[data-done]').hidden`)
	if got := s.called("POST /v1/password-resets"); len(got) != 1 || !strings.Contains(got[0], `"mobile":"13800138000","sms_code_id":"s1","sms_code":"123456"`) {
		t.Errorf("got resets %v, want the names of a number", got)
	}
}

func opensMailCode(t *testing.T, browser context.Context, page web.Page) {
	page.Address = "zhang@example.com"
	s := newSite(t, page, map[string][]string{
		"POST /v1/sessions":        {`{"errno":"4203","errmsg":"the code was used"}`, `{"errno":"0","data":{}}`},
		"POST /v1/registrations":   {`{"errno":"0","data":{"active":true}}`},
		"POST /v1/password-resets": {`{"errno":"0","data":{}}`},
		"GET /v1/usernames/zhang":  {free},
	})
	const ready = `document.querySelector('form')?.noValidate` // the script has the form
	b := openTab(t, browser, s.URL+"/code?mode=login&token=t0")
	b.until(ready)
	b.do(clickOn(mainButton))
	b.until(`document.querySelector('[data-alert]').textContent === 'the code was used'`)
	b.do(clickOn(mainButton))
	b.until(`location.pathname === '/account'`)
	if got := s.called("POST /v1/sessions"); len(got) != 2 || got[1] != `{"email_code_token":"t0"}` {
		t.Errorf("got sign-ins %v, want the token alone", got)
	}

	b = openTab(t, browser, s.URL+"/code?mode=register&token=t1")
	b.until(ready)
	b.fill(map[string]string{"username": "zhang_san", "password": "correct horse", "password_repeat": "correct horse"})
	b.do(clickOn("#agree"), clickOn(mainButton))
	b.until(`location.pathname === '/account'`)
	if got := s.called("POST /v1/registrations"); len(got) != 1 || !strings.Contains(got[0], `"email_code_token":"t1"`) {
		t.Errorf("got registrations %v, want one with the token", got)
	}

	b = openTab(t, browser, s.URL+"/code?mode=reset_password&token=t2")
	b.until(ready)
	b.fill(map[string]string{"password": "correct horse", "password_repeat": "correct horse"})
	b.do(clickOn(mainButton))
	b.until(`!document.querySelector('[data-done]').hidden`)
	if got := s.called("POST /v1/password-resets"); len(got) != 1 || !strings.Contains(got[0], `"email_code_token":"t2"`) {
		t.Errorf("got resets %v, want one with the token", got)
	}
}

func showsDemandedCaptcha(t *testing.T, browser context.Context, page web.Page) {
	s := newSite(t, page, map[string][]string{
		"POST /v1/captchas": {okCaptcha},
		"POST /v1/sessions": {
			`{"errno":"4102","errmsg":"no such account"}`,
			`{"errno":"4202","errmsg":"prove you are human"}`,
			`{"errno":"0","data":{"active":true}}`,
		},
	})
	b := openTab(t, browser, s.URL+"/login")
	b.fill(map[string]string{"login": "zhang_san", "password": "correct horse"})
	b.do(clickOn(mainButton))
	b.until(`document.querySelector('[data-alert]').textContent === 'no such account'`)
	b.until(`document.querySelector('[data-captcha]').closest('[hidden]') !== null`)
	b.do(clickOn(mainButton))
	b.until(textIs("captcha-error", "prove you are human"))
	b.fill(map[string]string{"captcha": "abcd"})
	b.do(clickOn(mainButton))
	b.until(`location.pathname === '/account'`)
	if got := s.called("POST /v1/sessions"); len(got) != 3 || !strings.Contains(got[2], `"captcha":"abcd"`) {
		t.Errorf("got sign-ins %v, want three, the last with its captcha", got)
	}
}

func activatesOnClick(t *testing.T, browser context.Context, page web.Page) {
	s := newSite(t, page, map[string][]string{
		"POST /v1/activations": {`{"errno":"4207","errmsg":"link expired"}`, `{"errno":"0","data":{}}`},
	})
	b := openTab(t, browser, s.URL+"/activate?token=t0k")
	b.until(`document.querySelector('form').noValidate`)
	if got := s.called("POST /v1/activations"); len(got) != 0 {
		t.Errorf("got activations %v before any click, want none", got)
	}
	b.do(clickOn(mainButton))
	b.until(`!document.querySelector('[data-resend]').hidden`)
	b.do(clickOn(mainButton))
	b.until(`!document.querySelector('[data-done]').hidden`)
	if got := s.called("POST /v1/activations"); len(got) != 2 || got[1] != `{"token":"t0k"}` {
		t.Errorf("got activations %v, want two with the token", got)
	}
}

func helpsWhileTyping(t *testing.T, browser context.Context, page web.Page) {
	s := newSite(t, page, map[string][]string{
		"POST /v1/captchas":           {okCaptcha},
		"GET /v1/usernames/zhang_san": {`{"errno":"0","data":{"count":1}}`},
	})
	b := openTab(t, browser, s.URL+"/register")
	b.fill(map[string]string{"username": "zhang_san"})
	b.do(chromedp.SendKeys("#password", "1234567"))
	b.until(textIs("username-error", "taken"))
	b.until(textIs("password-hint", "still needed: 1"))
	b.do(chromedp.SendKeys("#password", "890123456"))
	b.until(`document.getElementById('password-meter').dataset.level === '3'`)
	b.do(clickOn("[data-peek]"))
	b.until(`document.getElementById('password').type === 'text'`)
}

func survivesDeadNetwork(t *testing.T, browser context.Context, page web.Page) {
	s := newSite(t, page, nil)
	b := openTab(t, browser, s.URL+"/login")
	b.until(`document.querySelector('form').noValidate`)
	s.Close()
	b.fill(map[string]string{"login": "zhang_san", "password": "correct horse"})
	b.do(clickOn(mainButton))
	b.until(`document.querySelector('[data-alert]').textContent.startsWith('No connection')`)
	b.until(`!document.querySelector('[data-submit]').disabled && document.getElementById('password').value === 'correct horse'`)
}
