package providers_test

import (
	"context"
	"errors"
	"slices"
	"sync"
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

// TestRouter_leaves_a_provider_that_answers_nothing_before_its_requests_time_out sends 20 messages a second to
// a provider that hangs.
func TestRouter_leaves_a_provider_that_answers_nothing_before_its_requests_time_out(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		const every = 50 * time.Millisecond
		s := newStage(t, nil, nil)
		hang := func(ctx context.Context) error {
			<-ctx.Done()
			return &providers.Error{Provider: "a", Kind: providers.Unknown, Err: ctx.Err()}
		}
		s.senders[0].answer = hang
		start, last := time.Now(), time.Duration(0)
		var wg sync.WaitGroup
		for range int(12 * time.Second / every) {
			sent := time.Since(start)
			wg.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), 8*time.Second)
				defer cancel()
				_, _ = s.SendSMS(ctx, message(t))
			})
			synctest.Wait()
			if calls, _ := s.taken(); slices.Contains(calls, "a") {
				last = sent
			}
			time.Sleep(every) //nolint:forbidigo // synthetic time
		}
		wg.Wait()
		if last > 3*time.Second {
			t.Errorf("messages were still shown to it after %v", last)
		}
		if state := s.Breakers()["a"]; state != "open" {
			t.Errorf("its breaker is %s once the requests have timed out", state)
		}
		s.senders[0].answer = nil
		time.Sleep(pause) //nolint:forbidigo // synthetic time
		if asked, decisions, _ := s.send(t); !slices.Equal(asked, []string{"a"}) {
			t.Errorf("asked %v, decided %v when it answers again", asked, decisions)
		}
	})
}

func TestRouter_waits_for_the_only_provider_however_slow(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		s := newStage(t, nil)
		s.senders[0].answer = func(context.Context) error {
			time.Sleep(5 * time.Second) //nolint:forbidigo // synthetic time
			return nil
		}
		var wg sync.WaitGroup
		for range 100 {
			wg.Go(func() {
				if _, err := s.SendSMS(t.Context(), message(t)); err != nil {
					t.Error(err)
				}
			})
			time.Sleep(100 * time.Millisecond) //nolint:forbidigo // synthetic time
		}
		wg.Wait()
		if state := s.Breakers()["a"]; state != "closed" {
			t.Errorf("its breaker is %s", state)
		}
	})
}
