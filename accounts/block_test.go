package accounts_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"usher/accounts"
	"usher/passwords"
	"usher/verify"
)

func (w *world) blocked(t *testing.T, id string) accounts.Account {
	t.Helper()
	account, err := w.Block(t.Context(), id)
	if err != nil || !account.Blocked() {
		t.Fatalf("Block = %v, %v", account.BlockedAt, err)
	}
	return account
}

func TestBlock_closes_every_way_in(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	account := w.proved(t)
	w.changeMobile(t, account.ID, nextMobile)
	undo := w.link(t, accounts.MailMobileChanged, account.Email)
	clear(w.spent)
	w.blocked(t, account.ID)

	number, address := mobile(t, nextMobile), email(t, someEmail)
	ways := map[string]func() error{
		"password": func() error {
			_, err := w.SignIn(t.Context(), account.Username, goodPassword, passwords.Later)
			return err
		},
		"code by SMS": func() error {
			_, _, err := w.SignInByCode(t.Context(), number, codeID(verify.Login, number.Reveal()), rightCode, accounts.FirstSignIn{})
			return err
		},
		"code by mail": func() error { _, err := w.signInByMail(t, someEmail, rightCode); return err },
		"reset":        func() error { return w.ResetPassword(t.Context(), reset(t, nextMobile)) },
		"undo":         func() error { _, err := w.UndoChange(t.Context(), undoBy(undo)); return err },
		"undo by code": func() error { return w.undoByCode(t, someMobile) },
	}
	for way, try := range ways {
		if err := try(); !errors.Is(err, accounts.ErrBlocked) {
			t.Errorf("%s: %v, want ErrBlocked", way, err)
		}
	}
	if got := w.found(t, account.ID); got.Mobile != number || got.Email != address || got.Username != account.Username {
		t.Errorf("the blocked account has lost something: %v %v %q", got.Mobile, got.Email, got.Username)
	}
	for _, wrong := range []func() error{
		func() error {
			_, err := w.SignIn(t.Context(), account.Username, "wrong horse 电池", passwords.Later)
			return err
		},
		func() error {
			_, err := w.SignIn(t.Context(), "no_such_name", "wrong horse 电池", passwords.Later)
			return err
		},
	} {
		if err := wrong(); !errors.Is(err, accounts.ErrCredentials) {
			t.Errorf("a stranger learns %v", err)
		}
	}

	if _, err := w.Unblock(t.Context(), account.ID); err != nil {
		t.Fatal(err)
	}
	if err := ways["password"](); err != nil {
		t.Errorf("sign-in after Unblock: %v", err)
	}
}

func TestBlock_keeps_name_and_number_taken(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	account := w.outOfSight(t)
	w.blocked(t, account.ID)
	taken := &accounts.ExistsError{}
	if _, err := w.Register(t.Context(), signUp(byNewHolder)); !errors.As(err, &taken) || taken.Field != accounts.FieldMobile {
		t.Errorf("registration with the number of a blocked account = %v", err)
	}
	if err := w.CheckUnregistered(t.Context(), mobile(t, someMobile)); !errors.As(err, &taken) {
		t.Errorf("CheckUnregistered = %v", err)
	}
	if _, _, err := w.SignInByCode(t.Context(), email(t, someEmail), codeID(verify.Login, someEmail), rightCode, accounts.FirstSignIn{}); !errors.Is(err, accounts.ErrBlocked) {
		t.Errorf("code by mail of a dormant blocked account = %v", err)
	}
}

func TestBlock_of_a_waiting_account(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	account := w.registered(t, byEmail)
	link := w.newestLink(t, account.ID)
	account = w.blocked(t, account.ID)
	if _, err := w.prove(t, link); !errors.Is(err, accounts.ErrBlocked) {
		t.Errorf("link = %v, want ErrBlocked", err)
	}
	if got, err := w.Registered(t.Context(), account.ID, account.SessionGeneration); err != nil || got.ID != "" {
		t.Errorf("Registered = %q, %v", got.ID, err)
	}
	paid := false
	err := w.ResendActivation(t.Context(), email(t, someEmail), accounts.Origin{}, func() error { paid = true; return nil })
	if err != nil || paid || slices.Contains(w.steps(), "renew") {
		t.Errorf("ResendActivation = %v, paid %v: it must send nothing and not tell", err, paid)
	}
	w.clock.Advance(w.Policy.UnprovedTTL + time.Hour)
	if used, err := w.UsernameTaken(t.Context(), account.Username); err != nil || !used {
		t.Errorf("the name is free after the time for the proof: %v", err)
	}
	taken := &accounts.ExistsError{}
	again := signUp(func(r *accounts.SignUp) { r.Mobile = nextMobile })
	if _, err := w.Register(t.Context(), again); !errors.As(err, &taken) || taken.Field != accounts.FieldUsername {
		t.Errorf("registration with the name = %v", err)
	}
}

func TestBlock_of_no_account(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if _, err := w.Block(t.Context(), "no-such-id"); !errors.Is(err, accounts.ErrNotFound) {
		t.Errorf("Block = %v", err)
	}
	if _, err := w.Unblock(t.Context(), "no-such-id"); !errors.Is(err, accounts.ErrNotFound) {
		t.Errorf("Unblock = %v", err)
	}
}
