package redisstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"usher/store"
)

// Leaders elects one of several workers for each periodic task, and keeps the time when the task was last done. It is safe
// for concurrent use.
type Leaders struct{ store *Store }

// Lead makes the caller the leader of a task for the given time, or extends its lead, and reports whether it leads. Each
// caller has a name of its own.
func (l *Leaders) Lead(ctx context.Context, name, caller string, ttl time.Duration) (bool, error) {
	leads, err := leaderLeadScript.Run(ctx, l.store.client, []string{l.store.space.leaderKey(name)}, caller, ttl.Milliseconds()).Int()
	return leads == 1, store.Wrap("lead "+name, err)
}

// Resign ends the caller's lead, so that another can lead at once. It does nothing for a caller that does not lead.
func (l *Leaders) Resign(ctx context.Context, name, caller string) error {
	return store.Wrap("resign "+name, leaderResignScript.Run(ctx, l.store.client, []string{l.store.space.leaderKey(name)}, caller).Err())
}

// Ran stores that the task was done now.
func (l *Leaders) Ran(ctx context.Context, name string) error {
	return store.Wrap("store run of "+name, l.store.client.Set(ctx, l.store.space.ranKey(name), l.store.now().UnixMilli(), keepRan).Err())
}

// LastRan returns when the task was last done; zero when that is not known.
func (l *Leaders) LastRan(ctx context.Context, name string) (time.Time, error) {
	at, err := l.store.client.Get(ctx, l.store.space.ranKey(name)).Int64()
	switch {
	case errors.Is(err, redis.Nil):
		return time.Time{}, nil
	case err != nil:
		return time.Time{}, fmt.Errorf("find last run of %s: %w", name, err)
	}
	return time.UnixMilli(at), nil
}

// LastRuns returns when each of the tasks was last done, in one round trip, without those for which that is not known.
func (l *Leaders) LastRuns(ctx context.Context, names []string) (map[string]time.Time, error) {
	asked := make([]*redis.StringCmd, len(names))
	_, err := l.store.client.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		for i, name := range names {
			asked[i] = pipe.Get(ctx, l.store.space.ranKey(name))
		}
		return nil
	})
	if err != nil && !errors.Is(err, redis.Nil) {
		return nil, fmt.Errorf("find last runs: %w", err)
	}
	found := map[string]time.Time{}
	for i, name := range names {
		if ms, err := asked[i].Int64(); err == nil {
			found[name] = time.UnixMilli(ms)
		}
	}
	return found, nil
}
