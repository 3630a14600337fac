package sqlstore_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"usher/audit"
	"usher/store/sqlstore"
)

// auditTests check what the audit records of changes, and that it shows no contact.
var auditTests = behaviours{
	"Changes_of_accounts_are_recorded":         auditWalked,
	"A_change_that_fails_is_not_recorded":      auditRolledBack,
	"Records_have_the_cause_of_the_context":    auditCause,
	"Records_are_selected_and_read_page_after": auditPages,
	"Prune_deletes_old_records_alone":          auditPruned,
}

// records that the filter selects, the newest first.
func (f *fixture) records(t *testing.T, filter audit.Filter) []audit.Record {
	t.Helper()
	list, err := sqlstore.NewAudit(f.db, f.clock.Now).List(t.Context(), filter)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// actions are those of the records about an account, the oldest first.
func (f *fixture) actions(t *testing.T, account string) (actions []audit.Action) {
	t.Helper()
	for _, r := range slices.Backward(f.records(t, audit.Filter{AccountID: account, Limit: 100})) {
		actions = append(actions, r.Action)
	}
	return actions
}

func auditWalked(t *testing.T, f *fixture) {
	for name, line := range walks {
		if line.do == nil {
			continue
		}
		if got := f.actions(t, line.do(t, f)); !slices.Equal(got, line.audit) {
			t.Errorf("%s recorded %v, want %v", name, got, line.audit)
		}
	}
	all := f.records(t, audit.Filter{Limit: 1000})
	if !slices.IsSortedFunc(all, func(a, b audit.Record) int { return -strings.Compare(a.ID, b.ID) }) {
		t.Error("ids are not in the order of time")
	}
	var rows []string
	err := f.db.Unwrap().SelectContext(t.Context(), &rows, "select actor || action || fields || reason || request_id || network from audit")
	if err != nil {
		t.Fatal(err)
	}
	if text := strings.Join(rows, "\n"); strings.Contains(text, "138") || strings.Contains(text, "@") || strings.Contains(text, "Person_") {
		t.Errorf("the audit shows a contact or a name:\n%s", text)
	}
}

// The record is written in the transaction of its change: where the change fails there is none.
func auditRolledBack(t *testing.T, f *fixture) {
	account, _ := f.created(t)
	if err := f.accounts.Create(t.Context(), account, nil); err == nil {
		t.Fatal("the account was created twice")
	}
	// A mail that exists makes the last statement of the transaction fail.
	mail := *f.mail()
	if err := f.accounts.RenewActivation(t.Context(), account.ID, mail); err != nil {
		t.Fatal(err)
	}
	if err := f.accounts.RenewActivation(t.Context(), account.ID, mail); err == nil {
		t.Fatal("a mail was stored twice")
	}
	if got, want := f.actions(t, account.ID), []audit.Action{audit.AccountCreated, audit.ActivationSent}; !slices.Equal(got, want) {
		t.Errorf("recorded %v, want %v", got, want)
	}
}

func auditCause(t *testing.T, f *fixture) {
	account, _ := f.created(t)
	f.clock.Advance(time.Minute)
	cause := audit.Cause{Kind: audit.Superuser, Actor: "s1", Reason: "垃圾信息", RequestID: "request-9", Network: "192.0.2.0/24"}
	if _, err := f.accounts.Block(audit.With(t.Context(), cause), account.ID, f.clock.Now()); err != nil {
		t.Fatal(err)
	}
	change := f.change(account, "mobile")
	got := f.records(t, audit.Filter{AccountID: account.ID, Limit: 10})
	if len(got) != 2 || got[1].Cause != (audit.Cause{Kind: audit.System}) {
		t.Fatalf("records %+v", got)
	}
	want := audit.Record{
		ID: got[0].ID, At: change.At.UTC().Truncate(time.Microsecond), Cause: cause, Action: audit.AccountBlocked, AccountID: account.ID,
	}
	if diff := cmp.Diff(want, got[0]); diff != "" {
		t.Errorf("record (-want +got):\n%s", diff)
	}
}

func auditPages(t *testing.T, f *fixture) {
	ctx := audit.With(t.Context(), audit.Cause{Kind: audit.App, Actor: "key1"})
	for i := range 5 {
		if err := f.accounts.Audit(ctx, audit.New(ctx, f.clock.Now(), audit.AccountNotFound, "", "mobile", "email")); err != nil {
			t.Fatal(err)
		}
		if i == 1 {
			f.clock.Advance(time.Hour)
		}
	}
	f.created(t) // by another cause
	var pages []int
	after, since := "", f.clock.Now().Add(-time.Minute)
	for {
		page := f.records(t, audit.Filter{Actor: "key1", After: after, Since: since, Limit: 2})
		if len(page) == 0 {
			break
		}
		for _, r := range page {
			if r.Cause.Actor != "key1" || !slices.Equal(r.Fields, []string{"mobile", "email"}) {
				t.Errorf("record %+v", r)
			}
		}
		pages, after = append(pages, len(page)), page[len(page)-1].ID
	}
	if !slices.Equal(pages, []int{2, 1}) {
		t.Errorf("pages of %v records, want the three since the time", pages)
	}
	if rest := f.records(t, audit.Filter{NoLooks: true, Limit: 10}); len(rest) != 1 || rest[0].Action != audit.AccountCreated {
		t.Errorf("without looks: %+v", rest)
	}
}

func auditPruned(t *testing.T, f *fixture) {
	old, _ := f.created(t)
	f.clock.Advance(time.Hour)
	recent, _ := f.created(t)
	n, err := sqlstore.NewAudit(f.db, f.clock.Now).Prune(t.Context(), 30*time.Minute)
	if err != nil || n != 1 {
		t.Fatalf("pruned %d, %v", n, err)
	}
	if a, b := f.actions(t, old.ID), f.actions(t, recent.ID); len(a) != 0 || len(b) != 1 {
		t.Errorf("left %v and %v", a, b)
	}
}
