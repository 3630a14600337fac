package sqlstore_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"usher/accounts"
	"usher/contact"
	"usher/internal/testkit"
	"usher/store/sqlstore"
)

// behaviours are tests of one part of the store, named by what they check.
type behaviours map[string]func(*testing.T, *fixture)

// promises are what the store promises on every kind of database.
var promises = map[string]behaviours{
	"Accounts":  accountsTests,
	"Apps":      appsTests,
	"Audit":     auditTests,
	"Blocked":   blockedTests,
	"Bounced":   bouncedTests,
	"Changes":   changesTests,
	"Claims":    claimsTests,
	"Directory": directoryTests,
	"Erased":    erasedTests,
	"Events":    eventsTests,
	"History":   historyTests,
	"Imported":  importedTests,
	"Mails":     mailsTests,
	"Nameless":  namelessTests,
	"Outcomes":  outcomesTests,
	"Pending":   pendingTests,
	"Traffic":   trafficTests,
	"Undos":     undosTests,
}

// fixture is an empty database of the test's own, with a clock that is set by hand and people to file.
type fixture struct {
	db       *sqlstore.DB
	accounts *sqlstore.Accounts
	mails    *sqlstore.Mails
	messages *sqlstore.Messages
	outcomes *sqlstore.Outcomes
	events   *sqlstore.Events
	clock    *testkit.Clock
	people   atomic.Int32
}

// linkLife is how long the fixture's activation links live.
const linkLife = time.Hour

func newFixture(t *testing.T, url string) *fixture {
	t.Helper()
	// The nanoseconds show that times are cut to microseconds.
	clock := testkit.NewClock(time.Date(2026, 1, 2, 3, 4, 5, 123456789, time.FixedZone("CST", 8*60*60)))
	db := migrated(t, url)
	return &fixture{
		db: db, clock: clock, accounts: sqlstore.NewAccounts(db, keys(t)), mails: sqlstore.NewMails(db, keys(t), clock.Now),
		messages: sqlstore.NewMessages(db, clock.Now), outcomes: sqlstore.NewOutcomes(db, clock.Now),
		events: sqlstore.NewEvents(db, keys(t), clock.Now),
	}
}

// person returns an account like no other, with a number, an address that waits for its proof and its activation
// mail.
func (f *fixture) person(t *testing.T) (accounts.Account, *accounts.Mail) {
	t.Helper()
	n := f.people.Add(1)
	mobile, err := contact.ParseMobile(fmt.Sprintf("138%08d", n))
	if err != nil {
		t.Fatal(err)
	}
	email, err := contact.ParseEmail(fmt.Sprintf("someone%d@example.com", n))
	if err != nil {
		t.Fatal(err)
	}
	return accounts.Account{
		ID:                   uuid.NewString(),
		Username:             fmt.Sprintf("Person_%d", n),
		Mobile:               mobile,
		PendingEmail:         email,
		PendingEmailAt:       f.clock.Now(),
		PasswordHash:         "$argon2id$v=19$m=8,t=1,p=1$c2FsdA$aGFzaA",
		Active:               true,
		ActivationGeneration: 1,
		SessionGeneration:    1,
		CreatedAt:            f.clock.Now(),
		UpdatedAt:            f.clock.Now(),
	}, f.mail()
}

func (f *fixture) mail() *accounts.Mail {
	return &accounts.Mail{
		ID:        uuid.NewString(),
		Purpose:   accounts.MailActivation,
		Language:  "en",
		KeyID:     "t1",
		NotAfter:  f.clock.Now().Add(linkLife),
		CreatedAt: f.clock.Now(),
		RequestID: "request-1",
	}
}

// created files a person and returns the account with its mail.
func (f *fixture) created(t *testing.T) (accounts.Account, accounts.Mail) {
	t.Helper()
	account, mail := f.person(t)
	if err := f.accounts.Create(t.Context(), account, mail); err != nil {
		t.Fatal(err)
	}
	return account, *mail
}

// stored is an account as it comes back: in UTC, to the microsecond.
func stored(account accounts.Account) accounts.Account {
	for _, at := range []*time.Time{
		&account.CreatedAt, &account.UpdatedAt, &account.PendingEmailAt, &account.PendingMobileAt,
		&account.MobileChangedAt, &account.EmailChangedAt, &account.SeenAt, &account.AgreedAt,
	} {
		*at = at.UTC().Truncate(time.Microsecond)
	}
	return account
}

func storedMail(mail accounts.Mail) accounts.Mail {
	mail.CreatedAt = mail.CreatedAt.UTC().Truncate(time.Microsecond)
	mail.NotAfter = mail.NotAfter.UTC().Truncate(time.Microsecond)
	return mail
}

// canceled returns a context that has ended.
func canceled(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}
