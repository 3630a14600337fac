package providers_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"usher/internal/testkit"
	"usher/providers"
)

// bounded is a sender with bounds.
type bounded struct {
	*scripted
	bounds providers.Bounds
}

func (b bounded) Bounds() providers.Bounds { return b.bounds }

// slotsFake lets every request pass until a test sets a refusal.
type slotsFake struct {
	mu       sync.Mutex
	refuse   providers.Decision
	wait     time.Duration
	err      error
	acquired []providers.Slot
	released []providers.Slot
}

func (s *slotsFake) Acquire(_ context.Context, slot providers.Slot) (providers.Decision, time.Duration, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.acquired = append(s.acquired, slot)
	return s.refuse, s.wait, s.err
}

func (s *slotsFake) Release(_ context.Context, slot providers.Slot) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.released = append(s.released, slot)
	return s.err
}

func (s *slotsFake) set(refuse providers.Decision, wait time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refuse, s.wait = refuse, wait
}

func (s *slotsFake) counts() (acquired, released int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.acquired), len(s.released)
}

// bound gives the first sender of a stage bounds and returns the slotsFake before it.
func (s *stage) bound(bounds providers.Bounds) *slotsFake {
	slots := &slotsFake{}
	s.Slots = slots
	s.Senders[0] = bounded{s.senders[0], bounds}
	return slots
}

func TestRouter_goes_round_a_provider_whose_bound_is_reached(t *testing.T) {
	t.Parallel()
	for refused, bounds := range map[providers.Decision]providers.Bounds{
		providers.RateSpent: {PerSecond: 7}, providers.Busy: {Concurrent: 7},
	} {
		inBubble(t, func(t *testing.T) {
			s := newStage(t, nil, nil)
			slots := s.bound(bounds)
			if asked, _, err := s.send(t); err != nil || !slices.Equal(asked, []string{"a"}) {
				t.Errorf("asked %v, %v within the bound", asked, err)
			}
			slots.set(refused, time.Second)
			start := time.Now()
			want := []string{"a " + string(refused), "b failover"}
			for range 10 { // more than the failures that open a breaker
				asked, decisions, err := s.send(t)
				if err != nil || !slices.Equal(asked, []string{"b"}) || !slices.Equal(decisions, want) {
					t.Errorf("asked %v, decided %v, %v beyond the bound", asked, decisions, err)
				}
			}
			if time.Since(start) > 0 {
				t.Error("the message waited although another provider could take it")
			}
			for _, slot := range slots.acquired {
				if slot.Provider != "a" || slot.Bounds != bounds || slot.Name == "" {
					t.Errorf("acquired with %+v", slot)
				}
			}
		})
	}
}

func TestRouter_asks_for_slots_once_and_only_where_there_are_bounds(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		bounds             providers.Bounds
		acquired, released int
	}{
		{providers.Bounds{}, 0, 0},
		{providers.Bounds{PerSecond: 1}, 1, 0},
		{providers.Bounds{Concurrent: 1}, 1, 1},
		{providers.Bounds{PerSecond: 1, Concurrent: 1}, 1, 1},
	} {
		s := newStage(t, nil)
		slots := s.bound(test.bounds)
		_, _, err := s.send(t)
		if acquired, released := slots.counts(); err != nil || acquired != test.acquired || released != test.released {
			t.Errorf("%+v: acquired %d times, released %d, %v; want %d and %d", test.bounds, acquired, released, err, test.acquired, test.released)
		}
	}
}

func TestRouter_sends_although_the_bounds_cannot_be_checked(t *testing.T) {
	t.Parallel()
	s := newStage(t, nil, nil)
	s.bound(providers.Bounds{PerSecond: 7, Concurrent: 1}).err = errors.New("redis is unavailable")
	for range 3 { // the slot of this worker comes back each time
		asked, decisions, err := s.send(t)
		if err != nil || !slices.Equal(asked, []string{"a"}) || !slices.Equal(decisions, []string{"a unbounded", "a preferred"}) {
			t.Errorf("asked %v, decided %v, %v", asked, decisions, err)
		}
	}
	if !strings.Contains(s.log.String(), "redis is unavailable") {
		t.Error("the log does not say so")
	}
}

func TestRouter_keeps_the_pause_that_a_provider_asks_for(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		kind          providers.Kind
		asked, during time.Duration
		paused        bool
	}{
		"temporary":                     {providers.Temporary, 10 * time.Second, 9 * time.Second, true},
		"over":                          {providers.Temporary, 10 * time.Second, 11 * time.Second, false},
		"longer than a code can wait":   {providers.Temporary, time.Hour, 31 * time.Second, false},
		"without a pause":               {providers.Temporary, 0, 0, false},
		"a limit of one number, no bar": {providers.RateLimited, 10 * time.Second, time.Second, false},
	} {
		inBubble(t, func(t *testing.T) {
			s := newStage(t, &providers.Error{Provider: "a", Kind: c.kind, RetryAfter: c.asked}, nil)
			_, _, _ = s.send(t)
			s.senders[0].answer = func(context.Context) error { return nil }
			time.Sleep(c.during) //nolint:forbidigo // synthetic time
			asked, decisions, err := s.send(t)
			if want := []string{"a"}; !c.paused && (err != nil || !slices.Equal(asked, want)) {
				t.Errorf("%s: asked %v, %v", name, asked, err)
			}
			if want := []string{"a rate", "b failover"}; c.paused && (err != nil || !slices.Equal(decisions, want)) {
				t.Errorf("%s: decided %v, %v, want %v", name, decisions, err, want)
			}
		})
	}
}

func TestRouter_waits_a_moment_for_the_only_providers_bound(t *testing.T) {
	t.Parallel()
	for refused, bounds := range map[providers.Decision]providers.Bounds{
		providers.RateSpent: {PerSecond: 7}, providers.Busy: {Concurrent: 7},
	} {
		inBubble(t, func(t *testing.T) {
			s := newStage(t, nil)
			slots := s.bound(bounds)
			slots.set(refused, 300*time.Millisecond)
			start := time.Now()
			time.AfterFunc(290*time.Millisecond, func() { slots.set("", 0) })
			_, decisions, err := s.send(t)
			if want := []string{"a " + string(refused), "a waited"}; err != nil || !slices.Equal(decisions, want) {
				t.Errorf("decided %v, %v, want %v", decisions, err, want)
			}
			if took := time.Since(start); took < 290*time.Millisecond || took > 350*time.Millisecond {
				t.Errorf("it went after %v, want soon after there was room", took)
			}
			if acquired, _ := slots.counts(); refused == providers.RateSpent && acquired != 2 {
				t.Errorf("asked for slots %d times, want once and when the second has room", acquired)
			}
		})
	}
}

func TestRouter_refuses_for_now_what_finds_no_room_in_time(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name      string
		time      time.Duration // of the context
		life      time.Duration // of the code
		wait      time.Duration // at most
		temporary bool          // a second provider, which says so
		want      string
	}{
		{"long", time.Minute, time.Minute, 2 * time.Second, false, "a: temporary: own_busy: not asked: busy"},
		{"the code is over", time.Minute, time.Second, time.Second, false, "a: temporary: own_busy: not asked: busy"},
		{"the provider needs its time", 4 * time.Second, time.Minute, time.Second, false, "a: temporary: own_busy: not asked: busy"},
		{"what a vendor said tells more", time.Minute, time.Minute, 2 * time.Second, true, refusal(providers.Temporary).Error()},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(t *testing.T) {
				answers := []error{nil}
				if test.temporary {
					answers = append(answers, refusal(providers.Temporary))
				}
				s := newStage(t, answers...)
				s.bound(providers.Bounds{Concurrent: 7}).set(providers.Busy, 0)
				ctx, cancel := context.WithTimeout(t.Context(), test.time)
				defer cancel()
				start := time.Now()
				sms := message(t)
				sms.TTL = test.life
				_, err := s.SendSMS(ctx, sms)
				if took := time.Since(start); took > test.wait || took < test.wait/2 {
					t.Errorf("waited for %v, want about %v", took, test.wait)
				}
				calls, _ := s.taken()
				if errorText(err) != test.want || slices.Contains(calls, "a") || len(calls) != len(answers)-1 {
					t.Errorf("called %v, %v, want %s", calls, err, test.want)
				}
				if lines := strings.Count(s.log.String(), "message routed"); lines != 1 {
					t.Errorf("%d lines explain the round", lines)
				}
			})
		})
	}
}

func TestRouter_gives_up_waiting_with_its_context(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		s := newStage(t, nil)
		s.bound(providers.Bounds{Concurrent: 7}).set(providers.Busy, 0)
		ctx, cancel := context.WithCancel(t.Context())
		start := time.Now()
		time.AfterFunc(100*time.Millisecond, cancel)
		_, err := s.SendSMS(ctx, message(t))
		if took := time.Since(start); took != 100*time.Millisecond || providers.KindOf(err) != providers.Temporary {
			t.Errorf("%v after %v", err, took)
		}
	})
}

func TestRouter_keeps_to_a_bound_of_requests_at_the_same_time_without_slots(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		s := newStage(t, nil, nil)
		release, done := make(chan struct{}), make(chan error)
		s.senders[0].answer = func(context.Context) error { <-release; return nil }
		s.Senders[0] = bounded{s.senders[0], providers.Bounds{Concurrent: 2}}
		for range 2 {
			go func() { _, err := s.SendSMS(t.Context(), message(t)); done <- err }()
		}
		synctest.Wait()
		s.taken()
		asked, decisions, err := s.send(t)
		if err != nil || !slices.Equal(asked, []string{"b"}) || !slices.Equal(decisions, []string{"a busy", "b failover"}) {
			t.Errorf("asked %v, decided %v, %v beyond the bound", asked, decisions, err)
		}
		close(release)
		for range 2 {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		if asked, _, err := s.send(t); err != nil || !slices.Contains(asked, "a") {
			t.Errorf("asked %v, %v when the others are done", asked, err)
		}
	})
}

func TestRouter_gives_a_slot_back_whatever_becomes_of_the_request(t *testing.T) {
	t.Parallel()
	s := newStage(t, nil)
	slots := s.bound(providers.Bounds{Concurrent: 1})
	for i, answer := range []func(context.Context) error{
		func(context.Context) error { return nil },
		func(context.Context) error { return refusal(providers.Unknown) },
		func(context.Context) error { panic("with " + message(t).Code) },
		func(context.Context) error { return nil },
	} {
		s.senders[0].answer = answer
		ctx, cancel := context.WithCancel(t.Context())
		if i == 3 {
			cancel() // the caller gave up meanwhile
		}
		_, err := s.SendSMS(ctx, message(t))
		cancel()
		if acquired, released := slots.counts(); acquired != i+1 || released != i+1 || slots.acquired[i].Name != slots.released[i].Name {
			t.Errorf("request %d: acquired %d, released %d, %v", i, acquired, released, err)
		}
	}
}

func TestRouter_takes_a_panic_for_a_lost_answer(t *testing.T) {
	t.Parallel()
	s := newStage(t, nil, nil)
	s.senders[0].answer = func(context.Context) error { panic("with " + message(t).Code + " to " + message(t).To.Reveal()) }
	calls, _, err := s.send(t)
	var refused *providers.Error
	if !errors.As(err, &refused) || refused.Kind != providers.Unknown || refused.Provider != "a" || refused.Code != "own_panic" {
		t.Errorf("got %v, want an unknown outcome with the provider's name", err)
	}
	if !slices.Equal(calls, []string{"a"}) {
		t.Errorf("asked %v", calls)
	}
	log := s.log.String()
	if !strings.Contains(log, "bounds_test.go") || strings.Contains(log, "0x") {
		t.Errorf("want the functions and nothing of their arguments in: %s", log)
	}
	if found := testkit.FindSecrets([]byte(log+err.Error()), message(t).To.Reveal(), message(t).Code); len(found) > 0 {
		t.Errorf("log or error hold %v", found)
	}
}
