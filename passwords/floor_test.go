package passwords_test

import (
	"context"
	"crypto/pbkdf2"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"usher/passwords"
)

// pbkdf2Hash is an imported hash of goodPassword.
func pbkdf2Hash(t testing.TB, iterations int) string {
	t.Helper()
	key, err := pbkdf2.Key(sha256.New, goodPassword, []byte("seasalt"), iterations, sha256.Size)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("pbkdf2_sha256$%d$seasalt$%s", iterations, base64.StdEncoding.EncodeToString(key))
}

// quick is a hasher whose own hashes take less than a millisecond.
func quick(parallel int) *passwords.Hasher {
	return passwords.NewHasherOf(parallel, passwords.Cost{MemoryKiB: 64, Passes: 1})
}

func refused(t testing.TB, h *passwords.Hasher, hash string) time.Duration {
	t.Helper()
	began := time.Now()
	if match, err := h.Compare(t.Context(), "a wrong password", hash, passwords.Later); err != nil || match {
		t.Fatalf("Compare = %v, %v", match, err)
	}
	return time.Since(began)
}

// floored returns a hasher with a floor, and a hash that it made. In a bubble of synctest a hash takes no time, so that all
// times there are exact.
func floored(t testing.TB, floor time.Duration) (h *passwords.Hasher, own string) {
	t.Helper()
	h = quick(1)
	own, err := h.Hash(t.Context(), goodPassword, passwords.First)
	if err != nil {
		t.Fatal(err)
	}
	h.FixFloor(floor)
	return h, own
}

func TestCompare_refuses_every_kind_of_hash_after_the_same_time(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const floor = 300 * time.Millisecond
		h, own := floored(t, floor)
		kinds := map[string]string{
			"no account": "", "own": own, "pbkdf2": pbkdf2Hash(t, 1000), "bcrypt": djangoHashes(t)[4].Hash,
		}
		for kind, hash := range kinds {
			if took := refused(t, h, hash); took != floor {
				t.Errorf("%s: refused after %v, want %v", kind, took, floor)
			}
		}
		for _, computed := range []time.Duration{0, 100 * time.Millisecond, floor, time.Second} {
			began := time.Now()
			h.AwaitFloor(t.Context(), computed)
			if waited := time.Since(began); waited != max(floor-computed, 0) {
				t.Errorf("after a hash of %v a refusal waits %v, want the rest of %v", computed, waited, floor)
			}
		}
	})
}

func TestFloor_is_for_refusals_and_holds_no_slot(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const floor = 300 * time.Millisecond
		h, own := floored(t, floor)
		began := time.Now()
		var group sync.WaitGroup
		for range 20 {
			group.Go(func() { refused(t, h, "") })
		}
		if match, err := h.Compare(t.Context(), goodPassword, own, passwords.First); err != nil || !match {
			t.Fatalf("Compare = %v, %v", match, err)
		}
		if took := time.Since(began); took != 0 {
			t.Errorf("a right password waited %v behind refusals, whose floor is %v", took, floor)
		}
		group.Wait()
		if took := time.Since(began); took != floor {
			t.Errorf("20 refusals at once took %v through one slot, the floor is %v", took, floor)
		}
		ctx, cancel := context.WithCancel(t.Context())
		began = time.Now()
		time.AfterFunc(floor/10, cancel)
		if _, err := h.Compare(ctx, "a wrong password", "", passwords.Later); err != nil {
			t.Errorf("a request that is over: %v", err)
		}
		if took := time.Since(began); took != floor/10 {
			t.Errorf("a request that was over after %v waited %v", floor/10, took)
		}
	})
}

func TestFloor_follows_the_imported_hashes(t *testing.T) {
	t.Parallel()
	h := quick(1)
	refused(t, h, "")
	if floor := h.Floor(); floor != 0 {
		t.Errorf("floor %v although nothing was imported", floor)
	}
	refused(t, h, pbkdf2Hash(t, 20_000)) // it was imported since
	if h.Floor() == 0 {
		t.Error("no floor after an imported hash")
	}
	if took := refused(t, h, ""); took < h.Floor() {
		t.Errorf("refused after %v, the floor is %v", took, h.Floor())
	}
	if err := h.SetFloor(t.Context(), nil); err != nil || h.Floor() != 0 {
		t.Errorf("floor %v when the last has signed in: %v", h.Floor(), err)
	}
}

func TestSetFloor_measures_the_costliest_hash(t *testing.T) {
	t.Parallel()
	h, cheap, dear := quick(1), pbkdf2Hash(t, 10), pbkdf2Hash(t, 20_000)
	// The least of some measurements is that of a moment when the machine did nothing else.
	least := func(imported ...string) time.Duration {
		floor := time.Hour
		for range 5 {
			if err := h.SetFloor(t.Context(), imported); err != nil {
				t.Fatal(err)
			}
			floor = min(floor, h.Floor())
		}
		return floor
	}
	low, first, last := least(cheap), least(dear, cheap), least(cheap, dear)
	if low <= 0 || first <= low || last <= low {
		t.Errorf("the floor is %v for a cheap hash, %v and %v with one that costs 2000 times as much", low, first, last)
	}
}
