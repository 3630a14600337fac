package accounts_test

import (
	"errors"
	"fmt"
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

// One pass over Redis is enough for all accounts that are due.
func TestEraseDue_leaves_the_rest_to_one_pass(t *testing.T) {
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
	w.wantForgotten(t, "after that", 3, false)
	want := []string{
		"due deletions", "erase", "erase", "erase", "free names", "erased remains", "forget", "forget messages", "mark forgotten",
	}
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

// What was done is noted, so that the next run goes on.
func TestForgetErased_notes_what_is_done(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.mu.Lock()
	for i := range 50 {
		id := fmt.Sprintf("account %02d", i)
		w.people[id] = accounts.Account{ID: id, Active: true, DeleteAt: w.clock.Now()}
	}
	w.mu.Unlock()
	w.clock.Advance(time.Hour)
	if n, err := w.EraseDue(t.Context(), 50); n != 50 || err != nil {
		t.Fatalf("EraseDue = %d, %v", n, err)
	}
	w.fail["forget messages of account 07"] = errors.New("unavailable")
	if _, err := w.ForgetErased(t.Context(), 50); err == nil {
		t.Error("ForgetErased did not return the error")
	}
	clear(w.fail)
	if n, err := w.ForgetErased(t.Context(), 50); n < 1 || n > 20 || err != nil {
		t.Errorf("ForgetErased afterwards = %d, %v; want one part of what is left", n, err)
	}
}
