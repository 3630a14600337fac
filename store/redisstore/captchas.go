package redisstore

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"usher/captcha/challenge"
	"usher/store"
)

// Bounds of checking an answer without spending the captcha.
const (
	wrongAnswers  = 3  // the third one spends the captcha
	captchaChecks = 10 // right and wrong ones together: parallel checks are all counted before any is compared
)

// Captchas keeps what captchas ask and the answers to them. It is safe for concurrent use.
type Captchas struct{ store *Store }

// Put keeps what a captcha asks, for the given time.
func (c *Captchas) Put(ctx context.Context, id string, asked challenge.Asked, ttl time.Duration) error {
	value := stamp(c.store.now().Add(ttl), encodeAsked(asked))
	return store.Wrap("put captcha", c.store.client.Set(ctx, c.store.space.captchaKey(c.hash(id)), value, ttl).Err())
}

// Peek returns what the captcha asks and leaves it there; the result is zero when the captcha is gone. A captcha can be read
// ten times.
func (c *Captchas) Peek(ctx context.Context, id string) (challenge.Asked, error) {
	hash := c.hash(id)
	value, err := captchaPeekScript.Run(ctx, c.store.client,
		[]string{c.store.space.captchaKey(hash), c.store.space.triesKey(hash)}, captchaChecks).Text()
	if err != nil && !errors.Is(err, redis.Nil) {
		return challenge.Asked{}, fmt.Errorf("read captcha: %w", err)
	}
	return decodeAsked(value, c.store.now()), nil
}

// Fail counts a wrong answer; the third one spends the captcha.
func (c *Captchas) Fail(ctx context.Context, id string) error {
	hash := c.hash(id)
	return store.Wrap("count wrong captcha", captchaFailScript.Run(ctx, c.store.client, []string{c.store.space.captchaKey(hash), c.store.space.triesKey(hash)}, wrongAnswers).Err())
}

// UseToken remembers a token of a captcha vendor for the given time and reports whether it is new. Of parallel calls with one
// token only one gets true.
func (c *Captchas) UseToken(ctx context.Context, token string, ttl time.Duration) (isNew bool, err error) {
	key := c.store.space.tokenKey(c.store.keys.Index("captcha token", token))
	err = c.store.client.SetArgs(ctx, key, stamp(c.store.now().Add(ttl), ""), redis.SetArgs{Mode: "NX", TTL: ttl}).Err()
	if errors.Is(err, redis.Nil) {
		return false, nil
	}
	return err == nil, store.Wrap("remember captcha token", err)
}

// hash keeps ids out of Redis: a reader of its keys cannot use the captchas.
func (c *Captchas) hash(id string) string { return c.store.keys.Index("captcha", id) }

// besideWork follows the medium in records of older versions of the raised price, which say "normal".
const besideWork = "+" + string(challenge.Work)

// encodeAsked returns "<medium> <price> <answer>". Neither of the first two has a space.
func encodeAsked(asked challenge.Asked) string {
	return string(asked.Medium) + " " + string(asked.Price) + " " + asked.Answer
}

// decodeAsked reads a stamped value. A value of an older program is an answer alone, at the normal price.
func decodeAsked(stamped string, now time.Time) challenge.Asked {
	value, there := unstamp(stamped, now)
	if !there {
		return challenge.Asked{}
	}
	if parts := strings.SplitN(value, " ", 3); len(parts) == 3 && challenge.Price(parts[1]).Valid() {
		asked := challenge.Asked{Medium: challenge.Medium(parts[0]), Price: challenge.Price(parts[1]), Answer: parts[2]}
		if medium, beside := strings.CutSuffix(parts[0], besideWork); beside {
			asked.Medium, asked.Price = challenge.Medium(medium), challenge.Raised
		}
		return asked
	}
	return challenge.Asked{Price: challenge.Normal, Answer: value}
}
