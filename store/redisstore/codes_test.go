package redisstore_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"usher/internal/testkit"
	"usher/limits"
	"usher/messages"
	"usher/verify"
)

// codesTests check the promises of [verify.Codes].
var codesTests = behaviours{
	"of 200 parallel issues one is granted":                  issuesInParallel,
	"the pause holds across purposes":                        pauseAcrossPurposes,
	"the limits of a number refuse and say when":             numberLimits,
	"recording limits let pass and report":                   numberLimitsRecorded,
	"issuing the same code again changes nothing":            issueTwice,
	"a void issue leaves nothing behind":                     voidTakesBack,
	"a void issue gives the older code back":                 voidKeepsPrevious,
	"a claimed code is not taken back":                       voidAfterClaim,
	"a void issue leaves a newer code alone":                 voidLeavesNewer,
	"a void issue is refunded where it was spent":            voidClockBehind,
	"a queue that fails costs nothing":                       queueFails,
	"a code opens its own purpose and number only":           purposesNeverCross,
	"a new code supersedes the one that it replaces":         newSupersedesOld,
	"codes of several askers live side by side":              sideBySide,
	"a code of an older program is good for its time":        olderCode,
	"strangers leave a share of a number's codes":            shares,
	"a void issue gives back what its standing spent":        voidShares,
	"a code ends with its time":                              codeExpires,
	"of 1,000 parallel guesses five are compared":            guessesInParallel,
	"guesses of a number are bounded by its codes":           guessesOfNumber,
	"all codes together have a bound of wrong ones":          wrongForAll,
	"a right code costs nothing of that bound":               rightForAll,
	"without a code's id its attempts are untouched":         strangersGuess,
	"of 50 parallel spends one succeeds":                     spendsInParallel,
	"guesses at a used code are bounded":                     guessesAtUsed,
	"a restored code is usable until its old end":            restore,
	"the status follows a code to its end":                   statusFollows,
	"of 20 parallel claims one succeeds":                     claimsInParallel,
	"a claim whose lease is over is taken over":              leaseOver,
	"an attempt that is to be repeated frees its own":        requeue,
	"what must not be sent is dropped":                       dropped,
	"an attempt at a mail is noted once, and none before it": mailNotes,
	"a message that no provider takes is delayed":            delayed,
	"a refusal of ours keeps the first cause":                firstCause,
	"outcomes are recorded once":                             recordTwice,
	"a claim that ran out is unresolved":                     claimsUnresolved,
	"unknown ids are harmless":                               unknownIDs,
}

func issuesInParallel(t *testing.T, b *fixture) {
	errs := testkit.Parallel(200, func(int) error {
		_, err := b.service.Issue(t.Context(), verify.Request{To: b.mobile, Purpose: verify.Login})
		return err
	})
	granted := testkit.Count(errs, func(err error) bool { return err == nil })
	var limit *verify.LimitError
	refused := testkit.Count(errs, func(err error) bool { return errors.As(err, &limit) && limit.Name == verify.ResendLimit })
	if granted != 1 || refused != 199 || b.queue.len() != 1 {
		t.Errorf("%d granted, %d paused, %d queued; want 1, 199, 1", granted, refused, b.queue.len())
	}
}

func pauseAcrossPurposes(t *testing.T, b *fixture) {
	b.issue(t, verify.Register)
	b.clock.Advance(59 * time.Second)
	_, err := b.service.Issue(t.Context(), verify.Request{To: b.mobile, Purpose: verify.Login})
	want := &verify.LimitError{Name: verify.ResendLimit, RetryAfter: time.Second}
	if got := new(verify.LimitError); !errors.As(err, &got) || !cmp.Equal(got, want) {
		t.Errorf("second code for another purpose: %v, want %v", err, want)
	}
	b.clock.Advance(time.Second)
	b.issue(t, verify.Login)
}

func numberLimits(t *testing.T, b *fixture) {
	var last error
	b.service.Codes = known{b.codes}
	for range 5 {
		b.issue(t, verify.Login)
		b.clock.Advance(time.Minute)
	}
	for range 3 {
		_, last = b.service.Issue(t.Context(), verify.Request{To: b.mobile, Purpose: verify.Login})
	}
	limit := new(verify.LimitError)
	if !errors.As(last, &limit) || limit.Name != string(limits.SMSMobileHour) {
		t.Fatalf("sixth code in an hour: %v", last)
	}
	b.clock.Advance(limit.RetryAfter - time.Millisecond)
	if _, err := b.service.Issue(t.Context(), verify.Request{To: b.mobile, Purpose: verify.Login}); err == nil {
		t.Error("granted before RetryAfter was over")
	}
	b.clock.Advance(time.Millisecond)
	b.issue(t, verify.Login)
}

// known requests every code as from a network that the owner has signed in from.
type known struct{ verify.Codes }

// Issue implements [verify.Codes].
func (k known) Issue(ctx context.Context, issue verify.Issue) error {
	issue.Standing = verify.Known
	return k.Codes.Issue(ctx, issue)
}

// ask asks for a code, and returns the limit that refused.
func (b *fixture) ask(t *testing.T, standing verify.Standing) limits.Name {
	t.Helper()
	_, err := b.service.Issue(t.Context(), verify.Request{To: b.mobile, Purpose: verify.Login, Standing: standing})
	if limit, refused := errors.AsType[*verify.LimitError](err); refused {
		return limits.Name(limit.Name)
	}
	if err != nil {
		t.Fatalf("Issue: %v", err)
	}
	return ""
}

// shares has strangers ask for as many codes as they get, then strangers who pay, then the owner.
func shares(t *testing.T, b *fixture) {
	b.service.Policy.ResendInterval = 0
	until := func(standing verify.Standing, refused limits.Name) (got int) {
		t.Helper()
		for ; got < 20; got++ {
			if name := b.ask(t, standing); name == refused {
				return got
			} else if name != "" {
				t.Fatalf("refused by %s, want %s", name, refused)
			}
		}
		return got
	}
	for hour, want := range []struct {
		name [3]limits.Name
		got  [3]int
	}{
		{[3]limits.Name{limits.SMSStrangerHour, limits.SMSUnknownHour, limits.SMSMobileHour}, [3]int{3, 1, 1}},
		{[3]limits.Name{limits.SMSStrangerHour, limits.SMSUnknownHour, limits.SMSMobileHour}, [3]int{3, 1, 1}},
		{[3]limits.Name{limits.SMSMobileDay, limits.SMSMobileDay, limits.SMSMobileDay}, [3]int{}},
	} {
		for i, standing := range []verify.Standing{verify.Stranger, verify.Payer, verify.Known} {
			if got := until(standing, want.name[i]); got != want.got[i] {
				t.Errorf("hour %d: standing %d got %d codes, want %d", hour+1, standing, got, want.got[i])
			}
		}
		b.clock.Advance(2 * time.Hour)
	}
}

// voidShares takes codes of every standing back: afterwards each may ask for as many as before.
func voidShares(t *testing.T, b *fixture) {
	b.service.Policy.ResendInterval = 0
	b.queue.fail(errors.New("queue is unavailable"))
	for range 20 {
		for _, standing := range []verify.Standing{verify.Stranger, verify.Payer, verify.Known} {
			_, err := b.service.Issue(t.Context(), verify.Request{To: b.mobile, Purpose: verify.Login, Standing: standing})
			if !errors.Is(err, verify.ErrQueue) {
				t.Fatalf("Issue: %v", err)
			}
		}
	}
	b.queue.fail(nil)
	for _, standing := range []verify.Standing{verify.Known, verify.Payer, verify.Stranger, verify.Stranger, verify.Stranger} {
		if refused := b.ask(t, standing); refused != "" {
			t.Errorf("standing %d is refused by %s", standing, refused)
		}
	}
}

func numberLimitsRecorded(t *testing.T, b *fixture) {
	reported := map[limits.Name]int{}
	b.store.Rules.Mode = limits.Record
	b.store.Rules.Report = reporter(reported)
	b.store.Rules.Set = limits.Set{limits.SMSMobileHour: {Name: limits.SMSMobileHour, Count: 2, Period: time.Hour}}
	for range 5 {
		b.issue(t, verify.Login)
		b.clock.Advance(time.Minute)
	}
	if want := map[limits.Name]int{limits.SMSMobileHour: 3}; !cmp.Equal(reported, want) {
		t.Errorf("reported %v, want %v", reported, want)
	}
}

func issueTwice(t *testing.T, b *fixture) {
	now := b.clock.Now()
	issue := verify.Issue{
		ID: verify.NewID(b.subject), Subject: b.subject, Purpose: verify.Login, KeyID: "k1", MAC: "mac",
		IssuedAt: now, ExpiresAt: now.Add(time.Minute), ResendAfter: time.Minute, MaxAttempts: 2,
	}
	for range 3 {
		if err := b.codes.Issue(t.Context(), issue); err != nil {
			t.Errorf("the same code again: %v", err)
		}
	}
	pending, err := b.codes.Try(t.Context(), issue.ID, verify.Login)
	want := verify.Pending{KeyID: "k1", MAC: "mac", AttemptsLeft: 1}
	if diff := cmp.Diff(want, pending); err != nil || diff != "" {
		t.Errorf("Try: %v\n%s", err, diff)
	}
	issue.ID, issue.ExpiresAt = verify.NewID(b.subject), now
	if err := b.codes.Issue(t.Context(), issue); err == nil {
		t.Error("a code that is over at once was issued")
	}
}

func unknownIDs(t *testing.T, b *fixture) {
	for _, id := range []string{"", "x", verify.NewID(b.subject), "{}" + verify.NewID(b.subject)[2:]} {
		if _, err := b.codes.Status(t.Context(), id); !errors.Is(err, verify.ErrNotFound) {
			t.Errorf("Status(%q): %v", id, err)
		}
		if _, err := b.codes.Try(t.Context(), id, verify.Login); !errors.Is(err, verify.ErrExpired) {
			t.Errorf("Try(%q): %v", id, err)
		}
		if _, err := b.codes.Use(t.Context(), id); !errors.Is(err, verify.ErrExpired) {
			t.Errorf("Use(%q): %v", id, err)
		}
		if err := errors.Join(b.codes.Void(t.Context(), messages.SMS, id, ""), b.codes.Restore(t.Context(), id)); err != nil {
			t.Errorf("Void and Restore(%q): %v", id, err)
		}
		claim, err := b.codes.Claim(t.Context(), id, time.Second)
		if !errors.Is(err, messages.ErrDropped) || claim.Reason != "missing" {
			t.Errorf("Claim(%q): %v, %q", id, err, claim.Reason)
		}
		outcome := messages.Outcome{State: messages.Sent}
		if err := b.codes.Record(t.Context(), claim, outcome); !errors.Is(err, messages.ErrStale) {
			t.Errorf("Record(%q): %v", id, err)
		}
	}
}
