package accounts

import (
	"context"
	"time"

	"usher/contact"
)

// By says which unique column a [Key] looks in.
type By string

// The unique columns.
const (
	ByID       By = "id"
	ByUsername By = "username"
	ByMobile   By = "mobile"
	ByEmail    By = "email"

	// ByClaimedMobile finds the account that claims a number which another one still has.
	ByClaimedMobile By = "claimed_mobile"
)

// Key finds one account. Value is the id, the canonical user name (see [CanonicalUsername]), or the
// full canonical number or address, which the store turns into its keyed hash.
type Key struct {
	By    By
	Value string
}

// Store keeps accounts and, in the same transactions, the mails they owe.
type Store interface {
	// Create files a new account and, unless it is nil, its activation mail. When a unique column is
	// taken it returns an *ExistsError and nothing is written.
	Create(ctx context.Context, account Account, mail *Mail) error

	// Find returns an account or ErrNotFound.
	Find(ctx context.Context, key Key) (Account, error)

	// Exists reports whether an account has this value: one indexed read.
	Exists(ctx context.Context, key Key) (bool, error)

	// FindWaiting returns the newest of the accounts that wait for the proof of the address and have nothing
	// else, or ErrNotFound.
	FindWaiting(ctx context.Context, email contact.Email) (Account, error)

	// Activate makes the address that waits for its proof the account's proved one and the account active, if
	// generation is still the newest. A hash, unless it is empty, replaces that of the password and starts a new
	// generation of sessions. A change, unless it is nil, is kept, its mails are filed and the sessions end.
	// ErrNotFound means that the account, the generation or the waiting address is gone, an *ExistsError that
	// another account has proved the address.
	Activate(ctx context.Context, id string, generation int, hash string, at time.Time, change *Change) (Account, error)

	// Release takes an address away from every account that waits with it, and deletes those that have nothing
	// else, see [Account.Waiting], with their mails. The address is given by its keyed hash, as tokens hold it.
	Release(ctx context.Context, address string, at time.Time) error

	// Decline notes that no mail is to ask for the proof of an address, given as for Release, until a time;
	// DeclinedUntil returns it, or the zero time.
	Decline(ctx context.Context, address string, until time.Time) error
	DeclinedUntil(ctx context.Context, address string) (time.Time, error)

	// RemoveUnproved deletes an account that waits, with its mails, if its proof was asked for before the time.
	// It does nothing to any other one.
	RemoveUnproved(ctx context.Context, id string, before time.Time) error

	// RenewActivation starts a new generation of activation links and files its mail. It returns
	// ErrNotFound when no address waits for its proof any more.
	RenewActivation(ctx context.Context, id string, mail Mail) error
}
