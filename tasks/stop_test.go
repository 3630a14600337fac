package tasks_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"usher/messages"
	"usher/providers"
	"usher/tasks"
)

// hurried is a bundle whose worker can be told to end.
func hurried(b *bundle) (giveUp context.CancelFunc) {
	stop, giveUp := context.WithCancel(context.Background())
	b.handler = tasks.Stoppable(context.Background(), stop)(b.handler)
	return giveUp
}

func TestStoppable_begins_nothing_when_the_worker_ends(t *testing.T) {
	t.Parallel()
	eachChannel(t, func(t *testing.T, b *bundle) {
		hurried(b)()
		err := b.work()
		if next(err) != "retried" || len(b.sends()) > 0 || b.claims.attempt > 0 {
			t.Errorf("%v, sent %d, claimed %d times; want a retry and nothing done", err, len(b.sends()), b.claims.attempt)
		}
		if wait := tasks.RetryDelay(9, err, nil); wait > time.Second || tasks.IsFailure(err) {
			t.Errorf("another worker has to wait %v for it", wait)
		}
	})
}

func TestStoppable_gives_back_what_no_provider_has_yet(t *testing.T) {
	t.Parallel()
	eachChannel(t, func(t *testing.T, b *bundle) {
		b.claims.claimed = hurried(b)
		err := b.work()
		if wait := tasks.RetryDelay(9, err, nil); next(err) != "retried" || wait > time.Second {
			t.Errorf("%v after %v, want a retry soon", err, wait)
		}
		if got := b.states(); !slices.Equal(got, []messages.State{messages.Queued}) || len(b.sends()) > 0 {
			t.Errorf("recorded %v after %d sends, want it queued and not sent", got, len(b.sends()))
		}
	})
}

func TestStoppable_gives_up_a_call_and_keeps_its_claim(t *testing.T) {
	t.Parallel()
	eachChannel(t, func(t *testing.T, b *bundle) {
		giveUp, start := hurried(b), time.Now()
		b.sender.answer = func(ctx context.Context, _ int) error {
			time.AfterFunc(time.Second, giveUp)
			<-ctx.Done()
			return &providers.Error{Provider: "fake", Kind: providers.Unknown, Err: ctx.Err()}
		}
		err := b.work()
		if took := time.Since(start); took != time.Second {
			t.Errorf("it took %v", took)
		}
		if got := b.states(); !slices.Equal(got, []messages.State{messages.Sending}) || b.claims.recorded()[0].Provider != "fake" {
			t.Errorf("recorded %+v, want that the provider may have it", b.claims.recorded())
		}
		if end := time.Now().Add(tasks.RetryDelay(0, err, nil)); end.Before(b.claims.until) {
			t.Errorf("the next attempt comes before the claim has ended: %v", err)
		}
	})
}

func TestStoppable_leaves_a_call_alone_that_ends_in_time(t *testing.T) {
	t.Parallel()
	eachChannel(t, func(t *testing.T, b *bundle) {
		giveUp := hurried(b)
		if err := b.work(); err != nil || !slices.Equal(b.states(), []messages.State{messages.Sent}) {
			t.Errorf("%v, recorded %v", err, b.states())
		}
		giveUp()
	})
}

func TestHandlers_come_back_soon_for_a_bound_of_our_own(t *testing.T) {
	t.Parallel()
	for _, code := range []string{"own_busy", "own_rate"} {
		eachChannel(t, func(t *testing.T, b *bundle) {
			b.sender.answer = func(context.Context, int) error {
				return &providers.Error{Provider: "fake", Kind: providers.Temporary, Code: code}
			}
			err := b.work()
			for range 100 {
				if wait := tasks.RetryDelay(9, err, nil); wait > 500*time.Millisecond || tasks.IsFailure(err) {
					t.Fatalf("%s: the tenth attempt comes after %v", code, wait)
				}
			}
			if got := b.states(); !slices.Equal(got, []messages.State{messages.Queued}) {
				t.Errorf("recorded %v", got)
			}
		})
	}
}
