package sqlstore_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"usher/accounts"
	"usher/contact"
	"usher/internal/testkit"
	"usher/secrets"
	storage "usher/store"
	"usher/store/sqlstore"
)

func TestOpen_never_quotes_the_password(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for _, url := range []string{
		"postgres://usher:hunter2secret@127.0.0.1:1/usher?sslmode=disable",
		"postgres://usher:hunter2secret@127.0.0.1:1/usher?sslmode=nonsense",
		"postgres://usher:hunter2secret@127.0.0.1:port/usher",
		"postgres://usher:hunter2secret@127.0.0.1:1/usher?connect_timeout=hunter2secret-is-not-here",
		"postgres://usher:hunter2secret@127.0.0.1:1/%zz",
		"postgres://usher:hunter2secret@[::1/usher",
		"mysql://usher:hunter2secret@127.0.0.1/usher",
	} {
		_, err := sqlstore.Open(ctx, url, sqlstore.Settings{})
		if err == nil {
			t.Errorf("Open(%s) succeeded", url)
		} else if strings.Contains(err.Error(), "hunter2secret@") || strings.Contains(err.Error(), ":hunter2secret") {
			t.Errorf("Open(%s) = %v quotes the password", url, err)
		}
	}
}

func TestOpen_refuses_other_forms(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"", "sqlite:", "usher.db", "mysql://localhost/usher", "host=localhost dbname=usher", "://"} {
		if _, err := sqlstore.Open(t.Context(), url, sqlstore.Settings{}); !errors.Is(err, sqlstore.ErrURL) {
			t.Errorf("Open(%q) = %v, want ErrURL", url, err)
		}
		if err := sqlstore.CheckURL(url); !errors.Is(err, sqlstore.ErrURL) {
			t.Errorf("CheckURL(%q) = %v, want ErrURL", url, err)
		}
	}
}

func TestCheckURL_connects_to_nothing(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "missing", "usher.db")
	for _, url := range []string{"postgres://usher@127.0.0.1:1/usher", "sqlite:" + path} {
		if err := sqlstore.CheckURL(url); err != nil {
			t.Errorf("CheckURL(%q) = %v", url, err)
		}
	}
}

func TestOpen_takes_any_path(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"plain.db", "with space.db", "quest?ion.db", "ha#sh.db", "per%20cent.db", "数据库.db"} {
		path := filepath.Join(t.TempDir(), name)
		migrated(t, "sqlite:"+path)
		if _, err := os.Stat(path); err != nil {
			t.Error(err)
		}
	}
	if _, err := sqlstore.Open(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "missing", "usher.db"), sqlstore.Settings{}); err == nil {
		t.Error("a folder that does not exist was opened")
	}
}

func TestAccounts_of_two_processes_share_one_SQLite_file(t *testing.T) {
	t.Parallel()
	url := testkit.SQLite(t)
	stores := []*sqlstore.Accounts{
		sqlstore.NewAccounts(migrated(t, url), keys(t)),
		sqlstore.NewAccounts(openAt(t, url), keys(t)),
	}
	var group errgroup.Group
	const each = 25
	for p, store := range stores {
		group.Go(func() error {
			for n := range each {
				account := person(t)
				account.ID = fmt.Sprintf("user_%d_%d", p, n)
				account.Username, account.Mobile = account.ID, contact.Mobile{}
				if err := store.Create(t.Context(), account, nil); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
}

func TestOpen_sets_SQLite_up_for_several_processes(t *testing.T) {
	t.Parallel()
	db := openAt(t, testkit.SQLite(t)).Unwrap()
	for pragma, want := range map[string]string{
		"journal_mode": "wal",  // readers do not wait for the writer
		"synchronous":  "2",    // full: an acknowledged commit survives a power failure
		"busy_timeout": "5000", // milliseconds
		"foreign_keys": "1",
	} {
		var got string
		if err := db.Get(&got, "pragma "+pragma); err != nil || got != want {
			t.Errorf("pragma %s = %q, %v; want %q", pragma, got, err, want)
		}
	}
}

func TestOpen_tells_that_another_process_holds_the_SQLite_file(t *testing.T) {
	t.Parallel()
	url := testkit.SQLite(t)
	db := migrated(t, url)
	other := openAt(t, url)
	lock, err := other.Unwrap().BeginTxx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	store := sqlstore.NewAccounts(db, keys(t))
	short, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if err := store.Create(short, person(t), nil); storage.AsOutage(err) == nil {
		t.Errorf("Create on a locked file = %v, want an outage", err)
	}
	if err := lock.Rollback(); err != nil {
		t.Fatal(err)
	}
	if err := store.Create(t.Context(), person(t), nil); err != nil {
		t.Errorf("Create after the lock = %v", err)
	}
}

func TestAccounts_need_their_keys(t *testing.T) {
	t.Parallel()
	db := migrated(t, testkit.SQLite(t))
	account := person(t)
	if err := sqlstore.NewAccounts(db, keys(t)).Create(t.Context(), account, nil); err != nil {
		t.Fatal(err)
	}
	byID := accounts.Key{By: accounts.ByID, Value: account.ID}
	_, err := sqlstore.NewAccounts(db, otherKeys(t)).Find(t.Context(), byID)
	if !errors.Is(err, secrets.ErrUnknownKey) {
		t.Errorf("Find without the key = %v, want ErrUnknownKey", err)
	}

	exec(t, db, "update accounts set id = 'another'") // a seal does not move with its row
	byID.Value = "another"
	if _, err := sqlstore.NewAccounts(db, keys(t)).Find(t.Context(), byID); !errors.Is(err, secrets.ErrForged) {
		t.Errorf("Find of a moved seal = %v, want ErrForged", err)
	}
}
