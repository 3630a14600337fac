package providers

import (
	"context"
	"errors"
	"log/slog"
)

// Decision says in logs and metrics why a provider got a message or was passed over.
type Decision string

// Why a provider was asked to send.
const (
	Preferred Decision = "preferred" // it is the first in the order of preference
	Weighted  Decision = "weighted"  // one that is preferred to it does not do well lately
	Failover  Decision = "failover"  // those before it were passed over
	Resend    Decision = "resend"    // an earlier attempt may have been lost
)

// Why a message did not have to be sent again, or must wait.
const (
	Asked    Decision = "asked"     // the provider knew what became of it
	NotFound Decision = "not_found" // the provider does not know of it, so far
	AskedOff Decision = "ask_error" // the provider did not answer the question
)

// Why a provider was passed over, beside the kinds temporary and misconfigured of what it answered.
const (
	BreakerOpen Decision = "breaker_open" // it failed lately
	RateSpent   Decision = "rate"         // its bound per second is reached
	Busy        Decision = "busy"         // its bound of requests at the same time is reached
)

// round is the way of one attempt through the providers, and its explanation.
type round struct {
	router   *Router
	sms      SMS
	provider string   // who was decided for
	decision Decision // why
	passed   []string // who was not, and why
	alarm    bool     // somebody has to mend a provider's account
}

func (r *round) run(ctx context.Context, lines []*line) (Receipt, error) {
	if r.sms.Doubt != nil {
		return r.clear(ctx, lines)
	}
	order := ranked(lines, r.sms.ID)
	decision := Preferred
	if order[0] != lines[0] {
		decision = Weighted
	}
	return r.walk(ctx, order, decision)
}

// walk asks one after the other until one has or may have the message, or will not have it.
func (r *round) walk(ctx context.Context, order []*line, decision Decision) (Receipt, error) {
	var last error
	for i, l := range order {
		if i > 0 {
			decision = Failover
		}
		receipt, err := l.send(ctx, r.router.Rate, r.sms)
		kind := KindOf(err)
		if err == nil || kind != Temporary && kind != Misconfigured {
			r.choose(l, decision)
			return receipt, err
		}
		gate, own := errors.AsType[*gateError](err)
		switch {
		case own:
			r.pass(l, gate.decision, "")
		default:
			r.pass(l, Decision(kind.String()), codeOf(err))
			r.alarm = r.alarm || kind == Misconfigured
		}
		if last == nil || !own { // what a vendor said tells more than that another was not asked
			last = err
		}
		if ctx.Err() != nil {
			break
		}
	}
	return Receipt{}, last
}

func (r *round) choose(l *line, decision Decision) {
	r.provider, r.decision = l.sender.Name(), decision
	r.count(r.provider, decision)
}

func (r *round) pass(l *line, why Decision, code string) {
	text := l.sender.Name() + ": " + string(why)
	if code != "" {
		text += " " + code
	}
	r.passed = append(r.passed, text)
	r.count(l.sender.Name(), why)
}

func (r *round) count(provider string, decision Decision) {
	if r.router.Count != nil {
		r.router.Count(provider, decision)
	}
}

// log explains the round in one line.
func (r *round) log(ctx context.Context) {
	level := slog.LevelInfo
	switch {
	case r.alarm: // although this message may have gone out elsewhere
		level = slog.LevelError
	case len(r.passed) > 0:
		level = slog.LevelWarn
	}
	r.router.Logger.Log(ctx, level, "message routed", "task_id", r.sms.ID, "attempt", r.sms.Attempt,
		"provider", r.provider, "decision", string(r.decision), "passed_over", r.passed)
}
