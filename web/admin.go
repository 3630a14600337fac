package web

import (
	"cmp"
	"strings"
	"time"
)

// Admin is what the pages below /admin show: a list of accounts, or one account.
type Admin struct {
	Searched bool   // the list has what a search has found
	Own      bool   // the one account is that of the superuser, which cannot be changed here
	Changed  string // the action that was just done, or empty
	Erased   bool   // an account was just erased
	Looks    bool   // the records have those of looks too

	Accounts []AdminAccount
	Account  *AdminAccount
	Messages []AdminMessage
	Records  []AdminRecord

	// After, MessagesAfter and RecordsAfter are the cursors of the next pages; empty: there is none.
	After, MessagesAfter, RecordsAfter string
}

// AdminAccount is an account as a superuser sees it, with masked numbers and addresses.
type AdminAccount struct {
	ID, Username, Mobile, PendingMobile, Email, PendingEmail string

	Active, Superuser            bool
	CreatedAt, SeenAt, BlockedAt time.Time // zero: unknown; not blocked
}

// Name is how the pages name the account.
func (a AdminAccount) Name() string {
	return cmp.Or(a.Username, a.Mobile, a.PendingMobile, a.Email, a.PendingEmail, a.ID)
}

// AdminMessage is a message to an account, without its text.
type AdminMessage struct {
	Channel, Purpose, To, State, Reason, Provider, RequestID string

	At time.Time
}

// AdminRecord is a record of the audit.
type AdminRecord struct {
	Action, Kind, Actor, Reason, RequestID, Network string

	Fields []string
	At     time.Time
}

// Known returns the text of a key, or another text where there is none: newer versions may have stored words that this one does
// not know.
func (v view) Known(key, otherwise string) string {
	if text, err := v.T(key); err == nil {
		return text
	}
	return otherwise
}

// List writes words with commas.
func (view) List(words []string) string { return strings.Join(words, ", ") }

// When writes a time for people.
func (view) When(t time.Time) string { return t.UTC().Format("2006-01-02 15:04") + " UTC" }

// Stamp writes a time for programs.
func (view) Stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// one is a view that is about one account of a list.
type one struct {
	view

	One AdminAccount
}

// With returns the view about one account.
func (v view) With(a AdminAccount) one { return one{v, a} }

// deed is a view that is about one action.
type deed struct {
	view

	Action string
}

// Do returns the view about one action.
func (v view) Do(action string) deed { return deed{v, action} }
