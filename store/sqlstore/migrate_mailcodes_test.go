package sqlstore_test

import (
	"slices"
	"testing"

	"usher/store/sqlstore"
)

// The table of messages is copied on SQLite: its rows, its indexes and its other constraints stay.
func TestMigrate_lets_codes_by_mail_have_no_account(t *testing.T) {
	t.Parallel()
	databases(t, func(t *testing.T, newURL func(*testing.T) string) {
		db := migratedTo(t, newURL(t), 3)
		exec(t, db, `insert into accounts (id, username, username_key, password_hash, active, email_active, superuser,
			activation_generation, session_generation, created_at, updated_at)
			values ('a', 'name_of_a', 'name_of_a', 'h', true, false, false, 1, 1, current_timestamp, current_timestamp)`)
		const mail = `insert into messages (id, channel, purpose, account_id, to_masked, state, not_after, enqueued_at, claim, created_at, updated_at)
			values ('m', 'email', 'login', 'a', 'x***@example.com', 'queued', current_timestamp, current_timestamp, 'c', current_timestamp, current_timestamp)`
		exec(t, db, mail)
		if _, err := db.Unwrap().ExecContext(t.Context(), "update messages set account_id = null"); err == nil {
			t.Fatal("a mail without an account was accepted before the migration")
		}
		before := indexNames(t, db)
		if err := sqlstore.Migrate(t.Context(), db); err != nil {
			t.Fatal(err)
		}
		var to, claim string
		row := db.Unwrap().QueryRowContext(t.Context(), "select to_masked, claim from messages where id = 'm' and account_id = 'a'")
		if err := row.Scan(&to, &claim); err != nil || to != "x***@example.com" || claim != "c" {
			t.Errorf("the message is now to %q with the claim %q, %v", to, claim, err)
		}
		after := indexNames(t, db)
		for _, name := range before {
			if !slices.Contains(after, name) {
				t.Errorf("the index %s is gone", name)
			}
		}
		exec(t, db, "update messages set account_id = null")
		if _, err := db.Unwrap().ExecContext(t.Context(), "update messages set account_id = 'b'"); err == nil {
			t.Error("a mail of an unknown account is accepted")
		}
	})
}

func indexNames(t *testing.T, db *sqlstore.DB) (names []string) {
	t.Helper()
	query := "select name from sqlite_schema where type = 'index' and tbl_name = 'messages' and sql is not null"
	if db.Unwrap().DriverName() == "postgres" {
		query = "select indexname from pg_indexes where tablename = 'messages'"
	}
	if err := db.Unwrap().SelectContext(t.Context(), &names, query); err != nil || len(names) == 0 {
		t.Fatalf("%d indexes, %v", len(names), err)
	}
	return names
}
