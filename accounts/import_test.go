package accounts_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"usher/accounts"
)

// crowd is the world's people as a store to import to.
type crowd struct {
	memory
	err  error
	none bool // a unique value of every account is taken
}

func (c crowd) CreateAll(ctx context.Context, list []accounts.Account, keep bool) (map[string]bool, error) {
	if c.err != nil {
		return nil, c.err
	}
	created := map[string]bool{}
	for _, account := range list {
		_, err := c.lookUp(accounts.Key{By: accounts.ByUsername, Value: account.Username})
		free := err != nil && !c.none
		if created[account.ID] = free; free && keep {
			c.people[account.ID] = account
		}
	}
	return created, ctx.Err()
}

func TestImporter_tells_the_same_person_from_a_namesake(t *testing.T) {
	t.Parallel()
	joined := time.Date(2024, 5, 6, 7, 8, 9, 0, time.UTC)
	admin := accounts.ImportUser{Username: "admin_1", PasswordHash: djangoHash, Active: true, JoinedAt: joined}
	other := "argon2$argon2i$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$YC9+jJCrQhs5R6db7LlN8Q"
	for name, c := range map[string]struct {
		change func(*accounts.ImportUser)
		same   bool
	}{
		"the same line":              {func(*accounts.ImportUser) {}, true},
		"what a sheet adds":          {func(u *accounts.ImportUser) { u.Username, u.Mobile = "\ufeffadmin_1\u00a0", " \u3000" }, true},
		"signed in between":          {func(u *accounts.ImportUser) { u.PasswordHash = other }, true},
		"the same hash":              {func(u *accounts.ImportUser) { u.JoinedAt = time.Time{} }, true},
		"another hash and date":      {func(u *accounts.ImportUser) { u.PasswordHash, u.JoinedAt = other, time.Time{} }, false},
		"a number that was not hers": {func(u *accounts.ImportUser) { u.Mobile = someMobile }, false},
		"an address of someone else": {func(u *accounts.ImportUser) { u.Email = someEmail }, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			importer := &accounts.Importer{Store: crowd{memory: memory{w}}, Now: w.clock.Now}
			again := admin
			c.change(&again)
			for n, user := range []accounts.ImportUser{admin, again} {
				outcomes, err := importer.Import(t.Context(), []accounts.ImportUser{user})
				if err != nil || len(outcomes) != 1 {
					t.Fatalf("Import = %v, %v", outcomes, err)
				}
				taken, isTaken := errors.AsType[*accounts.ExistsError](outcomes[0])
				switch {
				case n == 0 && outcomes[0] == nil:
				case n == 1 && c.same && errors.Is(outcomes[0], accounts.ErrImported):
				case n == 1 && !c.same && isTaken && taken.Field == accounts.FieldUsername:
				default:
					t.Errorf("time %d: %v", n, outcomes[0])
				}
			}
		})
	}
}

func TestImporter_passes_on_that_the_store_is_away(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	user := accounts.ImportUser{Username: "admin_1", PasswordHash: djangoHash}
	importer := &accounts.Importer{Store: crowd{memory: memory{w}, err: errAway}, Now: w.clock.Now}
	if outcomes, err := importer.Import(t.Context(), []accounts.ImportUser{user}); !errors.Is(err, errAway) || outcomes != nil {
		t.Errorf("Import = %v, %v", outcomes, err)
	}
	importer.Store = crowd{memory: memory{w}}
	w.fail["find username"] = errAway
	for n := range 2 {
		if _, err := importer.Import(t.Context(), []accounts.ImportUser{user}); errors.Is(err, errAway) != (n == 1) {
			t.Errorf("time %d: Import = %v", n, err)
		}
	}
}

func TestImporter_takes_users_without_a_name_that_can_sign_in(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	importer := &accounts.Importer{Store: crowd{memory: memory{w}}, Now: w.clock.Now}
	users := []accounts.ImportUser{
		{Mobile: someMobile, Active: true},
		{Email: someEmail, EmailActive: true, PasswordHash: djangoHash, Active: true},
		{Email: "unproved@example.com", PasswordHash: djangoHash, Active: true},
	}
	outcomes, err := importer.Import(t.Context(), users)
	if err != nil || outcomes[0] != nil || outcomes[1] != nil {
		t.Fatalf("Import = %v, %v", outcomes, err)
	}
	if fields, _ := errors.AsType[accounts.FieldErrors](outcomes[2]); fields[accounts.FieldUsername] != accounts.Missing {
		t.Errorf("without a name and a proof: %v", outcomes[2])
	}
}

func TestImporter_knows_a_user_without_a_name_by_the_number(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	store := crowd{memory: memory{w}}
	user := accounts.ImportUser{Mobile: someMobile, Active: true}
	for n, want := range []error{nil, accounts.ErrImported} {
		store.none = n > 0
		importer := &accounts.Importer{Store: store, Now: w.clock.Now}
		if outcomes, err := importer.Import(t.Context(), []accounts.ImportUser{user}); err != nil || !errors.Is(outcomes[0], want) {
			t.Errorf("import %d: %v, %v, want %v", n+1, outcomes, err, want)
		}
	}
	user.Email = someEmail // another person's address with the same number
	importer := &accounts.Importer{Store: store, Now: w.clock.Now}
	outcomes, err := importer.Import(t.Context(), []accounts.ImportUser{user})
	if taken, ok := errors.AsType[*accounts.ExistsError](outcomes[0]); err != nil || !ok || taken.Field != accounts.FieldMobile {
		t.Errorf("another person: %v, %v", outcomes, err)
	}
}
