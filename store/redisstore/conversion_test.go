package redisstore_test

import (
	"errors"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"usher/internal/testkit"
	"usher/limits"
	"usher/verify"
)

// conversionTests check that a prefix is stopped whose codes are not entered.
var conversionTests = behaviours{
	"stops below the percentage and not before the count": conversionStops,
	"opens again when codes are entered":                  conversionOpensByCodes,
	"opens again when the sends are forgotten":            conversionOpensByTime,
	"keeps going by a good history":                       conversionKeepsAGoodHistory,
	"counts nothing that another limit refuses":           conversionRefunded,
	"is a risk where it throttles":                        conversionRisk,
	"is spent with the limits of its place or not at all": conversionTogether,
	"recording lets pass and reports":                     conversionRecorded,
	"of parallel sends the count passes":                  conversionInParallel,
	"a code counts as entered once":                       conversionCountsOnce,
	"refunds and reads":                                   refundAndLook,
	"what is known is forgotten in time":                  knownForATime,
}

// guard is the default one.
func (b *fixture) guard() limits.Spend {
	return limits.Spend{Limit: limits.Defaults()[limits.SMSConversion], Subject: b.mobile.Prefix()}
}

// send counts n codes sent to the prefix.
func (b *fixture) send(t *testing.T, n int) (last limits.Decision) {
	t.Helper()
	for range n {
		last = b.spend(t, b.guard())
	}
	return last
}

// enterCodes counts n codes entered.
func (b *fixture) enterCodes(t *testing.T, n int) {
	t.Helper()
	for range n {
		if err := b.store.Gate().Entered(t.Context(), b.mobile); err != nil {
			t.Fatal(err)
		}
	}
}

func conversionStops(t *testing.T, b *fixture) {
	b.enterCodes(t, 4)
	if d := b.send(t, 15); !d.Allowed() {
		t.Fatalf("the 15th code is refused: %+v", d)
	}
	d := b.send(t, 1) // 4 of 15 are 27 %
	want := limits.Decision{Refused: limits.SMSConversion, RetryAfter: d.RetryAfter, Limit: b.guard().Limit}
	if diff := cmp.Diff(want, d); diff != "" || d.RetryAfter <= 9*time.Minute || d.RetryAfter > 11*time.Minute {
		t.Errorf("the 16th code, -want +got:\n%s", diff)
	}
	other := b.guard()
	other.Subject = "1999999"
	if !b.spend(t, other).Allowed() {
		t.Error("another prefix is refused as well")
	}
}

func conversionOpensByCodes(t *testing.T, b *fixture) {
	b.enterCodes(t, 4)
	if b.send(t, 16).Allowed() {
		t.Fatal("not refused")
	}
	b.enterCodes(t, 1)
	if d := b.send(t, 2); !d.Allowed() { // 5 of 16 are 31 %
		t.Errorf("refused with 31 %%: %+v", d)
	}
	if b.send(t, 1).Allowed() {
		t.Error("granted with 5 of 17")
	}
	b.enterCodes(t, 100)
	if d := b.send(t, 200); !d.Allowed() {
		t.Errorf("a prefix whose codes are entered has an upper limit: %+v", d)
	}
}

func conversionOpensByTime(t *testing.T, b *fixture) {
	b.send(t, 15)
	d := b.send(t, 1)
	b.clock.Advance(d.RetryAfter - time.Millisecond)
	if b.send(t, 1).Allowed() {
		t.Error("granted before RetryAfter was over")
	}
	b.clock.Advance(time.Millisecond)
	if d := b.send(t, 5); !d.Allowed() {
		t.Errorf("refused after RetryAfter: %+v", d)
	}
	if d := b.send(t, 1); d.Allowed() || d.RetryAfter > 11*time.Minute {
		t.Errorf("not throttled after a bad day: %+v", d)
	}
	b.clock.Advance(25 * time.Hour)
	if d := b.send(t, 15); !d.Allowed() {
		t.Errorf("refused when the bad day is over: %+v", d)
	}
}

// conversionKeepsAGoodHistory: strangers who request codes without entering them cannot stop a prefix that others use
// within minutes.
func conversionKeepsAGoodHistory(t *testing.T, b *fixture) {
	b.enterCodes(t, 30)
	b.send(t, 40)
	b.clock.Advance(time.Hour)
	if d := b.send(t, 61); !d.Allowed() { // 30 of 100 are 30 %
		t.Errorf("refused while 30 %% of the day's codes are entered: %+v", d)
	}
	if d := b.send(t, 1); d.Allowed() {
		t.Error("granted with 30 of 101 in the day and none of 61 in the period")
	}
	b.enterCodes(t, 1)
	if d := b.send(t, 1); !d.Allowed() {
		t.Errorf("an entered code does not open the prefix: %+v", d)
	}
}

// conversionRisk: a prefix whose codes are not entered is a risk before the guard refuses, also when its window is empty.
func conversionRisk(t *testing.T, b *fixture) {
	for i := range 15 {
		if d := b.send(t, 1); d.Risk.Guarded {
			t.Fatalf("code %d is the risk of a prefix that cannot be judged yet", i+1)
		}
	}
	b.clock.Advance(11 * time.Minute)
	if d := b.send(t, 1); !d.Allowed() || !d.Risk.Guarded {
		t.Errorf("a code to a prefix without entered ones: %+v", d)
	}
	b.enterCodes(t, 5)
	if d := b.send(t, 1); !d.Allowed() || d.Risk.Guarded {
		t.Errorf("5 of 16 are 31 %%, still a risk: %+v", d)
	}
}

func conversionRefunded(t *testing.T, b *fixture) {
	full := on(t, "", "full", 1, time.Hour)
	b.spend(t, full)
	for range 60 {
		if d := b.spend(t, b.guard(), full); d.Refused != "full" {
			t.Fatalf("decision: %+v", d)
		}
	}
	if d := b.send(t, 15); !d.Allowed() {
		t.Errorf("refused codes were counted as sent: %+v", d)
	}
}

// conversionTogether: the guard shares its script with a limit of its prefix and with one that is kept beside it.
func conversionTogether(t *testing.T, b *fixture) {
	prefix := limits.Spend{Limit: limits.Limit{Name: limits.SMSPrefix, Count: 17, Period: time.Hour}, Subject: b.mobile.Prefix()}
	beside := on(t, "", "beside", 25, time.Hour)
	beside.Beside = prefix.Subject
	for i := range 15 {
		want := limits.Decision{Limit: prefix.Limit, Remaining: 16 - i}
		if diff := cmp.Diff(want, b.spend(t, beside, prefix, b.guard())); diff != "" {
			t.Fatalf("spend %d, -want +got:\n%s", i+1, diff)
		}
	}
	if d := b.spend(t, beside, prefix, b.guard()); d.Refused != limits.SMSConversion {
		t.Fatalf("refused by %q, want the guard", d.Refused)
	}
	for _, want := range []limits.Decision{{Limit: prefix.Limit, Remaining: 1}, {Limit: prefix.Limit}} {
		if diff := cmp.Diff(want, b.spend(t, beside, prefix)); diff != "" {
			t.Errorf("beside the guard, -want +got:\n%s", diff)
		}
	}
	b.enterCodes(t, 5)
	if d := b.spend(t, beside, prefix, b.guard()); d.Refused != limits.SMSPrefix {
		t.Errorf("refused by %q, want the prefix", d.Refused)
	}
	if d := b.spend(t, beside); d.Remaining != 7 {
		t.Errorf("%d left beside refusals, want 7", d.Remaining)
	}
	if d := b.send(t, 2); !d.Allowed() {
		t.Errorf("the guard counted what its prefix refused: %+v", d)
	}
	if d := b.send(t, 1); d.Allowed() {
		t.Error("granted with 5 of 17")
	}
	if err := b.store.Gate().Refund(t.Context(), []limits.Spend{beside, prefix, b.guard()}); err != nil {
		t.Fatal(err)
	}
	if d := b.send(t, 1); !d.Allowed() {
		t.Errorf("not given back to the guard: %+v", d)
	}
	if d := b.spend(t, beside, prefix); !d.Allowed() || d.Remaining != 0 {
		t.Errorf("not given back beside the guard: %+v", d)
	}
}

func conversionRecorded(t *testing.T, b *fixture) {
	reported := map[limits.Name]int{}
	b.store.Rules.Mode, b.store.Rules.Report = limits.Record, reporter(reported)
	if d := b.send(t, 60); !d.Allowed() {
		t.Errorf("refused: %+v", d)
	}
	if want := map[limits.Name]int{limits.SMSConversion: 45}; !cmp.Equal(reported, want) {
		t.Errorf("reported %v, want %v", reported, want)
	}
	b.enterCodes(t, 15) // of 15 they would be enough, of 60 they are not
	b.store.Rules.Mode = limits.Enforce
	if b.send(t, 1).Allowed() {
		t.Error("what was recorded must count once the guard is enforced")
	}
}

func conversionInParallel(t *testing.T, b *fixture) {
	decisions := testkit.Parallel(200, func(int) limits.Decision { return b.spend(t, b.guard()) })
	if n := testkit.Count(decisions, limits.Decision.Allowed); n != 15 {
		t.Errorf("%d granted, want 15", n)
	}
}

// conversionCountsOnce: a number that spends one code over and over, with requests that fail for another
// reason, makes up for one send and not for many.
func conversionCountsOnce(t *testing.T, b *fixture) {
	b.unlimited()
	issued := b.issue(t, verify.Login)
	for i := range 5 {
		first, err := b.codes.Use(t.Context(), issued.ID)
		if err != nil || first != (i == 0) {
			t.Errorf("use %d is the first: %v, %v", i+1, first, err)
		}
		if _, err := b.codes.Use(t.Context(), issued.ID); !errors.Is(err, verify.ErrExpired) {
			t.Errorf("used twice: %v", err)
		}
		if err := b.codes.Restore(t.Context(), issued.ID); err != nil {
			t.Fatal(err)
		}
	}
}

func refundAndLook(t *testing.T, b *fixture) {
	one, other := on(t, "1", "one", 3, time.Hour), on(t, "2", "other", 5, time.Hour)
	left := func(spend limits.Spend) int {
		n, err := b.store.Gate().Left(t.Context(), spend)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	if left(one) != 3 {
		t.Errorf("%d left before anything was spent", left(one))
	}
	b.spend(t, one, other)
	b.spend(t, one, other)
	if left(one) != 1 || left(other) != 3 {
		t.Errorf("%d and %d left, want 1 and 3", left(one), left(other))
	}
	if err := b.client.ScriptFlush(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	if err := b.store.Gate().Refund(t.Context(), []limits.Spend{one, other}); err != nil {
		t.Fatal(err)
	}
	if left(one) != 2 || left(other) != 4 {
		t.Errorf("%d and %d left after a refund, want 2 and 4", left(one), left(other))
	}
}

func knownForATime(t *testing.T, b *fixture) {
	gate, login := b.store.Gate(), t.Name()
	known := func(network string) bool {
		yes, err := gate.Known(t.Context(), network, login)
		if err != nil {
			t.Fatal(err)
		}
		return yes
	}
	know := func(network string) {
		if err := gate.Know(t.Context(), time.Hour, network, login, login+"2"); err != nil {
			t.Fatal(err)
		}
	}
	if known("home") {
		t.Error("known before it was seen")
	}
	know("home")
	if !known("home") || known("elsewhere") {
		t.Errorf("home is known: %v, elsewhere: %v", known("home"), known("elsewhere"))
	}
	b.clock.Advance(time.Hour)
	if known("home") {
		t.Error("known for ever")
	}

	// Twenty networks of a name are remembered, the last ones.
	for i := range 25 {
		b.clock.Advance(time.Second)
		know(strconv.Itoa(i))
	}
	if known("4") || !known("5") || !known("24") {
		t.Errorf("of 25 networks the fifth is known: %v, the sixth: %v, the last: %v", known("4"), known("5"), known("24"))
	}
}
