package overload_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"usher/internal/testkit"
	"usher/overload"
)

func TestMain(m *testing.M) { testkit.Main(m) }

func gate(bounds overload.Bounds) *overload.Gate {
	return overload.New("test", bounds, slog.New(slog.DiscardHandler))
}

func mustEnter(t *testing.T, g *overload.Gate) *overload.Pass {
	t.Helper()
	pass, err := g.Enter(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return pass
}

func TestGate_admits_up_to_its_bound_and_the_others_when_there_is_room(t *testing.T) {
	t.Parallel()
	for want, wait := range map[string]time.Duration{"earlier later": 0, "later earlier": 400 * time.Millisecond} {
		t.Run(want, func(t *testing.T) {
			t.Parallel()
			admitsInOrder(t, wait, want)
		})
	}
}

// admitsInOrder has two requests wait for so long before there is room for one of them after the other.
func admitsInOrder(t *testing.T, wait time.Duration, want string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		g := gate(overload.Bounds{Least: 2, Most: 2, Waiting: 10})
		first, second := mustEnter(t, g), mustEnter(t, g)
		var entered []string
		var mu sync.Mutex
		var group sync.WaitGroup
		for _, name := range []string{"earlier", "later"} {
			group.Go(func() {
				pass := mustEnter(t, g)
				mu.Lock()
				entered = append(entered, name)
				mu.Unlock()
				pass.Done()
				pass.Drop() // does nothing
			})
			synctest.Wait()
		}
		if got := g.Stats(); got.InFlight != 2 || got.Waiting != 2 || got.Limit != 2 {
			t.Errorf("two are in, two wait: %+v", got)
		}
		<-time.After(wait)
		first.Done()
		synctest.Wait()
		group.Wait()
		if strings.Join(entered, " ") != want {
			t.Errorf("after %v they entered in the order %q, want %q", wait, entered, want)
		}
		second.Drop()
		if got := g.Stats(); got != (overload.Stats{Admitted: 4, Limit: 2}) {
			t.Errorf("in the end: %+v", got)
		}
	})
}

func TestGate_refuses_after_a_wait_and_the_more_it_refuses_the_later(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const crowd = 200
		g := gate(overload.Bounds{Least: 1, Most: 1, Waiting: crowd})
		pass := mustEnter(t, g)
		began := time.Now()
		_, err := g.Enter(t.Context())
		refused, ok := errors.AsType[*overload.Refused](err)
		if took := time.Since(began); !ok || refused.Far || took < 500*time.Millisecond || took > 750*time.Millisecond {
			t.Errorf("alone: %v after %v", err, took)
		}
		var mu sync.Mutex
		times, after := map[time.Duration]bool{}, map[time.Duration]bool{}
		var group sync.WaitGroup
		for range crowd {
			group.Go(func() {
				began := time.Now()
				_, err := g.Enter(t.Context())
				refused, ok := errors.AsType[*overload.Refused](err)
				if !ok || refused.Far || refused.RetryAfter < time.Second || refused.RetryAfter > 3*time.Second {
					t.Errorf("in a crowd: %+v, %v", refused, err)
					return
				}
				mu.Lock()
				defer mu.Unlock()
				times[time.Since(began)], after[refused.RetryAfter] = true, true
			})
		}
		synctest.Wait()
		_, err = g.Enter(t.Context())
		if refused, ok := errors.AsType[*overload.Refused](err); !ok || !refused.Far || refused.RetryAfter > 9*time.Second {
			t.Errorf("when as many wait as may: %+v, %v; want a refusal at once", refused, err)
		}
		group.Wait()
		if len(times) < crowd/2 || len(after) < crowd/2 {
			t.Errorf("%d different waits and %d different times to come again, of %d", len(times), len(after), crowd)
		}
		longest := time.Duration(0)
		for took := range times {
			longest = max(longest, took)
		}
		if longest < time.Second || longest > 3*time.Second {
			t.Errorf("the longest wait was %v, want more than one that is alone has, and less than three seconds", longest)
		}
		pass.Done()
		if pass := mustEnter(t, g); pass == nil {
			t.Error("a free place is not given")
		}
	})
}

func TestGate_lets_go_of_requests_whose_context_ends(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := gate(overload.Bounds{Least: 1, Most: 1, Waiting: 10})
		pass := mustEnter(t, g)
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		if _, err := g.Enter(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		pass.Done()
		if got := g.Stats(); got != (overload.Stats{Admitted: 1, Limit: 1}) {
			t.Errorf("in the end: %+v", got)
		}
	})
}

func TestGate_writes_one_line_a_second_about_all_refusals(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out strings.Builder
		g := overload.New("test", overload.Bounds{Least: 1, Most: 1}, slog.New(slog.NewTextHandler(&out, nil)))
		defer mustEnter(t, g).Done()
		for range 100 {
			if _, err := g.Enter(t.Context()); err == nil {
				t.Fatal("admitted")
			}
		}
		<-time.After(2 * time.Second)
		synctest.Wait()
		if said := out.String(); strings.Count(said, "\n") != 1 || !strings.Contains(said, "refused=100 ") || !strings.Contains(said, "class=test") {
			t.Errorf("the log has %q", said)
		}
	})
}

// served runs a service for so long, closed loop, whose work takes the longer the more of it is done at once, once there
// is more than it has room for; and returns the limit that was found.
func served(t *testing.T, bounds overload.Bounds, clients, room int, trip time.Duration) int {
	t.Helper()
	limit := 0
	synctest.Test(t, func(t *testing.T) {
		g := gate(bounds)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		var group sync.WaitGroup
		for range clients {
			group.Go(func() {
				for ctx.Err() == nil {
					pass, err := g.Enter(ctx)
					if err != nil {
						continue
					}
					queued := max(0, g.Stats().InFlight-room)
					<-time.After(trip + trip*time.Duration(queued)/time.Duration(room))
					pass.Done()
				}
			})
		}
		group.Wait()
		limit = g.Stats().Limit
	})
	return limit
}

// The limit follows what the stores can do at the same time: a store that is far away gets more, one that queues does not.
func TestGate_adapts_to_the_time_of_the_work(t *testing.T) {
	t.Parallel()
	bounds := overload.Bounds{Least: 16, Most: 256, Waiting: 1000}
	if got := served(t, bounds, 200, 1000, 50*time.Millisecond); got < 100 {
		t.Errorf("a store that is slow however little is asked: a limit of %d, want 100 or more", got)
	}
	if got := served(t, bounds, 200, 16, 50*time.Millisecond); got > 64 {
		t.Errorf("a store that has room for 16: a limit of %d, want 64 or less", got)
	}
}
