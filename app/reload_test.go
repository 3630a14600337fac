package app_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"usher/app"
	"usher/config"
	"usher/internal/testkit"
	"usher/providers/catalog"
)

// startReloadable starts a worker whose senders are made anew when something is sent to the returned channel.
func (d *deployment) startReloadable(t *testing.T) chan<- os.Signal {
	t.Helper()
	logger, log := testkit.Logger(t)
	settings, err := app.LoadWorker(d.environ)
	if err != nil {
		t.Fatal(err)
	}
	names := settings.Config.SMSProviders
	settings.Reload = func() (made app.Senders, err error) {
		sms, smsErr := catalog.SMS(names, d.environ)
		email, emailErr := catalog.Email(d.environ)
		return app.Senders{SMS: sms, Email: email}, config.Join(smsErr, emailErr)
	}
	made, err := settings.Reload()
	if err != nil {
		t.Fatal(err)
	}
	hangups := make(chan os.Signal)
	settings.SMS, settings.Email, settings.Hangups = made.SMS, made.Email, hangups
	if d.worker, err = app.OpenWorker(t.Context(), settings, logger); err != nil {
		t.Fatal(err)
	}
	d.log = log
	background(t, d.worker.Run)
	return hangups
}

func (d *deployment) secretFile(t *testing.T, variable, content string) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), variable)
	rewrite(t, path, content)
	delete(d.environ, variable)
	d.environ[variable+"_FILE"] = path
	return path
}

func rewrite(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestReload_takes_corrected_secrets_and_loses_no_task(t *testing.T) {
	t.Parallel()
	fakes := startSandbox(t)
	d := &deployment{sandbox: fakes, environ: environment(t, fakes, testkit.Redis(t), testkit.SQLite(t))}
	d.environ["USHER_LIMITS"] = "sms_ip_hour=off,sms_prefix=off,status_ip=off"
	d.environ["USHER_SMS_PROVIDERS"] = "aliyun"
	aliyun, mailbox := d.environ["USHER_ALIYUN_ACCESS_KEY_SECRET"], d.environ["USHER_SMTP_PASSWORD"]
	aliyunFile := d.secretFile(t, "USHER_ALIYUN_ACCESS_KEY_SECRET", "wrong-secret")
	smtpFile := d.secretFile(t, "USHER_SMTP_PASSWORD", "wrong-password")
	d.migrate(t)
	logger, _ := testkit.Logger(t)
	d.startAPI(t, logger)
	hangups := d.startReloadable(t)

	p := d.person(t)
	const codes = 5
	ids := map[string]string{}
	for i := range codes {
		mobile := fmt.Sprintf("138001380%02d", i)
		ids[mobile] = p.AskCode(mobile, "register")
	}
	testkit.Eventually(t, testkit.Patience, func() bool {
		return strings.Contains(metricsOf(t, d.worker.OpsAddr()), `usher_provider_breaker{provider="aliyun",state="open"} 1`)
	}, "the breaker opens")

	rewrite(t, aliyunFile, " ") // a mistake
	hangups <- syscall.SIGHUP
	testkit.Eventually(t, testkit.Patience, func() bool {
		return strings.Contains(d.log.String(), `"variable":"USHER_ALIYUN_ACCESS_KEY_SECRET"`)
	}, "the mistake is logged by its variable")
	if n := len(fakes.Messages("")); n != 0 {
		t.Errorf("%d messages went out with wrong secrets", n)
	}

	rewrite(t, aliyunFile, aliyun)
	rewrite(t, smtpFile, mailbox)
	hangups <- syscall.SIGHUP
	for mobile, id := range ids {
		wantStatus(t, p, id, "sent")
		if n := len(fakes.Messages(mobile)); n != 1 {
			t.Errorf("a number got %d messages, want 1", n)
		}
	}
	if metrics := metricsOf(t, d.worker.OpsAddr()); !strings.Contains(metrics, `usher_provider_breaker{provider="aliyun",state="closed"} 1`) {
		t.Error("the breaker is not closed")
	}
	if shown := testkit.FindSecrets(d.log.Bytes(), aliyun, mailbox, "wrong-secret", "wrong-password"); len(shown) > 0 {
		t.Errorf("the log shows %q", shown)
	}
}

func TestReload_lets_mails_under_way_end_on_the_former_sender(t *testing.T) {
	t.Parallel()
	fakes := startSandbox(t)
	d := &deployment{sandbox: fakes, environ: environment(t, fakes, testkit.Redis(t), testkit.SQLite(t))}
	smtpFile := d.secretFile(t, "USHER_SMTP_PASSWORD", d.environ["USHER_SMTP_PASSWORD"])
	d.migrate(t)
	logger, _ := testkit.Logger(t)
	d.startAPI(t, logger)
	hangups := d.startReloadable(t)
	p, journey := d.person(t), lilei()
	for range 3 {
		hangups <- syscall.SIGHUP // while the journey's messages are on their way
	}
	p.Walk(journey)
	rewrite(t, smtpFile, "wrong-password")
	hangups <- syscall.SIGHUP
	hangups <- syscall.SIGHUP // is taken once the first is done
	testkit.Eventually(t, testkit.Patience, func() bool {
		return strings.Count(d.log.String(), "senders reloaded") >= 4
	}, "every signal is obeyed")
}

//nolint:paralleltest // it signals this process
func TestHangups_do_not_end_the_process(t *testing.T) {
	hangups, stop := app.Hangups()
	defer stop()
	if err := syscall.Kill(os.Getpid(), syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	select {
	case <-hangups:
	case <-time.After(testkit.Patience):
		t.Error("the signal did not arrive")
	}
}
