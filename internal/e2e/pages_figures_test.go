package e2e_test

import (
	"slices"
	"strconv"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// traffic counts what a tab receives, headers included.
type traffic struct {
	mu    sync.Mutex
	bytes float64
	open  int
}

func count(t testing.TB, b *browser) *traffic {
	t.Helper()
	seen := &traffic{}
	err := chromedp.Listen(b.ctx, func(event any) {
		seen.mu.Lock()
		defer seen.mu.Unlock()
		switch e := event.(type) {
		case *network.EventRequestWillBeSent:
			seen.open++
		case *network.EventLoadingFinished:
			seen.open--
			seen.bytes += e.EncodedDataLength
		case *network.EventLoadingFailed:
			seen.open--
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return seen
}

func (s *traffic) sum() float64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.bytes
}

func TestPages_register_weighs_at_most_60_KiB_on_the_wire(t *testing.T) {
	t.Parallel()
	b := openBrowser(t)
	s := openSite(t, "60s")
	for _, page := range []string{"/register", "/register?mode=email", "/register?lang=en"} {
		tab := b.fresh(t)
		seen := count(t, tab)
		tab.do(t, chromedp.Navigate(s.base+page))
		// The page, its style, script, icon and captcha.
		tab.await(t, `document.readyState === 'complete' && document.querySelector('[data-captcha] img').naturalWidth > 0 &&
			performance.getEntriesByType('resource').filter((r) => /css|js/.test(r.name)).every((r) => r.responseEnd > 0)`)
		weight := seen.sum()
		t.Logf("%s: %.1f KiB on the wire", page, weight/1024)
		if weight > 60<<10 || weight < 10<<10 {
			t.Errorf("%s weighs %.0f bytes, want at most 60 KiB", page, weight)
		}
	}
}

// shifts lists everything that moved without being moved, since the page began to load. It counts also what
// follows a key or a click at once, which browsers forgive.
const shifts = `new Promise((done) => {
	const seen = [];
	const observer = new PerformanceObserver((list) => seen.push(...list.getEntries()));
	observer.observe({ type: 'layout-shift', buffered: true });
	setTimeout(() => {
		seen.push(...observer.takeRecords());
		done(seen.map((e) => e.value.toFixed(4) + ' ' + e.sources.map((s) => (s.node?.outerHTML ?? '?').slice(0, 80)).join(' | ')));
	}, 100);
})`

func TestPages_register_does_not_shift(t *testing.T) {
	t.Parallel()
	b := openBrowser(t)
	s := openSite(t, "60s")
	number := 13911120000
	for _, lang := range []string{"zh", "en"} {
		for _, width := range []int64{360, 1280} {
			t.Run(lang+strconv.FormatInt(width, 10), func(t *testing.T) {
				tab := b.fresh(t)
				number++
				tab.do(t, chromedp.EmulateViewport(width, 800), chromedp.Navigate(s.base+"/register?lang="+lang))
				tab.await(t, `document.querySelector('[data-captcha] img').naturalWidth > 0`)
				tab.do(t, chromedp.Click(css("button.main[value=register]"))) // shows every error
				tab.await(t, `document.querySelectorAll('[aria-invalid=true]').length > 3`)
				tab.do(t, chromedp.SendKeys(css("#username"), "who_is_it"+kb.Tab),
					chromedp.SendKeys(css("#password"), newPassword), chromedp.Click(css("[value=captcha]")))
				tab.await(t, `!document.getElementById('username-hint').hidden && document.activeElement.id === 'captcha'`)
				tab.do(t, chromedp.SendKeys(css("#mobile"), strconv.Itoa(number)),
					chromedp.SendKeys(css("#captcha"), "wrong"+kb.Enter))
				tab.await(t, `document.getElementById('captcha-error').textContent !== '' && document.getElementById('captcha').value === ''`)
				tab.do(t, chromedp.SendKeys(css("#captcha"), captchaAnswer+kb.Enter))
				tab.await(t, `document.activeElement.id === 'sms_code' && /送达|Delivered/.test(document.getElementById('code-status').textContent)`)
				moved, err := chromedp.Run(tab.ctx, chromedp.Evaluate[[]string](shifts, chromedp.EvalAwaitPromise))
				if err != nil {
					t.Fatal(err)
				}
				for _, what := range moved {
					t.Errorf("moved: %s", what)
				}
			})
		}
	}
}

// BenchmarkFirstPaint opens /register in a browser that has cached nothing, and reports when the first
// content was painted, in the middle and at the 95th percentile.
func BenchmarkFirstPaint(b *testing.B) {
	browser := openBrowser(b)
	s := openSite(b, "60s")
	var paints []float64
	for b.Loop() {
		paints = append(paints, firstPaint(b, browser, s.base+"/register"))
	}
	slices.Sort(paints)
	b.ReportMetric(paints[len(paints)/2], "ms-p50/paint")
	b.ReportMetric(paints[len(paints)*95/100], "ms-p95/paint")
}

// firstPaint opens a page in a tab of its own and returns the milliseconds to its first content.
func firstPaint(b *testing.B, browser *browser, url string) float64 {
	b.Helper()
	tab, closeTab := browser.tab(b)
	defer closeTab()
	tab.do(b, chromedp.Navigate(url))
	tab.await(b, `performance.getEntriesByName('first-contentful-paint').length > 0`)
	return evaluate[float64](b, tab, `performance.getEntriesByName('first-contentful-paint')[0].startTime`)
}
