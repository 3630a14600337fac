package accounts_test

import (
	"errors"
	"testing"
	"time"

	"usher/accounts"
)

// bouncedAccount is an account in use whose pending address has just bounced.
func bouncedAccount(t *testing.T, w *world) accounts.Account {
	t.Helper()
	account := w.registered(t, func(r *accounts.SignUp) { r.Email = someEmail })
	w.bouncedAt[account.PendingEmail] = w.clock.Now()
	return account
}

func TestBounce_is_told_in_the_own_session_for_30_days(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	account, mails := bouncedAccount(t, w), len(w.mails)
	for range 2 {
		var errs accounts.FieldErrors
		err := w.ResendOwnActivation(t.Context(), account, accounts.Origin{})
		if !errors.As(err, &errs) || errs[accounts.FieldEmail] != accounts.NoMailbox {
			t.Errorf("resend = %v, want no mailbox", err)
		}
		w.clock.Advance(accounts.BounceKept - time.Second)
		w.bouncedAt[account.PendingEmail] = w.clock.Now().Add(time.Second - accounts.BounceKept)
	}
	if len(w.mails) != mails {
		t.Errorf("%d mails were written", len(w.mails)-mails)
	}
	w.clock.Advance(time.Second)
	if err := w.ResendOwnActivation(t.Context(), account, accounts.Origin{}); err != nil || len(w.mails) != mails+1 {
		t.Errorf("resend 30 days later = %v, %d mails", err, len(w.mails)-mails)
	}
}

func TestBounce_is_not_told_to_strangers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	waiting := w.registered(t, byEmail)
	w.bouncedAt[waiting.PendingEmail] = w.clock.Now()
	if err := w.ResendActivation(t.Context(), waiting.PendingEmail, accounts.Origin{}, free); err != nil {
		t.Errorf("resend = %v, want the answer for every address", err)
	}
}

func TestBounce_lets_the_same_address_be_typed_again(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	account := bouncedAccount(t, w)
	change := func() error {
		_, err := w.ChangeEmail(t.Context(), w.people[account.ID], accounts.EmailChange{Email: account.PendingEmail, Password: goodPassword})
		return err
	}
	if err := change(); err != nil {
		t.Errorf("typed again after a bounce: %v", err)
	}
	if last := w.mails[len(w.mails)-1]; !last.Facts.Typed {
		t.Errorf("the mail %+v does not say that its address was typed", last)
	}
	delete(w.bouncedAt, account.PendingEmail)
	var errs accounts.FieldErrors
	if err := change(); !errors.As(err, &errs) || errs[accounts.FieldEmail] != accounts.Unchanged {
		t.Errorf("typed again without a bounce: %v, want unchanged", err)
	}
}

func TestBounce_counts_no_more_for_the_mail_of_a_registration_alone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	waiting := w.registered(t, byEmail)
	if !w.mails[0].Facts.Typed {
		t.Error("the mail of a registration does not say that its address was typed")
	}
	if err := w.ResendActivation(t.Context(), waiting.PendingEmail, accounts.Origin{}, free); err != nil {
		t.Fatal(err)
	}
	if last := w.mails[len(w.mails)-1]; len(w.mails) != 2 || last.Facts.Typed {
		t.Errorf("the mail of a resend says that its address was typed: %+v", last)
	}
}
