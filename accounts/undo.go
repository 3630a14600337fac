package accounts

import (
	"context"
	"errors"

	"usher/contact"
	"usher/passwords"
	"usher/verify"
)

// Errors of [Service.UndoChange].
var (
	ErrNothingToUndo = errors.New("no recent change can be undone with this number")
	ErrUndoLink      = errors.New("link does not undo a change")
	ErrUndoOver      = errors.New("change of the link cannot be undone any more")
)

// Undo is a request to restore an account as it was before a change: by the token of a mail's link, or by a code that
// was sent to the number that the account had.
type Undo struct {
	Token          string
	Mobile         contact.Mobile
	SMSCodeID      string
	SMSCode        string
	Password       string // the new one
	PasswordRepeat string
	Origin
}

// Undone is an account after an undo.
type Undone struct {
	Account Account
	Lost    []Field // contacts that another account has proved meanwhile, and that were not restored
}

// UndoChange restores the account as it was before a change, sets the password of the request and ends every session.
// The errors are FieldErrors and [passwords.ErrBusy]; for a link ErrUndoLink, and ErrUndoOver also for its second use;
// for a code those of [verify.Service], and ErrNothingToUndo only for the owner of the number; for both ErrBlocked. Only
// success uses the code up, see [Service.withCode].
func (s *Service) UndoChange(ctx context.Context, r Undo) (undone Undone, err error) {
	errs := FieldErrors{}
	var code sentCode
	if r.Token == "" {
		code = newCode(r.Mobile, r.SMSCodeID, r.SMSCode, errs)
	}
	password := s.Policy.newPassword(r.Password, r.PasswordRepeat, errs, r.Mobile.Reveal())
	if len(errs) > 0 {
		return Undone{}, errs
	}
	if r.Token != "" {
		change, err := s.changeOfLink(ctx, r.Token)
		if err != nil {
			return Undone{}, err
		}
		undone, err = s.undo(ctx, change, password, r.Origin)
		if errors.Is(err, ErrNothingToUndo) { // another request was faster
			err = ErrUndoOver
		}
		return undone, err
	}
	err = s.withCode(ctx, r.Mobile, verify.UndoChange, code, func() error {
		change, err := s.changeOfNumber(ctx, r.Mobile)
		if err == nil {
			undone, err = s.undo(ctx, change, password, r.Origin)
		}
		return err
	})
	return undone, err
}

func (s *Service) changeOfLink(ctx context.Context, text string) (Change, error) {
	token, expired, err := s.parseLink(text, linkUndo)
	switch {
	case err != nil:
		return Change{}, ErrUndoLink
	case expired:
		return Change{}, ErrUndoOver
	}
	change, err := s.Store.FindChange(ctx, token.Address, s.Now())
	if errors.Is(err, ErrNotFound) || err == nil && change.AccountID != token.Account {
		return Change{}, ErrUndoOver
	}
	return change, err
}

// changeOfNumber returns the earliest change that the owner of the number may undo. An account that had the number for
// less than [UndoWindow] does not count: otherwise an intruder's number would undo what the owner has restored. Of
// several accounts it is the one that had the number last.
func (s *Service) changeOfNumber(ctx context.Context, mobile contact.Mobile) (Change, error) {
	changes, err := s.Store.ChangesFrom(ctx, mobile, s.Now())
	if err != nil {
		return Change{}, err
	}
	var chosen Change
	for _, change := range changes {
		if change.Kind == NumberClaimed || !settled(change.Before.MobileChangedAt, change.At) {
			continue
		}
		if change.AccountID != chosen.AccountID {
			chosen = change
		}
	}
	if chosen.ID == "" {
		return Change{}, ErrNothingToUndo
	}
	return chosen, nil
}

func (s *Service) undo(ctx context.Context, change Change, password string, origin Origin) (Undone, error) {
	account, found, err := s.find(ctx, Key{ByID, change.AccountID})
	if err != nil {
		return Undone{}, err
	}
	switch {
	case !found:
		return Undone{}, ErrNothingToUndo
	case account.Blocked():
		return Undone{}, ErrBlocked
	}
	if easyToGuess(password, account.Username, change.Before.Mobile.Reveal(), change.Before.Email.Reveal()) {
		return Undone{}, FieldErrors{FieldPassword: TooCommon}
	}
	hash, err := s.Passwords.Hash(ctx, password, passwords.First)
	if err != nil {
		return Undone{}, err
	}
	// The notices have no link: an undo cannot be undone, or the owner and an intruder would undo each other for ever.
	var mails []*Mail
	for _, to := range []contact.Email{change.Before.Email, account.Email} {
		if !to.IsZero() && (len(mails) == 0 || mails[0].To != to) {
			mails = append(mails, s.newNotice(MailChangeUndone, to, MailFacts{}, origin))
		}
	}
	undone, err := s.Store.Undo(ctx, change, hash, s.Now(), mails)
	if errors.Is(err, ErrNotFound) {
		return Undone{}, ErrNothingToUndo
	}
	if err == nil {
		s.enqueueAll(ctx, mails...)
	}
	return undone, err
}
