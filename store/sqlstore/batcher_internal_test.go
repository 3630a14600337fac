package sqlstore

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// answerer answers questions with their tenfold, but for negative ones, and remembers what was asked together.
type answerer struct {
	*batcher[int, int]

	takes time.Duration
	err   error

	mu    sync.Mutex
	asked [][]int
	ended []error // contexts at the end
}

func newAnswerer(takes time.Duration) *answerer {
	b := &answerer{takes: takes}
	b.batcher = newBatcher(b.answer)
	return b
}

func (b *answerer) answer(ctx context.Context, questions []int, reply func(int, int)) error {
	b.mu.Lock()
	b.asked = append(b.asked, slices.Sorted(slices.Values(questions)))
	b.mu.Unlock()
	select {
	case <-time.After(b.takes):
	case <-ctx.Done():
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ended = append(b.ended, ctx.Err())
	for n, question := range questions {
		if question >= 0 {
			reply(n, 10*question)
		}
	}
	return errors.Join(b.err, ctx.Err())
}

// sizes are how many were asked at once.
func (b *answerer) sizes() (sizes []int) {
	for _, asked := range b.asked {
		sizes = append(sizes, len(asked))
	}
	return sizes
}

func TestBatcher_executes_a_single_call_at_once(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b, start := newAnswerer(0), time.Now()
		for question := range 3 {
			if answer := b.do(t.Context(), question); answer == nil || *answer != 10*question {
				t.Errorf("answer %d = %v", question, answer)
			}
			if took := time.Since(start); took != 0 {
				t.Errorf("it took %v", took)
			}
			<-time.After(batchPause)
			start = time.Now()
		}
	})
}

func TestBatcher_executes_calls_that_arrive_meanwhile_together(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newAnswerer(time.Second)
		var group sync.WaitGroup
		for question := range 50 {
			group.Go(func() {
				if answer := b.do(t.Context(), question); answer == nil || *answer != 10*question {
					t.Errorf("answer %d = %v", question, answer)
				}
			})
			synctest.Wait()
		}
		group.Wait()
		if got := b.sizes(); !slices.Equal(got, []int{1, 49}) {
			t.Errorf("asked for %v at a time, want one and the others", got)
		}
	})
}

func TestBatcher_collects_calls_within_its_pause(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newAnswerer(0)
		b.do(t.Context(), 0)
		var group sync.WaitGroup
		for question := range 5 {
			group.Go(func() { b.do(t.Context(), question) })
			<-time.After(batchPause / 10)
		}
		group.Wait()
		if got := b.sizes(); !slices.Equal(got, []int{1, 5}) {
			t.Errorf("asked for %v at a time, want one and then five", got)
		}
	})
}

func TestBatcher_replies_only_to_calls_with_an_answer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newAnswerer(time.Second)
		var group sync.WaitGroup
		for _, question := range []int{1, -2, 3} {
			group.Go(func() {
				if answer := b.do(t.Context(), question); (answer != nil) != (question > 0) {
					t.Errorf("answer %d = %v", question, answer)
				}
			})
		}
		group.Wait()
		b.err = errors.New("a part of the answer, then nothing")
		if answer := b.do(t.Context(), 4); answer != nil {
			t.Errorf("answer beside an error = %d, want none", *answer)
		}
	})
}

func TestBatcher_bounds_a_statement_without_a_deadline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b, start := newAnswerer(time.Hour), time.Now()
		if answer := b.do(t.Context(), 1); answer != nil || time.Since(start) != batchTimeout {
			t.Errorf("answer = %v after %v", answer, time.Since(start))
		}
	})
}

func TestBatcher_drops_calls_whose_context_has_ended(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newAnswerer(time.Second)
		leading, leave := context.WithCancel(t.Context())
		waiting, giveUp := context.WithCancel(t.Context())
		var group sync.WaitGroup
		group.Go(func() {
			if b.do(leading, 1) == nil {
				t.Error("the one who had gone did not wait for the answer")
			}
		})
		synctest.Wait()
		start := time.Now()
		group.Go(func() {
			if b.do(waiting, 2) != nil || time.Since(start) != 0 {
				t.Error("the one who waited did not go at once")
			}
		})
		group.Go(func() { b.do(t.Context(), 3) })
		synctest.Wait()
		leave()
		giveUp()
		group.Wait()
		if got := b.sizes(); !slices.Equal(got, []int{1, 1}) || b.asked[1][0] != 3 || b.ended[0] != nil {
			t.Errorf("asked %v, the first ended with %v", b.asked, b.ended[0])
		}
		if b.do(waiting, 4) != nil || len(b.asked) != 2 {
			t.Error("who comes too late was asked for")
		}
	})
}
