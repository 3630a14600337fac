package redisstore_test

import (
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"usher/internal/testkit"
	"usher/messages"
	"usher/verify"
)

// outcomesTests run one after the other, on an empty database each: they read the logs of all numbers.
func outcomesTests(t *testing.T, url string) {
	t.Helper()
	for _, test := range []struct {
		name string
		run  func(*testing.T, *fixture)
	}{
		{"every change of a code is noted", outcomesFollow},
		{"what changes nothing is not noted", outcomesOnce},
		{"a code that is not needed is noted as dropped", outcomesDropped},
		{"a code that is being sent is not dropped", outcomesLease},
		{"a late outcome of a dropped code counts", outcomesLate},
		{"a code that was used and given back has arrived", outcomesRestored},
		{"a code that no queue took is noted", outcomesUnqueued},
		{"an unresolved claim is not noted after a report", outcomesOvertaken},
		{"entries are read oldest first and stay until removed", outcomesRead},
		{"an unreadable entry does not block the others", outcomesUnreadable},
		{"what waits is bounded", outcomesBounded},
		{"nothing opens a number or a code", outcomesSecrets},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := newFixture(t, url)
			if err := b.client.FlushDB(t.Context()).Err(); err != nil {
				t.Fatal(err)
			}
			test.run(t, b)
		})
	}
}

// outcomes returns all entries.
func (b *fixture) outcomes(t *testing.T) []messages.Entry {
	t.Helper()
	entries, more, err := b.store.Outcomes().Read(t.Context(), 64*1000)
	if err != nil || more {
		t.Fatalf("Read: more %v, %v", more, err)
	}
	return entries
}

// notes returns what was noted of a code, as text: state and reason of each entry.
func (b *fixture) notes(t *testing.T, id string) []string {
	t.Helper()
	var notes []string
	for _, entry := range b.outcomes(t) {
		if entry.Err != nil {
			t.Errorf("entry %s: %v", entry.ID, entry.Err)
		}
		if r := entry.Record; r.ID == id {
			notes = append(notes, strings.TrimSpace(string(r.State)+" "+r.Reason))
			if r.Revision != len(notes) {
				t.Errorf("note %d has revision %d", len(notes), r.Revision)
			}
		}
	}
	return notes
}

func (b *fixture) wantNotes(t *testing.T, id string, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, b.notes(t, id)); diff != "" {
		t.Errorf("notes, -want +got:\n%s", diff)
	}
}

// last returns the newest note of a code.
func (b *fixture) last(t *testing.T, id string) messages.Record {
	t.Helper()
	var last messages.Record
	for _, entry := range b.outcomes(t) {
		if entry.Record.ID == id {
			last = entry.Record
		}
	}
	return last
}

func outcomesFollow(t *testing.T, b *fixture) {
	issuedAt := b.clock.Now().UTC().Truncate(time.Millisecond)
	want := messages.Record{Revision: 1, Channel: messages.SMS, Purpose: "login", To: b.mobile.String(), RequestID: "r1", State: messages.Queued}
	issued := b.issue(t, verify.Login)
	want.ID, want.CreatedAt, want.UpdatedAt, want.NotAfter = issued.ID, issuedAt, issuedAt, issuedAt.Add(policy().CodeTTL)
	follow := func(step string) {
		t.Helper()
		want.UpdatedAt = b.clock.Now().UTC().Truncate(time.Millisecond)
		if diff := cmp.Diff(want, b.last(t, issued.ID)); diff != "" {
			t.Errorf("%s, -want +got:\n%s", step, diff)
		}
		want.Revision++
		b.clock.Advance(time.Second)
	}
	follow("issued")

	claim := b.claim(t, issued.ID)
	b.record(t, claim, messages.Sending)
	want.State, want.Attempt, want.Provider, want.ProviderCode = messages.Sending, 1, "aliyun", "OK"
	want.LeaseUntil = claim.LeaseUntil.UTC()
	follow("unresolved")

	b.clock.Advance(time.Minute)
	b.record(t, b.claim(t, issued.ID), messages.Sent)
	want.State, want.Attempt, want.UnresolvedClaims, want.LeaseUntil = messages.Sent, 2, 1, time.Time{}
	want.ProviderID, want.AcceptedAt = "biz", b.clock.Now().UTC().Truncate(time.Millisecond)
	follow("sent")

	report := b.report(issued.ID, messages.Delivered)
	report.At = report.At.Add(-time.Millisecond)
	b.wantChanged(t, report, true)
	want.State, want.ProviderCode, want.DeliveredAt = messages.Delivered, "CODE", report.At.UTC().Truncate(time.Millisecond)
	follow("delivered")

	if err := b.service.Spend(t.Context(), b.mobile, verify.Login, issued.ID, b.code(t, issued.ID, verify.Login)); err != nil {
		t.Fatal(err)
	}
	want.UsedAt = b.clock.Now().UTC().Truncate(time.Millisecond)
	follow("used")

	if err := b.codes.Restore(t.Context(), issued.ID); err != nil {
		t.Fatal(err)
	}
	want.UsedAt = time.Time{}
	follow("restored")
	b.wantNotes(t, issued.ID, "queued", "sending", "sent", "delivered", "delivered", "delivered")
}

func outcomesOnce(t *testing.T, b *fixture) {
	issued := b.issue(t, verify.Login)
	subject, _ := verify.SubjectOf(issued.ID)
	again := verify.Issue{
		ID: issued.ID, Subject: subject, Purpose: verify.Login, KeyID: "k1", MAC: "mac",
		IssuedAt: b.clock.Now(), ExpiresAt: b.clock.Now().Add(time.Minute), MaxAttempts: 5,
	}
	if err := b.codes.Issue(t.Context(), again); err != nil {
		t.Fatal(err)
	}
	claim := b.claim(t, issued.ID)
	for range 2 {
		b.record(t, claim, messages.Sent)
		b.apply(t, b.report(issued.ID, messages.Delivered))
		if err := b.codes.Restore(t.Context(), issued.ID); err != nil {
			t.Fatal(err)
		}
		if _, err := b.codes.Claim(t.Context(), issued.ID, time.Second); !errors.Is(err, messages.ErrDropped) {
			t.Errorf("claim: %v", err)
		}
		if err := b.codes.Void(t.Context(), messages.SMS, issued.ID, ""); err != nil {
			t.Fatal(err)
		}
	}
	b.wantNotes(t, issued.ID, "queued", "sent", "delivered")
}

// wantDropped claims a code, which is refused.
func (b *fixture) wantDropped(t *testing.T, id, reason string) {
	t.Helper()
	claim, err := b.codes.Claim(t.Context(), id, time.Second)
	if !errors.Is(err, messages.ErrDropped) || claim.Reason != reason {
		t.Errorf("claim = %+v, %v, want dropped as %s", claim, err, reason)
	}
}

func (b *fixture) spendCode(t *testing.T, id string) {
	t.Helper()
	if err := b.service.Spend(t.Context(), b.mobile, verify.Login, id, b.code(t, id, verify.Login)); err != nil {
		t.Fatalf("Spend: %v", err)
	}
}

func outcomesDropped(t *testing.T, b *fixture) {
	b.unlimited()
	old := b.issue(t, verify.Login)
	b.clock.Advance(time.Minute)
	used := b.replace(t, verify.Login, old.ID)
	b.spendCode(t, used.ID)
	for range 2 {
		b.wantDropped(t, old.ID, "superseded")
		b.wantDropped(t, used.ID, "used")
	}
	b.wantNotes(t, old.ID, "queued", "dropped superseded")
	b.wantNotes(t, used.ID, "queued", "queued", "dropped used")
	b.wantState(t, used.ID, verify.StateUsed)
	b.clock.Advance(time.Minute)
	over := b.issue(t, verify.Login)
	b.clock.Advance(policy().CodeTTL)
	b.wantDropped(t, over.ID, "expired")
	b.wantDropped(t, old.ID, "superseded")
	b.wantNotes(t, over.ID, "queued", "dropped expired")
	b.wantState(t, over.ID, verify.StateExpired)
}

func outcomesLease(t *testing.T, b *fixture) {
	b.unlimited()
	issued := b.issue(t, verify.Login)
	claim := b.claim(t, issued.ID)
	b.clock.Advance(time.Second)
	b.spendCode(t, issued.ID)
	b.wantDropped(t, issued.ID, "used")
	b.record(t, claim, messages.Sent)
	b.wantNotes(t, issued.ID, "queued", "sending", "sent")

	b.clock.Advance(time.Minute)
	issued = b.issue(t, verify.Login)
	b.claim(t, issued.ID)
	b.clock.Advance(policy().CodeTTL) // that worker died
	b.wantDropped(t, issued.ID, "expired")
	b.wantNotes(t, issued.ID, "queued", "dropped expired")
	if last := b.last(t, issued.ID); last.Attempt != 1 || last.UnresolvedClaims != 1 {
		t.Errorf("attempt %d with %d unresolved claims, want the one that may have sent it", last.Attempt, last.UnresolvedClaims)
	}
}

func outcomesLate(t *testing.T, b *fixture) {
	b.unlimited()
	drop := func() (id string, claim messages.Claim) {
		t.Helper()
		b.clock.Advance(time.Hour)
		issued := b.issue(t, verify.Login)
		claim = b.claim(t, issued.ID)
		b.clock.Advance(policy().CodeTTL)
		b.wantDropped(t, issued.ID, "expired")
		return issued.ID, claim
	}
	id, claim := drop()
	b.record(t, claim, messages.Queued) // it is not sent again
	b.record(t, claim, messages.Sending)
	b.record(t, claim, messages.Sent)
	b.record(t, claim, messages.Sent)
	b.wantNotes(t, id, "queued", "dropped expired", "sent")

	id, claim = drop()
	b.wantChanged(t, b.report(id, messages.Undelivered), false)
	b.wantChanged(t, b.report(id, messages.Delivered), true)
	b.record(t, claim, messages.Sent)
	b.wantNotes(t, id, "queued", "dropped expired", "delivered")
	b.wantState(t, id, verify.StateExpired)

	b.clock.Advance(time.Hour)
	issued := b.issue(t, verify.Login)
	claim = b.claim(t, issued.ID)
	b.record(t, claim, messages.Queued)
	b.clock.Advance(policy().CodeTTL)
	b.wantDropped(t, issued.ID, "expired")
	if err := b.codes.Record(t.Context(), claim, messages.Outcome{State: messages.Sent}); !errors.Is(err, messages.ErrStale) {
		t.Errorf("another outcome of the same claim: %v, want ErrStale", err)
	}
}

func outcomesRestored(t *testing.T, b *fixture) {
	issued := b.issue(t, verify.Login)
	b.claim(t, issued.ID)
	b.clock.Advance(time.Minute) // that worker died, but not before it had sent the code
	b.spendCode(t, issued.ID)
	b.wantDropped(t, issued.ID, "used")
	if err := b.codes.Restore(t.Context(), issued.ID); err != nil {
		t.Fatal(err)
	}
	b.wantState(t, issued.ID, messages.Sent)
	b.spendCode(t, issued.ID)
	b.wantState(t, issued.ID, verify.StateUsed)
}

func outcomesUnqueued(t *testing.T, b *fixture) {
	b.queue.fail(errors.New("queue is unavailable"))
	if _, err := b.service.Issue(t.Context(), verify.Request{To: b.mobile, Purpose: verify.Login}); !errors.Is(err, verify.ErrQueue) {
		t.Fatalf("Issue: %v", err)
	}
	entries := b.outcomes(t)
	if len(entries) != 2 {
		t.Fatalf("%d entries, want 2", len(entries))
	}
	b.wantNotes(t, entries[0].Record.ID, "queued", "dropped unqueued")
}

func outcomesOvertaken(t *testing.T, b *fixture) {
	issued := b.issue(t, verify.Login)
	claim := b.claim(t, issued.ID)
	b.wantChanged(t, b.report(issued.ID, messages.Delivered), true)
	b.record(t, claim, messages.Sending)
	b.wantNotes(t, issued.ID, "queued", "delivered")
	if err := b.codes.Record(t.Context(), claim, messages.Outcome{State: messages.Failed}); !errors.Is(err, messages.ErrStale) {
		t.Errorf("failed after delivered: %v, want ErrStale", err)
	}
}

func outcomesRead(t *testing.T, b *fixture) {
	b.unlimited()
	outcomes := b.store.Outcomes()
	if n, since, err := outcomes.Backlog(t.Context()); n != 0 || !since.IsZero() || err != nil {
		t.Errorf("Waiting = %d, %v, %v of none", n, since, err)
	}
	began := b.clock.Now().UTC().Truncate(time.Millisecond)
	var ids []string
	for range 5 { // all of one number, so all in one stream
		ids = append(ids, b.issue(t, verify.Login).ID)
		b.clock.Advance(time.Minute)
	}
	var got []string
	for more := true; more; {
		var entries []messages.Entry
		for range 2 { // they stay
			var err error
			if entries, more, err = outcomes.Read(t.Context(), 128); err != nil {
				t.Fatal(err)
			}
		}
		if len(entries) > 2 {
			t.Fatalf("%d entries of one stream at once, want at most 2", len(entries))
		}
		for _, entry := range entries {
			got = append(got, entry.Record.ID)
		}
		for range 2 {
			if err := outcomes.Remove(t.Context(), entries); err != nil {
				t.Fatal(err)
			}
		}
		n, since, err := outcomes.Backlog(t.Context())
		if err != nil || n != 5-len(got) || n > 0 && !since.Equal(began.Add(time.Duration(len(got))*time.Minute)) {
			t.Errorf("Waiting = %d, %v, %v after %d", n, since, err, len(got))
		}
	}
	if diff := cmp.Diff(ids, got); diff != "" {
		t.Errorf("read, -want +got:\n%s", diff)
	}
}

func outcomesUnreadable(t *testing.T, b *fixture) {
	issued := b.issue(t, verify.Login)
	good := b.outcomes(t)[0]
	values := b.client.XRange(t.Context(), good.Log, "-", "+").Val()[0].Values
	spoilt := map[string]string{
		"id": "x", "revision": "0", "state": "lost", "attempt": "many", "doubts": "99999999999", "purpose": "a\x00b",
		"provider": "\xff", "provider_id": strings.Repeat("x", 10_000), "issued_at": "", "expires_at": "9999999999999999",
		"noted_at": "-1", "used_at": "today",
	}
	for field, value := range spoilt {
		entry := maps.Clone(values)
		entry[field] = value
		if err := b.client.XAdd(t.Context(), &redis.XAddArgs{Stream: good.Log, Values: entry}).Err(); err != nil {
			t.Fatal(err)
		}
	}
	entries := b.outcomes(t)
	if n := testkit.Count(entries, func(e messages.Entry) bool { return e.Err != nil }); n != len(spoilt) || entries[0].Err != nil {
		t.Errorf("%d of %d entries cannot be read, want %d", n, len(entries), len(spoilt))
	}
	for _, entry := range entries {
		if entry.Err != nil && (len(entry.Err.Error()) > 100 || entry.Record != (messages.Record{})) {
			t.Errorf("%v with %+v", entry.Err, entry.Record)
		}
	}
	if err := b.store.Outcomes().Remove(t.Context(), entries); err != nil {
		t.Fatal(err)
	}
	b.record(t, b.claim(t, issued.ID), messages.Sent)
	if left := b.outcomes(t); len(left) != 1 || left[0].Record.State != messages.Sent {
		t.Errorf("left: %+v", left)
	}
}

func outcomesBounded(t *testing.T, b *fixture) {
	b.unlimited()
	log := "usher:{" + b.subject[:1] + b.subject[:1] + "}:outcomes"
	_, err := b.client.Pipelined(t.Context(), func(pipe redis.Pipeliner) error {
		for range 20_000 {
			pipe.XAdd(t.Context(), &redis.XAddArgs{Stream: log, Values: []string{"a", "entry"}})
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	issued := b.issue(t, verify.Login)
	if n := b.client.XLen(t.Context(), log).Val(); n < 16_000 || n > 17_000 {
		t.Errorf("%d entries wait, want about 16,384", n)
	}
	newest := b.client.XRevRangeN(t.Context(), log, "+", "-", 1).Val()
	if len(newest) != 1 || newest[0].Values["id"] != issued.ID {
		t.Errorf("the newest entry is %v", newest)
	}
	b.client.PExpire(t.Context(), log, 24*time.Hour) // as if its last entries were two days old
	b.record(t, b.claim(t, issued.ID), messages.Sent)
	if ttl := b.client.PTTL(t.Context(), log).Val(); ttl <= 48*time.Hour {
		t.Errorf("after an entry the stream lives for %v", ttl)
	}
}

func outcomesSecrets(t *testing.T, b *fixture) {
	issued := b.issue(t, verify.Login)
	b.record(t, b.claim(t, issued.ID), messages.Sent)
	b.spendCode(t, issued.ID)
	code := b.code(t, issued.ID, verify.Login)
	key := "usher:{" + b.subject[:1] + b.subject[:1] + "}:" + b.subject + ":code:" + issued.ID
	mac, err := b.client.HGet(t.Context(), key, "mac").Result()
	if err != nil || mac == "" {
		t.Fatalf("mac = %q, %v", mac, err)
	}
	var dump strings.Builder
	for _, entry := range b.outcomes(t) {
		for _, message := range b.client.XRange(t.Context(), entry.Log, "-", "+").Val() {
			fmt.Fprintln(&dump, message.Values)
		}
	}
	if !strings.Contains(dump.String(), b.mobile.String()) {
		t.Errorf("the masked number is missing in:\n%s", dump.String())
	}
	if found := testkit.FindSecrets([]byte(dump.String()), b.mobile.Reveal(), code, mac); len(found) > 0 {
		t.Errorf("found %v in:\n%s", found, dump.String())
	}
}
