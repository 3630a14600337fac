package redisstore

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"usher/contact"
	"usher/providers"
	"usher/store"
)

// Scores keeps the outcomes of each provider's messages, minute by minute, of all and of those to each carrier. It is safe for
// concurrent use.
type Scores struct{ store *Store }

var _ providers.Scores = (*Scores)(nil)

// scoreFields are the fields of a minute, in the order of [providers.Score]: those of all messages, and then those of each known
// carrier, which end in its name.
var scoreFields = func() (fields []string) {
	for _, carrier := range contact.Carriers() {
		fields = append(fields, fieldsOf(carrier)...)
	}
	return fields
}()

// scoreCounts are the numbers of one [providers.Score].
const scoreCounts = 4

// fieldsOf returns the fields of a carrier's messages. Those of the unknown carrier are the fields of all messages.
func fieldsOf(carrier contact.Carrier) []string {
	fields := []string{"accepted", "delivered", "undelivered", "verified"}
	if carrier != contact.UnknownCarrier {
		for i := range fields {
			fields[i] += ":" + string(carrier)
		}
	}
	return fields
}

// minute returns the number of the current minute.
func (s *Scores) minute() int64 { return s.store.now().Unix() / 60 }

// AddScore implements [providers.Scores] in one round trip.
func (s *Scores) AddScore(ctx context.Context, provider string, carrier contact.Carrier, score providers.Score) error {
	key := s.store.space.scoreKey(provider, s.minute())
	counted := [][]string{fieldsOf(contact.UnknownCarrier)}
	if carrier != contact.UnknownCarrier {
		counted = append(counted, fieldsOf(carrier))
	}
	_, err := s.store.client.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		for _, fields := range counted {
			for i, n := range []int{score.Accepted, score.Delivered, score.Undelivered, score.Verified} {
				if n > 0 {
					pipe.HIncrBy(ctx, key, fields[i], int64(n))
				}
			}
		}
		pipe.Expire(ctx, key, providers.ScoreWindow+2*time.Minute)
		return nil
	})
	return store.Wrap("add score", err)
}

// RecentScores implements [providers.Scores] in one round trip. The window ends with the current minute.
func (s *Scores) RecentScores(ctx context.Context, names []string) (map[string]providers.ProviderScore, error) {
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
	scores := make(map[string]providers.ProviderScore, len(names))
	for name, cmds := range minutes {
		scores[name] = sumOf(cmds)
	}
	return scores, nil
}

// sumOf adds up the minutes, each with the [scoreFields]. Carriers without a count are left out.
func sumOf(minutes []*redis.SliceCmd) (sum providers.ProviderScore) {
	for _, minute := range minutes {
		for i, carrier := range contact.Carriers() {
			score := scoreOf(minute.Val()[i*scoreCounts:][:scoreCounts])
			switch {
			case carrier == contact.UnknownCarrier:
				sum.Score = sum.Plus(score)
			case score != providers.Score{}:
				if sum.ByCarrier == nil {
					sum.ByCarrier = map[contact.Carrier]providers.Score{}
				}
				sum.ByCarrier[carrier] = sum.ByCarrier[carrier].Plus(score)
			}
		}
	}
	return sum
}

// scoreOf converts the fields of one score in one minute.
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
	now := b.store.now()
	r, err := read(slotAcquireScript.Run(ctx, b.store.client,
		[]string{b.store.space.slotsKey(slot.Provider), b.store.space.secondKey(slot.Provider)},
		slot.Name, now.UnixMilli(), slot.Until.UnixMilli(), slot.Bounds.Concurrent,
		slot.Bounds.PerSecond, time.Second.Milliseconds(), slotOf(time.Second, now), lifeOf(time.Second)))
	return providers.Decision(r.text(0)), span(r.number(1)), store.Wrap("acquire slot", err)
}

// Release implements [providers.Slots] in one round trip.
func (b *Bounds) Release(ctx context.Context, slot providers.Slot) error {
	return store.Wrap("release slot", b.store.client.ZRem(ctx, b.store.space.slotsKey(slot.Provider), slot.Name).Err())
}
