package accounts

import (
	"context"
	"errors"
	"slices"
	"time"

	"usher/contact"
	"usher/verify"
)

// HoldName is how long the user name of an account that is gone stays taken, so that another person cannot take it at once.
const HoldName = 24 * time.Hour

// forgetAgain is when what other stores have of an erased account is deleted a second time: a worker that was sending when
// the account was erased has stored its outcome by then.
const forgetAgain = time.Hour

// Erased is what is needed to delete the rest of an erased account: what is kept under its contacts and not under its id. The
// store keeps it sealed until that is done. Contacts that another account has by now are not in it: what is kept under them is about
// another person.
type Erased struct {
	ID string    `json:"-"`
	At time.Time `json:"-"`

	Username string   `json:"username,omitempty"`
	Mobiles  []string `json:"mobiles,omitempty"`  // in full, also the former ones of changes that could be undone
	Emails   []string `json:"emails,omitempty"`   // likewise
	Unproved string   `json:"unproved,omitempty"` // the address without proof; it may belong to another person
	Sessions int      `json:"sessions"`           // generations of sessions
	Mails    []string `json:"mails,omitempty"`    // ids
}

// Recipients returns the numbers and addresses, to which codes may have been sent.
func (e Erased) Recipients() []verify.Recipient {
	var list []verify.Recipient
	for _, text := range e.Mobiles {
		if mobile, err := contact.ParseMobile(text); err == nil {
			list = append(list, mobile)
		}
	}
	for _, text := range e.Emails {
		if email, err := contact.ParseEmail(text); err == nil {
			list = append(list, email)
		}
	}
	return list
}

// UnprovedEmail returns the address that was never proved, or zero. Only what SQL has of codes to it may be deleted: its limits and
// codes under way may be about its owner, and a person could get rid of limits by naming the address of another one.
func (e Erased) UnprovedEmail() contact.Email {
	email, _ := contact.ParseEmail(e.Unproved) // zero for none
	return email
}

// Remains are the places beside [Store] that have something of an account: Redis and the queues.
type Remains interface {
	// Forget deletes the sessions, codes, limits and tasks of the accounts. It may be repeated.
	Forget(ctx context.Context, erased []Erased) error
}

// Erase deletes an account and all that is known of its person, for ever: contacts, password, sessions, messages, former
// contacts, and the codes and mails under way. The user name stays taken for [HoldName]. Services learn it from an event
// without data. What another store keeps is deleted later by periodic work, if that store is unavailable now. It returns
// ErrNotFound when there is no such account; an account that was just erased is erased again.
func (s *Service) Erase(ctx context.Context, id string) error {
	erased, err := s.Store.Erase(ctx, id, s.Now())
	if err != nil {
		return err
	}
	s.Logger.InfoContext(ctx, "account erased", "account_id", erased.ID)
	if err := s.forget(ctx, []Erased{erased}); err != nil {
		s.Logger.WarnContext(ctx, "codes, sessions or messages of an erased account are not deleted yet; a worker will do it",
			"account_id", erased.ID, "error", err)
	}
	return nil
}

// ForgetErased deletes what is left of up to limit accounts that are gone, and returns their number: what could not be deleted
// with them, and what has come since. It also frees their names after [HoldName]. It may run in parallel and be repeated.
func (s *Service) ForgetErased(ctx context.Context, limit int) (int, error) {
	if err := s.Store.FreeNames(ctx, s.Now().Add(-HoldName)); err != nil {
		return 0, err
	}
	erased, err := s.Store.ErasedRemains(ctx, s.Now().Add(-forgetAgain), limit)
	if len(erased) == 0 {
		return 0, err
	}
	return len(erased), errors.Join(err, s.forget(ctx, erased))
}

// forgetAtOnce bounds the accounts after which the progress is noted: a database that is slow must not make a worker begin again with
// the first account each time.
const forgetAtOnce = 20

// forget deletes what is left of the accounts. It does both halves even if one fails.
func (s *Service) forget(ctx context.Context, erased []Erased) error {
	remainErr := s.Remains.Forget(ctx, erased)
	errs := []error{remainErr}
	for some := range slices.Chunk(erased, forgetAtOnce) {
		err := s.Store.ForgetErased(ctx, some)
		if err == nil && remainErr == nil {
			err = s.Store.MarkForgotten(ctx, some, s.Now(), s.Now().Add(-forgetAgain))
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}
