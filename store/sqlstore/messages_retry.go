package sqlstore

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"

	"usher/messages"
)

// Retry says how a mail is requeued.
type Retry struct {
	Force  bool // also requeue a mail that was sent, which is then delivered twice
	DryRun bool // change nothing
	Stuck  bool // also requeue a mail that is queued: the caller knows that it has no task
}

// retryRow is a mail with the part of its account that decides whether the mail is useful.
type retryRow struct {
	mailRow
	standing
}

// refusal returns the reason why the mail is not requeued, or "".
func (r retryRow) refusal(how Retry, now Stamp) string {
	if reason := r.obsolete(r.standing, now); reason != "" {
		return reason
	}
	switch r.State {
	case messages.Queued:
		if !how.Stuck {
			return string(r.State)
		}
	case messages.Sending:
		return string(r.State)
	case messages.Sent, messages.Delivered:
		if !how.Force {
			return string(r.State)
		}
	default:
	}
	return ""
}

// Retry requeues a mail that has ended although it is still useful: a relay enqueues it on its next sweep. It returns "", or the
// reason for refusing: missing; used, superseded, unproved or expired when the mail is not useful any more; the mail's state
// when it is queued or was sent; busy when it was changed at the same moment.
//
// The task gets a new id, because the old one may be in Asynq's archive.
func (m *Messages) Retry(ctx context.Context, id string, how Retry) (reason string, err error) {
	now := at(m.now())
	row, err := m.retryable(ctx, id)
	if errors.Is(err, sql.ErrNoRows) {
		return "missing", nil
	}
	if err != nil {
		return "", fmt.Errorf("read mail: %w", err)
	}
	if reason := row.refusal(how, now); reason != "" || how.DryRun {
		return reason, nil
	}
	// Counted as enqueued when it was filed, so that it is due at once.
	changed, err := m.db.exec(ctx, `
		update messages
		set state = 'queued', reason = '', lease_until = null, enqueues = enqueues + 1, enqueued_at = ?, updated_at = ?
		where id = ? and channel = 'email' and state = ? and attempt = ? and enqueues = ? and not_after > ? and `+wanted,
		row.CreatedAt, now, id, row.State, row.Attempt, row.Enqueues, now)
	if err != nil {
		return "", fmt.Errorf("requeue mail: %w", err)
	}
	if changed == 0 { // another process was faster: the state that it has set is the reason
		if row, err = m.retryable(ctx, id); err != nil {
			return "", fmt.Errorf("read mail: %w", err)
		}
		return cmp.Or(row.refusal(how, now), "busy"), nil
	}
	return "", nil
}

// retryable reads a mail together with the part of its account that decides whether the mail is useful.
func (m *Messages) retryable(ctx context.Context, id string) (retryRow, error) {
	var row retryRow
	err := m.db.get(ctx, &row, `
		select messages.id, messages.purpose, to_sealed, state, attempt, enqueues, generation, not_after,
			messages.created_at, email_active as proved, pending_email_key is not null as pending, activation_generation
		from messages join accounts on accounts.id = messages.account_id
		where messages.id = ? and channel = 'email'`, id)
	return row, err
}
