package redisstore_test

import (
	"context"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"usher/internal/testkit"
	"usher/limits"
)

// limitsTests check the promises of [redisstore.Gate] about limits.
var limitsTests = behaviours{
	"random spends agree with a model":            windowModel,
	"of 200 parallel spends the count is granted": spendInParallel,
	"all are spent or none":                       allOrNone,
	"the tightest limit is told":                  tightest,
	"limits that are off are passed over":         limitsOff,
	"recording lets pass and reports":             recordOnly,
	"a clock that is behind forgets nothing":      clockBehind,
	"another period counts anew":                  otherPeriod,
	"what is refused or given back leaves no key": refusedLeavesNothing,
	"several units are spent together":            severalUnits,
	"a window lives as long as it counts":         windowLives,
	"a server that lost its scripts gets them":    scriptsLost,
}

func reporter(into map[limits.Name]int) func(context.Context, limits.Name, time.Duration) {
	return func(_ context.Context, name limits.Name, _ time.Duration) { into[name]++ }
}

func (b *fixture) spend(t *testing.T, spends ...limits.Spend) limits.Decision {
	t.Helper()
	_, d, err := b.store.Gate().Admit(t.Context(), "", spends)
	if err != nil {
		t.Fatalf("Spend: %v", err)
	}
	return d
}

// on spends one limit for a subject that no other test uses.
func on(t *testing.T, subject, name string, count int, period time.Duration) limits.Spend {
	return limits.Spend{
		Limit:   limits.Limit{Name: limits.Name(name), Count: count, Period: period},
		Subject: t.Name() + subject,
	}
}

// windowModel: never more than the count in any period, forgotten at most a sixtieth late, and RetryAfter
// is the first millisecond that grants.
func windowModel(t *testing.T, b *fixture) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	for round := range 12 {
		period := time.Duration(1000+r.IntN(3_600_000)) * time.Millisecond
		limit := on(t, string(rune('a'+round)), "model", 1+r.IntN(8), period)
		var granted []time.Time
		within := func(span time.Duration) int {
			return testkit.Count(granted, func(at time.Time) bool { return b.clock.Now().Sub(at) < span })
		}
		for range 80 {
			step := period / 4
			switch r.IntN(20) {
			case 0:
				step = 4 * period // long enough for all to be forgotten
			case 1, 2, 3, 4, 5:
				step = period / 100
			}
			b.clock.Advance(time.Duration(r.Int64N(int64(step))).Truncate(time.Millisecond))
			d := b.spend(t, limit)
			if d.Allowed() {
				granted = append(granted, b.clock.Now())
				if n := within(period); n > limit.Limit.Count {
					t.Fatalf("%v: %d granted in one period", limit.Limit, n)
				}
				continue
			}
			if n := within(period + period/60 + time.Millisecond); n < limit.Limit.Count {
				t.Fatalf("%v: refused with %d in the last period and a slot", limit.Limit, n)
			}
			b.clock.Advance(d.RetryAfter - time.Millisecond)
			if b.spend(t, limit).Allowed() {
				t.Fatalf("%v: granted before RetryAfter %v was over", limit.Limit, d.RetryAfter)
			}
			b.clock.Advance(time.Millisecond)
			if d := b.spend(t, limit); !d.Allowed() {
				t.Fatalf("%v: refused after RetryAfter: %+v", limit.Limit, d)
			}
			granted = append(granted, b.clock.Now())
		}
	}
}

func spendInParallel(t *testing.T, b *fixture) {
	spend := on(t, "", "one", 7, time.Minute)
	decisions := testkit.Parallel(200, func(int) limits.Decision { return b.spend(t, spend) })
	if n := testkit.Count(decisions, limits.Decision.Allowed); n != 7 {
		t.Errorf("%d granted, want 7", n)
	}
}

func allOrNone(t *testing.T, b *fixture) {
	wide, narrow := on(t, "1", "wide", 3, time.Hour), on(t, "2", "narrow", 1, time.Minute)
	same := on(t, "1", "same", 3, time.Hour) // shares its subject with wide, so its script
	b.spend(t, wide, same, narrow)
	for range 5 {
		d := b.spend(t, wide, same, narrow)
		want := limits.Decision{Refused: "narrow", RetryAfter: d.RetryAfter, Limit: narrow.Limit}
		if diff := cmp.Diff(want, d); diff != "" || d.RetryAfter <= 0 {
			t.Fatalf("decision, -want +got:\n%s", diff)
		}
		b.clock.Advance(time.Millisecond)
	}
	if d := b.spend(t, wide, same); d.Remaining != 1 {
		t.Errorf("%d left of the wide limit, want 1: refused spends must be given back", d.Remaining)
	}
	if d := b.spend(t, wide, same); !d.Allowed() || d.Remaining != 0 {
		t.Errorf("third spend: %+v", d)
	}
	if d := b.spend(t, narrow, wide); d.Refused != "narrow" {
		t.Errorf("refused by %q, want the first", d.Refused)
	}
}

func tightest(t *testing.T, b *fixture) {
	wide, narrow := on(t, "1", "wide", 30, time.Hour), on(t, "2", "narrow", 10, time.Minute)
	want := limits.Decision{Limit: narrow.Limit, Remaining: 9}
	if diff := cmp.Diff(want, b.spend(t, wide, narrow)); diff != "" {
		t.Errorf("decision, -want +got:\n%s", diff)
	}
}

func limitsOff(t *testing.T, b *fixture) {
	off := on(t, "", "off", 0, time.Hour)
	for range 3 {
		if diff := cmp.Diff(limits.Decision{}, b.spend(t, off)); diff != "" {
			t.Errorf("decision, -want +got:\n%s", diff)
		}
	}
	if d := b.spend(t, off, on(t, "", "on", 2, time.Hour)); d.Limit.Name != "on" || d.Remaining != 1 {
		t.Errorf("decision beside one that is off: %+v", d)
	}
}

func recordOnly(t *testing.T, b *fixture) {
	reported := map[limits.Name]int{}
	b.store.Rules.Mode = limits.Record
	b.store.Rules.Report = reporter(reported)
	spend, other := on(t, "1", "small", 2, time.Hour), on(t, "2", "large", 50, time.Hour)
	same := on(t, "1", "tiny", 1, time.Hour) // of the same place
	for range 6 {
		if d := b.spend(t, spend, other, same); !d.Allowed() {
			t.Fatalf("refused: %+v", d)
		}
	}
	if want := map[limits.Name]int{"small": 4, "tiny": 5}; !cmp.Equal(reported, want) {
		t.Errorf("reported %v, want %v", reported, want)
	}
	b.store.Rules.Mode = limits.Enforce
	d := b.spend(t, spend)
	if d.Allowed() {
		t.Error("what was recorded must count once limits are enforced")
	}
	b.clock.Advance(d.RetryAfter) // six units in one slot: all of them go together
	if d := b.spend(t, spend); !d.Allowed() {
		t.Errorf("refused after RetryAfter: %+v", d)
	}
}

func clockBehind(t *testing.T, b *fixture) {
	spend := on(t, "", "skewed", 2, time.Minute)
	b.spend(t, spend)
	b.clock.Advance(-30 * time.Second)
	b.spend(t, spend) // counts as if spent now by the clock that is ahead
	b.clock.Advance(30*time.Second + time.Minute)
	if b.spend(t, spend).Allowed() {
		t.Error("forgotten early")
	}
	b.clock.Advance(time.Second)
	if !b.spend(t, spend).Allowed() {
		t.Error("forgotten late")
	}
}

// windowLives: the key is gone no sooner than what was spent last has ceased to count.
func windowLives(t *testing.T, b *fixture) {
	const counts = time.Hour + time.Minute // a period and a slot
	spend := on(t, "", "lives", 100, time.Hour)
	before := b.client.Keys(t.Context(), "*:window:lives:*").Val()
	began := time.Now()
	b.spend(t, spend)
	key := ""
	for _, found := range b.client.Keys(t.Context(), "*:window:lives:*").Val() {
		if !slices.Contains(before, found) {
			key = found
		}
	}
	lives := func(when string) {
		t.Helper()
		if ttl := b.client.PTTL(t.Context(), key).Val(); ttl <= counts-time.Since(began) {
			t.Errorf("after a spend %s the key lives for %v", when, ttl)
		}
	}
	lives("of a new window")
	b.spend(t, spend)
	lives("in the same slot")
	for when, step := range map[string]time.Duration{"in a later slot": 2 * time.Minute, "by a clock behind": -time.Minute} {
		if !b.client.PExpire(t.Context(), key, time.Minute).Val() { // as if the first spend were an hour ago
			t.Fatal("the key is gone")
		}
		b.clock.Advance(step)
		b.spend(t, spend)
		lives(when)
	}
}

// refusedLeavesNothing: requests from ever more subjects that a limit of all refuses fill no memory.
func refusedLeavesNothing(t *testing.T, b *fixture) {
	all := on(t, "everybody", "bound_all", 1, time.Hour)
	b.spend(t, all)
	for i := range 20 {
		b.spend(t, on(t, "subject"+string(rune('a'+i)), "bound_one", 5, time.Hour), all)
	}
	if keys := b.client.Keys(t.Context(), "*:window:bound_one:*").Val(); len(keys) != 0 {
		t.Errorf("%d windows of refused requests are left", len(keys))
	}
	back := on(t, "", "bound_back", 5, time.Hour)
	b.spend(t, back)
	b.spend(t, back)
	for range 3 { // one more than was spent
		if err := b.store.Gate().Refund(t.Context(), []limits.Spend{back}); err != nil {
			t.Fatal(err)
		}
	}
	if keys := b.client.Keys(t.Context(), "*:window:bound_back:*").Val(); len(keys) != 0 {
		t.Errorf("%d windows without a unit are left", len(keys))
	}
	if d := b.spend(t, back); d.Remaining != 4 {
		t.Errorf("%d left of 5 after the first", d.Remaining)
	}
}

// severalUnits: a spend of seven is granted as long as seven are left, and comes back as seven.
func severalUnits(t *testing.T, b *fixture) {
	one := on(t, "", "weighted", 20, time.Hour)
	seven := one
	seven.Units = 7
	for _, left := range []int{13, 6} {
		if d := b.spend(t, seven); !d.Allowed() || d.Remaining != left {
			t.Errorf("%+v, want %d left", d, left)
		}
	}
	if d := b.spend(t, seven); d.Allowed() || d.RetryAfter <= 0 {
		t.Errorf("seven of six: %+v", d)
	}
	if d := b.spend(t, one, seven); d.Allowed() { // another number of units is another script: it gives back what it took
		t.Errorf("one and seven of six: %+v", d)
	}
	if d := b.spend(t, one); !d.Allowed() || d.Remaining != 5 {
		t.Errorf("one of six: %+v", d)
	}
	if err := b.store.Gate().Refund(t.Context(), []limits.Spend{seven}); err != nil {
		t.Fatal(err)
	}
	if left, err := b.store.Gate().Left(t.Context(), one); err != nil || left != 12 {
		t.Errorf("%d left after the refund: %v", left, err)
	}
	b.clock.Advance(2 * time.Hour)
	if d := b.spend(t, seven); d.Remaining != 13 {
		t.Errorf("%+v in the next period", d)
	}
}

func otherPeriod(t *testing.T, b *fixture) {
	b.spend(t, on(t, "", "changed", 1, time.Minute))
	if !b.spend(t, on(t, "", "changed", 1, time.Hour)).Allowed() {
		t.Error("a window of another period was counted")
	}
}

func scriptsLost(t *testing.T, b *fixture) {
	spend := on(t, "", "kept", 2, time.Minute)
	b.spend(t, spend)
	if err := b.client.ScriptFlush(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	b.spend(t, spend)
	if b.spend(t, spend).Allowed() {
		t.Error("a third unit was granted")
	}
}
