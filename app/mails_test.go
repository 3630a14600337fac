package app_test

import (
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"usher/app"
	"usher/config"
	"usher/internal/testkit"
)

func TestLoadWorker_names_each_template_that_is_of_no_use(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, text := range map[string]string{"activation.zh.txt": "{{", "email_changed.en.html": "{{.Nothing}}"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	environ := map[string]string{
		"USHER_SECRET_KEYS":    "k1:" + strings.Repeat("A", 43) + "=",
		"USHER_MAIL_TEMPLATES": dir,
	}
	_, err := app.LoadWorker(environ)
	mistakes, ok := errors.AsType[config.Mistakes](err)
	if !ok || len(mistakes) != 2 {
		t.Fatalf("got %v, want 2 mistakes", err)
	}
	for i, name := range []string{"activation.zh.txt", "email_changed.en.html"} {
		if mistakes[i].Variable != "USHER_MAIL_TEMPLATES" || !strings.Contains(mistakes[i].Text, name) {
			t.Errorf("mistake %d is %v, want one of %s", i, mistakes[i], name)
		}
	}

	environ["USHER_MAIL_TEMPLATES"] = filepath.Join(dir, "none")
	if _, err := app.LoadWorker(environ); err == nil || !strings.Contains(err.Error(), "USHER_MAIL_TEMPLATES: want a directory") {
		t.Errorf("without the directory: %v", err)
	}
	// The same mistake, found by two, is told once.
	environ["USHER_MAIL_TEMPLATES"], environ["USHER_PUBLIC_URL"] = "", "ftp://example.com"
	if _, err := app.LoadWorker(environ); err == nil || strings.Count(err.Error(), "USHER_PUBLIC_URL") != 1 {
		t.Errorf("with a wrong address: %v", err)
	}
}

func TestPasswordReset_tells_the_owner_by_mail(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "password_changed.zh.subject"), []byte("注意：{{.Username}}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	d := deploy(t, testkit.Miniredis(t), testkit.SQLite(t), map[string]string{"USHER_MAIL_TEMPLATES": dir})
	p, journey := d.person(t), lilei()
	p.Walk(journey)
	for again := time.NewTicker(400 * time.Millisecond); ; <-again.C { // the resend interval may still run
		answer := p.Do(http.MethodPost, "/v1/sms-codes",
			p.Captcha(map[string]any{"mobile": journey.Mobile, "purpose": "reset_password"}))
		if answer.Status == http.StatusAccepted {
			break
		}
		if answer.Status != http.StatusTooManyRequests {
			t.Fatalf("asking for a code = %d %s", answer.Status, answer.Body)
		}
	}
	p.Must(http.StatusOK, http.MethodPost, "/v1/password-resets", map[string]any{
		"mobile": journey.Mobile, "sms_code": p.ReadCode(journey.Mobile, 3),
		"password": "another good one", "password_repeat": "another good one",
	})
	testkit.Eventually(t, testkit.Patience, func() bool { return len(d.sandbox.Messages(journey.Email)) == 2 }, "two mails")
	notice := d.sandbox.Messages(journey.Email)[1]
	if notice.Subject != "注意：li_lei" || !strings.Contains(notice.Text, "密码已修改") ||
		len(notice.Links) != 1 || !strings.Contains(notice.Links[0], "/undo?token=") {
		t.Errorf("notice = %q, links %v:\n%s", notice.Subject, notice.Links, notice.Text)
	}
}
