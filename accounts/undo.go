package accounts

import (
	"context"
	"errors"

	"usher/contact"
	"usher/passwords"
	"usher/secrets"
	"usher/verify"
)

// Errors of [Service.UndoChange].
var (
	ErrNothingToUndo = errors.New("no change of the last days can be undone with this number")
	ErrUndoLink      = errors.New("link does not undo a change")
	ErrUndoOver      = errors.New("change of the link cannot be undone any more")
)

// Undo is a request to take an account back to what it was before a change: by the token of a mail's link, or by
// a code that was sent to the number that the account had.
type Undo struct {
	Token          string
	Mobile         contact.Mobile
	SMSCodeID      string
	SMSCode        string
	Password       string // the next one
	PasswordRepeat string
	Origin
}

// Undone is an account after an undo.
type Undone struct {
	Account Account
	Lost    []Field // contacts that another account has proved meanwhile, and that were not restored
}

// UndoChange takes the account back to what it was before a change, with the password that the request brings. Every
// session ends. It returns FieldErrors, passwords.ErrBusy; for a link ErrUndoLink and ErrUndoOver, which is also
// what a second use gets; for a code what [verify.Service] says about it, and ErrNothingToUndo only to the owner of
// the number. Only success costs the code, see [Service.withCode].
func (s *Service) UndoChange(ctx context.Context, r Undo) (Undone, error) {
	errs := FieldErrors{}
	var code smsCode
	if r.Token == "" {
		code = newSMSCode(r.SMSCodeID, r.SMSCode, errs)
	}
	password := newPassword(r.Password, r.PasswordRepeat, errs, r.Mobile.Reveal())
	if len(errs) > 0 {
		return Undone{}, errs
	}
	if r.Token != "" {
		change, err := s.changeOfLink(ctx, r.Token)
		if err != nil {
			return Undone{}, err
		}
		undone, err := s.undo(ctx, change, password, r.Origin)
		if errors.Is(err, ErrNothingToUndo) { // another request was first
			err = ErrUndoOver
		}
		return undone, err
	}
	var undone Undone
	err := s.withCode(ctx, r.Mobile, verify.UndoChange, code, func() error {
		change, err := s.changeOfNumber(ctx, r.Mobile)
		if err == nil {
			undone, err = s.undo(ctx, change, password, r.Origin)
		}
		return err
	})
	return undone, err
}

// undoTokenKind keeps a link of one kind from passing for another.
const undoTokenKind = "undo"

// UndoToken returns what the link of a claimed notice carries. It is derived from stored facts alone, so every
// attempt to send the mail gives the same text. It returns secrets.ErrUnknownKey when the key that was to sign it
// has been taken away.
func UndoToken(keys *secrets.Keys, mail ClaimedMail) (string, error) {
	return keys.SignToken(mail.Mail.KeyID, secrets.Token{
		Kind: undoTokenKind, Account: mail.Account.ID, Address: mail.Mail.Facts.Change,
		ExpiresAt: mail.Mail.NotAfter,
	})
}

func (s *Service) changeOfLink(ctx context.Context, text string) (Change, error) {
	token, err := s.Keys.ParseToken(text, s.Now())
	switch {
	case errors.Is(err, secrets.ErrExpired) && token.Kind == undoTokenKind:
		return Change{}, ErrUndoOver
	case err != nil || token.Kind != undoTokenKind:
		return Change{}, ErrUndoLink
	}
	change, err := s.Store.FindChange(ctx, token.Address, s.Now())
	if errors.Is(err, ErrNotFound) || err == nil && change.AccountID != token.Account {
		return Change{}, ErrUndoOver
	}
	return change, err
}

// changeOfNumber returns the earliest change that the owner of the number may undo. An account that had the number
// for less than [UndoWindow] is no reason: an intruder's number would undo what the owner has put right. Of several
// accounts it is the one that had the number last.
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

// undo makes the request's change.
func (s *Service) undo(ctx context.Context, change Change, password string, origin Origin) (Undone, error) {
	account, found, err := s.find(ctx, Key{ByID, change.AccountID})
	if err != nil {
		return Undone{}, err
	}
	if !found {
		return Undone{}, ErrNothingToUndo
	}
	if easyToGuess(password, account.Username, change.Before.Mobile.Reveal(), change.Before.Email.Reveal()) {
		return Undone{}, FieldErrors{FieldPassword: TooCommon}
	}
	hash, err := s.Passwords.Hash(ctx, password, passwords.First)
	if err != nil {
		return Undone{}, err
	}
	mails := s.tellUndone(account, change, origin)
	undone, err := s.Store.Undo(ctx, change, hash, s.Now(), mails)
	if errors.Is(err, ErrNotFound) {
		return Undone{}, ErrNothingToUndo
	}
	if err != nil {
		return Undone{}, err
	}
	s.enqueueAll(ctx, mails...)
	return undone, nil
}

// tellUndone returns the mails to the addresses before and after, without a link: an undo cannot be undone, or the
// owner and an intruder would take turns.
func (s *Service) tellUndone(account Account, change Change, origin Origin) []*Mail {
	var mails []*Mail
	for _, to := range []contact.Email{change.Before.Email, account.Email} {
		if to.IsZero() || len(mails) > 0 && mails[0].To == to {
			continue
		}
		mails = append(mails, s.newNotice(MailChangeUndone, to, MailFacts{}, origin))
	}
	return mails
}
