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

// resendFloor is the least time of ResendActivation. To write a row for a known address takes longer than to look an
// unknown one up; this hides the difference.
const resendFloor = 100 * time.Millisecond

// ErrLinkAlone means that the account is in use and that the reader of the mail may be another person: to prove an
// address for it, a request needs the account's session or its current password.
var ErrLinkAlone = errors.New("link alone does not show whose account it is")

// Activation is a request to prove the address that a mail's link was sent to.
type Activation struct {
	Token string
	// Session is the id of the account that the request's session is signed in to or has registered; empty: none.
	Session string
	// Password and PasswordRepeat are the new password of an account that waits. For any other account Password is the
	// current one. In the account's own session both are ignored.
	Password, PasswordRepeat string
	Origin                   // of the notices about a change of the address
}

// Activate proves the address of the account that the token was made for. A link shows that its reader has the mailbox,
// and nothing else. In the account's own session it proves the address. Elsewhere an account that waits, see
// [Account.Waiting], gets the password of the request and its earlier sessions end, so that a person who registered
// another person's address has no power over the account; any other account asks for its current password, or for a sign-in
// where it has none.
//
// Every link to the pending address works until one of them is used or its own time is over: people who ask for a second
// mail often open the first one. Opened reports that the account waited until now. A second call returns the same account
// and changes nothing, also after the link's end, since people open old mails. The errors are ErrLinkInvalid for a link
// that we did not sign for this address, ErrLinkExpired for one that is too old, an *ExistsError when another account has proved the address first, FieldErrors about the new password,
// ErrLinkAlone or a *PasswordError about the current one, ErrSignInAgain where there is none, ErrBlocked, and
// [passwords.ErrBusy].
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
	proved, err := s.Store.Activate(ctx, account, hash, s.Now(), change)
	if _, lost := errors.AsType[*ExistsError](err); lost || err == nil {
		s.release(ctx, token.Address)
	}
	if errors.Is(err, ErrNotFound) { // proved, replaced or deleted since it was read
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
	token, expired, err := s.parseLink(text, linkActivate)
	if err != nil {
		return token, Account{}, err
	}
	account, found, err := s.find(ctx, Key{ByID, token.Account})
	switch {
	case err != nil:
	case !found || !s.isFor(token, account.Email) && !s.isFor(token, account.PendingEmail):
		err = ErrLinkInvalid
		if expired { // the account may have been deleted since
			err = ErrLinkExpired
		}
	case expired && !s.isFor(token, account.Email):
		err = ErrLinkExpired
	case account.Blocked():
		err = ErrBlocked
	}
	if err != nil {
		return token, Account{}, err
	}
	return token, account, nil
}

// changeByProof is the change that the proof of the account's pending address makes. It is nil when there was no former
// address: then this one came with the account.
func (s *Service) changeByProof(account Account, origin Origin) *Change {
	if account.Email.IsZero() {
		return nil
	}
	return s.changeOfEmail(account, account.PendingEmail, origin)
}

// changeOfEmail is the change of the account's proved address to another one, with notices to both unless it is the first
// address of the account.
func (s *Service) changeOfEmail(account Account, email contact.Email, origin Origin) *Change {
	change := s.newChange(account, ChangedEmail, UndoWindow)
	if account.Email.IsZero() {
		return change
	}
	facts := MailFacts{Former: account.Email.String(), Present: email.String()}
	for _, to := range []contact.Email{account.Email, email} {
		s.notify(change, account, to, MailEmailChanged, origin, facts)
	}
	return change
}

// isFor reports whether the token proves the address.
func (s *Service) isFor(token secrets.Token, email contact.Email) bool {
	return !email.IsZero() && s.Keys.Index(indexEmail, email.Reveal()) == token.Address
}

// permit decides whether the request may prove the address for the account. It returns the hash of a new password, or ""
// when the account keeps its own.
func (s *Service) permit(ctx context.Context, account Account, r Activation) (hash string, err error) {
	switch {
	case r.Session == account.ID:
		return "", nil
	case account.Waiting():
		errs := FieldErrors{}
		password := s.Policy.newPassword(r.Password, r.PasswordRepeat, errs, account.Username, account.PendingEmail.Reveal())
		if len(errs) > 0 {
			return "", errs
		}
		return s.Passwords.Hash(ctx, password, passwords.First)
	case !account.HasPassword():
		return "", ErrSignInAgain
	case r.Password == "":
		return "", ErrLinkAlone
	}
	return "", s.confirm(ctx, account, FieldPassword, r.Password)
}

// Registered returns the account that a session has registered while it waits and still has the password of the
// registration, which the generation of its sessions shows; otherwise, and where it is blocked, the zero account.
func (s *Service) Registered(ctx context.Context, id string, generation int) (Account, error) {
	account, found, err := s.find(ctx, Key{ByID, id})
	if err != nil || !found || account.Blocked() || !account.Waiting() || account.SessionGeneration != generation {
		return Account{}, err
	}
	return account, nil
}

// ResendActivation sends another activation mail: for the newest account that waits for the proof of the address and has
// nothing else, see [Account.Waiting]. The links of earlier mails still work. It returns nil after about the same time whether
// there is one or not, or a *verify.LimitError when the owner of the address has declined mails. Before it sends a mail
// it calls pay. When pay returns a *verify.LimitError, it sends no mail and still returns nil: the refusal would show
// that an account waits.
func (s *Service) ResendActivation(ctx context.Context, email contact.Email, origin Origin, pay func() error) error {
	earliest := time.NewTimer(resendFloor)
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
	if err == nil && account.Blocked() {
		return nil
	}
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

// ResendOwnActivation sends another activation mail to the account's pending address. It does nothing when no address is pending any more, and returns a *verify.LimitError when the owner of the address has
// declined mails, or FieldErrors when there is no such mailbox.
func (s *Service) ResendOwnActivation(ctx context.Context, account Account, origin Origin) error {
	if err := s.refuseDeclined(ctx, account.PendingEmail); err != nil {
		return err
	}
	switch bounced, err := s.bounced(ctx, account.PendingEmail); {
	case err != nil:
		return err
	case bounced:
		return FieldErrors{FieldEmail: NoMailbox}
	}
	return s.renew(ctx, account, origin)
}

// CorrectEmail replaces the mistyped address of an account that waits, see [Account.Waiting], and sends an activation mail
// to the right one. Links to the former address do nothing from then on. The caller has checked that the request comes from
// the browser that has registered the account, or from a person who knows its password. It returns the changed account. The
// errors are FieldErrors, an *ExistsError, ErrChanged when the account does not wait any more and, when the owner of the
// address has declined mails, a *verify.LimitError.
func (s *Service) CorrectEmail(ctx context.Context, account Account, email contact.Email, origin Origin) (Account, error) {
	same, err := s.sameEmail(ctx, account, email)
	switch {
	case err != nil:
		return Account{}, err
	case same:
		return Account{}, FieldErrors{FieldEmail: Unchanged}
	}
	if err := s.refuseEmail(ctx, email); err != nil {
		return Account{}, err
	}
	link := s.newMail(MailActivation, s.Policy.ActivationTTL, origin)
	link.Facts.Typed = true
	corrected, err := s.Store.CorrectEmail(ctx, account, email, *link)
	if err == nil {
		s.enqueueAll(ctx, link)
	}
	return corrected, err
}

func (s *Service) renew(ctx context.Context, account Account, origin Origin) error {
	mail := s.newMail(MailActivation, s.Policy.ActivationTTL, origin)
	err := s.Store.RenewActivation(ctx, account.ID, *mail)
	if errors.Is(err, ErrNotFound) { // proved since the account was read
		return nil
	}
	if err == nil {
		s.enqueueAll(ctx, mail)
	}
	return err
}
