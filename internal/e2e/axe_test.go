package e2e_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"usher/internal/testkit"
	"usher/web"
)

// axeRows are the pages that axe looks at: those of strangers, and after a sign-in those of the account.
var axeRows = append(slices.Clone(everyPage), "/undo", "/undo?token=t", "/decline", "/decline?token=t")

// axeRowsInside are the pages of a person who is signed in.
var axeRowsInside = []string{"/account", "/account?mode=username", "/account?mode=password", "/account?mode=email", "/account?mode=mobile"}

// axeFindings lists what axe finds, with the rules in the place of RULES.
const axeFindings = `axe.run(document, { resultTypes: ['violations'], RULES }).then((r) => r.violations.map((v) =>
	v.id + ': ' + v.nodes.map((n) => n.html.slice(0, 100) + ' ' + n.any.concat(n.all, n.none).map((c) => c.message).join('; ')).join(' | ')))`

const (
	axeAll      = `runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']`
	axeContrast = `runOnly: { type: 'rule', values: ['color-contrast'] }`
)

func TestPages_axe_finds_nothing(t *testing.T) {
	t.Parallel()
	for _, name := range web.PageNames() {
		if strings.HasPrefix(name, "admin") {
			continue // only a superuser sees these pages
		}
		path := "/" + strings.Replace(name, "error", "nowhere", 1)
		if !slices.ContainsFunc(axeRows, func(row string) bool { return row == path || strings.HasPrefix(row, path+"?") }) {
			t.Errorf("no row of axeRows shows the page %s", name)
		}
	}
	axe := readAxe(t)
	b := openBrowser(t)
	s := openSite(t, "60s")
	for lang, mobile := range map[string]string{"zh": "13911150001", "en": "13911150002"} {
		tab, s := s.visit(t, b)
		s.account(t, "axe_"+lang, mobile)
		for _, row := range axeRows {
			tab.axe(t, axe, s.base+inLanguage(row, lang))
		}
		tab.do(t, chromedp.Navigate(s.base+"/login?mode=password"), chromedp.SendKeys(css("#login"), "axe_"+lang),
			chromedp.SendKeys(css("#password"), oldPassword+kb.Enter))
		tab.await(t, `location.pathname === '/account'`)
		for _, row := range axeRowsInside {
			tab.axe(t, axe, s.base+inLanguage(row, lang))
		}
	}
}

// readAxe installs axe and returns its script.
func readAxe(t *testing.T) string {
	t.Helper()
	axe, err := os.ReadFile(filepath.Join(testkit.NPM(t, "axe-core@4.14.1"), "node_modules", "axe-core", "axe.min.js"))
	if err != nil {
		t.Fatal(err)
	}
	return string(axe)
}

// axe looks at a page with all of it open, and with the errors of a form that was sent empty. Of the dark theme only colours differ, which
// are those of all languages.
func (b *browser) axe(t *testing.T, axe, url string) {
	t.Helper()
	b.do(t, prefer("light"), chromedp.Navigate(url))
	b.do(t, chromedp.Evaluate[chromedp.Void](`document.querySelectorAll('details').forEach((d) => { d.open = true; })`))
	if !strings.Contains(url, "/account") { // whose first button there ends sessions
		b.do(t, chromedp.Evaluate[chromedp.Void](`document.querySelector('form [data-submit]')?.click()`))
	}
	b.do(t, chromedp.Evaluate[chromedp.Void](axe))
	for _, theme := range []struct{ name, rules string }{{"light", axeAll}, {"dark", axeContrast}} {
		if theme.name == "dark" && strings.Contains(url, "lang=en") {
			continue
		}
		b.do(t, prefer(theme.name))
		found, err := chromedp.Run(b.ctx, chromedp.Evaluate[[]string](strings.Replace(axeFindings, "RULES", theme.rules, 1), chromedp.EvalAwaitPromise))
		if err != nil {
			t.Fatalf("%s: %v", url, err)
		}
		if len(found) > 0 {
			t.Errorf("%s when %s:\n%s", url, theme.name, strings.Join(found, "\n"))
		}
	}
}
