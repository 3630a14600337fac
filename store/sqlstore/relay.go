package sqlstore

import (
	"context"
	"fmt"
	"time"

	"usher/accounts"
)

// Due returns the mails whose task the caller must look at now, and notes them as enqueued: those whose worker's lease
// is over, and those that have waited since they were last enqueued. How long a mail must have waited grows with its age
// then: as long as before, but no less than soonest and no more than latest. Parallel callers get different mails.
//
// Enqueues is part of the task's id. It grows when a worker died with the mail in its hands, whose task
// may hold the old id for minutes; a mail that only waits keeps its id, so that enqueueing it again is of
// no effect while its task is still there.
func (m *Mails) Due(ctx context.Context, soonest, latest time.Duration, limit int) ([]accounts.DueMail, error) {
	now := at(m.now())
	before := at(now.Add(-soonest))
	enqueued, created := m.db.dialect.micros("enqueued_at"), m.db.dialect.micros("created_at")
	// The list is made before anything is updated ("materialized"): a planner that ran it once per row
	// would lock more rows than the limit.
	query := `
		with due as materialized (
			select id from messages
			where channel = 'email' and not_after > ? and (
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

// Expire closes mails that nobody sends and whose link has ended, at most so many at once, and returns
// how many.
func (m *Mails) Expire(ctx context.Context, limit int) (int, error) {
	now := at(m.now())
	closed, err := m.db.slowly().exec(ctx, `
		with ended as materialized (
			select id from messages
			where channel = 'email' and not_after <= ? and `+free+`
			limit ? `+m.db.dialect.skipLocked()+`)
		update messages set state = 'dropped', reason = 'expired', lease_until = null, updated_at = ?
		where id in (select id from ended)`,
		now, now, limit, now)
	if err != nil {
		return 0, fmt.Errorf("expire mails: %w", err)
	}
	return closed, nil
}
