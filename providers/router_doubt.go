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

var errSettling = errors.New("the provider may not know of it yet")

// clear finds out what became of an earlier attempt and sends again only when nobody knows of it. The
// provider that may have the message is the only one to get it again: no other could tell that it is a
// second one. A worker that died has not said whom it asked; then all are suspects.
func (r *round) clear(ctx context.Context, lines []*line) (Receipt, error) {
	suspects, known := ranked(lines, r.sms.ID), false
	for _, l := range lines {
		if l.sender.Name() == r.sms.Doubt.Provider {
			suspects, known = []*line{l}, true
		}
	}
	asked := false
	for _, l := range suspects {
		querier, ok := l.sender.(Querier)
		if !ok {
			continue
		}
		asked = true
		fate, err := r.ask(ctx, querier)
		switch {
		case err != nil:
			r.pass(l, AskedOff, codeOf(err))
		case fate.State == "":
			r.pass(l, NotFound, "")
		case fate.Refusal != nil:
			r.choose(l, Asked)
			return Receipt{}, fate.Refusal
		default:
			r.choose(l, Asked)
			return Receipt{Provider: l.sender.Name()}, nil
		}
	}
	if asked && known && time.Since(r.sms.Doubt.At) < settling {
		return Receipt{}, &Error{
			Provider: suspects[0].sender.Name(), Kind: Temporary, Code: "own_settling", Err: errSettling,
		}
	}
	return r.walk(ctx, suspects, Resend)
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
