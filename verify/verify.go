package verify

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"usher/contact"
	"usher/messages"
)

// Purpose is what a code is good for. A code issued for one never passes for another.
type Purpose string

// The purposes.
const (
	Register      Purpose = "register"
	Login         Purpose = "login"
	ResetPassword Purpose = "reset_password"
	ChangeMobile  Purpose = "change_mobile" // sent to the number that is to be the next one
	UndoChange    Purpose = "undo_change"   // sent to the number that an account had before a change
)

// Purposes lists all of them.
func Purposes() []Purpose { return []Purpose{Register, Login, ResetPassword, ChangeMobile, UndoChange} }

// Valid reports whether the purpose is one of the known ones.
func (p Purpose) Valid() bool { return slices.Contains(Purposes(), p) }

// Errors of issuing and checking. [LimitError] is the one that carries a time.
var (
	ErrExpired  = errors.New("no code is pending, or it has expired")
	ErrWrong    = errors.New("wrong code")
	ErrAttempts = errors.New("too many wrong codes")
	ErrQueue    = errors.New("code could not be queued")
	ErrNotFound = errors.New("unknown code id")

	// ErrUsed is an ErrExpired that only those hear who know the code: a second request with it has to learn that the
	// first one has been here.
	ErrUsed = fmt.Errorf("%w: it was used", ErrExpired)
)

// LimitError says that a limit refused and when to come back.
type LimitError struct {
	Name       string // the limit's name, "sms_resend" for the pause between two codes
	RetryAfter time.Duration
}

// Error names the limit.
func (e *LimitError) Error() string { return "limit " + e.Name + " reached" }

// Codes keeps issued codes. Every method is one round trip and atomic.
type Codes interface {
	// Issue files a new code beside others of its number and purpose, and ends the one that it replaces,
	// unless a limit of the number refuses: then it returns a *LimitError and nothing has changed.
	Issue(ctx context.Context, issue Issue) error

	// Void takes back an issue that could not be queued, together with what it spent of the limits. The code that it
	// replaced, if any, counts again.
	Void(ctx context.Context, id, replaced string) error

	// Try counts an attempt on the code that has this id and returns what to compare with. It returns
	// ErrExpired for an id that is unknown, of another purpose, superseded or over, and ErrAttempts
	// when the code's attempts are used up. An attempt after a code's first counts for all codes together
	// too, and is ErrAttempts where strangers have guessed too often: the first is always compared.
	Try(ctx context.Context, id string, purpose Purpose) (Pending, error)

	// Confirm notes that the code was entered rightly, and takes back what the attempt counted for all codes
	// together. Later attempts of the code do not count for all.
	Confirm(ctx context.Context, id string, pending Pending) error

	// Use marks a code as used, once: of parallel calls one gets nil, the others ErrUsed. It is not
	// the first use when the code was restored after an earlier one.
	Use(ctx context.Context, id string) (first bool, err error)

	// Restore makes a used code usable again until its old end, for a request that failed after Use.
	Restore(ctx context.Context, id string) error

	// Status returns what is known of a code, or ErrNotFound.
	Status(ctx context.Context, id string) (Status, error)
}

// Standing says how much of a number's allowance is open to the asker of a code. The zero value is the stranger's.
type Standing int

// The standings. Strangers cannot use up what is kept for the others.
const (
	Stranger Standing = iota // from a network that the number's account was not signed in from
	Payer                    // the same, with a captcha of the high price
	Known                    // from a network that the account was signed in from lately
)

// Issue is a new code as it is stored: nothing in it opens the code or the number.
type Issue struct {
	ID          string // see NewID: carries the subject, so that every key of a number shares a slot
	Subject     string // keyed hash of the number
	Purpose     Purpose
	To          string // masked number, for the history
	RequestID   string
	KeyID       string // key that derives the code
	MAC         string // to compare an entered code with
	IssuedAt    time.Time
	ExpiresAt   time.Time
	Replaces    string        // id of an earlier code of the number; empty for none
	Standing    Standing      // how much of the number's allowance is open to the asker
	ResendAfter time.Duration // pause until the next code for the same number, whatever the purpose
	MaxAttempts int           // guesses per code
}

// Pending is a code that waits to be entered, after one more attempt has been counted.
type Pending struct {
	KeyID        string
	MAC          string
	AttemptsLeft int
	Used         bool // it cannot be used again

	// CountedForAll says that the attempt counts for all codes together, see Confirm.
	CountedForAll bool
}

// Status is what the waiting person may know of a code.
type Status struct {
	State       messages.State
	Purpose     Purpose
	Used        bool
	ExpiresAt   time.Time
	ResendAfter time.Duration // from now; 0 when a new one may be asked for
}

// Uses keeps which codes were used, outside the store of codes: a code that a restored or promoted Redis brings back
// stays used.
type Uses interface {
	// Use notes the use of a code until a time at which it has expired anyway. Of parallel calls one gets true.
	Use(ctx context.Context, id string, until time.Time) (first bool, err error)

	// Forget takes the note back, for a code that is restored.
	Forget(ctx context.Context, id string) error
}

// Queue hands an issued code to the workers.
type Queue interface {
	// EnqueueSMSCode puts the code's task on the queue. An error means that the task is surely not
	// there, or that nobody can know; the code is taken back then.
	EnqueueSMSCode(ctx context.Context, code Queued) error
}

// Queued is what the queue is given of an issued code.
type Queued struct {
	ID        string
	KeyID     string
	Purpose   Purpose
	To        contact.Mobile
	Length    int // digits of the code
	ExpiresAt time.Time
	RequestID string
}
