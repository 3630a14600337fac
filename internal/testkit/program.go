package testkit

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"
)

const (
	// programTimeout is how long a program may take to print what a test waits for, or to end. It is generous
	// because other packages' tests may keep the machine busy.
	programTimeout = time.Minute
	// printedOutput is how many bytes of a program's output an error or a failed test prints.
	printedOutput = 8 << 10
)

// Program is a running process that dies with this one. It is safe for concurrent use.
type Program struct {
	cmd    *exec.Cmd
	output *os.File // unlinked at the start, so that no file is left behind
	done   chan struct{}
	err    error // of its end, once done is closed
}

// LaunchProgram starts cmd. The kernel sends it onDeath when this process dies in any way. What the program
// prints goes to a file: a pipe would cost a benchmark the time to read it.
func LaunchProgram(cmd *exec.Cmd, onDeath syscall.Signal) (*Program, error) {
	output, err := os.CreateTemp("", "usher-program-*.log")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(output.Name()); err != nil {
		return nil, err
	}
	cmd.Stdout, cmd.Stderr = output, output
	dieWithParent(cmd, onDeath)
	p := &Program{cmd: cmd, output: output, done: make(chan struct{})}
	started := make(chan error)
	go p.supervise(started)
	if err := <-started; err != nil {
		output.Close()
		return nil, fmt.Errorf("start %s: %w", filepath.Base(cmd.Path), err)
	}
	// The test that holds the program may drop it before it has read the output, so nothing closes the file
	// but the garbage collector.
	return p, nil
}

// supervise starts the program and waits for its end. It keeps its thread: Linux takes the end of the thread
// that started a program for the death of the parent.
func (p *Program) supervise(started chan<- error) {
	runtime.LockOSThread()
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
// [exec.ExitError]. A program stopped by SIGSTOP is continued, so that it gets the signal. After a minute
// the program is killed. Calling it again is harmless.
func (p *Program) Stop(signal os.Signal) error {
	p.Signal(signal)
	p.Signal(syscall.SIGCONT)
	ctx, cancel := context.WithTimeout(context.Background(), programTimeout)
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

// Output returns what the program has printed so far.
func (p *Program) Output() string {
	info, err := p.output.Stat()
	if err != nil {
		return fmt.Sprintf("(output lost: %v)", err)
	}
	text := make([]byte, info.Size())
	n, _ := p.output.ReadAt(text, 0) // a part of the output is better than none
	return string(text[:n])
}

// LastOutput returns the end of [Program.Output], for error texts.
func (p *Program) LastOutput() string {
	output := p.Output()
	return output[max(0, len(output)-printedOutput):]
}

// Await waits until the output matches and returns the first group of the pattern. The test ends when the
// program does.
func (p *Program) Await(t testing.TB, pattern string) string {
	t.Helper()
	expression := regexp.MustCompile(pattern)
	var found []string
	Eventually(t, programTimeout, func() bool {
		ended := p.Ended()
		if found = expression.FindStringSubmatch(p.Output()); found == nil && ended {
			t.Fatalf("%s ended before its output matched %s", filepath.Base(p.cmd.Path), pattern)
		}
		return found != nil
	}, "output never matched %s", pattern)
	return found[1]
}

// commands is where the commands of this module are built, once for all tests of a binary.
var commands struct {
	once sync.Once
	dir  string
	err  error
}

// BuildCommand returns the path of a built command of this module. All commands are built at the first call,
// and deleted by [Main], which the package of the test must call.
func BuildCommand(t testing.TB, command string) string {
	t.Helper()
	commands.once.Do(func() {
		//nolint:usetesting // the programs outlive the test that builds them
		if commands.dir, commands.err = os.MkdirTemp("", "usher-programs-"); commands.err != nil {
			return
		}
		AtEnd(func() { _ = os.RemoveAll(commands.dir) })
		// Without symbols, as the image has them: linking takes half of the time, which every test binary pays.
		out, err := exec.CommandContext(context.Background(), "go", "build", "-ldflags=-s -w", "-o", commands.dir, "usher/cmd/...").CombinedOutput()
		if err != nil {
			commands.err = errors.New(string(out))
		}
	})
	if commands.err != nil {
		t.Fatal(commands.err)
	}
	return filepath.Join(commands.dir, command)
}

// StartCommand runs a command of this module as an operator would: as a process with exactly the given
// environment. It runs until the end of the test at the latest. A test that fails prints its output.
func StartCommand(t testing.TB, environ map[string]string, command string, args ...string) *Program {
	t.Helper()
	return StartProgram(t, environ, BuildCommand(t, command), args...)
}

// StartProgram is [StartCommand] for a program at a path.
func StartProgram(t testing.TB, environ map[string]string, path string, args ...string) *Program {
	t.Helper()
	p, err := LaunchProgram(Command(t.TempDir(), environ, path, args...), syscall.SIGKILL)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ran := !p.Ended()
		if err := p.Stop(syscall.SIGTERM); t.Failed() || ran && err != nil {
			t.Logf("%s (%v) printed:\n%s", p.cmd, err, p.LastOutput())
		}
	})
	return p
}

// Command is a program with exactly the given environment and a home folder.
func Command(home string, environ map[string]string, path string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(context.Background(), path, args...)
	cmd.Env = []string{"HOME=" + home, "TMPDIR=" + home}
	for name, value := range environ {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	return cmd
}

// RunCommand runs a command of this module to its end and returns its exit code and its output.
func RunCommand(t testing.TB, environ map[string]string, command string, args ...string) (code int, output string) {
	t.Helper()
	return StartCommand(t, environ, command, args...).AwaitEnd(t)
}

// AwaitEnd waits for the program's end and returns its exit code and its output. The test ends when the
// program takes too long.
func (p *Program) AwaitEnd(t testing.TB) (code int, output string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), programTimeout)
	defer cancel()
	err := p.Wait(ctx)
	if exit, exited := errors.AsType[*exec.ExitError](err); exited {
		return exit.ExitCode(), p.Output()
	}
	if err != nil {
		t.Fatalf("%s: %v\n%s", filepath.Base(p.cmd.Path), err, p.LastOutput())
	}
	return 0, p.Output()
}
