package redisstore

import (
	"context"
	_ "embed" // for the scripts
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

var (
	//go:embed scripts/leader_lead.lua
	leaderLead string
	//go:embed scripts/leader_resign.lua
	leaderResign string

	leaderLeadScript   = redis.NewScript(leaderLead)
	leaderResignScript = redis.NewScript(leaderResign)
)

// keepRan is how long it is known when something was last done, far longer than the longest interval.
const keepRan = 90 * 24 * time.Hour

// Leaders agrees on who of several workers does something, and when it was last done. It is safe for
// concurrent use.
type Leaders struct{ store *Store }

// Leaders returns the leaders kept in the store.
func (s *Store) Leaders() *Leaders { return &Leaders{s} }

// Lead makes the caller the leader of something for the given time, or keeps it so, and reports whether it
// leads. Callers differ in their names.
func (l *Leaders) Lead(ctx context.Context, name, caller string, ttl time.Duration) (bool, error) {
	leads, err := leaderLeadScript.Run(ctx, l.store.client, []string{l.store.space.leaderKey(name)}, caller, ttl.Milliseconds()).Int()
	if err != nil {
		return false, fmt.Errorf("lead %s: %w", name, err)
	}
	return leads == 1, nil
}

// Resign lets another lead at once. Of one who does not lead it changes nothing.
func (l *Leaders) Resign(ctx context.Context, name, caller string) error {
	if err := leaderResignScript.Run(ctx, l.store.client, []string{l.store.space.leaderKey(name)}, caller).Err(); err != nil {
		return fmt.Errorf("resign %s: %w", name, err)
	}
	return nil
}

// Ran files that something was done now.
func (l *Leaders) Ran(ctx context.Context, name string) error {
	if err := l.store.client.Set(ctx, l.store.space.ranKey(name), l.store.now().UnixMilli(), keepRan).Err(); err != nil {
		return fmt.Errorf("file run of %s: %w", name, err)
	}
	return nil
}

// LastRan returns when something was last done; zero when nobody knows.
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

// leaderKey is a string: the name of who leads.
func (k keyspace) leaderKey(name string) string { return string(k) + "leader:" + name }

// ranKey is a string: when something was last done, in Unix milliseconds.
func (k keyspace) ranKey(name string) string { return string(k) + "ran:" + name }
