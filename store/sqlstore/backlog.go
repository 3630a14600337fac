package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// Backlog returns how many mails are still to be sent, those that a worker is sending among them, and when the
// oldest of them was written; the zero time when there are none.
func (m *Mails) Backlog(ctx context.Context) (count int, oldest time.Time, err error) {
	var row struct {
		Count     int   `db:"open"`
		CreatedAt stamp `db:"created_at"`
	}
	err = m.db.get(ctx, &row, `
		select count(*) over () as open, created_at from messages
		where channel = 'email' and (state = 'queued' or state = 'sending')
		order by created_at
		limit 1`)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return 0, time.Time{}, fmt.Errorf("look at the backlog: %w", err)
	}
	return row.Count, row.CreatedAt.Time, nil
}
