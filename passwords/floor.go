package passwords

import (
	"context"
	"strings"
	"time"
)

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
