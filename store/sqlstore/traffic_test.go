package sqlstore_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"usher/messages"
	"usher/vitals"
)

// trafficTests check that the outcomes of messages are counted as operators read them.
var trafficTests = behaviours{
	"without_messages_is_empty":                      trafficEmpty,
	"counts_each_message_by_its_outcome":             trafficStates,
	"is_cut_by_slot_provider_prefix_and_what_is_new": trafficParts,
	"rounds_times_to_two_digits":                     trafficTimes,
	"counts_mails_apart":                             trafficMails,
	"tells_the_dead_by_their_reason":                 trafficDead,
	"of_a_day_is_the_same_when_counted_before":       trafficRolledUp,
	"gives_up_with_its_context":                      trafficCanceled,
}

// window is the hour that ends a minute from now.
func (f *fixture) window() vitals.Window {
	until := f.clock.Now().UTC().Truncate(time.Minute).Add(time.Minute)
	return vitals.Window{Since: until.Add(-time.Hour), Until: until, Slot: time.Minute, Recent: until.Add(-vitals.Recent)}
}

func (f *fixture) traffic(t *testing.T) *vitals.Traffic {
	t.Helper()
	traffic, err := f.messages.Traffic(t.Context(), f.window())
	if err != nil {
		t.Fatalf("Traffic: %v", err)
	}
	return traffic
}

// sms files an SMS that was asked for so long ago.
func (f *fixture) sms(t *testing.T, ago time.Duration, state messages.State, change func(*messages.Record)) messages.Record {
	t.Helper()
	r := f.outcome()
	r.CreatedAt = r.CreatedAt.Add(-ago)
	r.State, r.UpdatedAt, r.NotAfter = state, r.CreatedAt, r.CreatedAt.Add(5*time.Minute)
	if state == messages.Sending {
		r.LeaseUntil = r.CreatedAt.Add(time.Minute)
	}
	if change != nil {
		change(&r)
	}
	f.save(t, r)
	return r
}

func acceptedAfter(d time.Duration, provider string) func(*messages.Record) {
	return func(r *messages.Record) { r.Provider, r.AcceptedAt = provider, r.CreatedAt.Add(d) }
}

func trafficEmpty(t *testing.T, f *fixture) {
	if diff := cmp.Diff(vitals.NewTraffic(f.window()), f.traffic(t)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func trafficStates(t *testing.T, f *fixture) {
	const second = time.Second
	f.sms(t, second, messages.Queued, nil)
	f.sms(t, second, messages.Sending, nil)
	f.sms(t, second, messages.Sent, acceptedAfter(second, "aliyun"))
	f.sms(t, second, messages.Delivered, func(r *messages.Record) {
		acceptedAfter(second, "aliyun")(r)
		r.DeliveredAt, r.UsedAt = r.CreatedAt.Add(3*second), r.CreatedAt.Add(20*second)
	})
	f.sms(t, second, messages.Undelivered, func(r *messages.Record) { r.Provider = "aliyun" }) // reported before its answer
	f.sms(t, second, messages.Failed, func(r *messages.Record) { r.Provider, r.ProviderCode = "aliyun", "isv.X" })
	for _, reason := range []string{"expired", "unqueued", "superseded", "used"} {
		f.sms(t, second, messages.Dropped, func(r *messages.Record) { r.Reason = reason })
	}
	want := vitals.Tally{
		Asked: 10, Accepted: 3, Delivered: 1, Undelivered: 1, Used: 1, Failed: 1, Expired: 2, Idle: 2, Waiting: 2,
		Acceptance: vitals.Times{second: 2}, Delivery: vitals.Times{3 * second: 1},
	}
	got := f.traffic(t).SMS
	if diff := cmp.Diff(want, got.Whole); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if diff := cmp.Diff(got.Whole, got.Recent); diff != "" {
		t.Errorf("all are recent (-whole +recent):\n%s", diff)
	}
}

func trafficParts(t *testing.T, f *fixture) {
	to := func(masked, provider string) func(*messages.Record) {
		return func(r *messages.Record) { acceptedAfter(time.Second, provider)(r); r.To = masked }
	}
	w := f.window()
	fromEnd := func(d time.Duration) time.Duration {
		return f.clock.Now().Truncate(time.Millisecond).Sub(w.Until.Add(-d))
	}
	f.sms(t, fromEnd(time.Hour), messages.Sent, to("138****8000", "aliyun")) // the first moment that counts
	f.sms(t, fromEnd(time.Hour+time.Second), messages.Sent, to("138****8000", "aliyun"))
	f.sms(t, fromEnd(30*time.Minute), messages.Sent, to("139****8000", "ronglian"))
	f.sms(t, fromEnd(90*time.Second), messages.Sent, to("+852****8001", "aliyun"))
	f.sms(t, fromEnd(0), messages.Sent, to("137****8001", "aliyun")) // the first that does not

	got := f.traffic(t).SMS
	slots := map[int]int{}
	for i, slot := range got.Slots {
		if slot.Asked > 0 {
			slots[i] = slot.Asked
		}
	}
	if diff := cmp.Diff(map[int]int{0: 1, 30: 1, 58: 1}, slots); diff != "" {
		t.Errorf("slots, -want +got:\n%s", diff)
	}
	if got.Whole.Asked != 3 || got.Recent.Asked != 1 || got.Recent.Acceptance.Count() != 1 {
		t.Errorf("whole %d, recent %d, want 3 and 1", got.Whole.Asked, got.Recent.Asked)
	}
	count := func(tallies map[string]*vitals.Tally) map[string]int {
		counted := map[string]int{}
		for name, tally := range tallies {
			counted[name] = tally.Accepted
		}
		return counted
	}
	if diff := cmp.Diff(map[string]int{"aliyun": 2, "ronglian": 1}, count(got.Providers)); diff != "" {
		t.Errorf("providers, -want +got:\n%s", diff)
	}
	if diff := cmp.Diff(map[string]int{"138": 1, "139": 1, "+852": 1}, count(got.Prefixes)); diff != "" {
		t.Errorf("prefixes, -want +got:\n%s", diff)
	}
}

// rounded is a time in the steps of vitals.Times.
func rounded(d time.Duration) time.Duration {
	step := 10 * time.Millisecond
	for d >= 100*step && step < 10*time.Second {
		step *= 10
	}
	return max(d, 0).Round(step)
}

func trafficTimes(t *testing.T, f *fixture) {
	want := vitals.Times{}
	for _, ms := range []int{0, 4, 5, 14, 15, 994, 995, 1049, 1050, 9949, 9950, 10499, 10500, 99499, 99500, 104999, 105000} {
		d := time.Duration(ms) * time.Millisecond
		f.sms(t, 10*time.Minute, messages.Sent, acceptedAfter(d, "aliyun"))
		want[rounded(d)]++
	}
	f.sms(t, 10*time.Minute, messages.Sent, acceptedAfter(-time.Minute, "aliyun")) // a clock is wrong
	want[0]++
	if diff := cmp.Diff(want, f.traffic(t).SMS.Whole.Acceptance); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func trafficMails(t *testing.T, f *fixture) {
	_, first := f.created(t)
	f.created(t)
	claim := f.claim(t, first.ID)
	f.clock.Advance(2 * time.Second)
	f.record(t, claim, messages.Sent)
	got := f.traffic(t)
	if m := got.Mail.Whole; m.Asked != 2 || m.Accepted != 1 || m.Waiting != 1 || m.Acceptance.Count() != 1 {
		t.Errorf("mails: %+v", m)
	}
	if got.SMS.Whole.Asked != 0 || len(got.Mail.Prefixes) != 0 {
		t.Errorf("a mail counts as an SMS, or has a prefix: %+v", got)
	}
}

func trafficDead(t *testing.T, f *fixture) {
	refuse := func(code string) func(*messages.Record) {
		return func(r *messages.Record) { r.Provider, r.ProviderCode = "aliyun", code }
	}
	var last messages.Record
	for i := range 25 {
		last = f.sms(t, time.Duration(30-i)*time.Second, messages.Failed, refuse("isv.BLACK"))
	}
	f.sms(t, 20*time.Minute, messages.Undelivered, refuse("MK:0001"))
	f.sms(t, 20*time.Minute, messages.Delivered, nil)
	got := f.traffic(t)
	var groups []string
	for _, g := range got.Dead {
		groups = append(groups, fmt.Sprintf("%s %s %s %s %d", g.Channel, g.State, g.Provider, g.Code, g.Count))
	}
	if diff := cmp.Diff([]string{"sms failed aliyun isv.BLACK 25", "sms undelivered aliyun MK:0001 1"}, groups); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if !got.Dead[0].Last.Equal(last.CreatedAt) {
		t.Errorf("the newest of a group was asked for at %v, want %v", got.Dead[0].Last, last.CreatedAt)
	}
}

func trafficCanceled(t *testing.T, f *fixture) {
	if _, err := f.messages.Traffic(canceled(t), f.window()); err == nil {
		t.Error("a look with an ended context succeeded")
	}
}

// day is the window of 24 hours that ends with the running quarter of an hour.
func (f *fixture) day(slot time.Duration) vitals.Window {
	until := f.clock.Now().UTC().Truncate(15 * time.Minute).Add(15 * time.Minute)
	return vitals.Window{Since: until.Add(-24 * time.Hour), Until: until, Slot: slot, Recent: until.Add(-vitals.Recent)}
}

// wantSameDay compares what was counted before with what the messages themselves say, of which slots of five minutes
// are made.
func (f *fixture) wantSameDay(t *testing.T, when string) {
	t.Helper()
	read := func(slot time.Duration) *vitals.Traffic {
		traffic, err := f.messages.Traffic(t.Context(), f.day(slot))
		if err != nil {
			t.Fatalf("Traffic %s: %v", when, err)
		}
		return traffic
	}
	want, got := read(5*time.Minute), read(15*time.Minute)
	slots := make([]int, len(got.SMS.Slots))
	for i, slot := range want.SMS.Slots {
		slots[i/3] += slot.Asked
	}
	for i, slot := range got.SMS.Slots {
		if slot.Asked != slots[i] {
			t.Errorf("%s: slot %d has %d messages, want %d", when, i, slot.Asked, slots[i])
		}
	}
	for _, traffic := range []*vitals.Traffic{want, got} {
		traffic.Window.Slot, traffic.SMS.Slots, traffic.Mail.Slots = 0, nil, nil
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s, -messages +counted:\n%s", when, diff)
	}
}

func (f *fixture) rollUp(t *testing.T, want int) {
	t.Helper()
	if n, err := f.messages.RollUp(t.Context()); err != nil || n != want {
		t.Errorf("RollUp = %d, %v, want %d", n, err, want)
	}
}

// quartersOver is how many quarters of an hour RollUp counts of a past that it has not looked at: 25 hours without the
// one that runs and without the one that is recent.
const quartersOver = 25*4 - 1

func trafficRolledUp(t *testing.T, f *fixture) {
	var all []messages.Record
	states := []messages.State{messages.Sent, messages.Delivered, messages.Failed, messages.Undelivered, messages.Dropped, messages.Queued}
	for i := range 120 {
		all = append(all, f.sms(t, time.Duration(i)*13*time.Minute, states[i%len(states)], func(r *messages.Record) {
			r.To, r.Provider, r.AcceptedAt = fmt.Sprintf("13%d****8000", i%7), []string{"aliyun", "ronglian"}[i%2], r.CreatedAt.Add(time.Duration(i)*time.Millisecond*90)
			r.ProviderCode = fmt.Sprintf("isv.%d", i%3)
		}))
	}
	f.created(t)
	f.wantSameDay(t, "before anything was counted")
	f.rollUp(t, quartersOver)
	f.wantSameDay(t, "when it was counted")
	f.rollUp(t, 0)

	old := all[60] // thirteen hours ago
	old.Revision, old.State, old.UpdatedAt, old.DeliveredAt = old.Revision+1, messages.Delivered, f.clock.Now(), f.clock.Now()
	f.save(t, old)
	f.rollUp(t, 1)
	f.wantSameDay(t, "after a late report")

	f.clock.Advance(45 * time.Minute)
	f.sms(t, 40*time.Minute, messages.Sent, acceptedAfter(time.Second, "aliyun"))
	f.sms(t, time.Minute, messages.Sent, acceptedAfter(time.Second, "aliyun"))
	f.wantSameDay(t, "while the last quarters are not counted")
	f.rollUp(t, 4) // the late report too: others may have been committed behind it
	f.wantSameDay(t, "with the last quarters")

	day := f.day(15 * time.Minute)
	before, err := f.messages.Traffic(t.Context(), day)
	if err != nil {
		t.Fatal(err)
	}
	f.clock.Advance(time.Hour) // so that all of them are old enough
	f.wantPruned(t, 59*time.Minute, 102)
	after, err := f.messages.Traffic(t.Context(), day)
	if err != nil || after.SMS.Whole.Asked < before.SMS.Whole.Asked-10 {
		t.Errorf("the day is not read from what was counted: %d messages, %v, want about %d", after.SMS.Whole.Asked, err, before.SMS.Whole.Asked)
	}
}
