package sandbox

import (
	"hash/maphash"
	"sync"
	"time"
)

// maxSeen bounds one generation of remembered keys.
const maxSeen = 500_000

// A seen remembers keys for at least a span, in two generations: the older is dropped as a whole, so
// that a flood costs neither a sweep nor memory without end. Keys are kept as hashes.
type seen struct {
	span time.Duration
	seed maphash.Seed

	mu       sync.Mutex
	young    map[uint64]struct{}
	old      map[uint64]struct{}
	turnedAt time.Time
}

func newSeen(span time.Duration) *seen {
	return &seen{span: span, seed: maphash.MakeSeed(), young: map[uint64]struct{}{}}
}

// add remembers key and reports whether it was new.
func (s *seen) add(key string, now time.Time) bool {
	hash := maphash.String(s.seed, key)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.knows(hash) {
		return false
	}
	if len(s.young) >= maxSeen || now.Sub(s.turnedAt) >= s.span {
		s.old, s.young, s.turnedAt = s.young, map[uint64]struct{}{}, now
	}
	s.young[hash] = struct{}{}
	return true
}

// has reports whether key is remembered.
func (s *seen) has(key string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.knows(maphash.String(s.seed, key))
}

func (s *seen) knows(hash uint64) bool {
	if _, ok := s.young[hash]; ok {
		return true
	}
	_, ok := s.old[hash]
	return ok
}
