package prove_test

import (
	"encoding/base64"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"usher/internal/testkit"
)

// arrived waits until all that was acknowledged has arrived.
func arrived(t *testing.T, d *deployment, l *load) {
	t.Helper()
	testkit.Eventually(t, patience, func() bool { return len(l.ledger.judge(d.journal.since(0), time.Now()).lost) == 0 }, "all arrives")
}

// twinKeys are other keys than those of every deployment here, with the same id.
func twinKeys() string {
	return "e2e:" + base64.StdEncoding.EncodeToString([]byte(strings.Repeat("twin-key", 4)))
}

// Two deployments with keys of the same id share a Redis. Each worker gets the codes of its own API.
func TestRow29_deployments_on_one_redis_keep_apart(t *testing.T) {
	t.Parallel()
	r := newRow(t, 29, "two deployments with keys of the same id on one Redis")
	codes := size(20, 200)
	first := newDeployment(t, plan{apis: 1, sms: 1, email: 1})
	second := newDeployment(t, plan{apis: 1, sms: 1, email: 1, environ: map[string]string{
		"USHER_NAMESPACE": "blue", "USHER_SECRET_KEYS": twinKeys(),
	}})
	second.at.Redis = first.at.Redis
	first.up()
	second.up()
	both := []*load{newLoad(first, 4), newLoad(second, 4)}
	for _, l := range both {
		l.more(codes)
	}
	for i, d := range []*deployment{first, second} {
		both[i].finish()
		arrived(t, d, both[i])
		r.judge(both[i].ledger.judge(d.journal.since(0), time.Now()), map[string]int{sms: 0, email: 0})
	}
	environ := second.settings()
	environ["USHER_NAMESPACE"] = "usher"
	code, said := testkit.RunCommand(t, environ, "worker", "-channels", "sms")
	started := 1
	if code == 2 && strings.Contains(said, "USHER_NAMESPACE") {
		started = 0
	} else {
		t.Logf("exit %d: %s", code, said)
	}
	r.tried("%d codes each", codes)
	r.exactly("starts with foreign keys", started, 0)
}

// A worker whose clock is ten minutes ahead sends its tasks. It is built with another time.Now: no setting can move
// a program's clock.
func TestRow29_a_worker_ten_minutes_ahead_sends_its_tasks(t *testing.T) {
	t.Parallel()
	if size(0, 1) == 0 {
		t.Skip("it compiles the standard library anew: USHER_PROVE=long")
	}
	r := newRow(t, 29, "the only worker's clock is 600 s ahead")
	ahead := buildAhead(t)
	d := newDeployment(t, plan{apis: 1, sms: 1, email: 1})
	d.parts["sms1"].launch = func(string) (*testkit.Program, string) {
		program := testkit.StartProgram(t, d.settings(), ahead, "-channels", "sms")
		return program, program.Await(t, `"worker ready".*"ops_addr":"([^"]+)"`)
	}
	d.up()
	const codes = 200
	l := newLoad(d, 4)
	l.more(codes)
	l.finish()
	arrived(t, d, l)
	r.tried("%d codes", codes)
	r.judge(l.ledger.judge(d.journal.since(0), time.Now()), map[string]int{sms: 0, email: 0})
}

// buildAhead builds the worker with a clock that is ahead, and returns its path.
func buildAhead(t *testing.T) string {
	t.Helper()
	source := filepath.Join(runtime.GOROOT(), "src", "time", "time.go") //nolint:staticcheck // the tests run on the machine that builds
	text, err := os.ReadFile(source)
	if err != nil {
		t.Skipf("no sources of the standard library: %v", err)
	}
	const read = "sec, nsec, mono := runtimeNow()\n"
	changed := strings.Replace(string(text), read, read+"\tsec += 600\n", 1)
	if changed == string(text) {
		t.Fatal("time.Now is written in another way by now")
	}
	dir := t.TempDir()
	replacement, overlay, program := filepath.Join(dir, "time.go"), filepath.Join(dir, "overlay.json"), filepath.Join(dir, "worker")
	list, err := json.Marshal(map[string]map[string]string{"Replace": {source: replacement}})
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{replacement: []byte(changed), overlay: list} {
		if err := os.WriteFile(name, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	out, err := exec.CommandContext(t.Context(), "go", "build", "-overlay", overlay, "-o", program, "usher/cmd/worker").CombinedOutput()
	if err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return program
}
