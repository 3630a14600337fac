package redisstore

import (
	"context"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"usher/contact"
	"usher/limits"
	"usher/store"
)

// refundTimeout bounds a refund, which may have to run after the caller's own time is over.
const refundTimeout = time.Second

// Left returns how many units are left of a limit, without spending.
func (g *Gate) Left(ctx context.Context, spend limits.Spend) (int, error) {
	b := g.store.grouped([]limits.Spend{spend})
	if len(b.groups) == 0 { // the limit is off
		return 0, nil
	}
	c := b.reading(b.groups[0])
	left, err := read(c.script.Run(ctx, g.store.client, c.keys, c.args...))
	return int(left.number(0)), store.Wrap("read limit", err)
}

// batch is the spends of one request.
type batch struct {
	store  *Store
	at     time.Time
	groups []*group
}

// group is the spends of the same number of units that one script executes, so it takes all units or none. On a cluster their windows
// share a slot.
type group struct {
	place     string // of the first window
	units     int
	places    []string // of each window
	subjects  []string
	limits    []limits.Limit
	positions []int // of the limits among all spends
	guard     int   // position of the guard among the limits, counted from 1; 0 for none
	call      *call
	refused   bool // a limit had no unit left, and refuses
}

// batch prepares a call that spends for each group.
func (s *Store) batch(spends []limits.Spend) *batch {
	b := s.grouped(spends)
	for _, g := range b.groups {
		g.call = b.spending(g)
	}
	return b
}

// readings prepares a call that reads without spending for each group.
func (s *Store) readings(spends []limits.Spend) *batch {
	b := s.grouped(spends)
	for _, g := range b.groups {
		g.call = b.reading(g)
	}
	return b
}

// grouped groups the spends by place, or all of them where one script may use keys of several slots. Limits that are off are skipped.
func (s *Store) grouped(spends []limits.Spend) *batch {
	b := &batch{store: s, at: s.now()}
	for i, spend := range spends {
		if spend.Limit.Off() {
			continue
		}
		place, subject := s.place(spend)
		g := b.group(place, max(1, spend.Units), spend.Limit.Percent > 0)
		g.places, g.subjects = append(g.places, place), append(g.subjects, subject)
		g.limits, g.positions = append(g.limits, spend.Limit), append(g.positions, i)
		if spend.Limit.Percent > 0 {
			g.guard = len(g.limits)
		}
	}
	return b
}

// place returns the hash whose partition a spend's window is in, and the hash of its subject.
func (s *Store) place(spend limits.Spend) (place, subject string) {
	subject = s.keys.Index("limit", spend.Subject)
	if spend.Beside == "" {
		return subject, subject
	}
	return s.keys.Index("limit", spend.Beside), subject
}

// group returns the group that a spend of the place joins, which has one guard at most. A script names only the first limit that
// refuses. While limits are only recorded, each has a group of its own, so that all of them are reported.
func (b *batch) group(place string, units int, isGuard bool) *group {
	for _, g := range b.groups {
		fits := g.place == place || b.store.oneServer.Load()
		if !b.store.recording() && fits && g.units == units && (!isGuard || g.guard == 0) {
			return g
		}
	}
	g := &group{place: place, units: units}
	b.groups = append(b.groups, g)
	return g
}

// keys returns the keys of the group's windows, with capacity for those of a guard.
func (g *group) keys(space keyspace) []string {
	keys := make([]string, len(g.limits), len(g.limits)+3)
	for i, limit := range g.limits {
		keys[i] = space.limitKey(g.places[i], g.subjects[i], limit)
	}
	return keys
}

// spending returns the call that takes a group's units.
func (b *batch) spending(g *group) *call {
	space, keys, percent, history := b.store.space, g.keys(b.store.space), 0, time.Duration(0)
	if g.guard > 0 {
		place, subject, guard := g.guarded()
		percent, history = guard.Percent, guard.Judged()
		keys = append(keys, space.enteredKey(place, subject, guard), space.historyKey(place, subject, guard),
			space.historyEnteredKey(place, subject, guard))
	}
	args := append([]any{b.at.UnixMilli(), b.store.recording(), g.units, g.guard, percent}, limitArgs(g.limits, b.at)...)
	if g.guard > 0 {
		args = append(args, slotOf(history, b.at), lifeOf(history))
	}
	return &call{script: limitSpendScript, keys: keys, args: args}
}

// guarded returns the group's guard, and place and subject of its windows.
func (g *group) guarded() (place, subject string, guard limits.Limit) {
	return g.places[g.guard-1], g.subjects[g.guard-1], g.limits[g.guard-1]
}

// refunding returns the call that gives a group's units back.
func (b *batch) refunding(g *group) *call {
	keys, args := g.keys(b.store.space), append([]any{b.at.UnixMilli(), g.units}, limitPeriods(g.limits)...)
	if g.guard > 0 {
		place, subject, guard := g.guarded()
		keys, args = append(keys, b.store.space.historyKey(place, subject, guard)), append(args, guard.Judged().Milliseconds())
	}
	return &call{script: limitRefundScript, keys: keys, args: args}
}

// reading returns the call that reads what is left of a group's limits.
func (b *batch) reading(g *group) *call {
	args := make([]any, 0, 2*len(g.limits))
	for _, limit := range g.limits {
		args = append(args, limit.Count, slotOf(limit.Period, b.at))
	}
	return &call{script: limitLeftScript, keys: g.keys(b.store.space), args: args}
}

// queue puts the calls on a pipeline.
func (b *batch) queue(ctx context.Context, pipe redis.Pipeliner) {
	for _, g := range b.groups {
		g.call.queue(ctx, pipe)
	}
}

// decide reads the replies after the pipeline was executed. It returns the refusal of the first spend that was refused, or else the
// decision that allows, with the units left of the limit that has fewest; a group that consists of a guard has no such limit.
func (b *batch) decide(ctx context.Context) (limits.Decision, error) {
	replies, err := b.replies(ctx)
	if err != nil {
		return limits.Decision{}, fmt.Errorf("spend limits: %w", err)
	}
	var allowed, refused limits.Decision
	first := -1 // position of the first refused spend
	for i, r := range replies {
		g := b.groups[i]
		if n := r.number(0); n > 0 {
			limit, position, wait := g.limits[n-1], g.positions[n-1], span(r.number(1))
			if g.refused = !b.store.recording(); !g.refused {
				b.store.report(ctx, limit.Name, wait)
			} else if first < 0 || position < first {
				first, refused = position, limits.Decision{Refused: limit.Name, RetryAfter: wait, Limit: limit}
			}
		}
		if n, left := r.number(2), int(r.number(3)); n > 0 && (allowed.Limit.Off() || left < allowed.Remaining) {
			allowed.Limit, allowed.Remaining = g.limits[n-1], left
		}
		g.note(&allowed.Risk, r)
	}
	if b.store.recording() {
		allowed.Risk = limits.Risk{}
	}
	if first < 0 {
		return allowed, nil
	}
	// The units of the groups that granted theirs go back. When that fails they are forgotten with their period, which is
	// the safe side, so the refusal stays the answer.
	_ = b.refund(ctx, func(g *group) bool { return !g.refused })
	return refused, nil
}

// replies returns the reply of each group after the pipeline was executed.
func (b *batch) replies(ctx context.Context) ([]reply, error) {
	calls := make([]*call, len(b.groups))
	for i, g := range b.groups {
		calls[i] = g.call
	}
	b.store.sendUnknown(ctx, calls)
	replies := make([]reply, len(calls))
	for i, c := range calls {
		r, err := read(c.cmd)
		if err != nil {
			return nil, err
		}
		replies[i] = r
	}
	return replies, nil
}

// note adds to the risk what the reply to a group's spending says of it.
func (g *group) note(risk *limits.Risk, r reply) {
	const throttles, before = 4, 5 // positions
	risk.Guarded = risk.Guarded || r.number(throttles) == 1
	for i, limit := range g.limits {
		risk.Note(limit, int(r.number(before+i)))
	}
}

// addRisk adds what the replies to readings say to the risk.
func (b *batch) addRisk(ctx context.Context, risk *limits.Risk) error {
	replies, err := b.replies(ctx)
	if err != nil {
		return fmt.Errorf("read limits: %w", err)
	}
	for i, g := range b.groups {
		for j, limit := range g.limits {
			risk.Note(limit, limit.Count-int(replies[i].number(j)))
		}
	}
	return nil
}

// refund returns the units of some groups, also after the caller's own time is over.
func (b *batch) refund(ctx context.Context, which func(*group) bool) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), refundTimeout)
	defer cancel()
	var back []*call
	for _, g := range b.groups {
		if which(g) {
			back = append(back, b.refunding(g))
		}
	}
	return store.Wrap("refund limits", b.store.runAll(ctx, back))
}

// limitArgs returns the arguments that spend.lua reads for each window.
func limitArgs(windows []limits.Limit, now time.Time) []any {
	args := make([]any, 0, 4*len(windows))
	for _, limit := range windows {
		args = append(args, limit.Count, limit.Period.Milliseconds(), slotOf(limit.Period, now), lifeOf(limit.Period))
	}
	return args
}

// slotsInPeriod is how many slots a period has, see window.lua.
const slotsInPeriod = 60

// slotOf returns the number of the slot that a time is in.
func slotOf(period time.Duration, at time.Time) int64 {
	return at.UnixMilli() * slotsInPeriod / max(period.Milliseconds(), 1)
}

// lifeOf returns how long a window's key must live after a spend, in milliseconds: until the slot does not count any more, and one second
// more because clocks differ.
func lifeOf(period time.Duration) int64 {
	return (period.Milliseconds()*(slotsInPeriod+1)+slotsInPeriod-1)/slotsInPeriod + time.Second.Milliseconds()
}

// limitPeriods returns the arguments that scripts read for each window that they refund.
func limitPeriods(windows []limits.Limit) []any {
	args := make([]any, len(windows))
	for i, limit := range windows {
		args[i] = limit.Period.Milliseconds()
	}
	return args
}

// Entered counts a code that was entered, for the guard of its number's prefix. It must be called once for a code.
func (g *Gate) Entered(ctx context.Context, mobile contact.Mobile) error {
	guard := g.store.Rules.Set[limits.SMSConversion]
	if guard.Off() {
		return nil
	}
	subject := g.store.keys.Index("limit", mobile.Prefix())
	keys := []string{g.store.space.enteredKey(subject, subject, guard), g.store.space.historyEnteredKey(subject, subject, guard)}
	now := g.store.now()
	return store.Wrap("count entered code", conversionEnterScript.Run(ctx, g.store.client, keys,
		slotOf(guard.Period, now), lifeOf(guard.Period), slotOf(guard.Judged(), now), lifeOf(guard.Judged())).Err())
}
