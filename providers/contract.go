package providers

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"usher/contact"
	"usher/messages"
	"usher/reports"
)

// SMS is one verification code on its way to one number.
type SMS struct {
	ID         string         // our id of the message; providers repeat it in reports
	Attempt    int            // number of the claim, from 1
	To         contact.Mobile // exactly one number
	Purpose    string         // what the code is for, one of [Purposes]; empty selects the default template
	Code       string         // digits, or capital letters and digits; goes into the provider's template
	TTL        time.Duration  // how long the code is still valid, for templates that say so in minutes
	Language   string         // of the person: zh or en; empty means zh
	Product    string         // the team's name for its product in that language; empty: the team has set none
	Unresolved *Unresolved    // for the router: nil unless an earlier attempt may have sent the message
	Avoid      string         // for the router: the provider that has sent it before, when the person asks for another way
}

// Receipt says that a provider accepted a message. It does not say that the person got it.
type Receipt struct {
	Provider string
	ID       string // the provider's id, such as Aliyun's BizId; empty where the provider returns none
}

// SMSSender sends verification codes through one vendor.
type SMSSender interface {
	// Name is the provider's name in settings, logs and metrics.
	Name() string

	// SendSMS asks the vendor to send and returns once the vendor has answered or ctx has ended. A nil error means
	// accepted. Every error is an [*Error], whose text holds neither the number nor the code nor a key. It makes at
	// most one request, never repeats it and follows no redirect. It is safe for concurrent use.
	SendSMS(ctx context.Context, sms SMS) (Receipt, error)
}

// Email is one rendered mail on its way to one address.
type Email struct {
	MessageID string // without angle brackets; the same for every attempt, so that mail readers drop a double
	To        contact.Email
	FromName  string // beside the sender's address; empty: that of the settings
	Subject   string
	Text      string
	HTML      string
}

// EmailSender sends mails through one vendor.
type EmailSender interface {
	// Name is the provider's name in settings, logs and metrics.
	Name() string

	// SendEmail delivers the mail to the vendor under the promises of [SMSSender.SendSMS].
	SendEmail(ctx context.Context, email Email) (Receipt, error)

	// Close ends the open connections. No call may follow.
	Close() error
}

// Unresolved is what is known of earlier attempts whose outcome is unknown: they may have sent the message.
type Unresolved struct {
	Provider string    // which provider was asked; empty when the worker died before it could record one
	At       time.Time // when the first of them began or was given up
}

// Query asks for the outcome of a message.
type Query struct {
	ID     string         // the message's, as in [SMS]
	To     contact.Mobile // its receiver
	SentAt time.Time      // when it may have been sent; vendors file messages by day
}

// QueryResult is what a vendor knows of a message.
type QueryResult struct {
	// State is Sent when the vendor has accepted the message, Delivered or Undelivered when it knows more, and empty when
	// it knows no such message, which soon after the send proves nothing.
	State messages.State

	// Refusal is why a message is Undelivered, and nil otherwise.
	Refusal *Error
}

// Querier is an [SMSSender] whose vendor can be asked for the outcome of a message.
type Querier interface {
	// QuerySMS returns what the vendor knows of one message. It sends nothing and keeps the promises of
	// [SMSSender.SendSMS] about errors. An error means that nothing was learnt.
	QuerySMS(ctx context.Context, query Query) (QueryResult, error)
}

// Resolver is an [SMSSender] of several vendors that can find the outcome of a message that must not be sent again.
type Resolver interface {
	// ResolveSMS asks once each provider that may have the message, and sends nothing. The message needs an Unresolved. It
	// returns a receipt when a vendor has accepted the message, that vendor's refusal when it will not arrive,
	// [ErrUnsent] when it was certainly not sent, and else an [Error] of kind Unknown: no vendor knows it, or none can be
	// asked.
	ResolveSMS(ctx context.Context, sms SMS) (Receipt, error)
}

// Puller is an [SMSSender] whose vendor returns delivery reports on request.
type Puller interface {
	// Name is the provider's name in settings, logs and metrics.
	Name() string

	// Pull asks once for a bounded number of reports that were not returned before. More says that there are others. The
	// vendor may return a report only once, so the caller must store the batch before anything else. The error is an
	// [*Error].
	Pull(ctx context.Context) (reports.Batch, error)
}

// Referencer is an [SMSSender] whose vendor's reports do not name our ids. They name references instead: ours, or the vendor's
// own.
type Referencer interface {
	// OnReference makes every send call remember with the reference of its message: before the request leaves when the
	// reference is ours, and as soon as the vendor has told it when it is the vendor's. It may be called before the first send
	// only.
	OnReference(remember func(ctx context.Context, reference, id string))
}

// CredentialChecker is a sender that can check its credentials without sending anything.
type CredentialChecker interface {
	// CheckCredentials makes a request that the vendor answers only when it is signed correctly. It sends no message and
	// removes no report. A nil error proves the credentials. Any other is an [*Error] as of a send, around [ErrPermission]
	// when the credentials are right and lack a permission.
	CheckCredentials(ctx context.Context) error
}

// ErrPermission is the cause of an error about right credentials that lack a permission.
var ErrPermission = errors.New("the credentials are right and lack a permission")

// Prober is an [SMSSender] that can find out without a message whether the vendor accepts messages.
type Prober interface {
	// Probe makes the request of a send with a message to no number, which the vendor must refuse for that reason. A nil
	// error is that refusal. Any other is an [*Error] as of a send.
	Probe(ctx context.Context) error
}

// Wrapper is a sender around another one. What the inner sender can do beyond sending is found through Unwrap.
type Wrapper interface{ Unwrap() SMSSender }

// capability returns the sender, or one that it wraps, as a T.
func capability[T any](sender SMSSender) (able T, ok bool) {
	for {
		if able, ok = sender.(T); ok {
			return able, true
		}
		wrapper, wraps := sender.(Wrapper)
		if !wraps {
			return able, false
		}
		sender = wrapper.Unwrap()
	}
}

// Purposes are the values of [SMS].Purpose for which a vendor can have a template, in the order of the documents.
func Purposes() []string {
	return []string{"register", "login", "reset_password", "change_mobile", "undo_change"}
}

// Templates are a vendor's approved texts by purpose. They do not change once they are made.
type Templates struct {
	Default   string            // for every purpose without its own template, and for the canary
	ByPurpose map[string]string // an empty value counts as none
}

// For returns the template of a purpose.
func (t Templates) For(purpose string) string { return cmp.Or(t.ByPurpose[purpose], t.Default) }

// Missing lists the purposes whose codes go out in the default template, whose text cannot say what they are for. There are none
// at a vendor without templates, which is told the purpose itself.
func (t Templates) Missing() []string {
	if t.Default == "" {
		return nil
	}
	return slices.DeleteFunc(Purposes(), func(purpose string) bool { return t.ByPurpose[purpose] != "" })
}

// Templated is a sender that has templates.
type Templated interface {
	// Templates returns those of the settings.
	Templates() Templates
}

// ErrTemplate is the cause of an error that names templates which the vendor does not send.
var ErrTemplate = errors.New("not approved")

// TemplateChecker is a sender that can ask its vendor whether the templates of the settings are approved.
type TemplateChecker interface {
	// CheckTemplates asks about each template and sends nothing. The error is an [*Error] as of a send, around
	// [ErrTemplate] when a template is not approved, or around [ErrPermission] when the credentials may not ask.
	CheckTemplates(ctx context.Context) error
}

// SignState is what a vendor says of one sign name (短信签名): of its audit, or of its filing with one carrier.
type SignState struct {
	Sign    string // the sign name, without brackets
	Carrier string // the carrier's name; empty: the vendor's own audit
	State   string // what the sign name is, such as "is approved"
	Help    string // what to do about it; empty when all is well
	Blocks  bool   // no message arrives while it is so: at this carrier, or at all of them
}

// SignChecker is a sender that can ask its vendor for the state of its sign names.
type SignChecker interface {
	// CheckSigns asks about the sign names of the settings and sends nothing. The error is an [*Error] as of a send, around
	// [ErrPermission] when the credentials may not ask.
	CheckSigns(ctx context.Context) ([]SignState, error)
}

// ReportAwaiter is an [SMSSender] whose vendor tells the outcome of a message by its delivery report alone: it can neither be
// asked for one nor does it recognize a repeated message. A message whose answer was lost is not sent again: it waits for the
// report until the code ends.
type ReportAwaiter interface {
	// AwaitsReport marks the sender and does nothing.
	AwaitsReport()
}

// Bounds is how much may be asked of a provider by all workers together. The zero value sets no bound.
type Bounds struct {
	PerSecond  int // messages in any second; 0 for no bound
	Concurrent int // requests at the same time; 0 for no bound
}

// Bounded is an [SMSSender] whose settings bound what may be asked of it.
type Bounded interface {
	Bounds() Bounds
}

// Regional is an [SMSSender] that serves some regions only. To others it sends nothing, see [NotServed]. A sender without this
// method serves all.
type Regional interface {
	// Serves reports whether the sender sends to numbers of a region, an ISO 3166 code.
	Serves(region string) bool
}

// Pausing is an [SMSSender] whose vendor refuses a second message to a number for a while.
type Pausing interface {
	Pause() time.Duration
}

// DigitsOnly is an [SMSSender] whose vendor has no templates for codes with letters. It refuses such a code before it asks the vendor.
type DigitsOnly interface {
	// DigitsOnly marks the sender and does nothing.
	DigitsOnly()
}

// ProductNamer is an [SMSSender] whose templates may have a variable for the product's name.
type ProductNamer interface {
	// NamesProduct reports whether they have one: every message then needs a Product.
	NamesProduct() bool
}

// ErrLetters is the cause of an error about a code with letters, of a [DigitsOnly] sender.
var ErrLetters = errors.New("its templates take codes of digits only: set USHER_SMS_CODE_ALPHABET=digits")

// Slot is the right to make one request to a provider. It asks for a place within the provider's bounds.
type Slot struct {
	Provider string
	Name     string // unique to the request
	Bounds   Bounds
	Until    time.Time // when the slot is freed although it was not released, because the worker has died
}

// Slots keeps the requests of all workers within the bounds of their providers. Implementations are safe for
// concurrent use.
type Slots interface {
	// Acquire takes a slot and counts the message, as far as the slot's bounds ask for it: both or neither. When a
	// bound is reached it returns which one, [RateSpent] or [Busy], and how long until a message may pass again, 0 when
	// that cannot be known. An empty decision lets the request pass. Acquiring a slot again succeeds: the request
	// already has it.
	Acquire(ctx context.Context, slot Slot) (refused Decision, wait time.Duration, err error)

	// Release frees the slot. Releasing a slot that was not acquired has no effect.
	Release(ctx context.Context, slot Slot) error
}
