package redisstore

import (
	"context"
	"fmt"
	"strconv"

	"github.com/redis/go-redis/v9"

	"usher/messages"
	"usher/verify"
)

// Unclaimed returns those of the codes that a worker could claim now. It asks only: whether a code is still worth
// sending is decided by the claim.
func (c *Codes) Unclaimed(ctx context.Context, ids []string) ([]string, error) {
	now := c.store.now().UnixMilli()
	asked := make(map[string]*redis.SliceCmd, len(ids))
	_, err := c.store.client.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		for _, id := range ids {
			if subject, ok := verify.SubjectOf(id); ok {
				asked[id] = pipe.HMGet(ctx, c.store.space.codeKey(subject, id), "state", "lease_until")
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("look for waiting codes: %w", err)
	}
	var waiting []string
	for id, cmd := range asked {
		fields := cmd.Val()
		state, _ := fields[0].(string)
		lease, _ := fields[1].(string)
		ends, _ := strconv.ParseInt(lease, 10, 64) // never claimed: 0
		if state == string(messages.Queued) || state == string(messages.Sending) && ends <= now {
			waiting = append(waiting, id)
		}
	}
	return waiting, nil
}
