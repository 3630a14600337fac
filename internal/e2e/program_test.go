// Package e2e_test runs the built programs as an operator would, and walks through them as people do:
// over HTTP and in a real browser.
package e2e_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sync"
	"syscall"
	"testing"
	"time"

	"usher/internal/testkit"
)

// binaries is where the commands are built, once for all tests.
var binaries struct {
	once sync.Once
	dir  string
	err  error
}

func TestMain(m *testing.M) { testkit.Main(m) }

// build returns the path of a built command.
func build(t testing.TB, command string) string {
	t.Helper()
	binaries.once.Do(func() {
		//nolint:usetesting // the programs outlive the test that builds them
		if binaries.dir, binaries.err = os.MkdirTemp("", "usher-e2e-"); binaries.err != nil {
			return
		}
		out, err := exec.CommandContext(context.Background(), "go", "build", "-o", binaries.dir, "usher/cmd/...").CombinedOutput()
		if err != nil {
			binaries.err = errors.New(string(out))
		}
	})
	if binaries.err != nil {
		t.Fatal(binaries.err)
	}
	return filepath.Join(binaries.dir, command)
}

// program is a running command.
type program struct {
	cmd    *exec.Cmd
	output *output
	done   chan error
	err    error
}

// output collects what a program writes while it runs.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// start runs a command with exactly the given environment until the test's end.
func start(t testing.TB, environ map[string]string, command string, args ...string) *program {
	t.Helper()
	p := &program{output: &output{}, done: make(chan error, 1)}
	p.cmd = exec.CommandContext(context.Background(), build(t, command), args...)
	p.cmd.Stdout, p.cmd.Stderr = p.output, p.output
	p.cmd.Env = []string{"HOME=" + t.TempDir(), "TMPDIR=" + t.TempDir()}
	for name, value := range environ {
		p.cmd.Env = append(p.cmd.Env, name+"="+value)
	}
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { p.done <- p.cmd.Wait() }()
	t.Cleanup(func() {
		if p.stop(syscall.SIGTERM) != nil || t.Failed() {
			t.Logf("%s said:\n%s", command, p.output)
		}
	})
	return p
}

// stop ends the program and returns its error; calling it again is harmless.
func (p *program) stop(signal os.Signal) error {
	if p.cmd.ProcessState == nil {
		_ = p.cmd.Process.Signal(signal)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	return p.wait(ctx)
}

func (p *program) wait(ctx context.Context) error {
	select {
	case err, open := <-p.done:
		if open {
			p.err = err
			close(p.done)
		}
		return p.err
	case <-ctx.Done():
		_ = p.cmd.Process.Kill()
		return ctx.Err()
	}
}

// await waits until the output matches and returns the first group.
func (p *program) await(t testing.TB, pattern string) string {
	t.Helper()
	expression := regexp.MustCompile(pattern)
	var found []string
	testkit.Eventually(t, 30*time.Second, func() bool {
		found = expression.FindStringSubmatch(p.output.String())
		return found != nil
	}, "output never matched %s", pattern)
	return found[1]
}

// run runs a command to its end and returns its exit code and what it said.
func run(t *testing.T, environ map[string]string, command string, args ...string) (int, string) {
	t.Helper()
	p := start(t, environ, command, args...)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	err := p.wait(ctx)
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0, p.output.String()
	case errors.As(err, &exit):
		return exit.ExitCode(), p.output.String()
	default:
		t.Fatalf("%s: %v\n%s", command, err, p.output)
		return 0, ""
	}
}
