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

// ErrUnsent is what [Asker] returns of a message whose workers all died before they could say whom they asked,
// when the provider that was first in line for it does not know it: they did not get as far as the call.
var ErrUnsent = errors.New("the workers that had it died before they sent it")

var (
	errSettling = errors.New("the provider may not know of it yet")
	errGivenUp  = errors.New("it may have been sent twice, and nobody knows of it")
)

// clear asks for the outcome of an earlier attempt and sends again only when no provider knows of it. A worker that died
// has not said whom it asked; then all are suspects.
func (r *round) clear(ctx context.Context, lines []*line) (Receipt, error) {
	suspects, known := r.suspects(lines)
	found := r.inquire(ctx, suspects)
	if found.sure {
		return found.receipt, found.err
	}
	if !known {
		return r.walk(ctx, suspects, Resend)
	}
	if found.asked && time.Since(r.sms.Doubt.At) < settling {
		return Receipt{}, &Error{
			Provider: suspects[0].sender.Name(), Kind: Temporary, Code: "own_settling", Err: errSettling,
		}
	}
	return r.walk(ctx, r.resendOrder(lines, suspects[0], found.asked), Resend)
}

// resendOrder is the order in which the second and last send of a message is tried. The vendor that may have the first
// one does not know it, or does not answer: another one goes first, since what lost the message may lose it again. Only
// a vendor that cannot be asked, and has answered all others lately, goes first itself: it may recognize the message.
func (r *round) resendOrder(lines []*line, suspect *line, askable bool) []*line {
	var others []*line
	for _, l := range r.answering(ranked(lines, r.sms.ID)) {
		if l != suspect {
			others = append(others, l)
		}
	}
	if !askable && suspect.well() {
		return append([]*line{suspect}, others...)
	}
	return append(others, suspect)
}

// giveUp is the end of a message that was sent again and is in doubt again. It comes when the second claim has
// run out, so that the provider has had its time to file the message.
func (r *round) giveUp(ctx context.Context, lines []*line) (Receipt, error) {
	suspects, known := r.suspects(lines)
	found := r.inquire(ctx, suspects)
	if found.sure {
		return found.receipt, found.err
	}
	if !known && found.denied {
		return Receipt{}, &Error{Provider: r.router.Name(), Kind: Temporary, Code: "own_unsent", Err: ErrUnsent}
	}
	r.provider, r.decision = r.router.Name(), GivenUp
	if known {
		r.provider = suspects[0].sender.Name()
	}
	r.router.count(r.provider, GivenUp)
	return Receipt{}, &Error{Provider: r.provider, Kind: Unknown, Code: "own_given_up", Err: errGivenUp}
}

// suspects returns who may have the message; known says that it is the one who was asked.
func (r *round) suspects(lines []*line) (_ []*line, known bool) {
	for _, l := range lines {
		if l.sender.Name() == r.sms.Doubt.Provider {
			return []*line{l}, true
		}
	}
	return ranked(lines, r.sms.ID), false
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
func (r *round) inquire(ctx context.Context, suspects []*line) (found finding) {
	for i, l := range suspects {
		querier, ok := l.sender.(Querier)
		if !ok {
			continue
		}
		found.asked = true
		fate, err := r.ask(ctx, querier)
		switch {
		case err != nil:
			r.pass(l, AskedOff, codeOf(err))
		case fate.State == "":
			found.denied = found.denied || i == 0
			r.pass(l, NotFound, "")
		case fate.Refusal != nil:
			r.choose(l, Asked)
			found.sure, found.err = true, fate.Refusal
			return found
		default:
			r.choose(l, Asked)
			found.sure, found.receipt = true, Receipt{Provider: l.sender.Name()}
			return found
		}
	}
	return found
}

func (r *round) ask(ctx context.Context, querier Querier) (Fate, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	fate, err := querier.QuerySMS(ctx, Query{ID: r.sms.ID, To: r.sms.To, SentAt: r.sms.Doubt.At})
	if err == nil && fate.State == messages.Undelivered && fate.Refusal == nil {
		err = errors.New("undelivered without a reason")
	}
	return fate, err
}
