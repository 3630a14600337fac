// Package accounts registers people, activates them by email and signs them in.
package accounts

import (
	"errors"
	"time"

	"usher/contact"
)

// Account is a person who signed up.
type Account struct {
	ID           string // UUID
	Username     string // as typed, in NFKC
	Mobile       contact.Mobile
	Email        contact.Email // proved, and of no other account
	PasswordHash string        // argon2id in its usual text form; Django's until the next sign-in; empty: none
	Active       bool          // may sign in: number proved, or address activated
	Superuser    bool

	// PendingEmail waits for its proof, beside Email or without it; any number of accounts may wait with the
	// same address. PendingEmailAt is when the proof was last asked for; zero: it does not run out.
	PendingEmail   contact.Email
	PendingEmailAt time.Time

	// ActivationGeneration counts the activation links issued; only the newest one works.
	ActivationGeneration int
	// SessionGeneration counts password changes; a session of an older one is over.
	SessionGeneration int

	// MobileChangedAt and EmailChangedAt say when a change has brought the proved number and address; zero: they came
	// with the account, or there is none. A first address that a change asks for counts from then.
	MobileChangedAt time.Time
	EmailChangedAt  time.Time

	// PendingMobile is a number that this account claims since PendingMobileAt while another one still has it, see
	// [Claims]. It is of no other account that claims.
	PendingMobile   contact.Mobile
	PendingMobileAt time.Time

	// SeenAt is when the account was last used, to a day; zero: not since this is noted.
	SeenAt time.Time

	CreatedAt time.Time
	UpdatedAt time.Time
}

// Waiting reports whether the account has nothing but an address that has yet to be proved. The
// person who proves the address owns the account.
func (a Account) Waiting() bool {
	return !a.Active && a.Mobile.IsZero() && a.Email.IsZero() && !a.PendingEmail.IsZero()
}

// MailPurpose says what a mail is about.
type MailPurpose string

// The mails. The empty purpose means MailActivation.
const (
	MailActivation      MailPurpose = "activation"       // proves an address; carries a link
	MailPasswordChanged MailPurpose = "password_changed" // tells the owner, to the address proved by then
	MailMobileChanged   MailPurpose = "mobile_changed"   // likewise
	MailEmailAsked      MailPurpose = "email_asked"      // tells the proved address that another one waits for its proof
	MailEmailChanged    MailPurpose = "email_changed"    // tells the addresses before and after the change
	MailChangeUndone    MailPurpose = "change_undone"    // tells both likewise
	MailNumberClaimed   MailPurpose = "number_claimed"   // tells an account that was not seen for long
	MailClaimEnded      MailPurpose = "claim_ended"      // tells the account that claimed a number
)

// Mail is a mail of an account as the outbox keeps it: written in one transaction with the change that
// makes it necessary.
type Mail struct {
	ID        string // UUID; also names the task on the queue
	Purpose   MailPurpose
	Language  string        // zh or en; empty means zh
	To        contact.Email // the address it must go to; zero means the account's at the claim
	KeyID     string        // key that signs the link, so that every attempt carries the same one
	NotAfter  time.Time     // end of the link: the mail is worthless past it
	CreatedAt time.Time
	Network   string    // from which it was asked for; empty: not known
	Facts     MailFacts // what a notice tells of
	RequestID string
}

// MailFacts is what a notice tells of. Numbers and addresses are masked.
type MailFacts struct {
	Former  string `json:"former,omitempty"`  // before the change
	Present string `json:"present,omitempty"` // after it
	Change  string `json:"change,omitempty"`  // id of the change that the mail's link undoes; empty: there is no link
}

// Errors of this package. [ExistsError] and [FieldErrors] say which field.
var (
	ErrNotFound    = errors.New("no such account")
	ErrCredentials = errors.New("wrong login or password")
	ErrNotActive   = errors.New("account is not activated")
	ErrRegistered  = errors.New("an earlier request with this code has registered the number")
	ErrLinkExpired = errors.New("activation link has expired")
	ErrLinkInvalid = errors.New("activation link is not valid")
)

// Field names a part of a registration, as in the HTTP contract.
type Field string

// The fields that can be refused.
const (
	FieldUsername       Field = "username"
	FieldPassword       Field = "password"
	FieldPasswordRepeat Field = "password_repeat"
	FieldAgree          Field = "agree"
	FieldMobile         Field = "mobile"
	FieldSMSCode        Field = "sms_code"
	FieldSMSCodeID      Field = "sms_code_id" // as the answer to the request for the code named it
	FieldEmail          Field = "email"
)

// ExistsError says that another account has this user name, number or address.
type ExistsError struct{ Field Field }

// Error names the field, not its value.
func (e *ExistsError) Error() string { return string(e.Field) + " is taken" }

// Problem says what is wrong with a field; the api turns it into a sentence.
type Problem string

// The problems.
const (
	Missing      Problem = "missing"
	Malformed    Problem = "malformed"
	TooShort     Problem = "too_short"
	TooLong      Problem = "too_long"
	TooCommon    Problem = "too_common"
	Different    Problem = "different" // the repeated password
	NotAllowed   Problem = "not_allowed"
	MustBeAgreed Problem = "must_be_agreed"
	MixedScripts Problem = "mixed_scripts" // letters or digits of scripts that are not written together
)

// FieldErrors lists what is wrong with a request, by field. It is never returned empty.
type FieldErrors map[Field]Problem

// Error says how many fields are wrong; the map says which.
func (e FieldErrors) Error() string { return "invalid fields" }
