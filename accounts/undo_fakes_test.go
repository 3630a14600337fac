package accounts_test

import (
	"context"
	"slices"
	"time"

	"usher/accounts"
	"usher/contact"
)

// The world's memory of changes and of claims on numbers, as accounts.Store and accounts.Store describe it.

// file keeps a change with the account's contacts; the caller holds the lock.
func (w memory) file(change *accounts.Change) {
	if change == nil {
		return
	}
	kept, a := *change, w.people[change.AccountID]
	kept.Before = accounts.Contacts{
		Mobile: a.Mobile, MobileChangedAt: a.MobileChangedAt, Email: a.Email, EmailChangedAt: a.EmailChangedAt,
	}
	kept.Mails = nil
	w.changes = append(w.changes, kept)
	w.fileMails(change.Mails...)
}

func (w memory) fileMails(mails ...*accounts.Mail) {
	for _, mail := range mails {
		if mail != nil {
			w.mails = append(w.mails, *mail)
		}
	}
}

func (w memory) FindChange(_ context.Context, id string, at time.Time) (accounts.Change, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.note("find change"); err != nil {
		return accounts.Change{}, err
	}
	for _, change := range w.changes {
		if change.ID == id && change.EndsAt.After(at) {
			return change, nil
		}
	}
	return accounts.Change{}, accounts.ErrNotFound
}

func (w memory) ChangesFrom(_ context.Context, mobile contact.Mobile, at time.Time) ([]accounts.Change, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.note("find changes"); err != nil {
		return nil, err
	}
	var found []accounts.Change
	for _, change := range w.changes {
		if change.Before.Mobile == mobile && change.EndsAt.After(at) {
			found = append(found, change)
		}
	}
	return found, nil
}

func (w memory) Undo(
	_ context.Context, change accounts.Change, hash string, at time.Time, mails []*accounts.Mail,
) (accounts.Undone, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.note("undo"); err != nil {
		return accounts.Undone{}, err
	}
	if !slices.ContainsFunc(w.changes, func(c accounts.Change) bool { return c.ID == change.ID }) {
		return accounts.Undone{}, accounts.ErrNotFound
	}
	w.changes = slices.DeleteFunc(w.changes, func(c accounts.Change) bool {
		return c.AccountID == change.AccountID && !c.At.Before(change.At)
	})
	a, before := w.people[change.AccountID], change.Before
	a.Mobile, a.MobileChangedAt, a.Email, a.EmailChangedAt = before.Mobile, before.MobileChangedAt, before.Email, before.EmailChangedAt
	a.PendingEmail, a.PasswordHash, a.SeenAt = contact.Email{}, hash, at
	a.SessionGeneration++
	a.ActivationGeneration++
	w.people[a.ID] = a
	w.endClaim(a.Mobile)
	w.fileMails(mails...)
	return accounts.Undone{Account: a}, nil
}

// endClaim ends the claim on a number; the caller holds the lock.
func (w memory) endClaim(mobile contact.Mobile) {
	for id, claimer := range w.people {
		if !mobile.IsZero() && claimer.PendingMobile == mobile {
			claimer.PendingMobile, claimer.PendingMobileAt = contact.Mobile{}, time.Time{}
			w.people[id] = claimer
		}
	}
}

func (w memory) Seen(_ context.Context, account accounts.Account, at time.Time, mail *accounts.Mail) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.note("seen"); err != nil {
		return err
	}
	a := w.people[account.ID]
	a.SeenAt = at
	w.people[a.ID] = a
	w.endClaim(a.Mobile)
	w.fileMails(mail)
	return nil
}

func (w memory) CreateClaiming(
	_ context.Context, account accounts.Account, mail *accounts.Mail, holder accounts.Account, change *accounts.Change,
) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.note("create claiming"); err != nil {
		return err
	}
	if !w.people[holder.ID].SeenAt.Equal(holder.SeenAt) {
		return &accounts.ExistsError{Field: accounts.FieldMobile}
	}
	w.file(change)
	w.people[account.ID] = account
	w.fileMails(mail)
	return nil
}
