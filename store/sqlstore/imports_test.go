package sqlstore_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sync/errgroup"

	"usher/accounts"
	"usher/contact"
)

// importedTests check the promises of accounts.ImportStore.
var importedTests = behaviours{
	"CreateAll_files_a_thousand":                 createAllMany,
	"CreateAll_leaves_out_what_is_taken":         createAllTaken,
	"CreateAll_finds_out_without_keeping":        createAllDiscard,
	"CreateAll_gives_up_with_its_context":        createAllCanceled,
	"CreateAll_files_each_once_in_parallel":      createAllParallel,
	"Rehash_replaces_the_hash_and_nothing_else":  rehash,
	"Rehash_does_not_undo_a_change_of_password":  rehashLate,
	"Rehash_of_an_unknown_account_does_nothing":  rehashUnknown,
	"Rehash_gives_up_with_its_context":           rehashCanceled,
	"CreateAll_keeps_accounts_that_prove_little": createAllBare,
}

func (f *fixture) crowd(t *testing.T, n int) []accounts.Account {
	t.Helper()
	list := make([]accounts.Account, n)
	for i := range list {
		list[i], _ = f.person(t)
	}
	return list
}

func (f *fixture) find(t *testing.T, id string) (accounts.Account, bool) {
	t.Helper()
	account, err := f.accounts.Find(t.Context(), accounts.Key{By: accounts.ByID, Value: id})
	if err != nil && !errors.Is(err, accounts.ErrNotFound) {
		t.Fatal(err)
	}
	return account, err == nil
}

func createAllMany(t *testing.T, f *fixture) {
	list := f.crowd(t, 1000)
	created, err := f.accounts.CreateAll(t.Context(), list, true)
	if err != nil || len(created) != len(list) {
		t.Fatalf("CreateAll = %d accounts, %v", len(created), err)
	}
	for _, want := range []accounts.Account{list[0], list[999]} {
		got, _ := f.find(t, want.ID)
		if diff := cmp.Diff(stored(want), got, sameContacts); diff != "" || !created[want.ID] {
			t.Errorf("created %v (-want +got):\n%s", created[want.ID], diff)
		}
	}
}

func createAllBare(t *testing.T, f *fixture) {
	list := f.crowd(t, 2)
	for i := range list { // having none is not a value that could be taken
		list[i].Mobile, list[i].Email, list[i].PasswordHash, list[i].Active = contact.Mobile{}, contact.Email{}, "", false
		list[i].PendingEmail, list[i].PendingEmailAt = contact.Email{}, time.Time{}
	}
	if created, err := f.accounts.CreateAll(t.Context(), list, true); err != nil || len(created) != 2 {
		t.Errorf("CreateAll = %d accounts, %v", len(created), err)
	}
}

func createAllTaken(t *testing.T, f *fixture) {
	there, _ := f.proved(t)
	list := f.crowd(t, 9)
	list[0].Username = "ＰＥＲＳＯＮ_1" // there's
	list[1].Mobile = there.Mobile
	list[2].Email = there.Email
	list[4].Mobile = list[3].Mobile // an earlier one of the list
	list[5].Mobile, list[5].Email = list[4].Mobile, there.Email
	list[7].PendingEmail, list[8].PendingEmail = there.Email, there.Email // which belongs to no account until it is proved
	created, err := f.accounts.CreateAll(t.Context(), list, true)
	if err != nil {
		t.Fatal(err)
	}
	var got []int
	for n, account := range list {
		if _, found := f.find(t, account.ID); found != created[account.ID] {
			t.Errorf("account %d is there: %v, said to be created: %v", n, found, created[account.ID])
		}
		if created[account.ID] {
			got = append(got, n)
		}
	}
	if want := []int{3, 6, 7, 8}; !slices.Equal(got, want) {
		t.Errorf("created %v, want %v", got, want)
	}
	if now, _ := f.find(t, there.ID); !cmp.Equal(now, stored(there), sameContacts) {
		t.Error("the account that was there has changed")
	}
}

func createAllDiscard(t *testing.T, f *fixture) {
	there, _ := f.created(t)
	list := f.crowd(t, 2)
	list[1].Mobile = there.Mobile
	for range 2 {
		created, err := f.accounts.CreateAll(t.Context(), list, false)
		if err != nil || !created[list[0].ID] || created[list[1].ID] {
			t.Errorf("CreateAll = %v, %v", created, err)
		}
		if _, found := f.find(t, list[0].ID); found {
			t.Error("the account was filed all the same")
		}
	}
}

func createAllCanceled(t *testing.T, f *fixture) {
	list := f.crowd(t, 1)
	if _, err := f.accounts.CreateAll(canceled(t), list, true); !errors.Is(err, context.Canceled) {
		t.Errorf("CreateAll = %v, want context.Canceled", err)
	}
	if _, found := f.find(t, list[0].ID); found {
		t.Error("the account was filed all the same")
	}
}

func createAllParallel(t *testing.T, f *fixture) {
	list := f.crowd(t, 50)
	var group errgroup.Group
	counts := make([]int, 4)
	for i := range counts {
		group.Go(func() error {
			created, err := f.accounts.CreateAll(t.Context(), list, true)
			counts[i] = len(created)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	if sum := counts[0] + counts[1] + counts[2] + counts[3]; sum != len(list) {
		t.Errorf("created %v, which is not 50 in all", counts)
	}
}

func rehash(t *testing.T, f *fixture) {
	account, _ := f.created(t)
	other, _ := f.created(t)
	f.clock.Advance(time.Second)
	if err := f.accounts.Rehash(t.Context(), account.ID, account.PasswordHash, "better"); err != nil {
		t.Fatal(err)
	}
	want := account
	want.PasswordHash = "better"
	for _, want := range []accounts.Account{want, other} {
		got, _ := f.find(t, want.ID)
		if diff := cmp.Diff(stored(want), got, sameContacts); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	}
}

func rehashLate(t *testing.T, f *fixture) {
	account, _ := f.created(t)
	if _, err := f.accounts.ChangePassword(t.Context(), account, "newer", f.change(account, accounts.ChangedPassword)); err != nil {
		t.Fatal(err)
	}
	if err := f.accounts.Rehash(t.Context(), account.ID, account.PasswordHash, "better"); err != nil {
		t.Errorf("Rehash = %v", err)
	}
	if got, _ := f.find(t, account.ID); got.PasswordHash != "newer" {
		t.Errorf("hash = %q, want the newer password's", got.PasswordHash)
	}
}

func rehashUnknown(t *testing.T, f *fixture) {
	if err := f.accounts.Rehash(t.Context(), "unknown", "old", "better"); err != nil {
		t.Errorf("Rehash = %v", err)
	}
}

func rehashCanceled(t *testing.T, f *fixture) {
	account, _ := f.created(t)
	if err := f.accounts.Rehash(canceled(t), account.ID, account.PasswordHash, "better"); !errors.Is(err, context.Canceled) {
		t.Errorf("Rehash = %v, want context.Canceled", err)
	}
}
