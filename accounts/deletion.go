package accounts

import (
	"context"
	"errors"
)

// Deletion is a person's request to delete the own account.
type Deletion struct {
	Password string // the current one
	Recent   bool   // see [PasswordChange]
	Origin
}

// RequestDeletion ends the sessions of the account, which is erased [Policy].DeleteGrace later unless its owner signs in before,
// and notifies its proved address. Without a grace it erases the account at once. It returns the account as it waits, with
// DeleteAt, or the zero Account when it is gone. To ask again changes nothing but needs the proof again. The errors are
// FieldErrors, *PasswordError, ErrSignInAgain, [passwords.ErrBusy] and ErrChanged.
func (s *Service) RequestDeletion(ctx context.Context, account Account, r Deletion) (Account, error) {
	if err := s.ConfirmOwner(ctx, account, r.Password, r.Recent); err != nil {
		return Account{}, err
	}
	if s.Policy.DeleteGrace <= 0 {
		return Account{}, s.Erase(ctx, account.ID)
	}
	now := s.Now()
	due := now.Add(s.Policy.DeleteGrace)
	var notice *Mail
	if !account.Email.IsZero() {
		notice = s.newNotice(MailDeletionAsked, account.Email, MailFacts{Until: due.Unix()}, r.Origin)
	}
	waiting, err := s.Store.ScheduleDeletion(ctx, account, now, due, notice)
	if err != nil {
		return Account{}, err
	}
	s.Logger.InfoContext(ctx, "deletion of account requested", "account_id", account.ID, "delete_at", due)
	s.enqueueAll(ctx, notice)
	return waiting, nil
}

// ConfirmOwner returns nil for the current password of an account or, where it has none, for a recent sign-in. The errors are
// FieldErrors, *PasswordError, ErrSignInAgain and [passwords.ErrBusy].
func (s *Service) ConfirmOwner(ctx context.Context, account Account, password string, recent bool) error {
	if account.HasPassword() && password == "" {
		return FieldErrors{FieldPassword: Missing}
	}
	return s.confirmOwner(ctx, account, FieldPassword, password, recent)
}

// takeBack takes the deletion back that the owner of the account has requested, who has just signed in.
func (s *Service) takeBack(ctx context.Context, account Account) error {
	if account.DeleteAt.IsZero() {
		return nil
	}
	kept, err := s.Store.KeepAccount(ctx, account.ID, s.Now())
	switch {
	case err != nil:
		return err
	case !kept: // it has just been erased
		return ErrCredentials
	}
	s.Logger.InfoContext(ctx, "deletion of account taken back by a sign-in", "account_id", account.ID)
	return nil
}

// EraseDue erases up to limit accounts whose owners have requested it and whose grace is over, and returns their number. It
// leaves blocked accounts alone: an operator decides about those. [Service.ForgetErased] deletes the rest, for many accounts at
// once. It may run in parallel and be repeated.
func (s *Service) EraseDue(ctx context.Context, limit int) (int, error) {
	now := s.Now()
	ids, err := s.Store.DueDeletions(ctx, now, limit)
	if err != nil {
		return 0, err
	}
	var errs []error
	for _, id := range ids {
		_, err := s.Store.EraseDue(ctx, id, now)
		switch {
		case err == nil:
			s.Logger.InfoContext(ctx, "account erased", "account_id", id)
		case !errors.Is(err, ErrNotFound): // else its owner has just signed in
			errs = append(errs, err) // the others are erased nevertheless
		}
	}
	return len(ids) - len(errs), errors.Join(errs...)
}
