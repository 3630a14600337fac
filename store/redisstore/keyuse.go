package redisstore

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"usher/secrets"
)

// scanPage is how many keys Redis looks at between two commands of others.
const scanPage = 1000

// KeyUse is what Redis holds that is lost without a certain key.
type KeyUse struct {
	Codes   int       // that may still be entered
	Answers int       // kept for requests that are sent again
	Until   time.Time // when the last of them ends
}

// KeyUse returns what each key of the settings is needed for, by its id, whether it is configured or not. It looks
// at every key that Redis has, page by page, so that the server goes on serving others.
func (s *Store) KeyUse(ctx context.Context) (map[string]KeyUse, error) {
	use, mu := map[string]KeyUse{}, sync.Mutex{}
	look := func(ctx context.Context, node redis.Cmdable) error {
		return errors.Join(
			s.scan(ctx, node, s.space.codeKey("*", "*"), "key_id", "expires_at", func(id string, until time.Time) {
				mu.Lock()
				defer mu.Unlock()
				u := use[id]
				u.Codes++
				use[id] = u.until(until)
			}),
			s.scan(ctx, node, s.space.answerKey("*"), "answer", "ends_at", func(sealed string, until time.Time) {
				mu.Lock()
				defer mu.Unlock()
				u := use[secrets.SealedBy(sealed)]
				u.Answers++
				use[secrets.SealedBy(sealed)] = u.until(until)
			}))
	}
	var err error
	if cluster, ok := s.client.(*redis.ClusterClient); ok {
		err = cluster.ForEachMaster(ctx, func(ctx context.Context, node *redis.Client) error { return look(ctx, node) })
	} else {
		err = look(ctx, s.client)
	}
	if err != nil {
		return nil, fmt.Errorf("count uses of keys: %w", err)
	}
	return use, nil
}

func (u KeyUse) until(end time.Time) KeyUse {
	if end.After(u.Until) {
		u.Until = end
	}
	return u
}

// scan tells the two fields of every hash under a pattern that has the first one and has not ended.
func (s *Store) scan(
	ctx context.Context, node redis.Cmdable, pattern, field, ends string, tell func(value string, until time.Time),
) error {
	for cursor := uint64(0); ; {
		keys, next, err := node.Scan(ctx, cursor, pattern, scanPage).Result()
		if err != nil {
			return err
		}
		pages, err := node.Pipelined(ctx, func(pipe redis.Pipeliner) error {
			for _, key := range keys {
				pipe.HMGet(ctx, key, field, ends)
			}
			return nil
		})
		if err != nil {
			return err
		}
		for _, page := range pages {
			fields := page.(*redis.SliceCmd).Val() //nolint:forcetypeassert // what HMGet returns
			value, _ := fields[0].(string)
			end, _ := fields[1].(string)
			milliseconds, _ := strconv.ParseInt(end, 10, 64)
			if until := time.UnixMilli(milliseconds); value != "" && until.After(s.now()) {
				tell(value, until)
			}
		}
		if cursor = next; cursor == 0 {
			return nil
		}
	}
}
