package redisstore_test

import (
	"errors"
	"testing"
	"time"

	"usher/internal/testkit"
	"usher/messages"
	"usher/verify"
)

func statusFollows(t *testing.T, b *fixture) {
	issued := b.issue(t, verify.Login)
	b.clock.Advance(4 * time.Second)
	status, err := b.codes.Status(t.Context(), issued.ID)
	if err != nil || status.ResendAfter != 56*time.Second || status.Purpose != verify.Login || status.Used {
		t.Errorf("Status = %+v, %v", status, err)
	}
	if left := status.ExpiresAt.Sub(b.clock.Now()); left != policy().CodeTTL-4*time.Second {
		t.Errorf("%v left", left)
	}
	b.wantState(t, issued.ID, messages.Queued)
	claim := b.claim(t, issued.ID)
	b.wantState(t, issued.ID, messages.Queued)
	b.record(t, claim, messages.Sent)
	b.wantState(t, issued.ID, messages.Sent)
	b.clock.Advance(policy().CodeTTL)
	b.wantState(t, issued.ID, verify.StateExpired)

	failed := b.issue(t, verify.Login)
	b.record(t, b.claim(t, failed.ID), messages.Failed)
	b.wantState(t, failed.ID, messages.Failed)
	b.clock.Advance(policy().CodeTTL)
	b.wantState(t, failed.ID, messages.Failed)
}

func (b *fixture) record(t *testing.T, claim messages.Claim, state messages.State) {
	t.Helper()
	outcome := messages.Outcome{State: state, Provider: "aliyun", ProviderID: "biz", Code: "OK", At: b.clock.Now()}
	if err := b.codes.Record(t.Context(), claim, outcome); err != nil {
		t.Fatalf("Record %s: %v", state, err)
	}
}

// recordAs records that a provider has accepted the code.
func (b *fixture) recordAs(t *testing.T, claim messages.Claim, provider string) {
	t.Helper()
	outcome := messages.Outcome{State: messages.Sent, Provider: provider, At: b.clock.Now()}
	if err := b.codes.Record(t.Context(), claim, outcome); err != nil {
		t.Fatalf("Record: %v", err)
	}
}

func delayed(t *testing.T, b *fixture) {
	issued := b.issue(t, verify.Login)
	b.clock.Advance(4900 * time.Millisecond)
	b.wantState(t, issued.ID, messages.Queued)
	b.clock.Advance(100 * time.Millisecond)
	b.wantState(t, issued.ID, verify.StateDelayed)
	claim := b.claim(t, issued.ID)
	b.wantState(t, issued.ID, verify.StateDelayed)
	b.record(t, claim, messages.Queued) // every provider refused
	b.wantState(t, issued.ID, verify.StateDelayed)
	b.record(t, b.claim(t, issued.ID), messages.Sent)
	b.wantState(t, issued.ID, messages.Sent)
	b.clock.Advance(time.Minute)
	late := b.issue(t, verify.Login)
	b.clock.Advance(policy().CodeTTL)
	b.wantState(t, late.ID, verify.StateExpired)
}

// firstCause checks that a refusal of ours does not hide what a provider said.
func firstCause(t *testing.T, b *fixture) {
	issued := b.issue(t, verify.Login)
	record := func(state messages.State, provider, code, wantProvider, wantCode string) {
		t.Helper()
		outcome := messages.Outcome{State: state, Provider: provider, Code: code, At: b.clock.Now()}
		if err := b.codes.Record(t.Context(), b.claim(t, issued.ID), outcome); err != nil {
			t.Fatal(err)
		}
		if is := b.last(t, issued.ID); is.Provider != wantProvider || is.ProviderCode != wantCode || is.State != state {
			t.Errorf("after %s of %s: %s of %s, %s", code, provider, is.ProviderCode, is.Provider, is.State)
		}
	}
	record(messages.Queued, "worker", "stopping", "worker", "stopping")
	record(messages.Queued, "ronglian", "own_breaker_open", "ronglian", "own_breaker_open")
	record(messages.Queued, "aliyun", "SignatureDoesNotMatch", "aliyun", "SignatureDoesNotMatch")
	record(messages.Queued, "ronglian", "own_breaker_open", "aliyun", "SignatureDoesNotMatch")
	record(messages.Queued, "worker", "stopping", "aliyun", "SignatureDoesNotMatch")
	record(messages.Queued, "ronglian", "111109", "ronglian", "111109")
	record(messages.Failed, "aliyun", "own_given_up", "ronglian", "111109")
}

func claimsInParallel(t *testing.T, b *fixture) {
	issued := b.issue(t, verify.Login)
	type result struct {
		claim messages.Claim
		err   error
	}
	results := testkit.Parallel(20, func(int) result {
		claim, err := b.codes.Claim(t.Context(), issued.ID, 30*time.Second)
		return result{claim, err}
	})
	until := b.clock.Now().Add(30 * time.Second)
	won := testkit.Count(results, func(r result) bool {
		return r.err == nil && r.claim.Attempt == 1 && r.claim.LeaseUntil.Equal(until)
	})
	busy := testkit.Count(results, func(r result) bool {
		return errors.Is(r.err, messages.ErrBusy) && r.claim.LeaseUntil.Equal(until)
	})
	if won != 1 || busy != 19 {
		t.Errorf("%d claimed it and %d found it busy, want 1 and 19", won, busy)
	}
}

func leaseOver(t *testing.T, b *fixture) {
	issued := b.issue(t, verify.Login)
	first := b.claim(t, issued.ID)
	b.clock.Advance(30*time.Second - time.Millisecond)
	if _, err := b.codes.Claim(t.Context(), issued.ID, time.Second); !errors.Is(err, messages.ErrBusy) {
		t.Errorf("claim within the lease: %v", err)
	}
	b.clock.Advance(time.Millisecond)
	second := b.claim(t, issued.ID)
	if second.Attempt != 2 {
		t.Errorf("second claim is attempt %d", second.Attempt)
	}
	late := messages.Outcome{State: messages.Failed, At: b.clock.Now()}
	if err := b.codes.Record(t.Context(), first, late); !errors.Is(err, messages.ErrStale) {
		t.Errorf("outcome of the first claim: %v", err)
	}
	b.clock.Advance(time.Minute) // there was no claim since, so the outcome still counts
	b.record(t, second, messages.Sent)
	b.wantState(t, issued.ID, messages.Sent)
}

func claimsUnresolved(t *testing.T, b *fixture) {
	issued := b.issue(t, verify.Login)
	want := func(claim messages.Claim, unresolved int, provider string, at time.Time) {
		t.Helper()
		if claim.UnresolvedClaims != unresolved || claim.UnresolvedProvider != provider || !claim.UnresolvedAt.Equal(at) {
			t.Errorf("claim = %+v, want %d unresolved claims, %q, %v", claim, unresolved, provider, at)
		}
	}
	first := b.claim(t, issued.ID)
	want(first, 0, "", time.Time{})
	b.record(t, first, messages.Queued)

	began := b.clock.Now()
	want(b.claim(t, issued.ID), 0, "", time.Time{})
	b.clock.Advance(30 * time.Second) // that worker died
	second := b.claim(t, issued.ID)
	want(second, 1, "", began)

	b.clock.Advance(time.Second)
	b.record(t, second, messages.Sending) // the outcome is unknown, the provider is not
	b.record(t, second, messages.Sending)
	if _, err := b.codes.Claim(t.Context(), issued.ID, time.Second); !errors.Is(err, messages.ErrBusy) {
		t.Errorf("claim within the lease: %v, want ErrBusy", err)
	}
	b.wantState(t, issued.ID, verify.StateDelayed)
	b.clock.Advance(29 * time.Second)
	third := b.claim(t, issued.ID)
	want(third, 2, "aliyun", began)
	b.record(t, third, messages.Queued)
	want(b.claim(t, issued.ID), 2, "aliyun", began)

	if err := b.codes.Record(t.Context(), second, messages.Outcome{State: messages.Sending}); !errors.Is(err, messages.ErrStale) {
		t.Errorf("outcome of a claim that was taken over: %v, want ErrStale", err)
	}
}

func requeue(t *testing.T, b *fixture) {
	issued := b.issue(t, verify.Login)
	first := b.claim(t, issued.ID)
	b.record(t, first, messages.Queued)
	second := b.claim(t, issued.ID) // at once, within the first lease
	if second.Attempt != 2 {
		t.Errorf("second claim is attempt %d", second.Attempt)
	}
	if err := b.codes.Record(t.Context(), first, messages.Outcome{State: messages.Sent}); !errors.Is(err, messages.ErrStale) {
		t.Errorf("outcome of the first claim: %v", err)
	}
}

func dropped(t *testing.T, b *fixture) {
	b.unlimited()
	want := func(id, reason string) {
		t.Helper()
		claim, err := b.codes.Claim(t.Context(), id, time.Second)
		if !errors.Is(err, messages.ErrDropped) || claim.Reason != reason || claim.ID != id {
			t.Errorf("claim = %+v, %v, want dropped as %s", claim, err, reason)
		}
	}
	old := b.issue(t, verify.Login)
	b.clock.Advance(time.Minute)
	used := b.replace(t, verify.Login, old.ID)
	want(old.ID, "superseded")
	if err := b.service.Spend(t.Context(), b.mobile, verify.Login, used.ID, b.code(t, used.ID, verify.Login)); err != nil {
		t.Fatal(err)
	}
	want(used.ID, "used")
	b.clock.Advance(time.Minute)
	sent := b.issue(t, verify.Login)
	b.record(t, b.claim(t, sent.ID), messages.Sent)
	want(sent.ID, "sent")
	b.clock.Advance(time.Minute)
	failed := b.issue(t, verify.Login)
	b.record(t, b.claim(t, failed.ID), messages.Failed)
	want(failed.ID, "failed")
	b.clock.Advance(time.Minute)
	over := b.issue(t, verify.Login)
	b.clock.Advance(policy().CodeTTL)
	want(over.ID, "expired")
	want(old.ID, "superseded") // as before
}

func recordTwice(t *testing.T, b *fixture) {
	issued := b.issue(t, verify.Login)
	claim := b.claim(t, issued.ID)
	b.record(t, claim, messages.Sent)
	b.record(t, claim, messages.Sent) // the client repeats a request whose answer was lost
	if err := b.codes.Record(t.Context(), claim, messages.Outcome{State: messages.Failed}); !errors.Is(err, messages.ErrStale) {
		t.Errorf("another outcome of the same claim: %v", err)
	}
	if err := b.codes.Record(t.Context(), claim, messages.Outcome{State: messages.Delivered}); err == nil {
		t.Error("an attempt was recorded as delivered")
	}
	b.wantState(t, issued.ID, messages.Sent)
}

func mailNotes(t *testing.T, b *fixture) {
	notes, ends := b.store.Mails(), b.clock.Now().Add(time.Hour)
	want := func(attempt int, noted bool) {
		t.Helper()
		if is, err := notes.Note(t.Context(), "a mail", attempt, ends); err != nil || is != noted {
			t.Errorf("attempt %d: noted %v, %v, want %v", attempt, is, err, noted)
		}
	}
	want(1, true)
	want(2, true)
	want(4, true)
	for _, older := range []int{1, 2, 3, 4} { // the database was set back
		want(older, false)
	}
	want(5, true)
	if noted, err := notes.Note(t.Context(), "another mail", 1, ends.Add(-2*time.Hour)); err != nil || !noted {
		t.Errorf("another mail, whose end is over: noted %v, %v", noted, err)
	}
	if err := notes.Forget(t.Context(), "a mail"); err != nil {
		t.Fatal(err)
	}
	want(2, true)
	for _, key := range b.client.Keys(t.Context(), "*mail:*").Val() {
		if ttl := b.client.TTL(t.Context(), key).Val(); ttl < 59*time.Minute || ttl > 2*time.Hour {
			t.Errorf("a note stays for %v", ttl)
		}
	}
}
