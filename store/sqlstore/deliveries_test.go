package sqlstore_test

import (
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"usher/events"
	"usher/store/sqlstore"
	"usher/webhooks"
)

// feed takes up to n deliveries for each endpoint.
func (f *fixture) feed(t *testing.T, n int) []events.Due {
	t.Helper()
	if err := f.events.TakeBack(t.Context()); err != nil {
		t.Fatal(err)
	}
	due, err := f.events.Feed(t.Context(), func(_ string, open int, _ bool) int { return n - open })
	if err != nil {
		t.Fatal(err)
	}
	return due
}

// accountsTold makes events of so many accounts.
func (f *fixture) accountsTold(t *testing.T, n int) {
	t.Helper()
	for range n {
		f.created(t)
	}
}

func (f *fixture) claimDelivery(t *testing.T, due events.Due) events.Claimed {
	t.Helper()
	claimed, err := f.events.Claim(t.Context(), due, leased)
	if err != nil {
		t.Fatal(err)
	}
	return claimed
}

// attempt feeds, claims and records one delivery, which must be the only one due.
func (f *fixture) attempt(t *testing.T, answer events.Answer) (disabled string) {
	t.Helper()
	due := f.feed(t, 1)
	if len(due) != 1 {
		t.Fatalf("%d deliveries are due, want one", len(due))
	}
	disabled, err := f.events.Record(t.Context(), f.claimDelivery(t, due[0]), answer)
	if err != nil {
		t.Fatal(err)
	}
	return disabled
}

// delivery is the first one of the only event.
func (f *fixture) delivery(t *testing.T) events.Delivery {
	t.Helper()
	return f.listed(t)[0].Deliveries[0]
}

var (
	answered = events.Answer{Result: events.Delivered, Status: 200}
	broken   = events.Answer{Result: events.ServerError, Status: 500}
)

func deliveriesWindow(t *testing.T, f *fixture) {
	f.endpoint(t)
	f.endpoint(t)
	f.accountsTold(t, 5)
	if n := len(f.feed(t, 3)); n != 6 {
		t.Errorf("%d deliveries, want three for each endpoint", n)
	}
	if n := len(f.feed(t, 3)); n != 0 {
		t.Errorf("%d more, want none: the window is full", n)
	}
	if n := len(f.feed(t, 10)); n != 4 {
		t.Errorf("%d more, want the rest", n)
	}
}

func deliveriesOnce(t *testing.T, f *fixture) {
	f.endpoint(t)
	f.accountsTold(t, 1)
	var fed atomic.Int32
	var group errgroup.Group
	var dues [8][]events.Due
	for i := range dues {
		group.Go(func() error {
			var err error
			dues[i], err = f.events.Feed(t.Context(), func(string, int, bool) int { return 1 })
			fed.Add(int32(len(dues[i])))
			return err
		})
	}
	if err := group.Wait(); err != nil || fed.Load() != 1 {
		t.Fatalf("fed %d times, %v", fed.Load(), err)
	}
	var due events.Due
	for _, some := range dues {
		for _, one := range some {
			due = one
		}
	}
	claimed := f.claimDelivery(t, due)
	if _, err := f.events.Claim(t.Context(), due, leased); !errors.Is(err, events.ErrTaken) {
		t.Errorf("second claim: %v", err)
	}
	if claimed.Type != events.AccountCreated || claimed.URL == "" || claimed.Keys.IsZero() || len(claimed.Body) == 0 {
		t.Errorf("claimed %+v", claimed)
	}
	for _, want := range []error{nil, events.ErrStale} {
		if _, err := f.events.Record(t.Context(), claimed, answered); !errors.Is(err, want) {
			t.Errorf("Record: %v, want %v", err, want)
		}
	}
	if d := f.delivery(t); d.State != events.Done || d.Status != 200 || d.Attempts != 1 {
		t.Errorf("delivery %+v", d)
	}
	f.clock.Advance(24 * time.Hour)
	if n := len(f.feed(t, 1)); n != 0 {
		t.Error("it is delivered again")
	}
}

func deliveriesDead(t *testing.T, f *fixture) {
	f.endpoint(t)
	f.accountsTold(t, 1)
	first := f.feed(t, 1)[0]
	f.clock.Advance(time.Minute) // its task was lost
	second := f.feed(t, 1)
	if len(second) != 1 || second[0].Enqueues != first.Enqueues+1 {
		t.Fatalf("second task %+v", second)
	}
	if _, err := f.events.Claim(t.Context(), first, leased); !errors.Is(err, events.ErrTaken) {
		t.Errorf("claim by the lost task: %v", err)
	}
	dead := f.claimDelivery(t, second[0])
	f.clock.Advance(leased - time.Second)
	if n := len(f.feed(t, 1)); n != 0 {
		t.Error("fed while it is claimed")
	}
	f.clock.Advance(time.Second)
	third := f.feed(t, 1)
	if len(third) != 1 {
		t.Fatal("the claim of a dead worker does not come back")
	}
	claimed := f.claimDelivery(t, third[0])
	if claimed.EventID != dead.EventID || claimed.Attempt != 2 || claimed.Failed != 0 {
		t.Errorf("claimed %+v", claimed)
	}
	if _, err := f.events.Record(t.Context(), dead, answered); !errors.Is(err, events.ErrStale) {
		t.Errorf("the dead worker records: %v", err)
	}
}

func deliveriesSchedule(t *testing.T, f *fixture) {
	f.endpoint(t)
	f.accountsTold(t, 1)
	began := f.clock.Now()
	for range 10 {
		f.attempt(t, broken)
		d := f.delivery(t)
		if d.State == events.Failed {
			break
		}
		f.clock.Advance(d.NextAt.Sub(f.clock.Now()) - time.Second)
		if n := len(f.feed(t, 1)); n != 0 {
			t.Fatalf("attempt %d comes before its time", d.Attempts+1)
		}
		f.clock.Advance(time.Minute) // past the pause of the endpoint too
	}
	if d := f.delivery(t); d.State != events.Failed || d.Attempts != 10 || d.Result != events.ServerError {
		t.Errorf("delivery %+v, want given up after ten attempts", d)
	}
	if took := f.clock.Now().Sub(began); took < 75*time.Hour || took > 85*time.Hour {
		t.Errorf("ten attempts took %v, want about 76 hours", took)
	}
}

func (f *fixture) onlyEndpoint(t *testing.T) events.Endpoint {
	t.Helper()
	list, err := f.events.Endpoints(t.Context())
	if err != nil || len(list) != 1 {
		t.Fatalf("endpoints %+v, %v", list, err)
	}
	return list[0]
}

func deliveriesSuccess(t *testing.T, f *fixture) {
	f.endpoint(t)
	f.accountsTold(t, 1)
	f.attempt(t, broken)
	if e := f.onlyEndpoint(t); e.Failures != 1 || e.FailingSince.IsZero() {
		t.Errorf("endpoint %+v", e)
	}
	f.clock.Advance(10 * time.Second)
	f.attempt(t, answered)
	if e := f.onlyEndpoint(t); e.Failures != 0 || !e.FailingSince.IsZero() || !e.PausedUntil.IsZero() {
		t.Errorf("endpoint %+v", e)
	}
}

func deliveriesGone(t *testing.T, f *fixture) {
	id := f.endpoint(t)
	f.accountsTold(t, 1)
	if reason := f.attempt(t, events.Answer{Result: events.Gone, Status: http.StatusGone}); reason != events.DisabledByAnswer {
		t.Errorf("disabled by %q", reason)
	}
	f.accountsTold(t, 1)
	if n := len(f.feed(t, 1)); n != 0 || f.count(t, "deliveries") != 1 {
		t.Error("a disabled endpoint gets events")
	}
	if err := f.events.EnableEndpoint(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	f.accountsTold(t, 1)
	f.attempt(t, answered)
	if e := f.onlyEndpoint(t); !e.DisabledAt.IsZero() || e.Reason != "" {
		t.Errorf("endpoint %+v", e)
	}
	if err := f.events.EnableEndpoint(t.Context(), "ep_unknown"); !errors.Is(err, events.ErrNotFound) {
		t.Errorf("unknown endpoint: %v", err)
	}
}

func deliveriesFiveDays(t *testing.T, f *fixture) {
	f.endpoint(t)
	for day := range 5 {
		f.accountsTold(t, 1)
		due := f.feed(t, 1)
		if reason, err := f.events.Record(t.Context(), f.claimDelivery(t, due[0]), broken); err != nil || reason != "" {
			t.Fatalf("day %d: disabled by %q, %v", day, reason, err)
		}
		f.clock.Advance(24 * time.Hour)
	}
	f.clock.Advance(time.Minute)
	due := f.feed(t, 1)
	if reason, err := f.events.Record(t.Context(), f.claimDelivery(t, due[0]), broken); err != nil || reason != events.DisabledByFailures {
		t.Errorf("disabled by %q, %v", reason, err)
	}
	if n := len(f.feed(t, 100)); n != 0 {
		t.Error("a disabled endpoint gets events")
	}
}

func deliveriesPause(t *testing.T, f *fixture) {
	f.endpoint(t)
	f.accountsTold(t, 3)
	due := f.feed(t, 2)
	asks := events.Answer{Result: events.SlowDown, Status: 429, RetryAfter: 10 * time.Minute}
	if _, err := f.events.Record(t.Context(), f.claimDelivery(t, due[0]), asks); err != nil {
		t.Fatal(err)
	}
	if _, err := f.events.Claim(t.Context(), due[1], leased); !errors.Is(err, events.ErrTaken) {
		t.Errorf("a queued delivery is sent in the pause: %v", err)
	}
	f.clock.Advance(10*time.Minute - time.Second)
	if n := len(f.feed(t, 5)); n != 0 {
		t.Errorf("%d deliveries in the pause", n)
	}
	f.clock.Advance(time.Second)
	if n := len(f.feed(t, 5)); n != 3 {
		t.Errorf("%d deliveries after the pause", n)
	}
}

// signature of an attempt that is made now.
func (f *fixture) signed(t *testing.T) (http.Header, []byte) {
	t.Helper()
	f.accountsTold(t, 1)
	due := f.feed(t, 1)
	claimed := f.claimDelivery(t, due[0])
	header := http.Header{}
	claimed.Keys.Sign(header, claimed.EventID, f.clock.Now(), claimed.Body)
	if _, err := f.events.Record(t.Context(), claimed, answered); err != nil {
		t.Fatal(err)
	}
	return header, claimed.Body
}

func endpointsRotatePrivate(t *testing.T, f *fixture) {
	id, err := f.events.AddEndpoint(t.Context(), "https://example.com", nil, webhooks.NewPrivateKey())
	if err != nil {
		t.Fatal(err)
	}
	if newest, err := f.events.RotateEndpoint(t.Context(), id); err != nil || !strings.HasPrefix(newest, "whsk_") {
		t.Fatalf("another kind of secret after the rotation, %v", err)
	}
	header, _ := f.signed(t)
	if got := header.Get(webhooks.HeaderSignature); strings.Count(got, "v1a,") != 2 {
		t.Errorf("the signatures are %s, want those of both keys", got)
	}
}

func endpointsRotate(t *testing.T, f *fixture) {
	former := events.NewSecret()
	id, err := f.events.AddEndpoint(t.Context(), "https://example.com", nil, former)
	if err != nil {
		t.Fatal(err)
	}
	newest, err := f.events.RotateEndpoint(t.Context(), id)
	if err != nil || newest == former {
		t.Fatal(newest == former, err)
	}
	for _, step := range []struct {
		after  time.Duration
		former error
	}{{0, nil}, {events.SecretOverlap - time.Second, nil}, {time.Second, webhooks.ErrSignature}} {
		f.clock.Advance(step.after)
		header, body := f.signed(t)
		for secret, want := range map[string]error{newest: nil, former: step.former} {
			keys, err := webhooks.ParseKeys(secret)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := keys.Verify(header, body, f.clock.Now()); !errors.Is(err, want) {
				t.Errorf("%v after the rotation: %v, want %v", step.after, err, want)
			}
		}
	}
	if _, err := f.events.RotateEndpoint(t.Context(), "ep_unknown"); !errors.Is(err, events.ErrNotFound) {
		t.Errorf("unknown endpoint: %v", err)
	}
}

func endpointsDump(t *testing.T, f *fixture) {
	secret := events.NewSecret()
	_, err := f.events.AddEndpoint(t.Context(), "https://example.com", nil, secret)
	if err != nil {
		t.Fatal(err)
	}
	var sealed string
	if err := f.db.Unwrap().GetContext(t.Context(), &sealed, "select secret_sealed from endpoints"); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(sealed, strings.TrimPrefix(secret, "whsec_")) || !strings.HasPrefix(sealed, "t1.") {
		t.Errorf("sealed as %s", sealed)
	}
}

func (f *fixture) replay(t *testing.T, r sqlstore.Replay, want int) {
	t.Helper()
	would, err := f.events.CountReplay(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	did, err := f.events.Replay(t.Context(), r)
	if err != nil || would != want || did != want {
		t.Errorf("Replay(%+v) = %d, %v, counted as %d, want %d", r, did, err, would, want)
	}
}

func eventsReplay(t *testing.T, f *fixture) {
	first := f.endpoint(t)
	f.accountsTold(t, 2)
	since := f.clock.Now()
	for range 2 {
		f.attempt(t, answered)
	}
	f.clock.Advance(6 * 24 * time.Hour)
	f.accountsTold(t, 1)
	f.attempt(t, events.Answer{Result: events.Gone})
	if err := f.events.EnableEndpoint(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	second := f.endpoint(t, events.AccountCreated)
	f.replay(t, sqlstore.Replay{Since: since, Endpoint: second}, 3)
	f.replay(t, sqlstore.Replay{Since: since, Endpoint: second}, 0) // they wait
	f.replay(t, sqlstore.Replay{Since: since, Failed: true}, 1)
	f.replay(t, sqlstore.Replay{Since: f.clock.Now(), Endpoint: first}, 0)
	f.replay(t, sqlstore.Replay{Event: f.listed(t)[0].ID, Since: since}, 1)
	f.replay(t, sqlstore.Replay{Since: since}, 1)
	if n := len(f.feed(t, 10)); n != 6 {
		t.Errorf("%d deliveries, want three for each endpoint", n)
	}
	if n, err := f.events.Expire(t.Context()); err != nil || n != 0 {
		t.Errorf("Expire = %d, %v: a replay of old events has its own time", n, err)
	}
}

func eventsPrune(t *testing.T, f *fixture) {
	id := f.endpoint(t)
	f.accountsTold(t, 2)
	f.attempt(t, answered)
	if err := f.events.DisableEndpoint(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	f.clock.Advance(events.Life - time.Second)
	if n, err := f.events.Expire(t.Context()); err != nil || n != 0 {
		t.Errorf("Expire = %d, %v, want none", n, err)
	}
	f.clock.Advance(time.Second)
	if n, err := f.events.Expire(t.Context()); err != nil || n != 1 {
		t.Errorf("Expire = %d, %v, want the one that waits", n, err)
	}
	f.clock.Advance(events.Kept - events.Life - time.Second)
	if n, err := f.events.Prune(t.Context()); err != nil || n != 0 {
		t.Errorf("Prune = %d, %v, want none", n, err)
	}
	f.clock.Advance(2 * time.Second)
	if n, err := f.events.Prune(t.Context()); err != nil || n != 2 || f.count(t, "deliveries") != 0 {
		t.Errorf("Prune = %d, %v, want both", n, err)
	}
}
