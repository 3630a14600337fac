package redisstore

import (
	"context"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"usher/limits"
)

// refundTimeout bounds giving units back after the caller's own time may be over.
const refundTimeout = time.Second

// Limiter spends limits. It is safe for concurrent use.
type Limiter struct{ store *Store }

var _ limits.Limiter = (*Limiter)(nil)

// Spend takes one unit of each limit, or of none when one of them has nothing left, in one round trip; a
// second one gives back what was taken beside a refusal.
func (l *Limiter) Spend(ctx context.Context, spends []limits.Spend) (limits.Decision, error) {
	batch := l.store.batch(spends)
	if len(batch.groups) == 0 {
		return limits.Decision{}, nil
	}
	pipe := l.store.client.Pipeline()
	batch.queue(ctx, pipe)
	_, _ = pipe.Exec(ctx) // every command has its own error
	return batch.decide(ctx)
}

// Left returns how much is left of a limit, without spending.
func (l *Limiter) Left(ctx context.Context, spend limits.Spend) (int, error) {
	place, subject := l.store.place(spend)
	key := l.store.space.limitKey(place, subject, spend.Limit)
	left, err := limitLeftScript.Run(ctx, l.store.client, []string{key},
		l.store.now().UnixMilli(), spend.Limit.Count, spend.Limit.Period.Milliseconds()).Int()
	if err != nil {
		return 0, fmt.Errorf("look at limit: %w", err)
	}
	return left, nil
}

// Fill returns the share of the fullest of some limits that is used, 0 to 1, without spending; 0 where limits are only
// recorded. It takes one round trip.
func (g *Gate) Fill(ctx context.Context, spends []limits.Spend) (float64, error) {
	if g.store.Rules.Mode == limits.Record {
		return 0, nil
	}
	pipe, now := g.store.client.Pipeline(), g.store.now().UnixMilli()
	var sent []*call
	var counts []int
	for _, spend := range spends {
		if spend.Limit.Off() {
			continue
		}
		place, subject := g.store.place(spend)
		looking := &call{
			script: limitLeftScript, keys: []string{g.store.space.limitKey(place, subject, spend.Limit)},
			args: []any{now, spend.Limit.Count, spend.Limit.Period.Milliseconds()},
		}
		looking.queue(ctx, pipe)
		sent, counts = append(sent, looking), append(counts, spend.Limit.Count)
	}
	if len(sent) == 0 {
		return 0, nil
	}
	_, _ = pipe.Exec(ctx) // every command has its own error
	sendUnknown(ctx, g.store.client, sent)
	fill := 0.0
	for i, looking := range sent {
		left, err := looking.cmd.Int()
		if err != nil {
			return 0, fmt.Errorf("look at limits: %w", err)
		}
		fill = max(fill, 1-float64(left)/float64(counts[i]))
	}
	return fill, nil
}

// batch is the spends of one call.
type batch struct {
	store  *Store
	at     time.Time
	groups []group
}

// group is the spends of one place: their windows share a slot, so one script takes them all or none.
type group struct {
	place     string
	subjects  []string
	limits    []limits.Limit // a guard is the last
	positions []int          // of the limits among all spends
	call      call
	reply     reply
}

func (s *Store) batch(spends []limits.Spend) *batch {
	b := &batch{store: s, at: s.now()}
	for i, spend := range spends {
		if !spend.Limit.Off() {
			place, subject := s.place(spend)
			g := b.group(place)
			g.subjects, g.limits, g.positions = append(g.subjects, subject), append(g.limits, spend.Limit), append(g.positions, i)
		}
	}
	for i := range b.groups {
		b.groups[i].call = b.spending(&b.groups[i])
	}
	return b
}

// place returns the hash of a spend's subject, and the one whose partition it is kept in.
func (s *Store) place(spend limits.Spend) (place, subject string) {
	subject = s.keys.Index("limit", spend.Subject)
	if spend.Beside == "" {
		return subject, subject
	}
	return s.keys.Index("limit", spend.Beside), subject
}

// group returns the group that a spend of the place belongs to. A script names the first limit that refuses: while
// limits only record, each has one of its own, so that every one of them is reported.
func (b *batch) group(place string) *group {
	for i := range b.groups {
		if b.store.Rules.Mode != limits.Record && b.groups[i].place == place && b.groups[i].guard() == 0 {
			return &b.groups[i]
		}
	}
	b.groups = append(b.groups, group{place: place})
	return &b.groups[len(b.groups)-1]
}

// guard returns the percentage of the guard that a group ends with, or 0.
func (g *group) guard() int {
	if len(g.limits) == 0 {
		return 0
	}
	return g.limits[len(g.limits)-1].Percent
}

func (g *group) keys(space keyspace) []string {
	keys := make([]string, len(g.limits), len(g.limits)+3)
	for i, limit := range g.limits {
		keys[i] = space.limitKey(g.place, g.subjects[i], limit)
	}
	return keys
}

// spending is the call that takes a group's units.
func (b *batch) spending(g *group) call {
	keys, args := g.keys(b.store.space), append([]any{b.at.UnixMilli(), b.store.recording(), g.guard()}, limitArgs(g.limits)...)
	if last := len(keys) - 1; g.guard() > 0 {
		guard, subject := g.limits[last], g.subjects[last]
		keys = append(keys, b.store.space.enteredKey(g.place, subject, guard),
			b.store.space.historyKey(g.place, subject, guard), b.store.space.historyEnteredKey(g.place, subject, guard))
		args = append(args, guard.Judged().Milliseconds())
	}
	return call{script: limitSpendScript, keys: keys, args: args}
}

// refunding is the call that gives a group's units back.
func (b *batch) refunding(g *group) call {
	keys, args := g.keys(b.store.space), append([]any{b.at.UnixMilli()}, limitPeriods(g.limits)...)
	if last := len(keys) - 1; g.guard() > 0 {
		keys = append(keys, b.store.space.historyKey(g.place, g.subjects[last], g.limits[last]))
		args = append(args, g.limits[last].Judged().Milliseconds())
	}
	return call{script: limitRefundScript, keys: keys, args: args}
}

// queue puts the scripts on a pipeline.
func (b *batch) queue(ctx context.Context, pipe redis.Pipeliner) {
	for i := range b.groups {
		b.groups[i].call.queue(ctx, pipe)
	}
}

// decide reads the answers once the pipeline has been executed.
func (b *batch) decide(ctx context.Context) (limits.Decision, error) {
	sent := make([]*call, len(b.groups))
	for i := range b.groups {
		sent[i] = &b.groups[i].call
	}
	sendUnknown(ctx, b.store.client, sent)
	for i := range b.groups {
		r, err := read(b.groups[i].call.cmd, 4)
		if err != nil {
			return limits.Decision{}, fmt.Errorf("spend limits: %w", err)
		}
		b.groups[i].reply = r
	}
	if b.store.Rules.Mode == limits.Record {
		b.report(ctx)
		return b.tightest(), nil
	}
	d := b.refusal()
	if d.Allowed() {
		return b.tightest(), nil
	}
	// What other groups' limits granted goes back. When it cannot, their units are forgotten with their
	// period: that errs on the safe side, so the refusal stays the answer.
	_ = b.refund(ctx, func(g *group) bool { _, _, refused := g.refused(); return !refused })
	return d, nil
}

// refused returns the limit of the group that had nothing left, and its position among all spends.
func (g *group) refused() (limits.Limit, int, bool) {
	i := g.reply.number(0)
	if i == 0 {
		return limits.Limit{}, 0, false
	}
	return g.limits[i-1], g.positions[i-1], true
}

// refusal returns the decision for the first refused spend, if there is one.
func (b *batch) refusal() limits.Decision {
	var d limits.Decision
	first := -1
	for i := range b.groups {
		g := &b.groups[i]
		limit, position, refused := g.refused()
		if refused && (first < 0 || position < first) {
			first = position
			d = limits.Decision{Refused: limit.Name, RetryAfter: span(g.reply.number(1)), Limit: limit}
		}
	}
	return d
}

// tightest returns the decision that allows, with what is left of the limit that has least. A group of nothing but
// a guard has no such limit.
func (b *batch) tightest() limits.Decision {
	var d limits.Decision
	for i := range b.groups {
		g := &b.groups[i]
		position, left := g.reply.number(2), int(g.reply.number(3))
		if position > 0 && (d.Limit.Off() || left < d.Remaining) {
			d = limits.Decision{Limit: g.limits[position-1], Remaining: left}
		}
	}
	return d
}

func (b *batch) report(ctx context.Context) {
	for i := range b.groups {
		g := &b.groups[i]
		if limit, _, refused := g.refused(); refused {
			b.store.report(ctx, limit.Name, span(g.reply.number(1)))
		}
	}
}

// refund gives back the units of some groups, even when the caller's own time is over.
func (b *batch) refund(ctx context.Context, which func(*group) bool) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), refundTimeout)
	defer cancel()
	var back []*call
	for i := range b.groups {
		if g := &b.groups[i]; which(g) {
			refund := b.refunding(g)
			back = append(back, &refund)
		}
	}
	if len(back) == 0 {
		return nil
	}
	if err := b.store.runAll(ctx, back); err != nil {
		return fmt.Errorf("refund limits: %w", err)
	}
	return nil
}
