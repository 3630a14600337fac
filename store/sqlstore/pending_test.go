package sqlstore_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"usher/accounts"
	"usher/contact"
	"usher/internal/testkit"
	"usher/store"
)

// pendingTests check what accounts.Store promises about addresses that wait for their proof.
var pendingTests = behaviours{
	"Activate_lets_one_of_a_thousand_win":            pendingRace,
	"Activate_replaces_the_password":                 pendingPassword,
	"FindWaiting_returns_the_newest":                 pendingNewest,
	"CorrectEmail_is_for_accounts_that_wait":         pendingCorrect,
	"Release_deletes_what_has_nothing_else":          pendingRelease,
	"Release_may_come_at_once_from_many":             pendingReleases,
	"Decline_lasts_until_its_end":                    pendingDeclined,
	"RemoveUnproved_needs_an_account_that_ran_out":   pendingRemove,
	"NameTaken_knows_what_RemoveUnproved_deletes":    pendingNames,
	"DropUnproved_drops_what_ran_out":                pendingDrop,
	"DropUnproved_does_what_others_left":             pendingLeft,
	"DropUnproved_keeps_to_its_limit":                pendingLimit,
	"Tables_hold_no_address_that_waits_or_was_freed": pendingDump,
}

// hashed is an address as tokens and the store's methods have it.
func hashed(t *testing.T, email contact.Email) string {
	t.Helper()
	return keys(t).Index("email", email.Reveal())
}

// rival is an account like no other but for its address, which waits.
func (f *fixture) rival(t *testing.T, email contact.Email, alone bool) accounts.Account {
	t.Helper()
	account, _ := f.person(t)
	account.PendingEmail = email
	if alone {
		account.Active, account.Mobile = false, contact.Mobile{}
	}
	return account
}

// waits files an account that waits with the address and its mail.
func (f *fixture) waits(t *testing.T, email contact.Email, alone bool) (accounts.Account, *accounts.Mail) {
	t.Helper()
	account, mail := f.rival(t, email, alone), f.mail()
	if err := f.accounts.Create(t.Context(), account, mail); err != nil {
		t.Fatal(err)
	}
	return account, mail
}

// wantGone looks whether the account and its mail are deleted.
func (f *fixture) wantGone(t *testing.T, account accounts.Account, mail *accounts.Mail) {
	t.Helper()
	if _, found := f.find(t, account.ID); found {
		t.Errorf("%s is there", account.Username)
	}
	f.wantDropped(t, mail.ID, "missing")
}

// wantWaits looks whether the account is there, and waits or does not.
func (f *fixture) wantWaits(t *testing.T, account accounts.Account, waits bool) {
	t.Helper()
	if got, found := f.find(t, account.ID); !found || got.PendingEmail.IsZero() == waits || got.PendingEmailAt.IsZero() && waits {
		t.Errorf("%s is there: %v; it waits: %v since %v", account.Username, found, !got.PendingEmail.IsZero(), got.PendingEmailAt)
	}
}

func pendingRace(t *testing.T, f *fixture) {
	const many = 1000
	email, _ := f.contacts(t)
	list := make([]accounts.Account, many)
	for i := range list {
		list[i] = f.rival(t, email, i%2 == 0)
	}
	if created, err := f.accounts.CreateAll(t.Context(), list, true); err != nil || len(created) != many {
		t.Fatalf("CreateAll = %d, %v", len(created), err)
	}
	results := testkit.Parallel(many, func(i int) error {
		_, err := f.accounts.Activate(t.Context(), list[i], "", f.clock.Now(), nil)
		for store.AsOutage(err) != nil { // on a busy machine a thousand wait longer for a connection than a statement may
			_, err = f.accounts.Activate(t.Context(), list[i], "", f.clock.Now(), nil)
		}
		if _, lost := errors.AsType[*accounts.ExistsError](err); lost || err == nil {
			if err := f.accounts.Release(t.Context(), hashed(t, email), f.clock.Now()); err != nil {
				t.Errorf("Release = %v", err)
			}
		}
		return err
	})
	won := testkit.Count(results, func(err error) bool { return err == nil })
	late := testkit.Count(results, func(err error) bool {
		_, lost := errors.AsType[*accounts.ExistsError](err)
		return lost || errors.Is(err, accounts.ErrNotFound)
	})
	if won != 1 || late != many-1 {
		t.Errorf("%d of %d proved the address, %d came too late", won, many, late)
	}
	owner, err := f.accounts.Find(t.Context(), accounts.Key{By: accounts.ByEmail, Value: email.Reveal()})
	if err != nil || !owner.Active {
		t.Fatalf("Find by the address = %+v, %v", owner, err)
	}
	if _, err := f.accounts.DropUnproved(t.Context(), f.clock.Now(), f.clock.Now().Add(-time.Hour), many); err != nil {
		t.Fatal(err)
	}
	for i, account := range list {
		got, found := f.find(t, account.ID)
		if account.ID != owner.ID && (found == (i%2 == 0) || !got.PendingEmail.IsZero() || !got.Email.IsZero()) {
			t.Fatalf("loser %d: found %v, pending %v", i, found, got.PendingEmail)
		}
	}
}

func pendingPassword(t *testing.T, f *fixture) {
	email, _ := f.contacts(t)
	account, _ := f.waits(t, email, true)
	got, err := f.accounts.Activate(t.Context(), account, "another hash", f.clock.Now(), nil)
	if err != nil || got.PasswordHash != "another hash" || got.SessionGeneration != 2 || got.ActivationGeneration != 1 {
		t.Errorf("Activate = %+v, %v", got, err)
	}
}

func pendingNewest(t *testing.T, f *fixture) {
	email, _ := f.contacts(t)
	wantFound := func(want accounts.Account) {
		t.Helper()
		if got, err := f.accounts.FindWaiting(t.Context(), email); err != nil || got.ID != want.ID {
			t.Errorf("FindWaiting = %s, %v, want %s", got.Username, err, want.Username)
		}
	}
	if _, err := f.accounts.FindWaiting(t.Context(), email); !errors.Is(err, accounts.ErrNotFound) {
		t.Errorf("FindWaiting = %v, want ErrNotFound", err)
	}
	old, _ := f.waits(t, email, true)
	wantFound(old)
	f.clock.Advance(time.Second)
	newest, _ := f.waits(t, email, true)
	f.clock.Advance(time.Second)
	f.waits(t, email, false) // is in use
	other, _ := f.contacts(t)
	f.waits(t, other, true)
	wantFound(newest)
}

func pendingCorrect(t *testing.T, f *fixture) {
	email, _ := f.contacts(t)
	right, _ := f.contacts(t)
	account, old := f.waits(t, email, true)
	f.clock.Advance(time.Second)
	link := f.mail()
	got, err := f.accounts.CorrectEmail(t.Context(), account, right, *link)
	want := stored(account)
	want.PendingEmail, want.PendingEmailAt, want.ActivationGeneration = right, f.clock.Now(), 2
	f.wantChanged(t, want, got, err)
	f.wantDropped(t, old.ID, "superseded")
	if claimed, err := f.mails.Claim(t.Context(), link.ID, mailLease); err != nil || claimed.Recipient() != right {
		t.Errorf("the mail goes to %v, %v, want %v", claimed.Recipient(), err, right)
	}
	stale, _ := f.contacts(t)
	if _, err := f.accounts.CorrectEmail(t.Context(), account, stale, *f.mail()); !errors.Is(err, accounts.ErrChanged) {
		t.Errorf("CorrectEmail of an account read before = %v, want ErrChanged", err)
	}
	if _, err := f.accounts.Activate(t.Context(), accounts.Account{ID: account.ID, ActivationGeneration: 2}, "", f.clock.Now(), nil); err != nil {
		t.Fatal(err)
	}
	inUse, _ := f.waits(t, email, false)
	for name, was := range map[string]accounts.Account{"proved": got, "with a number": inUse} {
		unsent := f.mail()
		if _, err := f.accounts.CorrectEmail(t.Context(), was, stale, *unsent); !errors.Is(err, accounts.ErrChanged) {
			t.Errorf("%s: CorrectEmail = %v, want ErrChanged", name, err)
		}
		f.wantDropped(t, unsent.ID, "missing")
	}
}

func pendingRelease(t *testing.T, f *fixture) {
	email, _ := f.contacts(t)
	other, _ := f.contacts(t)
	alone, mail := f.waits(t, email, true)
	inUse, vain := f.waits(t, email, false)
	elsewhere, kept := f.waits(t, other, true)
	active := f.rival(t, email, true) // as an imported one, which has nothing else either
	active.Active = true
	if err := f.accounts.Create(t.Context(), active, nil); err != nil {
		t.Fatal(err)
	}
	f.clock.Advance(time.Second)
	for range 2 {
		if err := f.accounts.Release(t.Context(), hashed(t, email), f.clock.Now()); err != nil {
			t.Fatal(err)
		}
	}
	f.wantGone(t, alone, mail)
	f.wantWaits(t, inUse, false)
	f.wantWaits(t, active, false)
	f.wantDropped(t, vain.ID, "superseded")
	f.wantWaits(t, elsewhere, true)
	f.claim(t, kept.ID)
}

// Transactions that release, prove and claim mails at the same time must not deadlock.
func pendingReleases(t *testing.T, f *fixture) {
	const many = 40
	email, _ := f.contacts(t)
	var group errgroup.Group
	for i := range many {
		account, mail := f.waits(t, email, i%3 > 0)
		group.Go(func() error { return f.accounts.Release(t.Context(), hashed(t, email), f.clock.Now()) })
		group.Go(func() error {
			_, err := f.mails.Claim(t.Context(), mail.ID, mailLease)
			_ = err // it may be gone
			return nil
		})
		group.Go(func() error {
			_, err := f.accounts.Activate(t.Context(), account, "", f.clock.Now(), nil)
			if _, lost := errors.AsType[*accounts.ExistsError](err); lost || errors.Is(err, accounts.ErrNotFound) {
				return nil
			}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		t.Error(err)
	}
}

func pendingDeclined(t *testing.T, f *fixture) {
	email, _ := f.contacts(t)
	other, _ := f.contacts(t)
	end := f.clock.Now().Add(24 * time.Hour)
	for _, until := range []time.Time{end.Add(-time.Hour), end, end.Add(-time.Minute)} { // the last end stays
		if err := f.accounts.Decline(t.Context(), hashed(t, email), until); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := f.accounts.DeclinedUntil(t.Context(), hashed(t, email)); err != nil || !got.Equal(storedTime(end)) {
		t.Errorf("DeclinedUntil = %v, %v, want %v", got, err, end)
	}
	if got, err := f.accounts.DeclinedUntil(t.Context(), hashed(t, other)); err != nil || !got.IsZero() {
		t.Errorf("DeclinedUntil of another address = %v, %v", got, err)
	}
	for _, now := range []time.Time{end.Add(-time.Second), end} {
		if _, err := f.accounts.DropUnproved(t.Context(), now, now.Add(-time.Hour), 10); err != nil {
			t.Fatal(err)
		}
		if got, err := f.accounts.DeclinedUntil(t.Context(), hashed(t, email)); err != nil || got.IsZero() == now.Before(end) {
			t.Errorf("%v before the end: DeclinedUntil = %v, %v", end.Sub(now), got, err)
		}
	}
}

func pendingRemove(t *testing.T, f *fixture) {
	email, _ := f.contacts(t)
	alone, mail := f.waits(t, email, true)
	inUse, _ := f.waits(t, email, false)
	imported := f.rival(t, email, true)
	imported.PendingEmailAt = time.Time{}
	if err := f.accounts.Create(t.Context(), imported, nil); err != nil {
		t.Fatal(err)
	}
	remove := func(account accounts.Account, before time.Time) {
		t.Helper()
		if err := f.accounts.RemoveUnproved(t.Context(), account.ID, before); err != nil {
			t.Fatal(err)
		}
	}
	remove(alone, alone.PendingEmailAt)
	f.wantWaits(t, alone, true)
	later := f.clock.Now().Add(time.Hour)
	for _, account := range []accounts.Account{alone, inUse, imported} {
		remove(account, later)
	}
	f.wantGone(t, alone, mail)
	f.wantWaits(t, inUse, true)
	if _, found := f.find(t, imported.ID); !found {
		t.Error("an account that does not run out was removed")
	}
}

// A name is free exactly when RemoveUnproved deletes its account.
func pendingNames(t *testing.T, f *fixture) {
	email, _ := f.contacts(t)
	alone, _ := f.waits(t, email, true)
	inUse, _ := f.waits(t, email, false)
	blocked, _ := f.waits(t, email, true)
	if _, err := f.accounts.Block(t.Context(), blocked.ID, f.clock.Now()); err != nil {
		t.Fatal(err)
	}
	imported, proved := f.rival(t, email, true), f.rival(t, contact.Email{}, true)
	imported.PendingEmailAt, proved.PendingEmailAt = time.Time{}, time.Time{}
	proved.Email, _ = f.contacts(t)
	for _, account := range []accounts.Account{imported, proved} {
		if err := f.accounts.Create(t.Context(), account, nil); err != nil {
			t.Fatal(err)
		}
	}
	everyone := []accounts.Account{alone, inUse, blocked, imported, proved}
	nameless := f.nameless(t)
	if err := f.accounts.Create(t.Context(), nameless, nil); err != nil {
		t.Fatal(err)
	}
	wantTaken := func(name string, before time.Time, want bool) {
		t.Helper()
		_, canonical, _ := accounts.CanonicalUsername(name)
		if got, err := f.accounts.NameTaken(t.Context(), canonical, before); err != nil || got != want {
			t.Errorf("NameTaken(%q, %v) = %v, %v, want %v", name, before, got, err, want)
		}
	}
	later := alone.PendingEmailAt.Add(time.Hour)
	never, _ := f.person(t)
	wantTaken(never.Username, later, false)
	wantTaken("", later, false)
	for _, before := range []time.Time{{}, alone.PendingEmailAt, later} {
		for _, account := range everyone {
			wantTaken(account.Username, before, account.ID != alone.ID || before != later)
			if err := f.accounts.RemoveUnproved(t.Context(), account.ID, before); err != nil {
				t.Fatal(err)
			}
			if _, found := f.find(t, account.ID); found != (account.ID != alone.ID || before != later) {
				t.Errorf("%s after RemoveUnproved before %v: found %v", account.Username, before, found)
			}
		}
	}
	if _, err := f.accounts.Erase(t.Context(), inUse.ID, f.clock.Now()); err != nil {
		t.Fatal(err)
	}
	wantTaken(inUse.Username, later, true) // held
	if err := f.accounts.FreeNames(t.Context(), f.clock.Now().Add(time.Second)); err != nil {
		t.Fatal(err)
	}
	wantTaken(inUse.Username, later, false)
}

func pendingDrop(t *testing.T, f *fixture) {
	email, _ := f.contacts(t)
	alone, mail := f.waits(t, email, true)
	inUse, _ := f.waits(t, email, false)
	asked, _ := f.waits(t, email, true)
	imported := f.rival(t, email, true)
	imported.PendingEmailAt = time.Time{}
	if err := f.accounts.Create(t.Context(), imported, nil); err != nil {
		t.Fatal(err)
	}
	f.clock.Advance(time.Hour)
	young, _ := f.waits(t, email, true)
	for _, id := range []string{asked.ID, imported.ID} { // the latter does not begin to run out
		if err := f.accounts.RenewActivation(t.Context(), id, *f.mail()); err != nil {
			t.Fatal(err)
		}
	}
	n, err := f.accounts.DropUnproved(t.Context(), f.clock.Now(), f.clock.Now().Add(-time.Minute), 100)
	if err != nil || n != 2 {
		t.Errorf("DropUnproved = %d, %v, want 2", n, err)
	}
	f.wantGone(t, alone, mail)
	f.wantWaits(t, inUse, false)
	f.wantWaits(t, asked, true)
	f.wantWaits(t, young, true)
	f.clock.Advance(1000 * time.Hour)
	if n, err := f.accounts.DropUnproved(t.Context(), f.clock.Now(), f.clock.Now(), 100); err != nil || n != 2 {
		t.Errorf("DropUnproved = %d, %v, want 2", n, err)
	}
	if got, found := f.find(t, imported.ID); !found || got.PendingEmail.IsZero() || !got.PendingEmailAt.IsZero() {
		t.Errorf("imported: found %v, pending %v since %v", found, got.PendingEmail, got.PendingEmailAt)
	}
}

// A process may end between a proof or a refusal and what it was to do after it.
func pendingLeft(t *testing.T, f *fixture) {
	owner, _ := f.created(t)
	loser, mail := f.waits(t, owner.PendingEmail, true)
	inUse, _ := f.waits(t, owner.PendingEmail, false)
	if _, err := f.accounts.Activate(t.Context(), owner, "", f.clock.Now(), nil); err != nil {
		t.Fatal(err)
	}
	declined, _ := f.contacts(t)
	refused, refusedMail := f.waits(t, declined, true)
	if err := f.accounts.Decline(t.Context(), hashed(t, declined), f.clock.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	before := f.clock.Now().Add(-time.Hour)
	for range 2 {
		if _, err := f.accounts.DropUnproved(t.Context(), f.clock.Now(), before, 100); err != nil {
			t.Fatal(err)
		}
	}
	f.wantGone(t, loser, mail)
	f.wantGone(t, refused, refusedMail)
	f.wantWaits(t, inUse, false)
	if got := f.found(t, owner.ID); got.Email.IsZero() {
		t.Error("the owner has lost the address")
	}
}

func pendingLimit(t *testing.T, f *fixture) {
	email, _ := f.contacts(t)
	for range 7 {
		f.waits(t, email, true)
	}
	f.clock.Advance(time.Hour)
	for _, want := range []int{3, 3, 1, 0} {
		if n, err := f.accounts.DropUnproved(t.Context(), f.clock.Now(), f.clock.Now(), 3); err != nil || n != want {
			t.Errorf("DropUnproved = %d, %v, want %d", n, err, want)
		}
	}
}

func pendingDump(t *testing.T, f *fixture) {
	email, _ := f.contacts(t)
	f.waits(t, email, true)
	if err := f.accounts.Decline(t.Context(), hashed(t, email), f.clock.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	dump := dump(t, f.db)
	if strings.Count(dump, hashed(t, email)) < 2 || !strings.Contains(dump, email.String()) {
		t.Fatalf("the dump lacks the address's hash or mask, so it proves nothing:\n%s", dump)
	}
	if found := testkit.FindSecrets([]byte(dump), email.Reveal()); found != nil {
		t.Errorf("found in the tables: %v", found)
	}
}
