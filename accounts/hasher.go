package accounts

import (
	"context"
	"fmt"
	"time"

	"github.com/alexedwards/argon2id"
)

// hashWait is how long a request waits for its turn to hash. Clients come back later than that with
// less harm than they queue up in memory.
const hashWait = time.Second

// Hasher makes and compares argon2id hashes, a bounded number at once: each takes 19 MiB and a core for
// about 20 ms. It is safe for concurrent use; make it with [NewHasher].
type Hasher struct {
	params *argon2id.Params
	slots  chan struct{}
	dummy  string
}

// Cost is what one hash takes: memory in KiB and passes over it. A hash's text carries its own, so the
// cost can be raised later.
type Cost struct{ MemoryKiB, Passes uint32 }

// DefaultCost is the smallest that OWASP recommends for one lane.
func DefaultCost() Cost { return Cost{MemoryKiB: 19 * 1024, Passes: 2} }

// NewHasher returns a hasher of the default cost that runs so many hashes at once, at least one.
func NewHasher(parallel int) *Hasher { return NewHasherOf(parallel, DefaultCost()) }

// NewHasherOf returns a hasher of another cost. Tests that are about something else sign people in by the
// hundred: under the race detector a hash of the default cost takes half a second.
func NewHasherOf(parallel int, cost Cost) *Hasher {
	h := &Hasher{
		params: &argon2id.Params{
			Memory: cost.MemoryKiB, Iterations: cost.Passes, Parallelism: 1, SaltLength: 16, KeyLength: 32,
		},
		slots: make(chan struct{}, max(parallel, 1)),
	}
	// The only possible error is that the system has no random bytes, on which crypto/rand ends the
	// program by itself.
	h.dummy, _ = argon2id.CreateHash("no account has this hash", h.params)
	return h
}

// Hash returns the hash of a normalised password. It returns ErrPasswordBusy when no slot became free
// in a second, and the context's error when that ended first.
func (h *Hasher) Hash(ctx context.Context, password string) (string, error) {
	if err := h.acquire(ctx); err != nil {
		return "", err
	}
	defer h.release()
	hash, err := argon2id.CreateHash(password, h.params)
	if err != nil {
		return "", fmt.Errorf("hash password: %w", err)
	}
	return hash, nil
}

// Compare reports whether the hash was made from the password, which is given as it was typed: our own
// hashes are made from its normal form, imported ones are not. An empty hash matches nothing but costs
// the same, so that the time tells nobody whether an account exists; an imported hash costs what it did
// where it came from. Errors are those of Hash.
func (h *Hasher) Compare(ctx context.Context, password, hash string) (bool, error) {
	if err := h.acquire(ctx); err != nil {
		return false, err
	}
	defer h.release()
	if matches, ok := parseDjango(hash); ok {
		return matches(password), nil
	}
	exists := hash != ""
	if !exists {
		hash = h.dummy
	}
	normal, problem := normalPassword(password)
	match, err := argon2id.ComparePasswordAndHash(normal, hash)
	if err != nil {
		return false, fmt.Errorf("compare password: %w", err)
	}
	return match && exists && problem == "", nil
}

func (h *Hasher) acquire(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	timer := time.NewTimer(hashWait)
	defer timer.Stop()
	select {
	case h.slots <- struct{}{}:
		return nil
	case <-timer.C:
		return ErrPasswordBusy
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (h *Hasher) release() { <-h.slots }
