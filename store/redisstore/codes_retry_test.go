package redisstore_test

import (
	"errors"
	"testing"
	"time"

	"usher/messages"
	"usher/verify"
)

// codesRetryTests check that a code is sent again only while it can be entered.
var codesRetryTests = behaviours{
	"a message that failed is claimed again":          retryFailed,
	"a message that did not arrive is claimed again":  retryUndelivered,
	"asking changes nothing":                          retryAsks,
	"a code that cannot be entered stays as it is":    retryOver,
	"a message on its way or there stays as it is":    retryOnItsWay,
	"a retry is noted like every change of a code":    retryNoted,
	"unknown ids are missing and harm nothing to ask": retryUnknown,
}

func (b *fixture) wantRetry(t *testing.T, id string, dryRun bool, want string) {
	t.Helper()
	reason, err := b.codes.Retry(t.Context(), id, dryRun)
	if err != nil || reason != want {
		t.Errorf("Retry = %q, %v, want %q", reason, err, want)
	}
}

// failed issues a code whose message a provider has refused.
func (b *fixture) failed(t *testing.T) string {
	t.Helper()
	issued := b.issue(t, verify.Login)
	b.record(t, b.claim(t, issued.ID), messages.Failed)
	return issued.ID
}

func retryFailed(t *testing.T, b *fixture) {
	id := b.failed(t)
	b.wantRetry(t, id, false, "")
	b.wantRetry(t, id, false, "") // an earlier caller may have died before it enqueued the task
	b.wantState(t, id, messages.Queued)
	if claim := b.claim(t, id); claim.Attempt != 2 {
		t.Errorf("attempt %d, want 2", claim.Attempt)
	}
}

func retryUndelivered(t *testing.T, b *fixture) {
	issued := b.issue(t, verify.Login)
	b.recordAs(t, b.claim(t, issued.ID), "aliyun")
	b.apply(t, b.report(issued.ID, messages.Undelivered))
	b.wantRetry(t, issued.ID, false, "")
	b.recordAs(t, b.claim(t, issued.ID), "ronglian")
	b.wantState(t, issued.ID, messages.Sent)
}

func retryAsks(t *testing.T, b *fixture) {
	id := b.failed(t)
	b.wantRetry(t, id, true, "")
	b.wantState(t, id, messages.Failed)
	if _, err := b.codes.Claim(t.Context(), id, time.Second); !errors.Is(err, messages.ErrDropped) {
		t.Errorf("Claim = %v, want ErrDropped", err)
	}
}

func retryOver(t *testing.T, b *fixture) {
	used := b.failed(t)
	if _, err := b.codes.Use(t.Context(), used); err != nil {
		t.Fatal(err)
	}
	b.wantRetry(t, used, false, "used")
	b.clock.Advance(time.Minute)
	superseded := b.failed(t)
	b.clock.Advance(time.Minute)
	expired := b.replace(t, verify.Login, superseded).ID
	b.record(t, b.claim(t, expired), messages.Failed)
	b.wantRetry(t, superseded, false, "superseded")
	b.clock.Advance(policy().CodeTTL)
	b.wantRetry(t, expired, false, "expired")
	b.wantState(t, expired, messages.Failed)
}

func retryOnItsWay(t *testing.T, b *fixture) {
	issued := b.issue(t, verify.Login)
	b.wantRetry(t, issued.ID, false, "")
	claim := b.claim(t, issued.ID)
	b.wantRetry(t, issued.ID, false, "sending")
	b.record(t, claim, messages.Sent)
	b.wantRetry(t, issued.ID, false, "sent")
	b.apply(t, b.report(issued.ID, messages.Delivered))
	b.wantRetry(t, issued.ID, false, "delivered")
	b.wantState(t, issued.ID, messages.Delivered)
}

func retryNoted(t *testing.T, b *fixture) {
	id := b.failed(t)
	b.wantRetry(t, id, false, "")
	entries, _, err := b.store.Outcomes().Read(t.Context(), 1_000_000)
	if err != nil {
		t.Fatal(err)
	}
	var last messages.Record
	for _, entry := range entries {
		if entry.Record.ID == id && entry.Record.Revision > last.Revision {
			last = entry.Record
		}
	}
	if last.State != messages.Queued || last.Attempt != 1 {
		t.Errorf("the last note is %+v, want a queued message", last)
	}
}

func retryUnknown(t *testing.T, b *fixture) {
	for _, id := range []string{"", "nonsense", verify.NewID(b.subject)} {
		b.wantRetry(t, id, false, "missing")
		if _, err := b.codes.Status(t.Context(), id); !errors.Is(err, verify.ErrNotFound) {
			t.Errorf("Status = %v, want ErrNotFound", err)
		}
	}
}
