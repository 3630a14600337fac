package accounts

import (
	"context"
	"slices"
	"sync"
	"time"
)

// hashWait is how long a request waits for its turn to hash. Clients come back later than that with
// less harm than they queue up in memory.
const hashWait = time.Second

// laterShare bounds what the higher priority gets: while requests of both wait, one of so many turns is for the lower.
const laterShare = 4

// Priority orders requests that wait for their turn to hash.
type Priority int

// The priorities.
const (
	// First is for people who have proved something: by a session, by a code, or because the account was signed in
	// from their network before.
	First Priority = iota
	// Later is for everybody else. However many of them come, the others wait no longer than for a turn.
	Later

	priorities
)

// hashQueue hands places out to those who wait: first in, first out within a priority. It is safe for concurrent use.
type hashQueue struct {
	mu      sync.Mutex
	free    []*hashPlace
	waiting [priorities][]chan *hashPlace
	turns   int // handed from one to the next since Later had one
}

// acquire returns a place, or ErrPasswordBusy when there was none in time, or the context's error.
func (q *hashQueue) acquire(ctx context.Context, priority Priority) (*hashPlace, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	q.mu.Lock()
	if last := len(q.free) - 1; last >= 0 { // the one used last, so that the others may end
		place := q.free[last]
		q.free = q.free[:last]
		q.mu.Unlock()
		return place, nil
	}
	turn := make(chan *hashPlace, 1)
	q.waiting[priority] = append(q.waiting[priority], turn)
	q.mu.Unlock()

	timer := time.NewTimer(hashWait)
	defer timer.Stop()
	select {
	case place := <-turn:
		return place, nil
	case <-timer.C:
		return q.giveUp(priority, turn, ErrPasswordBusy)
	case <-ctx.Done():
		return q.giveUp(priority, turn, ctx.Err())
	}
}

// giveUp returns the error, or the place that was handed out at this moment.
func (q *hashQueue) giveUp(priority Priority, turn chan *hashPlace, err error) (*hashPlace, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	i := slices.Index(q.waiting[priority], turn)
	if i < 0 {
		return <-turn, nil
	}
	q.waiting[priority] = slices.Delete(q.waiting[priority], i, i+1)
	return nil, err
}

// release hands a place to the next request, or keeps it until one comes.
func (q *hashQueue) release(place *hashPlace) {
	q.mu.Lock()
	defer q.mu.Unlock()
	next := First
	if len(q.waiting[First]) == 0 || len(q.waiting[Later]) > 0 && q.turns+1 >= laterShare {
		next = Later
	}
	if len(q.waiting[next]) == 0 {
		q.free = append(q.free, place)
		return
	}
	q.turns++
	if next == Later {
		q.turns = 0
	}
	turn := q.waiting[next][0]
	q.waiting[next] = slices.Delete(q.waiting[next], 0, 1)
	turn <- place
}
