package redisstore

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"usher/providers"
	"usher/store"
)

// Scores keeps the outcomes of each provider's messages, minute by minute. It is safe for concurrent use.
type Scores struct{ store *Store }

var _ providers.Scores = (*Scores)(nil)

// scoreFields are the fields of a minute, in the order of [providers.Score].
var scoreFields = []string{"accepted", "delivered", "undelivered", "verified"}

// minute returns the number of the current minute.
func (s *Scores) minute() int64 { return s.store.now().Unix() / 60 }

// AddScore implements [providers.Scores] in one round trip.
func (s *Scores) AddScore(ctx context.Context, provider string, score providers.Score) error {
	key := s.store.space.scoreKey(provider, s.minute())
	_, err := s.store.client.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		for i, n := range []int{score.Accepted, score.Delivered, score.Undelivered, score.Verified} {
			if n > 0 {
				pipe.HIncrBy(ctx, key, scoreFields[i], int64(n))
			}
		}
		pipe.Expire(ctx, key, providers.ScoreWindow+2*time.Minute)
		return nil
	})
	return store.Wrap("add score", err)
}

// RecentScores implements [providers.Scores] in one round trip. The window ends with the current minute.
func (s *Scores) RecentScores(ctx context.Context, names []string) (map[string]providers.Score, error) {
	now := s.minute()
	minutes := map[string][]*redis.SliceCmd{}
	_, err := s.store.client.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		for _, name := range names {
			for i := range int64(providers.ScoreWindow / time.Minute) {
				minutes[name] = append(minutes[name], pipe.HMGet(ctx, s.store.space.scoreKey(name, now-i), scoreFields...))
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read scores: %w", err)
	}
	scores := make(map[string]providers.Score, len(names))
	for name, cmds := range minutes {
		var sum providers.Score
		for _, cmd := range cmds {
			sum = sum.Plus(scoreOf(cmd.Val()))
		}
		scores[name] = sum
	}
	return scores, nil
}

// scoreOf converts the fields of one minute, in the order in which RecentScores reads them.
func scoreOf(fields []any) providers.Score {
	number := func(i int) int {
		text, _ := fields[i].(string)
		n, _ := strconv.Atoi(text) // nothing counted: 0
		return n
	}
	return providers.Score{Accepted: number(0), Delivered: number(1), Undelivered: number(2), Verified: number(3)}
}

// Bounds gives the workers' requests slots within the bounds of their providers. It is safe for concurrent use.
type Bounds struct{ store *Store }

var _ providers.Slots = (*Bounds)(nil)

// Acquire implements [providers.Slots] in one round trip, whichever bounds there are.
func (b *Bounds) Acquire(ctx context.Context, slot providers.Slot) (providers.Decision, time.Duration, error) {
	r, err := read(slotAcquireScript.Run(ctx, b.store.client,
		[]string{b.store.space.slotsKey(slot.Provider), b.store.space.secondKey(slot.Provider)},
		slot.Name, b.store.now().UnixMilli(), slot.Until.UnixMilli(), slot.Bounds.Concurrent, slot.Bounds.PerSecond))
	return providers.Decision(r.text(0)), span(r.number(1)), store.Wrap("acquire slot", err)
}

// Release implements [providers.Slots] in one round trip.
func (b *Bounds) Release(ctx context.Context, slot providers.Slot) error {
	return store.Wrap("release slot", b.store.client.ZRem(ctx, b.store.space.slotsKey(slot.Provider), slot.Name).Err())
}
