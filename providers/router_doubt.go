package providers

import (
	"context"
	"errors"
	"time"

	"usher/messages"
)

const (
	// settling is how long after a lost answer the provider may not know of the message yet: until then
	// nobody sends again. A worker that died is found out so late that there is nothing to wait for.
	settling = 15 * time.Second

	// askTimeout bounds one question, so that there is time left for the answer's consequence.
	askTimeout = 3 * time.Second
)

// ErrUnsent is what [Resolver] returns of a message whose workers all died before they could say whom they asked,
// when the provider that was first in line for it does not know it: they did not get as far as the call.
var ErrUnsent = errors.New("the workers that had it died before they sent it")

var (
	errSettling = errors.New("the provider may not know of it yet")
	errGivenUp  = errors.New("it may have been sent twice, and nobody knows of it")
)

// clear asks for the outcome of an earlier attempt and sends again only when no provider knows of it. A worker that died
// has not said whom it asked; then all are suspects.
func (a *attempt) clear(ctx context.Context, routes []*route) (Receipt, error) {
	suspects, known := a.suspects(routes)
	found := a.inquire(ctx, suspects)
	if found.sure {
		return found.receipt, found.err
	}
	if !known {
		return a.walk(ctx, suspects, Resend)
	}
	if found.asked && time.Since(a.sms.Unresolved.At) < settling {
		return Receipt{}, &Error{
			Provider: suspects[0].sender.Name(), Kind: Temporary, Code: "own_settling", Err: errSettling,
		}
	}
	return a.walk(ctx, a.resendOrder(routes, suspects[0], found.asked), Resend)
}

// resendOrder is the order in which the second and last send of a message is tried. The vendor that may have the first
// one does not know it, or does not answer: another one goes first, since what lost the message may lose it again. Only
// a vendor that cannot be asked, and has answered all others lately, goes first itself: it may recognize the message.
func (a *attempt) resendOrder(routes []*route, suspect *route, askable bool) []*route {
	var others []*route
	for _, l := range a.answering(ranked(routes, a.sms.ID)) {
		if l != suspect {
			others = append(others, l)
		}
	}
	if !askable && suspect.well() {
		return append([]*route{suspect}, others...)
	}
	return append(others, suspect)
}

// giveUp is the end of a message that was sent again and is in doubt again. It comes when the second claim has
// run out, so that the provider has had its time to file the message.
func (a *attempt) giveUp(ctx context.Context, routes []*route) (Receipt, error) {
	suspects, known := a.suspects(routes)
	found := a.inquire(ctx, suspects)
	if found.sure {
		return found.receipt, found.err
	}
	if !known && found.denied {
		return Receipt{}, &Error{Provider: a.router.Name(), Kind: Temporary, Code: "own_unsent", Err: ErrUnsent}
	}
	a.provider, a.decision = a.router.Name(), GivenUp
	if known {
		a.provider = suspects[0].sender.Name()
	}
	a.router.count(a.provider, GivenUp)
	return Receipt{}, &Error{Provider: a.provider, Kind: Unknown, Code: "own_given_up", Err: errGivenUp}
}

// suspects returns who may have the message; known says that it is the one who was asked.
func (a *attempt) suspects(routes []*route) (_ []*route, known bool) {
	for _, l := range routes {
		if l.sender.Name() == a.sms.Unresolved.Provider {
			return []*route{l}, true
		}
	}
	return ranked(routes, a.sms.ID), false
}

// finding is what asking came to.
type finding struct {
	asked   bool // somebody
	sure    bool // what became of the message is known: the others say it
	denied  bool // the first suspect says that it does not know the message
	receipt Receipt
	err     error
}

// inquire asks the suspects that can be asked until one of them knows of the message.
func (a *attempt) inquire(ctx context.Context, suspects []*route) (found finding) {
	for i, l := range suspects {
		querier, ok := l.sender.(Querier)
		if !ok {
			continue
		}
		found.asked = true
		fate, err := a.ask(ctx, querier)
		switch {
		case err != nil:
			a.pass(l, AskError, codeOf(err))
		case fate.State == "":
			found.denied = found.denied || i == 0
			a.pass(l, NotFound, "")
		case fate.Refusal != nil:
			a.choose(l, Asked)
			found.sure, found.err = true, fate.Refusal
			return found
		default:
			a.choose(l, Asked)
			found.sure, found.receipt = true, Receipt{Provider: l.sender.Name()}
			return found
		}
	}
	return found
}

func (a *attempt) ask(ctx context.Context, querier Querier) (QueryResult, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	fate, err := querier.QuerySMS(ctx, Query{ID: a.sms.ID, To: a.sms.To, SentAt: a.sms.Unresolved.At})
	if err == nil && fate.State == messages.Undelivered && fate.Refusal == nil {
		err = errors.New("undelivered without a reason")
	}
	return fate, err
}
