package sqlstore_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"usher/accounts"
	"usher/internal/testkit"
	"usher/messages"
	"usher/store/sqlstore"
)

// historyTests check that operators find messages and requeue those that are still useful, and no others.
var historyTests = behaviours{
	"List_begins_with_the_newest":                   historyNewest,
	"List_honours_every_part_of_its_filter":         historyFilter,
	"Find_returns_all_that_is_known":                historyFind,
	"Person_is_found_by_id_and_by_number":           historyPerson,
	"Retry_makes_a_dead_mail_due_at_once":           retryDue,
	"Retry_takes_back_what_was_sent_by_force_only":  retrySent,
	"Retry_refuses_a_mail_that_is_not_useful":       retryObsolete,
	"Retry_refuses_what_is_on_its_way":              retryOpen,
	"Retry_takes_a_notice_once_its_address_is_fine": retryDropped,
	"Retry_of_one_mail_succeeds_once_of_20":         retryParallel,
	"Dry_Retry_changes_nothing":                     retryDry,
	"History_gives_up_with_its_context":             historyCanceled,
}

func (f *fixture) wantListed(t *testing.T, filter sqlstore.Filter, want ...string) {
	t.Helper()
	if filter.Limit == 0 {
		filter.Limit = 100
	}
	list, err := f.messages.List(t.Context(), filter)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, m := range list {
		got = append(got, m.ID)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("messages of %+v (-want +got):\n%s", filter, diff)
	}
}

func historyNewest(t *testing.T, f *fixture) {
	var newest []string
	for range 5 {
		_, mail := f.created(t)
		newest = append([]string{mail.ID}, newest...)
		f.clock.Advance(time.Second)
	}
	f.wantListed(t, sqlstore.Filter{}, newest...)
	f.wantListed(t, sqlstore.Filter{Limit: 2}, newest[:2]...)
	f.wantListed(t, sqlstore.Filter{Limit: -1}, newest[0])
	for range 2 { // messages of the same moment keep one order
		f.created(t)
	}
	list, err := f.messages.List(t.Context(), sqlstore.Filter{Limit: 2})
	if err != nil || list[0].ID <= list[1].ID {
		t.Errorf("messages of the same moment: %v, %+v", err, list)
	}
}

func historyFilter(t *testing.T, f *fixture) {
	person, first := f.created(t)
	began := f.clock.Now()
	f.clock.Advance(time.Minute)
	_, failed := f.created(t)
	f.record(t, f.claim(t, failed.ID), messages.Failed)
	f.clock.Advance(time.Minute)
	notice := f.notice(accounts.MailEmailChanged)
	notice.To, notice.RequestID, notice.NotAfter = former(t), "request-2", notice.NotAfter.Add(time.Hour)
	f.filed(t, person, notice)

	for name, test := range map[string]struct {
		filter sqlstore.Filter
		want   []string
	}{
		"email":     {sqlstore.Filter{Channel: messages.Email}, []string{notice.ID, failed.ID, first.ID}},
		"sms":       {sqlstore.Filter{Channel: messages.SMS}, nil},
		"state":     {sqlstore.Filter{States: []messages.State{messages.Failed}}, []string{failed.ID}},
		"states":    {sqlstore.Filter{States: []messages.State{messages.Failed, messages.Queued}, Limit: 2}, []string{notice.ID, failed.ID}},
		"purpose":   {sqlstore.Filter{Purpose: "email_changed"}, []string{notice.ID}},
		"provider":  {sqlstore.Filter{Provider: "smtp"}, []string{failed.ID}},
		"code":      {sqlstore.Filter{Code: "250"}, []string{failed.ID}},
		"mask":      {sqlstore.Filter{To: former(t).String()}, []string{notice.ID}},
		"request":   {sqlstore.Filter{RequestID: "request-2"}, []string{notice.ID}},
		"account":   {sqlstore.Filter{AccountID: person.ID}, []string{notice.ID, first.ID}},
		"since":     {sqlstore.Filter{Since: began.Add(time.Minute)}, []string{notice.ID, failed.ID}},
		"until":     {sqlstore.Filter{Until: began.Add(time.Minute)}, []string{first.ID}},
		"alive":     {sqlstore.Filter{Alive: began.Add(linkLife + 2*time.Minute)}, []string{notice.ID}},
		"subject":   {sqlstore.Filter{Subject: first.ID[:22]}, nil}, // it is no code
		"all parts": {sqlstore.Filter{Channel: messages.Email, States: []messages.State{messages.Failed}, Since: began, Provider: "smtp"}, []string{failed.ID}},
	} {
		t.Run(name, func(t *testing.T) { f.wantListed(t, test.filter, test.want...) })
	}
}

func historyFind(t *testing.T, f *fixture) {
	account, mail := f.created(t)
	f.clock.Advance(time.Second)
	f.record(t, f.claim(t, mail.ID), messages.Sent)
	got, err := f.messages.Find(t.Context(), mail.ID)
	now, filed := stamped(storedTime(f.clock.Now())), storedMail(mail)
	want := sqlstore.Message{
		ID: mail.ID, Channel: messages.Email, Purpose: "activation", AccountID: account.ID, Language: "en",
		To: account.PendingEmail.String(), RequestID: "request-1", State: messages.Sent, Attempt: 1,
		Provider: "smtp", ProviderID: "<1@x>", ProviderCode: "250",
		CreatedAt: stamped(filed.CreatedAt), EnqueuedAt: stamped(filed.CreatedAt), AcceptedAt: now, NotAfter: stamped(filed.NotAfter), UpdatedAt: now,
	}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("Find: %v (-want +got):\n%s", err, diff)
	}
	if _, err := f.messages.Find(t.Context(), "unknown"); !errors.Is(err, messages.ErrNotFound) {
		t.Errorf("Find of an unknown id = %v, want ErrNotFound", err)
	}
}

func stamped(at time.Time) sqlstore.Stamp { return sqlstore.Stamp{Time: at} }

func storedTime(at time.Time) time.Time { return at.UTC().Truncate(time.Microsecond) }

func historyPerson(t *testing.T, f *fixture) {
	account, _ := f.proved(t)
	got, err := f.messages.Person(t.Context(), account.ID)
	want := sqlstore.Person{
		ID: account.ID, Mobile: account.Mobile.String(), Email: account.Email.String(), Active: true,
		Subject: got.Subject, CreatedAt: stamped(storedTime(account.CreatedAt)), UpdatedAt: stamped(storedTime(f.clock.Now())),
	}
	if diff := cmp.Diff(want, got); err != nil || diff != "" || got.Subject == "" {
		t.Errorf("Person: %v, subject %q (-want +got):\n%s", err, got.Subject, diff)
	}
	if again, err := f.messages.PersonOf(t.Context(), got.Subject); err != nil || again != got {
		t.Errorf("PersonOf = %+v, %v", again, err)
	}
	if _, err := f.messages.PersonOf(t.Context(), account.ID); !errors.Is(err, accounts.ErrNotFound) {
		t.Errorf("PersonOf an unknown subject = %v, want ErrNotFound", err)
	}
}

// retry is a Retry that must not fail; it returns why nothing was done.
func (f *fixture) retry(t *testing.T, id string, how sqlstore.Retry) string {
	t.Helper()
	reason, err := f.messages.Retry(t.Context(), id, how)
	if err != nil {
		t.Fatalf("Retry: %v", err)
	}
	return reason
}

func (f *fixture) wantRetry(t *testing.T, id, want string) {
	t.Helper()
	if got := f.retry(t, id, sqlstore.Retry{}); got != want {
		t.Errorf("Retry = %q, want %q", got, want)
	}
}

func retryDue(t *testing.T, f *fixture) {
	_, mail := f.created(t)
	f.clock.Advance(mailAge)
	f.record(t, f.claim(t, mail.ID), messages.Failed)
	f.wantRetry(t, mail.ID, "")
	f.wantDue(t, "after it was put back, under a new id", map[string]int{mail.ID: 1})
	f.wantDue(t, "right after", map[string]int{})
	claim := f.claim(t, mail.ID)
	if claim.Attempt != 2 {
		t.Errorf("attempt %d, want 2", claim.Attempt)
	}
	f.record(t, claim, messages.Failed)
	f.wantRetry(t, mail.ID, "") // as often as needed
	f.wantDue(t, "after the second time", map[string]int{mail.ID: 2})
}

func retrySent(t *testing.T, f *fixture) {
	_, mail := f.created(t)
	f.record(t, f.claim(t, mail.ID), messages.Sent)
	f.wantRetry(t, mail.ID, "sent")
	if reason := f.retry(t, mail.ID, sqlstore.Retry{Force: true}); reason != "" {
		t.Errorf("Retry by force = %q", reason)
	}
	f.claim(t, mail.ID)
}

func retryObsolete(t *testing.T, f *fixture) {
	failed := func() (accounts.Account, accounts.Mail) {
		account, mail := f.created(t)
		f.record(t, f.claim(t, mail.ID), messages.Failed)
		return account, mail
	}
	used, usedMail := failed()
	if _, err := f.accounts.Activate(t.Context(), used, "", f.clock.Now(), nil); err != nil {
		t.Fatal(err)
	}
	superseded, supersededMail := failed()
	f.asksForAnother(t, superseded)
	_, expiredMail := failed()
	for range 2 {
		f.wantRetry(t, usedMail.ID, "used")
		f.wantRetry(t, supersededMail.ID, "superseded")
		f.wantRetry(t, "unknown", "missing")
	}
	f.clock.Advance(linkLife)
	f.wantRetry(t, expiredMail.ID, "expired")
	if reason := f.retry(t, expiredMail.ID, sqlstore.Retry{Force: true}); reason != "expired" {
		t.Errorf("Retry by force of what has ended = %q", reason)
	}
	f.wantDropped(t, expiredMail.ID, "failed")
}

func retryOpen(t *testing.T, f *fixture) {
	_, mail := f.created(t)
	f.wantRetry(t, mail.ID, "queued")
	claim := f.claim(t, mail.ID)
	f.wantRetry(t, mail.ID, "sending")
	f.record(t, claim, messages.Sent) // the claim still counts
	f.wantDue(t, "of one that is on its way", map[string]int{})
}

func retryDropped(t *testing.T, f *fixture) {
	account, _ := f.created(t)
	notice := f.notice(accounts.MailPasswordChanged)
	f.filed(t, account, notice)
	f.wantDropped(t, notice.ID, "unproved")
	f.wantRetry(t, notice.ID, "unproved")
	if _, err := f.accounts.Activate(t.Context(), account, "", f.clock.Now(), nil); err != nil {
		t.Fatal(err)
	}
	f.wantRetry(t, notice.ID, "")
	f.claim(t, notice.ID)
}

func retryParallel(t *testing.T, f *fixture) {
	_, mail := f.created(t)
	f.record(t, f.claim(t, mail.ID), messages.Failed)
	f.clock.Advance(mailAge)
	reasons := testkit.Parallel(20, func(int) string {
		reason, err := f.messages.Retry(t.Context(), mail.ID, sqlstore.Retry{})
		return fmt.Sprintf("%s%v", reason, err)
	})
	if done := testkit.Count(reasons, func(r string) bool { return r == "<nil>" }); done != 1 {
		t.Errorf("%d succeeded, want 1: %q", done, reasons)
	}
	f.wantDue(t, "after all", map[string]int{mail.ID: 1})
}

func retryDry(t *testing.T, f *fixture) {
	_, mail := f.created(t)
	f.record(t, f.claim(t, mail.ID), messages.Failed)
	before := dump(t, f.db)
	if reason := f.retry(t, mail.ID, sqlstore.Retry{DryRun: true}); reason != "" {
		t.Errorf("Retry = %q", reason)
	}
	if diff := cmp.Diff(before, dump(t, f.db)); diff != "" {
		t.Errorf("it changed (-before +after):\n%s", diff)
	}
}

func historyCanceled(t *testing.T, f *fixture) {
	_, mail := f.created(t)
	ctx := canceled(t)
	for name, call := range map[string]func() error{
		"List":   func() error { _, err := f.messages.List(ctx, sqlstore.Filter{Limit: 1}); return err },
		"Find":   func() error { _, err := f.messages.Find(ctx, mail.ID); return err },
		"Person": func() error { _, err := f.messages.Person(ctx, mail.ID); return err },
		"Retry":  func() error { _, err := f.messages.Retry(ctx, mail.ID, sqlstore.Retry{}); return err },
	} {
		if err := call(); !errors.Is(err, context.Canceled) {
			t.Errorf("%s = %v, want context.Canceled", name, err)
		}
	}
}
