package sqlstore_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sync/errgroup"

	"usher/accounts"
	"usher/contact"
)

// namelessTests check accounts without a user name.
var namelessTests = behaviours{
	"Create_files_many_without_a_name":      namelessMany,
	"Create_lets_one_of_50_sign_ins_win":    namelessTwins,
	"CreateAll_files_many_without_a_name":   namelessImport,
	"SetUsername_names_an_account_once":     namelessNamed,
	"SetUsername_refuses_what_is_taken":     namelessTaken,
	"SetUsername_lets_one_of_20_twins_win":  namelessRace,
	"Tables_are_readable_by_version_before": namelessBefore,
}

// nameless returns an account as a first sign-in makes it.
func (f *fixture) nameless(t *testing.T) accounts.Account {
	t.Helper()
	account, _ := f.person(t)
	account.Username, account.PasswordHash = "", ""
	account.PendingEmail, account.PendingEmailAt = contact.Email{}, time.Time{}
	account.AgreedAt, account.AgreedTerms = f.clock.Now(), "2026-12-01"
	return account
}

func namelessMany(t *testing.T, f *fixture) {
	for range 3 {
		want := f.nameless(t)
		if err := f.accounts.Create(t.Context(), want, nil); err != nil {
			t.Fatal(err)
		}
		for _, key := range []accounts.Key{{By: accounts.ByID, Value: want.ID}, {By: accounts.ByMobile, Value: want.Mobile.Reveal()}} {
			got, err := f.accounts.Find(t.Context(), key)
			if diff := cmp.Diff(stored(want), got, sameContacts); err != nil || diff != "" {
				t.Errorf("Find by %s: %v (-want +got):\n%s", key.By, err, diff)
			}
		}
	}
	if exists, err := f.accounts.Exists(t.Context(), accounts.Key{By: accounts.ByUsername}); err != nil || exists {
		t.Errorf("the empty name exists: %v, %v", exists, err)
	}
}

func namelessTwins(t *testing.T, f *fixture) {
	const parallel = 50
	one := f.nameless(t)
	results := make(chan error, parallel)
	for n := range parallel {
		twin := one
		twin.ID = fmt.Sprintf("00000000-0000-7000-8000-%012d", n)
		go func() { results <- f.accounts.Create(t.Context(), twin, nil) }()
	}
	won := 0
	for range parallel {
		err := <-results
		taken, isTaken := errors.AsType[*accounts.ExistsError](err)
		switch {
		case err == nil:
			won++
		case !isTaken || taken.Field != accounts.FieldMobile:
			t.Errorf("Create = %v", err)
		}
	}
	if won != 1 {
		t.Errorf("%d accounts of one number", won)
	}
}

func namelessImport(t *testing.T, f *fixture) {
	list := []accounts.Account{f.nameless(t), f.nameless(t), f.nameless(t)}
	created, err := f.accounts.CreateAll(t.Context(), list, true)
	if err != nil || len(created) != len(list) {
		t.Errorf("CreateAll = %v, %v", created, err)
	}
}

func namelessNamed(t *testing.T, f *fixture) {
	want, other := f.nameless(t), f.nameless(t)
	for _, account := range []accounts.Account{want, other} {
		if err := f.accounts.Create(t.Context(), account, nil); err != nil {
			t.Fatal(err)
		}
	}
	f.clock.Advance(time.Minute)
	got, err := f.accounts.SetUsername(t.Context(), want.ID, "ＬｉＬｅｉ_1", f.clock.Now())
	want.Username, want.UpdatedAt = "ＬｉＬｅｉ_1", f.clock.Now()
	if diff := cmp.Diff(stored(want), got, sameContacts); err != nil || diff != "" {
		t.Errorf("SetUsername: %v (-want +got):\n%s", err, diff)
	}
	if found, err := f.accounts.Find(t.Context(), accounts.Key{By: accounts.ByUsername, Value: "lilei_1"}); err != nil || found.ID != want.ID {
		t.Errorf("Find by the new name = %v, %v", found.ID, err)
	}
	for _, id := range []string{want.ID, "00000000-0000-7000-8000-000000000000"} {
		if _, err := f.accounts.SetUsername(t.Context(), id, "another_1", f.clock.Now()); !errors.Is(err, accounts.ErrChanged) {
			t.Errorf("SetUsername of %s = %v, want ErrChanged", id, err)
		}
	}
	if _, err := f.accounts.SetUsername(t.Context(), other.ID, "13800138000", f.clock.Now()); err == nil {
		t.Error("a name that no account can have was stored")
	}
	if after, _ := f.find(t, other.ID); after.Username != "" {
		t.Errorf("the other account has the name %q", after.Username)
	}
}

func namelessTaken(t *testing.T, f *fixture) {
	taken, _ := f.created(t)
	account := f.nameless(t)
	if err := f.accounts.Create(t.Context(), account, nil); err != nil {
		t.Fatal(err)
	}
	_, err := f.accounts.SetUsername(t.Context(), account.ID, taken.Username, f.clock.Now())
	if exists, ok := errors.AsType[*accounts.ExistsError](err); !ok || exists.Field != accounts.FieldUsername {
		t.Errorf("SetUsername = %v", err)
	}
}

func namelessRace(t *testing.T, f *fixture) {
	const parallel = 20
	won := make(chan string, parallel)
	var group errgroup.Group
	for range parallel {
		account := f.nameless(t)
		if err := f.accounts.Create(t.Context(), account, nil); err != nil {
			t.Fatal(err)
		}
		group.Go(func() error {
			_, err := f.accounts.SetUsername(t.Context(), account.ID, "LiLei_1", f.clock.Now())
			if _, taken := errors.AsType[*accounts.ExistsError](err); taken {
				return nil
			}
			won <- account.ID
			return err
		})
	}
	if err := group.Wait(); err != nil || len(won) != 1 {
		t.Errorf("%d accounts got the name, %v", len(won), err)
	}
}

// namelessBefore reads what the version before, which may run beside this one, reads into texts.
func namelessBefore(t *testing.T, f *fixture) {
	account := f.nameless(t)
	if err := f.accounts.Create(t.Context(), account, nil); err != nil {
		t.Fatal(err)
	}
	var name, key string
	err := f.db.Unwrap().QueryRowContext(t.Context(), "select username, username_key from accounts").Scan(&name, &key)
	if _, _, ok := accounts.CanonicalUsername(key); err != nil || name != "" || key == "" || ok {
		t.Errorf("name %q, key %q, %v: want a key that no name has", name, key, err)
	}
}
