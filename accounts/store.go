package accounts

import (
	"context"
	"time"

	"usher/audit"
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

	// ByClaimedMobile finds the account that claims the number of another account.
	ByClaimedMobile By = "claimed_mobile"
)

// Key finds one account. Value is the id, the canonical user name (see [CanonicalUsername]), or the full canonical
// number or address, of which the store makes the keyed hash.
type Key struct {
	By    By
	Value string
}

// Store keeps accounts and, in the same transactions, the mails about them. A method that returns an error has written
// nothing, no mail either. When a unique column is taken it returns an *ExistsError.
type Store interface {
	// Create writes a new account with its consents and its activation mail; a nil mail is none.
	Create(ctx context.Context, account Account, mail *Mail) error

	// CreateClaiming is Create for an account that claims the number of the holder, and records the change of the
	// holder's account. It returns an *ExistsError of the mobile when the holder was active since the caller read it,
	// or when another account claims the number.
	CreateClaiming(ctx context.Context, account Account, mail *Mail, holder Account, change *Change) error

	// Find returns an account or ErrNotFound.
	Find(ctx context.Context, key Key) (Account, error)

	// Exists reports whether an account has this value, or an erased account had this user name until lately, see
	// [HoldName]: one indexed read.
	Exists(ctx context.Context, key Key) (bool, error)

	// NameTaken is Exists for a canonical user name, without the accounts that RemoveUnproved would delete for the time
	// before; for the zero time it deletes none. Clients look names up while people type them: it takes one round trip
	// and opens nothing that is sealed.
	NameTaken(ctx context.Context, name string, before time.Time) (bool, error)

	// FindWaiting returns the newest of the accounts that wait for the proof of the address and have nothing else, or
	// ErrNotFound.
	FindWaiting(ctx context.Context, email contact.Email) (Account, error)

	// FindSignedIn returns the account with this id, or ErrNotFound when there is none or the session was ended. It
	// takes one round trip.
	FindSignedIn(ctx context.Context, id, session string) (Account, error)

	// EndSessions records that sessions have ended, until a time at which they would have expired. The record is apart
	// from the store of sessions, so that an ended session stays ended when an older copy of Redis takes over.
	EndSessions(ctx context.Context, until time.Time, sessions ...string) error

	// Seen records that the account was used at the time, ends the claim on its number and writes the mail to the
	// account of that claim; a nil mail is none.
	Seen(ctx context.Context, account Account, at time.Time, mail *Mail) error

	// Activate turns the pending address into the proved one and activates the account, if the generation of its activation is
	// still the one that the caller has read. A hash that is not empty replaces that of the password and starts a new generation of sessions. A change
	// that is not nil is recorded, its mails are written and the sessions end. ErrNotFound means that the account, the
	// generation or the pending address does not exist any more, an *ExistsError that another account has proved the
	// address.
	Activate(ctx context.Context, was Account, hash string, at time.Time, change *Change) (Account, error)

	// RenewActivation writes another activation mail and records that the proof was asked for again. It returns ErrNotFound when the
	// account has no pending address any more.
	RenewActivation(ctx context.Context, id string, mail Mail) error

	// CorrectEmail replaces the pending address of an account that waits, as the caller read it: it returns ErrChanged
	// when the account does not wait any more or was changed since. It starts a new generation of activation mails and
	// writes the link's mail. Nothing is recorded to undo: the account has no former state to go back to.
	CorrectEmail(ctx context.Context, was Account, email contact.Email, link Mail) (Account, error)

	// Release removes a pending address from every account, and deletes those that have nothing else, see
	// [Account.Waiting], with their mails. Blocked accounts stay as they are. The address is given by its keyed hash, as
	// tokens contain it.
	Release(ctx context.Context, address string, at time.Time) error

	// Decline records that no mail may ask for the proof of an address, given as for Release, until a time.
	// DeclinedUntil returns that time, or the zero time.
	Decline(ctx context.Context, address string, until time.Time) error
	DeclinedUntil(ctx context.Context, address string) (time.Time, error)

	// BouncedAt returns when a mail server has said last that there is no such mailbox, or the zero time.
	BouncedAt(ctx context.Context, email contact.Email) (time.Time, error)

	// RemoveUnproved deletes an account that waits, with its mails, if its proof was asked for before the time. It does
	// nothing to any other account, nor to a blocked one.
	RemoveUnproved(ctx context.Context, id string, before time.Time) error

	// Rehash replaces the hash of an account if it is still the old one. If it is not, the password was changed
	// meanwhile: Rehash keeps the new hash and returns nil. Sessions continue.
	Rehash(ctx context.Context, id, old, hash string) error

	// ChangePassword replaces the hash of an account as the caller read it, by its generations of sessions and of
	// activation mails: when it was changed since, this and the next three methods return ErrChanged. It starts a new
	// generation of sessions.
	ChangePassword(ctx context.Context, was Account, hash string, change *Change) (Account, error)

	// SetUsername names an account that has no user name. It returns ErrChanged when it has one by now. The sessions
	// continue.
	SetUsername(ctx context.Context, id, name string, at time.Time) (Account, error)

	// ChangeEmail sets the pending address, starts a new generation of activation mails and writes the link's mail.
	// The sessions continue.
	ChangeEmail(ctx context.Context, was Account, email contact.Email, link *Mail, change *Change) (Account, error)

	// ReplaceEmail replaces the address by a proved one, removes the pending one and starts new generations of sessions
	// and of activation links.
	ReplaceEmail(ctx context.Context, was Account, email contact.Email, change *Change) (Account, error)

	// ChangeMobile replaces the number by a proved one, ends the account's own claim on another number and starts a new
	// generation of sessions.
	ChangeMobile(ctx context.Context, was Account, mobile contact.Mobile, change *Change) (Account, error)

	// Block records that the account is blocked since the time and starts a new generation of sessions. It changes nothing
	// when the account is blocked. Unblock removes the record. Both return the account, or ErrNotFound. Block and Erase return
	// ErrProtected when the cause is a superuser and no other superuser would be left, also when superusers remove each other at
	// the same moment.
	Block(ctx context.Context, id string, at time.Time) (Account, error)
	Unblock(ctx context.Context, id string, at time.Time) (Account, error)

	// EndAllSessions starts a new generation of sessions. It returns the account, or ErrNotFound.
	EndAllSessions(ctx context.Context, id string, at time.Time) (Account, error)

	// Audit writes a record about something that changes no account. Every method that changes an account writes its record
	// itself, in the same transaction; the cause is that of the context, see [audit.With].
	Audit(ctx context.Context, record audit.Record) error

	// Erase deletes the account with its mails and changes, in one transaction, keeps its user name taken and returns what
	// is needed to delete the rest. It returns the same for an account that was just erased, and ErrNotFound for any other.
	Erase(ctx context.Context, id string, at time.Time) (Erased, error)

	// ScheduleDeletion records when an account, as the caller read it, is to be erased, starts a new generation of sessions
	// and writes the mail; a nil mail is none. It returns ErrChanged when the account was changed since.
	ScheduleDeletion(ctx context.Context, was Account, at, due time.Time, mail *Mail) (Account, error)

	// KeepAccount removes that record, and reports whether the account still exists.
	KeepAccount(ctx context.Context, id string, at time.Time) (bool, error)

	// DueDeletions returns the ids of up to limit accounts that are to be erased by the time and are not blocked. EraseDue
	// is Erase for such an account; it returns ErrNotFound for any other.
	DueDeletions(ctx context.Context, at time.Time, limit int) ([]string, error)
	EraseDue(ctx context.Context, id string, at time.Time) (Erased, error)

	// Agree records consents of an account, and returns it; Withdraw ends those to a document.
	Agree(ctx context.Context, id string, consents []Consent) (Account, error)
	Withdraw(ctx context.Context, id string, document Document, at time.Time) (Account, error)

	// Consents returns up to limit consents of an account, the newest first.
	Consents(ctx context.Context, id string, limit int) ([]Consent, error)

	// Export returns the consents, messages and audit of the account's person, each list with the newest first and at most
	// so many entries.
	Export(ctx context.Context, account Account, most int) (Export, error)

	// ForgetErased deletes what the store has of erased accounts under their contacts: messages with codes, and the numbers
	// and addresses in events. It may be repeated.
	ForgetErased(ctx context.Context, erased []Erased) error

	// MarkForgotten records that the rest of the accounts was deleted. Of those that were erased before a time nothing new
	// comes, so it also deletes what was kept for that.
	MarkForgotten(ctx context.Context, erased []Erased, at, before time.Time) error

	// ErasedRemains returns up to limit accounts whose rest is to be deleted: it was not yet, or they were erased before the
	// time and it was done once. With an error it also returns those that could be read.
	ErasedRemains(ctx context.Context, before time.Time, limit int) ([]Erased, error)

	// FreeNames frees the user names of accounts that are gone since before the time.
	FreeNames(ctx context.Context, before time.Time) error

	// FindChange returns a change that can be undone at the time, or ErrNotFound.
	FindChange(ctx context.Context, id string, at time.Time) (Change, error)

	// ChangesFrom returns the changes before which an account had the number and that can be undone at the time, the
	// earliest first. There are at most a few dozen.
	ChangesFrom(ctx context.Context, mobile contact.Mobile, at time.Time) ([]Change, error)

	// Undo restores the contacts from before the change, removes the pending address and every claim on the account's
	// number, sets the password, starts new generations of sessions and of activation mails, deletes this change and
	// all later ones of the account and writes the mails, in one transaction. A contact that another account has proved
	// meanwhile is not restored; the account has none then. It returns ErrNotFound when the change cannot be undone any
	// more.
	Undo(ctx context.Context, change Change, hash string, at time.Time, mails []*Mail) (Undone, error)
}
