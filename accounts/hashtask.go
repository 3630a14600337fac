package accounts

import (
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"

	"github.com/alexedwards/argon2id"
)

// hashTask is work for about 20 ms of a core: to compare a password, as it was typed, with a hash, or to make
// a hash of it where there is none.
type hashTask struct {
	Password string
	Hash     string
	Params   argon2id.Params // of a hash that is made
}

// hashResult is what became of a [hashTask].
type hashResult struct {
	Hash  string
	Match bool
	Error string // without anything of the password
}

func (t hashTask) do() hashResult {
	var r hashResult
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

func (t hashTask) matches() (bool, error) {
	if matches, ok := parseDjango(t.Hash); ok {
		return matches(t.Password), nil
	}
	normal, problem := normalPassword(t.Password)
	match, err := argon2id.ComparePasswordAndHash(normal, t.Hash)
	return match && problem == "", err
}

// ServeHashes is all that a process does which [NewOutsideHasher] starts: it works for the other end of in and
// out, one hash after the other, until in ends. It sets the process up for that: a single hash never waits for
// another, and its memory is there for the next.
func ServeHashes(in io.Reader, out io.Writer) error {
	runtime.GOMAXPROCS(1)
	debug.SetGCPercent(-1)
	tasks, results := gob.NewDecoder(in), gob.NewEncoder(out)
	for {
		var task hashTask
		err := tasks.Decode(&task)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read password to hash: %w", err)
		}
		if err := results.Encode(task.do()); err != nil {
			return fmt.Errorf("write hash: %w", err)
		}
		runtime.GC() // while nobody waits
	}
}
