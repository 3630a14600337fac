package sqlstore_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"usher/accounts"
	"usher/contact"
	"usher/events"
	"usher/internal/testkit"
	"usher/messages"
	"usher/store/sqlstore"
	"usher/verify"
)

// erasedTests check what accounts.Store promises about erased accounts.
var erasedTests = behaviours{
	"Erase_leaves_nothing_of_a_person":          erasedWhole,
	"Erase_of_no_account":                       erasedNone,
	"A_contact_that_another_account_has_stays":  erasedContactOfAnother,
	"Codes_to_an_address_without_proof":         erasedWithoutProof,
	"Names_are_held_for_a_day":                  erasedNames,
	"The_name_of_an_unproved_account_is_held":   erasedUnproved,
	"The_rest_is_deleted_again_after_some_time": erasedAgain,
	"A_requested_deletion_waits":                erasedByOwner,
	"What_cannot_be_opened_stops_no_other":      erasedUnreadable,
	"Consents_go_with_an_account":               erasedByEarlierRelease,
	"Consents_from_before_their_table_are_kept": consentsFromBefore,
}

// dump returns every row of every table.
func (f *fixture) dump(t *testing.T) string {
	t.Helper()
	return string(testkit.DumpSQL(t, f.db.Unwrap().DB))
}

// code files the outcome of a code to the recipient, which did not arrive.
func (f *fixture) code(t *testing.T, to verify.Recipient) string {
	t.Helper()
	return f.codeFor(t, to, verify.Login)
}

func (f *fixture) codeFor(t *testing.T, to verify.Recipient, purpose verify.Purpose) string {
	t.Helper()
	id := verify.NewID(verify.SubjectFor(keys(t), to))
	record := messages.Record{
		ID: id, Revision: 1, Channel: verify.ChannelOf(to), Purpose: string(purpose), To: to.String(), State: messages.Undelivered,
		CreatedAt: f.clock.Now(), UpdatedAt: f.clock.Now(), NotAfter: f.clock.Now().Add(time.Minute),
	}
	if err := f.outcomes.Save(t.Context(), []messages.Record{record}); err != nil {
		t.Fatal(err)
	}
	return id
}

// use uses a code to the recipient up.
func (f *fixture) use(t *testing.T, to verify.Recipient) {
	t.Helper()
	for _, kind := range []string{"", "proof/"} { // a code, and a redeemed proof
		id := kind + verify.NewID(verify.SubjectFor(keys(t), to))
		if _, err := sqlstore.NewSpent(f.db, f.clock.Now).Use(t.Context(), id, f.clock.Now().Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
}

// erasedPerson is an account with former contacts, an address that waits for its proof, mails, codes and events, and what must not be
// found when it is gone.
func (f *fixture) erasedPerson(t *testing.T) (account accounts.Account, traces traces) {
	t.Helper()
	f.endpoint(t)
	was, _ := f.proved(t)
	moved, _ := f.movedMobile(t, was)
	address, _ := f.contacts(t)
	moved, err := f.accounts.ReplaceEmail(t.Context(), moved, address, f.change(moved, accounts.ChangedEmail))
	if err != nil {
		t.Fatal(err)
	}
	account = f.asksForAnother(t, moved)
	for _, to := range []verify.Recipient{was.Mobile, was.Email, account.Mobile, account.Email, account.PendingEmail} {
		traces.shown = append(traces.shown, to.String(), verify.SubjectFor(keys(t), to))
		traces.sealed = append(traces.sealed, to.Reveal())
		f.code(t, to)
		if to != verify.Recipient(account.PendingEmail) {
			f.use(t, to)
		}
	}
	_, canonical, _ := accounts.CanonicalUsername(account.Username)
	traces.shown = append(traces.shown, account.Username, canonical, account.PasswordHash)
	return account, traces
}

// traces are what is known of a person: what the tables show, and what they have sealed only.
type traces struct{ shown, sealed []string }

func erasedWhole(t *testing.T, f *fixture) {
	account, traces := f.erasedPerson(t)
	before := f.dump(t)
	for i, trace := range traces.shown {
		if !strings.Contains(before, trace) {
			t.Errorf("the search does not find trace %d before the erasure", i)
		}
	}
	erased, err := f.accounts.Erase(t.Context(), account.ID, f.clock.Now())
	if err != nil {
		t.Fatal(err)
	}
	if len(erased.Mobiles) != 2 || len(erased.Emails) != 2 || erased.Unproved != account.PendingEmail.Reveal() || erased.Username != account.Username || len(erased.Mails) == 0 {
		t.Errorf("Erase returned %d numbers, %d addresses, %d mails", len(erased.Mobiles), len(erased.Emails), len(erased.Mails))
	}
	again, err := f.accounts.Erase(t.Context(), account.ID, f.clock.Now().Add(time.Minute))
	if err != nil || !slices.Equal(again.Mails, erased.Mails) || !again.At.Equal(erased.At) {
		t.Errorf("second Erase = %v, %v", again, err)
	}
	if err := f.accounts.ForgetErased(t.Context(), []accounts.Erased{erased}); err != nil {
		t.Fatal(err)
	}
	after := f.dump(t)
	for _, trace := range slices.Concat(traces.shown, traces.sealed) {
		if strings.Contains(after, trace) {
			t.Errorf("%q is still there: %s", trace, lineOf(after, trace))
		}
	}
	if !strings.Contains(after, string(events.AccountDeleted)) {
		t.Error("no event tells that the account is gone")
	}
	if strings.Contains(before, account.ID) && strings.Count(after, account.ID) == 0 {
		t.Error("the events of the account are gone")
	}
}

func erasedNone(t *testing.T, f *fixture) {
	if _, err := f.accounts.Erase(t.Context(), "no-such-id", f.clock.Now()); !errors.Is(err, accounts.ErrNotFound) {
		t.Errorf("Erase = %v", err)
	}
}

func erasedContactOfAnother(t *testing.T, f *fixture) {
	account, _ := f.erasedPerson(t)
	if _, err := f.accounts.Erase(t.Context(), account.ID, f.clock.Now()); err != nil {
		t.Fatal(err)
	}
	other, mail := f.person(t)
	other.Mobile = account.Mobile
	if err := f.accounts.Create(t.Context(), other, mail); err != nil {
		t.Fatalf("the number is not free: %v", err)
	}
	code := f.code(t, other.Mobile)
	remains, err := f.accounts.ErasedRemains(t.Context(), f.clock.Now(), 10)
	if err != nil || len(remains) != 1 || slices.Contains(remains[0].Mobiles, account.Mobile.Reveal()) {
		t.Fatalf("ErasedRemains = %v, %v", remains, err)
	}
	if err := f.accounts.ForgetErased(t.Context(), remains); err != nil {
		t.Fatal(err)
	}
	if _, err := f.messages.Find(t.Context(), code); err != nil {
		t.Errorf("the code of the other account: %v", err)
	}
}

// An address without proof may belong to another person: codes of apps stay, and all codes when an account has proved it by now.
func erasedWithoutProof(t *testing.T, f *fixture) {
	for _, test := range []struct {
		proved bool
		want   map[verify.Purpose]bool
	}{
		{false, map[verify.Purpose]bool{verify.Login: false, verify.ForApp("app_aaaaaaaaaa", "login"): true}},
		{true, map[verify.Purpose]bool{verify.Login: true}},
	} {
		address, _ := f.contacts(t)
		account, _ := f.waits(t, address, true)
		codes := map[verify.Purpose]string{}
		for purpose := range test.want {
			codes[purpose] = f.codeFor(t, address, purpose)
		}
		if test.proved {
			other, mail := f.person(t)
			other.Email, other.PendingEmail = address, contact.Email{}
			if err := f.accounts.Create(t.Context(), other, mail); err != nil {
				t.Fatal(err)
			}
		}
		erased, err := f.accounts.Erase(t.Context(), account.ID, f.clock.Now())
		if err != nil || len(erased.Emails) != 0 || (erased.Unproved == "") != test.proved {
			t.Fatalf("Erase = %d addresses, %q, %v", len(erased.Emails), erased.Unproved, err)
		}
		if err := f.accounts.ForgetErased(t.Context(), []accounts.Erased{erased}); err != nil {
			t.Fatal(err)
		}
		for purpose, stays := range test.want {
			if _, err := f.messages.Find(t.Context(), codes[purpose]); (err == nil) != stays {
				t.Errorf("code for %s of an address, proved by another account: %v: %v", purpose, test.proved, err)
			}
		}
	}
}

func (f *fixture) wantName(t *testing.T, name string, taken bool) {
	t.Helper()
	_, canonical, _ := accounts.CanonicalUsername(name)
	got, err := f.accounts.Exists(t.Context(), accounts.Key{By: accounts.ByUsername, Value: canonical})
	if err != nil || got != taken {
		t.Errorf("the name is taken: %v, %v; want %v", got, err, taken)
	}
}

func erasedNames(t *testing.T, f *fixture) {
	account, _ := f.created(t)
	at := f.clock.Now()
	if _, err := f.accounts.Erase(t.Context(), account.ID, at); err != nil {
		t.Fatal(err)
	}
	f.wantName(t, account.Username, true)
	if err := f.accounts.FreeNames(t.Context(), at.Add(-time.Second)); err != nil {
		t.Fatal(err)
	}
	f.wantName(t, account.Username, true)
	if err := f.accounts.FreeNames(t.Context(), at.Add(time.Second)); err != nil { // although the rest is not deleted
		t.Fatal(err)
	}
	f.wantName(t, account.Username, false)
}

func erasedUnproved(t *testing.T, f *fixture) {
	address, _ := f.contacts(t)
	account, _ := f.waits(t, address, true)
	later := f.clock.Now().Add(time.Hour)
	if n, err := f.accounts.DropUnproved(t.Context(), later, later, 10); err != nil || n != 1 {
		t.Fatalf("DropUnproved = %d, %v", n, err)
	}
	f.wantName(t, account.Username, true)
	remains, err := f.accounts.ErasedRemains(t.Context(), later, 10)
	if err != nil || len(remains) != 1 || len(remains[0].Emails) != 0 {
		t.Errorf("ErasedRemains = %v, %v: the owner of an address without proof is another person", remains, err)
	}
}

func erasedAgain(t *testing.T, f *fixture) {
	account, _ := f.created(t)
	at := f.clock.Now()
	erased, err := f.accounts.Erase(t.Context(), account.ID, at)
	if err != nil {
		t.Fatal(err)
	}
	list := []accounts.Erased{erased}
	if err := f.accounts.MarkForgotten(t.Context(), list, at, at.Add(-time.Hour)); err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		before time.Time
		want   int
	}{{at.Add(-time.Hour), 0}, {at.Add(time.Second), 1}} {
		if remains, err := f.accounts.ErasedRemains(t.Context(), step.before, 10); err != nil || len(remains) != step.want {
			t.Errorf("ErasedRemains before %v = %d, %v; want %d", step.before, len(remains), err, step.want)
		}
	}
	if err := f.accounts.MarkForgotten(t.Context(), list, at.Add(2*time.Hour), at.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if remains, err := f.accounts.ErasedRemains(t.Context(), at.Add(2*time.Hour), 10); err != nil || len(remains) != 0 {
		t.Errorf("ErasedRemains at the end = %d, %v", len(remains), err)
	}
	if err := f.accounts.FreeNames(t.Context(), at.Add(time.Second)); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(f.dump(t)) {
		if strings.Contains(line, account.ID) && !strings.HasPrefix(line, "audit ") {
			t.Errorf("the account is still in the tables: %s", line)
		}
	}
}

func (f *fixture) mustExec(t *testing.T, query string, args ...any) {
	t.Helper()
	if _, err := f.db.Unwrap().ExecContext(t.Context(), f.db.Unwrap().Rebind(query), args...); err != nil {
		t.Fatal(err)
	}
}

func erasedUnreadable(t *testing.T, f *fixture) {
	lost, _ := f.created(t)
	other, _ := f.created(t)
	for _, account := range []accounts.Account{lost, other} {
		if _, err := f.accounts.Erase(t.Context(), account.ID, f.clock.Now()); err != nil {
			t.Fatal(err)
		}
	}
	f.mustExec(t, "update erased_accounts set remains_sealed = 'lost.' where id = ?", lost.ID)
	remains, err := f.accounts.ErasedRemains(t.Context(), f.clock.Now(), 10)
	if err == nil || len(remains) != 1 || remains[0].ID != other.ID {
		t.Errorf("ErasedRemains = %v, %v; want the other account and an error", remains, err)
	}
}

// erasedByEarlierRelease deletes an account as releases without consents do, which may run beside this one.
func erasedByEarlierRelease(t *testing.T, f *fixture) {
	account, mail := f.person(t)
	account.AgreedAt, account.AgreedTerms = f.clock.Now(), "1"
	if err := f.accounts.Create(t.Context(), account, mail); err != nil {
		t.Fatal(err)
	}
	if list, err := f.accounts.Consents(t.Context(), account.ID, 10); err != nil || len(list) != 1 {
		t.Fatalf("Consents = %v, %v", list, err)
	}
	f.mustExec(t, "delete from messages where account_id = ?", account.ID)
	f.mustExec(t, "delete from accounts where id = ?", account.ID)
	if list, err := f.accounts.Consents(t.Context(), account.ID, 10); err != nil || len(list) != 0 {
		t.Errorf("Consents afterwards = %v, %v", list, err)
	}
}

// consentsFromBefore makes an account as releases without consents do.
func consentsFromBefore(t *testing.T, f *fixture) {
	account, mail := f.person(t)
	account.AgreedAt, account.AgreedTerms = f.clock.Now(), "1"
	if err := f.accounts.Create(t.Context(), account, mail); err != nil {
		t.Fatal(err)
	}
	f.mustExec(t, "delete from consents")
	check := func(after string, want ...string) {
		t.Helper()
		list, err := f.accounts.Consents(t.Context(), account.ID, 10)
		var got []string
		for _, c := range list {
			got = append(got, fmt.Sprintf("%s %s %v", c.Document, c.Version, c.WithdrawnAt.IsZero()))
		}
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("after %s: %q, %v; want %q", after, got, err, want)
		}
		if last := list[len(list)-1]; !last.AgreedAt.Equal(stored(account).AgreedAt) {
			t.Errorf("after %s: the first consent has the time %v", after, last.AgreedAt)
		}
	}
	check("the upgrade", "terms 1 true")
	later := f.clock.Now().Add(time.Hour)
	for range 2 { // the second time the first consent has its row
		_, err := f.accounts.Agree(t.Context(), account.ID, []accounts.Consent{{Document: accounts.Privacy, Version: "7", AgreedAt: later}})
		if err != nil {
			t.Fatal(err)
		}
		later = later.Add(time.Hour)
	}
	check("another document", "privacy 7 true", "privacy 7 true", "terms 1 true")
	if _, err := f.accounts.Withdraw(t.Context(), account.ID, accounts.Terms, later); err != nil {
		t.Fatal(err)
	}
	check("a withdrawal", "privacy 7 true", "privacy 7 true", "terms 1 false")
}

func erasedByOwner(t *testing.T, f *fixture) {
	account, _ := f.proved(t)
	now, due := f.clock.Now(), f.clock.Now().Add(time.Hour)
	notice := f.notice(accounts.MailDeletionAsked)
	notice.To = account.Email
	waits, err := f.accounts.ScheduleDeletion(t.Context(), account, now, due, notice)
	if err != nil || !waits.DeleteAt.Equal(due.Truncate(time.Microsecond)) || waits.SessionGeneration != account.SessionGeneration+1 {
		t.Fatalf("ScheduleDeletion = %v, generation %d, %v", waits.DeleteAt, waits.SessionGeneration, err)
	}
	f.claim(t, notice.ID)
	if _, err := f.accounts.ScheduleDeletion(t.Context(), account, now, due, nil); !errors.Is(err, accounts.ErrChanged) {
		t.Errorf("ScheduleDeletion of an account that has changed = %v", err)
	}
	f.wantDueDeletions(t, due.Add(-time.Second), "")
	if kept, err := f.accounts.KeepAccount(t.Context(), account.ID, now); err != nil || !kept {
		t.Errorf("KeepAccount = %v, %v", kept, err)
	}
	f.wantDueDeletions(t, due, "")
	waits = f.found(t, account.ID)
	if _, err := f.accounts.ScheduleDeletion(t.Context(), waits, now, due, nil); err != nil {
		t.Fatal(err)
	}
	for _, do := range []func(context.Context, string, time.Time) (accounts.Account, error){f.accounts.Block, f.accounts.Unblock} {
		if _, err := do(t.Context(), account.ID, now); err != nil {
			t.Fatal(err)
		}
		want := account.ID
		if f.found(t, account.ID).Blocked() {
			want = ""
		}
		f.wantDueDeletions(t, due, want)
	}
	if kept, err := f.accounts.KeepAccount(t.Context(), account.ID, now); err != nil || kept {
		t.Errorf("KeepAccount of an account that is gone = %v, %v", kept, err)
	}
}

// wantDueDeletions looks which account is to be erased, and erases it.
func (f *fixture) wantDueDeletions(t *testing.T, at time.Time, id string) {
	t.Helper()
	ids, err := f.accounts.DueDeletions(t.Context(), at, 10)
	if err != nil || strings.Join(ids, " ") != id {
		t.Errorf("DueDeletions = %q, %v; want %q", ids, err, id)
	}
	if id == "" {
		return
	}
	if _, err := f.accounts.EraseDue(t.Context(), id, at.Add(-time.Second)); !errors.Is(err, accounts.ErrNotFound) {
		t.Errorf("EraseDue before its time = %v", err)
	}
	if _, err := f.accounts.EraseDue(t.Context(), id, at); err != nil {
		t.Errorf("EraseDue = %v", err)
	}
}

// lineOf returns the row of a dump that has the text, and its table.
func lineOf(dump, text string) string {
	for line := range strings.Lines(dump) {
		if strings.Contains(line, text) {
			return line
		}
	}
	return ""
}
