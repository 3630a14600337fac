package sqlstore_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"usher/accounts"
	"usher/messages"
)

// Times of the suite: the lease of a claim, and the age at which a task counts as lost.
const (
	mailLease = 30 * time.Second
	mailAge   = 10 * time.Minute
	// mailLatest is the longest time between two looks of the relay at a mail.
	mailLatest = 3 * mailAge / 2
)

// mailsTests check that the outbox gives each mail to one worker at a time, and only useful mails.
var mailsTests = behaviours{
	"Claim_returns_mail_and_account":                mailsClaim,
	"Claim_lets_one_of_20_win":                      mailsClaimParallel,
	"Claim_follows_when_the_lease_is_over":          mailsLease,
	"Claim_lets_one_of_20_follow":                   mailsLeaseParallel,
	"Claim_drops_a_mail_that_is_not_useful":         mailsObsolete,
	"Claim_of_a_closed_mail_says_how_it_ended":      mailsClosed,
	"Record_keeps_an_account_of_the_attempt":        mailsRecord,
	"Record_refuses_a_claim_that_was_taken_over":    mailsStale,
	"Record_keeps_the_cause_that_a_provider_named":  mailsFirstCause,
	"Record_refuses_states_that_no_attempt_ends_in": mailsRecordState,
	"Claim_counts_claims_that_ran_out":              mailsUnresolved,
	"Due_finds_what_waits_too_long":                 mailsDueWaiting,
	"Due_looks_the_less_often_the_older_a_mail_is":  mailsDueRarely,
	"Due_finds_a_dead_worker_once":                  mailsDueLease,
	"Due_waits_for_the_retry_of_a_recorded_attempt": mailsDueRetry,
	"Record_keeps_why_a_mail_was_refused":           mailsReason,
	"Due_hands_no_mail_to_two_relays":               mailsDueParallel,
	"Due_honours_its_limit_and_takes_the_oldest":    mailsDueLimit,
	"Expire_closes_what_is_too_late":                mailsExpire,
	"Expire_leaves_a_running_lease_alone":           mailsExpireLease,
	"Backlog_counts_what_is_to_be_sent":             mailsBacklog,
	"Outbox_gives_up_with_its_context":              mailsCanceled,
	"Claim_takes_every_activation_of_an_address":    mailsRenewed,
	"Claim_of_a_notice_needs_a_proved_address":      noticesProved,
	"Claim_of_a_notice_takes_no_note_of_links":      noticesNoLink,
	"Claim_goes_to_the_address_that_a_mail_names":   noticesOwnAddress,
	"Notice_of_a_new_address_names_the_old_one":     noticesFormer,
	"Notice_ends_with_its_use":                      noticesExpire,
	"Notice_is_enqueued_again_by_the_relay":         noticesDue,
}

// claim is a Claim that must succeed.
func (f *fixture) claim(t *testing.T, id string) messages.Claim {
	t.Helper()
	claimed, err := f.mails.Claim(t.Context(), id, mailLease)
	if err != nil {
		t.Fatalf("Claim: %v (%s)", err, claimed.Reason)
	}
	return claimed.Claim
}

// record is a Record that must succeed.
func (f *fixture) record(t *testing.T, claim messages.Claim, state messages.State) {
	t.Helper()
	outcome := messages.Outcome{State: state, Provider: "smtp", ProviderID: "<1@x>", Code: "250", At: f.clock.Now()}
	if err := f.mails.Record(t.Context(), claim, outcome); err != nil {
		t.Fatalf("Record: %v", err)
	}
}

// due returns how often each mail that is due was enqueued.
func (f *fixture) due(t *testing.T) map[string]int {
	t.Helper()
	mails, err := f.mails.Due(t.Context(), mailAge, mailLatest, 100)
	if err != nil {
		t.Fatalf("Due: %v", err)
	}
	enqueues := map[string]int{}
	for _, mail := range mails {
		enqueues[mail.ID] = mail.Enqueues
	}
	return enqueues
}

func (f *fixture) wantDue(t *testing.T, when string, want map[string]int) {
	t.Helper()
	if diff := cmp.Diff(want, f.due(t)); diff != "" {
		t.Errorf("due %s (-want +got):\n%s", when, diff)
	}
}

func (f *fixture) wantDropped(t *testing.T, id, reason string) {
	t.Helper()
	claimed, err := f.mails.Claim(t.Context(), id, mailLease)
	if !errors.Is(err, messages.ErrDropped) || claimed.Reason != reason {
		t.Errorf("Claim = %v, %q, want ErrDropped, %q", err, claimed.Reason, reason)
	}
}

func mailsClaim(t *testing.T, f *fixture) {
	f.created(t)
	account, mail := f.created(t)
	got, err := f.mails.Claim(t.Context(), mail.ID, mailLease)
	want := accounts.ClaimedMail{
		Claim: messages.Claim{
			ID:         mail.ID,
			Attempt:    1,
			LeaseUntil: f.clock.Now().Add(mailLease).UTC().Truncate(time.Microsecond),
		},
		Mail:    storedMail(mail),
		Account: stored(account),
	}
	if diff := cmp.Diff(want, got, sameContacts); err != nil || diff != "" {
		t.Errorf("Claim: %v (-want +got):\n%s", err, diff)
	}
}

// claimAtOnce returns the claims of those of 20 parallel callers who got one.
func (f *fixture) claimAtOnce(t *testing.T, id string) []messages.Claim {
	t.Helper()
	won := make(chan messages.Claim, 20)
	var group errgroup.Group
	for range cap(won) {
		group.Go(func() error {
			claimed, err := f.mails.Claim(t.Context(), id, mailLease)
			if errors.Is(err, messages.ErrBusy) {
				return nil
			}
			won <- claimed.Claim
			return err
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	close(won)
	var claims []messages.Claim
	for claim := range won {
		claims = append(claims, claim)
	}
	return claims
}

func mailsClaimParallel(t *testing.T, f *fixture) {
	_, mail := f.created(t)
	if claims := f.claimAtOnce(t, mail.ID); len(claims) != 1 || claims[0].Attempt != 1 {
		t.Errorf("claims = %+v, want one of attempt 1", claims)
	}
}

func mailsLease(t *testing.T, f *fixture) {
	_, mail := f.created(t)
	first := f.claim(t, mail.ID)
	f.clock.Advance(mailLease - time.Second)
	busy, err := f.mails.Claim(t.Context(), mail.ID, mailLease)
	if !errors.Is(err, messages.ErrBusy) || !busy.LeaseUntil.Equal(first.LeaseUntil) {
		t.Errorf("Claim during the lease = %v until %v, want ErrBusy until %v", err, busy.LeaseUntil, first.LeaseUntil)
	}
	f.clock.Advance(time.Second)
	if second := f.claim(t, mail.ID); second.Attempt != 2 || !second.LeaseUntil.After(first.LeaseUntil) {
		t.Errorf("claim after the lease = %+v", second)
	}
}

func mailsLeaseParallel(t *testing.T, f *fixture) {
	_, mail := f.created(t)
	f.claim(t, mail.ID)
	f.clock.Advance(mailLease)
	if claims := f.claimAtOnce(t, mail.ID); len(claims) != 1 || claims[0].Attempt != 2 {
		t.Errorf("claims = %+v, want one of attempt 2", claims)
	}
}

func mailsObsolete(t *testing.T, f *fixture) {
	used, usedMail := f.created(t)
	if _, err := f.accounts.Activate(t.Context(), used, "", f.clock.Now(), nil); err != nil {
		t.Fatal(err)
	}
	superseded, supersededMail := f.created(t)
	f.asksForAnother(t, superseded)
	_, expiredMail := f.created(t)
	_, orphanMail := f.created(t)
	orphan := f.claim(t, orphanMail.ID)

	for range 2 { // a refusal is no claim: it leaves no lease
		f.wantDropped(t, usedMail.ID, "used")
		f.wantDropped(t, supersededMail.ID, "superseded")
		f.wantDropped(t, uuid.NewString(), "missing")
	}
	f.clock.Advance(linkLife)
	f.wantDropped(t, expiredMail.ID, "expired")
	f.wantDropped(t, orphanMail.ID, "expired")
	outcome := messages.Outcome{State: messages.Sent, At: f.clock.Now()}
	if err := f.mails.Record(t.Context(), orphan, outcome); !errors.Is(err, messages.ErrStale) {
		t.Errorf("Record of a dropped mail = %v, want ErrStale", err)
	}

	f.clock.Advance(-linkLife) // the rows say it now, whatever the time
	f.wantDropped(t, expiredMail.ID, "expired")
	f.wantDropped(t, orphanMail.ID, "expired")
}

func mailsClosed(t *testing.T, f *fixture) {
	for state, reason := range map[messages.State]string{messages.Sent: "sent", messages.Failed: "failed"} {
		_, mail := f.created(t)
		f.record(t, f.claim(t, mail.ID), state)
		f.clock.Advance(mailLease)
		f.wantDropped(t, mail.ID, reason)
	}
}

func mailsRecord(t *testing.T, f *fixture) {
	_, mail := f.created(t)
	claim := f.claim(t, mail.ID)
	f.record(t, claim, messages.Queued)
	outcome := messages.Outcome{State: messages.Queued, At: f.clock.Now()}
	if err := f.mails.Record(t.Context(), claim, outcome); err != nil { // the first one's answer was lost
		t.Errorf("the same Record again = %v, want agreement", err)
	}
	outcome.State = messages.Failed
	if err := f.mails.Record(t.Context(), claim, outcome); !errors.Is(err, messages.ErrStale) {
		t.Errorf("another Record of the claim = %v, want ErrStale", err)
	}
	if again := f.claim(t, mail.ID); again.Attempt != 2 {
		t.Errorf("attempt after a retry = %d, want 2", again.Attempt)
	}
}

// mailsReason: the word of the last refusal is in the row until the mail is taken, and the page counts the mail.
func mailsReason(t *testing.T, f *fixture) {
	_, mail := f.created(t)
	want := func(state messages.State, reason, code string, refused int) {
		t.Helper()
		if got := f.message(t, mail.ID); got.State != state || got.Reason != reason || got.ProviderCode != code {
			t.Errorf("got %s %q %q, want %s %q %q", got.State, got.Reason, got.ProviderCode, state, reason, code)
		}
		if got := f.traffic(t).Mail.Recent; got.Refused != refused || got.Asked != 1 {
			t.Errorf("%d of %d mails count as refused, want %d", got.Refused, got.Asked, refused)
		}
	}
	for _, o := range []struct {
		messages.Outcome

		refused int
	}{
		{messages.Outcome{State: messages.Queued, Provider: "smtp", Code: "535-5.7.8", Reason: "login_refused"}, 1},
		{messages.Outcome{State: messages.Queued, Provider: "smtp", Code: "450-4.2.0", Reason: "not_now"}, 0},
		{messages.Outcome{State: messages.Queued, Provider: "smtp", Code: "timeout", Reason: "timeout"}, 1},
		{messages.Outcome{State: messages.Sent, Provider: "smtp", ProviderID: "1"}, 0},
	} {
		claim := f.claim(t, mail.ID)
		o.At = f.clock.Now()
		if err := f.mails.Record(t.Context(), claim, o.Outcome); err != nil {
			t.Fatal(err)
		}
		want(o.State, o.Reason, o.Code, o.refused)
	}
}

func mailsFirstCause(t *testing.T, f *fixture) {
	_, mail := f.created(t)
	for _, row := range []struct {
		state                                    messages.State
		provider, code, wantProvider, wantedCode string
	}{
		{messages.Queued, "worker", "stopping", "worker", "stopping"},
		{messages.Queued, "smtp", "own_breaker_open", "smtp", "own_breaker_open"},
		{messages.Queued, "smtp", "535", "smtp", "535"},
		{messages.Queued, "worker", "stopping", "smtp", "535"},
		{messages.Queued, "smtp", "own_breaker_open", "smtp", "535"},
		{messages.Queued, "smtp", "451", "smtp", "451"},
		{messages.Failed, "worker", "given_up", "smtp", "451"},
	} {
		outcome := messages.Outcome{State: row.state, Provider: row.provider, Code: row.code, At: f.clock.Now()}
		if err := f.mails.Record(t.Context(), f.claim(t, mail.ID), outcome); err != nil {
			t.Fatal(err)
		}
		if is := f.message(t, mail.ID); is.Provider != row.wantProvider || is.ProviderCode != row.wantedCode {
			t.Errorf("after %s of %s: %s of %s", row.code, row.provider, is.ProviderCode, is.Provider)
		}
	}
}

func mailsStale(t *testing.T, f *fixture) {
	_, mail := f.created(t)
	frozen := f.claim(t, mail.ID)
	f.clock.Advance(mailLease)
	f.due(t) // a lease that is over does not make the outcome stale, another claim does
	second := f.claim(t, mail.ID)
	outcome := messages.Outcome{State: messages.Sent, At: f.clock.Now()}
	if err := f.mails.Record(t.Context(), frozen, outcome); !errors.Is(err, messages.ErrStale) {
		t.Errorf("Record of the first claim = %v, want ErrStale", err)
	}
	f.clock.Advance(mailLease)
	f.due(t)
	f.record(t, second, messages.Sent)
	f.wantDropped(t, mail.ID, "sent")
}

func mailsUnresolved(t *testing.T, f *fixture) {
	_, mail := f.created(t)
	want := func(claim messages.Claim, attempt, unresolved int) {
		t.Helper()
		if claim.Attempt != attempt || claim.UnresolvedClaims != unresolved {
			t.Errorf("claim = %+v, want attempt %d with %d unresolved claims", claim, attempt, unresolved)
		}
	}
	first := f.claim(t, mail.ID)
	want(first, 1, 0)
	f.record(t, first, messages.Queued)
	second := f.claim(t, mail.ID)
	want(second, 2, 0)
	f.record(t, second, messages.Sending) // the outcome is unknown: the claim is kept
	if _, err := f.mails.Claim(t.Context(), mail.ID, mailLease); !errors.Is(err, messages.ErrBusy) {
		t.Errorf("claim within the lease = %v, want ErrBusy", err)
	}
	f.clock.Advance(mailLease)
	third := f.claim(t, mail.ID)
	want(third, 3, 1)
	f.record(t, third, messages.Queued)
	want(f.claim(t, mail.ID), 4, 1)
	f.clock.Advance(mailLease)
	want(f.claim(t, mail.ID), 5, 2) // the worker before died
}

func mailsRecordState(t *testing.T, f *fixture) {
	_, mail := f.created(t)
	claim := f.claim(t, mail.ID)
	for _, state := range []messages.State{"", messages.Delivered, messages.Dropped} {
		if err := f.mails.Record(t.Context(), claim, messages.Outcome{State: state, At: f.clock.Now()}); err == nil {
			t.Errorf("Record as %q was accepted", state)
		}
	}
	f.record(t, claim, messages.Sent)
}

func mailsDueWaiting(t *testing.T, f *fixture) {
	_, mail := f.created(t)
	f.clock.Advance(mailAge - time.Second)
	f.wantDue(t, "while the task is young", map[string]int{})
	f.clock.Advance(time.Second)
	mails, err := f.mails.Due(t.Context(), mailAge, mailLatest, 100)
	want := []accounts.DueMail{{Mail: storedMail(mail)}}
	if diff := cmp.Diff(want, mails, sameContacts); err != nil || diff != "" {
		t.Errorf("Due: %v (-want +got):\n%s", err, diff)
	}
	f.wantDue(t, "right after", map[string]int{})
	f.clock.Advance(mailAge)
	f.wantDue(t, "when it waits on, under the same id", map[string]int{mail.ID: 0})
}

func mailsDueRarely(t *testing.T, f *fixture) {
	_, mail := f.created(t)
	for _, wait := range []time.Duration{mailAge, mailAge, mailLatest} {
		f.clock.Advance(wait - time.Second)
		f.wantDue(t, fmt.Sprintf("a second before another %v", wait), map[string]int{})
		f.clock.Advance(time.Second)
		f.wantDue(t, fmt.Sprintf("another %v later", wait), map[string]int{mail.ID: 0})
	}
	f.clock.Advance(mailAge)
	if due, err := f.mails.Due(t.Context(), mailAge, mailAge, 100); err != nil || len(due) != 1 {
		t.Errorf("in a hurry %d mails are due, %v", len(due), err)
	}
}

func mailsDueLease(t *testing.T, f *fixture) {
	_, mail := f.created(t)
	f.claim(t, mail.ID)
	f.wantDue(t, "during the lease", map[string]int{})
	f.clock.Advance(mailLease)
	f.wantDue(t, "after the lease", map[string]int{mail.ID: 1})
	f.clock.Advance(time.Second)
	f.wantDue(t, "a moment later", map[string]int{})
	f.clock.Advance(mailAge)
	f.wantDue(t, "when it is not claimed", map[string]int{mail.ID: 1})
	f.claim(t, mail.ID)
	f.clock.Advance(mailLease)
	f.wantDue(t, "after the second lease", map[string]int{mail.ID: 2})
	f.record(t, f.claim(t, mail.ID), messages.Sent)
	f.clock.Advance(mailAge)
	f.wantDue(t, "after it was sent", map[string]int{})
}

func mailsDueRetry(t *testing.T, f *fixture) {
	_, mail := f.created(t)
	f.clock.Advance(mailAge - time.Second)
	f.record(t, f.claim(t, mail.ID), messages.Queued)
	f.clock.Advance(mailAge - time.Second)
	f.wantDue(t, "while its retry waits", map[string]int{})
	f.clock.Advance(time.Second)
	f.wantDue(t, "when its retry is late", map[string]int{mail.ID: 0})
}

func mailsDueParallel(t *testing.T, f *fixture) {
	const mails, relays = 60, 8
	for range mails {
		f.created(t)
	}
	f.clock.Advance(mailAge)
	handed := make(chan string, relays*mails)
	var group errgroup.Group
	for range relays {
		group.Go(func() error {
			for {
				due, err := f.mails.Due(t.Context(), mailAge, mailLatest, 7)
				if err != nil || len(due) == 0 {
					return err
				}
				for _, mail := range due {
					handed <- mail.ID
				}
			}
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	close(handed)
	times := map[string]int{}
	for id := range handed {
		if times[id]++; times[id] > 1 {
			t.Errorf("a mail was handed out %d times", times[id])
		}
	}
	for id := range f.due(t) { // a relay may end while another holds the last rows
		times[id]++
	}
	if len(times) != mails {
		t.Errorf("%d of %d mails were handed out", len(times), mails)
	}
}

func mailsDueLimit(t *testing.T, f *fixture) {
	var ids []string
	for range 5 {
		_, mail := f.created(t)
		ids = append(ids, mail.ID)
		f.clock.Advance(time.Second)
	}
	f.clock.Advance(mailAge)
	for first := 0; first < len(ids); first += 2 {
		due, err := f.mails.Due(t.Context(), mailAge, mailLatest, 2)
		if err != nil {
			t.Fatal(err)
		}
		got, want := map[string]bool{}, map[string]bool{}
		for _, mail := range due {
			got[mail.ID] = true
		}
		for _, id := range ids[first:min(first+2, len(ids))] {
			want[id] = true
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("due after %d (-want +got):\n%s", first, diff)
		}
	}
}

func mailsExpire(t *testing.T, f *fixture) {
	for range 3 {
		f.created(t)
	}
	_, dead := f.created(t)
	f.claim(t, dead.ID)
	_, sent := f.created(t)
	f.record(t, f.claim(t, sent.ID), messages.Sent)

	f.wantExpired(t, 100, 0)
	f.clock.Advance(linkLife)
	_, young := f.created(t)
	f.wantExpired(t, 3, 3)
	f.wantExpired(t, 3, 1)
	f.wantExpired(t, 3, 0)
	f.wantDropped(t, dead.ID, "expired")
	f.wantDropped(t, sent.ID, "sent")
	f.claim(t, young.ID)
}

func (f *fixture) wantExpired(t *testing.T, limit, want int) {
	t.Helper()
	if got, err := f.mails.Expire(t.Context(), limit); err != nil || got != want {
		t.Errorf("Expire(%d) = %d, %v, want %d", limit, got, err, want)
	}
}

func mailsExpireLease(t *testing.T, f *fixture) {
	_, mail := f.created(t)
	f.clock.Advance(linkLife - time.Second)
	claim := f.claim(t, mail.ID)
	f.clock.Advance(2 * time.Second)
	f.wantExpired(t, 100, 0)
	f.record(t, claim, messages.Sent)
	f.wantDropped(t, mail.ID, "sent")
}

func mailsCanceled(t *testing.T, f *fixture) {
	_, mail := f.created(t)
	ctx := canceled(t)
	for name, call := range map[string]func() error{
		"Claim":  func() error { _, err := f.mails.Claim(ctx, mail.ID, mailLease); return err },
		"Record": func() error { return f.mails.Record(ctx, messages.Claim{}, messages.Outcome{State: messages.Sent}) },
		"Due":    func() error { _, err := f.mails.Due(ctx, mailAge, mailLatest, 1); return err },
		"Expire": func() error { _, err := f.mails.Expire(ctx, 1); return err },
	} {
		if err := call(); !errors.Is(err, context.Canceled) {
			t.Errorf("%s = %v, want context.Canceled", name, err)
		}
	}
}

func mailsRenewed(t *testing.T, f *fixture) {
	account, first := f.created(t)
	second := f.mail()
	if err := f.accounts.RenewActivation(t.Context(), account.ID, *second); err != nil {
		t.Fatal(err)
	}
	for _, mail := range []string{second.ID, first.ID} { // each has a link that works
		claimed, err := f.mails.Claim(t.Context(), mail, mailLease)
		if err != nil || claimed.Recipient() != account.PendingEmail {
			t.Errorf("Claim = %v, %v, want %v", claimed.Recipient(), err, account.PendingEmail)
		}
	}
}

func mailsBacklog(t *testing.T, f *fixture) {
	want := func(count int, oldest time.Time) {
		t.Helper()
		got, at, err := f.mails.Backlog(t.Context())
		if err != nil || got != count || !at.Equal(oldest) {
			t.Errorf("Backlog = %d since %v, %v; want %d since %v", got, at, err, count, oldest)
		}
	}
	want(0, time.Time{})
	_, first := f.created(t)
	f.clock.Advance(time.Minute)
	_, second := f.created(t)
	want(2, storedMail(first).CreatedAt)
	claim := f.claim(t, first.ID)
	want(2, storedMail(first).CreatedAt) // it is not sent yet
	f.record(t, claim, messages.Sent)
	want(1, storedMail(second).CreatedAt)
}
