package store

import (
	"context"
	"fmt"
	"time"
)

// leastTime is what a trip needs: less is left when a request has waited for nearly all of its time. A trip that is cut off
// in the middle costs a connection, and its outcome is not known.
const leastTime = 20 * time.Millisecond

// TimeLeft is asked before each trip to a store. It returns an error that wraps [context.DeadlineExceeded], or the context's
// own, when there is no time left for another trip. Nothing was sent then. A context without a deadline has all the time.
func TimeLeft(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if deadline, bounded := ctx.Deadline(); bounded && time.Until(deadline) < leastTime {
		return fmt.Errorf("no time left for another trip: %w", context.DeadlineExceeded)
	}
	return nil
}
