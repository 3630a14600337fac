package providers

import (
	"context"
	"errors"
	"log/slog"
	"slices"
)

// Decision says in logs and metrics why a provider got a message or was passed over.
type Decision string

// OwnCode is the code of an error when not the provider refused but we, for this reason: surely not sent.
func (d Decision) OwnCode() string { return "own_" + string(d) }

// Why a provider was asked to send.
const (
	Preferred Decision = "preferred" // it is the first in the order of preference
	Weighted  Decision = "weighted"  // one that is preferred to it does not do well lately
	Failover  Decision = "failover"  // those before it were passed over
	Waited    Decision = "waited"    // nobody else could take it, and its bound let it pass a moment later
	Resend    Decision = "resend"    // an earlier attempt may have been lost
)

// Why a message did not have to be sent again, must wait, or is given up.
const (
	Asked    Decision = "asked"     // the provider knew what became of it
	NotFound Decision = "not_found" // the provider does not know of it, so far
	AskError Decision = "ask_error" // the provider did not answer the question
	GivenUp  Decision = "given_up"  // it may have been sent twice, and nobody knows of it
)

// Why a provider was passed over, beside the kinds temporary and misconfigured of what it answered.
const (
	BreakerOpen Decision = "breaker_open" // it failed lately
	Stalled     Decision = "stalled"      // it takes requests and answers none: asked last
	RateSpent   Decision = "rate"         // its bound per second is reached
	Busy        Decision = "busy"         // its bound of requests at the same time is reached
)

// Unbounded is counted beside the decision for a provider that was asked while nobody could look at its bounds.
const Unbounded Decision = "unbounded"

// attempt is the way of one attempt through the providers, and its explanation.
type attempt struct {
	router   *Router
	sms      SMS
	provider string   // who was decided for
	decision Decision // why
	passed   []string // who was not, and why
	alarm    bool     // somebody has to mend a provider's account
}

func (a *attempt) run(ctx context.Context, routes []*route) (Receipt, error) {
	if a.sms.Unresolved != nil {
		return a.clear(ctx, routes)
	}
	order := a.answering(ranked(routes, a.sms.ID))
	decision := Preferred
	switch {
	case len(a.passed) > 0:
		decision = Failover
	case order[0] != routes[0]:
		decision = Weighted
	}
	return a.walk(ctx, order, decision)
}

// answering puts those behind the others that may not answer: who hangs, and who was spared and can only be tried by a
// message.
func (a *attempt) answering(order []*route) []*route {
	var answer, not []*route
	var why []Decision
	for _, l := range order {
		if doubted := l.doubted(); doubted != "" {
			not, why = append(not, l), append(why, doubted)
		} else {
			answer = append(answer, l)
		}
	}
	if len(answer) == 0 {
		return order
	}
	for i, l := range not {
		a.pass(l, why[i], "")
	}
	return append(answer, not...)
}

// walk asks one after the other. When nobody could take the message and a bound was all that stood in
// somebody's way, it waits a moment for that one.
func (a *attempt) walk(ctx context.Context, order []*route, decision Decision) (Receipt, error) {
	receipt, bounded, err := a.once(ctx, order, decision)
	for until := a.waitEnd(ctx); len(bounded) > 0 && pause(ctx, until); {
		var again error
		receipt, bounded, again = a.once(ctx, bounded, Waited)
		if _, own := errors.AsType[*gateError](again); !own {
			err = again
		}
	}
	return receipt, err
}

// once asks one after the other until one has or may have the message, or will not have it. When all were
// passed over it returns those that only a bound kept from being asked.
func (a *attempt) once(ctx context.Context, order []*route, decision Decision) (_ Receipt, bounded []*route, last error) {
	for i, l := range order {
		if i > 0 && decision != Waited {
			decision = Failover
		}
		receipt, err := l.send(ctx, a.router, a.sms)
		kind := KindOf(err)
		if err == nil || kind != Temporary && kind != Misconfigured {
			a.choose(l, decision)
			return receipt, nil, err
		}
		gate, own := errors.AsType[*gateError](err)
		if own {
			a.pass(l, gate.decision, "")
			if gate.decision == Busy || gate.decision == RateSpent {
				bounded = append(bounded, l)
			}
		} else {
			a.pass(l, Decision(kind.String()), codeOf(err))
			a.alarm = a.alarm || kind == Misconfigured
		}
		if last == nil || !own { // what a vendor said tells more than that another was not asked
			last = err
		}
		if ctx.Err() != nil {
			break
		}
	}
	return Receipt{}, bounded, last
}

func (a *attempt) choose(l *route, decision Decision) {
	a.provider, a.decision = l.sender.Name(), decision
	a.router.count(a.provider, decision)
}

// pass notes who was passed over and why, once however often a bound is looked at.
func (a *attempt) pass(l *route, why Decision, code string) {
	text := l.sender.Name() + ": " + string(why)
	if code != "" {
		text += " " + code
	}
	if slices.Contains(a.passed, text) {
		return
	}
	a.passed = append(a.passed, text)
	a.router.count(l.sender.Name(), why)
}

// log explains the round in one line.
func (a *attempt) log(ctx context.Context) {
	level := slog.LevelInfo
	switch {
	case a.alarm: // although this message may have gone out elsewhere
		level = slog.LevelError
	case len(a.passed) > 0:
		level = slog.LevelWarn
	case a.decision == Preferred, a.decision == Weighted: // the line "message attempted" says as much
		level = slog.LevelDebug
	}
	a.router.Logger.Log(ctx, level, "message routed", "task_id", a.sms.ID, "attempt", a.sms.Attempt,
		"provider", a.provider, "decision", string(a.decision), "passed_over", a.passed)
}
