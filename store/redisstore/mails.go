package redisstore

import (
	"context"
	_ "embed" // for the script
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"usher/secrets"
)

//go:embed scripts/mail_note.lua
var mailNote string

var mailNoteScript = redis.NewScript(mailNote)

// leastNote is how long a note stays at least: a database may be restored later than a mail's end by some clocks.
const leastNote = time.Hour

// Mails notes attempts at mails, which live in the database. After the database was restored from an older dump the
// notes tell which of its mails were sent since. It is safe for concurrent use and needs no keys.
type Mails struct{ store *Store }

// Mails returns the notes kept in the store.
func (s *Store) Mails() *Mails { return &Mails{s} }

// Note files that the attempt is about to be made, until the mail's end, and reports false when it must not be: one of
// that number or a later one was noted before. Attempts are counted in the database and grow there, so it is older
// than the note.
func (m *Mails) Note(ctx context.Context, id string, attempt int, until time.Time) (bool, error) {
	stays := max(until.Sub(m.store.now()), 0) + leastNote
	noted, err := mailNoteScript.Run(ctx, m.store.client, []string{m.store.space.mailKey(id)}, attempt, secrets.Random(8), stays.Milliseconds()).Int()
	if err != nil {
		return false, fmt.Errorf("note mail: %w", err)
	}
	return noted == 1, nil
}

// Forget takes the note of a mail back: it may be sent again although it may have been sent before.
func (m *Mails) Forget(ctx context.Context, id string) error {
	if err := m.store.client.Del(ctx, m.store.space.mailKey(id)).Err(); err != nil {
		return fmt.Errorf("forget mail: %w", err)
	}
	return nil
}
