package sqlstore_test

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"usher/accounts"
	"usher/internal/testkit"
	"usher/store/sqlstore"
)

func TestSpent_uses_a_code_once(t *testing.T) {
	t.Parallel()
	testkit.EachDatabase(t, func(t *testing.T, url string) {
		clock := testkit.NewClock(time.Date(2031, 5, 6, 7, 8, 9, 0, time.UTC))
		spent := sqlstore.NewSpent(migrated(t, url), clock.Now)
		until := clock.Now().Add(5 * time.Minute)
		var first atomic.Int64
		var group sync.WaitGroup
		for range 20 {
			group.Go(func() {
				won, err := spent.Use(t.Context(), "c1", until)
				if err != nil {
					t.Error(err)
				}
				if won {
					first.Add(1)
				}
			})
		}
		group.Wait()
		if n := first.Load(); n != 1 {
			t.Errorf("%d of 20 uses at once are the first", n)
		}
		if err := spent.Forget(t.Context(), "c1"); err != nil {
			t.Fatal(err)
		}
		for i := range 2 {
			if won, err := spent.Use(t.Context(), "c1", until); err != nil || won != (i == 0) {
				t.Errorf("use %d after it was taken back: %v, %v", i+1, won, err)
			}
		}
		for i := range 5 {
			if _, err := spent.Use(t.Context(), fmt.Sprint("long", i), until.Add(time.Hour)); err != nil {
				t.Fatal(err)
			}
		}
		clock.Advance(5 * time.Minute)
		for _, want := range []int{1, 0} {
			if n, err := spent.Prune(t.Context()); err != nil || n != want {
				t.Errorf("pruned %d, %v; want %d", n, err, want)
			}
		}
		clock.Advance(time.Hour)
		for _, want := range []int{5, 0} {
			if n, err := spent.Prune(t.Context()); err != nil || n != want {
				t.Errorf("pruned %d, %v; want %d", n, err, want)
			}
		}
	})
}

func TestSpent_ends_sessions(t *testing.T) {
	t.Parallel()
	testkit.EachDatabase(t, func(t *testing.T, url string) {
		db := migrated(t, url)
		store := sqlstore.NewAccounts(db, keys(t))
		account := accounts.Account{
			ID: "a1", Username: "li_lei", PasswordHash: "hash", Active: true,
			CreatedAt: time.Now(), UpdatedAt: time.Now(),
		}
		if err := store.Create(t.Context(), account, nil); err != nil {
			t.Fatal(err)
		}
		until := time.Now().Add(time.Hour)
		for range 2 { // a sign-out may be repeated
			if err := store.EndSessions(t.Context(), until, "a1/0/s1"); err != nil {
				t.Fatal(err)
			}
			if err := store.EndSessions(t.Context(), until, "a1/0/s2", "a1/0/s3"); err != nil {
				t.Fatal(err)
			}
		}
		if err := store.EndSessions(t.Context(), until); err != nil {
			t.Fatal(err)
		}
		for session, want := range map[string]error{
			"a1/0/s1": accounts.ErrNotFound, "a1/0/s2": accounts.ErrNotFound, "a1/0/s3": accounts.ErrNotFound,
			"a1/0/s4": nil, "a1/1/s1": nil,
		} {
			if found, err := store.FindSignedIn(t.Context(), "a1", session); !errors.Is(err, want) || err == nil && found.ID != "a1" {
				t.Errorf("account of session %s: %q, %v; want %v", session, found.ID, err, want)
			}
		}
		if _, err := store.FindSignedIn(t.Context(), "a2", "a2/0/s1"); !errors.Is(err, accounts.ErrNotFound) {
			t.Errorf("no account: %v", err)
		}
	})
}

// What the notes cost: a use, an end, and a request with a session beside the look for an account alone.
func BenchmarkSpent(b *testing.B) {
	url := testkit.Postgres(b)
	if url == "" {
		b.Skip("no postgres on this machine")
	}
	db := migrated(b, url)
	store, spent := sqlstore.NewAccounts(db, keys(b)), sqlstore.NewSpent(db, time.Now)
	account := accounts.Account{ID: "a1", Username: "li_lei", PasswordHash: "hash", Active: true, CreatedAt: time.Now(), UpdatedAt: time.Now()}
	if err := store.Create(b.Context(), account, nil); err != nil {
		b.Fatal(err)
	}
	until, round := time.Now().Add(time.Hour), 0
	for name, call := range map[string]func() error{
		"use": func() error {
			round++
			_, err := spent.Use(b.Context(), fmt.Sprintf("%044d", round), until)
			return err
		},
		"end": func() error {
			round++
			return store.EndSessions(b.Context(), until, fmt.Sprintf("a1/0/%044d", round))
		},
		"signed in": func() error {
			_, err := store.FindSignedIn(b.Context(), "a1", "a1/0/s1")
			return err
		},
		"account": func() error {
			_, err := store.Find(b.Context(), accounts.Key{By: accounts.ByID, Value: "a1"})
			return err
		},
	} {
		b.Run(name, func(b *testing.B) {
			for range b.N {
				if err := call(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
