package httpsender_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"usher/contact"
	"usher/internal/testkit"
	"usher/messages"
	"usher/providers"
	"usher/providers/providertest"
	"usher/reports"
	"usher/webhooks"
)

// TestReceivers_of_the_documents runs the example receivers against the sender.
func TestReceivers_of_the_documents(t *testing.T) {
	t.Parallel()
	for language, program := range map[string]func(t *testing.T) (path string, args []string){"Go": goReceiver, "Python": pythonReceiver} {
		t.Run(language, func(t *testing.T) {
			t.Parallel()
			path, args := program(t)
			pushes := make(chan reports.Report, 10)
			api := httptest.NewServer(takePush(t, pushes))
			t.Cleanup(api.Close)
			environ := map[string]string{"USHER_HTTP_SECRET": secret, "LISTEN": "127.0.0.1:0", "REPORT_URL": api.URL}
			program := testkit.StartProgram(t, environ, path, args...)
			address := "http://" + program.Await(t, `listening on (\S+)`) + "/send"
			tryReceiver(t, address, pushes)
			if printed := program.Output(); strings.Count(printed, "gets 739105 for login in en") != 1 {
				t.Errorf("want one message, printed\n%s", printed)
			}
		})
	}
}

func goReceiver(t *testing.T) (string, []string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "receiver")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", path, "../../docs/examples").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return path, nil
}

func pythonReceiver(t *testing.T) (string, []string) {
	t.Helper()
	// The interpreter itself, since what PATH leads to may be a script that needs more of the environment.
	out, err := exec.CommandContext(t.Context(), "python3", "-c", "import sys; print(sys.executable)").Output()
	switch {
	case err != nil && os.Getenv("USHER_TEST_REAL") == "1":
		t.Fatalf("%v; USHER_TEST_REAL=1 requires python3", err)
	case err != nil:
		t.Skip(err)
	}
	return strings.TrimSpace(string(out)), []string{"../../docs/examples/receiver.py"}
}

// takePush is the endpoint of reports. It refuses each push once.
func takePush(t *testing.T, pushes chan<- reports.Report) http.HandlerFunc {
	seen := map[string]bool{}
	return func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		keys, _ := webhooks.ParseKeys(secret)
		id, err := keys.Verify(r.Header, body, time.Now())
		batch, parseErr := reports.ParseHTTP(body)
		if err != nil || parseErr != nil || len(batch.Reports) != 1 || len(seen) > 0 && !seen[id] {
			t.Errorf("push %s of %s: %v, %v, %+v", id, body, err, parseErr, batch)
			return
		}
		if !seen[id] {
			seen[id] = true
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		pushes <- batch.Reports[0]
	}
}

// tryReceiver sends one message twice, and what a receiver must refuse.
func tryReceiver(t *testing.T, address string, pushes <-chan reports.Report) {
	t.Helper()
	client := open(t, address, former, secret) // during a rotation: the receiver has the second secret
	sms := providertest.SMS(t)
	sms.Purpose, sms.Language = "login", "en"
	first, err := client.SendSMS(t.Context(), sms)
	if err != nil || !strings.HasPrefix(first.ID, "vendor-") {
		t.Fatalf("first attempt: %+v, %v", first, err)
	}
	sms.Attempt = 2
	if again, err := client.SendSMS(t.Context(), sms); err != nil || again.Provider != "http" {
		t.Errorf("second attempt: %+v, %v", again, err)
	}
	if err := client.CheckCredentials(t.Context()); err != nil {
		t.Errorf("the check without a message: %v", err)
	}
	if _, err := open(t, address, former).SendSMS(t.Context(), sms); providers.KindOf(err) != providers.Misconfigured {
		t.Errorf("another secret: %v", err)
	}
	old := open(t, address)
	old.Now = func() time.Time { return time.Now().Add(-6 * time.Minute) }
	if _, err := old.SendSMS(t.Context(), sms); providers.KindOf(err) != providers.Misconfigured {
		t.Errorf("an old request: %v", err)
	}
	busy, err := contact.ParseMobile("13800000000")
	if err != nil {
		t.Fatal(err)
	}
	sms.To, sms.ID = busy, "msg_busy"
	for range 2 { // what was not sent is not taken for a repeated message
		_, err = client.SendSMS(t.Context(), sms)
		if e, ok := err.(*providers.Error); !ok || e.Kind != providers.Temporary || e.RetryAfter != 5*time.Second { //nolint:errorlint // the type promised
			t.Errorf("a busy vendor: %#v", err)
		}
	}
	select {
	case got := <-pushes:
		if got.MessageID != providertest.SMS(t).ID || got.State != messages.Delivered || got.ProviderID != first.ID || got.At.IsZero() {
			t.Errorf("reported %+v", got)
		}
	case <-time.After(time.Minute):
		t.Error("no report was pushed again")
	}
}
