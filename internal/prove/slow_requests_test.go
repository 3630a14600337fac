package prove_test

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strconv"
	"testing"
	"time"

	"usher/internal/testclient"
	"usher/internal/testkit"
)

const (
	slowConnections = 500
	mebibyte        = 1 << 20
	// quickEnough is a p99 that counts as undisturbed, however quick the answers are without an attack.
	quickEnough = 20 * time.Millisecond
)

// slowdownBound is how much slower than in peace, in percent, the slowest hundredth of other people's requests may
// be. The quick run shares its cores with all other tests.
func slowdownBound() int { return size(500, 200) }

// Row 11: slow and huge requests are refused or cut off, and cost the others next to nothing.
func TestRow11_slow_and_huge_requests_harm_no_other_client(t *testing.T) {
	t.Parallel()
	r := newRow(t, 11, "slow headers and bodies, 10 MB, gzip, deep JSON, bad UTF-8, NUL, 1 MB password")
	environ, sandbox := testkit.Settings(t)
	environ["USHER_LOG_LEVEL"], environ["USHER_LIMITS"] = "info", noLimits+noLoginLimits
	if code, said := testkit.RunCommand(t, environ, "admin", "migrate", "up"); code != 0 {
		t.Fatalf("admin migrate up: exit %d, %s", code, said)
	}
	api := testkit.StartCommand(t, environ, "api")
	address := api.Await(t, `"http_addr":"([^"]+)"`)
	p := testclient.New(t, address, sandbox)
	duration := size(10*time.Second, time.Minute)
	var s *siege
	slower, grown, before, memory := 0, 0, 0, ""
	for try := range 2 { // a machine that does something else meanwhile is no proof
		peace := p99(t, p, duration/4)
		if try == 0 {
			before = residentBytes(t, api.Pid())
		}
		s = besiege(t, address)
		war, most := p99While(t, p, duration, api.Pid())
		s.end()
		grown, memory = max(0, most-before)/mebibyte, fmt.Sprintf("%d MiB in peace, %d MiB at most", before/mebibyte, most/mebibyte)
		slower = int(100 * war / max(peace, quickEnough/2))
		t.Logf("try %d: p99 %v in peace and %v under attack; %s", try+1, peace, war, memory)
		if slower <= slowdownBound() {
			break
		}
	}
	r.tried("%v of %d slow connections and %d huge or broken requests", duration, slowConnections, s.huge.Load())
	r.exactly("attacks answered with anything but 4xx", int(s.accepted.Load()), 0)
	r.atMost("MiB more memory", grown, 64)
	r.atMost("% of the p99 in peace", slower, slowdownBound())
	r.note("%s; %d connections were cut off, %d requests refused", memory, s.closed.Load(), s.refused.Load())
}

// p99 measures other people's requests.
func p99(t *testing.T, p *testclient.Client, duration time.Duration) time.Duration {
	t.Helper()
	took, _ := p99While(t, p, duration, os.Getpid())
	return took
}

// p99While also returns the most memory that a process has meanwhile.
func p99While(t *testing.T, p *testclient.Client, duration time.Duration, pid int) (took time.Duration, most int) {
	t.Helper()
	var times []time.Duration
	pace := time.NewTicker(5 * time.Millisecond)
	defer pace.Stop()
	for begin := time.Now(); time.Since(begin) < duration; <-pace.C {
		start := time.Now()
		p.Must(http.StatusOK, http.MethodGet, fmt.Sprintf("/v1/usernames/somebody_%d", len(times)), nil)
		times = append(times, time.Since(start))
		if len(times)%20 == 0 {
			most = max(most, residentBytes(t, pid))
		}
	}
	slices.Sort(times)
	return times[len(times)*99/100], most
}

var resident = regexp.MustCompile(`VmRSS:\s+(\d+) kB`)

// residentBytes is how much memory a process has.
func residentBytes(t testing.TB, pid int) int {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Skipf("no /proc on this machine: %v", err)
	}
	found := resident.FindSubmatch(bytes.TrimSpace(status))
	if found == nil {
		t.Fatalf("process %d has no memory:\n%s", pid, status)
	}
	kilobytes, err := strconv.Atoi(string(found[1]))
	if err != nil {
		t.Fatal(err)
	}
	return kilobytes << 10
}
