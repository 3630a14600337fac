package sqlstore_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"usher/accounts"
	"usher/internal/testkit"
	"usher/store/sqlstore"
)

// The suite's relays seldom meet on a row. Here another one surely holds some.
func TestMails_Due_passes_over_rows_that_another_relay_holds(t *testing.T) {
	t.Parallel()
	url := testkit.Postgres(t)
	if url == "" {
		t.Skip("no postgres on this machine")
	}
	db := migrated(t, url)
	store := sqlstore.NewAccounts(db, keys(t))
	account := withEmail(t, store)
	now := time.Now()
	for n := range 5 {
		mail := accounts.Mail{ID: fmt.Sprint(n), NotAfter: now.Add(time.Hour), CreatedAt: now.Add(time.Duration(n) * time.Second)}
		if err := store.RenewActivation(t.Context(), account.ID, mail); err != nil {
			t.Fatal(err)
		}
	}

	tx, err := db.Unwrap().BeginTxx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback() }()
	if _, err := tx.ExecContext(t.Context(), "select 1 from messages where id in ('0', '1') for update"); err != nil {
		t.Fatal(err)
	}
	later := func() time.Time { return now.Add(10 * time.Minute) }
	ctx, cancel := context.WithTimeout(t.Context(), testkit.Patience)
	defer cancel()
	due, err := sqlstore.NewMails(db, keys(t), later).Due(ctx, time.Minute, time.Minute, 3)
	if err != nil {
		t.Fatalf("Due waited for the other relay: %v", err)
	}
	ids := map[string]bool{}
	for _, mail := range due {
		ids[mail.ID] = true
	}
	if len(ids) != 3 || ids["0"] || ids["1"] {
		t.Errorf("due = %v, want 2, 3 and 4", ids)
	}
}
