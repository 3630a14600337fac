// Package store defines what the two stores share: what an outage is, how it is logged, and when a call may still begin.
//
// SQL (package sqlstore) keeps what must not be lost: accounts, the mails that are owed to them, and the outcomes of
// messages. Redis (package redisstore) keeps what expires: captchas, codes, limits, sessions and the queues. Redis may be
// emptied at any time: people then request another code, and no mail is lost.
//
// Neither store contains a code, a token, a password, a full number or a full address in a form that can be read without the
// configured secret keys, which are in the environment only (package secrets).
package store

import (
	"context"
	"fmt"
	"time"
)

// leastTime is what a round trip needs. Less is left when a request has waited for nearly all of its time. A round trip that
// is interrupted costs a connection, and its outcome is unknown.
const leastTime = 20 * time.Millisecond

// TimeLeft must be called before each round trip to a store. It returns an error that wraps [context.DeadlineExceeded], or the
// context's own, when there is not enough time for another round trip; nothing was sent then. A context without a deadline
// always has enough.
func TimeLeft(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if deadline, bounded := ctx.Deadline(); bounded && time.Until(deadline) < leastTime {
		return fmt.Errorf("not enough time left for a round trip: %w", context.DeadlineExceeded)
	}
	return nil
}
