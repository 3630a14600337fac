package api

import (
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"

	"usher/accounts"
)

// maxFacts bounds the sessions whose facts are in memory. Each needs about a kilobyte.
const maxFacts = 10_000

// factsCache keeps the facts about sessions for [factsTTL]. Its key is what the client has shown and all that the store has of a
// session, so a session that was changed is another one here. It is safe for concurrent use.
type factsCache struct {
	logger *slog.Logger
	group  singleflight.Group

	mu      sync.RWMutex
	entries map[string]*factsEntry
}

// factsEntry is the facts of a session, or its refusal.
type factsEntry struct {
	facts     signedInFacts
	err       error
	readAt    time.Time
	refreshed atomic.Bool // one request has read it again, or tries to
}

func newFactsCache(logger *slog.Logger) *factsCache {
	return &factsCache{logger: logger, entries: map[string]*factsEntry{}}
}

// factsReader reads the facts of a session from the stores. It gets the old ones, which may be zero.
type factsReader func(old signedInFacts) (signedInFacts, error)

// get returns the facts of a session, or the refusal. What is not in memory, or too old, it reads once for all that ask at the same
// time. It calls read after it has returned too.
func (f *factsCache) get(key string, now time.Time, read factsReader) (signedInFacts, error) {
	f.mu.RLock()
	entry := f.entries[key]
	f.mu.RUnlock()
	var old signedInFacts
	if entry != nil {
		age := now.Sub(entry.readAt)
		if age < factsTTL {
			if age >= factsRefresh && entry.refreshed.CompareAndSwap(false, true) {
				go f.refresh(key, entry.facts, now, read)
			}
			return entry.facts, entry.err
		}
		old = entry.facts
	}
	return f.read(key, old, now, read)
}

// read reads the facts, or waits for another request that does.
func (f *factsCache) read(key string, old signedInFacts, now time.Time, read factsReader) (signedInFacts, error) {
	result, err, _ := f.group.Do(key, func() (any, error) {
		facts, err := read(old)
		if err == nil || errors.Is(err, errNotSignedIn) || errors.Is(err, accounts.ErrBlocked) {
			f.put(key, &factsEntry{facts: facts, err: err, readAt: now})
		}
		return facts, err
	})
	facts, _ := result.(signedInFacts)
	return facts, err
}

// refresh reads facts in the background. An error changes nothing: the next request after [factsTTL] meets it.
func (f *factsCache) refresh(key string, old signedInFacts, now time.Time, read factsReader) {
	defer func() {
		if recover() != nil { // its value may quote secrets
			f.logger.Error("reading the facts of a session panicked; the next request tries again")
		}
	}()
	_, _ = f.read(key, old, now, read)
}

// put stores an entry. When there are too many it drops those that are over, or else all: to choose would cost more than to
// read them again.
func (f *factsCache) put(key string, entry *factsEntry) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.entries) >= maxFacts {
		for k, e := range f.entries {
			if entry.readAt.Sub(e.readAt) >= factsTTL {
				delete(f.entries, k)
			}
		}
		if len(f.entries) >= maxFacts {
			clear(f.entries)
		}
	}
	f.entries[key] = entry
}
