package sqlstore

import (
	"context"
	"strings"
	"time"

	"github.com/jmoiron/sqlx"

	"usher/accounts"
	"usher/audit"
	"usher/store"
)

const insertSpent = "insert into spent (id, until) values (?, ?) on conflict (id) do nothing"

// spentSession and spentCode are the ids of rows in the table spent. The prefixes keep sessions and codes apart.
func spentSession(session string) string { return "session/" + session }

func spentCode(id string) string { return "code/" + id }

// FindSignedIn implements accounts.Store. It is one statement, so that the test for an ended session costs no round trip.
func (a *Accounts) FindSignedIn(ctx context.Context, id, session string) (accounts.Account, error) {
	var row accountRow
	err := a.db.get(ctx, &row, "select "+accountColumns+` from accounts
		where id = ? and not exists (select 1 from spent where spent.id = ?)`, id, spentSession(session))
	return a.found("find account of session", row, err)
}

// EndSessions implements accounts.Store. It stores the end of all sessions or of none.
func (a *Accounts) EndSessions(ctx context.Context, until time.Time, sessions ...string) error {
	if len(sessions) == 0 {
		return nil
	}
	account, _, _ := strings.Cut(sessions[0], "/") // all are sessions of one account
	err := a.db.inTx(ctx, func(tx *sqlx.Tx) error {
		for _, session := range sessions {
			if err := execTx(ctx, tx, insertSpent, spentSession(session), at(until)); err != nil {
				return err
			}
		}
		return record(ctx, tx, at(time.Now()), noted(audit.SessionsEnded), account)
	})
	return store.Wrap("store ends of sessions", err)
}

// Spent keeps the uses of codes for package verify, and deletes expired uses of codes and ends of sessions. It is safe for
// concurrent use; make it with [NewSpent].
type Spent struct {
	db  *DB
	now func() time.Time
}

// NewSpent returns the uses of codes in db.
func NewSpent(db *DB, now func() time.Time) *Spent { return &Spent{db, now} }

// Use stores the use of a code. Of parallel calls one returns true.
func (s *Spent) Use(ctx context.Context, id string, until time.Time) (first bool, err error) {
	rows, err := s.db.exec(ctx, insertSpent, spentCode(id), at(until))
	return rows == 1, store.Wrap("store use of code", err)
}

// Forget takes the use of a code back. It is no error when there was none.
func (s *Spent) Forget(ctx context.Context, id string) error {
	_, err := s.db.exec(ctx, "delete from spent where id = ?", spentCode(id))
	return store.Wrap("take back use of code", err)
}

// Prune deletes the expired rows and returns their number.
func (s *Spent) Prune(ctx context.Context) (int, error) {
	deleted, err := s.db.prune(ctx, pruning{"spent", "until", "true"}, s.now())
	return deleted, store.Wrap("prune spent", err)
}
