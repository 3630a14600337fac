package accounts

import (
	"context"
	"errors"
	"time"

	"usher/contact"
	"usher/passwords"
	"usher/secrets"
	"usher/verify"
)

// resendTime is how long ResendActivation takes at least. Writing a row for a known address takes
// longer than looking an unknown one up; this hides the difference.
const resendTime = 100 * time.Millisecond

// indexEmail is the kind under which addresses are hashed into tokens.
const indexEmail = "email"

// ErrLinkAlone says that a link was opened by a person who may only be the reader of the mail: the account is in use,
// and proving an address for it takes its session or its current password.
var ErrLinkAlone = errors.New("link alone does not show whose account it is")

// Activation is a request to prove the address that a mail's link was sent to.
type Activation struct {
	Token string
	// Session is the id of the account that the request's session is signed in to or has registered; empty: none.
	Session string
	// Password is the next one of an account that waits, and PasswordRepeat the same again. Of any other account it
	// is the current one. Neither is looked at in the account's own session.
	Password, PasswordRepeat string
	Origin                   // of the mails that tell a change of the address
}

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

// Activate proves the address of the account that the token was made for. A link shows that its reader has the
// mailbox, and nothing else: in the account's own session it proves the address. Elsewhere an account that waits, see
// [Account.Waiting], gets the password of the request and its earlier sessions end, so that the one who registered an
// address of another person has no power over it; any other account asks for its current password.
//
// Opened reports that the account waited until now. Doing it again gives the same account and changes nothing, also
// after the link's end, since people open old mails. The errors are ErrLinkInvalid for what we did not sign for this
// address, ErrLinkExpired for a link that is too old or has been replaced, an *ExistsError when another account has
// proved the address first, FieldErrors about the next password, ErrLinkAlone or a *PasswordError about the current
// one, and passwords.ErrBusy.
func (s *Service) Activate(ctx context.Context, r Activation) (account Account, opened bool, err error) {
	token, account, err := s.linked(ctx, r.Token)
	if err != nil || s.isFor(token, account.Email) {
		return account, false, err
	}
	hash, err := s.permit(ctx, account, r)
	if err != nil {
		return Account{}, false, err
	}
	change := s.changeByProof(account, r.Origin)
	proved, err := s.Store.Activate(ctx, account.ID, token.Generation, hash, s.Now(), change)
	if _, lost := errors.AsType[*ExistsError](err); lost || err == nil {
		s.release(ctx, token.Address)
	}
	if errors.Is(err, ErrNotFound) { // proved, replaced or gone since we looked
		if token, account, err = s.linked(ctx, r.Token); err == nil && !s.isFor(token, account.Email) {
			err = ErrLinkExpired
		}
		return account, false, err
	}
	if err != nil {
		return Account{}, false, err
	}
	if change != nil {
		s.enqueueAll(ctx, change.Mails...)
	}
	return proved, account.Waiting(), nil
}

// linked returns a token and its account if the link works for it, or has worked.
func (s *Service) linked(ctx context.Context, text string) (secrets.Token, Account, error) {
	token, err := s.Keys.ParseToken(text, s.Now())
	expired := errors.Is(err, secrets.ErrExpired)
	if err != nil && !expired || token.Kind != "" {
		return token, Account{}, ErrLinkInvalid
	}
	account, found, err := s.find(ctx, Key{ByID, token.Account})
	switch {
	case err != nil:
	case !found || !s.isFor(token, account.Email) && !s.isFor(token, account.PendingEmail):
		err = ErrLinkInvalid
		if expired { // what waited has run out, too
			err = ErrLinkExpired
		}
	case account.ActivationGeneration != token.Generation:
		err = ErrLinkExpired
	case expired && !s.isFor(token, account.Email):
		err = ErrLinkExpired
	}
	if err != nil {
		return token, Account{}, err
	}
	return token, account, nil
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

// permit decides whether the request may prove the address for the account. It returns the hash of the password that
// replaces the account's, or "".
func (s *Service) permit(ctx context.Context, account Account, r Activation) (hash string, err error) {
	switch {
	case r.Session == account.ID:
		return "", nil
	case account.Waiting():
		errs := FieldErrors{}
		password := newPassword(r.Password, r.PasswordRepeat, errs, account.Username, account.PendingEmail.Reveal())
		if len(errs) > 0 {
			return "", errs
		}
		return s.Passwords.Hash(ctx, password, passwords.First)
	case r.Password == "":
		return "", ErrLinkAlone
	}
	return "", s.confirm(ctx, account, FieldPassword, r.Password)
}

// Registered returns the account that a session has registered, as long as it waits and its password is the one of the
// registration, which the generation of its sessions tells; else the zero account.
func (s *Service) Registered(ctx context.Context, id string, generation int) (Account, error) {
	account, found, err := s.find(ctx, Key{ByID, id})
	if err != nil || !found || !account.Waiting() || account.SessionGeneration != generation {
		return Account{}, err
	}
	return account, nil
}

// LinkAccount returns the id of the account that a link of ours was made for, whatever the link is worth by now, or ""
// for what we have not made. It asks no store.
func (s *Service) LinkAccount(text string) string {
	token, err := s.Keys.ParseToken(text, s.Now())
	if err != nil && !errors.Is(err, secrets.ErrExpired) {
		return ""
	}
	return token.Account
}

// ResendActivation sends another activation mail, which makes older links worthless: for the newest account that
// waits with the address and has nothing else, see [Account.Waiting]. It returns nil, in about the same time, whether
// there is one or not, or a *verify.LimitError when the owner of the address has declined mails. Before it sends a mail it
// calls pay; when that returns a *verify.LimitError, it sends none and returns nil all the same, since the refusal would
// tell that an account waits.
func (s *Service) ResendActivation(ctx context.Context, email contact.Email, origin Origin, pay func() error) error {
	earliest := time.NewTimer(resendTime)
	defer earliest.Stop()
	if err := s.renewActivation(ctx, email, origin, pay); err != nil {
		return err
	}
	select {
	case <-earliest.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *Service) renewActivation(ctx context.Context, email contact.Email, origin Origin, pay func() error) error {
	if err := s.refuseDeclined(ctx, email); err != nil {
		return err
	}
	account, err := s.Store.FindWaiting(ctx, email)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err == nil {
		err = pay()
	}
	if _, refused := errors.AsType[*verify.LimitError](err); refused {
		return nil
	}
	if err != nil {
		return err
	}
	return s.renew(ctx, account, origin)
}

// ResendOwnActivation sends another activation mail to the address of the account that waits for its proof, which
// makes older links worthless. It does nothing when none waits any more, and returns a *verify.LimitError when the
// owner of the address has declined mails.
func (s *Service) ResendOwnActivation(ctx context.Context, account Account, origin Origin) error {
	if err := s.refuseDeclined(ctx, account.PendingEmail); err != nil {
		return err
	}
	return s.renew(ctx, account, origin)
}

func (s *Service) renew(ctx context.Context, account Account, origin Origin) error {
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
