package sqlstore_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"usher/accounts"
	"usher/audit"
)

// blockedTests check what accounts.Store promises about blocked accounts.
var blockedTests = behaviours{
	"Block_ends_the_sessions_and_keeps_the_rest": blockedOnce,
	"Block_of_no_account":                        blockedNone,
	"A_waiting_account_stays":                    blockedWaiting,
	"HandOver_leaves_the_number":                 blockedClaimed,
	"One_of_two_superusers_stays":                blockedEachOther,
}

func blockedOnce(t *testing.T, f *fixture) {
	account, _ := f.proved(t)
	f.clock.Advance(time.Hour)
	blocked, err := f.accounts.Block(t.Context(), account.ID, f.clock.Now())
	if err != nil {
		t.Fatal(err)
	}
	want := account
	want.BlockedAt = f.clock.Now().UTC().Truncate(time.Microsecond)
	want.UpdatedAt = want.BlockedAt
	want.SessionGeneration++
	f.wantAsBefore(t, want)
	if !blocked.Blocked() || blocked.SessionGeneration != want.SessionGeneration {
		t.Errorf("Block returned %v, generation %d", blocked.BlockedAt, blocked.SessionGeneration)
	}
	if _, err := f.accounts.ChangePassword(t.Context(), account, "hash", f.change(account, accounts.ChangedPassword)); !errors.Is(err, accounts.ErrChanged) {
		t.Errorf("a change that began before the block: %v", err)
	}

	f.clock.Advance(time.Hour)
	again, err := f.accounts.Block(t.Context(), account.ID, f.clock.Now())
	if err != nil || !again.BlockedAt.Equal(want.BlockedAt) {
		t.Errorf("second Block = %v, %v", again.BlockedAt, err)
	}
	f.wantAsBefore(t, want)

	for range 2 {
		free, err := f.accounts.Unblock(t.Context(), account.ID, f.clock.Now())
		if err != nil || free.Blocked() || free.SessionGeneration != want.SessionGeneration {
			t.Errorf("Unblock = %v, generation %d, %v", free.BlockedAt, free.SessionGeneration, err)
		}
	}
	want.BlockedAt, want.UpdatedAt = time.Time{}, f.clock.Now().UTC().Truncate(time.Microsecond)
	f.wantAsBefore(t, want)
}

func blockedNone(t *testing.T, f *fixture) {
	if _, err := f.accounts.Block(t.Context(), "no-such-id", f.clock.Now()); !errors.Is(err, accounts.ErrNotFound) {
		t.Errorf("Block = %v", err)
	}
	if _, err := f.accounts.Unblock(t.Context(), "no-such-id", f.clock.Now()); !errors.Is(err, accounts.ErrNotFound) {
		t.Errorf("Unblock = %v", err)
	}
}

func blockedWaiting(t *testing.T, f *fixture) {
	address, _ := f.contacts(t)
	account, _ := f.waits(t, address, true)
	blocked, err := f.accounts.Block(t.Context(), account.ID, f.clock.Now())
	if err != nil {
		t.Fatal(err)
	}
	later := f.clock.Now().Add(time.Hour)
	if err := f.accounts.RemoveUnproved(t.Context(), account.ID, later); err != nil {
		t.Fatal(err)
	}
	if n, err := f.accounts.DropUnproved(t.Context(), later, later, 10); err != nil || n != 0 {
		t.Errorf("DropUnproved = %d, %v", n, err)
	}
	f.wantAsBefore(t, blocked)
	if _, err := f.accounts.Unblock(t.Context(), account.ID, f.clock.Now()); err != nil {
		t.Fatal(err)
	}
	if n, err := f.accounts.DropUnproved(t.Context(), later, later, 10); err != nil || n != 1 {
		t.Errorf("DropUnproved of an account that is not blocked any more = %d, %v", n, err)
	}
}

func blockedClaimed(t *testing.T, f *fixture) {
	holder, claimer, _ := f.claimed(t)
	blocked, err := f.accounts.Block(t.Context(), holder.ID, f.clock.Now())
	if err != nil {
		t.Fatal(err)
	}
	f.clock.Advance(accounts.ClaimWindow)
	if n, err := f.accounts.HandOver(t.Context(), f.clock.Now(), 10); err != nil || n != 1 {
		t.Errorf("HandOver = %d, %v", n, err)
	}
	f.wantAsBefore(t, blocked)
	if got := f.found(t, claimer.ID); !got.Mobile.IsZero() || !got.PendingMobile.IsZero() {
		t.Errorf("the claimer has the number %v and claims %v", got.Mobile, got.PendingMobile)
	}
}

// Each of two superusers blocks or erases the other one at the same moment.
func blockedEachOther(t *testing.T, f *fixture) {
	const rounds = 50
	d := f.directory(t)
	block := func(ctx context.Context, id string) error {
		_, err := f.accounts.Block(ctx, id, f.clock.Now())
		return err
	}
	erase := func(ctx context.Context, id string) error {
		_, err := f.accounts.Erase(ctx, id, f.clock.Now())
		return err
	}
	ways := [][2]func(context.Context, string) error{{block, block}, {block, erase}, {erase, erase}}
	for round := range rounds {
		ids := [2]string{f.superuser(t).ID, f.superuser(t).ID}
		errs, start := [2]error{}, make(chan struct{})
		var both sync.WaitGroup
		for i, remove := range ways[round%len(ways)] {
			both.Go(func() {
				<-start
				errs[i] = remove(audit.With(t.Context(), audit.Cause{Kind: audit.Superuser, Actor: ids[i], Reason: "ticket 4711"}), ids[1-i])
			})
		}
		close(start)
		both.Wait()
		if (errs[0] == nil) == (errs[1] == nil) || !errors.Is(errors.Join(errs[:]...), accounts.ErrProtected) {
			t.Fatalf("round %d: %v and %v, want one refusal", round, errs[0], errs[1])
		}
		if left, err := d.HasOtherSuperuser(t.Context(), ""); err != nil || !left {
			t.Fatalf("round %d: a superuser is left: %v, %v", round, left, err)
		}
		for _, id := range ids { // an operator may remove the last one
			if err := erase(t.Context(), id); err != nil {
				t.Fatal(err)
			}
		}
		if left, err := d.HasOtherSuperuser(t.Context(), ""); err != nil || left {
			t.Fatalf("round %d: a superuser is left after both are erased: %v, %v", round, left, err)
		}
	}
}

// superuser files one.
func (f *fixture) superuser(t *testing.T) accounts.Account {
	t.Helper()
	account, mail := f.person(t)
	account.Superuser = true
	if err := f.accounts.Create(t.Context(), account, mail); err != nil {
		t.Fatal(err)
	}
	return account
}
