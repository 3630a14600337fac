package e2e_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// everyPage are the pages that a stranger can open, in their states.
var everyPage = []string{
	"/register", "/register?mode=email", "/login", "/login?mode=code", "/forgot", "/activate", "/activate?token=t",
	"/check-mail", "/check-mail?mode=correct", "/code?token=t",
	"/account", "/nowhere",
}

// inLanguage is a page's address in one of the languages.
func inLanguage(page, lang string) string {
	if strings.Contains(page, "?") {
		return page + "&lang=" + lang
	}
	return page + "?lang=" + lang
}

// prefer makes the browser want light or dark pages.
func prefer(scheme string) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
		})
		return err
	})
}

// unnamed returns what a screen reader would call by its role alone.
func unnamed(t testing.TB, b *browser) []string {
	t.Helper()
	var nodes []*accessibility.Node
	b.do(t, chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		tree, err := cdp.Call(ctx, target, accessibility.GetFullAXTree, accessibility.GetFullAXTreeParams{})
		nodes = tree.Nodes
		return err
	}))
	controls := []string{"textbox", "button", "link", "checkbox", "image", "navigation", "heading", "RootWebArea"}
	var found []string
	for _, node := range nodes {
		role := textOf(node.Role)
		if !node.Ignored && slices.Contains(controls, role) && textOf(node.Name) == "" {
			found = append(found, role)
		}
	}
	if len(nodes) < 10 {
		t.Fatalf("the accessibility tree has %d nodes", len(nodes))
	}
	return found
}

func textOf(v *accessibility.Value) string {
	if v == nil {
		return ""
	}
	return strings.Trim(string(v.Value), `"`)
}

// paleText lists texts and outlines of fields with less contrast than WCAG 2 asks for at level AA.
const paleText = `(() => {
	const rgba = (css) => css.match(/[\d.]+/g).map(Number);
	const luminance = ([r, g, b]) => [r, g, b].map((v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
		.reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
	const contrast = (a, b) => { const [x, y] = [luminance(a), luminance(b)].sort((p, q) => q - p); return (x + 0.05) / (y + 0.05); };
	const behind = (element) => {
		for (let e = element; e; e = e.parentElement) {
			const color = rgba(getComputedStyle(e).backgroundColor);
			if ((color[3] ?? 1) > 0) return color;
		}
		return [255, 255, 255];
	};
	const pale = [];
	for (const element of document.body.querySelectorAll('*')) {
		const style = getComputedStyle(element);
		if (element.closest('template, svg') || element.matches(':disabled') || !element.checkVisibility({ visibilityProperty: true })) continue;
		const own = [...element.childNodes].some((n) => n.nodeType === Node.TEXT_NODE && n.textContent.trim());
		const size = parseFloat(style.fontSize);
		const want = size >= 24 || size >= 18.66 && style.fontWeight >= 700 ? 3 : 4.5;
		if (own && contrast(rgba(style.color), behind(element)) < want) pale.push(element.outerHTML.slice(0, 80));
		if (element.matches('input:not([type=checkbox], [type=hidden])') &&
			contrast(rgba(style.borderTopColor), behind(element.parentElement)) < 3) pale.push('outline of ' + element.id);
	}
	return pale;
})()`

func TestPages_can_be_read_and_named(t *testing.T) {
	t.Parallel()
	b := openBrowser(t)
	s := openSite(t, "60s")
	for _, lang := range []string{"zh", "en"} {
		for _, page := range everyPage {
			t.Run(lang+page, func(t *testing.T) {
				tab := b.fresh(t)
				tab.do(t, prefer("light"), chromedp.EmulateViewport(360, 740), chromedp.Navigate(s.base+inLanguage(page, lang)))
				if found := unnamed(t, tab); len(found) > 0 {
					t.Errorf("without a name: %v", found)
				}
				if wide := evaluate[int](t, tab, `document.documentElement.scrollWidth`); wide > 360 {
					t.Errorf("the page is %d pixels wide on a screen of 360", wide)
				}
				// A form that is refused shows all its colours.
				tab.do(t, chromedp.Evaluate[chromedp.Void](`document.querySelector('form [data-submit]')?.click()`))
				for _, scheme := range []string{"light", "dark"} {
					tab.do(t, prefer(scheme))
					if pale := evaluate[[]string](t, tab, paleText); len(pale) > 0 {
						t.Errorf("too little contrast when %s:\n%s", scheme, strings.Join(pale, "\n"))
					}
				}
			})
		}
	}
}

// focused describes where the focus is and whether that can be seen.
const focused = `(() => {
	const element = document.activeElement, style = getComputedStyle(element);
	const box = element.getBoundingClientRect();
	return {
		Tag: element.tagName, Top: box.top + scrollY, Name: element.id || element.value || element.className || element.textContent,
		Seen: style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2 && box.width > 1 && box.bottom > 0,
	};
})()`

type focus struct {
	Tag  string
	Top  float64
	Name string
	Seen bool
}

func TestPages_show_the_focus_on_its_way_down(t *testing.T) {
	t.Parallel()
	b := openBrowser(t)
	s := openSite(t, "60s")
	for _, page := range everyPage {
		t.Run(page, func(t *testing.T) {
			tab := b.fresh(t)
			tab.do(t, chromedp.Navigate(s.base+page))
			var way []string
			last := -1000.0
			for range 40 {
				tab.do(t, chromedp.KeyEvent(kb.Tab))
				now := evaluate[focus](t, tab, focused)
				if now.Tag == "BODY" {
					break
				}
				way = append(way, fmt.Sprintf("%s %s", now.Tag, now.Name))
				if !now.Seen {
					t.Errorf("the focus cannot be seen on %s %s", now.Tag, now.Name)
				}
				// What stands on the line above, such as a link beside a label, may follow.
				if now.Top < last-80 {
					t.Errorf("the focus jumps up: %v", way)
				}
				last = now.Top
			}
			if len(way) < 3 || len(way) == 40 {
				t.Errorf("the focus goes to %v", way)
			}
		})
	}
}

func TestPages_announce_what_changes(t *testing.T) {
	t.Parallel()
	b := openBrowser(t)
	s := openSite(t, "60s")
	tab, s := s.visit(t, b)
	tab.do(t, chromedp.Navigate(s.base+"/register"))
	// Remember every text that appears inside a live region.
	tab.do(t, chromedp.Evaluate[chromedp.Void](`
		window.said = [];
		new MutationObserver((changes) => {
			for (const { target } of changes) {
				const e = target.nodeType === Node.ELEMENT_NODE ? target : target.parentElement;
				if (e?.closest('[aria-live], [role=status], [role=alert]')) said.push(e.textContent);
			}
		}).observe(document.body, { subtree: true, childList: true, characterData: true });`))
	tab.do(t, chromedp.SendKeys(css("#username"), "who_is_it"+kb.Tab))
	tab.says(t, "#username-hint", "可以使用")
	tab.do(t, chromedp.SendKeys(css("#mobile"), "123"+kb.Tab))
	tab.says(t, "#mobile-error", "11 位")
	tab.do(t, chromedp.SendKeys(css("#mobile"), kb.Backspace+kb.Backspace+kb.Backspace))
	tab.askCode(t, "13911110020")
	tab.says(t, "#code-status", "短信已")
	said := strings.Join(evaluate[[]string](t, tab, `said`), "\n")
	for _, want := range []string{"可以使用", "11 位", "短信"} {
		if !strings.Contains(said, want) {
			t.Errorf("%q was not announced; announced was:\n%s", want, said)
		}
	}
	if strings.Contains(said, "秒后重发") {
		t.Error("the countdown is announced each second")
	}
}
