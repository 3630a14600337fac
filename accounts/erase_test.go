package accounts_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"usher/accounts"
)

func TestErase_deletes_the_rest_when_the_account_is_gone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	account := w.registered(t)
	w.steps()
	if err := w.Erase(t.Context(), account.ID); err != nil {
		t.Fatal(err)
	}
	want := []string{"erase", "forget", "forget messages", "mark forgotten"}
	if got := w.steps(); !slices.Equal(got, want) {
		t.Errorf("steps %q, want %q", got, want)
	}
	if err := w.Erase(t.Context(), "no-such-id"); !errors.Is(err, accounts.ErrNotFound) {
		t.Errorf("Erase of no account = %v", err)
	}
}

// The account is gone even if Redis is unavailable. A worker deletes the rest, and again an hour later.
func TestErase_is_finished_by_a_worker(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	account := w.registered(t)
	w.fail["forget"] = errors.New("unavailable")
	if err := w.Erase(t.Context(), account.ID); err != nil {
		t.Fatal(err)
	}
	w.wantForgotten(t, "while Redis is unavailable", 1, true)
	delete(w.fail, "forget")
	w.wantForgotten(t, "when it is back", 1, false)
	w.wantForgotten(t, "at once again", 0, false)
	w.clock.Advance(2 * time.Hour)
	w.wantForgotten(t, "two hours later", 1, false)
	w.wantForgotten(t, "after that", 0, false)
}

func (w *world) wantForgotten(t *testing.T, when string, want int, failed bool) {
	t.Helper()
	n, err := w.ForgetErased(t.Context(), 10)
	if n != want || (err != nil) != failed {
		t.Errorf("ForgetErased %s = %d, %v; want %d", when, n, err, want)
	}
}

// One pass over Redis is enough for all accounts that are due, also when one of them cannot be erased.
func TestEraseDue_erases_all_at_once(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.mu.Lock()
	for _, id := range []string{"a", "b", "c"} {
		w.people[id] = accounts.Account{ID: id, Active: true, DeleteAt: w.clock.Now()}
	}
	w.mu.Unlock()
	w.clock.Advance(time.Hour)
	w.steps()
	if n, err := w.EraseDue(t.Context(), 10); n != 3 || err != nil {
		t.Errorf("EraseDue = %d, %v", n, err)
	}
	want := []string{"due deletions", "erase", "erase", "erase", "forget", "forget messages", "mark forgotten"}
	if got := w.steps(); !slices.Equal(got, want) {
		t.Errorf("steps %q, want %q", got, want)
	}
	w.mu.Lock()
	w.people["d"] = accounts.Account{ID: "d", Active: true, DeleteAt: w.clock.Now()}
	w.mu.Unlock()
	w.fail["erase"] = errors.New("unavailable")
	if n, err := w.EraseDue(t.Context(), 10); n != 0 || err == nil {
		t.Errorf("EraseDue that fails = %d, %v", n, err)
	}
}
