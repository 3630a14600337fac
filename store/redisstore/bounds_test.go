package redisstore_test

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"usher/contact"
	"usher/internal/testkit"
	"usher/providers"
	"usher/store/redisconn"
	"usher/store/redisstore"
)

// gate is the bounds of one provider on a Redis, with a clock of their own.
type gate struct {
	*redisstore.Bounds
	client   redis.UniversalClient
	clock    *testkit.Clock
	commands atomic.Int64
}

func newGate(t *testing.T, url string) *gate {
	t.Helper()
	client, err := redisconn.Open(url, redisconn.Settings{Timeout: testkit.RedisPatience})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	g := &gate{client: client, clock: testkit.NewClock(time.Now())}
	g.Bounds = redisstore.New(client, nil, g.clock.Now).Bounds()
	client.AddHook(g)
	return g
}

// The gate counts the round trips of its client.

func (g *gate) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) { return next(ctx, network, addr) }
}

func (g *gate) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error { g.commands.Add(1); return next(ctx, cmd) }
}

func (g *gate) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func (g *gate) slot(name string, bounds providers.Bounds) providers.Slot {
	return providers.Slot{Provider: "vendor", Name: name, Bounds: bounds, Until: g.clock.Now().Add(10 * time.Second)}
}

// enter enters and compares what is said of it.
func (g *gate) enter(t *testing.T, name string, bounds providers.Bounds, want providers.Decision) (wait time.Duration) {
	t.Helper()
	got, wait, err := g.Acquire(t.Context(), g.slot(name, bounds))
	if err != nil || got != want {
		t.Errorf("%s enters: %q, %v, want %q", name, got, err, want)
	}
	return wait
}

func TestBounds_of_requests_at_the_same_time(t *testing.T) {
	t.Parallel()
	testkit.EachRedis(t, func(t *testing.T, url string) {
		g, two := newGate(t, url), providers.Bounds{Concurrent: 2}
		g.enter(t, "a", two, "")
		g.enter(t, "b", two, "")
		g.enter(t, "c", two, providers.Busy)
		g.enter(t, "a", two, "") // asked again because the answer was lost
		for range 2 {
			if err := g.Release(t.Context(), g.slot("a", two)); err != nil {
				t.Error(err)
			}
		}
		g.enter(t, "c", two, "") // at once
		g.enter(t, "d", two, providers.Busy)

		g.clock.Advance(10*time.Second - time.Millisecond) // the workers with the slots have died
		g.enter(t, "d", two, providers.Busy)
		g.clock.Advance(time.Millisecond)
		g.enter(t, "d", two, "")
		g.enter(t, "e", two, "")
		g.enter(t, "f", two, providers.Busy)
	})
}

func TestBounds_of_a_second_and_of_both(t *testing.T) {
	t.Parallel()
	testkit.EachRedis(t, func(t *testing.T, url string) {
		g, both := newGate(t, url), providers.Bounds{PerSecond: 3, Concurrent: 2}
		g.enter(t, "a", both, "")
		g.enter(t, "b", both, "")
		g.enter(t, "c", both, providers.Busy) // costs nothing of the second
		for _, name := range []string{"a", "b"} {
			if err := g.Release(t.Context(), g.slot(name, both)); err != nil {
				t.Error(err)
			}
		}
		g.enter(t, "c", both, "")
		g.clock.Advance(400 * time.Millisecond)
		wait := g.enter(t, "d", both, providers.RateSpent) // costs no slot
		if wait < 500*time.Millisecond || wait > 700*time.Millisecond {
			t.Errorf("told to wait for %v, want the rest of the second", wait)
		}
		g.clock.Advance(wait)
		g.enter(t, "d", both, "")
		g.enter(t, "e", both, providers.Busy)

		one := providers.Bounds{PerSecond: 4}
		g.enter(t, "f", one, "") // no slot is asked for
	})
}

func TestBounds_cost_one_round_trip(t *testing.T) {
	t.Parallel()
	g, both := newGate(t, testkit.Redis(t)), providers.Bounds{PerSecond: 30, Concurrent: 20}
	g.enter(t, "first", both, "") // the script is sent in full
	before := g.commands.Load()
	g.enter(t, "a", both, "")
	if n := g.commands.Load() - before; n != 1 {
		t.Errorf("entering took %d round trips", n)
	}
	if ttl := g.client.PTTL(t.Context(), "usher:{bounds:vendor}:slots").Val(); ttl <= 0 || ttl > 10*time.Second {
		t.Errorf("slots are kept for %v", ttl)
	}
}

func TestBounds_report_an_unavailable_Redis(t *testing.T) {
	t.Parallel()
	g, two := newGate(t, "redis://127.0.0.1:1/0"), providers.Bounds{Concurrent: 2}
	if refused, _, err := g.Acquire(t.Context(), g.slot("a", two)); err == nil || refused != "" {
		t.Errorf("Acquire = %q, %v", refused, err)
	}
	if err := g.Release(t.Context(), g.slot("a", two)); err == nil {
		t.Error("Release succeeded")
	}
}

// vendor counts who is with it at the same time.
type vendor struct {
	bounds          providers.Bounds
	now, most, sent atomic.Int64
}

func (v *vendor) Name() string { return "vendor" }

func (v *vendor) Bounds() providers.Bounds { return v.bounds }

func (v *vendor) SendSMS(ctx context.Context, _ providers.SMS) (providers.Receipt, error) {
	defer v.now.Add(-1)
	for now := v.now.Add(1); ; {
		most := v.most.Load()
		if now <= most || v.most.CompareAndSwap(most, now) {
			break
		}
	}
	select {
	case <-time.After(10 * time.Millisecond):
	case <-ctx.Done():
	}
	if v.sent.Add(1)%7 == 0 {
		panic("now and then")
	}
	return providers.Receipt{}, nil
}

// Two workers with 20 messages at a time each show a vendor no more than it may have, and all get there.
func TestBounds_hold_over_all_workers(t *testing.T) {
	t.Parallel()
	testkit.EachRedis(t, func(t *testing.T, url string) {
		const workers, crowd, each, bound = 2, 20, 3, 4
		to, err := contact.ParseMobile("13912345678")
		if err != nil {
			t.Fatal(err)
		}
		logger, _ := testkit.Logger(t)
		v := &vendor{bounds: providers.Bounds{Concurrent: bound, PerSecond: 1000}}
		var wg sync.WaitGroup
		for range workers {
			client, err := redisconn.Open(url, redisconn.Settings{Timeout: testkit.RedisPatience})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = client.Close() })
			router := &providers.Router{
				Senders: []providers.SMSSender{v}, Logger: logger,
				Slots: redisstore.New(client, nil, time.Now).Bounds(),
			}
			for range crowd {
				wg.Go(func() {
					for range each {
						for {
							_, err := router.SendSMS(t.Context(), providers.SMS{ID: "id", To: to, Code: "796025"})
							var refused *providers.Error
							if !errors.As(err, &refused) || refused.Code != "own_busy" {
								break // sent, or it panicked
							}
						}
					}
				})
			}
		}
		wg.Wait()
		if most, sent := v.most.Load(), v.sent.Load(); most < 2 || most > bound || sent != workers*crowd*each {
			t.Errorf("at most %d at the same time and %d in all, want several up to %d and %d", most, sent, bound, workers*crowd*each)
		}
	})
}
