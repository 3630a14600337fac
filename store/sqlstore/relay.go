package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"

	"usher/accounts"
	"usher/store"
)

// Due returns the mails that the caller must enqueue again, and notes them as enqueued: those whose worker's lease is over, and
// those that have waited since they were last enqueued. The wait grows with the mail's age at its last enqueueing: it is as
// long as that age, but no less than soonest and no more than latest. Parallel callers get different mails.
//
// Enqueues is part of the task's id. It increases when a worker died while it had the mail, because that worker's task may keep
// the old id for minutes. A mail that only waits keeps its id, so that enqueueing it again has no effect while its task exists.
func (m *Mails) Due(ctx context.Context, soonest, latest time.Duration, limit int) ([]accounts.DueMail, error) {
	now := at(m.now())
	before := at(now.Add(-soonest))
	enqueued, created := m.db.dialect.micros("enqueued_at"), m.db.dialect.micros("created_at")
	// "materialized" makes the planner compute the list once. Computed for each row it would lock more rows than the limit.
	query := `
		with due as materialized (
			select id from messages
			where ` + ofMail + ` and not_after > ? and (
				state = 'queued' and enqueued_at <= ? and (
					enqueued_at <= ? or 2 * ` + enqueued + ` - ` + created + ` <= ?)
				or state = 'sending' and lease_until <= ?
					and (enqueued_at < lease_until or enqueued_at <= ?))
			order by created_at
			limit ? ` + m.db.dialect.skipLocked() + `)
		update messages
		set enqueues = enqueues + case when state = 'sending' and enqueued_at < lease_until then 1 else 0 end,
			enqueued_at = ?, updated_at = ?
		where id in (select id from due)
		returning ` + mailColumns
	var rows []mailRow
	err := m.db.slowly().listOnce(ctx, &rows, query, now, before,
		at(now.Add(-latest)), now.micros(), now, before, limit, now, now)
	if err != nil {
		return nil, fmt.Errorf("find due mails: %w", err)
	}
	due := make([]accounts.DueMail, 0, len(rows))
	for _, row := range rows {
		due = append(due, accounts.DueMail{Mail: row.mail(), Enqueues: row.Enqueues})
	}
	return due, nil
}

// Expire closes up to limit mails that are not being sent and whose use has ended, and returns their number.
func (m *Mails) Expire(ctx context.Context, limit int) (int, error) {
	now := at(m.now())
	closed, err := m.db.expire(ctx, now, limit, ofMail+" and not_after <= ? and "+free, now, now)
	return closed, store.Wrap("expire mails", err)
}

// Backlog returns the number of mails that are still to be sent or being sent, and the time when the oldest of them was stored;
// the zero time when there are none.
func (m *Mails) Backlog(ctx context.Context) (count int, oldest time.Time, err error) {
	var row struct {
		Count     int   `db:"open"`
		CreatedAt Stamp `db:"created_at"`
	}
	err = m.db.get(ctx, &row, `
		select count(*) over () as open, created_at from messages
		where `+ofMail+` and (state = 'queued' or state = 'sending')
		order by created_at
		limit 1`)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return 0, time.Time{}, fmt.Errorf("count the backlog: %w", err)
	}
	return row.Count, row.CreatedAt.Time, nil
}

// Unclaimed returns those of the mails that a worker could claim now. Whether a mail is still worth sending is decided by its
// claim.
func (m *Mails) Unclaimed(ctx context.Context, ids []string) ([]string, error) {
	query, args, err := sqlx.In("select id from messages where id in (?) and "+free, ids, at(m.now()))
	if err != nil {
		return nil, fmt.Errorf("find unclaimed mails: %w", err)
	}
	var unclaimed []string
	err = m.db.slowly().listOnce(ctx, &unclaimed, query, args...)
	return unclaimed, store.Wrap("find unclaimed mails", err)
}
