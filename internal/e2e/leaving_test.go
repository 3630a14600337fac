package e2e_test

import (
	"context"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	chrome "github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"usher/internal/testclient"
	"usher/internal/testkit"
)

// leaver has an account, is signed in on the page, and wants to leave.
type leaver struct {
	*browser
	environ  map[string]string
	dev      *testkit.Program
	base     string
	username string
}

// start runs the service. A worker erases the accounts that are due when it starts.
func (l *leaver) start(t *testing.T) (pages, inbox string) {
	t.Helper()
	l.dev = launchDev(t, l.environ, "-limits=false")
	port := l.dev.Await(t, `Sign up +http://localhost(:\d+)/register`)
	l.base = "http://localhost" + port
	return "127.0.0.1" + port, l.dev.Await(t, `Inbox +http://(\S+)/inbox`)
}

// TestAccount_is_exported_and_deleted_in_a_browser downloads the data, asks for the deletion, takes it back by signing in, asks again,
// and comes back too late.
func TestAccount_is_exported_and_deleted_in_a_browser(t *testing.T) {
	t.Parallel()
	database := testkit.Postgres(t)
	if database == "" {
		t.Skip("no postgres on this machine")
	}
	l := &leaver{browser: openBrowser(t), username: "leaving_soon", environ: map[string]string{
		"USHER_LOG_LEVEL": "info", "USHER_DATABASE_URL": database, "USHER_SECRET_KEYS": "k1:" + base64.StdEncoding.EncodeToString(make([]byte, 32)),
	}}
	pages, inbox := l.start(t)
	p, mobile := testclient.New(t, pages, inbox), "13100131000"
	p.CaptchaAnswer = captchaAnswer
	p.AskCode(mobile, "register")
	p.Must(http.StatusCreated, http.MethodPost, "/v1/registrations", map[string]any{
		"username": l.username, "password": oldPassword, "password_repeat": oldPassword, "agree": true, "mobile": mobile, "sms_code": p.ReadCode(mobile, 1),
	})

	l.signIn(t)
	l.see(t, ".sessions")
	l.export(t, mobile)
	l.delete(t)
	p.Must(http.StatusUnauthorized, http.MethodGet, "/v1/sessions/current", nil)
	l.signIn(t)
	l.says(t, "#said", "will not be deleted")
	l.delete(t)

	if err := l.dev.Stop(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	pastDue(t, database)
	l.start(t)
	l.dev.Await(t, `account (erased)`)
	l.signIn(t)
	l.see(t, "[data-alert]:not(:empty)")
	if shown := l.text(t, "main"); !strings.Contains(shown, "password is incorrect") {
		t.Errorf("a sign-in to an account that is gone:\n%s", shown)
	}
}

func (l *leaver) see(t *testing.T, selector string) {
	t.Helper()
	l.do(t, chromedp.WaitVisible(css(selector)))
}

func (l *leaver) signIn(t *testing.T) {
	t.Helper()
	l.do(t, chromedp.Navigate(l.base+"/login?lang=en&mode=password"), chromedp.WaitVisible(css("#login")),
		chromedp.SendKeys(css("#login"), l.username), chromedp.SendKeys(css("#password"), oldPassword+kb.Enter))
}

// export downloads the data of the account, which show the number in full.
func (l *leaver) export(t *testing.T, mobile string) {
	t.Helper()
	dir := t.TempDir()
	l.do(t, chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, chrome.SetDownloadBehavior,
			chrome.SetDownloadBehaviorParams{Behavior: chrome.SetDownloadBehaviorBehaviorAllow, DownloadPath: dir})
		return err
	}), chromedp.Navigate(l.base+"/account?mode=export"), chromedp.WaitVisible(css("#password")),
		chromedp.SendKeys(css("#password"), oldPassword), chromedp.Click(css("button.main[value=export]")))
	var data struct {
		Account struct{ Username, Mobile string }
	}
	testkit.Eventually(t, testkit.Patience, func() bool {
		text, err := os.ReadFile(filepath.Join(dir, "account.json"))
		return err == nil && json.Unmarshal(text, &data) == nil
	}, "the file is downloaded")
	if data.Account.Username != l.username || !strings.HasSuffix(data.Account.Mobile, mobile) {
		t.Errorf("the file is about %q, %q", data.Account.Username, data.Account.Mobile)
	}
}

// delete asks for the deletion and reads until when it can be taken back.
func (l *leaver) delete(t *testing.T) {
	t.Helper()
	l.do(t, chromedp.Navigate(l.base+"/account"), chromedp.Click(css(`a[href^="/account?mode=delete"]`)),
		chromedp.WaitVisible(css("button.main[value=delete]")), chromedp.SendKeys(css("#password"), oldPassword),
		chromedp.Click(css("button.main[value=delete]")), chromedp.WaitVisible(css(`p[role=status]`)))
	shown := l.text(t, "main")
	const form = "2006-01-02 15:04 MST"
	_, text, _ := strings.Cut(shown, "will be deleted on ")
	until, err := time.Parse(form, text[:min(len(form), len(text))])
	if left := time.Until(until); err != nil || left < 7*24*time.Hour-10*time.Minute || left > 7*24*time.Hour {
		t.Errorf("days of grace until %v, %v:\n%s", until, err, shown)
	}
}

// pastDue lets the days of grace pass.
func pastDue(t *testing.T, database string) {
	t.Helper()
	db, err := sql.Open("postgres", database)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	result, err := db.ExecContext(t.Context(), "update accounts set delete_at = delete_at - interval '7 days' where delete_at is not null")
	if err != nil {
		t.Fatal(err)
	}
	if n, err := result.RowsAffected(); n != 1 || err != nil {
		t.Fatalf("%d accounts wait for their deletion, %v", n, err)
	}
}
