package passwords_test

import (
	"runtime"
	"testing"

	"usher/passwords"
)

// The time of a hash is in filling its memory, and that can be counted where no clock could be trusted.
//
//nolint:paralleltest // it counts what the whole process allocates
func TestHasher_works_as_hard_for_accounts_that_do_not_exist(t *testing.T) {
	const memory = 8 << 20
	h := passwords.NewHasherOf(1, passwords.Cost{MemoryKiB: memory >> 10, Passes: 1})
	hash, err := h.Hash(t.Context(), goodPassword, passwords.First)
	if err != nil {
		t.Fatal(err)
	}
	for _, stored := range []string{hash, ""} {
		before := allocated()
		if _, err := h.Compare(t.Context(), "another password", stored, passwords.First); err != nil {
			t.Fatal(err)
		}
		if got := allocated() - before; got < memory {
			t.Errorf("comparing with %q took %d bytes of memory, want a hash's %d", stored, got, memory)
		}
	}
}

// allocated is what the process has ever allocated, in bytes.
func allocated() uint64 {
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.TotalAlloc
}
