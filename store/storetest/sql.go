package storetest

import (
	"context"
	"testing"
	"time"

	"usher/accounts"
	"usher/messages"
	"usher/secrets"
	"usher/store/sqlstore"
)

// SQL is a store of accounts and mails under test: empty, and of the test's own.
type SQL struct {
	Accounts accounts.Store
	Changes  accounts.Changes // beside Accounts, on the same tables
	Undos    accounts.Undos   // beside Accounts, on the same tables
	Claims   accounts.Claims  // beside Accounts, on the same tables
	Tidy     Tidy             // beside Accounts, on the same tables
	Imports  Imports          // beside Accounts, on the same tables
	Unproved Unproved         // beside Accounts, on the same tables
	Outbox   Outbox
	History  *sqlstore.Messages // beside Outbox, on the same tables
	Outcomes *sqlstore.Outcomes // beside Outbox, on the same tables
	// Dump returns all rows of all tables as text.
	Dump func(t *testing.T) string
}

// Tidy is what ends changes and claims by periodic work.
type Tidy interface {
	DropEndedChanges(ctx context.Context, at time.Time) (int, error)
	HandOver(ctx context.Context, before time.Time, limit int) (int, error)
}

// Imports is what brings people of another system along.
type Imports interface {
	accounts.ImportStore
	accounts.Rehasher
}

// Unproved is what periodic work is given.
type Unproved interface {
	DropUnproved(ctx context.Context, now, before time.Time, limit int) (int, error)
}

// Outbox is what workers and relays are given of the mails that [accounts.Store] files.
type Outbox interface {
	Claim(ctx context.Context, id string, lease time.Duration) (accounts.ClaimedMail, error)
	Record(ctx context.Context, claim messages.Claim, outcome messages.Outcome) error
	Due(ctx context.Context, soonest, latest time.Duration, limit int) ([]accounts.DueMail, error)
	Expire(ctx context.Context, limit int) (int, error)
	Backlog(ctx context.Context) (count int, oldest time.Time, err error)
}

// OpenSQL makes a store that uses the keys and the time it is given.
type OpenSQL func(t *testing.T, keys *secrets.Keys, now func() time.Time) SQL
