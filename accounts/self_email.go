package accounts

import (
	"context"

	"usher/contact"
)

// EmailChange is a request for another address.
type EmailChange struct {
	Email    contact.Email
	Password string // the current one
	Origin
}

// ChangeEmail has an activation mail go to another address, and a notice to the proved one. The proved address
// stays until the other one is proved, since a mistyped address must not lock its owner out. It returns the
// account as it is then, or FieldErrors, *PasswordError, passwords.ErrBusy, *ExistsError, ErrChanged or
// a *verify.LimitError when the owner of the address has declined mails.
func (s *Service) ChangeEmail(ctx context.Context, account Account, r EmailChange) (Account, error) {
	errs := FieldErrors{}
	if r.Email == account.Email || r.Email == account.PendingEmail {
		errs[FieldEmail] = Unchanged
	}
	if r.Password == "" {
		errs[FieldPassword] = Missing
	}
	if len(errs) > 0 {
		return Account{}, errs
	}
	if err := s.confirm(ctx, account, FieldPassword, r.Password); err != nil {
		return Account{}, err
	}
	if err := s.refuseEmail(ctx, r.Email); err != nil {
		return Account{}, err
	}
	link := s.newMail(MailActivation, s.Policy.ActivationTTL, r.Origin)
	change := s.newChange(account, AskedForEmail, UndoWindow)
	s.tell(change, account, account.Email, MailEmailAsked, r.Origin,
		MailFacts{Former: account.Email.String(), Present: r.Email.String()})
	changed, err := s.Store.ChangeEmail(ctx, account, r.Email, link, change)
	if err != nil {
		return Account{}, err
	}
	s.enqueueAll(ctx, append(change.Mails, link)...)
	return changed, nil
}

// enqueueAll is enqueue for mails that were filed together; nil is none.
func (s *Service) enqueueAll(ctx context.Context, mails ...*Mail) {
	for _, mail := range mails {
		if mail != nil {
			s.enqueue(ctx, *mail)
		}
	}
}
