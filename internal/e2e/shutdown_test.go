package e2e_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"usher/internal/testclient"
	"usher/internal/testkit"
)

// load is an API with so many acknowledged codes and a vendor that takes its time.
type load struct {
	environ     map[string]string
	sandboxAddr string
	person      *testclient.Client
	ids         []string
}

const (
	loadCodes       = 120
	loadConcurrency = 20
	loadPatience    = 2 * time.Minute
)

func newLoad(t *testing.T) *load {
	t.Helper()
	l := &load{ids: make([]string, loadCodes)}
	l.environ, l.sandboxAddr = testkit.Settings(t)
	l.environ["USHER_LIMITS"] = "sms_ip_hour=off,sms_ip_day=off,sms_net_hour=off,sms_prefix=off,sms_total=off,sms_conversion=off,status_ip=off"
	l.environ["USHER_SMS_PROVIDERS"], l.environ["USHER_SEND_TIMEOUT"] = "aliyun", "4s"
	l.environ["USHER_WORKER_CONCURRENCY_SMS"], l.environ["USHER_WORKER_FETCHERS"] = fmt.Sprint(loadConcurrency), "1"
	if code, said := testkit.RunCommand(t, l.environ, "admin", "migrate", "up"); code != 0 {
		t.Fatalf("admin migrate up: exit %d, %s", code, said)
	}
	l.fault(t, `{"aliyun":{"delay_ms":700}}`)
	api := testkit.StartCommand(t, l.environ, "api")
	l.person = testclient.New(t, api.Await(t, `"http_addr":"([^"]+)"`), l.sandboxAddr)
	var group errgroup.Group
	group.SetLimit(32)
	for i := range l.ids {
		group.Go(func() error {
			answer, err := l.person.Try(t.Context(), http.MethodPost, "/v1/sms-codes",
				map[string]any{"mobile": fmt.Sprintf("138%08d", i), "purpose": "register"})
			if err == nil && answer.Status != http.StatusAccepted {
				err = fmt.Errorf("number %d: %d %s", i, answer.Status, answer.Body)
			}
			l.ids[i] = answer.Text("sms_code_id")
			return err
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	return l
}

// ask asks the sandbox.
func (l *load) ask(t *testing.T, method, path, body string) []byte {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, "http://"+l.sandboxAddr+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultTransport.RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode >= 300 {
		t.Fatalf("%s %s = %s, %v", method, path, response.Status, err)
	}
	return answer
}

func (l *load) fault(t *testing.T, faults string) {
	t.Helper()
	l.ask(t, http.MethodPut, "/api/faults", faults)
}

// arrived counts the messages by their number.
func (l *load) arrived(t *testing.T) map[string]int {
	t.Helper()
	var list []struct{ To string }
	if err := json.Unmarshal(l.ask(t, http.MethodGet, "/api/messages", ""), &list); err != nil {
		t.Fatal(err)
	}
	times := map[string]int{}
	for _, message := range list {
		times[message.To]++
	}
	return times
}

// worker starts a worker and waits until the vendor has got some more from it.
func (l *load) worker(t *testing.T) *testkit.Program {
	t.Helper()
	before := len(l.arrived(t))
	worker := testkit.StartCommand(t, l.environ, "worker", "-channels", "sms")
	testkit.Eventually(t, loadPatience, func() bool { return len(l.arrived(t)) >= before+loadConcurrency },
		"the worker is in the middle of sending")
	return worker
}

// wantAll waits until every code is known as sent, and fails unless each number got one message.
func (l *load) wantAll(t *testing.T) {
	t.Helper()
	l.fault(t, `{}`)
	testkit.StartCommand(t, l.environ, "worker", "-channels", "sms")
	for _, id := range l.ids {
		testkit.Eventually(t, loadPatience, func() bool {
			status := l.person.Must(http.StatusOK, http.MethodGet, "/v1/sms-codes/"+id, nil).Text("status")
			return status == "sent" || status == "delivered"
		}, "every code is sent")
	}
	arrived := l.arrived(t)
	if len(arrived) != loadCodes {
		t.Errorf("%d of %d codes arrived", len(arrived), loadCodes)
	}
	for _, times := range arrived {
		if times != 1 { // the vendor is asked before an unresolved message is sent again
			t.Errorf("a code arrived %d times", times)
		}
	}
}

func TestShutdown_under_load_loses_nothing_and_sends_nothing_twice(t *testing.T) {
	t.Parallel()
	for name, grace := range map[string]string{"with time to finish": "20s", "in a hurry": "1s"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLoad(t)
			l.environ["USHER_SHUTDOWN_GRACE"] = grace
			if grace == "1s" {
				l.fault(t, `{"aliyun":{"delay_ms":30000}}`)
			}
			if err := l.worker(t).Stop(syscall.SIGTERM); err != nil {
				t.Errorf("the worker ended with %v", err)
			}
			l.wantAll(t)
		})
	}
}

func TestShutdown_ends_at_once_at_the_second_signal(t *testing.T) {
	t.Parallel()
	for _, second := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		t.Run(second.String(), func(t *testing.T) {
			t.Parallel()
			l := newLoad(t)
			l.environ["USHER_SHUTDOWN_GRACE"] = "5m"
			l.fault(t, `{"aliyun":{"delay_ms":30000}}`)
			l.environ["USHER_SEND_TIMEOUT"] = "15s" // it must not end by itself before the second signal
			worker := l.worker(t)
			worker.Signal(syscall.SIGTERM)
			worker.Await(t, `(Waiting for all workers to finish)`)
			ctx, cancel := context.WithTimeout(t.Context(), loadPatience)
			defer cancel()
			worker.Signal(second)
			err := worker.Wait(ctx)
			var exit *exec.ExitError
			if !errors.As(err, &exit) || exit.ExitCode() == 0 { // 0: it has waited for the vendor
				t.Errorf("it ended with %v", err)
			}
			l.wantAll(t)
		})
	}
}
