package accounts

import (
	"context"
	"strings"
	"time"
)

// floorMost bounds the floor: the costliest hash that is imported takes about a second of a core.
const floorMost = 2 * time.Second

// ImportSample is how many imported hashes [Hasher.SetFloor] is to be given: enough to meet every cost that is
// common among them.
const ImportSample = 1000

// SetFloor measures how long the costliest of these imported hashes takes here, and has every refusal of [Hasher.Compare]
// take a quarter more than that from then on: the time of a refusal would else tell which login belongs to an imported
// account. Without hashes there is no floor. It tries each cost once.
func (h *Hasher) SetFloor(ctx context.Context, imported []string) error {
	var slowest time.Duration
	tried := map[string]bool{}
	for _, hash := range imported {
		cost := djangoCost(hash)
		if cost == "" || tried[cost] {
			continue
		}
		if len(tried) == 0 { // so that the start of a process is not measured
			if _, _, err := h.do(ctx, hashTask{Password: unusable, Hash: h.dummy}, Later); err != nil {
				return err
			}
		}
		tried[cost] = true
		_, took, err := h.do(ctx, hashTask{Password: unusable, Hash: hash}, Later)
		if err != nil {
			return err
		}
		slowest = max(slowest, took)
	}
	h.floor.Store(int64(floorAbove(slowest)))
	return nil
}

// Floor is how long a refusal takes at least from the moment at which its comparison begins; 0 without imported hashes.
func (h *Hasher) Floor() time.Duration { return time.Duration(h.floor.Load()) }

// unusable is compared only to see how long that takes.
const unusable = "no password of anybody"

func floorAbove(took time.Duration) time.Duration { return min(took+took/4, floorMost) }

// raiseFloor is for an imported hash that took longer than those that were measured: it came later, or the machine is
// busy.
func (h *Hasher) raiseFloor(took time.Duration) {
	for {
		floor := h.floor.Load()
		if int64(took) <= floor || floor >= int64(floorMost) || h.floor.CompareAndSwap(floor, int64(floorAbove(took))) {
			return
		}
	}
}

// awaitFloor waits for what is left of the floor, or for the end of the request. The place is free meanwhile: only the
// request itself and its connection are kept, of as many refusals as can be computed within a floor.
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

// djangoCost names the algorithm and the cost of an imported hash; empty for any other.
func djangoCost(hash string) string {
	if _, imported := parseDjango(hash); !imported {
		return ""
	}
	parts := strings.Split(hash, "$")
	if parts[0] == "pbkdf2_sha256" {
		return strings.Join(parts[:2], "$") // iterations
	}
	return strings.Join(parts[:4], "$") // the version and its parameters
}
