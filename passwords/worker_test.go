package passwords_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"usher/internal/testkit"
	"usher/passwords"
)

// outside returns a hasher whose processes are this program in a role, and what it logs.
func outside(t *testing.T, parallel int, role string) (*passwords.Hasher, *bytes.Buffer) {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	command := func() *exec.Cmd {
		cmd := exec.CommandContext(context.Background(), program)
		cmd.Env = []string{hashRole + "=" + role}
		return cmd
	}
	var log bytes.Buffer
	h := passwords.NewProcessHasher(parallel, command, slog.New(slog.NewTextHandler(&log, nil)))
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
	return h, &log
}

// agrees checks that both hashers take what the first has made, and nothing else.
func agrees(t *testing.T, maker, other *passwords.Hasher) {
	t.Helper()
	hash, err := maker.Hash(t.Context(), goodPassword, passwords.First)
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range []*passwords.Hasher{maker, other} {
		for password, want := range map[string]bool{goodPassword: true, goodPassword + "x": false, "\xff": false} {
			if got, err := h.Compare(t.Context(), password, hash, passwords.First); err != nil || got != want {
				t.Errorf("Compare(%q) = %v, %v, want %v", password, got, err, want)
			}
		}
	}
}

func TestProcessHasher_hashes_like_one_inside(t *testing.T) {
	t.Parallel()
	inside := passwords.NewHasher(1)
	h, log := outside(t, 1, "serve")
	agrees(t, h, inside)
	agrees(t, inside, h)
	if got, err := h.Compare(t.Context(), "ｐassword电池", djangoHash, passwords.First); err != nil || !got {
		t.Errorf("Compare with a hash from elsewhere = %v, %v", got, err)
	}
	if got, err := h.Compare(t.Context(), goodPassword, "", passwords.First); err != nil || got {
		t.Errorf("Compare with no hash = %v, %v", got, err)
	}
	if _, err := h.Compare(t.Context(), goodPassword, "plain text", passwords.First); err == nil || strings.Contains(err.Error(), goodPassword) {
		t.Errorf("Compare with rubbish = %v", err)
	}
	if n := len(h.Processes()); n != 1 || log.Len() > 0 {
		t.Errorf("%d processes, want 1; logged %q", n, log)
	}
}

func TestProcessHasher_has_a_process_for_each_hash_at_once(t *testing.T) {
	t.Parallel()
	const parallel = 2
	h, _ := outside(t, parallel, "serve")
	if n := len(h.Processes()); n != 0 {
		t.Errorf("%d processes before the first password", n)
	}
	var group sync.WaitGroup
	for range 3 * parallel {
		group.Go(func() {
			if _, err := h.Hash(t.Context(), goodPassword, passwords.First); err != nil && !errors.Is(err, passwords.ErrBusy) {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if n := len(h.Processes()); n != parallel {
		t.Errorf("%d processes, want %d", n, parallel)
	}
}

func TestProcessHasher_ends_processes_that_idle_and_starts_others(t *testing.T) {
	t.Parallel()
	h, log := outside(t, 1, "serve")
	hash := func() int {
		if _, err := h.Hash(t.Context(), goodPassword, passwords.First); err != nil {
			t.Fatal(err)
		}
		ids := h.Processes()
		if len(ids) != 1 {
			t.Fatalf("processes %v, want one", ids)
		}
		return ids[0]
	}
	first := hash()
	if again := hash(); again != first {
		t.Error("the second password was not hashed by the process of the first")
	}
	h.Idle()
	testkit.Eventually(t, testkit.Patience, func() bool { return len(h.Processes()) == 0 }, "the process that idles ends")
	hash()
	if err := h.Close(); err != nil || len(h.Processes()) > 0 {
		t.Errorf("Close = %v, processes %v", err, h.Processes())
	}
	if log.Len() > 0 {
		t.Errorf("logged %q", log)
	}
}

func TestProcessHasher_hashes_here_when_its_process_fails(t *testing.T) {
	t.Parallel()
	h, log := outside(t, 1, "die")
	agrees(t, h, passwords.NewHasher(1))
	if n := len(h.Processes()); n != 0 {
		t.Errorf("%d processes, want none", n)
	}
	if got := log.String(); !strings.Contains(got, "level=WARN") || strings.Contains(got, goodPassword) {
		t.Errorf("logged %q, want a warning without the password", got)
	}
}

func TestProcessHasher_waits_once_for_a_process_that_is_frozen(t *testing.T) {
	t.Parallel()
	h, log := outside(t, 1, "freeze")
	began := time.Now()
	agrees(t, h, passwords.NewHasher(1))
	if took := time.Since(began); took > 6*passwords.TaskLimit {
		t.Errorf("seven passwords took %v, want little more than the %v for the first", took, passwords.TaskLimit)
	}
	if n := strings.Count(log.String(), "level=WARN"); n != 1 {
		t.Errorf("logged %q, want one warning", log.String())
	}
}

func TestProcessHasher_hashes_here_when_no_process_starts(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	missing := func() *exec.Cmd { return exec.CommandContext(context.Background(), t.TempDir()+"/missing") }
	h := passwords.NewProcessHasher(1, missing, slog.New(slog.NewTextHandler(&log, nil)))
	agrees(t, h, passwords.NewHasher(1))
	if n := strings.Count(log.String(), "level=WARN"); n != 1 {
		t.Errorf("logged %q, want one warning for many passwords", log.String())
	}
}
