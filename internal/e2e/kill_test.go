package e2e_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"usher/internal/person"
	"usher/internal/testkit"
)

// size reads how large a test is to be; the long runs of docs/reliability.md set the variable.
func size(t *testing.T, variable string, quick int) int {
	t.Helper()
	text := os.Getenv(variable)
	if text == "" {
		return quick
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("%s: %v", variable, err)
	}
	return n
}

// unlimited switches every limit off that stands in the way of thousands of codes from one address.
func unlimited(environ map[string]string) map[string]string {
	environ = maps.Clone(environ)
	environ["USHER_LIMITS"] = "sms_ip_hour=off,sms_ip_day=off,sms_net_hour=off,sms_prefix=off,sms_total=off,sms_conversion=off,status_ip=off"
	return environ
}

// delay makes the vendor take its time, so that a kill finds messages in flight.
func delay(t *testing.T, sandboxAddr string, milliseconds int) {
	t.Helper()
	body, err := json.Marshal(map[string]any{"aliyun": map[string]any{"delay_ms": milliseconds}})
	if err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPut,
		"http://"+sandboxAddr+"/api/faults", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultTransport.RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	if response.StatusCode >= 300 {
		t.Fatalf("PUT /api/faults = %s", response.Status)
	}
}

// Every acknowledged code reaches its number although workers are killed while they send, and it goes out
// twice only where a kill found it in flight.
func TestKilledWorkers_lose_no_code(t *testing.T) {
	t.Parallel()
	const concurrency, patience = 20, 2 * time.Minute
	codes, kills := size(t, "USHER_TEST_CODES", 300), size(t, "USHER_TEST_KILLS", 2)
	environ, sandboxAddr := settings(t)
	environ = unlimited(environ)
	environ["USHER_WORKER_CONCURRENCY_SMS"] = strconv.Itoa(concurrency)
	if code, said := run(t, environ, "admin", "migrate", "up"); code != 0 {
		t.Fatalf("admin migrate up: exit %d, %s", code, said)
	}
	delay(t, sandboxAddr, 100)
	p := person.New(t, start(t, environ, "api").await(t, `"http_addr":"([^"]+)"`), sandboxAddr)
	ids := acknowledge(t, p, codes)

	for range kills {
		victim := start(t, environ, "worker", "-channels", "sms")
		before := countSent(t, sandboxAddr)
		testkit.Eventually(t, patience, func() bool {
			return countSent(t, sandboxAddr) >= before+concurrency
		}, "the worker is in the middle of sending")
		_ = victim.stop(syscall.SIGKILL)
	}
	start(t, environ, "worker", "-channels", "sms")
	// A code that was in flight at a kill counts as sent only after its claim has run out and another worker
	// has taken it up: then nothing is under way any more that could go out twice.
	testkit.Eventually(t, patience, func() bool {
		for len(ids) > 0 && sent(p, ids[0]) {
			ids = ids[1:]
		}
		return len(ids) == 0
	}, "every code is known as sent")
	if arrived := len(sentTo(t, sandboxAddr)); arrived != codes {
		t.Errorf("%d of %d codes arrived", arrived, codes)
	}
	doubles := 0
	for _, times := range sentTo(t, sandboxAddr) {
		doubles += times - 1
	}
	if doubles > kills*concurrency {
		t.Errorf("%d codes went out twice, more than were in flight at %d kills", doubles, kills)
	}
	t.Logf("%d codes, %d kills: 0 lost, %d sent twice (bound %d)", codes, kills, doubles, kills*concurrency)
}

// sent reports whether a vendor has accepted the code.
func sent(p *person.Person, id string) bool {
	status := p.Must(http.StatusOK, http.MethodGet, "/v1/sms-codes/"+id, nil).Text("status")
	return status == "sent" || status == "delivered"
}

// acknowledge asks for a code for so many numbers, fails unless each is acknowledged, and returns their ids.
func acknowledge(t *testing.T, p *person.Person, codes int) []string {
	t.Helper()
	ids := make([]string, codes)
	var group errgroup.Group
	group.SetLimit(32)
	for i := range codes {
		group.Go(func() error {
			answer, err := p.Try(t.Context(), http.MethodPost, "/v1/sms-codes",
				map[string]any{"mobile": fmt.Sprintf("138%08d", i), "purpose": "register"})
			if err == nil && answer.Status != http.StatusAccepted {
				err = fmt.Errorf("number %d: %d %s", i, answer.Status, answer.Body)
			}
			ids[i] = answer.Text("sms_code_id")
			return err
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	return ids
}

// sentTo returns how many SMS each number got.
func sentTo(t *testing.T, sandboxAddr string) map[string]int {
	t.Helper()
	var list []struct{ Channel, To string }
	if err := json.Unmarshal(fetchAll(t, "http://"+sandboxAddr+"/api/messages"), &list); err != nil {
		t.Fatal(err)
	}
	times := map[string]int{}
	for _, message := range list {
		if strings.EqualFold(message.Channel, "sms") {
			times[message.To]++
		}
	}
	return times
}

func countSent(t *testing.T, sandboxAddr string) int {
	t.Helper()
	n := 0
	for _, times := range sentTo(t, sandboxAddr) {
		n += times
	}
	return n
}
