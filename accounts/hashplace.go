package accounts

import (
	"context"
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os/exec"
	"sync"
	"time"
)

const (
	// hashIdle is how long a process that has nothing to hash keeps its memory, some 30 MiB of its own.
	hashIdle = time.Minute
	// hashLimit is how long a process may take for one hash, or to end. A second is the most that any hash
	// takes of a core, of which requests may leave it a third.
	hashLimit = 4 * time.Second
)

// hashPlace works on one hash at a time: in a process of its own, which it starts when there is work and ends
// when there has been none for a while, or in this process.
type hashPlace struct {
	command func() *exec.Cmd // nil: in this process
	logger  *slog.Logger     // nil as well

	mu      sync.Mutex
	process *hashProcess // nil while there is none
	retire  *time.Timer  // ends it
	rest    time.Time    // until then none is started: the last time failed
}

// errResting is no news.
var errResting = errors.New("hash process is in its start cooldown")

// do never fails for want of a process: then the hash is made here, where requests wait for it.
func (p *hashPlace) do(ctx context.Context, task hashTask) hashResult {
	if p.command == nil {
		return task.do()
	}
	result, err := p.ask(task)
	if err == nil {
		return result
	}
	if !errors.Is(err, errResting) {
		p.logger.WarnContext(ctx, "password hashed in the API's own process", "error", err)
	}
	return task.do()
}

func (p *hashPlace) ask(task hashTask) (hashResult, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.process == nil {
		if time.Now().Before(p.rest) {
			return hashResult{}, errResting
		}
		process, err := startHashProcess(p.command())
		if err != nil {
			p.rest = time.Now().Add(hashIdle)
			return hashResult{}, err
		}
		p.process = process
		p.retire = time.AfterFunc(hashIdle, p.stop)
	}
	asked := time.Now()
	result, err := p.process.ask(task)
	if err != nil {
		p.drop()
		if time.Since(asked) >= hashLimit { // frozen: so may be the next one
			p.rest = time.Now().Add(hashIdle)
		}
		return hashResult{}, err
	}
	p.retire.Reset(hashIdle)
	return result, nil
}

// stop ends the process when the work in hand is done. The next task starts another.
func (p *hashPlace) stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.process != nil {
		p.drop()
	}
}

// drop ends the process, with p.mu held.
func (p *hashPlace) drop() {
	p.retire.Stop()
	p.process.end()
	p.process = nil
}

// hashProcess is a process that runs [ServeHashes].
type hashProcess struct {
	cmd     *exec.Cmd
	stdin   io.Closer
	tasks   *gob.Encoder
	results *gob.Decoder
}

func startHashProcess(cmd *exec.Cmd) (*hashProcess, error) {
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("start process for hashes: %w", err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("start process for hashes: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start process for hashes: %w", err)
	}
	return &hashProcess{cmd, stdin, gob.NewEncoder(stdin), gob.NewDecoder(stdout)}, nil
}

// ask returns an error when the process has ended, or has to, and is of no more use.
func (p *hashProcess) ask(task hashTask) (result hashResult, err error) {
	defer p.killAfter(hashLimit).Stop()
	if err := p.tasks.Encode(task); err != nil {
		return result, fmt.Errorf("ask process for a hash: %w", err)
	}
	if err := p.results.Decode(&result); err != nil {
		return result, fmt.Errorf("read hash of process: %w", err)
	}
	return result, nil
}

// end lets the process come to its end and waits for that.
func (p *hashProcess) end() {
	defer p.killAfter(hashLimit).Stop()
	p.stdin.Close()
	_ = p.cmd.Wait() // nothing of it is needed any more
}

func (p *hashProcess) killAfter(limit time.Duration) *time.Timer {
	return time.AfterFunc(limit, func() { _ = p.cmd.Process.Kill() }) // it may have ended by itself
}
