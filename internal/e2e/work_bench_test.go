package e2e_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// BenchmarkWork solves proofs of work on /register, from the first focus on a field until the page says that the check is
// done, in the middle and at the 95th percentile. At rate 6 Chromium makes the page's thread six times slower. It derives
// keys on other threads, which stay as fast as they are.
func BenchmarkWork(b *testing.B) {
	for _, rate := range []float64{1, 6} {
		b.Run(fmt.Sprintf("rate=%v", rate), func(b *testing.B) {
			browser := openBrowser(b)
			pages, _ := startDevWith(b, map[string]string{"USHER_LIMITS": crowded, "USHER_CAPTCHA_KIND": "pow"})
			url := "http://localhost" + pages[strings.LastIndexByte(pages, ':'):] + "/register"
			var took []float64
			for b.Loop() {
				took = append(took, solveOnce(b, browser, url, rate))
			}
			slices.Sort(took)
			b.ReportMetric(took[len(took)/2], "ms-p50/solve")
			b.ReportMetric(took[len(took)*95/100], "ms-p95/solve")
		})
	}
}

// solveOnce opens the page in a tab of its own and returns the milliseconds that the work took there.
func solveOnce(b *testing.B, browser *browser, url string, rate float64) float64 {
	b.Helper()
	tab, closeTab := browser.tab(b)
	defer closeTab()
	tab.do(b, chromedp.Navigate(url), chromedp.WaitVisible(css("[data-work]")))
	throttle := chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, emulation.SetCPUThrottlingRate, emulation.SetCPUThrottlingRateParams{Rate: rate})
		return err
	})
	tab.do(b, throttle, chromedp.Evaluate[chromedp.Void](`{
		const started = performance.now();
		const look = () => {
			if (document.querySelector('[data-work] progress').value >= 1) window.took = performance.now() - started;
			else setTimeout(look, 5);
		};
		document.getElementById('mobile').focus();
		look();
	}`))
	tab.await(b, `window.took > 0`)
	return evaluate[float64](b, tab, `window.took`)
}
