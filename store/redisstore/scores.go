package redisstore

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"usher/providers"
)

// Scores keeps what became of the messages of each provider, minute by minute. It is safe for concurrent
// use.
type Scores struct{ store *Store }

var _ providers.Scores = (*Scores)(nil)

// The fields of a minute.
const (
	scoreAccepted    = "accepted"
	scoreDelivered   = "delivered"
	scoreUndelivered = "undelivered"
	scoreVerified    = "verified"
)

// minute is the number of the minute that it is.
func (s *Scores) minute() int64 { return s.store.now().Unix() / 60 }

// AddScore implements [providers.Scores] in one round trip.
func (s *Scores) AddScore(ctx context.Context, provider string, score providers.Score) error {
	key := s.store.space.scoreKey(provider, s.minute())
	_, err := s.store.client.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		for field, n := range map[string]int{
			scoreAccepted: score.Accepted, scoreDelivered: score.Delivered,
			scoreUndelivered: score.Undelivered, scoreVerified: score.Verified,
		} {
			if n > 0 {
				pipe.HIncrBy(ctx, key, field, int64(n))
			}
		}
		pipe.Expire(ctx, key, providers.ScoreWindow+2*time.Minute)
		return nil
	})
	if err != nil {
		return fmt.Errorf("add score: %w", err)
	}
	return nil
}

// RecentScores implements [providers.Scores] in one round trip. The window ends with the minute that runs.
func (s *Scores) RecentScores(ctx context.Context, names []string) (map[string]providers.Score, error) {
	now := s.minute()
	minutes := map[string][]*redis.SliceCmd{}
	_, err := s.store.client.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		for _, name := range names {
			for i := range int64(providers.ScoreWindow / time.Minute) {
				minutes[name] = append(minutes[name], pipe.HMGet(ctx, s.store.space.scoreKey(name, now-i),
					scoreAccepted, scoreDelivered, scoreUndelivered, scoreVerified))
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

func scoreOf(fields []any) providers.Score {
	number := func(i int) int {
		text, _ := fields[i].(string)
		n, _ := strconv.Atoi(text) // nothing counted: 0
		return n
	}
	return providers.Score{Accepted: number(0), Delivered: number(1), Undelivered: number(2), Verified: number(3)}
}
