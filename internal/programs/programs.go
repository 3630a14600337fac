// Package programs builds the commands of this module and runs them as an operator would: as processes of
// their own, with an environment and signals, and the sandbox in the place of the vendors.
package programs

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"

	"usher/internal/testkit"
)

const (
	// patience is how long a program may take to say what is waited for, or to end; generous, since the
	// machine may be busy with other packages' tests.
	patience = 30 * time.Second
	// shown is how much of its output a failed test prints of a program.
	shown = 8 << 10
)

// binaries is where the commands are built, once for all tests of a binary.
var binaries struct {
	once sync.Once
	dir  string
	err  error
}

// Build returns the path of a built command. All are built when the first is asked for, and deleted by
// [testkit.Main], which the package of the test must call.
func Build(t testing.TB, command string) string {
	t.Helper()
	binaries.once.Do(func() {
		//nolint:usetesting // the programs outlive the test that builds them
		if binaries.dir, binaries.err = os.MkdirTemp("", "usher-programs-"); binaries.err != nil {
			return
		}
		testkit.AtEnd(func() { _ = os.RemoveAll(binaries.dir) })
		// Without symbols, as the image has them: linking takes half of the time, which every test binary pays.
		out, err := exec.CommandContext(context.Background(), "go", "build", "-ldflags=-s -w", "-o", binaries.dir, "usher/cmd/...").CombinedOutput()
		if err != nil {
			binaries.err = errors.New(string(out))
		}
	})
	if binaries.err != nil {
		t.Fatal(binaries.err)
	}
	return filepath.Join(binaries.dir, command)
}

// Program is a command that was started. It is safe for concurrent use.
type Program struct {
	cmd    *exec.Cmd
	output testkit.Buffer
	done   chan struct{}
	err    error // of its end, once done is closed
}

// Start runs a command with exactly the given environment, until the end of the test at the latest. A test
// that fails prints what it said.
func Start(t testing.TB, environ map[string]string, command string, args ...string) *Program {
	t.Helper()
	return Exec(t, environ, Build(t, command), args...)
}

// Exec is [Start] for a program at a path.
func Exec(t testing.TB, environ map[string]string, path string, args ...string) *Program {
	t.Helper()
	p := &Program{done: make(chan struct{})}
	p.cmd = exec.CommandContext(context.Background(), path, args...)
	p.cmd.Stdout, p.cmd.Stderr = &p.output, &p.output
	p.cmd.Env = []string{"HOME=" + t.TempDir(), "TMPDIR=" + t.TempDir()}
	for name, value := range environ {
		p.cmd.Env = append(p.cmd.Env, name+"="+value)
	}
	testkit.DieWithParent(p.cmd, syscall.SIGKILL)
	started := make(chan error)
	go p.supervise(started)
	if err := <-started; err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ran := !p.Ended()
		if err := p.Stop(syscall.SIGTERM); t.Failed() || ran && err != nil {
			t.Logf("%s (%v) said:\n%s", p.cmd, err, p.lastWords())
		}
	})
	return p
}

// supervise keeps its thread as long as the program runs: Linux takes the end of the thread that started a
// program for the end of the parent.
func (p *Program) supervise(started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err := p.cmd.Start()
	started <- err
	if err != nil {
		return
	}
	p.err = p.cmd.Wait()
	close(p.done)
}

// Pid returns the number of the process.
func (p *Program) Pid() int { return p.cmd.Process.Pid }

// Ended reports whether the program has ended.
func (p *Program) Ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// Signal sends a signal, such as SIGSTOP and SIGCONT, unless the program has ended.
func (p *Program) Signal(signal os.Signal) { _ = p.cmd.Process.Signal(signal) }

// Stop ends the program with a signal and returns the error of its end: nil after exit code 0, else mostly an
// [exec.ExitError]. A stopped process is continued, so that it gets the signal. Calling it again is harmless.
func (p *Program) Stop(signal os.Signal) error {
	p.Signal(signal)
	p.Signal(syscall.SIGCONT)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return p.Wait(ctx)
}

// Wait returns the error of the program's end like [Program.Stop]. When ctx ends first, the program is
// killed, and the error is that of ctx.
func (p *Program) Wait(ctx context.Context) error {
	select {
	case <-p.done:
		return p.err
	case <-ctx.Done():
		p.Signal(syscall.SIGKILL)
		<-p.done
		return ctx.Err()
	}
}

// Output returns what the program has written so far.
func (p *Program) Output() string { return p.output.String() }

func (p *Program) lastWords() string {
	said := p.output.Bytes()
	return string(said[max(0, len(said)-shown):])
}

// Await waits until the output matches and returns the first group of the pattern. The test ends when the
// program does.
func (p *Program) Await(t testing.TB, pattern string) string {
	t.Helper()
	expression := regexp.MustCompile(pattern)
	var found []string
	testkit.Eventually(t, patience, func() bool {
		ended := p.Ended()
		if found = expression.FindStringSubmatch(p.Output()); found == nil && ended {
			t.Fatalf("%s ended before its output matched %s", filepath.Base(p.cmd.Path), pattern)
		}
		return found != nil
	}, "output never matched %s", pattern)
	return found[1]
}

// Run runs a command to its end and returns its exit code and what it said.
func Run(t testing.TB, environ map[string]string, command string, args ...string) (code int, said string) {
	t.Helper()
	p := Start(t, environ, command, args...)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	err := p.Wait(ctx)
	exit, ok := errors.AsType[*exec.ExitError](err)
	switch {
	case err == nil:
		return 0, p.Output()
	case ok:
		return exit.ExitCode(), p.Output()
	default:
		t.Fatalf("%s: %v\n%s", command, err, p.lastWords())
		return 0, ""
	}
}
