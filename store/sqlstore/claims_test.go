package sqlstore_test

import (
	"errors"
	"testing"
	"time"

	"usher/accounts"
	"usher/contact"
	"usher/internal/testkit"
)

// claimsTests check what accounts.Store promises about claims on numbers.
var claimsTests = behaviours{
	"Seen_is_the_time_of_the_last_use":                claimsSeen,
	"CreateClaiming_leaves_the_number":                claimsCreate,
	"CreateClaiming_minds_that_it_was_seen":           claimsRefused,
	"CreateClaiming_lets_one_of_many_win":             claimsParallel,
	"HandOver_moves_the_number_after_its_time":        claimsHandOver,
	"HandOver_leaves_the_number_to_an_account_in_use": claimsAnswered,
	"Undo_ends_the_claim":                             claimsUndone,
	"ChangeMobile_ends_the_claim":                     claimsChanged,
}

// claimer is a new account that claims the number, and its mail.
func (f *fixture) claimer(t *testing.T, mobile contact.Mobile) (accounts.Account, *accounts.Mail) {
	t.Helper()
	account, mail := f.person(t)
	account.Mobile, account.PendingMobile, account.PendingMobileAt = contact.Mobile{}, mobile, f.clock.Now()
	return account, mail
}

// claimed is an account and one that claims its number.
func (f *fixture) claimed(t *testing.T) (holder, claimer accounts.Account, change *accounts.Change) {
	t.Helper()
	holder, _ = f.proved(t)
	claimer, mail := f.claimer(t, holder.Mobile)
	change = f.change(holder, accounts.NumberClaimed)
	change.EndsAt = f.clock.Now().Add(accounts.ClaimWindow)
	if err := f.accounts.CreateClaiming(t.Context(), claimer, mail, holder, change); err != nil {
		t.Fatal(err)
	}
	return holder, f.found(t, claimer.ID), change
}

func byClaim(mobile contact.Mobile) accounts.Key {
	return accounts.Key{By: accounts.ByClaimedMobile, Value: mobile.Reveal()}
}

func claimsSeen(t *testing.T, f *fixture) {
	account, _ := f.proved(t)
	f.clock.Advance(time.Hour)
	if err := f.accounts.Seen(t.Context(), account, f.clock.Now(), nil); err != nil {
		t.Fatal(err)
	}
	want := account
	want.SeenAt = f.clock.Now().UTC().Truncate(time.Microsecond)
	f.wantAsBefore(t, want)
}

func claimsCreate(t *testing.T, f *fixture) {
	holder, _ := f.proved(t)
	claimer, mail := f.claimer(t, holder.Mobile)
	notice := f.notice(accounts.MailNumberClaimed)
	notice.To = holder.Email
	change := f.change(holder, accounts.NumberClaimed, notice)
	if err := f.accounts.CreateClaiming(t.Context(), claimer, mail, holder, change); err != nil {
		t.Fatal(err)
	}
	f.wantAsBefore(t, holder)
	f.wantAsBefore(t, stored(claimer))
	if got, err := f.accounts.Find(t.Context(), byClaim(holder.Mobile)); err != nil || got.ID != claimer.ID {
		t.Errorf("Find by the claimed number = %v, %v", got.ID, err)
	}
	for id, want := range map[string]string{mail.ID: claimer.ID, notice.ID: holder.ID} {
		claimed, err := f.mails.Claim(t.Context(), id, mailLease)
		if err != nil || claimed.Account.ID != want {
			t.Errorf("mail %s is of account %s, %v, want %s", claimed.Mail.Purpose, claimed.Account.ID, err, want)
		}
	}
}

func claimsRefused(t *testing.T, f *fixture) {
	holder, _ := f.proved(t)
	f.clock.Advance(time.Second)
	if err := f.accounts.Seen(t.Context(), holder, f.clock.Now(), nil); err != nil {
		t.Fatal(err)
	}
	claimer, mail := f.claimer(t, holder.Mobile)
	change := f.change(holder, accounts.NumberClaimed)
	wantTaken(t, f.accounts.CreateClaiming(t.Context(), claimer, mail, holder, change), accounts.FieldMobile)
	if _, err := f.accounts.FindChange(t.Context(), change.ID, f.clock.Now()); !errors.Is(err, accounts.ErrNotFound) {
		t.Errorf("FindChange of a refused claim = %v", err)
	}
	if _, err := f.accounts.Find(t.Context(), byClaim(holder.Mobile)); !errors.Is(err, accounts.ErrNotFound) {
		t.Errorf("Find by the claimed number = %v, want ErrNotFound", err)
	}
}

func claimsParallel(t *testing.T, f *fixture) {
	holder, _ := f.proved(t)
	results := testkit.Parallel(10, func(int) error {
		claimer, mail := f.claimer(t, holder.Mobile)
		return f.accounts.CreateClaiming(t.Context(), claimer, mail, holder, f.change(holder, accounts.NumberClaimed))
	})
	var exists *accounts.ExistsError
	won := testkit.Count(results, func(err error) bool { return err == nil })
	lost := testkit.Count(results, func(err error) bool { return errors.As(err, &exists) && exists.Field == accounts.FieldMobile })
	if won != 1 || lost != 9 {
		t.Errorf("of ten claims %d won and %d were told that the number is taken: %v", won, lost, results)
	}
}

// handOver hands over what was claimed long enough ago by now.
func (f *fixture) handOver(t *testing.T) int {
	t.Helper()
	n, err := f.accounts.HandOver(t.Context(), f.clock.Now().Add(-accounts.ClaimWindow), 10)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func claimsHandOver(t *testing.T, f *fixture) {
	holder, claimer, _ := f.claimed(t)
	f.clock.Advance(accounts.ClaimWindow - time.Second)
	if n := f.handOver(t); n != 0 {
		t.Errorf("%d numbers were handed over before the time", n)
	}
	f.clock.Advance(time.Second)
	if n := f.handOver(t); n != 1 {
		t.Errorf("%d numbers were handed over, want 1", n)
	}
	wantHolder, wantClaimer := holder, claimer
	wantHolder.Mobile = contact.Mobile{}
	wantClaimer.Mobile, wantClaimer.PendingMobile, wantClaimer.PendingMobileAt = holder.Mobile, contact.Mobile{}, time.Time{}
	f.wantAsBefore(t, wantHolder)
	f.wantAsBefore(t, wantClaimer)
	got, err := f.accounts.Find(t.Context(), accounts.Key{By: accounts.ByMobile, Value: holder.Mobile.Reveal()})
	if err != nil || got.ID != claimer.ID {
		t.Errorf("Find by the number = %v, %v, want the account that claimed it", got.ID, err)
	}
	if n := f.handOver(t); n != 0 {
		t.Errorf("%d numbers were handed over twice", n)
	}
}

func claimsAnswered(t *testing.T, f *fixture) {
	holder, claimer, change := f.claimed(t)
	f.clock.Advance(time.Hour)
	told := f.notice(accounts.MailClaimEnded)
	told.To = holder.Email
	if err := f.accounts.Seen(t.Context(), holder, f.clock.Now(), told); err != nil {
		t.Fatal(err)
	}
	if claimed, err := f.mails.Claim(t.Context(), told.ID, mailLease); err != nil || claimed.Account.ID != claimer.ID {
		t.Errorf("the mail about the end is of account %s, %v, want %s", claimed.Account.ID, err, claimer.ID)
	}
	if _, err := f.accounts.FindChange(t.Context(), change.ID, f.clock.Now()); !errors.Is(err, accounts.ErrNotFound) {
		t.Errorf("the link of an ended claim still works: %v", err)
	}
	f.clock.Advance(2 * accounts.ClaimWindow)
	f.handOver(t)
	if got := f.found(t, holder.ID); got.Mobile != holder.Mobile {
		t.Error("the number has left an account that was seen")
	}
	if got := f.found(t, claimer.ID); !got.Mobile.IsZero() || !got.PendingMobile.IsZero() {
		t.Errorf("the claim goes on: %v %v", got.Mobile, got.PendingMobile)
	}
}

func claimsUndone(t *testing.T, f *fixture) {
	holder, claimer, change := f.claimed(t)
	f.clock.Advance(time.Hour)
	undone, err := f.accounts.Undo(t.Context(), *change, "hash", f.clock.Now(), nil)
	if err != nil || len(undone.Lost) > 0 {
		t.Fatalf("Undo = lost %v, %v", undone.Lost, err)
	}
	wantContacts(t, holder, undone.Account)
	if got := f.found(t, claimer.ID); !got.PendingMobile.IsZero() {
		t.Error("the claim goes on")
	}
}

// Who takes another number has given the claimed one up: it must neither come back to the account nor open it.
func claimsChanged(t *testing.T, f *fixture) {
	holder, claimer, _ := f.claimed(t)
	_, next := f.contacts(t)
	got, err := f.accounts.ChangeMobile(t.Context(), claimer, next, f.change(claimer, accounts.ChangedMobile))
	want := claimer
	want.Mobile, want.MobileChangedAt, want.SessionGeneration = next, f.clock.Now(), 2
	want.PendingMobile, want.PendingMobileAt = contact.Mobile{}, time.Time{}
	f.wantChanged(t, want, got, err)
	f.clock.Advance(accounts.ClaimWindow)
	f.handOver(t)
	f.wantAsBefore(t, got)
	f.wantAsBefore(t, holder)
}
