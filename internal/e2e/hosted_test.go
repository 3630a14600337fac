package e2e_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"usher/internal/testclient"
	"usher/internal/testkit"
)

// openHosted opens the page with the vendor's captcha in its frame, and fills in a number: that loads the frame. The frame is
// below the visible part of the window then, where browsers do not draw it, and must tell its height all the same.
func openHosted(t *testing.T, mobile string) (*browser, *testclient.Client, string) {
	t.Helper()
	b := openBrowser(t)
	pages, inbox := startDevWith(t, map[string]string{"USHER_CAPTCHA_HOSTED": "geetest"})
	b.do(t, chromedp.EmulateViewport(800, 80), chromedp.Navigate("http://localhost"+pages[strings.LastIndexByte(pages, ':'):]+"/register?lang=zh"),
		chromedp.SendKeys(css("#mobile"), mobile))
	b.await(t, `(document.querySelector('[data-hosted] iframe')?.style.height ?? '') !== ''`) // the vendor's button is there
	return b, testclient.New(t, pages, inbox), inbox
}

// solve clicks into the middle of the frame, as a person does: the page itself cannot reach the button.
func (b *browser) solve(t *testing.T) {
	t.Helper()
	b.do(t, chromedp.ScrollIntoView(css("[data-hosted] iframe")))
	const middle = `(() => { const r = document.querySelector('[data-hosted] iframe').getBoundingClientRect(); return [r.x + r.width / 2, r.y + r.height / 2]; })()`
	testkit.Eventually(t, pageTime, func() bool { // the frame may move while the page is laid out, and a click miss it
		at := evaluate[[]float64](t, b, middle)
		b.do(t, chromedp.MouseClickXY(at[0], at[1]))
		return evaluate[bool](t, b, `document.getElementById('captcha-error').textContent === ''`)
	}, "the vendor's challenge is solved")
}

// The vendor's script runs in a frame that cannot reach the page, and its token has a code sent.
func TestPages_show_the_vendors_captcha_in_a_frame_of_its_own(t *testing.T) {
	t.Parallel()
	const mobile = "13700137010"
	b, p, _ := openHosted(t, mobile)
	if got := evaluate[bool](t, b, `document.querySelector('[data-hosted] iframe').contentDocument === null && !('initGeetest4' in window)`); !got {
		t.Error("the vendor's script has the page's origin")
	}
	b.do(t, chromedp.Click(css(sendCode)))
	b.says(t, "#captcha-error", "请先完成上面的验证")
	b.solve(t)
	b.do(t, chromedp.Click(css(sendCode)))
	p.ReadCode(mobile, 1)
}

func TestPages_show_our_captcha_while_the_vendor_is_away(t *testing.T) {
	t.Parallel()
	const mobile = "13700137011"
	b, p, inbox := openHosted(t, mobile)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPut, "http://"+inbox+"/api/faults", strings.NewReader(`{"geetest":{"status":502}}`))
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultTransport.RoundTrip(request)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("fault: %v", err)
	}
	_ = response.Body.Close()
	b.do(t, chromedp.Click(css(sendCode)))
	b.says(t, "#captcha-error", "请先完成上面的验证")
	b.solve(t)
	b.do(t, chromedp.Click(css(sendCode)))
	b.await(t, `document.querySelector('[data-hosted]').hidden && document.querySelector('[data-captcha] img').naturalWidth > 0`)
	b.do(t, chromedp.SendKeys(css("#captcha"), captchaAnswer), chromedp.Click(css(sendCode)))
	p.ReadCode(mobile, 1)
}

// Our picture is one click away from the vendor's captcha.
func TestPages_offer_a_picture_beside_the_vendors_captcha(t *testing.T) {
	t.Parallel()
	const mobile = "13700137012"
	b, p, _ := openHosted(t, mobile)
	b.do(t, chromedp.Click(css("button[value=captcha]")))
	b.await(t, `document.querySelector('[data-hosted]').hidden && document.querySelector('[data-captcha] img').naturalWidth > 0`)
	b.do(t, chromedp.SendKeys(css("#captcha"), captchaAnswer), chromedp.Click(css(sendCode)))
	p.ReadCode(mobile, 1)
}
