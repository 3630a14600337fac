package providers

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"time"

	"usher/reasons"
)

// Kind is what a worker decides by after a send that was not accepted.
type Kind int

// The kinds of refusal.
const (
	// Unknown may have been sent: the answer was lost or not understood. It is the zero value, so that a message with an
	// unclassified error is never sent again without a query.
	Unknown Kind = iota
	// Temporary was certainly not sent, and the same request may succeed later.
	Temporary
	// RateLimited is the vendor's limit for this number. Sending through another vendor would evade that limit.
	RateLimited
	// Rejected can never be sent: this number or this content.
	Rejected
	// Misconfigured is a fault of the account: key, permission, balance, sign name, template.
	Misconfigured
)

// String returns the kind's name in logs and metrics. A kind of a later release counts as unknown.
func (k Kind) String() string {
	switch k {
	case Temporary:
		return "temporary"
	case RateLimited:
		return "rate_limited"
	case Rejected:
		return "rejected"
	case Misconfigured:
		return "misconfigured"
	default:
		return "unknown"
	}
}

// Error is a send that a provider did not accept. Its text is safe to log: it is made of our own
// words and the vendor's code, never of the vendor's text, which may quote number and content.
type Error struct {
	Provider string
	Kind     Kind
	Code     string       // the vendor's code, bounded and free of personal data; empty when there was none
	Why      reasons.Word // our own word for it; empty where [Error.Reason] finds one

	// RetryAfter is how long the vendor wants no requests, with the kind Temporary only. 0 means that it did not say.
	RetryAfter time.Duration

	// NoMailbox says that a mail server has refused the address because there is surely no such mailbox.
	NoMailbox bool
	Err       error // our own cause, such as context.DeadlineExceeded; its text must be safe too
}

// Error returns a text such as "aliyun: rejected: isv.MOBILE_NUMBER_ILLEGAL".
func (e *Error) Error() string {
	text := fmt.Sprintf("%s: %s", e.Provider, e.Kind)
	if e.Code != "" {
		text += ": " + e.Code
	}
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Reason returns our word for why the message was not accepted: Why, the word of the cause, or that of the kind. It is never
// empty.
func (e *Error) Reason() reasons.Word {
	if e.Why != "" {
		return e.Why
	}
	if reason, own := reasons.Of(e.Code); own {
		return reason.Word
	}
	if cause, ok := errors.AsType[*reasons.Cause](e.Err); ok && e.Code == "" {
		return cause.Word
	}
	switch {
	case errors.Is(e.Err, context.DeadlineExceeded):
		return reasons.Timeout
	case errors.Is(e.Err, context.Canceled):
		return reasons.Stopping
	}
	return reasons.Word(e.Kind.String())
}

// ReasonOf returns the reason of a provider's error, and [reasons.Unclassified] for every other error.
func ReasonOf(err error) reasons.Word {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Reason()
	}
	return reasons.Unclassified
}

// KindOf returns the kind of a provider's error, and Unknown for every other error.
func KindOf(err error) Kind {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	return Unknown
}

var errPanicked = errors.New("panicked; the log has the stack")

// Guard calls a sender, or code that leads to one, and turns a panic into an [Error] of kind Unknown: the request may have
// left. Neither log nor error quotes the panic's value, which may hold a number or a code. Only a panic needs the logger.
func Guard(logger func() *slog.Logger, provider string, call func() (Receipt, error)) (receipt Receipt, err error) {
	defer func() {
		if recover() != nil {
			logger().Error("sender panicked", "provider", provider, "stack", Stack())
			receipt, err = Receipt{}, &Error{Provider: provider, Kind: Unknown, Code: "own_panic", Err: errPanicked}
		}
	}()
	return call()
}

// maxFrames bounds a stack in the log.
const maxFrames = 32

// Stack names the running functions, the innermost first. It leaves out their arguments, which may hold a number or a code.
func Stack() string {
	counters := make([]uintptr, maxFrames)
	frames := runtime.CallersFrames(counters[:runtime.Callers(2, counters)])
	var text strings.Builder
	for {
		frame, more := frames.Next()
		fmt.Fprintf(&text, "%s %s:%d\n", frame.Function, frame.File, frame.Line)
		if !more {
			return text.String()
		}
	}
}
