package redisstore

import (
	"context"
	"errors"
	"strings"

	"github.com/redis/go-redis/v9"

	"usher/store"
	"usher/verify"
)

// Forgotten names what [Store.Forget] deletes.
type Forgotten struct {
	Owners []string // of sessions
	Codes  []string // keyed hashes of numbers and addresses, see [verify.SubjectFor]
	Limits []string // subjects of limits
	Logins []string // login names whose networks are known
}

// Forget deletes sessions, and all keys that are about a subject: codes with their outcomes, pauses, limits and known networks. It
// scans all keys of Redis page by page, so that the server keeps serving other clients. It may be repeated. Codes of a subject
// that are being sent meanwhile may leave an outcome.
func (s *Store) Forget(ctx context.Context, f Forgotten) error {
	var errs []error
	for _, owner := range f.Owners {
		errs = append(errs, s.Sessions().forget(ctx, owner))
	}
	about, codes := map[string]bool{}, map[string]bool{}
	for _, hash := range f.Codes {
		about[hash], codes[hash] = true, true
	}
	for _, subject := range f.Limits {
		about[s.keys.Index("limit", subject)] = true
	}
	for _, login := range f.Logins {
		about[s.keys.Index("known", login)] = true
	}
	if len(about) > 0 {
		errs = append(errs, s.eachNode(ctx, func(ctx context.Context, node redis.Cmdable) error {
			return s.forgetKeys(ctx, node, about, codes)
		}))
	}
	for hash := range codes {
		errs = append(errs, s.Outcomes().forget(ctx, hash))
	}
	return store.Wrap("forget", errors.Join(errs...))
}

// forgetKeys deletes the keys of one server that are about a subject, and the references of vendors to its codes.
func (s *Store) forgetKeys(ctx context.Context, node redis.Cmdable, about, codes map[string]bool) error {
	for cursor := uint64(0); ; {
		keys, next, err := node.Scan(ctx, cursor, string(s.space)+"{*}:*", scanPage).Result()
		if err != nil {
			return err
		}
		var gone, references []string
		for _, key := range keys {
			_, rest, _ := strings.Cut(key, "}:")
			hash, kind, _ := strings.Cut(rest, ":")
			switch {
			case about[hash]:
				gone = append(gone, key)
			case kind == "reference" && len(codes) > 0:
				references = append(references, key)
			}
		}
		found, err := referencesTo(ctx, node, references, codes)
		if err != nil {
			return err
		}
		if err := deleteAll(ctx, node, append(gone, found...)); err != nil {
			return err
		}
		if cursor = next; cursor == 0 {
			return nil
		}
	}
}

// referencesTo returns those of the keys whose value is the id of a code of a subject.
func referencesTo(ctx context.Context, node redis.Cmdable, keys []string, codes map[string]bool) ([]string, error) {
	if len(keys) == 0 {
		return nil, nil
	}
	values, err := node.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		for _, key := range keys {
			pipe.Get(ctx, key)
		}
		return nil
	})
	if err != nil && !errors.Is(err, redis.Nil) {
		return nil, err
	}
	var found []string
	for i, value := range values {
		message := value.(*redis.StringCmd).Val() //nolint:forcetypeassert // what Get returns
		id, _, _ := verify.CodeOf(message)
		if subject, ok := verify.SubjectOf(id); ok && codes[subject] {
			found = append(found, keys[i])
		}
	}
	return found, nil
}

// deleteAll deletes keys of any slots of one server.
func deleteAll(ctx context.Context, node redis.Cmdable, keys []string) error {
	if len(keys) == 0 {
		return nil
	}
	_, err := node.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		for _, key := range keys {
			pipe.Del(ctx, key)
		}
		return nil
	})
	return err
}

// forget ends all sessions on an owner's list and deletes the list. A session's key stays for a moment without its data, see
// [endedTTL].
func (s *Sessions) forget(ctx context.Context, owner string) error {
	ids, err := s.store.client.ZRange(ctx, s.listKey(owner), 0, -1).Result()
	if err != nil {
		return err
	}
	if _, err := s.End(ctx, owner, ids...); err != nil {
		return err
	}
	return s.store.client.Del(ctx, s.listKey(owner)).Err()
}

// forget removes the outcomes of a subject's codes.
func (o *Outcomes) forget(ctx context.Context, subject string) error {
	key := o.store.space.outcomesKey(subject)
	for from := "-"; ; {
		entries, err := o.store.client.XRangeN(ctx, key, from, "+", scanPage).Result()
		if err != nil {
			return err
		}
		var gone []string
		for _, entry := range entries {
			id, _ := entry.Values["id"].(string)
			if of, _ := verify.SubjectOf(id); of == subject {
				gone = append(gone, entry.ID)
			}
		}
		if len(gone) > 0 {
			if err := o.store.client.XDel(ctx, key, gone...).Err(); err != nil {
				return err
			}
		}
		if len(entries) < scanPage {
			return nil
		}
		from = "(" + entries[len(entries)-1].ID
	}
}
