// Package audit says what the audit records: who has done what to which account, when, from where and why. A record never holds a
// number, an address or a value. It is written in the transaction of the change that it is about, and only pruning deletes it.
package audit

import (
	"context"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"
)

// Kind says what kind of actor has acted.
type Kind string

// The kinds of actors.
const (
	System    Kind = "system"    // periodic work
	Person    Kind = "person"    // the name is the account of the session; empty without one, as at a registration
	Superuser Kind = "superuser" // the name is the superuser's account
	App       Kind = "app"       // the name is the id of the app's key
	Operator  Kind = "operator"  // the command admin; the name is that of the system's user
)

// Cause is why something happens. The zero value is the periodic work of the system.
type Cause struct {
	Kind      Kind   `json:"actor_kind"`       // empty: System
	Actor     string `json:"actor,omitempty"`  // see [Kind]
	Reason    string `json:"reason,omitempty"` // as an operator, superuser or app has given it; empty: none
	RequestID string `json:"request_id,omitempty"`
	Network   string `json:"network,omitempty"` // of the request, as package limits names networks; empty: unknown
}

type causeKey struct{}

// With returns a context in which changes of accounts have this cause.
func With(ctx context.Context, cause Cause) context.Context {
	return context.WithValue(ctx, causeKey{}, cause)
}

// CauseOf returns the cause of what is done in the context.
func CauseOf(ctx context.Context) Cause {
	cause, _ := ctx.Value(causeKey{}).(Cause)
	if cause.Kind == "" {
		cause.Kind = System
	}
	return cause
}

// Action says what was done.
type Action string

// The actions.
const (
	AccountCreated      Action = "account.created"
	AccountActivated    Action = "account.activated"
	AccountDeleted      Action = "account.deleted"
	DeletionRequested   Action = "account.deletion_requested"  // by its owner, to be carried out later
	DeletionTakenBack   Action = "account.deletion_taken_back" // by a sign-in
	ConsentGiven        Action = "account.consent_given"
	ConsentWithdrawn    Action = "account.consent_withdrawn"
	AccountExported     Action = "account.exported" // by its person
	AccountBlocked      Action = "account.blocked"
	AccountUnblocked    Action = "account.unblocked"
	UsernameSet         Action = "account.username_set"
	ContactChanged      Action = "account.contact_changed"
	ContactRequested    Action = "account.contact_requested" // its proof is awaited
	ContactRemoved      Action = "account.contact_removed"   // an address that was never proved
	NumberClaimed       Action = "account.number_claimed"    // by another account
	PasswordChanged     Action = "account.password_changed"
	ChangeUndone        Action = "account.change_undone"
	ActivationSent      Action = "account.activation_sent" // again
	AccountsImported    Action = "accounts.imported"       // without an account; one record for each batch
	SignedIn            Action = "session.started"
	SessionsEnded       Action = "session.ended"
	AccountLookedUp     Action = "account.looked_up" // and found, by a superuser, an app or an operator
	AccountNotFound     Action = "account.not_found" // by such a look-up
	AccountsListed      Action = "account.listed"    // masked, by such a reader
	AccountMessagesRead Action = "account.messages_read"
	AccountAuditRead    Action = "account.audit_read"
)

// Actions lists all actions.
func Actions() []Action {
	return []Action{
		AccountCreated, AccountActivated, AccountDeleted, DeletionRequested, DeletionTakenBack, ConsentGiven, ConsentWithdrawn, AccountExported, AccountBlocked, AccountUnblocked, UsernameSet, ContactChanged, ContactRequested,
		ContactRemoved, NumberClaimed, PasswordChanged, ChangeUndone, ActivationSent, AccountsImported, SignedIn, SessionsEnded,
		ConsentGiven, ConsentWithdrawn, AccountExported,
		AccountLookedUp, AccountNotFound, AccountsListed, AccountMessagesRead, AccountAuditRead,
	}
}

// Looks lists the actions of superusers, apps and operators that only read.
func Looks() []Action {
	return []Action{AccountLookedUp, AccountNotFound, AccountsListed, AccountMessagesRead, AccountAuditRead}
}

// Record is one line of the audit.
type Record struct {
	ID        string    `json:"id"` // UUID whose order is that of time
	At        time.Time `json:"at"`
	Action    Action    `json:"action"`
	AccountID string    `json:"account_id,omitempty"` // may have been deleted since; empty: the action is not about one account
	Fields    []string  `json:"fields,omitempty"`     // names of the fields that were changed
	Cause
}

// New returns the record of an action in the context, which is done at the time.
func New(ctx context.Context, at time.Time, action Action, accountID string, fields ...string) Record {
	return Record{
		ID: uuid.Must(uuid.NewV7()).String(), At: at, Cause: CauseOf(ctx), Action: action, AccountID: accountID, Fields: fields,
	}
}

// Filter selects records. A zero field selects all.
type Filter struct {
	AccountID string
	Actor     string    // see [Kind]
	Since     time.Time // done then or later
	After     string    // the id of a record: only older ones
	NoLooks   bool      // without those of [Looks]
	Limit     int
}

const (
	maxReason = 200
	// longestNumber is the number of digits that a reason may have in a row, with separators between: fewer than a telephone number.
	longestNumber = 6
)

// ValidReason reports whether a text may be recorded as a reason: it has up to 200 characters, no control character, and neither
// an address nor a telephone number, which would stay in the audit after the account is deleted.
func ValidReason(text string) bool {
	if strings.TrimSpace(text) == "" || utf8.RuneCountInString(text) > maxReason || !utf8.ValidString(text) ||
		strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return false
	}
	digits := 0
	for _, r := range text {
		switch {
		case unicode.IsDigit(r):
			digits++
		case strings.ContainsRune(" -.()/+", r):
		case r == '@' || r == '\uFF20':
			return false
		default:
			digits = 0
		}
		if digits > longestNumber {
			return false
		}
	}
	return true
}
