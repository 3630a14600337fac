package redisstore

import (
	"context"
	"fmt"
	"time"

	"usher/secrets"
)

// How long a record counts.
const (
	runLease   = 30 * time.Second // longer than any request may take; a run that died blocks its key that long
	answerLife = 24 * time.Hour
)

// Answers keeps the answers to requests that name themselves by a key of the client's, so that a request
// sent again is answered and not done again. Answers are sealed, and of a body there is only a keyed hash: it
// holds a password or six digits, which a plain hash would give away. It is safe for concurrent use.
type Answers struct{ store *Store }

// Begin takes the key for a run, which it names, until Keep, Drop or half a minute later. When the key is
// taken, run is empty: same tells whether for the same body, and answer is what was kept, empty while the
// run that has the key lasts.
func (a *Answers) Begin(ctx context.Context, key, body string) (run, answer string, same bool, err error) {
	hash, now := a.hash(key), a.store.now()
	run = secrets.Random(16)
	r, err := read(answerBeginScript.Run(ctx, a.store.client, []string{a.store.space.answerKey(hash)},
		a.store.keys.Index("answer body", hash+body), run, now.UnixMilli(), now.Add(runLease).UnixMilli()), 1)
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

// Keep ends a run with an answer, which must not be empty, for a day. It is no error when the run has
// lasted for too long; the answer is not kept then.
func (a *Answers) Keep(ctx context.Context, key, run, answer string) error {
	hash := a.hash(key)
	sealed, err := a.store.keys.Seal(answer, sealContext(hash))
	if err != nil {
		return fmt.Errorf("seal answer: %w", err)
	}
	return a.end(ctx, hash, run, sealed)
}

// Drop ends a run and gives its key up: the next request with it is done anew.
func (a *Answers) Drop(ctx context.Context, key, run string) error {
	return a.end(ctx, a.hash(key), run, "")
}

func (a *Answers) end(ctx context.Context, hash, run, sealed string) error {
	err := answerEndScript.Run(ctx, a.store.client, []string{a.store.space.answerKey(hash)},
		run, sealed, a.store.now().Add(answerLife).UnixMilli(), answerLife.Milliseconds()).Err()
	if err != nil {
		return fmt.Errorf("end request: %w", err)
	}
	return nil
}

func (a *Answers) hash(key string) string { return a.store.keys.Index("answer", key) }

// sealContext ties an answer to its record.
func sealContext(hash string) string { return "answer " + hash }
