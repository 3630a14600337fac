package passwords

import (
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"

	"github.com/alexedwards/argon2id"
)

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
