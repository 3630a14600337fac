package redisstore_test

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"usher/internal/testkit"
	"usher/limits"
	"usher/messages"
	"usher/reports"
	"usher/verify"
)

// codesResendTests check that a person can have a code sent again, and neither too soon nor too often.
var codesResendTests = behaviours{
	"a message that was sent is sent again by another provider": resendSent,
	"a message that failed or did not arrive is sent again":     resendFailed,
	"a message that waits for a provider is sent again":         resendDelayed,
	"a message on its way is not":                               resendOnItsWay,
	"a code that cannot be entered is not":                      resendOver,
	"a code is sent again once":                                 resendOnce,
	"the limits of the number count it":                         resendCounts,
	"of parallel presses one sends":                             resendParallel,
	"a repeated command is one resend":                          resendRepeated,
	"what could not be enqueued is taken back":                  resendVoid,
	"a resend that is claimed is not taken back":                resendVoidClaimed,
	"unresolved claims of the former message do not count":      resendUnresolved,
	"a worker of the former message records nothing":            resendStale,
	"a late report of the former message changes nothing":       resendLateReport,
	"the former message that arrives ends it":                   resendArrives,
}

func TestCodes_are_sent_again_when_their_person_asks(t *testing.T) {
	t.Parallel()
	testkit.EachRedis(t, codesResendTests.on)
}

// resend asks to have a code sent again, and compares the answer with what the status has promised.
func (b *fixture) resend(t *testing.T, id string) error {
	t.Helper()
	status, err := b.codes.Status(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	code, err := b.service.Resendable(t.Context(), id)
	if err != nil {
		t.Fatalf("Resendable: %v", err)
	}
	_, err = b.service.Resend(t.Context(), code, code.Standing, "r2", "zh")
	if promised := status.Resendable && status.ResendAfter == 0; promised != (err == nil) && !refusedByNumber(err) {
		t.Errorf("the status promises %v after %v: Resend = %v", status.Resendable, status.ResendAfter, err)
	}
	return err
}

// refusedByNumber reports whether a limit of the number has refused, which a status does not tell.
func refusedByNumber(err error) bool {
	limit, ok := errors.AsType[*verify.LimitError](err)
	return ok && limit.Name != verify.ResendLimit
}

func (b *fixture) mustResend(t *testing.T, id string) {
	t.Helper()
	if err := b.resend(t, id); err != nil {
		t.Fatalf("Resend: %v", err)
	}
}

func (b *fixture) wantPause(t *testing.T, id string, want time.Duration) {
	t.Helper()
	limit, ok := errors.AsType[*verify.LimitError](b.resend(t, id))
	if !ok || limit.Name != verify.ResendLimit || limit.RetryAfter != want {
		t.Errorf("Resend = %+v, want a pause of %v", limit, want)
	}
}

// sent issues a code whose message aliyun has taken a minute ago.
func (b *fixture) sent(t *testing.T) string {
	t.Helper()
	issued := b.issue(t, verify.Login)
	b.recordAs(t, b.claim(t, issued.ID), "aliyun")
	b.clock.Advance(time.Minute)
	return issued.ID
}

func resendSent(t *testing.T, b *fixture) {
	issued := b.issue(t, verify.Login)
	b.recordAs(t, b.claim(t, issued.ID), "aliyun")
	first := b.queue.queued[0]
	b.wantPause(t, issued.ID, time.Minute)
	b.clock.Advance(59 * time.Second)
	b.wantPause(t, issued.ID, time.Second)
	b.clock.Advance(time.Second)
	b.mustResend(t, issued.ID)
	again := b.queue.queued[len(b.queue.queued)-1]
	if again.Resends != 1 || again.To.Reveal() != b.mobile.Reveal() || again.KeyID != first.KeyID || again.Length != first.Length ||
		again.Purpose != first.Purpose || again.ExpiresAt.UnixMilli() != first.ExpiresAt.UnixMilli() {
		t.Errorf("enqueued %+v after %+v", again, first)
	}
	b.wantState(t, issued.ID, messages.Queued)
	if status, err := b.codes.Status(t.Context(), issued.ID); err != nil || status.ResendAfter != time.Minute || status.Resendable {
		t.Errorf("Status = %+v, %v, want the whole pause and no further resend", status, err)
	}
	claim := b.claim(t, issued.ID)
	if claim.Attempt != 2 || claim.Resends != 1 || claim.Avoid != "aliyun" || claim.UnresolvedClaims != 0 {
		t.Errorf("claim %+v", claim)
	}
	b.recordAs(t, claim, "tencent")
	b.wantState(t, issued.ID, messages.Sent)
	if err := b.service.Spend(t.Context(), b.mobile, verify.Login, issued.ID, b.code(t, issued.ID, verify.Login)); err != nil {
		t.Errorf("the digits of both messages: %v", err)
	}
}

func resendFailed(t *testing.T, b *fixture) {
	b.unlimited()
	failed := b.failed(t)
	b.clock.Advance(time.Minute)
	b.mustResend(t, failed)
	b.wantState(t, failed, messages.Queued)
	b.clock.Advance(time.Minute)
	undelivered := b.sent(t)
	b.apply(t, b.report(undelivered, messages.Undelivered))
	b.mustResend(t, undelivered)
	if claim := b.claim(t, undelivered); claim.Resends != 1 {
		t.Errorf("claim %+v", claim)
	}
}

func resendDelayed(t *testing.T, b *fixture) {
	b.service.Policy.ResendInterval = time.Second
	id := b.issue(t, verify.Login).ID
	b.clock.Advance(4 * time.Second)
	b.wantPause(t, id, time.Second)
	b.clock.Advance(time.Second)
	b.wantState(t, id, verify.StateDelayed)
	b.mustResend(t, id)
	b.wantState(t, id, messages.Queued) // for as long as any message that was just queued
	b.clock.Advance(5 * time.Second)
	b.wantState(t, id, verify.StateDelayed)
}

func resendOnItsWay(t *testing.T, b *fixture) {
	id := b.issue(t, verify.Login).ID
	b.clock.Advance(time.Minute)
	claim := b.claim(t, id) // for half a minute
	b.wantPause(t, id, 30*time.Second)
	b.recordAs(t, claim, "aliyun")
	b.apply(t, b.report(id, messages.Delivered))
	if err := b.resend(t, id); !errors.Is(err, verify.ErrResent) {
		t.Errorf("after it has arrived: %v, want ErrResent", err)
	}
	b.wantState(t, id, messages.Delivered)
}

func resendOver(t *testing.T, b *fixture) {
	b.unlimited()
	wantExpired := func(id string) {
		t.Helper()
		if err := b.resend(t, id); !errors.Is(err, verify.ErrExpired) {
			t.Errorf("Resend = %v, want ErrExpired", err)
		}
	}
	used := b.sent(t)
	if _, err := b.codes.Use(t.Context(), used); err != nil {
		t.Fatal(err)
	}
	wantExpired(used)
	superseded := b.sent(t)
	b.replace(t, verify.Login, superseded)
	b.clock.Advance(time.Minute)
	wantExpired(superseded)
	last, late := b.sent(t), b.sent(t)
	b.clock.Advance(policy().CodeTTL - 3*time.Minute)
	b.mustResend(t, last) // exactly a minute is left of it
	b.clock.Advance(time.Minute + time.Millisecond)
	wantExpired(late)
	dropped := b.issue(t, verify.Login).ID
	b.clock.Advance(policy().CodeTTL)
	if _, err := b.codes.Claim(t.Context(), dropped, time.Second); !errors.Is(err, messages.ErrDropped) {
		t.Fatal(err)
	}
	wantExpired(dropped)
	for _, id := range []string{"", "nonsense", verify.NewID(b.subject), verify.MessageID(used, 1)} {
		if _, err := b.service.Resendable(t.Context(), id); !errors.Is(err, verify.ErrNotFound) {
			t.Errorf("Resendable of %q = %v, want ErrNotFound", id, err)
		}
		if _, err := b.codes.Resend(t.Context(), verify.Resend{ID: id, Name: "n"}); !errors.Is(err, verify.ErrExpired) {
			t.Errorf("Resend of %q = %v, want ErrExpired", id, err)
		}
	}
}

func resendOnce(t *testing.T, b *fixture) {
	id := b.sent(t)
	b.mustResend(t, id)
	b.recordAs(t, b.claim(t, id), "tencent")
	b.clock.Advance(time.Minute)
	if err := b.resend(t, id); !errors.Is(err, verify.ErrResent) {
		t.Errorf("the second resend: %v, want ErrResent", err)
	}
	b.wantState(t, id, messages.Sent)
}

func resendCounts(t *testing.T, b *fixture) {
	b.store.Rules.Set = limits.Set{
		limits.SMSMobileHour:   {Name: limits.SMSMobileHour, Count: 4, Period: time.Hour},
		limits.SMSStrangerHour: {Name: limits.SMSStrangerHour, Count: 3, Period: time.Hour},
	}
	first := b.sent(t)
	b.mustResend(t, first)
	b.clock.Advance(time.Minute)
	second := b.sent(t) // the third unit
	limit, ok := errors.AsType[*verify.LimitError](b.resend(t, second))
	if !ok || limit.Name != string(limits.SMSStrangerHour) || limit.RetryAfter <= 0 {
		t.Errorf("the fourth message for a stranger: %+v", limit)
	}
	b.wantState(t, second, messages.Sent)
	code, err := b.service.Resendable(t.Context(), second)
	if err != nil || code.Standing != verify.Stranger {
		t.Fatalf("Resendable = %v, %v", code.Standing, err)
	}
	if _, err := b.service.Resend(t.Context(), code, verify.Known, "r3", "zh"); err != nil {
		t.Errorf("the owner's share: %v", err)
	}
}

func resendParallel(t *testing.T, b *fixture) {
	id := b.sent(t)
	before := b.queue.len()
	code, err := b.service.Resendable(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	var presses sync.WaitGroup
	var done atomic.Int32
	for range 50 {
		presses.Go(func() {
			if _, err := b.service.Resend(t.Context(), code, code.Standing, "r2", "zh"); err == nil {
				done.Add(1)
			}
		})
	}
	presses.Wait()
	if done.Load() != 1 || b.queue.len() != before+1 {
		t.Errorf("%d of 50 presses, %d messages, want one", done.Load(), b.queue.len()-before)
	}
}

func resendRepeated(t *testing.T, b *fixture) {
	id := b.sent(t)
	resend := verify.Resend{ID: id, Name: "the same", Pause: time.Minute}
	for range 2 {
		if n, err := b.codes.Resend(t.Context(), resend); n != 1 || err != nil {
			t.Errorf("Resend = %d, %v", n, err)
		}
	}
	b.wantLeft(t, limits.SMSMobileHour, limits.Defaults()[limits.SMSMobileHour].Count-2)
}

// wantLeft compares the units that the number has left.
func (b *fixture) wantLeft(t *testing.T, name limits.Name, want int) {
	t.Helper()
	left := 0
	for range 20 {
		_, err := b.service.Issue(t.Context(), verify.Request{To: b.mobile, Purpose: verify.Register, Standing: verify.Known})
		if limit, ok := errors.AsType[*verify.LimitError](err); ok && limit.Name == verify.ResendLimit {
			b.clock.Advance(limit.RetryAfter)
			continue
		}
		if limit, ok := errors.AsType[*verify.LimitError](err); ok && limit.Name == string(name) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		left++
	}
	if left != want {
		t.Errorf("%d units are left of %s, want %d", left, name, want)
	}
}

func resendVoid(t *testing.T, b *fixture) {
	hour := limits.Defaults()[limits.SMSMobileHour]
	b.store.Rules.Set = limits.Set{limits.SMSMobileHour: hour}
	for _, state := range []messages.State{messages.Sent, messages.Failed} {
		id := b.issue(t, verify.Login).ID
		b.record(t, b.claim(t, id), state)
		b.clock.Advance(time.Minute)
		b.queue.fail(errors.New("no queue"))
		code, err := b.service.Resendable(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.service.Resend(t.Context(), code, code.Standing, "r2", "zh"); !errors.Is(err, verify.ErrQueue) {
			t.Fatalf("Resend = %v, want ErrQueue", err)
		}
		b.queue.fail(nil)
		b.wantState(t, id, state)
		if _, err := b.codes.Claim(t.Context(), id, time.Second); !errors.Is(err, messages.ErrDropped) {
			t.Errorf("Claim = %v, want ErrDropped", err)
		}
		b.mustResend(t, id) // neither the pause nor the one resend is spent
		b.clock.Advance(time.Minute)
	}
	b.wantLeft(t, limits.SMSMobileHour, hour.Count-4)
}

func resendVoidClaimed(t *testing.T, b *fixture) {
	id := b.sent(t)
	if _, err := b.codes.Resend(t.Context(), verify.Resend{ID: id, Name: "n", Pause: time.Minute}); err != nil {
		t.Fatal(err)
	}
	b.record(t, b.claim(t, id), messages.Queued) // a provider was asked, and is asked again
	if err := b.codes.VoidResend(t.Context(), id, "n"); err != nil {
		t.Fatal(err)
	}
	b.wantState(t, id, messages.Queued)
	if claim := b.claim(t, id); claim.Resends != 1 {
		t.Errorf("claim %+v", claim)
	}
}

func resendUnresolved(t *testing.T, b *fixture) {
	id := b.issue(t, verify.Login).ID
	for range messages.MaxSends {
		claim := b.claim(t, id)
		b.recordUnresolved(t, claim, "aliyun")
		b.clock.Advance(30 * time.Second)
	}
	b.mustResend(t, id)
	claim := b.claim(t, id)
	if claim.UnresolvedClaims != 0 || claim.UnresolvedProvider != "" || !claim.UnresolvedAt.IsZero() || !claim.MaySend() || claim.Avoid != "aliyun" {
		t.Errorf("the first claim of the new message: %+v", claim)
	}
	b.recordUnresolved(t, claim, "tencent")
	b.clock.Advance(30 * time.Second)
	if claim := b.claim(t, id); claim.UnresolvedClaims != 1 || claim.UnresolvedProvider != "tencent" || claim.Resends != 1 {
		t.Errorf("the second claim of the new message: %+v", claim)
	}
}

// recordUnresolved records that a provider may have the message.
func (b *fixture) recordUnresolved(t *testing.T, claim messages.Claim, provider string) {
	t.Helper()
	outcome := messages.Outcome{State: messages.Sending, Provider: provider, At: b.clock.Now()}
	if err := b.codes.Record(t.Context(), claim, outcome); err != nil {
		t.Fatal(err)
	}
}

func resendStale(t *testing.T, b *fixture) {
	id := b.issue(t, verify.Login).ID
	former := b.claim(t, id)
	b.clock.Advance(time.Minute)
	b.mustResend(t, id)
	outcome := messages.Outcome{State: messages.Sent, Provider: "aliyun", At: b.clock.Now()}
	if err := b.codes.Record(t.Context(), former, outcome); !errors.Is(err, messages.ErrStale) {
		t.Errorf("Record = %v, want ErrStale", err)
	}
	b.wantState(t, id, messages.Queued)
}

func resendLateReport(t *testing.T, b *fixture) {
	id := b.sent(t)
	b.mustResend(t, id)
	late := b.report(id, messages.Undelivered)
	b.apply(t, late)
	b.wantState(t, id, messages.Queued)
	claim := b.claim(t, id)
	b.apply(t, late)
	if err := b.codes.Record(t.Context(), claim, messages.Outcome{
		State: messages.Sent, Provider: "aliyun", At: b.clock.Now(), // the only provider
	}); err != nil {
		t.Fatal(err)
	}
	b.apply(t, late)
	b.wantState(t, id, messages.Sent)
	b.apply(t, reports.Report{Provider: "aliyun", MessageID: verify.MessageID(id, 1), State: messages.Undelivered, Code: "E"})
	b.wantState(t, id, messages.Undelivered)
}

func resendArrives(t *testing.T, b *fixture) {
	id := b.sent(t)
	b.mustResend(t, id)
	b.apply(t, b.report(id, messages.Delivered))
	b.wantState(t, id, messages.Delivered)
	if claim, err := b.codes.Claim(t.Context(), id, time.Second); !errors.Is(err, messages.ErrDropped) || claim.Reason != "sent" {
		t.Errorf("Claim = %+v, %v, want ErrDropped", claim, err)
	}
}
