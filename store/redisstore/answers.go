package redisstore

import (
	"context"
	"fmt"

	"usher/secrets"
	"usher/store"
)

// Answers keeps the answers to requests with an idempotency key, so that a request that is sent again gets the same answer
// without being executed again. Answers are sealed. Of a body only a keyed hash is kept: a body contains a password or six
// digits, which a plain hash would reveal. It is safe for concurrent use.
type Answers struct{ store *Store }

// Begin takes the key for a run of the request and returns the run's name. The run ends with [Answers.Keep],
// [Answers.Drop] or after half a minute. When another run has the key, run is empty: same tells whether the body was the
// same, and answer is the kept one, empty while that run lasts.
func (a *Answers) Begin(ctx context.Context, key, body string) (run, answer string, same bool, err error) {
	hash, now := a.hash(key), a.store.now()
	run = secrets.Random(16)
	r, err := read(answerBeginScript.Run(ctx, a.store.client, []string{a.store.space.answerKey(hash)},
		a.store.keys.Index("answer body", hash+body), run, now.UnixMilli(), now.Add(runLease).UnixMilli()))
	if err != nil {
		return "", "", false, fmt.Errorf("begin request: %w", err)
	}
	switch r.text(0) {
	case "begun":
		return run, "", true, nil
	case "kept":
		if answer, err = a.store.keys.Open(r.text(1), sealContext(hash)); err != nil {
			return "", "", false, fmt.Errorf("open kept answer: %w", err)
		}
	}
	return "", answer, r.text(0) != "other", nil
}

// Keep ends a run with an answer, which must not be empty, and keeps it for a day. After a run whose lease is over the
// answer is not kept, which is no error.
func (a *Answers) Keep(ctx context.Context, key, run, answer string) error {
	hash := a.hash(key)
	return a.end(ctx, hash, run, a.store.keys.Seal(answer, sealContext(hash)))
}

// Drop ends a run and releases its key: the next request with it is executed.
func (a *Answers) Drop(ctx context.Context, key, run string) error {
	return a.end(ctx, a.hash(key), run, "")
}

// end stores the sealed answer, or releases the key when the answer is empty.
func (a *Answers) end(ctx context.Context, hash, run, sealed string) error {
	return store.Wrap("end request", answerEndScript.Run(ctx, a.store.client, []string{a.store.space.answerKey(hash)},
		run, sealed, a.store.now().Add(answerLife).UnixMilli(), answerLife.Milliseconds()).Err())
}

// hash keeps the keys of clients out of Redis: a client may put anything into them.
func (a *Answers) hash(key string) string { return a.store.keys.Index("answer", key) }

// sealContext binds an answer to its key: moved to another one it does not open.
func sealContext(hash string) string { return "answer " + hash }
