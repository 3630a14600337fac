package sqlstore

import (
	"context"
	"fmt"

	"github.com/jmoiron/sqlx"
)

// Unclaimed returns those of the mails that a worker could claim now. It asks only: whether a mail is still worth
// sending is decided by the claim.
func (m *Mails) Unclaimed(ctx context.Context, ids []string) ([]string, error) {
	query, args, err := sqlx.In("select id from messages where id in (?) and "+free, ids, at(m.now()))
	if err != nil {
		return nil, fmt.Errorf("look for waiting mails: %w", err)
	}
	var waiting []string
	if err := m.db.slowly().listOnce(ctx, &waiting, query, args...); err != nil {
		return nil, fmt.Errorf("look for waiting mails: %w", err)
	}
	return waiting, nil
}
