package providers_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"usher/providers"
)

// pause is longer than a breaker stays open.
const pause = 31 * time.Second

func TestRouter_spares_a_misconfigured_provider_at_once(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		s := newStage(t, refusal(providers.Misconfigured), nil)
		_, _, _ = s.send(t)
		asked, decisions, err := s.send(t)
		if err != nil || !slices.Equal(asked, []string{"b"}) || !slices.Equal(decisions, []string{"a breaker_open", "b failover"}) {
			t.Errorf("asked %v, decided %v, %v", asked, decisions, err)
		}
		if state := s.Breakers(); state["a"] != "open" || state["b"] != "closed" {
			t.Errorf("breakers are %v", state)
		}
	})
}

func TestRouter_spares_a_provider_that_fails_five_times_in_a_row(t *testing.T) {
	t.Parallel()
	for _, kind := range []providers.Kind{providers.Temporary, providers.Unknown} {
		inBubble(t, func(t *testing.T) {
			s := newStage(t, refusal(kind), nil)
			for i := range 5 {
				if asked, _, _ := s.send(t); asked[0] != "a" {
					t.Fatalf("%v: asked %v in round %d", kind, asked, i+1)
				}
			}
			if asked, _, _ := s.send(t); !slices.Equal(asked, []string{"b"}) {
				t.Errorf("%v: asked %v after five failures", kind, asked)
			}
		})
	}
}

func TestRouter_goes_on_asking_a_provider_that_works(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		s := newStage(t, nil, nil)
		answers := []error{
			refusal(providers.Temporary), refusal(providers.Temporary), refusal(providers.Temporary),
			refusal(providers.Temporary), refusal(providers.RateLimited), refusal(providers.Rejected),
			refusal(providers.Temporary), nil,
			&providers.Error{Kind: providers.Temporary, Err: context.Canceled}, // it was us who stopped
		}
		n := 0
		s.senders[0].answer = func(context.Context) error { n++; return answers[(n-1)%len(answers)] }
		for range 5 * len(answers) {
			if asked, _, _ := s.send(t); asked[0] != "a" {
				t.Fatalf("the breaker opened after %d answers", n)
			}
		}
	})
}

func TestRouter_lets_one_message_try_a_provider_that_was_spared(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		s := newStage(t, refusal(providers.Misconfigured), nil)
		_, _, _ = s.send(t)
		time.Sleep(pause) //nolint:forbidigo // synthetic time
		if state := s.Breakers()["a"]; state != "half_open" {
			t.Errorf("the breaker is %s", state)
		}
		if asked, _, _ := s.send(t); !slices.Equal(asked, []string{"a", "b"}) {
			t.Errorf("asked %v for the trial", asked)
		}
		if asked, _, _ := s.send(t); !slices.Equal(asked, []string{"b"}) {
			t.Errorf("asked %v after a trial that failed", asked)
		}

		time.Sleep(pause) //nolint:forbidigo // synthetic time
		release, done := make(chan struct{}), make(chan error)
		s.senders[0].answer = func(context.Context) error { <-release; return nil }
		go func() { _, err := s.SendSMS(t.Context(), message(t)); done <- err }()
		synctest.Wait()
		s.taken()
		if asked, _, _ := s.send(t); !slices.Equal(asked, []string{"b"}) {
			t.Errorf("asked %v while the trial is on its way", asked)
		}
		close(release)
		if err := <-done; err != nil || s.Breakers()["a"] != "closed" {
			t.Errorf("%v, the breaker is %s after a trial that succeeded", err, s.Breakers()["a"])
		}
	})
}

func TestRouter_tells_what_a_vendor_said_rather_than_who_was_not_asked(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		s := newStage(t, refusal(providers.Temporary), refusal(providers.Misconfigured))
		_, _, _ = s.send(t)
		_, _, err := s.send(t)
		if err == nil || err.Error() != refusal(providers.Temporary).Error() {
			t.Errorf("got %v, want what the first one said", err)
		}
		alone := newStage(t, refusal(providers.Misconfigured))
		_, _, _ = alone.send(t)
		_, _, err = alone.send(t)
		var refused *providers.Error
		if !errors.As(err, &refused) || refused.Kind != providers.Temporary || refused.Code != "own_breaker_open" || refused.Provider != "a" {
			t.Errorf("got %v, want a temporary refusal of our own", err)
		}
	})
}

// bounded is a sender with bounds.
type bounded struct {
	*scripted
	bounds providers.Bounds
}

func (b bounded) Bounds() providers.Bounds { return b.bounds }

// rate allows so many messages, or fails.
type rate struct {
	left  int
	err   error
	taken []string
}

func (r *rate) Take(_ context.Context, provider string, perSecond int) (bool, error) {
	r.taken = append(r.taken, provider)
	r.left--
	return r.left >= 0 && perSecond == 7, r.err
}

func TestRouter_keeps_to_a_bound_per_second(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		s, r := newStage(t, nil, nil), &rate{left: 1}
		s.Rate = r
		s.Senders[0] = bounded{s.senders[0], providers.Bounds{PerSecond: 7}}
		if asked, _, err := s.send(t); err != nil || !slices.Equal(asked, []string{"a"}) {
			t.Errorf("asked %v, %v within the bound", asked, err)
		}
		for range 10 { // more than the failures that open a breaker
			asked, decisions, err := s.send(t)
			if err != nil || !slices.Equal(asked, []string{"b"}) || !slices.Equal(decisions, []string{"a rate", "b failover"}) {
				t.Errorf("asked %v, decided %v, %v beyond the bound", asked, decisions, err)
			}
		}
		if slices.Contains(r.taken, "b") {
			t.Error("a sender without a bound was counted")
		}
		r.err = errors.New("redis is away")
		if asked, _, err := s.send(t); err != nil || !slices.Equal(asked, []string{"a"}) {
			t.Errorf("asked %v, %v while nobody counts", asked, err)
		}
	})
}

func TestRouter_refuses_for_now_what_exceeds_the_only_providers_bound(t *testing.T) {
	t.Parallel()
	s := newStage(t, nil)
	s.Rate = &rate{}
	s.Senders[0] = bounded{s.senders[0], providers.Bounds{PerSecond: 7}}
	_, _, err := s.send(t)
	var refused *providers.Error
	if !errors.As(err, &refused) || refused.Kind != providers.Temporary || refused.Code != "own_rate" {
		t.Errorf("got %v, want temporary: own_rate", err)
	}
}

func TestRouter_keeps_to_a_bound_of_requests_at_the_same_time(t *testing.T) {
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
