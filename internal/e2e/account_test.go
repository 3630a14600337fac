package e2e_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"usher/internal/testclient"
)

// owner has an account, is signed in by a program already, and opens a browser now.
type owner struct {
	*browser
	elsewhere                 *testclient.Client // the other session
	base                      string
	mobile, username, present string
}

const secondPassword = "another long 密码"

func newOwner(t *testing.T, mobile, username string) *owner {
	t.Helper()
	o := &owner{browser: openBrowser(t), mobile: mobile, username: username, present: "long enough 密码"}
	pages, inbox := startDev(t)
	o.base = "http://localhost" + pages[strings.LastIndexByte(pages, ':'):]
	o.elsewhere = testclient.New(t, pages, inbox)
	o.elsewhere.CaptchaAnswer = captchaAnswer
	o.elsewhere.AskCode(mobile, "register")
	o.elsewhere.Must(http.StatusCreated, http.MethodPost, "/v1/registrations", map[string]any{
		"username": username, "password": o.present, "password_repeat": o.present, "agree": true,
		"mobile": mobile, "sms_code": o.elsewhere.ReadCode(mobile, 1),
	})
	return o
}

// open signs in on the page and waits for the account.
func (o *owner) open(t *testing.T) {
	t.Helper()
	o.do(t, chromedp.Navigate(o.base+"/login"),
		chromedp.SendKeys(css("#login"), o.username),
		chromedp.SendKeys(css("#password"), o.present),
		chromedp.Click(css("button.main[value=password]")),
		chromedp.WaitVisible(css(".sessions")))
}

// see waits until a page, this one or the next, shows what the selector finds.
func (o *owner) see(t *testing.T, selector string) {
	t.Helper()
	o.do(t, chromedp.WaitVisible(css(selector)))
}

// seeAccount waits until the page says that something was done, and looks for it in the account.
func (o *owner) seeAccount(t *testing.T, want string) {
	t.Helper()
	o.see(t, "#said:not(:empty)")
	if shown := o.text(t, "dl"); !strings.Contains(shown, want) {
		t.Errorf("the account lacks %q:\n%s", want, shown)
	}
}

// changePassword fills the form in, with a wrong current password first.
func (o *owner) changePassword(t *testing.T) {
	t.Helper()
	fill := func(current string) {
		o.do(t, chromedp.SendKeys(css("#password_current"), current),
			chromedp.SendKeys(css("#password"), secondPassword),
			chromedp.SendKeys(css("#password_repeat"), secondPassword),
			chromedp.Click(css("button.main[value=password]")))
	}
	o.do(t, chromedp.Click(css("a[href^='/account?mode=password']")), chromedp.WaitVisible(css("#password_current")))
	fill("not this one")
	o.see(t, "#password_current-error:not(:empty)")
	o.do(t, chromedp.Navigate(o.base+"/account?mode=password"), chromedp.WaitVisible(css("#password_current")))
	fill(o.present)
	o.see(t, "#said:not(:empty)")
	o.present = secondPassword
}

// walk changes the password, which ends the other session, lets that one sign in again and ends it by hand.
func (o *owner) walk(t *testing.T) {
	t.Helper()
	o.open(t)
	o.see(t, ".sessions li:nth-child(2)")
	o.changePassword(t)
	o.see(t, ".sessions li:only-child")
	o.elsewhere.Must(http.StatusUnauthorized, http.MethodGet, "/v1/sessions/current", nil)
	o.elsewhere.Must(http.StatusCreated, http.MethodPost, "/v1/sessions", map[string]any{
		"login": o.username, "password": secondPassword,
	})

	o.do(t, chromedp.Navigate(o.base+"/account"), chromedp.WaitVisible(css("[data-flow=end_session] button")),
		chromedp.Click(css("[data-flow=end_session] button")))
	o.see(t, ".sessions li:only-child")
	o.see(t, "#said:not(:empty)")
	o.elsewhere.Must(http.StatusUnauthorized, http.MethodGet, "/v1/sessions/current", nil)
	if shown := o.text(t, "main"); !strings.Contains(shown, o.username) {
		t.Errorf("/account after all shows:\n%s", shown)
	}
}

func TestAccount_change_password_and_end_another_session(t *testing.T) {
	t.Parallel()
	o := newOwner(t, "13500135000", "xiaogang")
	o.walk(t)
	if focused, err := chromedp.Run(o.ctx, chromedp.Evaluate[string](`document.activeElement.id`)); err != nil || focused != "sessions-title" {
		t.Errorf("focus is on %q, %v after its button has gone", focused, err)
	}
	const next, address = "13400134000", "xiaogang@example.com"
	o.changeNumber(t, next)
	o.changeAddress(t, address)
}

// changeNumber has a code sent to the new number.
func (o *owner) changeNumber(t *testing.T, next string) {
	t.Helper()
	o.do(t, chromedp.Navigate(o.base+"/account?mode=mobile"), chromedp.WaitVisible(css("#sms_code")),
		chromedp.SendKeys(css("#mobile"), next))
	o.await(t, `document.querySelector("[data-captcha] img").naturalWidth > 0`)
	o.do(t, chromedp.SendKeys(css("#captcha"), captchaAnswer), chromedp.Click(css("button[value=send_code]")))
	o.do(t, chromedp.SendKeys(css("#sms_code"), o.elsewhere.ReadCode(next, 1)),
		chromedp.SendKeys(css("#password"), o.present),
		chromedp.Click(css("button.main[value=mobile]")))
	o.seeAccount(t, "134****4000")
}

// changeAddress proves the new address by the link that is sent there.
func (o *owner) changeAddress(t *testing.T, next string) {
	t.Helper()
	o.do(t, chromedp.Navigate(o.base+"/account?mode=email"), chromedp.WaitVisible(css("#email")),
		chromedp.SendKeys(css("#email"), next),
		chromedp.SendKeys(css("#password"), o.present),
		chromedp.Click(css("button.main[value=email]")))
	o.seeAccount(t, "x***@example.com")
	o.do(t, chromedp.Navigate(o.base+"/activate?token="+o.elsewhere.ReadToken(next, 1)),
		chromedp.Click(css("button.main[value=activate]")), chromedp.WaitVisible(css("[data-done]")),
		chromedp.Navigate(o.base+"/account"), chromedp.WaitVisible(css(".sessions")))
	o.see(t, "dl div:has(> dt):nth-child(3) .badge.good") // the address, below name and number
}

func TestAccount_works_without_JavaScript(t *testing.T) {
	t.Parallel()
	o := newOwner(t, "13300133000", "xiaomei")
	o.do(t, chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, emulation.SetScriptExecutionDisabled,
			emulation.SetScriptExecutionDisabledParams{Value: true})
		return err
	}))
	o.walk(t)
	const next = "13200132000"
	o.do(t, chromedp.Navigate(o.base+"/account?mode=mobile"), chromedp.SendKeys(css("#mobile"), next),
		chromedp.SendKeys(css("#captcha"), captchaAnswer), chromedp.Click(css("button[value=send_code]")))
	code := o.elsewhere.ReadCode(next, 1)
	o.do(t, chromedp.SendKeys(css("#sms_code"), code), chromedp.SendKeys(css("#password"), o.present),
		chromedp.Click(css("button.main[value=mobile]")))
	o.seeAccount(t, "132****2000")
}
