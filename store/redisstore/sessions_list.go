package redisstore

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
)

// maxSessions is how many sessions an owner may have. Whoever signs in more often than that in the life of
// a session is a program that keeps no cookies.
const maxSessions = 50

// Enter puts a session on the list of its owner until its expiry and returns the id that it has there, which
// opens nothing. It is called before the session is first committed, so that none is missing from the list.
// An owner with too many sessions loses the one that ends first.
func (s *Sessions) Enter(ctx context.Context, owner, token string, expiry time.Time) (id string, err error) {
	id = s.id(token)
	over, err := sessionEnterScript.Run(ctx, s.store.client, []string{s.listKey(owner)},
		id, expiry.UnixMilli(), s.store.now().UnixMilli(), maxSessions).StringSlice()
	if err != nil {
		return "", fmt.Errorf("enter session: %w", err)
	}
	if len(over) > 0 {
		if _, err := s.End(ctx, owner, over...); err != nil {
			return "", err
		}
	}
	return id, nil
}

// List returns the data of the owner's sessions by their ids.
func (s *Sessions) List(ctx context.Context, owner string) (map[string][]byte, error) {
	now := s.store.now()
	ids, err := s.store.client.ZRangeByScore(ctx, s.listKey(owner), &redis.ZRangeBy{
		Min: "(" + strconv.FormatInt(now.UnixMilli(), 10), Max: "+inf", Count: maxSessions,
	}).Result()
	if err != nil {
		return nil, fmt.Errorf("list sessions: %w", err)
	}
	pipe := s.store.client.Pipeline()
	values := make([]*redis.StringCmd, len(ids))
	for i, id := range ids {
		values[i] = pipe.Get(ctx, s.store.space.sessionKey(id))
	}
	_, _ = pipe.Exec(ctx) // every command has its own error
	sessions := make(map[string][]byte, len(ids))
	for i, id := range ids {
		value, err := values[i].Result()
		if err != nil && !errors.Is(err, redis.Nil) {
			return nil, fmt.Errorf("list sessions: %w", err)
		}
		if data, ok := unstamp(value, now); ok {
			sessions[id] = []byte(data)
		}
	}
	return sessions, nil
}

// End ends those of the sessions that are the owner's and returns how many these were. It takes them off the
// list last: when it fails half-way, what is still alive is still there to be ended.
func (s *Sessions) End(ctx context.Context, owner string, ids ...string) (int, error) {
	own, err := s.own(ctx, owner, ids)
	if err != nil || len(own) == 0 {
		return 0, err
	}
	pipe := s.store.client.Pipeline()
	for _, id := range own {
		pipe.SetXX(ctx, s.store.space.sessionKey(id), ended, endedTTL)
	}
	if _, err := pipe.Exec(ctx); err != nil {
		return 0, fmt.Errorf("end sessions: %w", err)
	}
	if err := s.store.client.ZRem(ctx, s.listKey(owner), own).Err(); err != nil {
		return 0, fmt.Errorf("end sessions: %w", err)
	}
	return len(own), nil
}

// own returns those of the ids that are on the owner's list.
func (s *Sessions) own(ctx context.Context, owner string, ids []string) ([]string, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	scores, err := s.store.client.ZMScore(ctx, s.listKey(owner), ids...).Result()
	if err != nil {
		return nil, fmt.Errorf("look for sessions: %w", err)
	}
	var own []string
	for i, score := range scores {
		if score > 0 {
			own = append(own, ids[i])
		}
	}
	return own, nil
}

func (s *Sessions) listKey(owner string) string {
	return s.store.space.sessionsKey(s.store.keys.Index("session owner", owner))
}
