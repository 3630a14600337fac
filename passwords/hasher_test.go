package passwords_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"usher/passwords"
)

func TestNewHasher_takes_what_OWASP_recommends(t *testing.T) {
	t.Parallel()
	hash, err := passwords.NewHasher(1).Hash(t.Context(), "correct horse", passwords.First)
	if err != nil || !strings.HasPrefix(hash, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Errorf("hash = %q, %v", hash, err)
	}
}

func TestHasher_compares(t *testing.T) {
	t.Parallel()
	h := passwords.NewHasher(0) // still one
	hash, err := h.Hash(t.Context(), goodPassword, passwords.First)
	if err != nil {
		t.Fatal(err)
	}
	if again, _ := h.Hash(t.Context(), goodPassword, passwords.First); again == hash {
		t.Error("two hashes share their salt")
	}
	for password, want := range map[string]bool{goodPassword: true, goodPassword + "x": false, "": false} {
		if got, err := h.Compare(t.Context(), password, hash, passwords.First); err != nil || got != want {
			t.Errorf("Compare(%q) = %v, %v, want %v", password, got, err, want)
		}
	}
	if got, err := h.Compare(t.Context(), "no account has this hash", "", passwords.First); err != nil || got {
		t.Errorf("Compare with no hash = %v, %v", got, err)
	}
	if _, err := h.Compare(t.Context(), goodPassword, "plain text", passwords.First); err == nil {
		t.Error("Compare with rubbish reported no error")
	}
}

func TestHasher_works_on_as_many_at_once_as_it_was_told(t *testing.T) {
	t.Parallel()
	for parallel, want := range map[int]int{2: 2, 7: 7, 0: 1, -1: 1} {
		if got := passwords.NewHasher(parallel).Slots(); got != want {
			t.Errorf("NewHasher(%d) has %d slots, want %d", parallel, got, want)
		}
	}
}

func TestHasher_waits_a_second_for_a_slot(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := passwords.NewHasher(2)
		release := h.Occupy()
		start := time.Now()
		if _, err := h.Hash(t.Context(), goodPassword, passwords.First); !errors.Is(err, passwords.ErrBusy) {
			t.Errorf("Hash = %v, want ErrPasswordBusy", err)
		}
		if waited := time.Since(start); waited != time.Second {
			t.Errorf("waited %v", waited)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if _, err := h.Compare(ctx, goodPassword, "", passwords.First); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Compare = %v, want the context's error", err)
		}
		release()
		if _, err := h.Hash(ctx, goodPassword, passwords.First); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Hash for a client that has gone = %v, want the context's error", err)
		}
		if _, err := h.Hash(t.Context(), goodPassword, passwords.First); err != nil {
			t.Errorf("Hash after the crowd has gone = %v", err)
		}
	})
}

func BenchmarkHasher_Hash(b *testing.B) {
	h := passwords.NewHasher(1)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := h.Hash(b.Context(), goodPassword, passwords.First); err != nil {
			b.Fatal(err)
		}
	}
}
