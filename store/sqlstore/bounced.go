package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"usher/accounts"
	"usher/contact"
	"usher/store"
)

// BouncedAt implements accounts.Store.
func (a *Accounts) BouncedAt(ctx context.Context, email contact.Email) (time.Time, error) {
	var when Stamp
	err := a.db.get(ctx, &when, "select bounced_at from bounced_emails where email_key = ?", a.keys.Index(indexEmail, email.Reveal()))
	if errors.Is(err, sql.ErrNoRows) {
		err = nil
	}
	return when.Time, store.Wrap("find bounced address", err)
}

// MarkBounced records that there is no mailbox of this address, as a mail server has just said. Only a keyed hash is stored.
func (m *Mails) MarkBounced(ctx context.Context, email contact.Email) error {
	_, err := m.db.exec(ctx, `
		insert into bounced_emails (email_key, bounced_at) values (?, ?)
		on conflict (email_key) do update set bounced_at = excluded.bounced_at`,
		m.accounts.keys.Index(indexEmail, email.Reveal()), at(m.now()))
	return store.Wrap("mark bounced address", err)
}

// bounced reports whether a claimed mail must not be sent because its address has bounced.
func (m *Mails) bounced(ctx context.Context, mail accounts.ClaimedMail) (bool, error) {
	var typedAt time.Time
	if mail.Mail.Facts.Typed {
		typedAt = mail.Mail.CreatedAt
	}
	return m.HasBounced(ctx, mail.Recipient(), typedAt)
}

// HasBounced implements the BounceStore of package tasks. An address that was typed after it was marked loses its mark: the
// mailbox may exist now.
func (m *Mails) HasBounced(ctx context.Context, to contact.Email, typedAt time.Time) (bool, error) {
	when, err := m.accounts.BouncedAt(ctx, to)
	if err != nil || !accounts.Bounced(when, m.now()) {
		return false, err
	}
	if !typedAt.After(when) {
		return true, nil
	}
	_, err = m.db.exec(ctx, "delete from bounced_emails where email_key = ? and bounced_at < ?",
		m.accounts.keys.Index(indexEmail, to.Reveal()), at(typedAt))
	return false, store.Wrap("unmark bounced address", err)
}

// PruneBounced deletes the marks that are over and returns their number.
func (m *Mails) PruneBounced(ctx context.Context) (int, error) {
	deleted, err := m.db.prune(ctx, pruning{"bounced_emails", "bounced_at", "true"}, m.now().Add(-accounts.BounceKept))
	return deleted, store.Wrap("prune bounced addresses", err)
}
