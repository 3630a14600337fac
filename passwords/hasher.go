package passwords

import (
	"context"
	"encoding/base64"
	"fmt"
	"log/slog"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/alexedwards/argon2id"
	"golang.org/x/crypto/argon2"
)

// Hasher makes and compares argon2id hashes, a bounded number at once: each needs 19 MiB and a core for about 20 ms.
// It is safe for concurrent use; make it with [NewHasher] or [NewProcessHasher].
type Hasher struct {
	params  argon2id.Params
	workers []*worker
	slots   slots
	dummy   string
	floor   atomic.Int64 // nanoseconds, see Floor
}

// Cost is what one hash needs: memory in KiB and passes over it. The text of a hash contains its own cost, so the
// default can be raised later.
type Cost struct{ MemoryKiB, Passes uint32 }

// DefaultCost is the smallest that OWASP recommends for one lane.
func DefaultCost() Cost { return Cost{MemoryKiB: 19 * 1024, Passes: 2} }

// NewHasher returns a hasher of the default cost that computes up to parallel hashes at once, at least one, in this
// process. There it slows requests down: Go's scheduler takes a core away from a hash only every 10 ms, and polls the
// network when a core is idle.
func NewHasher(parallel int) *Hasher { return NewHasherOf(parallel, DefaultCost()) }

// NewHasherOf returns a hasher of another cost. Tests of other subjects sign people in by the hundred, and under the
// race detector a hash of the default cost needs half a second.
func NewHasherOf(parallel int, cost Cost) *Hasher { return newHasher(parallel, cost, nil, nil) }

// NewProcessHasher returns a hasher of the default cost with one worker process for each parallel hash, so that the
// operating system shares the cores between hashes and requests. The command starts a program that runs [Serve] on its
// standard input and output. A worker process is started when it is needed and ended after a minute without work.
// While none can be started, the hasher logs a warning and computes hashes in this process.
func NewProcessHasher(parallel int, command func() *exec.Cmd, logger *slog.Logger) *Hasher {
	return newHasher(parallel, DefaultCost(), command, logger)
}

func newHasher(parallel int, cost Cost, command func() *exec.Cmd, logger *slog.Logger) *Hasher {
	h := &Hasher{
		params: argon2id.Params{
			Memory: cost.MemoryKiB, Iterations: cost.Passes, Parallelism: 1, SaltLength: 16, KeyLength: 32,
		},
	}
	for range max(parallel, 1) {
		w := &worker{command: command, logger: logger}
		h.workers = append(h.workers, w)
		h.slots.release(w)
	}
	h.dummy = fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=1$%s$%s", argon2.Version, cost.MemoryKiB, cost.Passes,
		base64.RawStdEncoding.EncodeToString(make([]byte, h.params.SaltLength)),
		base64.RawStdEncoding.EncodeToString(make([]byte, h.params.KeyLength)))
	return h
}

// Close ends the worker processes of [NewProcessHasher] when their present hashes are done. A later hash starts them
// again. The error is always nil.
func (h *Hasher) Close() error {
	var group sync.WaitGroup
	for _, w := range h.workers {
		group.Go(w.stop)
	}
	group.Wait()
	return nil
}

// Hash returns the hash of a normalised password. It returns [ErrBusy] when no slot became free within a second, and
// the context's error when that ended first. A hash that has begun is finished.
func (h *Hasher) Hash(ctx context.Context, password string, priority Priority) (string, error) {
	result, _, err := h.do(ctx, task{Password: password, Params: h.params}, priority)
	return result.Hash, err
}

// Compare reports whether the hash was made from the password, which is given as it was typed: our own hashes are made
// from its normal form, imported ones are not. An empty hash matches no password but costs the same, so that the time
// does not show whether an account exists. An imported hash costs what it did where it came from; [Hasher.SetFloor]
// makes every refusal take as long. Errors are those of [Hasher.Hash].
func (h *Hasher) Compare(ctx context.Context, password, hash string, priority Priority) (bool, error) {
	exists := hash != ""
	if !exists {
		hash = h.dummy
	}
	result, took, err := h.do(ctx, task{Password: password, Hash: hash}, priority)
	if err != nil {
		return false, err
	}
	if IsImported(hash) {
		h.raiseFloor(took)
	}
	if result.Match && exists {
		return true, nil
	}
	h.awaitFloor(ctx, took)
	return false, nil
}

// do runs a task when a slot is free, and measures it from then on.
func (h *Hasher) do(ctx context.Context, t task, priority Priority) (result, time.Duration, error) {
	w, err := h.slots.acquire(ctx, priority)
	if err != nil {
		return result{}, 0, err
	}
	defer h.slots.release(w)
	began := time.Now()
	r := w.do(ctx, t)
	if r.Error != "" {
		return result{}, 0, fmt.Errorf("hash password: %s", r.Error)
	}
	return r, time.Since(began), nil
}

// maxFloor bounds the floor: the costliest hash that can be imported needs a core for about a second.
const maxFloor = 2 * time.Second

// ImportSample is how many imported hashes [Hasher.SetFloor] should get: enough to include every common cost.
const ImportSample = 1000

// SetFloor measures how long the costliest of these imported hashes takes on this machine. From then on every refusal of
// [Hasher.Compare] takes a quarter more than that: otherwise the time of a refusal would show which login belongs to an
// imported account. Without hashes there is no floor. It tries each cost once.
func (h *Hasher) SetFloor(ctx context.Context, imported []string) error {
	var slowest time.Duration
	tried := map[string]bool{}
	for _, hash := range imported {
		cost := djangoCost(hash)
		if cost == "" || tried[cost] {
			continue
		}
		if len(tried) == 0 { // starts the process, so that its start is not measured
			if _, _, err := h.do(ctx, task{Password: unusable, Hash: h.dummy}, Later); err != nil {
				return err
			}
		}
		tried[cost] = true
		_, took, err := h.do(ctx, task{Password: unusable, Hash: hash}, Later)
		if err != nil {
			return err
		}
		slowest = max(slowest, took)
	}
	h.floor.Store(int64(floorAbove(slowest)))
	return nil
}

// Floor is the least time of a refusal, from the moment at which its comparison begins; 0 without imported hashes.
func (h *Hasher) Floor() time.Duration { return time.Duration(h.floor.Load()) }

// unusable is compared only to measure the time.
const unusable = "no account has this password"

func floorAbove(took time.Duration) time.Duration { return min(took+took/4, maxFloor) }

// raiseFloor is for an imported hash that took longer than those that SetFloor measured: it was imported later, or the
// machine is busy.
func (h *Hasher) raiseFloor(took time.Duration) {
	for {
		floor := h.floor.Load()
		if int64(took) <= floor || floor >= int64(maxFloor) || h.floor.CompareAndSwap(floor, int64(floorAbove(took))) {
			return
		}
	}
}

// awaitFloor waits for the rest of the floor, or for the end of the request. The slot is free meanwhile: a refusal keeps
// only its request and connection, and there are at most as many as can be computed within a floor.
func (h *Hasher) awaitFloor(ctx context.Context, took time.Duration) {
	left := h.Floor() - took
	if left <= 0 {
		return
	}
	timer := time.NewTimer(left)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// djangoCost names the algorithm and the cost of an imported hash; it is empty for any other hash.
func djangoCost(hash string) string {
	if !IsImported(hash) {
		return ""
	}
	parts := strings.Split(hash, "$")
	if parts[0] == "pbkdf2_sha256" {
		return strings.Join(parts[:2], "$") // iterations
	}
	return strings.Join(parts[:4], "$") // the version and its parameters
}
