package redisstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/redis/go-redis/v9"
)

// ended is what the key of an ended session holds for a while: a request that has read the session before
// may still write it back, and must not bring it to life again.
const (
	ended    = "ended"
	endedTTL = time.Minute // longer than any request takes
)

// Sessions keeps the sessions of scs under a keyed hash of their tokens: what Redis holds signs nobody in.
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

// CommitCtx writes the data of a session until its expiry; one that is over already is deleted, and one
// that was deleted stays so.
func (s *Sessions) CommitCtx(ctx context.Context, token string, data []byte, expiry time.Time) error {
	ttl := expiry.Sub(s.store.now())
	if ttl < time.Millisecond {
		return s.DeleteCtx(ctx, token)
	}
	err := sessionCommitScript.Run(ctx, s.store.client, []string{s.key(token)},
		stamp(expiry, string(data)), ttl.Milliseconds(), ended).Err()
	if err != nil {
		return fmt.Errorf("write session: %w", err)
	}
	return nil
}

// DeleteCtx ends a session; it is no error when there is none.
func (s *Sessions) DeleteCtx(ctx context.Context, token string) error {
	if err := s.store.client.SetXX(ctx, s.key(token), ended, endedTTL).Err(); err != nil {
		return fmt.Errorf("delete session: %w", err)
	}
	return nil
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

func (s *Sessions) key(token string) string { return s.store.space.sessionKey(s.id(token)) }

// id is what a session is called where its token must not be known.
func (s *Sessions) id(token string) string { return s.store.keys.Index("session", token) }
