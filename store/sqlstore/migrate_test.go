package sqlstore_test

import (
	"errors"
	"fmt"
	"testing"

	"golang.org/x/sync/errgroup"

	"usher/store/sqlstore"
)

func TestMigrate_is_safe_in_parallel(t *testing.T) {
	t.Parallel()
	databases(t, func(t *testing.T, newURL func(*testing.T) string) {
		url := newURL(t)
		var group errgroup.Group
		for range 4 { // each with its own connections, like four processes
			db := openAt(t, url)
			group.Go(func() error { return sqlstore.Migrate(t.Context(), db) })
		}
		if err := group.Wait(); err != nil {
			t.Fatal(err)
		}
		if err := sqlstore.CheckSchema(t.Context(), openAt(t, url)); err != nil {
			t.Errorf("CheckSchema after Migrate = %v", err)
		}
	})
}

func TestCheckSchema_tells_older_from_newer(t *testing.T) {
	t.Parallel()
	databases(t, func(t *testing.T, newURL func(*testing.T) string) {
		db := openAt(t, newURL(t))
		for range 2 { // looking does not make the table that is looked for
			if err := sqlstore.CheckSchema(t.Context(), db); !errors.Is(err, sqlstore.ErrSchemaOld) {
				t.Fatalf("empty database: CheckSchema = %v, want ErrSchemaOld", err)
			}
		}
		if err := sqlstore.Migrate(t.Context(), db); err != nil {
			t.Fatal(err)
		}
		if err := sqlstore.CheckSchema(t.Context(), db); err != nil {
			t.Errorf("migrated: CheckSchema = %v", err)
		}
		exec(t, db, "insert into goose_db_version (version_id, is_applied) values (9999, true)")
		if err := sqlstore.CheckSchema(t.Context(), db); err != nil {
			t.Errorf("migrated by a newer program: CheckSchema = %v", err)
		}
		exec(t, db, "delete from goose_db_version where version_id > 1")
		if err := sqlstore.CheckSchema(t.Context(), db); !errors.Is(err, sqlstore.ErrSchemaOld) {
			t.Errorf("half migrated: CheckSchema = %v, want ErrSchemaOld", err)
		}
	})
}

func TestStatus_lists_what_is_applied(t *testing.T) {
	t.Parallel()
	databases(t, func(t *testing.T, newURL func(*testing.T) string) {
		db := openAt(t, newURL(t))
		for _, applied := range []bool{false, true} {
			list, err := sqlstore.Status(t.Context(), db)
			if err != nil || len(list) < 2 || list[0].Name != "0001_accounts.sql" {
				t.Fatalf("Status = %+v, %v", list, err)
			}
			for _, migration := range list {
				if migration.AppliedAt.IsZero() == applied {
					t.Errorf("%s applied at %v, want applied: %v", migration.Name, migration.AppliedAt, applied)
				}
			}
			if err := sqlstore.Migrate(t.Context(), db); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func TestTables_refuse_what_no_code_should_write(t *testing.T) {
	t.Parallel()
	databases(t, func(t *testing.T, newURL func(*testing.T) string) {
		db := migrated(t, newURL(t))
		exec(t, db, `insert into accounts (id, username, username_key, password_hash, active, email_active, superuser,
			activation_generation, session_generation, created_at, updated_at)
			values ('a', 'a', 'a', 'h', true, false, false, 1, 1, current_timestamp, current_timestamp)`)
		const message = `insert into messages (id, channel, purpose, account_id, to_masked, state, not_after, enqueued_at,
			created_at, updated_at) values `
		exec(t, db, message+`('m', 'email', 'activation', 'a', '', 'queued', current_timestamp, current_timestamp, current_timestamp, current_timestamp)`)
		for name, statement := range map[string]string{
			"unknown state":          `update messages set state = 'lost'`,
			"unknown channel":        `update messages set channel = 'fax'`,
			"claim without a lease":  `update messages set state = 'sending'`,
			"unknown account":        `update messages set account_id = 'b'`,
			"proved without address": `update accounts set email_active = true`,
			"key without its seal":   `update accounts set mobile_key = 'k'`,
			"no user name":           `update accounts set username_key = null`,
		} {
			if _, err := db.Unwrap().ExecContext(t.Context(), statement); err == nil {
				t.Errorf("%s was accepted", name)
			}
		}
	})
}

func exec(t *testing.T, db *sqlstore.DB, statement string) {
	t.Helper()
	if _, err := db.Unwrap().ExecContext(t.Context(), statement); err != nil {
		t.Fatal(err)
	}
}

// forgetMigrations makes the database one on which the migrations from a version on were not applied, as far as they would fail
// when they are applied again.
func forgetMigrations(t *testing.T, db *sqlstore.DB, from int) {
	t.Helper()
	exec(t, db, fmt.Sprintf("delete from goose_db_version where version_id >= %d", from))
	exec(t, db, "drop index accounts_delete_at") // SQLite drops no column of an index
	for _, column := range []string{"agreed_at", "agreed_terms", "blocked_at", "event_seq", "agreed_privacy", "delete_at"} {
		exec(t, db, "alter table accounts drop column "+column)
	}
}

// Names that were registered by an older version are compared by their look as well.
func TestMigrate_gives_old_user_names_their_new_keys(t *testing.T) {
	t.Parallel()
	databases(t, func(t *testing.T, newURL func(*testing.T) string) {
		db := migrated(t, newURL(t))
		const old = `insert into accounts (id, username, username_key, password_hash, active, email_active, superuser,
			activation_generation, session_generation, created_at, updated_at)
			values ('%s', '%s', '%[2]s', 'h', true, false, false, 1, 1, current_timestamp, current_timestamp)`
		names := map[string]string{"a": "lilei", "b": "ооооо", "c": "οοοοο"} // Latin, Cyrillic, Greek
		for _, id := range []string{"a", "b", "c"} {                         // the order decides which twin was first
			exec(t, db, fmt.Sprintf(old, id, names[id]))
		}
		forgetMigrations(t, db, 7)
		if err := sqlstore.Migrate(t.Context(), db); err != nil {
			t.Fatal(err)
		}
		var keys []string
		err := db.Unwrap().SelectContext(t.Context(), &keys, "select username_key from accounts order by id")
		if err != nil || keys[0] != "lilei" || keys[1] != "ooooo" || keys[2] != names["c"] {
			t.Errorf("keys = %q, %v, want lilei, ooooo, and the second twin as it was", keys, err)
		}
	})
}

// An account of an older version that is used every day must not be taken for one that was not seen for long.
func TestMigrate_marks_old_accounts_as_seen(t *testing.T) {
	t.Parallel()
	databases(t, func(t *testing.T, newURL func(*testing.T) string) {
		db := migrated(t, newURL(t))
		exec(t, db, `insert into accounts (id, username, username_key, password_hash, active, email_active, superuser,
			activation_generation, session_generation, created_at, updated_at)
			values ('a', 'lilei', 'lilei', 'h', true, false, false, 1, 1, current_timestamp, current_timestamp)`)
		forgetMigrations(t, db, 10)
		if err := sqlstore.Migrate(t.Context(), db); err != nil {
			t.Fatal(err)
		}
		var unseen int
		err := db.Unwrap().GetContext(t.Context(), &unseen, "select count(*) from accounts where seen_at is null")
		if err != nil || unseen > 0 {
			t.Errorf("%d accounts are not seen, %v", unseen, err)
		}
	})
}
