package sqlstore_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"usher/accounts"
	"usher/contact"
	"usher/internal/testkit"
	"usher/messages"
)

// sameContacts compares numbers and addresses by what they hold.
var sameContacts = cmp.Options{
	cmp.Comparer(func(a, b contact.Mobile) bool { return a == b }),
	cmp.Comparer(func(a, b contact.Email) bool { return a == b }),
}

// accountsTests check what accounts.Store promises about accounts.
var accountsTests = behaviours{
	"Create_and_find_by_every_key":               accountsFind,
	"Create_without_contacts":                    accountsBare,
	"Create_refuses_what_is_taken":               accountsTaken,
	"Create_lets_one_of_50_twins_win":            accountsTwins,
	"Create_writes_no_mail_when_it_fails":        accountsNoMail,
	"Create_gives_up_with_its_context":           accountsCanceled,
	"Activate_proves_the_address_once":           accountsActivate,
	"Activate_refuses_an_older_generation":       accountsGeneration,
	"RenewActivation_refuses_a_proved_address":   accountsRenew,
	"RenewActivation_keeps_the_generation":       accountsRenewParallel,
	"Tables_hold_no_number_and_no_address":       accountsDump,
	"Find_does_not_know_what_was_never_created":  accountsUnknown,
	"Exists_agrees_with_Find_for_hostile_values": accountsHostile,
}

func keysOf(account accounts.Account) []accounts.Key {
	_, canonical, _ := accounts.CanonicalUsername(account.Username)
	return []accounts.Key{
		{By: accounts.ByID, Value: account.ID},
		{By: accounts.ByUsername, Value: canonical},
		{By: accounts.ByMobile, Value: account.Mobile.Reveal()},
		{By: accounts.ByEmail, Value: account.Email.Reveal()},
	}
}

func accountsFind(t *testing.T, f *fixture) {
	f.created(t)
	want, _ := f.proved(t)
	for _, key := range keysOf(want) {
		got, err := f.accounts.Find(t.Context(), key)
		if diff := cmp.Diff(stored(want), got, sameContacts); err != nil || diff != "" {
			t.Errorf("Find by %s: %v (-want +got):\n%s", key.By, err, diff)
		}
		exists, err := f.accounts.Exists(t.Context(), key)
		if err != nil || !exists {
			t.Errorf("Exists by %s = %v, %v", key.By, exists, err)
		}
	}
}

func accountsBare(t *testing.T, f *fixture) {
	for range 2 { // having none is not a value that could be taken
		account, _ := f.person(t)
		account.Mobile, account.PendingEmail, account.PendingEmailAt = contact.Mobile{}, contact.Email{}, time.Time{}
		account.Superuser = true
		if err := f.accounts.Create(t.Context(), account, nil); err != nil {
			t.Fatal(err)
		}
		got, err := f.accounts.Find(t.Context(), accounts.Key{By: accounts.ByID, Value: account.ID})
		if diff := cmp.Diff(stored(account), got, sameContacts); err != nil || diff != "" {
			t.Errorf("Find: %v (-want +got):\n%s", err, diff)
		}
	}
}

func accountsTaken(t *testing.T, f *fixture) {
	first, _ := f.person(t)
	first.Username = "Straße_１２３"
	first.Email, first.PendingEmail = first.PendingEmail, contact.Email{}
	if err := f.accounts.Create(t.Context(), first, nil); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		change func(*accounts.Account)
		want   accounts.Field
	}{
		"same name":       {func(a *accounts.Account) { a.Username = first.Username }, accounts.FieldUsername},
		"folded name":     {func(a *accounts.Account) { a.Username = "STRASSE_123" }, accounts.FieldUsername},
		"full-width name": {func(a *accounts.Account) { a.Username = "ｓｔｒａｓｓｅ_123" }, accounts.FieldUsername},
		"same number":     {func(a *accounts.Account) { a.Mobile = first.Mobile }, accounts.FieldMobile},
		"same address":    {func(a *accounts.Account) { a.Email = first.Email }, accounts.FieldEmail},
	} {
		second, mail := f.person(t)
		c.change(&second)
		err := f.accounts.Create(t.Context(), second, mail)
		var exists *accounts.ExistsError
		if !errors.As(err, &exists) || exists.Field != c.want {
			t.Errorf("%s: Create = %v, want ExistsError of %s", name, err, c.want)
		}
	}
	again := first
	again.Username, again.Mobile, again.Email = "other_name", contact.Mobile{}, contact.Email{}
	var exists *accounts.ExistsError
	if err := f.accounts.Create(t.Context(), again, nil); err == nil || errors.As(err, &exists) {
		t.Errorf("the same id again: Create = %v, want another error than ExistsError", err)
	}
}

func accountsTwins(t *testing.T, f *fixture) {
	spellings := []string{"Müller_1", "MÜLLER_1", "mu\u0308ller_1", "ｍüller_１", "Mu\u0308ller_1"}
	results := make(chan error, 50)
	for i := range cap(results) {
		account, mail := f.person(t)
		account.Username = spellings[i%len(spellings)]
		go func() { results <- f.accounts.Create(t.Context(), account, mail) }()
	}
	won := 0
	for range cap(results) {
		err := <-results
		var exists *accounts.ExistsError
		switch {
		case err == nil:
			won++
		case !errors.As(err, &exists) || exists.Field != accounts.FieldUsername:
			t.Errorf("Create = %v, want ExistsError of username", err)
		}
	}
	if won != 1 {
		t.Errorf("%d of %d twins were created, want 1", won, cap(results))
	}
}

func accountsNoMail(t *testing.T, f *fixture) {
	first, firstMail := f.proved(t)
	second, mail := f.person(t)
	second.Email = first.Email
	if err := f.accounts.Create(t.Context(), second, mail); err == nil {
		t.Fatal("Create with a taken address succeeded")
	}
	third, _ := f.person(t)
	if err := f.accounts.Create(t.Context(), third, &firstMail); err == nil {
		t.Fatal("Create with a mail that exists succeeded")
	}
	_, err := f.accounts.Find(t.Context(), accounts.Key{By: accounts.ByID, Value: third.ID})
	if !errors.Is(err, accounts.ErrNotFound) {
		t.Errorf("Find = %v: the account was written without its mail", err)
	}
	claimed, err := f.mails.Claim(t.Context(), mail.ID, time.Minute)
	if !errors.Is(err, messages.ErrDropped) || claimed.Reason != "missing" {
		t.Errorf("Claim = %v, %q: the mail was written without its account", err, claimed.Reason)
	}
}

func accountsCanceled(t *testing.T, f *fixture) {
	account, mail := f.person(t)
	if err := f.accounts.Create(canceled(t), account, mail); err == nil {
		t.Error("Create succeeded after its context had ended")
	}
	exists, err := f.accounts.Exists(t.Context(), accounts.Key{By: accounts.ByID, Value: account.ID})
	if err != nil || exists {
		t.Errorf("Exists = %v, %v", exists, err)
	}
}

func accountsActivate(t *testing.T, f *fixture) {
	account, _ := f.person(t)
	account.Active = false
	if err := f.accounts.Create(t.Context(), account, nil); err != nil {
		t.Fatal(err)
	}
	want := stored(account)
	want.Active, want.Email, want.PendingEmail, want.PendingEmailAt = true, want.PendingEmail, contact.Email{}, time.Time{}
	want.UpdatedAt = want.UpdatedAt.Add(time.Second)
	f.clock.Advance(time.Second)
	got, err := f.accounts.Activate(t.Context(), account, "", f.clock.Now(), nil)
	if diff := cmp.Diff(want, got, sameContacts); err != nil || diff != "" {
		t.Fatalf("Activate: %v (-want +got):\n%s", err, diff)
	}
	if _, err := f.accounts.Activate(t.Context(), account, "", f.clock.Now(), nil); !errors.Is(err, accounts.ErrNotFound) {
		t.Errorf("second Activate = %v, want ErrNotFound", err)
	}
	if diff := cmp.Diff(want, f.found(t, account.ID), sameContacts); diff != "" {
		t.Errorf("after a second Activate (-want +got):\n%s", diff)
	}
	if _, err := f.accounts.Activate(t.Context(), accounts.Account{ID: uuid.NewString(), ActivationGeneration: 1}, "", f.clock.Now(), nil); !errors.Is(err, accounts.ErrNotFound) {
		t.Errorf("Activate of an unknown account = %v, want ErrNotFound", err)
	}
}

func accountsGeneration(t *testing.T, f *fixture) {
	account, _ := f.created(t)
	if err := f.accounts.RenewActivation(t.Context(), account.ID, *f.mail()); err != nil {
		t.Fatal(err)
	}
	next := f.asksForAnother(t, account).PendingEmail
	for _, generation := range []int{0, 1, 3} {
		if _, err := f.accounts.Activate(t.Context(), accounts.Account{ID: account.ID, ActivationGeneration: generation}, "", f.clock.Now(), nil); !errors.Is(err, accounts.ErrNotFound) {
			t.Errorf("Activate of generation %d = %v, want ErrNotFound", generation, err)
		}
	}
	if got, err := f.accounts.Activate(t.Context(), accounts.Account{ID: account.ID, ActivationGeneration: 2}, "", f.clock.Now(), nil); err != nil || got.Email != next {
		t.Errorf("Activate of the newest generation = %v, %v", got.Email, err)
	}
}

func accountsRenew(t *testing.T, f *fixture) {
	proved, _ := f.created(t)
	if _, err := f.accounts.Activate(t.Context(), proved, "", f.clock.Now(), nil); err != nil {
		t.Fatal(err)
	}
	bare, _ := f.person(t)
	bare.PendingEmail, bare.PendingEmailAt = contact.Email{}, time.Time{}
	if err := f.accounts.Create(t.Context(), bare, nil); err != nil {
		t.Fatal(err)
	}
	for name, id := range map[string]string{"proved": proved.ID, "none": bare.ID, "unknown": uuid.NewString()} {
		mail := f.mail()
		if err := f.accounts.RenewActivation(t.Context(), id, *mail); !errors.Is(err, accounts.ErrNotFound) {
			t.Errorf("%s address: RenewActivation = %v, want ErrNotFound", name, err)
		}
		if claimed, err := f.mails.Claim(t.Context(), mail.ID, time.Minute); claimed.Reason != "missing" {
			t.Errorf("%s address: a mail was filed all the same: %q, %v", name, claimed.Reason, err)
		}
	}
}

func accountsRenewParallel(t *testing.T, f *fixture) {
	account, _ := f.created(t)
	var group errgroup.Group
	for range 10 {
		mail := f.mail()
		group.Go(func() error { return f.accounts.RenewActivation(t.Context(), account.ID, *mail) })
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	got, err := f.accounts.Find(t.Context(), accounts.Key{By: accounts.ByID, Value: account.ID})
	if err != nil || got.ActivationGeneration != 1 {
		t.Errorf("generation = %d, %v, want 1", got.ActivationGeneration, err)
	}
}

func accountsUnknown(t *testing.T, f *fixture) {
	f.created(t)
	never, _ := f.person(t)
	for _, key := range keysOf(never) {
		if _, err := f.accounts.Find(t.Context(), key); !errors.Is(err, accounts.ErrNotFound) {
			t.Errorf("Find by %s = %v, want ErrNotFound", key.By, err)
		}
		if exists, err := f.accounts.Exists(t.Context(), key); err != nil || exists {
			t.Errorf("Exists by %s = %v, %v", key.By, exists, err)
		}
	}
}

func accountsHostile(t *testing.T, f *fixture) {
	f.created(t)
	for _, by := range []accounts.By{accounts.ByID, accounts.ByUsername, accounts.ByMobile, accounts.ByEmail} {
		for _, value := range []string{"", "' or 1=1 --", "%", "null", "0", strings.Repeat("x", 1<<16), "?", "$1"} {
			key := accounts.Key{By: by, Value: value}
			if _, err := f.accounts.Find(t.Context(), key); !errors.Is(err, accounts.ErrNotFound) {
				t.Errorf("Find by %s of %.20q = %v, want ErrNotFound", by, value, err)
			}
			if exists, err := f.accounts.Exists(t.Context(), key); err != nil || exists {
				t.Errorf("Exists by %s of %.20q = %v, %v", by, value, exists, err)
			}
		}
	}
}

func accountsDump(t *testing.T, f *fixture) {
	account, mail := f.created(t)
	claimed, err := f.mails.Claim(t.Context(), mail.ID, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	outcome := messages.Outcome{State: messages.Failed, Provider: "smtp", Code: "550", At: f.clock.Now()}
	if err := f.mails.Record(t.Context(), claimed.Claim, outcome); err != nil {
		t.Fatal(err)
	}
	dump := dump(t, f.db)
	for _, want := range []string{account.ID, mail.ID, account.Mobile.String(), account.PendingEmail.String()} {
		if !strings.Contains(dump, want) {
			t.Fatalf("the dump lacks %q, so it proves nothing:\n%s", want, dump)
		}
	}
	if found := testkit.FindSecrets([]byte(dump), account.Mobile.Reveal(), account.PendingEmail.Reveal()); found != nil {
		t.Errorf("found in the tables: %v", found)
	}
}
