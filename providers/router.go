package providers

import (
	"context"
	"errors"
	"log/slog"
	"sync"

	"usher/reasons"
)

// Router sends through one of its senders. Which one it is follows from three things: the order of
// preference, the weights that [Scores] give, and who can be asked now (breaker, bounds).
//
// It goes on to the next one only when the message was surely not sent and the refusal is not about this
// number or content: another vendor must not evade a number's limit, and a message that may be on its way
// must not be doubled. For a message in doubt it asks before it sends again; see [SMS].
//
// The fields must not change after the first use. It is safe for concurrent use.
type Router struct {
	Senders []SMSSender // in the order of preference; at least one
	Scores  Scores      // nil: everybody does well
	Slots   Slots       // nil: each worker keeps to the bound of requests at the same time by itself
	Count   Count       // nil: nobody counts
	Logger  *slog.Logger

	once   sync.Once
	routes []*route
}

// Count is told of every decision about a provider; see [Decision].
type Count func(provider string, decision Decision)

func (r *Router) count(provider string, decision Decision) {
	if r.Count != nil {
		r.Count(provider, decision)
	}
}

var (
	_ SMSSender = (*Router)(nil)
	_ Resolver  = (*Router)(nil)
)

// Name returns "router".
func (r *Router) Name() string { return "router" }

// open makes a line for each sender, once.
func (r *Router) open() []*route {
	r.once.Do(func() {
		for _, sender := range r.Senders {
			r.routes = append(r.routes, newRoute(sender, r.Logger))
		}
	})
	return r.routes
}

// SendSMS returns the receipt of the sender that accepted, or the error that ended the round: that of the
// last sender that was asked when all refused.
func (r *Router) SendSMS(ctx context.Context, sms SMS) (Receipt, error) {
	routes := r.open()
	if len(routes) == 0 {
		return Receipt{}, &Error{Provider: r.Name(), Kind: Misconfigured, Err: errNoSender}
	}
	a := &attempt{router: r, sms: sms}
	receipt, err := a.run(ctx, routes)
	a.log(ctx)
	return receipt, err
}

// ResolveSMS implements [Resolver]: those that may have the message are asked once.
func (r *Router) ResolveSMS(ctx context.Context, sms SMS) (Receipt, error) {
	a := &attempt{router: r, sms: sms}
	receipt, err := a.giveUp(ctx, r.open())
	a.log(ctx)
	return receipt, err
}

var errNoSender = reasons.New(reasons.NoProvider, "no provider is configured")

// codeOf is the vendor's code of a refusal, or our word for it where there is none.
func codeOf(err error) string {
	if e, ok := errors.AsType[*Error](err); ok && e.Code != "" {
		return e.Code
	}
	return string(ReasonOf(err))
}
