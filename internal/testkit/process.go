package testkit

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// stopGrace bounds how long a server may take to stop before it is killed.
const stopGrace = 10 * time.Second

// process is a running program that dies with this one.
type process struct {
	cmd    *exec.Cmd
	output *os.File // unlinked already, so nothing is left of it when the process ends
	done   chan struct{}
}

// startProcess starts cmd, which receives onDeath when this process dies in whatever way.
func startProcess(cmd *exec.Cmd, onDeath syscall.Signal) (*process, error) {
	output, err := os.CreateTemp("", "usher-testkit-*.log")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(output.Name()); err != nil {
		return nil, err
	}
	cmd.Stdout, cmd.Stderr = output, output
	DieWithParent(cmd, onDeath)

	p := &process{cmd: cmd, output: output, done: make(chan struct{})}
	started := make(chan error)
	go p.supervise(started)
	if err := <-started; err != nil {
		output.Close()
		return nil, err
	}
	return p, nil
}

// supervise starts the program and waits for its end. Linux sends the signal of [DieWithParent] when the
// thread that started the program ends, not the whole process, so this goroutine keeps its thread.
func (p *process) supervise(started chan<- error) {
	runtime.LockOSThread()
	err := p.cmd.Start()
	started <- err
	if err != nil {
		return
	}
	_ = p.cmd.Wait() // the exit status of a server that was told to stop tells nothing
	close(p.done)
}

// stop sends the signal and waits for the end, for which it reaches for SIGKILL if need be.
func (p *process) stop(signal os.Signal) {
	_ = p.cmd.Process.Signal(signal) // it may have ended by itself
	select {
	case <-p.done:
	case <-time.After(stopGrace):
		_ = p.cmd.Process.Kill()
		<-p.done
	}
	p.output.Close()
}

// ended tells whether the program has ended.
func (p *process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// lastWords returns the end of what the program has printed, for error texts.
func (p *process) lastWords() string {
	const most = 2000
	size, err := p.output.Seek(0, io.SeekEnd)
	if err != nil {
		return fmt.Sprintf("(output lost: %v)", err)
	}
	text := make([]byte, min(size, most))
	n, _ := p.output.ReadAt(text, size-int64(len(text))) // what could be read is better than nothing
	return string(text[:n])
}
