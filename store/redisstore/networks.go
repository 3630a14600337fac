package redisstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

// maxNetworks is how many networks a login name may be known in. A person has a few; of a program that signs in from
// everywhere the last ones are enough.
const maxNetworks = 20

// Know remembers a network for the given time from now on, for each of an account's login names. Of more than twenty
// networks of a name the ones that end first are forgotten.
func (g *Gate) Know(ctx context.Context, ttl time.Duration, network string, logins ...string) error {
	now := g.store.now()
	var notes []*call
	for _, login := range logins {
		notes = append(notes, &call{
			script: knownNoteScript, keys: []string{g.networksKey(login)},
			args: []any{g.networkOf(login, network), now.Add(ttl).UnixMilli(), now.UnixMilli(), maxNetworks},
		})
	}
	if len(notes) == 0 {
		return nil
	}
	if err := g.store.runAll(ctx, notes); err != nil {
		return fmt.Errorf("remember network: %w", err)
	}
	return nil
}

// Known tells whether a network is remembered for a login name.
func (g *Gate) Known(ctx context.Context, network, login string) (bool, error) {
	until, err := g.store.client.ZScore(ctx, g.networksKey(login), g.networkOf(login, network)).Result()
	if errors.Is(err, redis.Nil) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look for network: %w", err)
	}
	return until > float64(g.store.now().UnixMilli()), nil
}

func (g *Gate) networksKey(login string) string {
	return g.store.space.networksKey(g.store.keys.Index("known", login))
}

// networkOf differs from name to name: two people in one network have nothing in common in Redis.
func (g *Gate) networkOf(login, network string) string {
	return g.store.keys.Index("known network", network+" "+login)
}
