package e2e_test

import (
	"context"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"usher/internal/testclient"
	"usher/internal/testkit"
)

// pageTime is how long a page may take for anything, on a machine that is busy with other tests.
const pageTime = time.Minute

// browser is a headless Chromium with one tab, and what its console complained about.
type browser struct {
	ctx    context.Context
	mailed time.Time // when the tab last had a code mailed
}

// openBrowser starts Chromium. Where there is none the test is skipped, unless the environment demands
// real programs.
func openBrowser(t testing.TB) *browser {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		if os.Getenv("USHER_TEST_REAL") == "1" {
			t.Fatal("USHER_TEST_REAL=1, and there is no chromium on this machine")
		}
		t.Skip("there is no chromium on this machine")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.WSURLReadTimeout(pageTime), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.UserDataDir(filepath.Join(t.TempDir(), "chromium")),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-quic", true),
		chromedp.Flag("lang", "zh-CN"),
	)
	ctx, cancel := context.WithTimeout(context.Background(), 8*time.Minute)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewExecAllocator(ctx, options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	b := &browser{ctx: ctx}
	b.watch(t)
	return b
}

// fresh is a tab without the cookies of the others.
func (b *browser) fresh(t testing.TB) *browser {
	t.Helper()
	tab, closeTab := b.tab(t)
	t.Cleanup(closeTab)
	tab.watch(t)
	return tab
}

// tab opens a tab without the cookies of the others, until it is closed.
func (b *browser) tab(t testing.TB) (tab *browser, closeTab func()) {
	t.Helper()
	ctx, cancel := chromedp.NewContext(b.ctx, chromedp.WithNewBrowserContext())
	// A tab lives as long as the context of the first thing that it does.
	if err := chromedp.Do(ctx); err != nil {
		t.Fatal(err)
	}
	return &browser{ctx: ctx}, cancel
}

// watch fails the test when the page's script fails or the page does what its policy forbids.
func (b *browser) watch(t testing.TB) {
	t.Helper()
	err := chromedp.Listen(b.ctx, func(event any) {
		switch e := event.(type) {
		case *runtime.EventExceptionThrown:
			t.Errorf("the page's script failed: %s", e.ExceptionDetails.Text)
		case *log.EventEntryAdded:
			if e.Entry.Source == log.EntrySourceSecurity {
				t.Errorf("the page's policy was broken: %s", e.Entry.Text)
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.picture(t) })
}

// do runs steps and fails the test when one does not succeed.
func (b *browser) do(t testing.TB, steps ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, pageTime)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		t.Fatal(err)
	}
}

// await waits until a JavaScript expression is true. Each look ends with an error when the page changes
// under it.
func (b *browser) await(t testing.TB, expression string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, pageTime)
	defer cancel()
	var err error
	for ctx.Err() == nil {
		if _, err = chromedp.Run(ctx, chromedp.Poll[bool](expression)); err == nil {
			return
		}
	}
	t.Fatalf("waiting for %s: %v", expression, err)
}

func (b *browser) text(t testing.TB, selector string) string {
	t.Helper()
	text, err := chromedp.Run(b.ctx, chromedp.Text(chromedp.CSS(selector)))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// picture keeps what the tab shows after a failure, where USHER_TEST_PICTURES says.
func (b *browser) picture(t testing.TB) {
	dir := os.Getenv("USHER_TEST_PICTURES")
	if !t.Failed() || dir == "" {
		return
	}
	if shot, err := chromedp.Run(b.ctx, chromedp.FullScreenshot(90)); err == nil {
		_ = os.WriteFile(filepath.Join(dir, strings.ReplaceAll(t.Name(), "/", "_")+".jpg"), shot, 0o600)
	}
}

// startDev runs cmd/dev and returns the addresses of the pages and of the inbox.
func startDev(t testing.TB) (pages, inbox string) { return startDevWith(t, nil) }

func startDevWith(t testing.TB, environ map[string]string) (pages, inbox string) {
	t.Helper()
	dev := launchDev(t, environ, "-limits=false")
	pages = dev.Await(t, `Sign up +http://localhost(:\d+)/register`)
	return "127.0.0.1" + pages, dev.Await(t, `Inbox +http://(\S+)/inbox`)
}

// launchDev runs cmd/dev on free ports, with a fixed answer to captchas.
func launchDev(t testing.TB, changes map[string]string, more ...string) *testkit.Program {
	t.Helper()
	environ := testkit.PatientTimes()
	environ["USHER_SIGN_UP_FIELDS"] = "username,password,password_repeat,email" // every field that there is
	maps.Copy(environ, changes)
	return testkit.StartCommand(t, environ, "dev", append([]string{
		"-http", "127.0.0.1:0", "-ops", "127.0.0.1:0", "-sandbox", "127.0.0.1:0", "-smtp", "127.0.0.1:0", "-captcha-answer", captchaAnswer,
	}, more...)...)
}

const captchaAnswer = "7qk2"

func css(selector string) chromedp.CSS { return chromedp.CSS(selector) }

// signOutAndIn ends the session on /account, starts one on /login and looks whether number and address
// are marked as verified then.
func (b *browser) signOutAndIn(t *testing.T, base, login, password string) {
	t.Helper()
	b.do(t, chromedp.Navigate(base+"/account"),
		chromedp.Click(css("[data-flow=logout] button")),
		chromedp.WaitVisible(css("#login")),
		chromedp.SendKeys(css("#login"), login),
		chromedp.SendKeys(css("#password"), password),
		chromedp.Click(css("button.main[value=password]")),
		chromedp.WaitVisible(css("dl")))
	good, err := chromedp.Run(b.ctx, chromedp.Nodes(chromedp.CSSAll(".badge.good")))
	if err != nil || len(good) != 2 {
		t.Errorf("/account marks %d of 2 contacts as verified (%v):\n%s", len(good), err, b.text(t, "main"))
	}
}

func TestPages_register_activate_and_sign_in(t *testing.T) {
	t.Parallel()
	b := openBrowser(t)
	pages, inbox := startDev(t)
	p := testclient.New(t, pages, inbox)
	base := "http://localhost" + pages[strings.LastIndexByte(pages, ':'):]
	const mobile, email, username, password = "13700137000", "xiaoming@example.com", "小明_usher", "long enough 密码"

	b.do(t, chromedp.Navigate(base+"/register"),
		chromedp.SendKeys(css("#username"), username),
		chromedp.SendKeys(css("#mobile"), mobile))
	b.await(t, `document.querySelector("[data-captcha] img").naturalWidth > 0`)
	b.do(t, chromedp.SendKeys(css("#captcha"), captchaAnswer),
		chromedp.Click(css("button[value=send_code]")))
	b.do(t, chromedp.SendKeys(css("#sms_code"), p.ReadCode(mobile, 1)),
		chromedp.SendKeys(css("#email"), email),
		chromedp.SendKeys(css("#password"), password),
		chromedp.SendKeys(css("#password_repeat"), password),
		chromedp.Click(css("#agree")),
		chromedp.Click(css("button.main[value=register]")))
	b.do(t, chromedp.WaitVisible(css("dl")))
	if shown := b.text(t, "main"); !strings.Contains(shown, username) || !strings.Contains(shown, "137****7000") ||
		strings.Contains(shown, mobile) {
		t.Errorf("/account after registering shows:\n%s", shown)
	}

	b.do(t, chromedp.Navigate(base+"/activate?token="+p.ReadToken(email, 1)),
		chromedp.Click(css("button.main[value=activate]")))
	b.do(t, chromedp.WaitVisible(css("[data-done]")))
	b.signOutAndIn(t, base, username, password)
}

func TestPages_work_without_JavaScript(t *testing.T) {
	t.Parallel()
	b := openBrowser(t)
	pages, inbox := startDev(t)
	p := testclient.New(t, pages, inbox)
	base := "http://localhost" + pages[strings.LastIndexByte(pages, ':'):]
	const mobile, email, username, password = "13600136000", "xiaohong@example.com", "xiaohong", "long enough 密码"
	noScript := chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, emulation.SetScriptExecutionDisabled,
			emulation.SetScriptExecutionDisabledParams{Value: true})
		return err
	})
	b.do(t, noScript, chromedp.Navigate(base+"/register"),
		chromedp.SendKeys(css("#username"), username),
		chromedp.SendKeys(css("#mobile"), mobile),
		chromedp.SendKeys(css("#captcha"), captchaAnswer),
		chromedp.Click(css("button[value=send_code]")))
	code := p.ReadCode(mobile, 1)
	b.do(t, chromedp.SendKeys(css("#sms_code"), code),
		chromedp.SendKeys(css("#email"), email),
		chromedp.SendKeys(css("#password"), password),
		chromedp.SendKeys(css("#password_repeat"), password),
		chromedp.Click(css("#agree")),
		chromedp.Click(css("button.main[value=register]")),
		chromedp.WaitVisible(css("dl")))
	if shown := b.text(t, "main"); !strings.Contains(shown, username) {
		t.Errorf("/account after registering shows:\n%s", shown)
	}
	b.do(t, chromedp.Navigate(base+"/activate?token="+p.ReadToken(email, 1)),
		chromedp.Click(css("button.main[value=activate]")),
		chromedp.WaitVisible(css("[data-done]")))
	b.signOutAndIn(t, base, email, password)
}
