package redisstore

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/redis/go-redis/v9"

	"usher/store"
)

// ended is the value of an ended session's key, see [endedTTL].
const ended = "ended"

// Sessions keeps the sessions of scs under a keyed hash of their tokens, so that a reader of Redis cannot sign in with them.
// It is safe for concurrent use.
type Sessions struct{ store *Store }

var _ scs.CtxStore = (*Sessions)(nil)

// FindCtx returns the data of a session; found is false when there is none or it is over.
func (s *Sessions) FindCtx(ctx context.Context, token string) (data []byte, found bool, err error) {
	value, err := s.store.client.Get(ctx, s.key(token)).Result()
	if errors.Is(err, redis.Nil) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("find session: %w", err)
	}
	text, ok := unstamp(value, s.store.now())
	if !ok {
		return nil, false, nil
	}
	return []byte(text), true, nil
}

// CommitCtx writes the data of a session, which lives until its expiry. A session that is over already is deleted, and one
// that was deleted stays deleted.
func (s *Sessions) CommitCtx(ctx context.Context, token string, data []byte, expiry time.Time) error {
	ttl := expiry.Sub(s.store.now())
	if ttl < time.Millisecond {
		return s.DeleteCtx(ctx, token)
	}
	return store.Wrap("write session", sessionCommitScript.Run(ctx, s.store.client, []string{s.key(token)},
		stamp(expiry, string(data)), ttl.Milliseconds(), ended).Err())
}

// DeleteCtx ends a session; it is no error when there is none.
func (s *Sessions) DeleteCtx(ctx context.Context, token string) error {
	return store.Wrap("delete session", s.store.client.SetXX(ctx, s.key(token), ended, endedTTL).Err())
}

// Find is FindCtx for callers without a context; the client's time-outs bound it.
func (s *Sessions) Find(token string) (data []byte, found bool, err error) {
	return s.FindCtx(context.Background(), token)
}

// Commit is CommitCtx for callers without a context; the client's time-outs bound it.
func (s *Sessions) Commit(token string, data []byte, expiry time.Time) error {
	return s.CommitCtx(context.Background(), token, data, expiry)
}

// Delete is DeleteCtx for callers without a context; the client's time-outs bound it.
func (s *Sessions) Delete(token string) error { return s.DeleteCtx(context.Background(), token) }

// maxSessions is how many sessions an owner may have. More sign-ins within the life of a session come from a program that
// keeps no cookies.
const maxSessions = 50

// Enter puts a session on the list of its owner until its expiry and returns its id on that list, which cannot be used to
// sign in. It must be called before the session is first committed, so that no session is missing from the list. An owner
// with too many sessions loses the one that ends first.
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

// End ends those of the sessions that belong to the owner and returns their number. It removes them from the list last: after
// a failure half-way the sessions that are still alive are still listed, so that End can be repeated.
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
	return len(own), store.Wrap("end sessions", s.store.client.ZRem(ctx, s.listKey(owner), own).Err())
}

// own returns those of the ids that are on the owner's list.
func (s *Sessions) own(ctx context.Context, owner string, ids []string) ([]string, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	scores, err := s.store.client.ZMScore(ctx, s.listKey(owner), ids...).Result()
	if err != nil {
		return nil, fmt.Errorf("find sessions: %w", err)
	}
	var own []string
	for i, score := range scores {
		if score > 0 {
			own = append(own, ids[i])
		}
	}
	return own, nil
}

// listKey returns the key of the list of an owner's sessions.
func (s *Sessions) listKey(owner string) string {
	return s.store.space.sessionsKey(s.store.keys.Index("session owner", owner))
}

// key returns the key of the session with the token.
func (s *Sessions) key(token string) string { return s.store.space.sessionKey(s.id(token)) }

// id returns the name of a session for places that must not know its token.
func (s *Sessions) id(token string) string { return s.store.keys.Index("session", token) }
