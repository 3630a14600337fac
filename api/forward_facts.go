package api

import (
	"errors"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"usher/accounts"
)

// maxFacts bounds the sessions whose facts are in memory. Each needs about a kilobyte.
const maxFacts = 10_000

// factsCache keeps the facts about sessions for [factsTTL]. Its key is what the client has shown and all that the store has of a
// session, so a session that was changed is another one here. It is safe for concurrent use.
type factsCache struct {
	group singleflight.Group

	mu      sync.RWMutex
	entries map[string]factsEntry
}

type factsEntry struct {
	facts signedInFacts
	err   error
	until time.Time
}

func newFactsCache() *factsCache { return &factsCache{entries: map[string]factsEntry{}} }

// get returns the facts of a session, or the refusal. What is not in memory, or too old, it reads once for all that ask at the same
// time; read gets the old facts.
func (f *factsCache) get(key string, now time.Time, read func(old signedInFacts) (signedInFacts, error)) (signedInFacts, error) {
	f.mu.RLock()
	entry, found := f.entries[key]
	f.mu.RUnlock()
	if found && now.Before(entry.until) {
		return entry.facts, entry.err
	}
	result, err, _ := f.group.Do(key, func() (any, error) {
		facts, err := read(entry.facts)
		if err == nil || errors.Is(err, errNotSignedIn) || errors.Is(err, accounts.ErrBlocked) {
			f.put(key, factsEntry{facts, err, now.Add(factsTTL)}, now)
		}
		return facts, err
	})
	facts, _ := result.(signedInFacts)
	return facts, err
}

// put stores an entry. When there are too many it drops those that are over, or else all: to choose would cost more than to
// read them again.
func (f *factsCache) put(key string, entry factsEntry, now time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.entries) >= maxFacts {
		for k, e := range f.entries {
			if !now.Before(e.until) {
				delete(f.entries, k)
			}
		}
		if len(f.entries) >= maxFacts {
			clear(f.entries)
		}
	}
	f.entries[key] = entry
}
