package sqlstore

import (
	"context"
	"fmt"

	"github.com/jmoiron/sqlx"
)

// Waiting returns those of the mails that a worker could claim now, each with the number of its last claim.
// It asks only: whether a mail is still worth sending is decided by the claim.
func (m *Mails) Waiting(ctx context.Context, ids []string) (map[string]int, error) {
	query, args, err := sqlx.In(`
		select id, attempt from messages
		where id in (?) and (state = 'queued' or state = 'sending' and lease_until <= ?)`,
		ids, at(m.now()))
	if err != nil {
		return nil, fmt.Errorf("look for waiting mails: %w", err)
	}
	var rows []struct {
		ID      string `db:"id"`
		Attempt int    `db:"attempt"`
	}
	if err := m.db.sqlx.SelectContext(ctx, &rows, m.db.sqlx.Rebind(query), args...); err != nil {
		return nil, fmt.Errorf("look for waiting mails: %w", err)
	}
	waiting := make(map[string]int, len(rows))
	for _, row := range rows {
		waiting[row.ID] = row.Attempt
	}
	return waiting, nil
}
