package testkit_test

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"usher/internal/testkit"
)

// endVar makes the test below, in a process of its own, start servers and end badly.
const endVar = "USHER_TESTKIT_END"

func TestServers_die_with_the_test_process(t *testing.T) {
	t.Parallel()
	for _, end := range []string{"panic", "kill"} {
		t.Run(end, func(t *testing.T) {
			t.Parallel()
			cmd := exec.Command(os.Args[0], "-test.run=^TestProcess_that_ends_badly$", "-test.timeout=1m")
			cmd.Env = append(os.Environ(), endVar+"=1")
			redis, postgres := endProcess(t, cmd, end)
			if redis == 0 && postgres == 0 {
				t.Skip("no redis-server and no postgres on this machine")
			}
			for _, pid := range []int{redis, postgres} {
				testkit.Eventually(t, testkit.Patience, func() bool { return gone(pid) }, "process %d ends", pid)
			}
		})
	}
}

// endProcess starts the command, has it end badly once its servers run, and returns their process numbers.
func endProcess(t *testing.T, cmd *exec.Cmd, end string) (redis, postgres int) {
	t.Helper()
	input, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	output, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for lines := bufio.NewScanner(output); lines.Scan(); {
		if n, _ := fmt.Sscanf(lines.Text(), "servers %d %d", &redis, &postgres); n < 2 {
			continue
		}
		removeLater(t, postgres)
		if end == "kill" {
			err = cmd.Process.Kill()
		} else {
			err = input.Close()
		}
		if err != nil {
			t.Error(err)
		}
	}
	if err := cmd.Wait(); err == nil {
		t.Error("the process ended well")
	}
	return redis, postgres
}

// removeLater removes the data folder, which PostgreSQL runs in, when the test ends.
func removeLater(t *testing.T, postgres int) {
	t.Helper()
	dir, err := os.Readlink(fmt.Sprintf("/proc/%d/cwd", postgres))
	if err == nil && strings.Contains(dir, "usher-testkit-postgres-") {
		t.Cleanup(func() { _ = os.RemoveAll(dir) })
	}
}

// gone tells whether there is no such process, or only the entry of one whose parent has not waited for it.
func gone(pid int) bool {
	if pid == 0 || syscall.Kill(pid, 0) == syscall.ESRCH {
		return true
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err != nil || strings.Contains(string(stat), ") Z ")
}

//nolint:paralleltest // it is the only test of its process, and ends it
func TestProcess_that_ends_badly(t *testing.T) {
	if os.Getenv(endVar) == "" {
		t.Skip("only for TestServers_die_with_the_test_process")
	}
	var redis, postgres int
	t.Run("redis", func(t *testing.T) { redis = testkit.RedisServer(leaky{t}).Pid() })
	t.Run("postgres", func(t *testing.T) { postgres = testkit.PostgresServer(leaky{t}).Pid() })
	fmt.Printf("servers %d %d\n", redis, postgres)
	_, _ = io.Copy(io.Discard, os.Stdin)
	panic("the input has ended")
}

// leaky is a test that never cleans up.
type leaky struct{ testing.TB }

func (leaky) Cleanup(func()) {}
