package passwords_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"usher/passwords"
)

func TestHasher_serves_the_proved_first_and_the_others_in_time(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := passwords.NewHasher(1)
		release := h.Occupy()
		var order string
		join := func(name string, priority passwords.Priority) {
			go func() {
				release, err := h.Acquire(t.Context(), priority)
				if err != nil {
					t.Error(err)
				}
				order += name // there is one slot, so one at a time
				release()
			}()
			synctest.Wait()
		}
		for _, name := range []string{"s", "t", "u", "v", "w"} {
			join(name, passwords.Later)
		}
		for _, name := range []string{"1", "2", "3", "4", "5"} {
			join(name, passwords.First)
		}
		release()
		synctest.Wait()
		if want := "123s45tuvw"; order != want {
			t.Errorf("the order was %q, want %q", order, want)
		}
	})
}

func TestHasher_serves_the_proved_in_time_despite_a_crowd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const work = 20 * time.Millisecond
		h := passwords.NewHasher(2)
		var busy atomic.Int32
		var group sync.WaitGroup
		for range 1000 {
			group.Go(func() {
				release, err := h.Acquire(t.Context(), passwords.Later)
				if err != nil {
					busy.Add(1)
					return
				}
				<-time.After(work)
				release()
			})
			synctest.Wait()
		}
		for range 9 {
			start := time.Now()
			release, err := h.Acquire(t.Context(), passwords.First)
			if err != nil || time.Since(start) > 2*work {
				t.Errorf("waited %v: %v", time.Since(start), err)
			}
			<-time.After(work)
			release()
		}
		group.Wait()
		if busy.Load() == 0 {
			t.Error("there was no crowd: no stranger was refused")
		}
	})
}

func TestHasher_loses_no_slot_when_requests_give_up(t *testing.T) {
	t.Parallel()
	h := passwords.NewHasherOf(2, passwords.Cost{MemoryKiB: 8, Passes: 1})
	var group sync.WaitGroup
	for i := range 200 {
		group.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i%20)*100*time.Microsecond)
			defer cancel()
			_, err := h.Hash(ctx, goodPassword, passwords.Priority(i%2))
			if err != nil && !errors.Is(err, context.DeadlineExceeded) {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if h.Slots() != 2 {
		t.Errorf("%d slots are free, want 2", h.Slots())
	}
}
