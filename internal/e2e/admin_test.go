package e2e_test

import (
	"database/sql"
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"usher/internal/testclient"
	"usher/internal/testkit"
)

// TestAdmin_pages_in_a_browser finds an account, blocks it and unblocks it, with the keyboard where that matters, and checks that the
// pages can be read in both languages and themes and on a narrow screen. USHER_SCREENSHOTS names a directory for pictures.
func TestAdmin_pages_in_a_browser(t *testing.T) {
	t.Parallel()
	database := testkit.Postgres(t)
	if database == "" {
		t.Skip("no postgres on this machine")
	}
	pages, inbox := startDevWith(t, map[string]string{
		"USHER_LIMITS": crowded, "USHER_DATABASE_URL": database,
		"USHER_SECRET_KEYS": "k1:" + base64.StdEncoding.EncodeToString(make([]byte, 32)),
	})
	s := site{base: "http://localhost" + pages[strings.LastIndexByte(pages, ':'):], pages: pages, inbox: inbox}
	s.p = testclient.New(t, pages, inbox)
	s.p.CaptchaAnswer = captchaAnswer
	s.account(t, "root_user", "13800138001")
	makeSuperuser(t, database)
	other := s
	other.p = testclient.New(t, pages, inbox)
	other.p.CaptchaAnswer = captchaAnswer
	other.account(t, "han_meimei", "13800138002")

	tab := openBrowser(t).fresh(t)
	tab.do(t, chromedp.Navigate(s.base+"/login?lang=en&next=%2Fadmin&mode=password"), chromedp.WaitVisible(css("#login")),
		chromedp.SendKeys(css("#login"), "root_user"), chromedp.SendKeys(css("#password"), oldPassword+kb.Enter))
	tab.do(t, chromedp.WaitVisible(css(".people")))
	tab.says(t, ".people", "han_meimei")
	tab.checkAdmin(t, s.base+"/admin", "list")

	tab.do(t, chromedp.Navigate(s.base+"/admin?lang=en"), chromedp.SendKeys(css("#login"), "13800138002"+kb.Enter),
		chromedp.WaitVisible(css("#actions-title")))
	tab.says(t, "dl", "138****8002")
	if text := tab.text(t, "main"); strings.Contains(text, "13800138002") {
		t.Errorf("the page shows the number:\n%s", text)
	}
	page := evaluate[string](t, tab, `location.origin + location.pathname`)
	tab.checkAdmin(t, page, "account")

	// The form is closed until its summary is pressed.
	tab.do(t, chromedp.Navigate(page+"?lang=en"), chromedp.Focus(css(".deed summary")), chromedp.KeyEvent(kb.Enter),
		chromedp.WaitVisible(css("#reason-block")), chromedp.SendKeys(css("#reason-block"), "owner of 13800138002"+kb.Enter))
	tab.says(t, "#reason-block-error", "must show no phone number")
	tab.retype(t, "#reason-block", "ticket 4711"+kb.Enter)
	tab.says(t, ".notice", "The account is blocked")
	tab.checkAdmin(t, page, "blocked")
	tab.do(t, chromedp.Navigate(page+"?lang=en"), chromedp.Click(css(".deed summary")), chromedp.SendKeys(css("#reason-unblock"), "ticket 4711"+kb.Enter))
	tab.says(t, ".notice", "can be used again")
	tab.says(t, "#audit", "Account blocked")
	t.Run("axe finds nothing", func(t *testing.T) {
		axe := readAxe(t)
		for _, lang := range []string{"zh", "en"} {
			for _, path := range []string{s.base + "/admin", page, page + "?looks=1"} {
				tab.axe(t, axe, inLanguage(path, lang))
			}
		}
	})
}

// makeSuperuser gives every account the right: there is one.
func makeSuperuser(t *testing.T, database string) {
	t.Helper()
	db, err := sql.Open("postgres", database)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	if _, err := db.ExecContext(t.Context(), "update accounts set superuser = true"); err != nil {
		t.Fatal(err)
	}
}

// checkAdmin looks at a page in both languages and themes, on a narrow and a wide screen.
func (b *browser) checkAdmin(t *testing.T, page, name string) {
	t.Helper()
	for _, lang := range []string{"zh", "en"} {
		for _, width := range []int64{360, 1280} {
			b.do(t, prefer("light"), chromedp.EmulateViewport(width, 900), chromedp.Navigate(inLanguage(page, lang)))
			if found := unnamed(t, b); len(found) > 0 {
				t.Errorf("%s in %s, %d wide: without a name: %v", name, lang, width, found)
			}
			if wide := evaluate[int64](t, b, `document.documentElement.scrollWidth`); wide > width {
				t.Errorf("%s in %s is %d pixels wide on a screen of %d", name, lang, wide, width)
			}
			b.do(t, chromedp.Evaluate[chromedp.Void](`document.querySelectorAll('details').forEach((d) => { d.open = true; })`))
			for _, scheme := range []string{"light", "dark"} {
				b.do(t, prefer(scheme))
				if pale := evaluate[[]string](t, b, paleText); len(pale) > 0 {
					t.Errorf("%s in %s: too little contrast when %s:\n%s", name, lang, scheme, strings.Join(pale, "\n"))
				}
				if dir := os.Getenv("USHER_SCREENSHOTS"); dir != "" {
					file := strings.Join([]string{"admin", name, lang, scheme, map[int64]string{360: "narrow", 1280: "wide"}[width]}, "-")
					writePicture(t, filepath.Join(dir, file+".png"), b.shot(t))
				}
			}
		}
	}
}
