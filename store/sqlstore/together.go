package sqlstore

import (
	"context"
	"slices"
	"sync"
	"time"

	"usher/store"
)

const (
	// togetherPause is the least time from one shared statement to the next. Who comes after a longer one goes at once.
	togetherPause = 2 * time.Millisecond

	// togetherTimeout bounds a shared statement, which has no caller's context.
	togetherTimeout = 2 * time.Second
)

// together lets callers share statements: system calls, transactions and switches between processes are most of what a
// small statement costs, here and in the database. One is under way at a time, and the next begins after a pause; those
// who come meanwhile go together.
//
// A shared statement only ever says yes: who gets no answer from it asks again alone. So nobody has a part in another's
// error, and what is asked must do no harm when it is asked twice. It is safe for concurrent use; make it with
// [newTogether].
type together[Q, A any] struct {
	ask  func(ctx context.Context, questions []Q, yes func(n int, answer A)) error
	lane chan struct{} // holds a token while somebody is at work
	last time.Time     // when the last statement began; belongs to who has the lane

	mu      sync.Mutex
	waiting []*part[Q, A]
}

// part is what one caller has in a statement.
type part[Q, A any] struct {
	question Q
	answer   *A            // nil is none
	done     chan struct{} // closed when the statement has ended
}

// newTogether shares what ask executes. It calls yes with the number of each question that it has an answer to.
func newTogether[Q, A any](ask func(ctx context.Context, questions []Q, yes func(n int, answer A)) error) *together[Q, A] {
	return &together[Q, A]{ask: ask, lane: make(chan struct{}, 1)}
}

// do returns the answer, or nil: then the caller asks alone. A context that ends takes a waiting question along. One that
// has gone is waited for.
func (t *together[Q, A]) do(ctx context.Context, question Q) *A {
	if store.TimeLeft(ctx) != nil { // asked alone it finds the same
		return nil
	}
	own := &part[Q, A]{question: question, done: make(chan struct{})}
	t.mu.Lock()
	t.waiting = append(t.waiting, own)
	t.mu.Unlock()
	select {
	case <-own.done:
	case t.lane <- struct{}{}:
		t.lead(ctx, own)
	case <-ctx.Done():
		if !t.giveUp(own) { // it has gone in this moment
			<-own.done
		}
	}
	return own.answer
}

// giveUp takes a part off the queue and reports whether it was still there.
func (t *together[Q, A]) giveUp(own *part[Q, A]) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	i := slices.Index(t.waiting, own)
	if i < 0 {
		return false
	}
	t.waiting = slices.Delete(t.waiting, i, i+1)
	return true
}

// lead asks for everybody who waits, and leaves the lane. Others lead when the statement before has taken its own part
// along.
func (t *together[Q, A]) lead(ctx context.Context, own *part[Q, A]) {
	defer func() { <-t.lane }()
	select {
	case <-own.done:
		return
	default:
	}
	if rest := togetherPause - time.Since(t.last); rest > 0 {
		select {
		case <-time.After(rest):
		case <-ctx.Done(): // whose end is no reason to keep the others waiting
		}
	}
	t.mu.Lock()
	parts := t.waiting
	t.waiting = nil
	t.mu.Unlock()
	t.last = time.Now()
	defer func() {
		for _, p := range parts {
			close(p.done)
		}
	}()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), togetherTimeout)
	defer cancel()
	questions := make([]Q, len(parts))
	for i, p := range parts {
		questions[i] = p.question
	}
	answers := make([]*A, len(parts))
	err := t.ask(ctx, questions, func(n int, answer A) { answers[n] = &answer })
	if err != nil { // each of them asks alone, and hears of it
		return
	}
	for i, p := range parts {
		p.answer = answers[i]
	}
}
