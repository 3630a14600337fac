package accounts_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"usher/accounts"
)

func TestHasher_lets_the_proved_go_first_and_starves_nobody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := accounts.NewHasher(1)
		release := h.Occupy()
		var order string
		join := func(name string, priority accounts.Priority) {
			go func() {
				release, err := h.Turn(t.Context(), priority)
				if err != nil {
					t.Error(err)
				}
				order += name // there is one slot, so one at a time
				release()
			}()
			synctest.Wait()
		}
		for _, name := range []string{"s", "t", "u", "v", "w"} {
			join(name, accounts.Later)
		}
		for _, name := range []string{"1", "2", "3", "4", "5"} {
			join(name, accounts.First)
		}
		release()
		synctest.Wait()
		if want := "123s45tuvw"; order != want {
			t.Errorf("the order was %q, want %q", order, want)
		}
	})
}

func TestHasher_crowd_of_strangers_does_not_keep_the_proved_waiting(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const work = 20 * time.Millisecond
		h := accounts.NewHasher(2)
		var busy atomic.Int32
		var group sync.WaitGroup
		for range 1000 {
			group.Go(func() {
				release, err := h.Turn(t.Context(), accounts.Later)
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
			release, err := h.Turn(t.Context(), accounts.First)
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

func TestHasher_loses_no_slot_to_those_who_give_up(t *testing.T) {
	t.Parallel()
	h := accounts.NewHasherOf(2, accounts.Cost{MemoryKiB: 8, Passes: 1})
	var group sync.WaitGroup
	for i := range 200 {
		group.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i%20)*100*time.Microsecond)
			defer cancel()
			_, err := h.Hash(ctx, goodPassword, accounts.Priority(i%2))
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
