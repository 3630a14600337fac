package sqlstore_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"usher/accounts"
	"usher/audit"
	"usher/contact"
	"usher/internal/testkit"
)

// undosTests check what accounts.Store promises about undoing changes.
var undosTests = behaviours{
	"Undo_restores_the_contacts":              undoRestores,
	"Undo_drops_later_changes_only":           undoDropsLater,
	"Undo_leaves_what_another_account_has":    undoLost,
	"Undo_works_once":                         undoOnce,
	"Undo_or_the_proof_of_another_wins":       undoAgainstProof,
	"Undo_ends_with_its_time":                 undoEnded,
	"Undo_files_its_mails_or_nothing":         undoMails,
	"Undo_takes_a_deletion_back":              undoDeletion,
	"A_refused_change_leaves_nothing_to_undo": undoRefused,
	"Changes_are_found_by_the_number_before":  undoByNumber,
	"Changes_hold_no_number_and_no_address":   undoDump,
}

// change is one of the kind that is made now.
func (f *fixture) change(account accounts.Account, kind accounts.ChangeKind, mails ...*accounts.Mail) *accounts.Change {
	return &accounts.Change{
		ID: uuid.NewString(), AccountID: account.ID, Kind: kind,
		At: f.clock.Now(), EndsAt: f.clock.Now().Add(accounts.UndoWindow), Mails: mails,
	}
}

// movedMobile changes the number of the account to one of no other and returns both as they are then.
func (f *fixture) movedMobile(t *testing.T, was accounts.Account) (accounts.Account, accounts.Change) {
	t.Helper()
	f.clock.Advance(time.Second)
	_, next := f.contacts(t)
	change := f.change(was, accounts.ChangedMobile)
	got, err := f.accounts.ChangeMobile(t.Context(), was, next, change)
	if err != nil {
		t.Fatal(err)
	}
	kept, err := f.accounts.FindChange(t.Context(), change.ID, f.clock.Now())
	if err != nil {
		t.Fatal(err)
	}
	return got, kept
}

// movedEmail changes the proved address of the account.
func (f *fixture) movedEmail(t *testing.T, was accounts.Account) (accounts.Account, accounts.Change) {
	t.Helper()
	f.clock.Advance(time.Second)
	next, _ := f.contacts(t)
	got, err := f.accounts.ChangeEmail(t.Context(), was, next, f.mail(), f.change(was, accounts.AskedForEmail))
	if err != nil {
		t.Fatal(err)
	}
	f.clock.Advance(time.Second)
	change := f.change(was, accounts.ChangedEmail)
	got, err = f.accounts.Activate(t.Context(), got, "", f.clock.Now(), change)
	if err != nil {
		t.Fatal(err)
	}
	kept, err := f.accounts.FindChange(t.Context(), change.ID, f.clock.Now())
	if err != nil {
		t.Fatal(err)
	}
	return got, kept
}

// wantContacts compares the contacts of an account, with the times when changes have brought them.
func wantContacts(t *testing.T, want, got accounts.Account) {
	t.Helper()
	contacts := func(a accounts.Account) accounts.Contacts {
		return accounts.Contacts{Mobile: a.Mobile, MobileChangedAt: a.MobileChangedAt, Email: a.Email, EmailChangedAt: a.EmailChangedAt}
	}
	if diff := cmp.Diff(contacts(want), contacts(got), sameContacts); diff != "" {
		t.Errorf("contacts (-want +got):\n%s", diff)
	}
}

func undoRestores(t *testing.T, f *fixture) {
	before, _ := f.proved(t)
	got, first := f.movedMobile(t, before)
	if !got.MobileChangedAt.Equal(f.clock.Now().UTC().Truncate(time.Microsecond)) {
		t.Errorf("the number was changed at %v, want %v", got.MobileChangedAt, f.clock.Now())
	}
	if diff := cmp.Diff(accounts.Contacts{Mobile: before.Mobile, Email: before.Email}, first.Before, sameContacts); diff != "" {
		t.Errorf("contacts before the change (-want +got):\n%s", diff)
	}
	got, _ = f.movedEmail(t, got)
	next, _ := f.contacts(t)
	got, err := f.accounts.ChangeEmail(t.Context(), got, next, f.mail(), f.change(got, accounts.AskedForEmail))
	if err != nil {
		t.Fatal(err)
	}
	f.clock.Advance(time.Second)
	undone, err := f.accounts.Undo(t.Context(), first, "owner's hash", f.clock.Now(), nil)
	if err != nil || len(undone.Lost) > 0 {
		t.Fatalf("Undo = lost %v, %v", undone.Lost, err)
	}
	after := undone.Account
	wantContacts(t, before, after)
	if !after.PendingEmail.IsZero() || after.PasswordHash != "owner's hash" || !after.Active ||
		after.SessionGeneration != got.SessionGeneration+1 || after.ActivationGeneration != got.ActivationGeneration+1 ||
		!after.SeenAt.Equal(after.UpdatedAt) {
		t.Errorf("account after the undo: %+v", after)
	}
	if diff := cmp.Diff(after, f.found(t, before.ID), sameContacts); diff != "" {
		t.Errorf("Undo wrote (-returned +found):\n%s", diff)
	}
	changes, err := f.accounts.ChangesFrom(t.Context(), before.Mobile, f.clock.Now())
	if err != nil || len(changes) != 0 {
		t.Errorf("changes left after the undo of the first: %d, %v", len(changes), err)
	}
}

func undoDeletion(t *testing.T, f *fixture) {
	before, _ := f.proved(t)
	got, change := f.movedMobile(t, before)
	due := f.clock.Now().Add(time.Hour)
	if _, err := f.accounts.ScheduleDeletion(t.Context(), got, f.clock.Now(), due, nil); err != nil {
		t.Fatal(err)
	}
	f.clock.Advance(time.Second)
	undone, err := f.accounts.Undo(t.Context(), change, "owner's hash", f.clock.Now(), nil)
	if err != nil || !undone.Account.DeleteAt.IsZero() {
		t.Fatalf("Undo = deleted at %v, %v", undone.Account.DeleteAt, err)
	}
	if _, err := f.accounts.EraseDue(t.Context(), before.ID, due); !errors.Is(err, accounts.ErrNotFound) {
		t.Errorf("EraseDue after the undo = %v, want ErrNotFound", err)
	}
	taken := func(r audit.Record) bool { return r.Action == audit.DeletionTakenBack }
	if records := f.records(t, audit.Filter{AccountID: before.ID, Limit: 9}); !slices.ContainsFunc(records, taken) {
		t.Errorf("the audit is %+v", records)
	}
}

func undoDropsLater(t *testing.T, f *fixture) {
	before, _ := f.proved(t)
	between, first := f.movedMobile(t, before)
	got, second := f.movedMobile(t, between)
	_, third := f.movedEmail(t, got)
	f.clock.Advance(time.Second)
	undone, err := f.accounts.Undo(t.Context(), second, "hash", f.clock.Now(), nil)
	if err != nil {
		t.Fatal(err)
	}
	wantContacts(t, between, undone.Account)
	if _, err := f.accounts.FindChange(t.Context(), third.ID, f.clock.Now()); !errors.Is(err, accounts.ErrNotFound) {
		t.Errorf("a change after the undone one: %v, want ErrNotFound", err)
	}
	undone, err = f.accounts.Undo(t.Context(), first, "hash", f.clock.Now(), nil)
	if err != nil {
		t.Fatalf("undo of the change before: %v", err)
	}
	wantContacts(t, before, undone.Account)
}

func undoLost(t *testing.T, f *fixture) {
	before, _ := f.proved(t)
	got, first := f.movedMobile(t, before)
	f.movedEmail(t, got)
	other, _ := f.person(t)
	other.Mobile, other.Email = before.Mobile, contact.Email{}
	if err := f.accounts.Create(t.Context(), other, nil); err != nil {
		t.Fatal(err)
	}
	undone, err := f.accounts.Undo(t.Context(), first, "hash", f.clock.Now(), nil)
	if err != nil || !slices.Equal(undone.Lost, []accounts.Field{accounts.FieldMobile}) {
		t.Fatalf("Undo = lost %v, %v, want the mobile", undone.Lost, err)
	}
	want := before
	want.Mobile = contact.Mobile{}
	wantContacts(t, want, undone.Account)
	if f.found(t, other.ID).Mobile != before.Mobile {
		t.Error("the undo has taken the number from the account that proved it meanwhile")
	}
}

func undoOnce(t *testing.T, f *fixture) {
	before, _ := f.proved(t)
	_, change := f.movedMobile(t, before)
	results := testkit.Parallel(10, func(int) error {
		_, err := f.accounts.Undo(t.Context(), change, "hash", f.clock.Now(), nil)
		return err
	})
	won := testkit.Count(results, func(err error) bool { return err == nil })
	late := testkit.Count(results, func(err error) bool { return errors.Is(err, accounts.ErrNotFound) })
	if won != 1 || late != 9 {
		t.Errorf("of ten undos %d were made and %d came too late: %v", won, late, results)
	}
}

// undoAgainstProof lets an undo and the registration of another account reach for one number at the same time.
func undoAgainstProof(t *testing.T, f *fixture) {
	for range 10 {
		before, _ := f.proved(t)
		_, change := f.movedMobile(t, before)
		other, _ := f.person(t)
		other.Mobile = before.Mobile
		var undone accounts.Undone
		results := testkit.Parallel(2, func(i int) (err error) {
			if i == 0 {
				return f.accounts.Create(t.Context(), other, nil)
			}
			undone, err = f.accounts.Undo(t.Context(), change, "hash", f.clock.Now(), nil)
			return err
		})
		var exists *accounts.ExistsError
		created := results[0] == nil
		if results[1] != nil || !created && !errors.As(results[0], &exists) || created != (len(undone.Lost) == 1) {
			t.Fatalf("registration: %v; undo: lost %v, %v", results[0], undone.Lost, results[1])
		}
	}
}

func undoEnded(t *testing.T, f *fixture) {
	before, _ := f.proved(t)
	got, change := f.movedMobile(t, before)
	f.clock.Advance(accounts.UndoWindow - time.Second)
	if n, err := f.accounts.DropEndedChanges(t.Context(), f.clock.Now()); n != 0 || err != nil {
		t.Errorf("DropEndedChanges before the end = %d, %v", n, err)
	}
	f.clock.Advance(time.Second)
	_, err := f.accounts.FindChange(t.Context(), change.ID, f.clock.Now())
	_, late := f.accounts.Undo(t.Context(), change, "hash", f.clock.Now(), nil)
	if !errors.Is(err, accounts.ErrNotFound) || !errors.Is(late, accounts.ErrNotFound) {
		t.Errorf("after its time: FindChange = %v, Undo = %v, want ErrNotFound", err, late)
	}
	if changes, err := f.accounts.ChangesFrom(t.Context(), before.Mobile, f.clock.Now()); len(changes) != 0 || err != nil {
		t.Errorf("after its time: %d changes, %v", len(changes), err)
	}
	f.wantAsBefore(t, got)
	if n, err := f.accounts.DropEndedChanges(t.Context(), f.clock.Now()); n != 1 || err != nil {
		t.Errorf("DropEndedChanges after the end = %d, %v", n, err)
	}
	if dump := dump(t, f.db); strings.Contains(dump, change.ID) {
		t.Error("a change that cannot be undone any more is still in the tables")
	}
}

func undoMails(t *testing.T, f *fixture) {
	before, used := f.proved(t) // whose activation mail cannot be filed twice
	got, change := f.movedMobile(t, before)
	if _, err := f.accounts.Undo(t.Context(), change, "hash", f.clock.Now(), []*accounts.Mail{&used}); err == nil {
		t.Error("Undo with a mail that exists succeeded")
	}
	f.wantAsBefore(t, got)
	notice := f.notice(accounts.MailChangeUndone)
	notice.To, notice.Facts = before.Email, accounts.MailFacts{Former: "a", Present: "b", Change: "c"}
	if _, err := f.accounts.Undo(t.Context(), change, "hash", f.clock.Now(), []*accounts.Mail{notice}); err != nil {
		t.Fatal(err)
	}
	claimed, err := f.mails.Claim(t.Context(), notice.ID, mailLease)
	if err != nil || claimed.Mail.Facts != notice.Facts {
		t.Errorf("claimed mail tells %+v, %v, want %+v", claimed.Mail.Facts, err, notice.Facts)
	}
}

func undoRefused(t *testing.T, f *fixture) {
	before, _ := f.proved(t)
	other, _ := f.created(t)
	stale := before
	stale.SessionGeneration = 0
	for title, refused := range map[string]func(*accounts.Change) error{
		"stale": func(change *accounts.Change) error {
			_, err := f.accounts.ChangePassword(t.Context(), stale, "hash", change)
			return err
		},
		"taken": func(change *accounts.Change) error {
			_, err := f.accounts.ChangeMobile(t.Context(), before, other.Mobile, change)
			return err
		},
	} {
		change := f.change(before, accounts.ChangedPassword)
		if err := refused(change); err == nil {
			t.Fatalf("%s: the change was made", title)
		}
		if _, err := f.accounts.FindChange(t.Context(), change.ID, f.clock.Now()); !errors.Is(err, accounts.ErrNotFound) {
			t.Errorf("%s: FindChange = %v, want ErrNotFound", title, err)
		}
	}
}

func undoByNumber(t *testing.T, f *fixture) {
	before, _ := f.proved(t)
	between, first := f.movedMobile(t, before)
	_, second := f.movedMobile(t, between)
	for _, want := range []accounts.Change{first, second} {
		changes, err := f.accounts.ChangesFrom(t.Context(), want.Before.Mobile, f.clock.Now())
		if err != nil || len(changes) != 1 {
			t.Fatalf("ChangesFrom %v = %d changes, %v", want.Before.Mobile, len(changes), err)
		}
		if diff := cmp.Diff(want, changes[0], sameContacts); diff != "" {
			t.Errorf("ChangesFrom %v (-want +got):\n%s", want.Before.Mobile, diff)
		}
	}
}

func undoDump(t *testing.T, f *fixture) {
	before, _ := f.proved(t)
	got, _ := f.movedMobile(t, before)
	f.movedEmail(t, got)
	dump := dump(t, f.db)
	if !strings.Contains(dump, before.Mobile.String()) {
		t.Fatal("the dump lacks the number before, masked: it proves nothing")
	}
	if found := testkit.FindSecrets([]byte(dump), before.Email.Reveal(), before.Mobile.Reveal()); found != nil {
		t.Errorf("found in the tables: %v", found)
	}
}
