package redisstore_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"usher/internal/testkit"
	"usher/messages"
	"usher/reports"
	"usher/secrets"
	"usher/verify"
)

// reportsTests check the promises of [reports.Store].
var reportsTests = behaviours{
	"a report sets the state, once":                       reportOnce,
	"a report may overtake the answer of its own request": reportBeforeAnswer,
	"a message that arrived stays so":                     reportDeliveredStays,
	"an earlier attempt's failure is not the current's":   reportOfEarlierAttempt,
	"a failure says nothing of a code that waits again":   reportWhileQueued,
	"a failure ends a code that waits for its report":     reportOfUnresolved,
	"what was given up may still arrive":                  reportAfterFailure,
	"a code is found by its reference":                    reportByReference,
	"a report may come before its reference":              reportBeforeReference,
	"unknown ids are ignored among known ones":            reportUnknown,
	"a late report of a code that is over is known":       reportLate,
	"of many one gets the lock":                           oneLock,
	"a push is remembered for its time":                   pushTaken,
}

func pushTaken(t *testing.T, b *fixture) {
	all := b.store.Reports()
	want := func(provider, id string, want bool) {
		t.Helper()
		if taken, err := all.IsTaken(t.Context(), provider, id); err != nil || taken != want {
			t.Errorf("IsTaken(%s, %s) = %v, %v, want %v", provider, id, taken, err, want)
		}
	}
	want("http", "msg_1", false)
	if err := all.MarkTaken(t.Context(), "http", "msg_1", time.Hour); err != nil {
		t.Fatal(err)
	}
	want("http", "msg_1", true)
	want("http", "msg_2", false)
	want("other", "msg_1", false)
}

// report is a delivery report of Aliyun for a code, under the id that the fixture's record gives it.
func (b *fixture) report(id string, state messages.State) reports.Report {
	return reports.Report{
		Provider: "aliyun", MessageID: id, ProviderID: "biz", State: state, Code: "CODE", At: b.clock.Now(),
	}
}

func (b *fixture) apply(t *testing.T, all ...reports.Report) []reports.Result {
	t.Helper()
	results, err := b.store.Reports().Apply(t.Context(), all)
	if err != nil || len(results) != len(all) {
		t.Fatalf("Apply = %+v, %v, want %d results", results, err, len(all))
	}
	return results
}

func (b *fixture) wantChanged(t *testing.T, report reports.Report, want bool) {
	t.Helper()
	if result := b.apply(t, report)[0]; result.ID == "" || result.Changed != want {
		t.Errorf("%s report: %+v, want a known code and changed %v", report.State, result, want)
	}
}

func reportOnce(t *testing.T, b *fixture) {
	issuedAt := b.clock.Now()
	issued := b.issue(t, verify.Login)
	b.record(t, b.claim(t, issued.ID), messages.Sent)
	b.clock.Advance(3 * time.Second)
	got := b.apply(t, b.report(issued.ID, messages.Delivered))[0]
	if got.ID != issued.ID || !got.Changed || !got.IssuedAt.Equal(issuedAt.Truncate(time.Millisecond)) {
		t.Errorf("result = %+v", got)
	}
	b.wantState(t, issued.ID, messages.Delivered)
	b.wantChanged(t, b.report(issued.ID, messages.Delivered), false)
	if err := b.service.Spend(t.Context(), b.mobile, verify.Login, issued.ID, b.code(t, issued.ID, verify.Login)); err != nil {
		t.Errorf("the code of a delivered message: %v", err)
	}
	b.wantState(t, issued.ID, verify.StateUsed)
}

func reportBeforeAnswer(t *testing.T, b *fixture) {
	for _, state := range []messages.State{messages.Delivered, messages.Undelivered} {
		issued := b.issue(t, verify.Login)
		claim := b.claim(t, issued.ID)
		b.wantChanged(t, b.report(issued.ID, state), true)
		b.wantState(t, issued.ID, state)
		b.record(t, claim, messages.Sent) // finds itself recorded
		b.wantState(t, issued.ID, state)
		b.clock.Advance(time.Minute)
		if again, err := b.codes.Claim(t.Context(), issued.ID, time.Second); !errors.Is(err, messages.ErrDropped) {
			t.Errorf("a reported message was claimed again: %+v, %v", again, err)
		}
	}
}

func reportDeliveredStays(t *testing.T, b *fixture) {
	issued := b.issue(t, verify.Login)
	b.record(t, b.claim(t, issued.ID), messages.Sent)
	b.wantChanged(t, b.report(issued.ID, messages.Undelivered), true)
	b.wantState(t, issued.ID, messages.Undelivered)
	b.wantChanged(t, b.report(issued.ID, messages.Delivered), true)
	b.wantChanged(t, b.report(issued.ID, messages.Undelivered), false)
	b.wantState(t, issued.ID, messages.Delivered)
}

func reportOfEarlierAttempt(t *testing.T, b *fixture) {
	issued := b.issue(t, verify.Login)
	b.record(t, b.claim(t, issued.ID), messages.Sent) // through aliyun, as "biz"
	earlier := b.report(issued.ID, messages.Undelivered)
	earlier.ProviderID = "another"
	b.wantChanged(t, earlier, false)
	earlier = b.report(issued.ID, messages.Undelivered)
	earlier.Provider = "ronglian"
	b.wantChanged(t, earlier, false)
	b.wantState(t, issued.ID, messages.Sent)
}

func reportWhileQueued(t *testing.T, b *fixture) {
	issued := b.issue(t, verify.Login)
	b.record(t, b.claim(t, issued.ID), messages.Queued)
	b.wantChanged(t, b.report(issued.ID, messages.Undelivered), false)
	b.wantState(t, issued.ID, messages.Queued)
	b.wantChanged(t, b.report(issued.ID, messages.Delivered), true)
	b.wantState(t, issued.ID, messages.Delivered)
}

func reportOfUnresolved(t *testing.T, b *fixture) {
	for provider, want := range map[string]messages.State{"aliyun": messages.Undelivered, "ronglian": verify.StateDelayed} {
		issued := b.issue(t, verify.Login)
		b.record(t, b.claim(t, issued.ID), messages.Sending) // by aliyun, and the answer is lost
		b.clock.Advance(time.Minute)
		b.record(t, b.claim(t, issued.ID), messages.Queued) // not sent again
		report := b.report(issued.ID, messages.Undelivered)
		report.Provider = provider
		b.wantChanged(t, report, want == messages.Undelivered)
		b.wantState(t, issued.ID, want)
		b.clock.Advance(time.Minute)
	}
}

func reportAfterFailure(t *testing.T, b *fixture) {
	issued := b.issue(t, verify.Login)
	b.record(t, b.claim(t, issued.ID), messages.Failed)
	b.wantChanged(t, b.report(issued.ID, messages.Undelivered), false)
	b.wantState(t, issued.ID, messages.Failed)
	b.wantChanged(t, b.report(issued.ID, messages.Delivered), true)
	b.wantState(t, issued.ID, messages.Delivered)
}

func reportByReference(t *testing.T, b *fixture) {
	issued := b.issue(t, verify.Login)
	b.claim(t, issued.ID)
	reference := secrets.Random(8)
	if _, err := b.store.Reports().Remember(t.Context(), "ronglian", reference, issued.ID); err != nil {
		t.Fatal(err)
	}
	report := b.report(reference, messages.Delivered)
	if got := b.apply(t, report)[0]; got != (reports.Result{}) {
		t.Errorf("another provider's reference: %+v", got)
	}
	report.Provider = "ronglian"
	b.wantChanged(t, report, true)
	b.wantState(t, issued.ID, messages.Delivered)
}

func reportBeforeReference(t *testing.T, b *fixture) {
	issued := b.issue(t, verify.Login)
	claim := b.claim(t, issued.ID)
	early := b.report("5000:"+secrets.Random(8), messages.Delivered)
	early.Provider = "tencent"
	if got := b.apply(t, early)[0]; got != (reports.Result{}) {
		t.Errorf("a report without a reference: %+v", got)
	}
	for _, test := range []struct {
		provider string
		want     []reports.Report
		changed  bool
	}{
		{"ronglian", nil, false}, // another vendor's reference
		{"tencent", []reports.Report{early}, true},
		{"tencent", []reports.Report{early}, false}, // the send is repeated
	} {
		kept, err := b.store.Reports().Remember(t.Context(), test.provider, early.MessageID, issued.ID)
		if diff := cmp.Diff(test.want, kept); err != nil || diff != "" {
			t.Fatalf("reports before the reference: %v (-want +got):\n%s", err, diff)
		}
		if len(kept) > 0 {
			b.wantChanged(t, kept[0], test.changed)
		}
	}
	b.record(t, claim, messages.Sent) // finds itself recorded
	b.wantState(t, issued.ID, messages.Delivered)
}

func reportUnknown(t *testing.T, b *fixture) {
	b.apply(t)
	known := b.issue(t, verify.Login)
	b.record(t, b.claim(t, known.ID), messages.Sent)
	b.clock.Advance(time.Minute)
	unsent := b.issue(t, verify.Register)
	var all []reports.Report
	for _, id := range []string{"", "x", verify.NewID(b.subject), verify.NewID(secrets.Random(16)), unsent.ID} {
		all = append(all, b.report(id, messages.Delivered))
	}
	for range 600 { // more than one pipeline
		all = append(all, b.report(secrets.Random(8), messages.Undelivered))
	}
	all = append(all, b.report(known.ID, messages.Delivered))
	results := b.apply(t, all...)
	for i, result := range results[:len(results)-1] {
		if result != (reports.Result{}) {
			t.Errorf("report %d of an unknown message: %+v", i, result)
		}
	}
	if last := results[len(results)-1]; last.ID != known.ID || !last.Changed {
		t.Errorf("the known one: %+v", last)
	}
	b.wantState(t, unsent.ID, messages.Queued)
}

func reportLate(t *testing.T, b *fixture) {
	issued := b.issue(t, verify.Login)
	b.record(t, b.claim(t, issued.ID), messages.Sent)
	b.clock.Advance(policy().CodeTTL + 10*time.Minute)
	b.wantChanged(t, b.report(issued.ID, messages.Undelivered), true)
	b.wantState(t, issued.ID, messages.Undelivered)
}

func oneLock(t *testing.T, b *fixture) {
	name := secrets.Random(8)
	locks := testkit.Parallel(20, func(int) bool {
		mine, err := b.store.Reports().TryLock(t.Context(), name, time.Minute)
		return mine && err == nil
	})
	if n := testkit.Count(locks, func(mine bool) bool { return mine }); n != 1 {
		t.Errorf("%d have the lock", n)
	}
	if mine, err := b.store.Reports().TryLock(t.Context(), "another "+name, time.Minute); err != nil || !mine {
		t.Errorf("another thing's lock = %v, %v", mine, err)
	}
}
