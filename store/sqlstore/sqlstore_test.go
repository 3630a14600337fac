package sqlstore_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"usher/accounts"
	"usher/contact"
	"usher/internal/testkit"
	"usher/secrets"
	"usher/store/sqlstore"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// databases runs a test on a fresh database of each kind.
func databases(t *testing.T, test func(t *testing.T, newURL func(t *testing.T) string)) {
	t.Helper()
	for name, newURL := range map[string]func(*testing.T) string{
		"SQLite":     func(t *testing.T) string { t.Helper(); return testkit.SQLite(t) },
		"PostgreSQL": func(t *testing.T) string { t.Helper(); return testkit.Postgres(t) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, func(t *testing.T) string {
				t.Helper()
				url := newURL(t)
				if url == "" {
					t.Skip("no postgres on this machine")
				}
				return url
			})
		})
	}
}

func openAt(t testing.TB, url string) *sqlstore.DB {
	t.Helper()
	return openWith(t, url, sqlstore.Settings{Timeout: testkit.DatabasePatience})
}

func openWith(t testing.TB, url string, s sqlstore.Settings) *sqlstore.DB {
	t.Helper()
	db, err := sqlstore.Open(t.Context(), url, s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

func migrated(t testing.TB, url string) *sqlstore.DB {
	t.Helper()
	db := openAt(t, url)
	if err := sqlstore.Migrate(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	return db
}

func TestStores_keep_the_promises(t *testing.T) {
	t.Parallel()
	databases(t, func(t *testing.T, newURL func(*testing.T) string) {
		for name, group := range promises {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				for name, test := range group {
					t.Run(name, func(t *testing.T) {
						t.Parallel()
						test(t, newFixture(t, newURL(t)))
					})
				}
			})
		}
	})
}

// dump returns every row of our tables as text.
func dump(t *testing.T, db *sqlstore.DB) string {
	t.Helper()
	list := "select name from sqlite_master where type = 'table'"
	if db.Unwrap().DriverName() == "postgres" {
		list = "select table_name from information_schema.tables where table_schema = current_schema()"
	}
	var tables []string
	if err := db.Unwrap().SelectContext(t.Context(), &tables, list); err != nil || len(tables) < 3 {
		t.Fatalf("%d tables, %v", len(tables), err)
	}
	var text strings.Builder
	for _, table := range tables {
		rows, err := db.Unwrap().Queryx("select * from " + table)
		if err != nil {
			t.Fatal(err)
		}
		for rows.Next() {
			columns, err := rows.SliceScan()
			if err != nil {
				t.Fatal(err)
			}
			for _, column := range columns {
				if raw, ok := column.([]byte); ok {
					column = string(raw)
				}
				fmt.Fprintf(&text, "%v|", column)
			}
			text.WriteByte('\n')
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			t.Fatal(err)
		}
	}
	return text.String()
}

func keys(t testing.TB) *secrets.Keys { t.Helper(); return keysNamed(t, "t1") }

func otherKeys(t testing.TB) *secrets.Keys { t.Helper(); return keysNamed(t, "t2") }

func keysNamed(t testing.TB, id string) *secrets.Keys {
	t.Helper()
	keys, err := secrets.ParseKeys(id + ":" + base64.StdEncoding.EncodeToString([]byte(strings.Repeat("k", 32))))
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

func person(t testing.TB) accounts.Account {
	t.Helper()
	mobile, err := contact.ParseMobile("13800138000")
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	return accounts.Account{ID: "p", Username: "person", Mobile: mobile, Active: true, CreatedAt: now, UpdatedAt: now}
}

// withEmail files an account whose address waits for its proof.
func withEmail(t testing.TB, store *sqlstore.Accounts) accounts.Account {
	t.Helper()
	email, err := contact.ParseEmail("lilei@example.com")
	if err != nil {
		t.Fatal(err)
	}
	account := person(t)
	account.PendingEmail = email
	if err := store.Create(t.Context(), account, nil); err != nil {
		t.Fatal(err)
	}
	return account
}

func BenchmarkAccounts_Create_on_SQLite(b *testing.B) {
	store := sqlstore.NewAccounts(migrated(b, testkit.SQLite(b)), keys(b))
	now := time.Now()
	b.ReportAllocs()
	for n := 0; b.Loop(); n++ {
		err := store.Create(b.Context(), accounts.Account{
			ID: fmt.Sprint(n), Username: fmt.Sprintf("user_%d", n), PasswordHash: "hash", CreatedAt: now, UpdatedAt: now,
		}, &accounts.Mail{ID: fmt.Sprint(n), NotAfter: now, CreatedAt: now})
		if err != nil {
			b.Fatal(err)
		}
	}
}
