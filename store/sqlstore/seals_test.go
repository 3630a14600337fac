package sqlstore_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"usher/accounts"
	"usher/contact"
	"usher/internal/testkit"
	"usher/messages"
	"usher/secrets"
	"usher/store/sqlstore"
)

// rotation is one database under the keys of the steps of a rotation, as docs/keys.md has them.
type rotation struct {
	db                                  *sqlstore.DB
	before, known, signs, moved, second *secrets.Keys
	clock                               *testkit.Clock
}

func rotations(t *testing.T, test func(t *testing.T, r *rotation)) {
	t.Helper()
	databases(t, func(t *testing.T, newURL func(*testing.T) string) {
		parse := func(spec string) *secrets.Keys {
			keys, err := secrets.ParseKeys(spec)
			if err != nil {
				t.Fatal(err)
			}
			return keys
		}
		first := "k1:" + base64.StdEncoding.EncodeToString([]byte(strings.Repeat("a", 32)))
		second := "K1:" + base64.StdEncoding.EncodeToString([]byte(strings.Repeat("b", 32))) // differs in case only
		test(t, &rotation{
			db: migrated(t, newURL(t)), before: parse(first), known: parse(first + "," + second + ",k1"),
			signs: parse(second + "," + first), moved: parse(second + "," + first + ",K1"), second: parse(second),
			clock: testkit.NewClock(time.Now()),
		})
	})
}

func (r *rotation) seals(keys *secrets.Keys) *sqlstore.Seals {
	return sqlstore.NewSeals(r.db, keys, r.clock.Now)
}

// register files the nth person, with a number, an address, another one that waits for its proof, as it does for
// all others, and its activation mail.
func (r *rotation) register(t *testing.T, keys *secrets.Keys, n int) accounts.Account {
	t.Helper()
	account := person(t)
	account.ID, account.Username = fmt.Sprintf("a%05d", n), fmt.Sprintf("person_%d", n)
	var err error
	if account.Mobile, err = contact.ParseMobile(fmt.Sprintf("138%08d", n)); err != nil {
		t.Fatal(err)
	}
	if account.Email, err = contact.ParseEmail(fmt.Sprintf("p%d@example.com", n)); err != nil {
		t.Fatal(err)
	}
	if account.PendingEmail, err = contact.ParseEmail("next@example.com"); err != nil {
		t.Fatal(err)
	}
	err = sqlstore.NewAccounts(r.db, keys).Create(t.Context(), account, r.mail(n, keys))
	if err != nil {
		t.Fatal(err)
	}
	return account
}

func (r *rotation) mail(n int, keys *secrets.Keys) *accounts.Mail {
	return &accounts.Mail{
		ID: fmt.Sprintf("m%05d", n), KeyID: keys.SigningID(),
		CreatedAt: r.clock.Now(), NotAfter: r.clock.Now().Add(time.Hour),
	}
}

func (r *rotation) find(t *testing.T, keys *secrets.Keys, account accounts.Account) error {
	t.Helper()
	store := sqlstore.NewAccounts(r.db, keys)
	for by, value := range map[accounts.By]string{accounts.ByMobile: account.Mobile.Reveal(), accounts.ByEmail: account.Email.Reveal()} {
		found, err := store.Find(t.Context(), accounts.Key{By: by, Value: value})
		if err != nil {
			return err
		}
		if found.ID != account.ID || found.Mobile != account.Mobile || found.Email != account.Email || found.PendingEmail != account.PendingEmail {
			t.Errorf("found %s with %v, %v, want %s", found.ID, found.Mobile, found.Email, account.ID)
		}
	}
	return nil
}

func TestSeals_follow_a_rotation_until_the_old_key_is_gone(t *testing.T) {
	t.Parallel()
	rotations(t, func(t *testing.T, r *rotation) {
		const people = 450 // more than two batches
		first := r.register(t, r.before, 0)
		for n := 1; n < people; n++ {
			r.register(t, r.before, n)
		}
		last := r.register(t, r.signs, people)
		notice := r.mail(people+1, r.signs)
		notice.Purpose, notice.To = accounts.MailPasswordChanged, last.Email
		notice.Facts.Change = "1"
		_, err := sqlstore.NewAccounts(r.db, r.before).ChangePassword(t.Context(), first, "hash", &accounts.Change{
			ID: "1", AccountID: first.ID, Kind: accounts.ChangedPassword,
			At: r.clock.Now(), EndsAt: r.clock.Now().Add(accounts.UndoWindow), Mails: []*accounts.Mail{notice},
		})
		if err != nil {
			t.Fatal(err)
		}
		use, err := r.seals(r.signs).Use(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		until := r.clock.Now().Add(time.Hour).UTC().Truncate(time.Microsecond)
		want := map[string]sqlstore.KeyUse{
			"k1": {Contacts: 3*people + 2, Mails: 1, Links: people, LinksUntil: until}, // two of before a change
			"K1": {Contacts: 3, Links: 2, LinksUntil: until},
		}
		if diff := cmp.Diff(want, use); diff != "" {
			t.Errorf("use (-want +got):\n%s", diff)
		}
		if err := r.seals(r.second).Check(t.Context(), 10); !errors.Is(err, sqlstore.ErrSealedUnknown) {
			t.Errorf("the old key dropped too early: %v, want ErrSealedUnknown", err)
		}

		told := 0
		result, err := r.seals(r.signs).Reseal(t.Context(), func(n int) { told = n })
		if want := (sqlstore.Resealed{Changed: 3*people + 3}); err != nil || !cmp.Equal(result, want) || told != want.Changed {
			t.Errorf("Reseal = %+v, %v, told %d, want %+v", result, err, told, want)
		}
		if result, err = r.seals(r.signs).Reseal(t.Context(), nil); err != nil || result.Changed != 0 {
			t.Errorf("again: %+v, %v, want nothing to do", result, err)
		}
		if result, err = r.seals(r.moved).Reindex(t.Context(), nil); err != nil || result.Changed != 3*(people+1)+2 || result.Left != 0 {
			t.Errorf("Reindex = %+v, %v", result, err)
		}
		r.clock.Advance(time.Hour)
		use, err = r.seals(r.second).Use(t.Context())
		if diff := cmp.Diff(map[string]sqlstore.KeyUse{"K1": {Contacts: 3*(people+1) + 2}}, use); err != nil || diff != "" {
			t.Errorf("use in the end: %v (-want +got):\n%s", err, diff)
		}
		for _, account := range []accounts.Account{first, last} {
			if err := r.find(t, r.second, account); err != nil {
				t.Errorf("without the old key: %v", err)
			}
		}
		if err := r.seals(r.second).Check(t.Context(), people); err != nil {
			t.Errorf("Check in the end: %v", err)
		}
	})
}

func TestSeals_Check_tells_a_wrong_index_before_it_does_harm(t *testing.T) {
	t.Parallel()
	rotations(t, func(t *testing.T, r *rotation) {
		if err := r.seals(r.moved).Check(t.Context(), 1); err != nil {
			t.Errorf("there is no account: %v", err)
		}
		r.register(t, r.before, 1)
		for name, keys := range map[string]*secrets.Keys{"before": r.before, "known": r.known, "signs": r.signs} {
			if err := r.seals(keys).Check(t.Context(), 1); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		if err := r.seals(r.moved).Check(t.Context(), 1); !errors.Is(err, sqlstore.ErrIndexed) {
			t.Errorf("moved: %v, want ErrIndexed", err)
		}
	})
}

func TestSeals_leave_what_no_key_opens_and_what_is_there_twice(t *testing.T) {
	t.Parallel()
	rotations(t, func(t *testing.T, r *rotation) {
		r.register(t, r.before, 1)
		result, err := r.seals(r.second).Reseal(t.Context(), nil)
		if err != nil || result.Changed != 0 || result.Left != 3 || !strings.Contains(strings.Join(result.Named, "\n"), "unknown key k1") {
			t.Errorf("Reseal without the key = %+v, %v", result, err)
		}
		// An API ran with a wrong last key, and the number was registered again.
		twin := person(t)
		twin.ID, twin.Username = "b", "twins"
		if twin.Mobile, err = contact.ParseMobile("13800000001"); err != nil {
			t.Fatal(err)
		}
		if err := sqlstore.NewAccounts(r.db, r.moved).Create(t.Context(), twin, nil); err != nil {
			t.Fatal(err)
		}
		result, err = r.seals(r.moved).Reindex(t.Context(), nil)
		if err != nil || result.Changed != 2 || result.Left != 1 || !strings.Contains(result.Named[0], "a00001: another account") {
			t.Errorf("Reindex = %+v, %v", result, err)
		}
		if text := fmt.Sprint(result); strings.Contains(text, "13800000001") || strings.Contains(text, "example.com") {
			t.Errorf("the result shows a contact: %s", text)
		}
	})
}

// A worker that does not know a key yet must neither lose the mail nor leave its claim unresolved.
func TestMails_wait_for_a_worker_that_knows_the_key(t *testing.T) {
	t.Parallel()
	rotations(t, func(t *testing.T, r *rotation) {
		r.register(t, r.signs, 1)
		behind := sqlstore.NewMails(r.db, r.before, r.clock.Now)
		for range 3 {
			if _, err := behind.Claim(t.Context(), "m00001", time.Minute); !errors.Is(err, secrets.ErrUnknownKey) {
				t.Fatalf("claim without the key: %v, want ErrUnknownKey", err)
			}
		}
		mail, err := sqlstore.NewMails(r.db, r.known, r.clock.Now).Claim(t.Context(), "m00001", time.Minute)
		if err != nil || mail.UnresolvedClaims != 0 || mail.Account.PendingEmail.IsZero() {
			t.Errorf("claim with the key = %+v, %v, want it at once and without unresolved claims", mail.Claim, err)
		}
		if _, err := behind.Claim(t.Context(), "m00001", time.Minute); !errors.Is(err, messages.ErrBusy) && !errors.Is(err, secrets.ErrUnknownKey) {
			t.Errorf("claim meanwhile: %v", err)
		}
	})
}
