package prove_test

import (
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"usher/internal/testkit"
)

// Row 28: a vendor that answers 500 to everything costs no code while another one is well, and after an older dump of the
// database was restored no mail goes out twice without an operator's word.
func TestRow28_a_failing_vendor_and_an_older_database_cost_no_message(t *testing.T) {
	t.Parallel()
	r := newRow(t, 28, "Aliyun answers 500 to all, Ronglian well; an older dump of the database restored")
	r.tried("%d codes through 3 workers, %d mails", failing(), restored)
	sum := r.together(t, map[string]trial{"500": answerFailing, "dump": restoreDump})
	r.judge(sum.verdict, map[string]int{sms: 0, email: 0})
	r.exactly("codes that did not arrive", sum.counts["lost"], 0)
	r.exactly("mails twice before an operator's word", sum.counts["twice"], 0)
	r.exactly("mails again after it", sum.counts["again"], restored)
	// An unresolved message goes by the other vendor after 15 s.
	r.within("slowest code", sum.longest["slowest"], size(40*time.Second, 25*time.Second))
	r.note("%d messages were unresolved", sum.counts["unresolved"])
}

// failing is how many codes are asked for: in the long form over more than the pauses of two probes.
func failing() int { return size(60, 600) }

// restored is how many mails the dump has.
const restored = 13

func answerFailing(t *testing.T) (result outcome) {
	t.Helper()
	s := newFaultySetup(t, nil)
	api := s.api(t)
	workers := []*member{s.worker(t, sms), s.worker(t, sms), s.worker(t, sms)}
	s.faults(t, map[string]any{"aliyun": map[string]any{"status": 500}})
	var (
		mu    sync.Mutex
		wait  sync.WaitGroup
		every = size(50*time.Millisecond, 125*time.Millisecond)
	)
	for range failing() {
		began := time.Now()
		mobile, _ := s.mustAskCode(t, api)
		wait.Go(func() {
			if !until(time.Minute, func() bool { return len(s.journal.to(mobile)) > 0 }) {
				mu.Lock()
				defer mu.Unlock()
				result.counted("lost", 1)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			result.lasted("slowest", time.Since(began))
		})
		<-time.After(every)
	}
	wait.Wait()
	drained(t, s.client(t), sms)
	for _, worker := range workers {
		result.counted("unresolved", worker.metric(t, unresolvedAttempts))
	}
	result.verdict = s.verdict()
	return result
}

func restoreDump(t *testing.T) (result outcome) {
	t.Helper()
	dump, restore := postgresTool(t, "pg_dump"), postgresTool(t, "pg_restore")
	s := newFaultySetup(t, nil)
	url, file := s.environ["USHER_DATABASE_URL"], filepath.Join(t.TempDir(), "usher.dump")
	tool := func(name string, args ...string) {
		t.Helper()
		if said, err := exec.CommandContext(t.Context(), name, args...).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", filepath.Base(name), err, said)
		}
	}
	api := s.api(t)
	for range restored {
		s.register(t, api)
	}
	tool(dump, "-Fc", "-f", file, "-d", url)
	worker := s.worker(t, email)
	s.allArrived(t)
	s.mailed(t)
	for _, m := range []*member{api, worker} {
		if err := m.Stop(syscall.SIGTERM); err != nil {
			t.Error(err)
		}
	}

	_ = s.db.Close() // the tables go
	tool(restore, "--clean", "--if-exists", "--no-owner", "-d", url, file)
	s.reopen(t, url)
	s.worker(t, email)
	const setBack = "select count(*) from messages where state = 'failed' and provider_code = 'set_back'"
	testkit.Eventually(t, patience, func() bool { return s.count(t, setBack) == restored }, "every mail waits for an operator")
	for _, times := range s.perRecipient() {
		if times > 1 {
			result.counted("twice", 1)
		}
	}
	result.verdict = s.verdict() // before an operator has them sent again

	if code, said := testkit.RunCommand(t, s.environ, "admin", "messages", "retry", "-all", "-yes", "-code", "set_back"); code != 0 {
		t.Errorf("admin messages retry: exit %d, %s", code, said)
	}
	testkit.Eventually(t, patience, func() bool {
		return s.count(t, "select count(*) from messages where channel = 'email' and state = 'sent'") == restored
	}, "the mails are sent again")
	for _, times := range s.perRecipient() {
		if times == 2 {
			result.counted("again", 1)
		}
	}
	return result
}

// postgresTool finds a program of PostgreSQL's client.
func postgresTool(t testing.TB, name string) string {
	t.Helper()
	if path, err := exec.LookPath(name); err == nil {
		return path
	}
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/" + name)
	if len(found) == 0 {
		t.Skip("no " + name + " on this machine")
	}
	return slices.Max(found)
}
