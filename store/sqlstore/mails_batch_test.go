package sqlstore_test

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"usher/accounts"
	"usher/contact"
	"usher/internal/testkit"
	"usher/messages"
	"usher/store/sqlstore"
)

// crowd is a database on PostgreSQL with mails that are to be sent, each of another account.
type crowd struct {
	db    *sqlstore.DB
	store *sqlstore.Accounts
	ids   []string
}

func newCrowd(t *testing.T, mails int) *crowd {
	t.Helper()
	url := testkit.Postgres(t)
	if url == "" {
		t.Skip("no postgres on this machine")
	}
	c := &crowd{db: migrated(t, url)}
	c.store = sqlstore.NewAccounts(c.db, keys(t))
	now := time.Now()
	email, err := contact.ParseEmail("lilei@example.com")
	if err != nil {
		t.Fatal(err)
	}
	for n := range mails {
		id := fmt.Sprintf("m%04d", n)
		account := accounts.Account{ID: id, Username: "user_" + id, PendingEmail: email, CreatedAt: now, UpdatedAt: now}
		err := c.store.Create(t.Context(), account, &accounts.Mail{ID: id, NotAfter: now.Add(time.Hour), CreatedAt: now})
		if err != nil {
			t.Fatal(err)
		}
		c.ids = append(c.ids, id)
	}
	return c
}

// writers returns how many statements have written the mails as they are.
func (c *crowd) writers(t *testing.T) (count int) {
	t.Helper()
	if err := c.db.Unwrap().GetContext(t.Context(), &count, "select count(distinct xmin::text) from messages"); err != nil {
		t.Fatal(err)
	}
	return count
}

// hold locks a mail until the release, so that no statement that wants it comes to its end.
func (c *crowd) hold(t *testing.T, id string) (release func()) {
	t.Helper()
	tx, err := c.db.Unwrap().BeginTxx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.ExecContext(t.Context(), "select 1 from messages where id = $1 for update", id); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := tx.Rollback(); err != nil {
			t.Error(err)
		}
	}
}

// atOnce calls do for each id at once. A statement with the first mail does not end before all calls have arrived.
func (c *crowd) atOnce(t *testing.T, ids []string, do func(id string)) {
	t.Helper()
	release := c.hold(t, c.ids[0])
	var come atomic.Int64
	var group sync.WaitGroup
	for _, id := range ids {
		group.Go(func() {
			come.Add(1)
			do(id)
		})
	}
	testkit.Eventually(t, testkit.Patience, func() bool { return come.Load() == int64(len(ids)) }, "not all have come")
	release()
	group.Wait()
}

func TestMails_of_many_at_once_share_their_statements(t *testing.T) {
	t.Parallel()
	c := newCrowd(t, 40)
	mails := sqlstore.NewMails(c.db, keys(t), time.Now)
	var claims sync.Map
	c.atOnce(t, c.ids, func(id string) {
		got, err := mails.Claim(t.Context(), id, time.Minute)
		if err != nil || got.ID != id || got.Mail.ID != id || got.Account.Username != "user_"+id || got.Attempt != 1 || got.UnresolvedClaims != 0 {
			t.Errorf("claim of %s = %+v, %v", id, got, err)
		}
		claims.Store(id, got.Claim)
	})
	if n := c.writers(t); n > len(c.ids)/2 {
		t.Errorf("%d claims took %d statements", len(c.ids), n)
	}
	outcome := messages.Outcome{State: messages.Sent, Provider: "smtp", ProviderID: "1", At: time.Now().Truncate(time.Microsecond)}
	for range 2 { // the second time they agree
		c.atOnce(t, c.ids, func(id string) {
			claim, _ := claims.Load(id)
			if err := mails.Record(t.Context(), claim.(messages.Claim), outcome); err != nil {
				t.Errorf("record of %s = %v", id, err)
			}
		})
		if n := c.writers(t); n > len(c.ids)/2 {
			t.Errorf("%d records took %d statements", len(c.ids), n)
		}
	}
	var sent int
	const count = "select count(*) from messages where state = 'sent' and provider_id = '1' and lease_until is null and accepted_at = $1"
	if err := c.db.Unwrap().GetContext(t.Context(), &sent, count, outcome.At); err != nil || sent != len(c.ids) {
		t.Errorf("%d mails are recorded as sent, %v", sent, err)
	}
}

func TestMails_Claim_of_workers_at_once_gives_each_mail_to_one(t *testing.T) {
	t.Parallel()
	c := newCrowd(t, 40)
	var owners [2]atomic.Int64
	var group sync.WaitGroup
	for worker := range owners {
		mails := sqlstore.NewMails(c.db, keys(t), time.Now)
		for range 2 { // a task may be there twice
			for _, id := range c.ids {
				group.Go(func() {
					switch _, err := mails.Claim(t.Context(), id, time.Minute); {
					case err == nil:
						owners[worker].Add(1)
					case !errors.Is(err, messages.ErrBusy):
						t.Errorf("claim of %s = %v, want it or ErrBusy", id, err)
					}
				})
			}
		}
	}
	group.Wait()
	if sum := owners[0].Load() + owners[1].Load(); sum != int64(len(c.ids)) {
		t.Errorf("%d mails have %d owners", len(c.ids), sum)
	}
	var claimed int
	const once = "select count(*) from messages where state = 'sending' and attempt = 1 and doubts = 0"
	if err := c.db.Unwrap().GetContext(t.Context(), &claimed, once); err != nil || claimed != len(c.ids) {
		t.Errorf("%d mails are claimed once, %v", claimed, err)
	}
}

// Each of them alone would be refused or fail, and so it is in a statement with others.
func TestMails_that_cannot_be_claimed_or_recorded_harm_no_others(t *testing.T) {
	t.Parallel()
	c := newCrowd(t, 10)
	mails := sqlstore.NewMails(c.db, keys(t), time.Now)
	impossible, busy := "\x00", c.ids[1]
	if _, err := mails.Claim(t.Context(), busy, time.Minute); err != nil {
		t.Fatal(err)
	}
	c.atOnce(t, append([]string{impossible, "missing"}, c.ids...), func(id string) {
		claim, err := mails.Claim(t.Context(), id, time.Minute)
		switch id {
		case impossible:
			if err == nil || errors.Is(err, messages.ErrDropped) || errors.Is(err, messages.ErrBusy) {
				t.Errorf("claim of an id that no text can hold = %v", err)
			}
		case "missing":
			if !errors.Is(err, messages.ErrDropped) || claim.Reason != "missing" {
				t.Errorf("claim of no mail = %v, %q", err, claim.Reason)
			}
		case busy:
			if !errors.Is(err, messages.ErrBusy) {
				t.Errorf("claim of a mail that is claimed = %v", err)
			}
		default:
			if err != nil || claim.ID != id || claim.Attempt != 1 || claim.UnresolvedClaims != 0 {
				t.Errorf("claim of %s = %+v, %v", id, claim.Claim, err)
			}
		}
	})
	c.atOnce(t, append([]string{impossible}, c.ids...), func(id string) {
		claim := messages.Claim{ID: id, Attempt: 1}
		if id == busy {
			claim.Attempt = 7
		}
		err := mails.Record(t.Context(), claim, messages.Outcome{State: messages.Queued, At: time.Now()})
		if id == impossible && (err == nil || errors.Is(err, messages.ErrStale)) ||
			id == busy && !errors.Is(err, messages.ErrStale) || id != busy && id != impossible && err != nil {
			t.Errorf("record of %q = %v", id, err)
		}
	})
}
