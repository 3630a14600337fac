package sqlstore

import (
	"context"
	"slices"
	"sync"
	"time"

	"usher/store"
)

const (
	// batchPause is the least time between the beginnings of two shared statements. A caller that arrives later is served
	// at once.
	batchPause = 2 * time.Millisecond

	// batchTimeout bounds a shared statement, which has no caller's context.
	batchTimeout = 2 * time.Second
)

// batcher lets callers share statements: system calls, transactions and switches between processes are most of what a small
// statement costs, here and in the database. One statement is under way at a time, and the next begins after a pause; calls
// that arrive meanwhile share it.
//
// A shared statement only replies to calls that succeed. A caller without a reply executes its call alone, so that it gets its
// own error and never that of another. Therefore a call must do no harm when it is executed twice. It is safe for concurrent
// use; make it with [newBatcher].
//
// The batcher of package redisconn is built differently: commands of Redis have replies of their own, several batches are under
// way at a time, and a command must not wait when a lane is free.
type batcher[Q, A any] struct {
	execute func(ctx context.Context, questions []Q, reply func(n int, answer A)) error
	lane    chan struct{} // contains a token while a caller executes a statement
	last    time.Time     // when the last statement began; protected by the lane

	mu      sync.Mutex
	waiting []*call[Q, A]
}

// call is one caller's part of a statement.
type call[Q, A any] struct {
	question Q
	answer   *A            // nil: no reply
	done     chan struct{} // closed when the statement has ended
}

// newBatcher returns a batcher of what execute does. It calls reply with the number of each question that it can answer.
func newBatcher[Q, A any](execute func(ctx context.Context, questions []Q, reply func(n int, answer A)) error) *batcher[Q, A] {
	return &batcher[Q, A]{execute: execute, lane: make(chan struct{}, 1)}
}

// do returns the answer, or nil: then the caller must execute its call alone. A context that ends removes a waiting call, but
// not one that is being executed.
func (b *batcher[Q, A]) do(ctx context.Context, question Q) *A {
	if store.TimeLeft(ctx) != nil { // executed alone it gets the same error
		return nil
	}
	own := &call[Q, A]{question: question, done: make(chan struct{})}
	b.mu.Lock()
	b.waiting = append(b.waiting, own)
	b.mu.Unlock()
	select {
	case <-own.done:
	case b.lane <- struct{}{}:
		b.lead(ctx, own)
	case <-ctx.Done():
		if !b.giveUp(own) { // it was taken into a statement at this moment
			<-own.done
		}
	}
	return own.answer
}

// giveUp removes a call from the queue and reports whether it was still there.
func (b *batcher[Q, A]) giveUp(own *call[Q, A]) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	i := slices.Index(b.waiting, own)
	if i < 0 {
		return false
	}
	b.waiting = slices.Delete(b.waiting, i, i+1)
	return true
}

// lead executes all waiting calls and releases the lane. It does nothing when the previous statement has executed its own
// caller's call.
func (b *batcher[Q, A]) lead(ctx context.Context, own *call[Q, A]) {
	defer func() { <-b.lane }()
	select {
	case <-own.done:
		return
	default:
	}
	if rest := batchPause - time.Since(b.last); rest > 0 {
		select {
		case <-time.After(rest):
		case <-ctx.Done(): // the others must not wait because this caller has left
		}
	}
	b.mu.Lock()
	calls := b.waiting
	b.waiting = nil
	b.mu.Unlock()
	b.last = time.Now()
	defer func() {
		for _, c := range calls {
			close(c.done)
		}
	}()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), batchTimeout)
	defer cancel()
	questions := make([]Q, len(calls))
	for i, c := range calls {
		questions[i] = c.question
	}
	answers := make([]*A, len(calls))
	err := b.execute(ctx, questions, func(n int, answer A) { answers[n] = &answer })
	if err != nil { // each caller executes its call alone and gets its own error
		return
	}
	for i, c := range calls {
		c.answer = answers[i]
	}
}
