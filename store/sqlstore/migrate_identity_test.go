package sqlstore_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/database"

	"usher/accounts"
	"usher/internal/testkit"
	"usher/store/sqlstore"
)

// migratedTo returns a database with the schema of an older version.
func migratedTo(t *testing.T, url string, version int64) *sqlstore.DB {
	t.Helper()
	db := openAt(t, url)
	dialect := database.DialectSQLite3
	if db.Unwrap().DriverName() == "postgres" {
		dialect = database.DialectPostgres
	}
	provider, err := goose.NewProvider(dialect, db.Unwrap().DB, os.DirFS("migrations"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := provider.UpTo(t.Context(), version); err != nil {
		t.Fatal(err)
	}
	return db
}

// Addresses that were filed before they were proved wait for their proof after the migration; no proved one does.
func TestMigrate_moves_addresses_that_are_not_proved(t *testing.T) {
	t.Parallel()
	databases(t, func(t *testing.T, newURL func(*testing.T) string) {
		db, keys, now := migratedTo(t, newURL(t), 3), keys(t), time.Now().UTC().Truncate(time.Second)
		for id, old := range map[string]struct {
			hash   string
			proved bool
		}{
			"proved":     {"$argon2id$v=19$m=8,t=1,p=1$c2FsdA$aGFzaA", true},
			"registered": {"$argon2id$v=19$m=8,t=1,p=1$c2FsdA$aGFzaA", false},
			"imported":   {"pbkdf2_sha256$1$salt$hash", false},
		} {
			address := id + "@example.com"
			sealed := keys.Seal(address, "accounts.email/"+id)
			_, err := db.Unwrap().ExecContext(t.Context(), db.Unwrap().Rebind(`
				insert into accounts (id, username, username_key, email_key, email_sealed, email_masked, password_hash, active,
					email_active, superuser, activation_generation, session_generation, created_at, updated_at)
				values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1, 1, ?, ?)`),
				id, id, id, keys.Index("email", address), sealed, id[:1]+"***@example.com", old.hash, old.proved, old.proved, false, now, now)
			if err != nil {
				t.Fatal(err)
			}
		}
		if err := sqlstore.Migrate(t.Context(), db); err != nil {
			t.Fatal(err)
		}
		store := sqlstore.NewAccounts(db, keys)
		for id, since := range map[string]time.Time{"proved": {}, "registered": now, "imported": {}} {
			got, err := store.Find(t.Context(), accounts.Key{By: accounts.ByID, Value: id})
			email, pending := got.Email, got.PendingEmail
			if id != "proved" {
				email, pending = pending, email
			}
			if err != nil || email.Reveal() != id+"@example.com" || !pending.IsZero() || !got.PendingEmailAt.Equal(since) {
				t.Errorf("%s: proved %v, pending %v since %v, %v", id, got.Email, got.PendingEmail, got.PendingEmailAt, err)
			}
		}
		if _, err := store.Activate(t.Context(), accounts.Account{ID: "registered", ActivationGeneration: 1}, "", now, nil); err != nil {
			t.Errorf("Activate = %v", err)
		}
	})
}

// Periodic work looks for addresses that an older version has filed. It must not read every account for that.
func TestPending_finds_old_addresses_by_an_index(t *testing.T) {
	t.Parallel()
	db := migrated(t, testkit.SQLite(t))
	var plan []struct {
		ID      int
		Parent  int
		NotUsed int
		Detail  string
	}
	err := db.Unwrap().SelectContext(t.Context(), &plan,
		"explain query plan update accounts set email_masked = '' where email_key is not null and not email_active")
	if err != nil || len(plan) != 1 || !strings.Contains(plan[0].Detail, "USING INDEX accounts_email_unproved") {
		t.Errorf("plan = %+v, %v", plan, err)
	}
}
