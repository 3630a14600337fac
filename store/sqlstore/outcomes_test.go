package sqlstore_test

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sync/errgroup"

	"usher/messages"
	"usher/secrets"
	"usher/store/sqlstore"
	"usher/verify"
)

// outcomesTests check that the history of SMS has the last outcome of each, in whatever order outcomes arrive.
var outcomesTests = behaviours{
	"Save_files_all_that_is_known":              outcomesSave,
	"Save_lets_the_last_revision_stay":          outcomesOrder,
	"Save_takes_any_number":                     outcomesMany,
	"Save_does_not_deadlock":                    outcomesParallel,
	"Save_gives_up_with_its_context":            outcomesCanceled,
	"Expire_closes_messages_without_an_outcome": outcomesExpire,
	"Expire_is_replaced_by_a_later_outcome":     outcomesExpireEarly,
	"Prune_deletes_what_is_closed_and_old":      outcomesPrune,
	"Prune_and_Expire_honour_their_limits":      outcomesLimits,
	"Mails_are_handed_out_past_any_sms_waiting": outcomesBesideMails,
}

// outcome is what is known of a code that was just issued.
func (f *fixture) outcome() messages.Record {
	now := f.clock.Now().UTC().Truncate(time.Millisecond)
	return messages.Record{
		ID: verify.NewID(secrets.Random(16)), Revision: 1, Purpose: "login", To: "138****8000", RequestID: "request-1",
		State: messages.Queued, CreatedAt: now, UpdatedAt: now, NotAfter: now.Add(5 * time.Minute),
	}
}

// later is the same code some revisions later.
func later(r messages.Record, by int, state messages.State) messages.Record {
	r.Revision += by
	r.State = state
	r.UpdatedAt = r.UpdatedAt.Add(time.Duration(by) * time.Second)
	return r
}

func (f *fixture) save(t *testing.T, records ...messages.Record) {
	t.Helper()
	if err := f.outcomes.Save(t.Context(), records); err != nil {
		t.Fatalf("Save: %v", err)
	}
}

func (f *fixture) message(t *testing.T, id string) sqlstore.Message {
	t.Helper()
	message, err := f.messages.Find(t.Context(), id)
	if err != nil {
		t.Fatalf("Find: %v", err)
	}
	return message
}

func (f *fixture) wantMessage(t *testing.T, id string, state messages.State, reason string) {
	t.Helper()
	if got := f.message(t, id); got.State != state || got.Reason != reason {
		t.Errorf("state = %s %s, want %s %s", got.State, got.Reason, state, reason)
	}
}

func outcomesSave(t *testing.T, f *fixture) {
	r := f.outcome()
	f.save(t, r)
	want := sqlstore.Message{
		ID: r.ID, Channel: messages.SMS, Purpose: r.Purpose, To: r.To, RequestID: r.RequestID, State: messages.Queued,
		CreatedAt: stamped(r.CreatedAt), EnqueuedAt: stamped(r.CreatedAt), NotAfter: stamped(r.NotAfter), UpdatedAt: stamped(r.UpdatedAt),
	}
	if diff := cmp.Diff(want, f.message(t, r.ID)); diff != "" {
		t.Errorf("a new one, -want +got:\n%s", diff)
	}

	r = later(r, 1, messages.Sending)
	r.LeaseUntil, r.Attempt, r.UnresolvedClaims, r.Provider, r.ProviderCode = r.UpdatedAt.Add(time.Minute), 2, 1, "aliyun", "timeout"
	f.save(t, r)
	want.State, want.Attempt, want.UnresolvedClaims, want.Provider, want.ProviderCode = messages.Sending, 2, 1, "aliyun", "timeout"
	want.LeaseUntil, want.UpdatedAt = stamped(r.LeaseUntil), stamped(r.UpdatedAt)
	if diff := cmp.Diff(want, f.message(t, r.ID)); diff != "" {
		t.Errorf("unresolved, -want +got:\n%s", diff)
	}

	r = later(r, 1, messages.Delivered)
	r.LeaseUntil, r.ProviderID, r.ProviderCode = time.Time{}, "biz", "DELIVERED"
	r.AcceptedAt, r.DeliveredAt, r.UsedAt = r.UpdatedAt, r.UpdatedAt.Add(time.Second), r.UpdatedAt.Add(time.Minute)
	f.save(t, r)
	want.State, want.ProviderID, want.ProviderCode, want.LeaseUntil = messages.Delivered, "biz", "DELIVERED", sqlstore.Stamp{}
	want.AcceptedAt, want.DeliveredAt = stamped(r.AcceptedAt), stamped(r.DeliveredAt)
	want.UsedAt, want.UpdatedAt = stamped(r.UsedAt), stamped(r.UpdatedAt)
	if diff := cmp.Diff(want, f.message(t, r.ID)); diff != "" {
		t.Errorf("used, -want +got:\n%s", diff)
	}
}

func outcomesOrder(t *testing.T, f *fixture) {
	states := []messages.State{messages.Queued, messages.Queued, messages.Sent, messages.Delivered}
	all := func() []messages.Record {
		first := f.outcome()
		var records []messages.Record
		for i, state := range states {
			records = append(records, later(first, i, state))
		}
		return records
	}
	for range 10 {
		together, apart := all(), all()
		for _, records := range [][]messages.Record{together, apart} {
			rand.Shuffle(len(records), func(i, j int) { records[i], records[j] = records[j], records[i] })
		}
		f.save(t, slices.Concat(together, together[:2])...)
		for _, r := range slices.Concat(apart, apart[:2]) {
			f.save(t, r)
		}
		for _, id := range []string{together[0].ID, apart[0].ID} {
			f.wantMessage(t, id, messages.Delivered, "")
		}
	}
}

func outcomesMany(t *testing.T, f *fixture) {
	f.save(t)
	var records []messages.Record
	for range 2500 {
		records = append(records, f.outcome())
	}
	f.save(t, records...)
	for _, i := range []int{0, 999, 1000, 2499} {
		f.wantMessage(t, records[i].ID, messages.Queued, "")
	}
}

func outcomesParallel(t *testing.T, f *fixture) {
	var records []messages.Record
	for range 200 {
		r := f.outcome()
		records = append(records, r, later(r, 1, messages.Sent), later(r, 2, messages.Failed))
	}
	var group errgroup.Group
	for range 8 {
		shuffled := slices.Clone(records)
		rand.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		group.Go(func() error {
			for some := range slices.Chunk(shuffled, 100) {
				if err := f.outcomes.Save(t.Context(), some); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(records); i += 3 {
		f.wantMessage(t, records[i].ID, messages.Failed, "")
	}
}

func outcomesCanceled(t *testing.T, f *fixture) {
	r := f.outcome()
	if err := f.outcomes.Save(canceled(t), []messages.Record{r}); err == nil {
		t.Error("Save with a context that has ended")
	}
	if _, err := f.outcomes.Expire(canceled(t), 1); err == nil {
		t.Error("Expire with a context that has ended")
	}
	if _, err := f.outcomes.Prune(canceled(t), time.Hour); err == nil {
		t.Error("Prune with a context that has ended")
	}
}

func (f *fixture) wantTidied(t *testing.T, what string, want int, do func() (int, error)) {
	t.Helper()
	if n, err := do(); err != nil || n != want {
		t.Errorf("%s = %d, %v, want %d", what, n, err, want)
	}
}

func (f *fixture) wantClosed(t *testing.T, want int) {
	t.Helper()
	f.wantTidied(t, "Expire", want, func() (int, error) { return f.outcomes.Expire(t.Context(), 100) })
}

func (f *fixture) wantPruned(t *testing.T, olderThan time.Duration, want int) {
	t.Helper()
	f.wantTidied(t, "Prune", want, func() (int, error) { return f.outcomes.Prune(t.Context(), olderThan) })
}

func outcomesExpire(t *testing.T, f *fixture) {
	queued, sending := f.outcome(), f.outcome()
	sending.State, sending.LeaseUntil = messages.Sending, f.clock.Now().Add(time.Hour) // it does not matter: Redis knows better
	closed := f.outcome()
	closed.State = messages.Sent
	f.save(t, queued, sending, closed)
	_, mail := f.created(t)
	f.clock.Advance(6*time.Minute - 2*time.Millisecond)
	f.wantClosed(t, 0)
	f.clock.Advance(2 * time.Millisecond)
	f.wantClosed(t, 2)
	f.wantClosed(t, 0)
	f.wantMessage(t, queued.ID, messages.Dropped, "expired")
	f.wantMessage(t, sending.ID, messages.Dropped, "expired")
	f.wantMessage(t, closed.ID, messages.Sent, "")
	if got := f.message(t, queued.ID).UpdatedAt; !got.Equal(f.clock.Now().Truncate(time.Microsecond)) {
		t.Errorf("closed at %v", got)
	}
	f.clock.Advance(2 * linkLife) // the relay's business
	f.wantClosed(t, 0)
	f.wantMessage(t, mail.ID, messages.Queued, "")
}

func outcomesExpireEarly(t *testing.T, f *fixture) {
	r := f.outcome()
	f.save(t, r)
	f.clock.Advance(10 * time.Minute)
	f.wantClosed(t, 1)
	f.save(t, r) // read twice
	f.wantMessage(t, r.ID, messages.Dropped, "expired")
	f.save(t, later(r, 1, messages.Sent))
	f.wantMessage(t, r.ID, messages.Sent, "")
	f.wantClosed(t, 0)
}

func outcomesPrune(t *testing.T, f *fixture) {
	var gone, kept []string
	for _, state := range []messages.State{
		messages.Sent, messages.Delivered, messages.Undelivered, messages.Failed, messages.Dropped, messages.Queued,
	} {
		r := f.outcome()
		r.State = state
		f.save(t, r)
		if state == messages.Queued {
			kept = append(kept, r.ID)
		} else {
			gone = append(gone, r.ID)
		}
	}
	_, sent := f.created(t)
	f.record(t, f.claim(t, sent.ID), messages.Sent)
	_, waiting := f.created(t)
	f.clock.Advance(time.Hour)
	recent := f.outcome()
	recent.State = messages.Sent
	f.save(t, recent)
	gone, kept = append(gone, sent.ID), append(kept, waiting.ID, recent.ID)

	f.wantPruned(t, 2*time.Hour, 0)
	f.wantPruned(t, 30*time.Minute, len(gone))
	f.wantPruned(t, 30*time.Minute, 0)
	for _, id := range kept {
		f.message(t, id)
	}
	for _, id := range gone {
		if _, err := f.messages.Find(t.Context(), id); err == nil {
			t.Errorf("%s is still there", id)
		}
	}
}

func outcomesLimits(t *testing.T, f *fixture) {
	for range 5 {
		f.save(t, f.outcome())
	}
	f.clock.Advance(time.Hour)
	for _, want := range []int{3, 2, 0} {
		f.wantTidied(t, "Expire", want, func() (int, error) { return f.outcomes.Expire(t.Context(), 3) })
	}
}

func outcomesBesideMails(t *testing.T, f *fixture) {
	sending := f.outcome()
	sending.State, sending.LeaseUntil = messages.Sending, f.clock.Now()
	code, sent := f.outcome(), f.outcome()
	code.Channel, sent.Channel, sent.State = messages.Email, messages.Email, messages.Sent
	f.save(t, f.outcome(), sending, code, sent)
	_, mail := f.created(t)
	f.clock.Advance(mailAge)
	if due := f.due(t); len(due) != 1 || due[mail.ID] != 0 {
		t.Errorf("due = %v, want the mail alone", due)
	}
	if claimed, err := f.mails.Claim(t.Context(), sending.ID, time.Minute); err == nil || claimed.Reason != "missing" {
		t.Errorf("Claim of an SMS = %+v, %v", claimed, err)
	}
	if claimed, err := f.mails.Claim(t.Context(), code.ID, time.Minute); err == nil || claimed.Reason != "missing" {
		t.Errorf("Claim of a code by mail = %+v, %v", claimed, err)
	}
	if count, _, err := f.mails.Backlog(t.Context()); err != nil || count != 1 {
		t.Errorf("Backlog = %d, %v, want the mail alone", count, err)
	}
	if got := f.message(t, code.ID); got.Channel != messages.Email || got.AccountID != "" {
		t.Errorf("a code by mail is stored as %+v", got)
	}
	list, err := f.messages.List(t.Context(), sqlstore.Filter{Channel: messages.Email, Limit: 10})
	if err != nil || len(list) != 3 {
		t.Errorf("List of mails = %d, %v, want the mail and two with codes", len(list), err)
	}
	f.clock.Advance(time.Hour)
	if _, err := f.outcomes.Expire(t.Context(), 10); err != nil {
		t.Fatal(err)
	}
	f.wantMessage(t, code.ID, messages.Dropped, "expired")
	f.wantMessage(t, sent.ID, messages.Sent, "")
	f.wantMessage(t, mail.ID, messages.Queued, "")
}
