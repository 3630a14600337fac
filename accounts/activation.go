package accounts

import (
	"context"
	"errors"
	"time"

	"usher/contact"
	"usher/secrets"
)

// resendTime is how long ResendActivation takes at least. Writing a row for a known address takes
// longer than looking an unknown one up; this hides the difference.
const resendTime = 100 * time.Millisecond

// indexEmail is the kind under which addresses are hashed into tokens.
const indexEmail = "email"

// ActivationToken returns what the link of a claimed mail carries. It is derived from stored facts
// alone, so every attempt to send the mail gives the same text. It returns secrets.ErrUnknownKey when
// the key that was to sign it has been taken away.
func ActivationToken(keys *secrets.Keys, mail ClaimedMail) (string, error) {
	return keys.SignToken(mail.Mail.KeyID, secrets.Token{
		Account:    mail.Account.ID,
		Generation: mail.Account.ActivationGeneration,
		Address:    keys.Index(indexEmail, mail.Account.PendingEmail.Reveal()),
		ExpiresAt:  mail.Mail.NotAfter,
	})
}

// Activate proves the address of the account that the token was made for. Doing it again gives the same
// answer, also after the link's end, since people open old mails. It returns ErrLinkInvalid for what we
// did not sign for this address, ErrLinkExpired for a link that is too old or has been replaced, and an
// *ExistsError when another account has proved the address first.
func (s *Service) Activate(ctx context.Context, text string, origin Origin) (Account, error) {
	token, err := s.Keys.ParseToken(text, s.Now())
	expired := errors.Is(err, secrets.ErrExpired)
	if err != nil && !expired || token.Kind != "" {
		return Account{}, ErrLinkInvalid
	}
	account, found, err := s.find(ctx, Key{ByID, token.Account})
	switch {
	case err != nil:
		return Account{}, err
	case !found || !s.isFor(token, account.Email) && !s.isFor(token, account.PendingEmail):
		return Account{}, ErrLinkInvalid
	case account.ActivationGeneration != token.Generation:
		return Account{}, ErrLinkExpired
	case s.isFor(token, account.Email):
		return account, nil
	case expired:
		return Account{}, ErrLinkExpired
	}
	change := s.changeByProof(account, origin)
	proved, err := s.Store.Activate(ctx, account.ID, token.Generation, s.Now(), change)
	switch {
	case errors.Is(err, ErrNotFound): // replaced since we looked
		return Account{}, ErrLinkExpired
	case err != nil:
		return Account{}, err
	}
	if change != nil {
		s.enqueueAll(ctx, change.Mails...)
	}
	return proved, nil
}

// changeByProof is the change that the proof of the account's pending address makes, told to that address and to the
// one before. It is nil where there was none: the address came with the account, or the change began with asking for it.
func (s *Service) changeByProof(account Account, origin Origin) *Change {
	if account.Email.IsZero() {
		return nil
	}
	change := s.newChange(account, ChangedEmail, UndoWindow)
	facts := MailFacts{Former: account.Email.String(), Present: account.PendingEmail.String()}
	for _, to := range []contact.Email{account.Email, account.PendingEmail} {
		s.tell(change, account, to, MailEmailChanged, origin, facts)
	}
	return change
}

// isFor reports whether the token proves the address.
func (s *Service) isFor(token secrets.Token, email contact.Email) bool {
	return !email.IsZero() && s.Keys.Index(indexEmail, email.Reveal()) == token.Address
}

// ResendActivation sends another activation mail, which makes older links worthless. It returns nil, in
// about the same time, whether an account waits for it or not.
func (s *Service) ResendActivation(ctx context.Context, email contact.Email, origin Origin) error {
	earliest := time.NewTimer(resendTime)
	defer earliest.Stop()
	if err := s.renewActivation(ctx, email, origin); err != nil {
		return err
	}
	select {
	case <-earliest.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *Service) renewActivation(ctx context.Context, email contact.Email, origin Origin) error {
	account, err := s.Store.FindWaiting(ctx, email)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	return s.ResendOwnActivation(ctx, account, origin)
}

// ResendOwnActivation sends another activation mail to the address of the account that waits for its proof, which
// makes older links worthless. It does nothing when none waits any more.
func (s *Service) ResendOwnActivation(ctx context.Context, account Account, origin Origin) error {
	mail := s.newMail(MailActivation, s.Policy.ActivationTTL, origin)
	err := s.Store.RenewActivation(ctx, account.ID, *mail)
	if errors.Is(err, ErrNotFound) { // activated since we looked
		return nil
	}
	if err != nil {
		return err
	}
	s.enqueue(ctx, *mail)
	return nil
}
