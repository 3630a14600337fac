package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	"usher/internal/testkit"
)

// process is a running program. What it says goes to a file, which costs this program nothing.
type process struct {
	name             string
	cmd              *exec.Cmd
	log              string
	started, readyAt time.Time
	done             chan struct{}
	err              error // of its end, once done is closed
}

// start runs a program with exactly the given environment. It dies with this program.
func start(dir, name string, environ map[string]string, path string, args ...string) (*process, error) {
	p := &process{name: name, log: filepath.Join(dir, name+".log"), done: make(chan struct{})}
	log, err := os.Create(p.log)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	p.cmd = exec.CommandContext(context.Background(), path, args...)
	p.cmd.Stdout, p.cmd.Stderr = log, log
	p.cmd.Env = []string{"HOME=" + dir, "TMPDIR=" + dir}
	for variable, value := range environ {
		p.cmd.Env = append(p.cmd.Env, variable+"="+value)
	}
	testkit.DieWithParent(p.cmd, syscall.SIGKILL)
	started := make(chan error)
	go p.supervise(started)
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	return p, nil
}

// supervise keeps its thread as long as the program runs: Linux takes the end of the thread that started a
// program for the end of the parent.
func (p *process) supervise(started chan<- error) {
	runtime.LockOSThread()
	p.started = time.Now()
	err := p.cmd.Start()
	started <- err
	if err != nil {
		return
	}
	p.err = p.cmd.Wait()
	close(p.done)
}

func (p *process) pid() int { return p.cmd.Process.Pid }

func (p *process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// stop ends the program and waits for that. It may be called again.
func (p *process) stop() {
	if p == nil {
		return
	}
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // it may have ended by itself
	select {
	case <-p.done:
	case <-time.After(30 * time.Second):
		_ = p.cmd.Process.Kill()
		<-p.done
	}
}

// startLimit bounds how long a program may take until it is ready, on a busy machine.
const startLimit = 30 * time.Second

// ready waits until the program answers 200 at the path, and notes when that was.
func (p *process) ready(ctx context.Context, addr, path string) error {
	w := &wire{addr: addr, until: time.Now().Add(startLimit)}
	defer w.close()
	err := until(ctx, startLimit, func() (bool, error) {
		if p.ended() {
			return false, fmt.Errorf("it has ended: %w", p.err)
		}
		answer, err := w.do(get(addr, path))
		return err == nil && answer == http.StatusOK, nil
	})
	p.readyAt = time.Now()
	if err != nil {
		return fmt.Errorf("await %s: %w: %s", p.name, err, p.lastWords())
	}
	return nil
}

// lastWords are the end of what the program has said.
func (p *process) lastWords() []byte {
	said, _ := os.ReadFile(p.log) // what is there is better than nothing
	return said[max(0, len(said)-1000):]
}

// until asks every two milliseconds whether something holds.
func until(ctx context.Context, within time.Duration, holds func() (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	ticker := time.NewTicker(2 * time.Millisecond)
	defer ticker.Stop()
	for {
		if done, err := holds(); done || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
	}
}
