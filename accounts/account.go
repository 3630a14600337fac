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
	Username     string // as typed, in NFKC; empty: none
	Mobile       contact.Mobile
	Email        contact.Email // proved, and of no other account
	PasswordHash string        // argon2id in its usual text form; Django's until the next sign-in; empty: no password
	Active       bool          // may sign in: number proved, or address activated
	Superuser    bool

	// PendingEmail waits for its proof, with or without an Email; any number of accounts may have the same one.
	// PendingEmailAt is when the proof was last asked for; zero: the account does not expire.
	PendingEmail   contact.Email
	PendingEmailAt time.Time

	// ActivationGeneration counts the addresses whose proof was asked for; a mail about an older one is not sent. Until
	// links of several mails were valid at once, it counted the mails.
	ActivationGeneration int
	// SessionGeneration counts password changes; a session of an older one has ended.
	SessionGeneration int

	// MobileChangedAt and EmailChangedAt say when a change has brought the proved number and address; zero: they came
	// with the account, or there is none. For a first address it is the time of the request to add it.
	MobileChangedAt time.Time
	EmailChangedAt  time.Time

	// PendingMobile is a number that this account claims since PendingMobileAt while another one still has it, see
	// [ClaimWindow]. Only one account can claim a number.
	PendingMobile   contact.Mobile
	PendingMobileAt time.Time

	// SeenAt is when the account was last used, to a day; zero: not since the column exists.
	SeenAt time.Time

	// AgreedAt is when the person agreed to the terms, AgreedTerms their version then ([Policy].TermsVersion); zero and
	// empty where they are not known.
	AgreedAt    time.Time
	AgreedTerms string

	// AgreedPrivacy is the version of the privacy notice that the person agreed to last; empty: none, or it was withdrawn.
	AgreedPrivacy string

	// AgreedBy is the request with which the person of a new account has agreed; it is not read back.
	AgreedBy Origin

	BlockedAt time.Time // see [Service.Block]; zero: not blocked

	// DeleteAt is when the account is erased, as its owner has requested; zero: it is not. A sign-in takes it back and returns
	// the account with this time, so that the person can be told.
	DeleteAt time.Time

	CreatedAt time.Time
	UpdatedAt time.Time
}

// Blocked reports whether an operator has blocked the account.
func (a Account) Blocked() bool { return !a.BlockedAt.IsZero() }

// HasPassword reports whether the account has a password.
func (a Account) HasPassword() bool { return a.PasswordHash != "" }

// Waiting reports whether the account has nothing but a pending address. The person who proves the address owns the
// account.
func (a Account) Waiting() bool {
	return !a.Active && a.Mobile.IsZero() && a.Email.IsZero() && !a.PendingEmail.IsZero()
}

// Errors of this package. [ExistsError] and [FieldErrors] say which field.
var (
	ErrNotFound    = errors.New("no such account")
	ErrCredentials = errors.New("wrong login or password")
	ErrNotActive   = errors.New("account is not activated")
	ErrBlocked     = errors.New("account is blocked")
	ErrLinkExpired = errors.New("activation link has expired")
	ErrLinkInvalid = errors.New("activation link is not valid")
)

// Field names a field of a request, as in the HTTP contract.
type Field string

// The fields that can be refused.
const (
	FieldUsername       Field = "username"
	FieldPassword       Field = "password"
	FieldPasswordRepeat Field = "password_repeat"
	FieldAgree          Field = "agree"
	FieldMobile         Field = "mobile"
	FieldSMSCode        Field = "sms_code"
	FieldSMSCodeID      Field = "sms_code_id" // from the answer to the request for the code
	FieldEmail          Field = "email"
	FieldEmailCode      Field = "email_code"
	FieldEmailCodeID    Field = "email_code_id"    // from the answer to the request for the code
	FieldEmailCodeToken Field = "email_code_token" // from the link in the mail with the code
)

// ExistsError says that another account has this user name, number or address.
type ExistsError struct{ Field Field }

// Error names the field, not its value.
func (e *ExistsError) Error() string { return string(e.Field) + " is taken" }

// RegisteredError says that an earlier request with the same code has registered this number or address.
type RegisteredError struct{ Field Field }

// Error names the field, not its value.
func (e *RegisteredError) Error() string {
	return "an earlier request with this code has registered the " + string(e.Field)
}

// Problem says what is wrong with a field; package api turns it into a sentence.
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
	NotServed    Problem = "not_served"    // a number of another region
	NoMailbox    Problem = "no_mailbox"    // a mail server said that the address does not exist
	NoMobile     Problem = "no_mobile"     // Malformed, where numbers of other regions than the mainland are served
)

// MobileProblem returns the problem of a number that the regions have refused with the error.
func MobileProblem(regions contact.Regions, err error) Problem {
	switch {
	case errors.Is(err, contact.ErrRegion):
		return NotServed
	case regions.MainlandOnly():
		return Malformed
	default:
		return NoMobile
	}
}

// FieldErrors lists the mistakes of a request by field. It is never returned empty.
type FieldErrors map[Field]Problem

// Error names no field; the map does.
func (e FieldErrors) Error() string { return "invalid fields" }

// require refuses an empty text.
func (e FieldErrors) require(field Field, text string) {
	if text == "" {
		e[field] = Missing
	}
}
