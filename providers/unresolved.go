package providers

import (
	"context"
	"errors"
	"time"

	"usher/messages"
)

const (
	// settling is how long after a lost answer the provider may not know the message yet: until then it is not sent again.
	// A message of a dead worker needs no such wait, because the claim runs out later than that.
	settling = 15 * time.Second

	// queryTimeout bounds one query, so that there is time left to act on its answer.
	queryTimeout = 3 * time.Second
)

// ErrUnsent is what [Resolver] returns of a message whose workers all died before they recorded a provider, when the
// provider that would have been asked first does not know it: they died before the call.
var ErrUnsent = errors.New("the workers that had it died before they sent it")

var (
	errSettling = errors.New("the provider may not know it yet")
	errAwaiting = errors.New("its vendor tells the outcome by a delivery report alone")
	errGivenUp  = errors.New("it may have been sent twice, and no provider knows it")
)

// resolve asks for the outcome of an earlier attempt and sends again only when no provider knows the message. A worker that
// died has not recorded a provider. Then any of them may have the message.
func (a *attempt) resolve(ctx context.Context, routes []*route) (Receipt, error) {
	suspects, recorded := a.suspects(routes)
	if _, awaits := capability[ReportAwaiter](suspects[0].sender); awaits && recorded {
		a.choose(suspects[0], Awaiting)
		return Receipt{}, &Error{Provider: a.provider, Kind: Temporary, Code: "own_settling", Err: errAwaiting}
	}
	found := a.ask(ctx, suspects)
	if found.known {
		return found.receipt, found.err
	}
	if !recorded {
		return a.walk(ctx, suspects, Resend)
	}
	if found.asked && time.Since(a.sms.Unresolved.At) < settling {
		return Receipt{}, &Error{
			Provider: suspects[0].sender.Name(), Kind: Temporary, Code: "own_settling", Err: errSettling,
		}
	}
	return a.walk(ctx, a.resendOrder(routes, suspects[0], found.asked), Resend)
}

// resendOrder is the order in which the second and last send of a message (see [messages.MaxSends]) is tried. The provider that may have the first one
// does not know it or does not answer. Another provider goes first, because what lost the first message may lose the second
// too. Only a provider that has no query and has answered all its last requests goes first itself: it may recognize the
// message.
func (a *attempt) resendOrder(routes []*route, suspect *route, asked bool) []*route {
	var others []*route
	for _, rt := range a.answeringFirst(a.ranked(routes)) {
		if rt != suspect {
			others = append(others, rt)
		}
	}
	if !asked && suspect.well() {
		return append([]*route{suspect}, others...)
	}
	return append(others, suspect)
}

// giveUp ends a message that was sent again and is unresolved again: it asks once more and does not send. That happens after
// the second claim has run out, so that the provider has had time to file the message.
func (a *attempt) giveUp(ctx context.Context, routes []*route) (Receipt, error) {
	suspects, recorded := a.suspects(routes)
	found := a.ask(ctx, suspects)
	if found.known {
		return found.receipt, found.err
	}
	if !recorded && found.denied {
		return Receipt{}, &Error{Provider: a.router.Name(), Kind: Temporary, Code: "own_unsent", Err: ErrUnsent}
	}
	a.provider, a.decision = a.router.Name(), GivenUp
	if recorded {
		a.provider = suspects[0].sender.Name()
	}
	a.router.count(a.provider, GivenUp)
	return Receipt{}, GivenUpError(a.provider)
}

// GivenUpError ends a message that may have been sent as often as [messages.MaxSends] allows and whose outcome no provider
// can tell.
func GivenUpError(provider string) *Error {
	return &Error{Provider: provider, Kind: Unknown, Code: "own_given_up", Err: errGivenUp}
}

// suspects returns the providers that may have the message: the one that was recorded, which may be outside the present order of
// the region, or else all of that order.
func (a *attempt) suspects(routes []*route) (_ []*route, recorded bool) {
	if rt := named(a.router.open(), a.sms.Unresolved.Provider); rt != nil {
		return []*route{rt}, true
	}
	return a.ranked(routes), false
}

// finding is the result of asking.
type finding struct {
	asked   bool // at least one provider was asked
	known   bool // the outcome of the message is known: receipt and err are it
	denied  bool // the first suspect says that it does not know the message
	receipt Receipt
	err     error
}

// ask asks the suspects that can be asked until one of them knows the message.
func (a *attempt) ask(ctx context.Context, suspects []*route) (found finding) {
	for i, rt := range suspects {
		querier, ok := rt.sender.(Querier)
		if !ok {
			continue
		}
		found.asked = true
		result, err := a.query(ctx, querier)
		switch {
		case err != nil:
			a.pass(rt, AskError, codeOf(err))
		case result.State == "":
			found.denied = found.denied || i == 0
			a.pass(rt, NotFound, "")
		case result.Refusal != nil:
			a.choose(rt, Asked)
			found.known, found.err = true, result.Refusal
			return found
		default:
			a.choose(rt, Asked)
			found.known, found.receipt = true, Receipt{Provider: rt.sender.Name()}
			return found
		}
	}
	return found
}

func (a *attempt) query(ctx context.Context, querier Querier) (QueryResult, error) {
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	result, err := querier.QuerySMS(ctx, Query{ID: a.sms.ID, To: a.sms.To, SentAt: a.sms.Unresolved.At})
	if err == nil && result.State == messages.Undelivered && result.Refusal == nil {
		err = errors.New("undelivered without a reason")
	}
	return result, err
}
