package providers

import (
	"context"
	"errors"
	"log/slog"
)

// Router sends through the first of its senders that takes the message. It goes on to the next one only
// when the message was surely not sent and the refusal is not about this number or content: another
// vendor must not evade a number's limit, and a message that may be on its way must not be doubled.
type Router struct {
	Senders []SMSSender // in the order of preference; at least one
	Logger  *slog.Logger
}

var _ SMSSender = (*Router)(nil)

// Name returns "router".
func (r *Router) Name() string { return "router" }

// SendSMS returns the receipt of the first sender that accepted, or the error that stopped the round:
// the last one when every sender refused.
func (r *Router) SendSMS(ctx context.Context, sms SMS) (Receipt, error) {
	for i, sender := range r.Senders {
		receipt, err := sender.SendSMS(ctx, sms)
		if err == nil {
			return receipt, nil
		}
		kind := KindOf(err)
		surelyNotSent := kind == Temporary || kind == Misconfigured
		if !surelyNotSent || ctx.Err() != nil || i == len(r.Senders)-1 {
			return Receipt{}, err
		}
		level := slog.LevelWarn
		if kind == Misconfigured { // somebody has to mend it, although this message may still go out
			level = slog.LevelError
		}
		r.Logger.Log(ctx, level, "provider passed over",
			"task_id", sms.ID, "provider", sender.Name(), "kind", kind.String(), "code", codeOf(err))
	}
	return Receipt{}, &Error{Provider: r.Name(), Kind: Misconfigured, Err: errNoSender}
}

var errNoSender = errors.New("no provider is configured")

func codeOf(err error) string {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	return ""
}
