package sqlstore_test

import (
	"slices"
	"testing"
	"time"

	"usher/accounts"
	"usher/messages"
	"usher/store/sqlstore"
	"usher/verify"
)

// directoryTests check what administrators read of accounts.
var directoryTests = behaviours{
	"Accounts_are_found_by_what_they_have_and_claim": directorySearch,
	"Accounts_are_listed_page_after_page":            directoryPages,
	"Messages_to_an_account_are_listed":              directoryMessages,
	"The_last_superuser_is_known":                    directorySuperusers,
}

func (f *fixture) directory(t *testing.T) *sqlstore.Directory {
	t.Helper()
	return sqlstore.NewDirectory(f.db, keys(t))
}

func idsOf(list []accounts.Account) []string {
	ids := make([]string, len(list))
	for i, account := range list {
		ids[i] = account.ID
	}
	return ids
}

func directorySearch(t *testing.T, f *fixture) {
	d := f.directory(t)
	holder, claimer, _ := f.claimed(t)
	first, second := f.waiting(t), f.waiting(t)
	shared, err := f.accounts.CorrectEmail(t.Context(), second, first.PendingEmail, *f.mail()) // both wait for one address
	if err != nil {
		t.Fatal(err)
	}
	_, name, _ := accounts.CanonicalUsername(holder.Username)
	for _, c := range []struct {
		key  accounts.Key
		want []string
	}{
		{accounts.Key{By: accounts.ByID, Value: first.ID}, []string{first.ID}},
		{accounts.Key{By: accounts.ByUsername, Value: name}, []string{holder.ID}},
		{accounts.Key{By: accounts.ByMobile, Value: holder.Mobile.Reveal()}, []string{holder.ID, claimer.ID}},
		{accounts.Key{By: accounts.ByEmail, Value: holder.Email.Reveal()}, []string{holder.ID}},
		{accounts.Key{By: accounts.ByEmail, Value: first.PendingEmail.Reveal()}, []string{first.ID, shared.ID}},
		{accounts.Key{By: accounts.ByMobile, Value: holder.Mobile.Reveal()[:8]}, nil}, // no part of a number
		{accounts.Key{By: accounts.ByUsername, Value: "%"}, nil},
	} {
		found, err := d.Search(t.Context(), c.key, 20)
		got := idsOf(found)
		slices.Sort(got)
		slices.Sort(c.want)
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("search by %s found %v, %v, want %v", c.key.By, got, err, c.want)
		}
	}
	if found, err := d.Search(t.Context(), accounts.Key{By: accounts.ByEmail, Value: first.PendingEmail.Reveal()}, 1); err != nil || len(found) != 1 {
		t.Errorf("found %d, %v with a limit of 1", len(found), err)
	}
}

func directoryPages(t *testing.T, f *fixture) {
	d := f.directory(t)
	var want, got []string
	for range 5 {
		account, _ := f.created(t)
		want = append(want, account.ID)
	}
	slices.Sort(want)
	slices.Reverse(want)
	for after, page := "", 0; page < 4; page++ {
		list, err := d.Accounts(t.Context(), after, 2)
		if err != nil {
			t.Fatal(err)
		}
		if len(list) == 0 {
			break
		}
		got = append(got, idsOf(list)...)
		after = list[len(list)-1].ID
	}
	if !slices.Equal(got, want) {
		t.Errorf("pages have %v, want %v", got, want)
	}
}

// Codes name no account: those of the account's number belong to it, not those of a number that looks the same, nor those of the
// number's former owner.
func directoryMessages(t *testing.T, f *fixture) {
	d := f.directory(t)
	account, mail := f.created(t)
	code := func(index string, at time.Time) messages.Record {
		record := f.outcome()
		record.ID = verify.NewID(index)
		record.To, record.CreatedAt = account.Mobile.String(), at
		return record
	}
	index := keys(t).Index("mobile", account.Mobile.Reveal())
	other := keys(t).Index("mobile", "+8613900000000")
	now := f.clock.Now()
	own, similar, former := code(index, now.Add(time.Second)), code(other, now), code(index, now.Add(-2*time.Hour))
	f.save(t, own, similar, former)
	var got []string
	for after := ""; ; {
		page, err := d.Messages(t.Context(), account, after, 1)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			break
		}
		got = append(got, page[0].ID)
		after = accounts.MessageCursor(page[0])
	}
	if want := []string{own.ID, mail.ID}; !slices.Equal(got, want) {
		t.Errorf("messages %v, want %v", got, want)
	}
	account.MobileChangedAt = now.Add(3 * time.Hour) // the number was another person's when the code was sent
	if page, err := d.Messages(t.Context(), account, "", 9); err != nil || len(page) != 1 || page[0].ID != mail.ID {
		t.Errorf("with a number that came later: %d messages, %v", len(page), err)
	}
	for _, after := range []string{"x", "_", "1", "x_y"} {
		if page, err := d.Messages(t.Context(), account, after, 1); err != nil || len(page) != 0 {
			t.Errorf("cursor %q: %d messages, %v", after, len(page), err)
		}
	}
}

func directorySuperusers(t *testing.T, f *fixture) {
	d := f.directory(t)
	var ids []string
	for range 2 {
		ids = append(ids, f.superuser(t).ID)
	}
	f.created(t) // another person
	check := func(want bool) {
		t.Helper()
		if got, err := d.HasOtherSuperuser(t.Context(), ids[0]); err != nil || got != want {
			t.Errorf("another superuser: %v, %v, want %v", got, err, want)
		}
	}
	check(true)
	other := f.found(t, ids[1])
	if _, err := f.accounts.ScheduleDeletion(t.Context(), other, f.clock.Now(), f.clock.Now().Add(time.Hour), nil); err != nil {
		t.Fatal(err)
	}
	check(false)
	if kept, err := f.accounts.KeepAccount(t.Context(), ids[1], f.clock.Now()); err != nil || !kept {
		t.Fatal(kept, err)
	}
	check(true)
	if _, err := f.accounts.Block(t.Context(), ids[1], f.clock.Now()); err != nil {
		t.Fatal(err)
	}
	check(false)
}
