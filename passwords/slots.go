package passwords

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"
)

// ErrBusy means that too many passwords are being hashed: no slot became free within a second.
var ErrBusy = errors.New("too many passwords are being hashed")

// slotWait is how long a request waits for a slot. A client that retries later does less harm than a queue of requests
// in memory.
const slotWait = time.Second

// laterShare bounds what the higher priority gets: while requests of both wait, every fourth slot goes to the lower.
const laterShare = 4

// Priority orders requests that wait for a slot.
type Priority int

// The priorities.
const (
	// First is for people who have proved something: a session, a code, or an earlier sign-in from their network.
	First Priority = iota
	// Later is for everyone else. Any number of them delays the others by one hash at most.
	Later

	priorities
)

// slots is a semaphore whose slots are the workers: first in, first out within a priority. It is safe for concurrent use.
type slots struct {
	mu      sync.Mutex
	free    []*worker
	waiting [priorities][]chan *worker
	passed  int // slots handed to waiting requests since Later had one
}

// acquire returns a worker. It returns ErrBusy when none became free in time, or the context's error.
func (s *slots) acquire(ctx context.Context, priority Priority) (*worker, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	if last := len(s.free) - 1; last >= 0 { // the one used last, so that the processes of the others may end
		w := s.free[last]
		s.free = s.free[:last]
		s.mu.Unlock()
		return w, nil
	}
	handed := make(chan *worker, 1)
	s.waiting[priority] = append(s.waiting[priority], handed)
	s.mu.Unlock()

	timer := time.NewTimer(slotWait)
	defer timer.Stop()
	select {
	case w := <-handed:
		return w, nil
	case <-timer.C:
		return s.giveUp(priority, handed, ErrBusy)
	case <-ctx.Done():
		return s.giveUp(priority, handed, ctx.Err())
	}
}

// giveUp returns the error, or the worker when release has just handed one over.
func (s *slots) giveUp(priority Priority, handed chan *worker, err error) (*worker, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.Index(s.waiting[priority], handed)
	if i < 0 {
		return <-handed, nil
	}
	s.waiting[priority] = slices.Delete(s.waiting[priority], i, i+1)
	return nil, err
}

// release hands a worker to the next waiting request, or keeps it free.
func (s *slots) release(w *worker) {
	s.mu.Lock()
	defer s.mu.Unlock()
	next := First
	if len(s.waiting[First]) == 0 || len(s.waiting[Later]) > 0 && s.passed+1 >= laterShare {
		next = Later
	}
	if len(s.waiting[next]) == 0 {
		s.free = append(s.free, w)
		return
	}
	s.passed++
	if next == Later {
		s.passed = 0
	}
	handed := s.waiting[next][0]
	s.waiting[next] = slices.Delete(s.waiting[next], 0, 1)
	handed <- w
}
