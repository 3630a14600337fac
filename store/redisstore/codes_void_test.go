package redisstore_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"usher/limits"
	"usher/messages"
	"usher/verify"
)

func voidTakesBack(t *testing.T, b *fixture) {
	b.store.Rules.Set = limits.Set{limits.SMSMobileHour: {Name: limits.SMSMobileHour, Count: 1, Period: time.Hour}}
	for range 3 { // a pause or a unit that stayed would refuse the next one
		issued := b.issue(t, verify.Login)
		if err := b.codes.Void(t.Context(), messages.SMS, issued.ID, ""); err != nil {
			t.Fatal(err)
		}
		if _, err := b.codes.Status(t.Context(), issued.ID); !errors.Is(err, verify.ErrNotFound) {
			t.Errorf("Status of a void code: %v", err)
		}
		if _, err := b.codes.Try(t.Context(), issued.ID, verify.Login); !errors.Is(err, verify.ErrExpired) {
			t.Errorf("Try of a void code: %v", err)
		}
		b.clock.Advance(time.Second)
	}
	b.issue(t, verify.Login)
}

func voidKeepsPrevious(t *testing.T, b *fixture) {
	older := b.issue(t, verify.Login)
	b.clock.Advance(time.Minute)
	newer := b.replace(t, verify.Login, older.ID)
	if err := b.codes.Void(t.Context(), messages.SMS, newer.ID, older.ID); err != nil {
		t.Fatal(err)
	}
	if err := b.service.Spend(t.Context(), b.mobile, verify.Login, older.ID, b.code(t, older.ID, verify.Login)); err != nil {
		t.Errorf("Spend of the older code: %v", err)
	}
}

func voidLeavesNewer(t *testing.T, b *fixture) {
	older := b.issue(t, verify.Login)
	b.clock.Advance(time.Minute)
	newer := b.replace(t, verify.Login, older.ID)
	if err := b.codes.Void(t.Context(), messages.SMS, older.ID, ""); err != nil {
		t.Fatal(err)
	}
	if _, err := b.service.Issue(t.Context(), verify.Request{To: b.mobile, Purpose: verify.Login}); err == nil {
		t.Error("the newer code's pause was taken back")
	}
	if err := b.service.Spend(t.Context(), b.mobile, verify.Login, newer.ID, b.code(t, newer.ID, verify.Login)); err != nil {
		t.Errorf("Spend of the newer code: %v", err)
	}
}

// A clock that is behind spends in the slot of the one that is ahead, and has to find its unit there.
func voidClockBehind(t *testing.T, b *fixture) {
	b.service.Policy.ResendInterval = 0
	b.store.Rules.Set = limits.Set{limits.SMSMobileHour: {Name: limits.SMSMobileHour, Count: 2, Period: time.Hour}}
	b.issue(t, verify.Login)
	b.clock.Advance(-10 * time.Minute)
	if err := b.codes.Void(t.Context(), messages.SMS, b.issue(t, verify.Login).ID, ""); err != nil {
		t.Fatal(err)
	}
	b.issue(t, verify.Login)
	if _, err := b.service.Issue(t.Context(), verify.Request{To: b.mobile, Purpose: verify.Login}); err == nil {
		t.Error("more was given back than spent")
	}
}

func voidAfterClaim(t *testing.T, b *fixture) {
	issued := b.issue(t, verify.Login)
	b.claim(t, issued.ID)
	if err := b.codes.Void(t.Context(), messages.SMS, issued.ID, ""); err != nil {
		t.Fatal(err)
	}
	if _, err := b.service.Issue(t.Context(), verify.Request{To: b.mobile, Purpose: verify.Login}); err == nil {
		t.Error("a message may be out and yet its pause was taken back")
	}
	if err := b.service.Spend(t.Context(), b.mobile, verify.Login, issued.ID, b.code(t, issued.ID, verify.Login)); err != nil {
		t.Errorf("a code that may be out does not open: %v", err)
	}
}

func queueFails(t *testing.T, b *fixture) {
	cause := errors.New("queue is unavailable")
	b.queue.fail(cause)
	ctx, cancel := context.WithCancel(t.Context())
	queue := cancelled{cancel, b.queue} // the caller has gone meanwhile
	b.service.Queue = queue
	_, err := b.service.Issue(ctx, verify.Request{To: b.mobile, Purpose: verify.Login})
	if !errors.Is(err, verify.ErrQueue) || !errors.Is(err, cause) {
		t.Errorf("Issue: %v, want ErrQueue and its cause", err)
	}
	b.queue.fail(nil)
	b.issue(t, verify.Login)
}

// cancelled ends the caller's context before it answers.
type cancelled struct {
	cancel context.CancelFunc
	verify.Queue
}

// EnqueueCode ends the context first.
func (c cancelled) EnqueueCode(ctx context.Context, code verify.Queued) error {
	c.cancel()
	return c.Queue.EnqueueCode(ctx, code)
}
