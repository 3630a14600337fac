package verify

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"usher/messages"
	"usher/secrets"
)

// Purpose is what a code is for. A code issued for one purpose is never accepted for another.
type Purpose string

// The purposes.
const (
	Register      Purpose = "register"
	Login         Purpose = "login"
	ResetPassword Purpose = "reset_password"
	ChangeMobile  Purpose = "change_mobile" // sent to the new number
	UndoChange    Purpose = "undo_change"   // sent to the number that an account had before a change
	ChangeEmail   Purpose = "change_email"  // sent to the new address
)

// Purposes lists those of codes that are sent on a channel.
func Purposes(channel messages.Channel) []Purpose {
	if channel == messages.Email {
		return []Purpose{Register, Login, ResetPassword, ChangeEmail}
	}
	return []Purpose{Register, Login, ResetPassword, ChangeMobile, UndoChange}
}

// ValidFor reports whether a code may be sent on the channel for the purpose.
func (p Purpose) ValidFor(channel messages.Channel) bool {
	return slices.Contains(Purposes(channel), p)
}

// Errors of issuing and checking; see also [LimitError].
var (
	ErrExpired  = errors.New("no code is pending, or it has expired")
	ErrWrong    = errors.New("wrong code")
	ErrAttempts = errors.New("too many wrong codes")
	ErrQueue    = errors.New("code could not be enqueued")
	ErrNotFound = errors.New("unknown code id")

	// ErrResent means that the code's message is not sent again: it was already, or it has arrived. The person needs another code.
	ErrResent = errors.New("the code is not sent again")

	// ErrMoved is returned by a store alone: another request has issued a code meanwhile.
	ErrMoved = errors.New("another code was issued meanwhile")

	// ErrUsed wraps ErrExpired and is returned only for the right digits: a form that was sent twice must learn that its
	// first request has used the code.
	ErrUsed = fmt.Errorf("%w: it was used", ErrExpired)
)

// LimitError says which limit has refused, and when to try again.
type LimitError struct {
	Name       string // the limit's name, "sms_resend" for the pause between two codes
	RetryAfter time.Duration
}

// Error names the limit.
func (e *LimitError) Error() string { return "limit " + e.Name + " reached" }

// Codes keeps issued codes. Every method is one round trip and atomic.
type Codes interface {
	// Enqueues reports whether Issue can enqueue the code's message, too.
	Enqueues() bool

	// Issue stores a new code beside others of its recipient and purpose, and ends the one that it replaces, unless a limit of
	// the recipient refuses: then it returns a *LimitError and changes nothing. It also changes nothing and returns ErrMoved when the
	// code is to be the only one, and replaces another than the newest. If the issue has a Message, it is enqueued in the same step.
	Issue(ctx context.Context, issue Issue) error

	// Newest returns the id of the last code that was issued as the only one of its recipient and purpose, or "".
	Newest(ctx context.Context, subject string, purpose Purpose) (id string, err error)

	// Cancel ends a code, unless it was used or is over. Its message is not sent, unless a worker has claimed it before.
	Cancel(ctx context.Context, id string) error

	// Void takes back a code that could not be enqueued, with the units that it spent on its channel. The code that it
	// replaced, if any, counts again.
	Void(ctx context.Context, channel messages.Channel, id, replaced string) error

	// Try counts a guess at the code with this id and returns what to compare the guess with. It returns ErrExpired for an
	// id that is unknown, of another purpose, superseded or over, and ErrAttempts when the code has no guess left. A guess
	// after the code's first also counts for all codes together, and is ErrAttempts when there were too many of these; the
	// first guess is always compared.
	Try(ctx context.Context, id string, purpose Purpose) (Pending, error)

	// Confirm notes that the code was entered correctly, and refunds what the guess counted for all codes together. Later
	// guesses at this code do not count for all.
	Confirm(ctx context.Context, id string, pending Pending) error

	// Use marks a code as used: of parallel calls one returns nil, the others ErrUsed. A use is not the first when the code
	// was restored after an earlier one.
	Use(ctx context.Context, id string) (first bool, err error)

	// Restore makes a used code usable again until its end, for a request that failed after Use.
	Restore(ctx context.Context, id string) error

	// Status returns the status of a code, or ErrNotFound.
	Status(ctx context.Context, id string) (Status, error)

	// Resendable returns what a resend of the code needs, or ErrNotFound.
	Resendable(ctx context.Context, id string) (Resendable, error)

	// Resend makes the message of a code claimable again, within the limits of the number. It returns ErrExpired for a code that
	// cannot be entered for [LeastLife] any more, ErrResent after [MaxResends] and for a message that has arrived, and a *LimitError
	// while the message is on its way to a provider, during the pause, and when a limit of the number refuses. Then it changes
	// nothing. The result is how often the code was resent, from 1.
	Resend(ctx context.Context, resend Resend) (resends int, err error)

	// VoidResend takes back the resend of this name, whose message could not be enqueued, with the units that it spent. A resend that a
	// worker has claimed stays as it is.
	VoidResend(ctx context.Context, id, name string) error
}

// Standing says how much of a recipient's limits the requester of a code may use. The zero value is [Stranger].
type Standing int

// The standings. A share of the limits is reserved for each better one.
const (
	Stranger Standing = iota // from a network that the recipient's account was not signed in from
	Payer                    // from such a network, with a captcha of the high price
	Known                    // from a network that the account was signed in from lately
)

// Issue is a new code as it is stored: nothing in it reveals the code or the recipient.
type Issue struct {
	ID          string // see NewID: contains the subject, so that all keys of a recipient share a cluster slot
	Subject     string // keyed hash of the recipient
	Channel     messages.Channel
	Purpose     Purpose
	To          string // masked, for the history
	Sealed      string // the number, for a resend; empty for a code by mail
	RequestID   string
	KeyID       string // key that derives the code
	MAC         string // to compare an entered code with
	IssuedAt    time.Time
	ExpiresAt   time.Time
	Replaces    string        // id of an earlier code of the recipient; empty for none
	Sole        bool          // whether no other code of the recipient and purpose may be entered
	Details     string        // sealed recipient and nonce of an app's code; empty for a code of ours
	Standing    Standing      // of the requester
	ResendAfter time.Duration // pause until the next code for the same recipient, whatever the purpose
	MaxAttempts int           // guesses per code
	Message     *Queued       // to be enqueued with the code, see [Codes]; nil leaves that to the caller
}

// Pending is a code that waits to be entered, after a guess was counted.
type Pending struct {
	KeyID        string
	MAC          string
	AttemptsLeft int
	Used         bool // it cannot be used again

	// CountedForAll says that the guess counts for all codes together, see Codes.Confirm.
	CountedForAll bool
}

// Status is what the waiting person may know about a code.
type Status struct {
	State       messages.State
	Purpose     Purpose
	Used        bool
	ExpiresAt   time.Time
	ResendAfter time.Duration // from now; 0 when a new code may be requested
	Resendable  bool          // whether [Service.Resend] may send it again after ResendAfter, if the limits allow it

	// What only the app of a code may know, see [Service.Verification]. A time is zero when that has not happened.
	IssuedAt, SentAt, DeliveredAt, UsedAt time.Time
	AttemptsLeft                          int
	Channel                               messages.Channel
	To                                    string // masked
	Details                               string // as in Issue

	Claimed bool // a worker is sending it; the state stays queued for its person
}

// Uses stores which codes were used, outside the store of codes: a code stays used when a Redis is restored from a backup or
// replaced by a replica that was behind.
type Uses interface {
	// Use stores the use of a code until a time at which the code has expired anyway. Of parallel calls one returns true.
	Use(ctx context.Context, id string, until time.Time) (first bool, err error)

	// Forget removes the use, for a code that is restored.
	Forget(ctx context.Context, id string) error
}

// Queue passes issued codes to the workers.
type Queue interface {
	// EnqueueCode enqueues the code's task on the queue of its channel. After an error the task is not on the queue, or that
	// is unknown; the code is then taken back.
	EnqueueCode(ctx context.Context, code Queued) error
}

// Queued is the part of an issued code that its task needs.
type Queued struct {
	ID        string
	KeyID     string
	Purpose   Purpose
	To        Recipient
	Length    int // characters of the code
	Alphabet  secrets.Alphabet
	ExpiresAt time.Time
	RequestID string
	Language  string // of the person: zh or en; empty means zh
	Resends   int    // how often the person has asked to have it sent again
	AppName   string // of the app whose code it is; empty for a code of ours
}

// Derivation identifies the code, so that a worker derives the digits that the service has stored a MAC of.
func (q Queued) Derivation() secrets.Derivation {
	return secrets.Derivation{
		KeyID: q.KeyID, ID: q.ID, To: derived(q.To), Purpose: string(q.Purpose), Length: q.Length, Alphabet: q.Alphabet,
	}
}
