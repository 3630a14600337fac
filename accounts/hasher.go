package accounts

import (
	"context"
	"encoding/base64"
	"fmt"
	"log/slog"
	"os/exec"
	"sync"
	"sync/atomic"
	"time"

	"github.com/alexedwards/argon2id"
	"golang.org/x/crypto/argon2"
)

// Hasher makes and compares argon2id hashes, a bounded number at once: each takes 19 MiB and a core for
// about 20 ms. It is safe for concurrent use; make it with [NewHasher] or [NewOutsideHasher].
type Hasher struct {
	params argon2id.Params
	places []*hashPlace
	queue  hashQueue
	dummy  string
	floor  atomic.Int64 // nanoseconds, see Floor
}

// Cost is what one hash takes: memory in KiB and passes over it. A hash's text carries its own, so the
// cost can be raised later.
type Cost struct{ MemoryKiB, Passes uint32 }

// DefaultCost is the smallest that OWASP recommends for one lane.
func DefaultCost() Cost { return Cost{MemoryKiB: 19 * 1024, Passes: 2} }

// NewHasher returns a hasher of the default cost that runs so many hashes at once, at least one, in this
// process. Beside requests it stands in their way: Go gives a core away every 10 ms, and looks for what has
// come from the network when a core has nothing else to do.
func NewHasher(parallel int) *Hasher { return NewHasherOf(parallel, DefaultCost()) }

// NewHasherOf returns a hasher of another cost. Tests that are about something else sign people in by the
// hundred: under the race detector a hash of the default cost takes half a second.
func NewHasherOf(parallel int, cost Cost) *Hasher { return newHasher(parallel, cost, nil, nil) }

// NewOutsideHasher returns a hasher of the default cost that runs each of so many hashes in a process of its
// own, so that the system shares the cores between hashes and requests. The command starts a program that
// runs [ServeHashes] on its standard input and output; it is started when it is needed and ended when it has
// not been for a minute. Passwords are hashed here while none can be started, which is logged.
func NewOutsideHasher(parallel int, command func() *exec.Cmd, logger *slog.Logger) *Hasher {
	return newHasher(parallel, DefaultCost(), command, logger)
}

func newHasher(parallel int, cost Cost, command func() *exec.Cmd, logger *slog.Logger) *Hasher {
	parallel = max(parallel, 1)
	h := &Hasher{
		params: argon2id.Params{
			Memory: cost.MemoryKiB, Iterations: cost.Passes, Parallelism: 1, SaltLength: 16, KeyLength: 32,
		},
	}
	for range parallel {
		place := &hashPlace{command: command, logger: logger}
		h.places = append(h.places, place)
		h.queue.release(place)
	}
	h.dummy = fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=1$%s$%s", argon2.Version, cost.MemoryKiB, cost.Passes,
		base64.RawStdEncoding.EncodeToString(make([]byte, h.params.SaltLength)),
		base64.RawStdEncoding.EncodeToString(make([]byte, h.params.KeyLength)))
	return h
}

// Close ends the processes of [NewOutsideHasher] when the hashes in hand are done. Whoever hashes after that
// starts them again. The error is always nil.
func (h *Hasher) Close() error {
	var group sync.WaitGroup
	for _, place := range h.places {
		group.Go(place.stop)
	}
	group.Wait()
	return nil
}

// Hash returns the hash of a normalised password. It returns ErrPasswordBusy when its turn did not come
// in a second, and the context's error when that ended first. A hash that has begun is not given up.
func (h *Hasher) Hash(ctx context.Context, password string, priority Priority) (string, error) {
	result, _, err := h.do(ctx, hashTask{Password: password, Params: h.params}, priority)
	return result.Hash, err
}

// Compare reports whether the hash was made from the password, which is given as it was typed: our own
// hashes are made from its normal form, imported ones are not. An empty hash matches nothing but costs
// the same, so that the time tells nobody whether an account exists; an imported hash costs what it did
// where it came from, and where there are any, every refusal takes as long, see [Hasher.SetFloor]. Errors are those of
// Hash.
func (h *Hasher) Compare(ctx context.Context, password, hash string, priority Priority) (bool, error) {
	exists := hash != ""
	if !exists {
		hash = h.dummy
	}
	result, took, err := h.do(ctx, hashTask{Password: password, Hash: hash}, priority)
	if err != nil {
		return false, err
	}
	if djangoCost(hash) != "" {
		h.raiseFloor(took)
	}
	if result.Match && exists {
		return true, nil
	}
	h.awaitFloor(ctx, took)
	return false, nil
}

// do works on a task when it is its turn, and says how long it took from then on.
func (h *Hasher) do(ctx context.Context, task hashTask, priority Priority) (hashResult, time.Duration, error) {
	place, err := h.queue.acquire(ctx, priority)
	if err != nil {
		return hashResult{}, 0, err
	}
	defer h.queue.release(place)
	began := time.Now()
	result := place.do(ctx, task)
	if result.Error != "" {
		return hashResult{}, 0, fmt.Errorf("hash password: %s", result.Error)
	}
	return result, time.Since(began), nil
}
