package redisstore

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"usher/secrets"
	"usher/store"
)

// scanPage is how many keys Redis scans between two commands of other clients.
const scanPage = 1000

// KeyUse counts the records in Redis that are lost without a certain secret key.
type KeyUse struct {
	Codes   int       // codes that may still be entered
	Answers int       // answers kept for requests that are sent again
	Until   time.Time // when the last of them ends
}

// KeyUse returns what each secret key is needed for, by its id, whether it is configured or not. It scans all keys of Redis
// page by page, so that the server keeps serving other clients.
func (s *Store) KeyUse(ctx context.Context) (map[string]KeyUse, error) {
	use, mu := map[string]KeyUse{}, sync.Mutex{}
	add := func(id string, codes, answers int, until time.Time) {
		mu.Lock()
		defer mu.Unlock()
		u := use[id]
		u.Codes, u.Answers = u.Codes+codes, u.Answers+answers
		if until.After(u.Until) {
			u.Until = until
		}
		use[id] = u
	}
	count := func(ctx context.Context, node redis.Cmdable) error {
		return errors.Join(
			s.scan(ctx, node, s.space.codeKey("*", "*"), "key_id", "expires_at", func(id string, until time.Time) {
				add(id, 1, 0, until)
			}),
			s.scan(ctx, node, s.space.answerKey("*"), "answer", "ends_at", func(sealed string, until time.Time) {
				add(secrets.SealedBy(sealed), 0, 1, until)
			}))
	}
	return use, store.Wrap("count uses of keys", s.eachNode(ctx, count))
}

// eachNode calls do for every server that has keys, in a cluster at the same time.
func (s *Store) eachNode(ctx context.Context, do func(context.Context, redis.Cmdable) error) error {
	if cluster, ok := s.client.(*redis.ClusterClient); ok {
		return cluster.ForEachMaster(ctx, func(ctx context.Context, node *redis.Client) error { return do(ctx, node) })
	}
	return do(ctx, s.client)
}

// scan calls tell with the two fields of every hash under a pattern that has the first field and has not ended.
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

// ForeignError says that a deployment with other secret keys uses the namespace.
type ForeignError struct {
	Namespace string
	Own       []string // ids of our keys
	Theirs    []string // ids of the other deployment's keys
}

// Error names keys by their ids only.
func (e *ForeignError) Error() string {
	return fmt.Sprintf("another deployment uses the namespace %s of this Redis with other keys (theirs: %s; ours: %s)",
		e.Namespace, strings.Join(e.Theirs, ", "), strings.Join(e.Own, ", "))
}

// Claim stores the fingerprints of the secret keys that are used in the namespace, and returns a *[ForeignError] when other
// keys are used there. Fingerprints reveal no key. During a rotation the old and the new set of keys have one in common.
func (s *Store) Claim(ctx context.Context) error { return s.claim(ctx, false) }

// CheckClaim is [Store.Claim] without writing anything.
func (s *Store) CheckClaim(ctx context.Context) error { return s.claim(ctx, true) }

// claim compares the fingerprints, and stores them unless it is a dry run.
func (s *Store) claim(ctx context.Context, dryRun bool) error {
	prints := s.keys.Fingerprints()
	ids := slices.Sorted(maps.Keys(prints))
	args := []any{keepFingerprint.Milliseconds(), dryRun}
	for _, id := range ids {
		args = append(args, id, prints[id])
	}
	theirs, err := fingerprintScript.Run(ctx, s.client, []string{s.space.fingerprintKey()}, args...).StringSlice()
	if err != nil {
		return fmt.Errorf("compare keys: %w", err)
	}
	if len(theirs) > 0 {
		slices.Sort(theirs)
		return &ForeignError{Namespace: strings.TrimSuffix(string(s.space), ":"), Own: ids, Theirs: theirs}
	}
	return nil
}
