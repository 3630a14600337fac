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
	"usher/reasons"
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

func TestRouter_goes_round_a_provider_that_does_not_serve_the_region(t *testing.T) {
	t.Parallel()
	s := newStage(t, providers.NotServed("a"), nil)
	for range 10 { // no breaker counts it
		calls, decisions, err := s.send(t)
		if err != nil || !slices.Equal(calls, []string{"a", "b"}) || !slices.Equal(decisions, []string{"a unserved", "b failover"}) {
			t.Fatalf("called %v, decided %v, %v", calls, decisions, err)
		}
	}
	alone := newStage(t, providers.NotServed("a"))
	if _, _, err := alone.send(t); err == nil || providers.ReasonOf(err) != reasons.Unserved || providers.KindOf(err) != providers.Temporary {
		t.Errorf("without another provider: %v", err)
	}
	if state := alone.Breakers()["a"]; state != providers.BreakerIsClosed {
		t.Errorf("the breaker is %s", state)
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

// probed is a sender that can be tried without a message.
type probed struct {
	*scripted
	probe func() error
}

func (p probed) Probe(context.Context) error {
	p.note("probe " + p.name)
	return p.probe()
}

// wrapped is a sender around another, as one that makes spans.
type wrapped struct{ providers.SMSSender }

func (w wrapped) Unwrap() providers.SMSSender { return w.SMSSender }

func TestRouter_tries_a_provider_that_was_spared_without_a_message(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		s := newStage(t, refusal(providers.Misconfigured), nil)
		tried := refusal(providers.Unknown)
		s.Senders[0] = wrapped{probed{s.senders[0], func() error { return tried }}}
		_, _, _ = s.send(t)
		s.senders[0].answer = nil
		for range 3 { // however often: the probe finds out, and every message goes by the other one
			time.Sleep(pause) //nolint:forbidigo // synthetic time
			if asked, _, err := s.send(t); err != nil || slices.Contains(asked, "a") {
				t.Errorf("asked %v, %v before the provider was tried", asked, err)
			}
			synctest.Wait()
			if state := s.Breakers()["a"]; state != "open" {
				t.Errorf("the breaker is %s after a probe that failed", state)
			}
		}
		s.taken()

		tried = nil
		time.Sleep(pause) //nolint:forbidigo // synthetic time
		for range 2 {
			_, _, _ = s.send(t)
			synctest.Wait()
		}
		if state := s.Breakers()["a"]; state != "closed" {
			t.Errorf("the breaker is %s after a probe and a message", state)
		}
		if asked, _, err := s.send(t); err != nil || !slices.Equal(asked, []string{"a"}) {
			t.Errorf("asked %v, %v once it is well", asked, err)
		}
	})
}

func TestRouter_shows_one_message_to_a_provider_whose_probe_went_well(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		s := newStage(t, refusal(providers.Misconfigured), nil)
		s.Senders[0] = probed{s.senders[0], func() error { return nil }}
		_, _, _ = s.send(t)
		time.Sleep(pause)     //nolint:forbidigo // synthetic time
		go s.Run(t.Context()) // without messages it is tried all the same
		synctest.Wait()
		if calls, _ := s.taken(); !slices.Equal(calls[len(calls)-1:], []string{"probe a"}) {
			t.Errorf("called %v without a message", calls)
		}
		if asked, _, err := s.send(t); err != nil || !slices.Equal(asked, []string{"a", "b"}) {
			t.Errorf("asked %v, %v for the first message", asked, err)
		}
		if asked, _, err := s.send(t); err != nil || !slices.Equal(asked, []string{"b"}) {
			t.Errorf("asked %v, %v after it failed", asked, err)
		}
	})
}

func TestRouter_lets_a_message_try_who_cannot_be_probed_when_no_other_is_well(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		s := newStage(t, refusal(providers.Misconfigured), nil)
		_, _, _ = s.send(t)
		time.Sleep(pause) //nolint:forbidigo // synthetic time
		if asked, decisions, _ := s.send(t); !slices.Equal(asked, []string{"b"}) || !slices.Contains(decisions, "a breaker_open") {
			t.Errorf("asked %v, decided %v while another one is well", asked, decisions)
		}
		s.senders[1].answer = func(context.Context) error { return refusal(providers.Misconfigured) }
		s.senders[0].answer = nil
		if asked, _, err := s.send(t); err != nil || !slices.Equal(asked, []string{"b", "a"}) {
			t.Errorf("asked %v, %v when the other one fails", asked, err)
		}
		if state := s.Breakers()["a"]; state != "closed" {
			t.Errorf("the breaker is %s after the message", state)
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
		if cause := providers.Cause(err); cause == nil || cause.Code != "code-of-misconfigured" {
			t.Errorf("the cause behind it is %v", cause)
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
		s.senders[0].answer, s.senders[1].answer = nil, func(context.Context) error { return refusal(providers.Temporary) }
		time.Sleep(pause) //nolint:forbidigo // synthetic time
		if asked, decisions, _ := s.send(t); !slices.Equal(asked, []string{"b", "a"}) {
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
