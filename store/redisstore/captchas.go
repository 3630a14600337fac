package redisstore

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"usher/captcha/challenge"
	"usher/limits"
)

// Bounds of asking whether an answer is right without spending the captcha.
const (
	wrongAnswers  = 3  // the third one spends it
	captchaChecks = 10 // right and wrong ones together: many at once are counted before any is compared
)

// Captchas keeps the answers of captchas that were asked. It is safe for concurrent use.
type Captchas struct{ store *Store }

// Put keeps what was asked for the given time.
func (c *Captchas) Put(ctx context.Context, id string, asked challenge.Asked, ttl time.Duration) error {
	value := stamp(c.store.now().Add(ttl), encodeAsked(asked))
	if err := c.store.client.Set(ctx, c.store.space.captchaKey(c.hash(id)), value, ttl).Err(); err != nil {
		return fmt.Errorf("put captcha: %w", err)
	}
	return nil
}

// Peek returns what was asked and leaves it there; it is zero when the captcha is gone. Ten looks are all
// that a captcha allows.
func (c *Captchas) Peek(ctx context.Context, id string) (challenge.Asked, error) {
	hash := c.hash(id)
	value, err := captchaPeekScript.Run(ctx, c.store.client,
		[]string{c.store.space.captchaKey(hash), c.store.space.triesKey(hash)}, captchaChecks).Text()
	if err != nil && !errors.Is(err, redis.Nil) {
		return challenge.Asked{}, fmt.Errorf("look at captcha: %w", err)
	}
	return decodeAsked(value, c.store.now()), nil
}

// Fail counts a wrong answer; the third one spends the captcha.
func (c *Captchas) Fail(ctx context.Context, id string) error {
	hash := c.hash(id)
	err := captchaFailScript.Run(ctx, c.store.client, []string{c.store.space.captchaKey(hash), c.store.space.triesKey(hash)}, wrongAnswers).Err()
	if err != nil {
		return fmt.Errorf("count wrong captcha: %w", err)
	}
	return nil
}

// hash keeps ids out of Redis: who reads it cannot use the captchas it holds.
func (c *Captchas) hash(id string) string { return c.store.keys.Index("captcha", id) }

// Gate spends a captcha together with limits. It is safe for concurrent use.
type Gate struct{ store *Store }

// Admit takes the captcha away and returns what was asked, which is zero when it is gone or id is empty; and
// spends all of the limits or none. It takes one round trip, so the captcha is spent whatever the limits
// say. Of parallel calls with one id one gets the answer.
func (g *Gate) Admit(ctx context.Context, captchaID string, spends []limits.Spend) (
	asked challenge.Asked, decision limits.Decision, err error,
) {
	pipe := g.store.client.Pipeline()
	var taken *redis.StringCmd
	if captchaID != "" {
		taken = pipe.GetDel(ctx, g.store.space.captchaKey(g.store.Captchas().hash(captchaID)))
	}
	batch := g.store.batch(spends)
	batch.queue(ctx, pipe)
	if pipe.Len() == 0 {
		return challenge.Asked{}, limits.Decision{}, nil
	}
	_, _ = pipe.Exec(ctx) // every command has its own error
	decision, err = batch.decide(ctx)
	if err != nil || taken == nil {
		return challenge.Asked{}, decision, err
	}
	value, err := taken.Result()
	if err != nil && !errors.Is(err, redis.Nil) {
		return challenge.Asked{}, limits.Decision{}, fmt.Errorf("take captcha: %w", err)
	}
	return decodeAsked(value, g.store.now()), decision, nil
}

// Refund gives back what Admit granted, for a request that turned out to cost nothing.
func (g *Gate) Refund(ctx context.Context, spends []limits.Spend) error {
	return g.store.batch(spends).refund(ctx, func(*group) bool { return true })
}

// besideWork follows the medium of what is asked together with a proof of work.
const besideWork = "+" + string(challenge.Work)

// encodeAsked returns "<medium> <price> <answer>". Neither of the first two has a space.
func encodeAsked(asked challenge.Asked) string {
	medium := string(asked.Medium)
	if asked.Work {
		medium += besideWork
	}
	return medium + " " + string(asked.Price) + " " + asked.Answer
}

// decodeAsked reads a stamped value. One filed by an older program is an answer alone, at the normal price.
func decodeAsked(stamped string, now time.Time) challenge.Asked {
	value, there := unstamp(stamped, now)
	if !there {
		return challenge.Asked{}
	}
	if parts := strings.SplitN(value, " ", 3); len(parts) == 3 && challenge.Price(parts[1]).Valid() {
		medium, beside := strings.CutSuffix(parts[0], besideWork)
		return challenge.Asked{Medium: challenge.Medium(medium), Work: beside, Price: challenge.Price(parts[1]), Answer: parts[2]}
	}
	return challenge.Asked{Price: challenge.Normal, Answer: value}
}

// stamp puts the end of a value in front of it, for whoever reads it before Redis has cleared it away.
func stamp(ends time.Time, value string) string {
	return strconv.FormatInt(ends.UnixMilli(), 10) + " " + value
}

// unstamp returns the value, and false when it is over or there is none.
func unstamp(stamped string, now time.Time) (string, bool) {
	ends, value, found := strings.Cut(stamped, " ")
	at, err := strconv.ParseInt(ends, 10, 64)
	if !found || err != nil || at <= now.UnixMilli() {
		return "", false
	}
	return value, true
}
