package store_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"usher/store"
)

func TestTimeLeft_refuses_a_round_trip_that_cannot_end(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		if err := store.TimeLeft(t.Context()); err != nil {
			t.Errorf("without a deadline: %v", err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := store.TimeLeft(ctx); err != nil {
			t.Errorf("a second before the deadline: %v", err)
		}
		<-time.After(990 * time.Millisecond)
		if err := store.TimeLeft(ctx); !errors.Is(err, context.DeadlineExceeded) || ctx.Err() != nil {
			t.Errorf("ten milliseconds before the deadline: %v", err)
		}
		canceled, cancel := context.WithCancel(t.Context())
		cancel()
		if err := store.TimeLeft(canceled); !errors.Is(err, context.Canceled) {
			t.Errorf("canceled: %v", err)
		}
	})
}
