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

// batch is the spends of one call.
type batch struct {
	store  *Store
	at     time.Time
	groups []group
}

// group is the spends of one subject: their windows share a slot, so one script takes them all or none.
type group struct {
	subject   string
	limits    []limits.Limit
	positions []int // of the limits among all spends
	keys      []string
	args      []any
	cmd       *redis.Cmd
	reply     reply
}

func (s *Store) batch(spends []limits.Spend) *batch {
	b := &batch{store: s, at: s.now()}
	for i, spend := range spends {
		if !spend.Limit.Off() {
			g := b.group(s.keys.Index("limit", spend.Subject))
			g.limits = append(g.limits, spend.Limit)
			g.positions = append(g.positions, i)
		}
	}
	for i := range b.groups {
		g := &b.groups[i]
		g.keys = limitKeys(g.subject, g.limits)
		g.args = append([]any{b.at.UnixMilli(), s.recording()}, limitArgs(g.limits)...)
	}
	return b
}

func (b *batch) group(subject string) *group {
	for i := range b.groups {
		if b.groups[i].subject == subject {
			return &b.groups[i]
		}
	}
	b.groups = append(b.groups, group{subject: subject})
	return &b.groups[len(b.groups)-1]
}

// queue puts the scripts on a pipeline.
func (b *batch) queue(ctx context.Context, pipe redis.Pipeliner) {
	for i := range b.groups {
		g := &b.groups[i]
		g.cmd = limitSpendScript.EvalSha(ctx, pipe, g.keys, g.args...)
	}
}

// decide reads the answers once the pipeline has been executed.
func (b *batch) decide(ctx context.Context) (limits.Decision, error) {
	b.sendUnknown(ctx)
	for i := range b.groups {
		r, err := read(b.groups[i].cmd, 4)
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
	b.refund(ctx)
	return d, nil
}

// sendUnknown sends scripts in full to servers that did not know them: after a restart, or at first use.
func (b *batch) sendUnknown(ctx context.Context) {
	pipe := b.store.client.Pipeline()
	for i := range b.groups {
		g := &b.groups[i]
		if redis.HasErrorPrefix(g.cmd.Err(), "NOSCRIPT") {
			g.cmd = limitSpendScript.Eval(ctx, pipe, g.keys, g.args...)
		}
	}
	if pipe.Len() > 0 {
		_, _ = pipe.Exec(ctx)
	}
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

// tightest returns the decision that allows, with what is left of the limit that has least.
func (b *batch) tightest() limits.Decision {
	var d limits.Decision
	for i := range b.groups {
		g := &b.groups[i]
		if left := int(g.reply.number(3)); i == 0 || left < d.Remaining {
			d = limits.Decision{Limit: g.limits[g.reply.number(2)-1], Remaining: left}
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

// refund gives back what other subjects' limits granted. When it cannot, their units are forgotten with
// their period: that errs on the safe side, so the refusal stays the answer.
func (b *batch) refund(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), refundTimeout)
	defer cancel()
	pipe := b.store.client.Pipeline()
	for i := range b.groups {
		g := &b.groups[i]
		if _, _, refused := g.refused(); !refused {
			args := append([]any{b.at.UnixMilli()}, limitPeriods(g.limits)...)
			limitRefundScript.Eval(ctx, pipe, g.keys, args...)
		}
	}
	if pipe.Len() > 0 {
		_, _ = pipe.Exec(ctx)
	}
}
