package sqlstore_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"usher/accounts"
	"usher/contact"
	"usher/internal/testkit"
)

// changesTests check what accounts.Store promises about changes.
var changesTests = behaviours{
	"ChangePassword_ends_the_generation":      changesPassword,
	"ChangeEmail_replaces_a_proved_address":   changesEmail,
	"ChangeEmail_gives_its_address_free":      changesFreed,
	"ReplaceEmail_needs_no_link":              replacesEmail,
	"ChangeMobile_replaces_the_number":        changesMobile,
	"Changes_fill_in_what_there_was_not":      changesBare,
	"Changes_refuse_what_is_taken":            changesTaken,
	"Changes_refuse_what_was_seen_before":     changesStale,
	"Changes_file_their_mails_or_nothing":     changesMails,
	"Changes_let_one_of_parallel_ones_win":    changesParallel,
	"Changes_end_links_to_the_address_before": changesLinks,
	"Tables_hold_no_number_and_no_address":    changesDump,
}

// found is the account as the store has it now.
func (f *fixture) found(t *testing.T, id string) accounts.Account {
	t.Helper()
	account, err := f.accounts.Find(t.Context(), accounts.Key{By: accounts.ByID, Value: id})
	if err != nil {
		t.Fatal(err)
	}
	return account
}

// wantChanged compares what a change has returned and what it has written with what it should.
func (f *fixture) wantChanged(t *testing.T, want, got accounts.Account, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	want.UpdatedAt = f.clock.Now()
	if diff := cmp.Diff(stored(want), got, sameContacts); diff != "" {
		t.Errorf("change returned (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(got, f.found(t, want.ID), sameContacts); diff != "" {
		t.Errorf("change wrote (-returned +found):\n%s", diff)
	}
}

// wantAsBefore looks whether a refused change has left the account alone.
func (f *fixture) wantAsBefore(t *testing.T, want accounts.Account) {
	t.Helper()
	if diff := cmp.Diff(want, f.found(t, want.ID), sameContacts); diff != "" {
		t.Errorf("a refused change wrote (-want +got):\n%s", diff)
	}
}

// contacts are those of a person who is not in the store.
func (f *fixture) contacts(t *testing.T) (contact.Email, contact.Mobile) {
	t.Helper()
	stranger, _ := f.person(t)
	return stranger.PendingEmail, stranger.Mobile
}

// asksForAnother makes the account wait for the proof of another address, and returns it.
func (f *fixture) asksForAnother(t *testing.T, account accounts.Account) accounts.Account {
	t.Helper()
	next, _ := f.contacts(t)
	changed, err := f.accounts.ChangeEmail(t.Context(), account, next, f.mail(), f.change(account, accounts.AskedForEmail))
	if err != nil || changed.ActivationGeneration != account.ActivationGeneration+1 {
		t.Fatalf("ChangeEmail = generation %d, %v", changed.ActivationGeneration, err)
	}
	return changed
}

func changesPassword(t *testing.T, f *fixture) {
	before, _ := f.proved(t)
	f.clock.Advance(time.Second)
	notice := f.notice(accounts.MailPasswordChanged)
	notice.To = before.Email
	got, err := f.accounts.ChangePassword(t.Context(), before, "another hash", f.change(before, accounts.ChangedPassword, notice))
	want := before
	want.PasswordHash, want.SessionGeneration = "another hash", 2
	f.wantChanged(t, want, got, err)
	f.claim(t, notice.ID)
	got, err = f.accounts.ChangePassword(t.Context(), got, "third hash", f.change(got, accounts.ChangedPassword))
	want.PasswordHash, want.SessionGeneration = "third hash", 3
	f.wantChanged(t, want, got, err)
}

func changesEmail(t *testing.T, f *fixture) {
	before, _ := f.proved(t)
	next, _ := f.contacts(t)
	f.clock.Advance(time.Second)
	link, notice := f.mail(), f.notice(accounts.MailEmailChanged)
	notice.To = before.Email
	got, err := f.accounts.ChangeEmail(t.Context(), before, next, link, f.change(before, accounts.AskedForEmail, notice))
	want := before
	want.PendingEmail, want.PendingEmailAt, want.ActivationGeneration = next, f.clock.Now(), 2
	f.wantChanged(t, want, got, err)
	for id, to := range map[string]contact.Email{link.ID: next, notice.ID: before.Email} {
		claimed, err := f.mails.Claim(t.Context(), id, mailLease)
		if err != nil || claimed.Recipient() != to {
			t.Errorf("%s mail goes to %v, %v, want %v", claimed.Mail.Purpose, claimed.Recipient(), err, to)
		}
	}
	want.Email, want.PendingEmail, want.PendingEmailAt = next, contact.Email{}, time.Time{}
	got, err = f.accounts.Activate(t.Context(), accounts.Account{ID: before.ID, ActivationGeneration: 2}, "", f.clock.Now(), nil)
	f.wantChanged(t, want, got, err)
}

func changesFreed(t *testing.T, f *fixture) {
	before, _ := f.proved(t)
	next, number := f.contacts(t)
	got, err := f.accounts.ChangeEmail(t.Context(), before, next, f.mail(), f.change(before, accounts.AskedForEmail))
	if err == nil {
		got, err = f.accounts.ChangeMobile(t.Context(), got, number, f.change(got, accounts.ChangedMobile))
	}
	if err != nil {
		t.Fatal(err)
	}
	other, mail := f.person(t)
	other.Email, other.Mobile = before.Email, before.Mobile
	wantTaken(t, f.accounts.Create(t.Context(), other, mail), accounts.FieldEmail) // until the next one is proved
	if _, err := f.accounts.Activate(t.Context(), accounts.Account{ID: before.ID, ActivationGeneration: got.ActivationGeneration}, "", f.clock.Now(), nil); err != nil {
		t.Fatal(err)
	}
	if err := f.accounts.Create(t.Context(), other, mail); err != nil {
		t.Errorf("Create with what was given up = %v", err)
	}
}

func replacesEmail(t *testing.T, f *fixture) {
	before, _ := f.proved(t)
	asked, _ := f.contacts(t)
	next, _ := f.contacts(t)
	f.clock.Advance(time.Second)
	link := f.mail()
	before, err := f.accounts.ChangeEmail(t.Context(), before, asked, link, f.change(before, accounts.AskedForEmail))
	if err != nil {
		t.Fatal(err)
	}
	notice := f.notice(accounts.MailEmailChanged)
	notice.To = before.Email
	got, err := f.accounts.ReplaceEmail(t.Context(), before, next, f.change(before, accounts.ChangedEmail, notice))
	want := before
	want.Email, want.EmailChangedAt, want.PendingEmail, want.PendingEmailAt = next, f.clock.Now(), contact.Email{}, time.Time{}
	want.ActivationGeneration, want.SessionGeneration = 3, 2
	f.wantChanged(t, want, got, err)
	f.claim(t, notice.ID)
	f.wantDropped(t, link.ID, "superseded")
	if _, err := f.accounts.Find(t.Context(), accounts.Key{By: accounts.ByEmail, Value: next.Reveal()}); err != nil {
		t.Errorf("Find by the new address = %v", err)
	}
	other, _ := f.created(t)
	if _, err := f.accounts.ReplaceEmail(t.Context(), other, before.Email, f.change(other, accounts.ChangedEmail)); err != nil {
		t.Errorf("ReplaceEmail by the address that was given up = %v", err)
	}
}

func changesMobile(t *testing.T, f *fixture) {
	before, _ := f.proved(t)
	_, next := f.contacts(t)
	f.clock.Advance(time.Second)
	got, err := f.accounts.ChangeMobile(t.Context(), before, next, f.change(before, accounts.ChangedMobile))
	want := before
	want.Mobile, want.MobileChangedAt, want.SessionGeneration = next, f.clock.Now(), 2
	f.wantChanged(t, want, got, err)
	_, err = f.accounts.Find(t.Context(), accounts.Key{By: accounts.ByMobile, Value: before.Mobile.Reveal()})
	if !errors.Is(err, accounts.ErrNotFound) {
		t.Errorf("Find by the number before = %v, want ErrNotFound", err)
	}
}

func changesBare(t *testing.T, f *fixture) {
	bare, _ := f.person(t)
	email, mobile := bare.PendingEmail, bare.Mobile
	bare.Mobile, bare.PendingEmail, bare.PendingEmailAt = contact.Mobile{}, contact.Email{}, time.Time{}
	if err := f.accounts.Create(t.Context(), bare, nil); err != nil {
		t.Fatal(err)
	}
	want := bare
	want.PendingEmail, want.PendingEmailAt, want.ActivationGeneration = email, f.clock.Now(), 2
	want.EmailChangedAt = f.clock.Now() // a first address counts as changed from when it was asked for
	got, err := f.accounts.ChangeEmail(t.Context(), bare, email, f.mail(), f.change(bare, accounts.AskedForEmail))
	f.wantChanged(t, want, got, err)
	want.Mobile, want.MobileChangedAt, want.SessionGeneration = mobile, f.clock.Now(), 2
	got, err = f.accounts.ChangeMobile(t.Context(), got, mobile, f.change(got, accounts.ChangedMobile))
	f.wantChanged(t, want, got, err)
	want.Email, want.PendingEmail, want.PendingEmailAt = email, contact.Email{}, time.Time{}
	want.ActivationGeneration, want.SessionGeneration = 3, 3
	got, err = f.accounts.ReplaceEmail(t.Context(), got, email, f.change(got, accounts.ChangedEmail)) // the pending one, by a code
	f.wantChanged(t, want, got, err)
}

func changesTaken(t *testing.T, f *fixture) {
	before, _ := f.proved(t)
	other, _ := f.created(t)
	_, err := f.accounts.ChangeMobile(t.Context(), before, other.Mobile, f.change(before, accounts.ChangedMobile))
	wantTaken(t, err, accounts.FieldMobile)
	owner, _ := f.proved(t)
	_, err = f.accounts.ReplaceEmail(t.Context(), before, owner.Email, f.change(before, accounts.ChangedEmail))
	wantTaken(t, err, accounts.FieldEmail)
	f.wantAsBefore(t, before)
}

func wantTaken(t *testing.T, err error, field accounts.Field) {
	t.Helper()
	var exists *accounts.ExistsError
	if !errors.As(err, &exists) || exists.Field != field {
		t.Errorf("change to what is taken = %v, want ExistsError of %s", err, field)
	}
}

func changesStale(t *testing.T, f *fixture) {
	email, mobile := f.contacts(t)
	for name, change := range map[string]func(accounts.Account) error{
		"password": func(was accounts.Account) error {
			_, err := f.accounts.ChangePassword(t.Context(), was, "hash", f.change(was, accounts.ChangedPassword, f.notice(accounts.MailPasswordChanged)))
			return err
		},
		"email": func(was accounts.Account) error {
			_, err := f.accounts.ChangeEmail(t.Context(), was, email, f.mail(), f.change(was, accounts.AskedForEmail))
			return err
		},
		"email by code": func(was accounts.Account) error {
			_, err := f.accounts.ReplaceEmail(t.Context(), was, email, f.change(was, accounts.ChangedEmail))
			return err
		},
		"mobile": func(was accounts.Account) error {
			_, err := f.accounts.ChangeMobile(t.Context(), was, mobile, f.change(was, accounts.ChangedMobile))
			return err
		},
	} {
		before, _ := f.proved(t)
		password, link, unknown := before, before, before
		password.SessionGeneration, link.ActivationGeneration, unknown.ID = 0, 0, uuid.NewString()
		for what, was := range map[string]accounts.Account{"password": password, "address": link, "account": unknown} {
			if err := change(was); !errors.Is(err, accounts.ErrChanged) {
				t.Errorf("change of the %s after another one of the %s = %v, want ErrChanged", name, what, err)
			}
		}
		f.wantAsBefore(t, before)
	}
}

func changesMails(t *testing.T, f *fixture) {
	before, used := f.proved(t) // whose activation mail cannot be filed twice
	next, _ := f.contacts(t)
	first := f.mail()
	if _, err := f.accounts.ChangeEmail(t.Context(), before, next, first, f.change(before, accounts.AskedForEmail, &used)); err == nil {
		t.Error("ChangeEmail with a mail that exists succeeded")
	}
	f.wantDropped(t, first.ID, "missing")
	if _, err := f.accounts.ChangePassword(t.Context(), before, "hash", f.change(before, accounts.ChangedPassword, &used)); err == nil {
		t.Error("ChangePassword with a mail that exists succeeded")
	}
	if _, err := f.accounts.ChangePassword(canceled(t), before, "hash", f.change(before, accounts.ChangedPassword)); err == nil {
		t.Error("ChangePassword succeeded after its context had ended")
	}
	f.wantAsBefore(t, before)
}

func changesParallel(t *testing.T, f *fixture) {
	email, mobile := f.contacts(t)
	byCode, _ := f.contacts(t)
	const many = 10
	people := make([]accounts.Account, many)
	for i := range people {
		people[i], _ = f.proved(t)
	}
	for name, change := range map[string]func(i int) error{
		"ten people prove one address": func(i int) error {
			was := f.found(t, people[i].ID)
			changed, err := f.accounts.ChangeEmail(t.Context(), was, email, f.mail(), f.change(was, accounts.AskedForEmail))
			if err == nil {
				_, err = f.accounts.Activate(t.Context(), changed, "", f.clock.Now(), nil)
			}
			return err
		},
		"ten people prove another address by codes": func(i int) error {
			was := f.found(t, people[i].ID)
			_, err := f.accounts.ReplaceEmail(t.Context(), was, byCode, f.change(was, accounts.ChangedEmail))
			return err
		},
		"ten people want one number": func(i int) error {
			was := f.found(t, people[i].ID)
			_, err := f.accounts.ChangeMobile(t.Context(), was, mobile, f.change(was, accounts.ChangedMobile))
			return err
		},
	} {
		results := testkit.Parallel(many, change)
		var exists *accounts.ExistsError
		won := testkit.Count(results, func(err error) bool { return err == nil })
		lost := testkit.Count(results, func(err error) bool { return errors.As(err, &exists) })
		if won != 1 || lost != many-1 {
			t.Errorf("%s: %d got it and %d were told that it is taken: %v", name, won, lost, results)
		}
	}
	owner, _ := f.proved(t)
	results := testkit.Parallel(many, func(int) error {
		_, err := f.accounts.ChangePassword(t.Context(), owner, "hash", f.change(owner, accounts.ChangedPassword))
		return err
	})
	won := testkit.Count(results, func(err error) bool { return err == nil })
	late := testkit.Count(results, func(err error) bool { return errors.Is(err, accounts.ErrChanged) })
	if won != 1 || late != many-1 || f.found(t, owner.ID).SessionGeneration != 2 {
		t.Errorf("of ten changes of one password %d were made and %d came too late: %v", won, late, results)
	}
}

func changesLinks(t *testing.T, f *fixture) {
	before, link := f.created(t)
	next, _ := f.contacts(t)
	if _, err := f.accounts.ChangeEmail(t.Context(), before, next, f.mail(), f.change(before, accounts.AskedForEmail)); err != nil {
		t.Fatal(err)
	}
	f.wantDropped(t, link.ID, "superseded")
	if _, err := f.accounts.Activate(t.Context(), before, "", f.clock.Now(), nil); !errors.Is(err, accounts.ErrNotFound) {
		t.Errorf("Activate of the address before = %v, want ErrNotFound", err)
	}
}

func changesDump(t *testing.T, f *fixture) {
	before, _ := f.proved(t)
	email, mobile := f.contacts(t)
	notice := f.notice(accounts.MailEmailChanged)
	notice.To = before.Email
	got, err := f.accounts.ChangeEmail(t.Context(), before, email, f.mail(), f.change(before, accounts.AskedForEmail, notice))
	if err == nil {
		_, err = f.accounts.ChangeMobile(t.Context(), got, mobile, f.change(got, accounts.ChangedMobile))
	}
	if err != nil {
		t.Fatal(err)
	}
	dump := dump(t, f.db)
	for _, want := range []string{email.String(), mobile.String(), before.Email.String()} {
		if !strings.Contains(dump, want) {
			t.Fatalf("the dump lacks %q, so it proves nothing:\n%s", want, dump)
		}
	}
	found := testkit.FindSecrets([]byte(dump), email.Reveal(), mobile.Reveal(), before.Email.Reveal(), before.Mobile.Reveal())
	if found != nil {
		t.Errorf("found in the tables: %v", found)
	}
}
