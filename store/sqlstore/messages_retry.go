package sqlstore

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"

	"usher/messages"
)

// Retry is how a mail is put back.
type Retry struct {
	Force  bool // also one that was sent, which people then get twice
	DryRun bool // ask only
	Stuck  bool // also one that waits: the caller knows that no task of it is about to run
}

// retryRow is a mail with what its account says of it.
type retryRow struct {
	mailRow
	standing
}

// refusal says why the mail is not put back, or "".
func (r retryRow) refusal(how Retry, now stamp) string {
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

// Retry puts a mail back that has ended although somebody still needs it: a relay enqueues it on its next
// sweep. It returns "", or why it did not: missing; used, superseded, unproved or expired when nobody needs it; the mail's state when it waits for its turn or was sent; busy when somebody else changed it at the
// same moment.
//
// The task gets a new id, for the old one may lie in Asynq's archive.
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
		return "", fmt.Errorf("put mail back: %w", err)
	}
	if changed == 0 { // somebody was faster: what they made of it is the reason
		if row, err = m.retryable(ctx, id); err != nil {
			return "", fmt.Errorf("read mail: %w", err)
		}
		return cmp.Or(row.refusal(how, now), "busy"), nil
	}
	return "", nil
}

func (m *Messages) retryable(ctx context.Context, id string) (retryRow, error) {
	var row retryRow
	err := m.db.get(ctx, &row, `
		select messages.id, messages.purpose, to_sealed, state, attempt, enqueues, generation, not_after,
			messages.created_at, email_active as proved, pending_email_key is not null as pending, activation_generation
		from messages join accounts on accounts.id = messages.account_id
		where messages.id = ? and channel = 'email'`, id)
	return row, err
}
