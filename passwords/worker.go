package passwords

import (
	"context"
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os/exec"
	"runtime"
	"runtime/debug"
	"sync"
	"time"

	"github.com/alexedwards/argon2id"
)

const (
	// idleLimit is how long an idle process keeps its memory, about 30 MiB of its own. A process that could not be
	// started is not tried again for as long.
	idleLimit = time.Minute
	// taskLimit is how long a process may take for one hash, or to end. A hash needs a core for a second at most, and
	// requests may leave it a third of one.
	taskLimit = 4 * time.Second
)

// worker computes one hash at a time: in a process of its own, which it starts when there is work and ends when there
// has been none for a while, or in this process.
type worker struct {
	command func() *exec.Cmd // nil: in this process
	logger  *slog.Logger     // nil when command is

	mu            sync.Mutex
	process       *process    // nil while there is none
	retire        *time.Timer // ends it
	cooldownUntil time.Time   // no process is started before: the last one failed
}

// errCooldown is not logged: the failure that began the cooldown was.
var errCooldown = errors.New("hash process is in its start cooldown")

// do runs the task. Without a process it computes the hash here, where it competes with requests.
func (w *worker) do(ctx context.Context, t task) result {
	if w.command == nil {
		return t.do()
	}
	r, err := w.ask(t)
	if err == nil {
		return r
	}
	if !errors.Is(err, errCooldown) {
		w.logger.WarnContext(ctx, "hash process failed: the API computed the password hash itself", "error", err)
	}
	return t.do()
}

func (w *worker) ask(t task) (result, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.process == nil {
		if time.Now().Before(w.cooldownUntil) {
			return result{}, errCooldown
		}
		p, err := startProcess(w.command())
		if err != nil {
			w.cooldownUntil = time.Now().Add(idleLimit)
			return result{}, fmt.Errorf("start hash process: %w", err)
		}
		w.process = p
		w.retire = time.AfterFunc(idleLimit, w.stop)
	}
	asked := time.Now()
	r, err := w.process.ask(t)
	if err != nil {
		w.drop()
		if time.Since(asked) >= taskLimit { // frozen: the next process may be, too
			w.cooldownUntil = time.Now().Add(idleLimit)
			err = fmt.Errorf("%w: no answer within %s, so it was ended", err, taskLimit)
		}
		return result{}, err
	}
	w.retire.Reset(idleLimit)
	return r, nil
}

// stop ends the process after its present task. The next task starts another one.
func (w *worker) stop() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.process != nil {
		w.drop()
	}
}

// drop ends the process, with w.mu held.
func (w *worker) drop() {
	w.retire.Stop()
	w.process.end()
	w.process = nil
}

// process is an operating system process that runs [Serve].
type process struct {
	cmd     *exec.Cmd
	stdin   io.Closer
	tasks   *gob.Encoder
	results *gob.Decoder
}

func startProcess(cmd *exec.Cmd) (*process, error) {
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return &process{cmd, stdin, gob.NewEncoder(stdin), gob.NewDecoder(stdout)}, nil
}

// ask returns an error when the process has ended or was killed. It must not be used again then.
func (p *process) ask(t task) (r result, err error) {
	defer p.killAfter(taskLimit).Stop()
	if err := p.tasks.Encode(t); err != nil {
		return r, fmt.Errorf("send password to hash process: %w", err)
	}
	if err := p.results.Decode(&r); err != nil {
		return r, fmt.Errorf("read hash from hash process: %w", err)
	}
	return r, nil
}

// end closes the input of the process, which ends it, and waits.
func (p *process) end() {
	defer p.killAfter(taskLimit).Stop()
	p.stdin.Close()
	_ = p.cmd.Wait() // its exit status does not matter any more
}

func (p *process) killAfter(limit time.Duration) *time.Timer {
	return time.AfterFunc(limit, func() { _ = p.cmd.Process.Kill() }) // an error means that it has ended by itself
}

// task is about 20 ms of work for a core: to compare a password, as it was typed, with a hash, or to make a hash of it
// where Hash is empty. Its fields are exported for gob.
type task struct {
	Password string
	Hash     string
	Params   argon2id.Params // of a hash that is made
}

// result is the outcome of a [task].
type result struct {
	Hash  string
	Match bool
	Error string // without any part of the password
}

func (t task) do() result {
	var r result
	var err error
	if t.Hash == "" {
		r.Hash, err = argon2id.CreateHash(t.Password, &t.Params)
	} else {
		r.Match, err = t.matches()
	}
	if err != nil {
		r.Error = err.Error()
	}
	return r
}

func (t task) matches() (bool, error) {
	if matches, ok := parseDjango(t.Hash); ok {
		return matches(t.Password), nil
	}
	normal, problem := Normalize(t.Password)
	match, err := argon2id.ComparePasswordAndHash(normal, t.Hash)
	return match && problem == nil, err
}

// Serve is the main loop of a worker process, see [NewProcessHasher]: it reads tasks from in and writes their results
// to out, one after the other, and returns nil when in ends. It tunes the whole process for that: one core, and a
// garbage collection only between two tasks.
func Serve(in io.Reader, out io.Writer) error {
	runtime.GOMAXPROCS(1)
	debug.SetGCPercent(-1)
	tasks, results := gob.NewDecoder(in), gob.NewEncoder(out)
	for {
		var t task
		err := tasks.Decode(&t)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read password to hash: %w", err)
		}
		if err := results.Encode(t.do()); err != nil {
			return fmt.Errorf("write hash: %w", err)
		}
		runtime.GC() // while no request waits, so that the next task finds free memory
	}
}
