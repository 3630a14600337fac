package redisstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"usher/captcha/challenge"
	"usher/limits"
	"usher/store"
)

// Gate spends limits, alone or together with a captcha. It is safe for concurrent use.
type Gate struct{ store *Store }

// Admit removes the captcha and returns what it asks, which is zero when the captcha is gone or the id is empty; and it
// spends the units of each limit, or of none when one of them has not so many left. Both go in one round trip, so the captcha is
// spent whatever the limits decide; after a refusal a second one returns the units of other places. Limits that are off are
// skipped. After an error it is unknown whether units were spent. Of parallel calls with one id only one gets the answer.
//
// The limits to watch are read in the same round trip, without spending: what is used of them goes into the decision's risk.
func (g *Gate) Admit(ctx context.Context, captchaID string, spends []limits.Spend, watch ...limits.Spend) (
	asked challenge.Asked, decision limits.Decision, err error,
) {
	pipe := g.store.client.Pipeline()
	var taken *redis.StringCmd
	if captchaID != "" {
		taken = pipe.GetDel(ctx, g.store.space.captchaKey(g.store.Captchas().hash(captchaID)))
	}
	batch, watched := g.store.batch(spends), g.store.readings(nil)
	if !g.store.recording() { // a price is a refusal, too
		watched = g.store.readings(watch)
	}
	batch.queue(ctx, pipe)
	watched.queue(ctx, pipe)
	_, _ = pipe.Exec(ctx) // every command has its own error
	decision, err = batch.decide(ctx)
	if err == nil && decision.Allowed() {
		err = watched.addRisk(ctx, &decision.Risk)
	}
	if err != nil || taken == nil {
		return challenge.Asked{}, decision, err
	}
	value, err := taken.Result()
	if err != nil && !errors.Is(err, redis.Nil) {
		return challenge.Asked{}, limits.Decision{}, fmt.Errorf("take captcha: %w", err)
	}
	return decodeAsked(value, g.store.now()), decision, nil
}

// Refund returns what [Gate.Admit] granted, for a request that turned out to cost nothing.
func (g *Gate) Refund(ctx context.Context, spends []limits.Spend) error {
	return g.store.batch(spends).refund(ctx, func(*group) bool { return true })
}

// maxNetworks is how many networks are remembered for a login name. A person uses a few; for a program that signs in from
// many the last ones are enough.
const maxNetworks = 20

// Know remembers a network for the given time, for each of an account's login names. Of more than twenty networks of a name
// those that end first are forgotten.
func (g *Gate) Know(ctx context.Context, ttl time.Duration, network string, logins ...string) error {
	now := g.store.now()
	var notes []*call
	for _, login := range logins {
		notes = append(notes, &call{
			script: knownNoteScript, keys: []string{g.networksKey(login)},
			args: []any{g.networkOf(login, network), now.Add(ttl).UnixMilli(), now.UnixMilli(), maxNetworks},
		})
	}
	return store.Wrap("remember network", g.store.runAll(ctx, notes))
}

// Known reports whether a network is remembered for a login name.
func (g *Gate) Known(ctx context.Context, network, login string) (bool, error) {
	until, err := g.store.client.ZScore(ctx, g.networksKey(login), g.networkOf(login, network)).Result()
	if errors.Is(err, redis.Nil) {
		return false, nil
	}
	return until > float64(g.store.now().UnixMilli()), store.Wrap("find network", err)
}

// networksKey returns the key of a login name's networks. A login name is a user name, a number or an address, so it is hashed.
func (g *Gate) networksKey(login string) string {
	return g.store.space.networksKey(g.store.keys.Index("known", login))
}

// networkOf differs for each login name: Redis does not show that two people use the same network.
func (g *Gate) networkOf(login, network string) string {
	return g.store.keys.Index("known network", network+" "+login)
}
