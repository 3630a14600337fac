package storetest

import (
	"context"
	"encoding/base64"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"usher/accounts"
	"usher/contact"
	"usher/internal/testkit"
)

// sqlFixture is a store with people in it.
type sqlFixture struct {
	SQL
	clock  *testkit.Clock
	people atomic.Int32
}

// linkLife is how long the fixture's activation links live.
const linkLife = time.Hour

var fixtureKeys = "t1:" + base64.StdEncoding.EncodeToString([]byte(strings.Repeat("k", 32)))

func newSQLFixture(t *testing.T, open OpenSQL) *sqlFixture {
	t.Helper()
	keys := testKeys(t)
	// Nanoseconds, to see them cut.
	clock := testkit.NewClock(time.Date(2026, 1, 2, 3, 4, 5, 123456789, time.FixedZone("CST", 8*60*60)))
	return &sqlFixture{SQL: open(t, keys, clock.Now), clock: clock}
}

// person returns an account like no other, with a number, an address that waits for its proof and its activation
// mail.
func (f *sqlFixture) person(t *testing.T) (accounts.Account, *accounts.Mail) {
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

func (f *sqlFixture) mail() *accounts.Mail {
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
func (f *sqlFixture) created(t *testing.T) (accounts.Account, accounts.Mail) {
	t.Helper()
	account, mail := f.person(t)
	if err := f.Accounts.Create(t.Context(), account, mail); err != nil {
		t.Fatal(err)
	}
	return account, *mail
}

// stored is an account as it comes back: in UTC, to the microsecond.
func stored(account accounts.Account) accounts.Account {
	for _, at := range []*time.Time{
		&account.CreatedAt, &account.UpdatedAt, &account.PendingEmailAt, &account.PendingMobileAt,
		&account.MobileChangedAt, &account.EmailChangedAt, &account.SeenAt,
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
