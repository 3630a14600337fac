package e2e_test

import (
	"fmt"
	"html"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"usher/internal/testclient"
)

// openShop serves the page of an application that people are sent back to, and returns its origin.
func openShop(t *testing.T) (origin string) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = fmt.Fprintf(w, "<!doctype html><h1 id=shop>Shop</h1><p>%s</p>", html.EscapeString(r.URL.String()))
	}))
	t.Cleanup(server.Close)
	return strings.Replace(server.URL, "127.0.0.1", "localhost", 1)
}

// A browser applies the page's policy to the redirect after a form, so only a real one shows that the way back is open.
func TestPages_send_people_back_to_where_they_came_from(t *testing.T) {
	t.Parallel()
	b := openBrowser(t)
	shop := openShop(t)
	pages, inbox := startDevWith(t, map[string]string{"USHER_RETURN_TO": shop + "/cart"})
	p := testclient.New(t, pages, inbox)
	base := "http://localhost" + pages[strings.LastIndexByte(pages, ':'):]
	next := url.Values{"next": {shop + "/cart?id=7"}}.Encode()
	const password = "long enough 密码"

	for _, way := range []struct {
		mobile, username string
		steps            []chromedp.Action[chromedp.Void]
	}{
		{"13700137001", "with_script", nil},
		{"13700137002", "without_script", []chromedp.Action[chromedp.Void]{withoutScripts()}},
	} {
		tab := b.fresh(t)
		tab.do(t, append(way.steps, chromedp.Navigate(base+"/login?"+next), chromedp.Click(css(`p.aside a[href^="/register"]`)),
			chromedp.WaitVisible(css("#username")),
			chromedp.SendKeys(css("#username"), way.username), chromedp.SendKeys(css("#mobile"), way.mobile))...)
		if way.steps == nil {
			tab.await(t, `document.querySelector("[data-captcha] img").naturalWidth > 0`)
		}
		tab.do(t, chromedp.SendKeys(css("#captcha"), captchaAnswer), chromedp.Click(css("button[value=send_code]")))
		tab.do(t, chromedp.SendKeys(css("#sms_code"), p.ReadCode(way.mobile, 1)),
			chromedp.SendKeys(css("#password"), password), chromedp.SendKeys(css("#password_repeat"), password),
			chromedp.Click(css("#agree")), chromedp.Click(css("button.main[value=register]")))
		tab.comesBack(t)

		tab.do(t, chromedp.Navigate(base+"/login?"+next)) // signed in already
		tab.comesBack(t)

		tab.do(t, chromedp.Navigate(base+"/account"), chromedp.Click(css("[data-flow=logout] button")), chromedp.WaitVisible(css("#login")),
			chromedp.Navigate(base+"/login?"+next), chromedp.WaitVisible(css("#login")),
			chromedp.SendKeys(css("#login"), way.username), chromedp.SendKeys(css("#password"), password),
			chromedp.Click(css("button.main[value=password]")))
		tab.comesBack(t)

		tab.do(t, chromedp.Navigate(base+"/login?next="+url.QueryEscape(shop+"/elsewhere")), chromedp.WaitVisible(css("#login")),
			chromedp.SendKeys(css("#login"), way.username), chromedp.SendKeys(css("#password"), password),
			chromedp.Click(css("button.main[value=password]")),
			chromedp.WaitVisible(css("dl"))) // the own page
	}
}

// comesBack waits for the page of the shop.
func (b *browser) comesBack(t *testing.T) {
	t.Helper()
	b.do(t, chromedp.WaitVisible(css("#shop")))
	if shown := b.text(t, "body"); !strings.Contains(shown, "Shop") || !strings.Contains(shown, "/cart?id=7") {
		t.Errorf("the person is sent to:\n%s", shown)
	}
}
