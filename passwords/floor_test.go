package passwords_test

import (
	"context"
	"crypto/pbkdf2"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"usher/passwords"
)

// slowHash is an imported hash of goodPassword that takes some hundred times as long as those of quick.
func slowHash(t testing.TB, iterations int) string {
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

func TestCompare_refuses_every_kind_of_hash_after_the_same_time(t *testing.T) {
	t.Parallel()
	h, slow := quick(1), slowHash(t, 80_000)
	own, err := h.Hash(t.Context(), goodPassword, passwords.First)
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[string]string{"no account": "", "own": own, "pbkdf2": slow, "bcrypt": djangoHashes(t)[4].Hash}
	if err := h.SetFloor(t.Context(), []string{slow, djangoHashes(t)[4].Hash, slow}); err != nil {
		t.Fatal(err)
	}
	gap := 0.0
	for range 6 { // a machine that does something else meanwhile is no proof
		times := map[string][]time.Duration{}
		for range 5 {
			for kind, hash := range kinds {
				times[kind] = append(times[kind], refused(t, h, hash))
			}
		}
		var medians []time.Duration
		for _, all := range times {
			slices.Sort(all)
			medians = append(medians, all[len(all)/2])
		}
		gap = 100 * float64(slices.Max(medians)-slices.Min(medians)) / float64(slices.Min(medians))
		t.Logf("floor %v, median gap %.1f %%", h.Floor(), gap)
		if gap < 5 {
			return
		}
	}
	t.Errorf("the medians differ by %.1f %%, want less than 5", gap)
}

func TestFloor_is_for_refusals_and_holds_no_slot(t *testing.T) {
	t.Parallel()
	h := quick(1)
	own, err := h.Hash(t.Context(), goodPassword, passwords.First)
	if err != nil {
		t.Fatal(err)
	}
	if err := h.SetFloor(t.Context(), []string{slowHash(t, 100_000)}); err != nil {
		t.Fatal(err)
	}
	floor, began := h.Floor(), time.Now()
	var group sync.WaitGroup
	for range 20 {
		group.Go(func() { refused(t, h, "") })
	}
	if match, err := h.Compare(t.Context(), goodPassword, own, passwords.First); err != nil || !match {
		t.Fatalf("Compare = %v, %v", match, err)
	}
	if took := time.Since(began); took >= floor {
		t.Errorf("a right password waited %v behind refusals, whose floor is %v", took, floor)
	}
	group.Wait()
	if took := time.Since(began); took < floor || took > 10*floor {
		t.Errorf("20 refusals at once took %v through one slot, the floor is %v", took, floor)
	}
	ctx, cancel := context.WithCancel(t.Context())
	began = time.Now()
	time.AfterFunc(floor/10, cancel)
	if _, err := h.Compare(ctx, "a wrong password", "", passwords.Later); err != nil {
		t.Errorf("a request that is over: %v", err)
	}
	if took := time.Since(began); took >= floor {
		t.Errorf("a request that is over waited %v", took)
	}
}

func TestFloor_follows_the_imported_hashes(t *testing.T) {
	t.Parallel()
	h := quick(1)
	refused(t, h, "")
	if floor := h.Floor(); floor != 0 {
		t.Errorf("floor %v although nothing was imported", floor)
	}
	refused(t, h, slowHash(t, 20_000)) // it was imported since
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
