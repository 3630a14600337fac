package providers

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"usher/reasons"
)

// Router sends each SMS through one of its senders. Three things decide which one: the order of preference, which a region may
// have of its own, the weights that follow from [Scores] for the carrier of the number, and which providers can be asked now
// (breaker, bounds).
//
// It goes on to the next provider only when the message was certainly not sent and the refusal is not about this number or
// content: another vendor must not evade a number's limit, and a message that may have been sent must not be sent twice.
// For an unresolved message it asks the providers before it sends again; see [SMS].
//
// The fields must not change after the first use. It is safe for concurrent use.
type Router struct {
	Senders []SMSSender // in the order of preference; at least one
	Orders  Orders      // by the region of the number; nil: the same for all
	Scores  Scores      // nil: every provider has the weight 1
	Slots   Slots       // nil: each worker keeps to the bound of concurrent requests by itself
	Count   Count       // nil: decisions are not counted
	Logger  *slog.Logger

	once   sync.Once
	routes []*route            // of all senders
	orders map[string][]*route // by region, as Orders has them
}

// Orders are the names of the providers that may get a message, in the order of preference, by the region of its number as an
// ISO 3166 code. [OtherRegions] stands for every region without an entry; without that one, such a region has the order of all
// senders. Breakers and bounds belong to a provider, whichever region a message goes to.
type Orders map[string][]string

// OtherRegions is the key in [Orders] of all regions without an entry of their own.
const OtherRegions = "*"

// Count is called with every decision about a provider; see [Decision].
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

// open makes a route for each sender, once.
func (r *Router) open() []*route {
	r.once.Do(func() {
		for _, sender := range r.Senders {
			r.routes = append(r.routes, newRoute(sender, r.Logger))
		}
		r.orders = make(map[string][]*route, len(r.Orders))
		for region, names := range r.Orders {
			for _, name := range names {
				if rt := named(r.routes, name); rt != nil {
					r.orders[region] = append(r.orders[region], rt)
				}
			}
		}
	})
	return r.routes
}

// named returns the route of a provider, or nil.
func named(routes []*route, name string) *route {
	for _, rt := range routes {
		if rt.sender.Name() == name {
			return rt
		}
	}
	return nil
}

// routesTo returns the routes that a message to the region may take, in the order of preference.
func (r *Router) routesTo(region string) []*route {
	all := r.open()
	for _, key := range []string{region, OtherRegions} {
		if _, own := r.Orders[key]; own {
			return r.orders[key]
		}
	}
	return all
}

// Breakers returns the state of every provider's breaker by the provider's name: closed, half_open or open.
func (r *Router) Breakers() map[string]string {
	states := map[string]string{}
	for _, rt := range r.open() {
		states[rt.sender.Name()] = stateName(rt.breaker.State())
	}
	return states
}

// Outage is why a provider's breaker opened, and when.
type Outage struct {
	Since time.Time
	Cause *Error // the last answer that counted as a failure
}

// Outages returns the outage of every provider whose breaker is not closed, by the provider's name.
func (r *Router) Outages() map[string]Outage {
	outages := map[string]Outage{}
	for _, rt := range r.open() {
		if since, cause := rt.openedAt.Load(), rt.cause.Load(); since > 0 && cause != nil {
			outages[rt.sender.Name()] = Outage{time.UnixMilli(since), cause}
		}
	}
	return outages
}

var errNoSender = reasons.New(reasons.NoProvider, "no provider is configured")

// SendSMS returns the receipt of the sender that accepted, or the error that ended the attempt. When all senders refused,
// it is the error of the last one that was asked.
func (r *Router) SendSMS(ctx context.Context, sms SMS) (Receipt, error) {
	routes := r.routesTo(sms.To.Region())
	if len(routes) == 0 {
		return Receipt{}, &Error{Provider: r.Name(), Kind: Misconfigured, Err: errNoSender}
	}
	a := &attempt{router: r, sms: sms}
	receipt, err := a.run(ctx, routes)
	a.log(ctx)
	return receipt, err
}

// ResolveSMS implements [Resolver].
func (r *Router) ResolveSMS(ctx context.Context, sms SMS) (Receipt, error) {
	a := &attempt{router: r, sms: sms}
	receipt, err := a.giveUp(ctx, r.routesTo(sms.To.Region()))
	a.log(ctx)
	return receipt, err
}

// Decision says in logs and metrics why a provider got a message or was passed over.
type Decision string

// OwnCode is the code of an error when we refused for this reason and the provider was not asked: certainly not sent.
func (d Decision) OwnCode() string { return "own_" + string(d) }

// Why a provider was asked to send.
const (
	Preferred Decision = "preferred"  // it is the first in the order of preference
	Weighted  Decision = "weighted"   // a preferred provider has a lower weight at the moment
	Failover  Decision = "failover"   // the providers before it were passed over
	Waited    Decision = "waited"     // no other provider could take the message, and the bound let it pass a moment later
	Resend    Decision = "resend"     // an earlier attempt may have been lost
	SecondWay Decision = "second_way" // the person has asked for another way than that of the former message
)

// Why a message did not have to be sent again, must wait, or is given up.
const (
	Asked    Decision = "asked"     // the provider knew the outcome
	NotFound Decision = "not_found" // the provider does not know the message, so far
	AskError Decision = "ask_error" // the provider did not answer the query
	GivenUp  Decision = "given_up"  // it may have been sent twice, and no provider knows it
	Awaiting Decision = "awaiting"  // only a delivery report can tell; see [ReportAwaiter]
)

// Why a provider was passed over, beside the kinds temporary and misconfigured of its answer.
const (
	BreakerOpen Decision = "breaker_open" // its last requests failed
	Stalled     Decision = "stalled"      // it takes requests and does not answer: asked last
	RateSpent   Decision = "rate"         // its bound per second is reached
	Busy        Decision = "busy"         // its bound of concurrent requests is reached
	Unserved    Decision = "unserved"     // it does not serve the region of the number
)

// Unbounded is counted beside the decision for a provider that was asked while its bounds could not be read.
const Unbounded Decision = "unbounded"

// attempt takes one message through the providers and explains the way it went.
type attempt struct {
	router   *Router
	sms      SMS
	provider string   // the provider that was decided for
	decision Decision // why
	passed   []string // the providers that were passed over, and why
	alarm    bool     // an operator has to correct a provider's account
}

func (a *attempt) run(ctx context.Context, routes []*route) (Receipt, error) {
	if a.sms.Unresolved != nil {
		return a.resolve(ctx, routes)
	}
	order := a.answeringFirst(a.ranked(routes))
	decision := Preferred
	switch {
	case len(a.passed) > 0:
		decision = Failover
	case a.sms.Avoid != "":
		decision = SecondWay
	case order[0] != routes[0]:
		decision = Weighted
	}
	return a.walk(ctx, order, decision)
}

// ranked returns the routes in the order in which the message tries them, with the provider to avoid as the last one.
func (a *attempt) ranked(routes []*route) []*route {
	order := ranked(routes, a.sms)
	if avoided := named(order, a.sms.Avoid); avoided != nil {
		order = append(slices.DeleteFunc(order, func(rt *route) bool { return rt == avoided }), avoided)
	}
	return order
}

// answeringFirst moves the providers to the end that may not answer: those that take requests without answering, and those
// whose breaker was open and that only a message can try.
func (a *attempt) answeringFirst(order []*route) []*route {
	var first, last []*route
	for _, rt := range order {
		if rt.demotion() == "" {
			first = append(first, rt)
		} else {
			last = append(last, rt)
		}
	}
	if len(first) == 0 {
		return order
	}
	for _, rt := range last {
		a.pass(rt, rt.demotion(), "")
	}
	return append(first, last...)
}

const (
	// maxBoundWait is how long a message waits for a bound when no other provider can take it. It keeps its slot among the
	// worker's concurrent messages, so that many messages wait on the queue and not in Redis.
	maxBoundWait = 2 * time.Second

	// boundPause is how long it waits before it tries the bound again.
	boundPause = 20 * time.Millisecond
)

// walk asks one provider after the other. When none could take the message and at least one was passed over for a bound
// only, it waits a moment for those.
func (a *attempt) walk(ctx context.Context, order []*route, decision Decision) (Receipt, error) {
	receipt, bounded, err := a.once(ctx, order, decision)
	for until := a.waitEnd(ctx); len(bounded) > 0 && pause(ctx, until); {
		var again error
		receipt, bounded, again = a.once(ctx, bounded, Waited)
		if _, own := errors.AsType[*notAskedError](again); !own {
			err = again
		}
	}
	return receipt, err
}

// once asks one provider after the other until one accepts the message, may have it, or refuses it for good. When all were
// passed over it returns those that were not asked because of a bound.
func (a *attempt) once(ctx context.Context, order []*route, decision Decision) (_ Receipt, bounded []*route, last error) {
	for i, rt := range order {
		if i > 0 && decision != Waited {
			decision = Failover
		}
		receipt, err := rt.send(ctx, a.router, a.sms)
		kind := KindOf(err)
		if err == nil || kind != Temporary && kind != Misconfigured {
			a.choose(rt, decision)
			return receipt, nil, err
		}
		refusal, own := errors.AsType[*notAskedError](err)
		if own {
			a.pass(rt, refusal.decision, "")
			if refusal.decision == Busy || refusal.decision == RateSpent {
				bounded = append(bounded, rt)
			}
		} else {
			a.pass(rt, Decision(kind.String()), codeOf(err))
			a.alarm = a.alarm || kind == Misconfigured
		}
		if last == nil || !own { // a vendor's answer says more than that another provider was not asked
			last = err
		}
		if ctx.Err() != nil {
			break
		}
	}
	return Receipt{}, bounded, last
}

// waitEnd is until when a message waits for a bound: not longer than it is valid, and most of the attempt's time is left
// for the provider.
func (a *attempt) waitEnd(ctx context.Context) time.Time {
	now := time.Now()
	longest := maxBoundWait
	if a.sms.TTL > 0 {
		longest = min(longest, a.sms.TTL)
	}
	if end, ok := ctx.Deadline(); ok {
		longest = min(longest, end.Sub(now)/4)
	}
	return now.Add(longest)
}

// pause waits before another try and reports whether there is time for one.
func pause(ctx context.Context, until time.Time) bool {
	if !time.Now().Add(boundPause).Before(until) {
		return false
	}
	select {
	case <-time.After(boundPause):
		return true
	case <-ctx.Done():
		return false
	}
}

func (a *attempt) choose(rt *route, decision Decision) {
	a.provider, a.decision = rt.sender.Name(), decision
	a.router.count(a.provider, decision)
}

// pass records that a provider was passed over and why, once however often a bound is tried.
func (a *attempt) pass(rt *route, why Decision, code string) {
	text := rt.sender.Name() + ": " + string(why)
	if code != "" {
		text += " " + code
	}
	if slices.Contains(a.passed, text) {
		return
	}
	a.passed = append(a.passed, text)
	a.router.count(rt.sender.Name(), why)
}

// log explains the attempt in one log line.
func (a *attempt) log(ctx context.Context) {
	level := slog.LevelInfo
	switch {
	case a.alarm: // although another provider may have taken this message
		level = slog.LevelError
	case len(a.passed) > 0:
		level = slog.LevelWarn
	case a.decision == Preferred, a.decision == Weighted: // the log line "message finished" says as much
		level = slog.LevelDebug
	}
	a.router.Logger.Log(ctx, level, "message routed", "task_id", a.sms.ID, "attempt", a.sms.Attempt,
		"region", a.sms.To.Region(), "provider", a.provider, "decision", string(a.decision), "passed_over", a.passed)
}

// codeOf is the vendor's code of a refusal, or our word for it where there is none.
func codeOf(err error) string {
	if e, ok := errors.AsType[*Error](err); ok && e.Code != "" {
		return e.Code
	}
	return string(ReasonOf(err))
}
