package redisstore

import (
	"context"
	"time"

	"usher/secrets"
	"usher/store"
)

// Mails notes attempts to send mails; the mails themselves are in the database. After the database was restored from an
// older dump, the notes tell which of its mails were sent since. It is safe for concurrent use and needs no secret keys.
type Mails struct{ store *Store }

// Note notes until the mail's end that the attempt is about to be made. It reports false when the attempt must not be made,
// because one with the same or a higher number was noted before: the database counts attempts upwards, so it is older than
// the note.
func (m *Mails) Note(ctx context.Context, id string, attempt int, until time.Time) (bool, error) {
	stays := max(until.Sub(m.store.now()), 0) + leastNote
	noted, err := mailNoteScript.Run(ctx, m.store.client, []string{m.store.space.mailKey(id)}, attempt, secrets.Random(8), stays.Milliseconds()).Int()
	return noted == 1, store.Wrap("note mail", err)
}

// Forget removes the note of a mail: the mail may be sent again although it may have been sent before.
func (m *Mails) Forget(ctx context.Context, id string) error {
	return store.Wrap("forget mail", m.store.client.Del(ctx, m.store.space.mailKey(id)).Err())
}
