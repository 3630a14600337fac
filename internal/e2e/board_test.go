package e2e_test

import (
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"usher/internal/testclient"
	"usher/internal/testkit"
)

// asked keeps every address that a tab asks for, and what its console says.
type asked struct {
	mu              sync.Mutex
	addresses, said []string
}

func listen(t *testing.T, b *browser) *asked {
	t.Helper()
	a := &asked{}
	err := chromedp.Listen(b.ctx, func(event any) {
		a.mu.Lock()
		defer a.mu.Unlock()
		switch e := event.(type) {
		case *network.EventRequestWillBeSent:
			a.addresses = append(a.addresses, e.Request.URL)
		case *log.EventEntryAdded:
			a.said = append(a.said, e.Entry.Text)
		case *runtime.EventConsoleAPICalled:
			a.said = append(a.said, string(e.Type))
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// chartDrawn is the height of all bars together, in pixels.
const chartDrawn = `[...document.querySelectorAll('.plot rect:not(.hit)')].reduce((sum, r) => sum + r.getBoundingClientRect().height, 0)`

func TestBoard_shows_real_traffic(t *testing.T) {
	t.Parallel()
	b := openBrowser(t)
	dev := launchDev(t, map[string]string{"USHER_LIMITS": crowded}, "-limits=false")
	pages := "127.0.0.1" + dev.Await(t, `Sign up +http://localhost(:\d+)/register`)
	inbox, ops := dev.Await(t, `Inbox +http://(\S+)/inbox`), "http://"+dev.Await(t, `Queues +http://(\S+)/queues`)
	p := testclient.New(t, pages, inbox)
	p.CaptchaAnswer = captchaAnswer
	for _, mobile := range []string{"13912345601", "13812345602", "13812990001", "18612990005"} {
		p.AskCode(mobile, "register")
	}
	p.Must(http.StatusCreated, http.MethodPost, "/v1/registrations", map[string]any{
		"username": "board_reader", "mobile": "13912345601", "sms_code": p.ReadCode("13912345601", 1),
		"password": oldPassword, "password_repeat": oldPassword, "agree": true, "email": "reader@example.com",
	})

	tab := b.fresh(t)
	seen := listen(t, tab)
	tab.do(t, chromedp.EmulateViewport(360, 740), chromedp.Navigate(ops+"/?lang=en"), chromedp.Navigate(ops+"/ops?range=15m&lang=en"))
	whole := `document.querySelector('.value')?.textContent === '4' &&
		document.body.textContent.includes('isv.BLACK_KEY_CONTROL_LIMIT') && document.querySelector('.plot rect.used') !== null`
	testkit.Eventually(t, pageTime, func() bool { // the page loads itself again every ten seconds
		found, err := chromedp.Run(tab.ctx, chromedp.Evaluate[bool](whole))
		return err == nil && found
	}, "the page shows everything")
	tab.do(t, chromedp.Navigate(ops+"/ops?range=15m&lang=en&pause=1"))
	if drawn := evaluate[float64](t, tab, chartDrawn); drawn < 10 {
		t.Errorf("bars of %.0f pixels", drawn)
	}
	if wide := evaluate[int](t, tab, `document.documentElement.scrollWidth`); wide > 360 {
		t.Errorf("the page is %d pixels wide on a screen of 360", wide)
	}
	axe, other := readAxe(t), b.fresh(t)
	for _, path := range []string{"/ops?range=15m&lang=zh&pause=1", "/ops?range=15m&pause=1&lang=en", "/ops/runbooks?lang=en", "/ops/docs/runbooks/AllProvidersDown?lang=zh"} {
		other.axe(t, axe, ops+path)
	}
	seen.mu.Lock()
	defer seen.mu.Unlock()
	if slices.ContainsFunc(seen.addresses, func(a string) bool { return !strings.HasPrefix(a, ops+"/") }) || len(seen.addresses) < 3 {
		t.Errorf("the page asked for %q", seen.addresses)
	}
	if len(seen.said) > 0 {
		t.Errorf("the console says %q", seen.said)
	}
}
