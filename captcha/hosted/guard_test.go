package hosted_test

import (
	"context"
	"errors"
	"net/netip"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"usher/captcha/hosted"
	"usher/internal/testkit"
)

// vendor answers every question alike.
type vendor struct {
	asked  atomic.Int64
	answer func(context.Context) (bool, error)
}

// Verify implements [hosted.Verifier].
func (v *vendor) Verify(ctx context.Context, _ string, _ netip.Addr) (ok bool, score float64, err error) {
	v.asked.Add(1)
	ok, err = v.answer(ctx)
	return ok, 0, err
}

// ID implements [hosted.Verifier].
func (v *vendor) ID(token string) (string, bool) { return token, true }

func fails(err error) func(context.Context) (bool, error) {
	return func(context.Context) (bool, error) { return false, err }
}

func guard(t *testing.T, v *vendor) *hosted.Guard {
	t.Helper()
	logger, _ := testkit.Logger(t)
	return hosted.NewGuard(v, hosted.Widget{Vendor: "geetest"}, logger)
}

func verify(t *testing.T, g *hosted.Guard) (bool, error) {
	t.Helper()
	return g.Verify(t.Context(), "token", netip.Addr{})
}

func TestGuard_does_not_ask_a_vendor_that_is_away(t *testing.T) {
	t.Parallel()
	for _, failure := range []error{hosted.ErrAway, hosted.ErrMisconfigured} {
		synctest.Test(t, func(t *testing.T) {
			v := &vendor{answer: fails(failure)}
			g := guard(t, v)
			for range 3 {
				if _, err := verify(t, g); !errors.Is(err, failure) || v.asked.Load() == 0 {
					t.Errorf("got %v", err)
				}
			}
			if g.Ready() {
				t.Error("it is ready after three failures")
			}
			if _, err := verify(t, g); !errors.Is(err, hosted.ErrAway) || v.asked.Load() != 3 {
				t.Errorf("asked %d times, got %v", v.asked.Load(), err)
			}
			<-time.After(16 * time.Second)
			v.answer = fails(nil)
			if !g.Ready() {
				t.Error("it is not tried again after the pause")
			}
			if ok, err := verify(t, g); ok || err != nil || !g.Ready() {
				t.Errorf("got %t, %v; ready: %t", ok, err, g.Ready())
			}
		})
	}
}

// A client decides about unclear answers and about leaving: neither takes the vendor away from the others.
func TestGuard_clients_cannot_take_the_vendor_away(t *testing.T) {
	t.Parallel()
	v := &vendor{answer: fails(hosted.ErrUnclear)}
	g := guard(t, v)
	for range 10 {
		if _, err := verify(t, g); !errors.Is(err, hosted.ErrUnclear) {
			t.Errorf("got %v", err)
		}
	}
	v.answer = func(ctx context.Context) (bool, error) { <-ctx.Done(); return false, hosted.ErrAway }
	gone, leave := context.WithCancel(t.Context())
	leave()
	for range 10 {
		if _, err := g.Verify(gone, "token", netip.Addr{}); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	}
	if !g.Ready() {
		t.Error("it is not ready")
	}
}

func TestGuard_waits_two_seconds_and_asks_64_questions_at_once(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		v := &vendor{answer: func(ctx context.Context) (bool, error) { <-ctx.Done(); return false, hosted.ErrAway }}
		g := guard(t, v)
		start := time.Now()
		results := make(chan error, 100)
		for range 100 {
			go func() {
				_, err := g.Verify(context.Background(), "token", netip.Addr{})
				results <- err
			}()
		}
		for range 100 {
			if err := <-results; !errors.Is(err, hosted.ErrAway) {
				t.Errorf("got %v", err)
			}
		}
		if v.asked.Load() != 64 || time.Since(start) != 2*time.Second {
			t.Errorf("asked %d times in %v", v.asked.Load(), time.Since(start))
		}
	})
}
