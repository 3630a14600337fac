package accounts_test

import (
	"errors"
	"testing"
	"time"

	"usher/accounts"
	"usher/contact"
	"usher/passwords"
	"usher/verify"
)

const recheck = 180 * 24 * time.Hour

// outOfSight is an account with a number and a proved address that was not seen for as long as it takes.
func (w *world) outOfSight(t *testing.T) accounts.Account {
	t.Helper()
	account := w.proved(t)
	w.Policy.NumberRecheck = recheck
	w.clock.Advance(recheck)
	clear(w.spent)
	return account
}

// byNewHolder registers with the number of the account that was not seen for long.
func byNewHolder(r *accounts.SignUp) { r.Username = "new_holder" }

func TestSignInByCode_of_an_account_not_seen_for_long(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	account := w.outOfSight(t)
	number := mobile(t, someMobile)
	if _, _, err := w.SignInByCode(t.Context(), number, codeID(verify.Login, someMobile), "000000", accounts.FirstSignIn{}); !errors.Is(err, verify.ErrWrong) {
		t.Errorf("with a wrong code: %v", err)
	}
	if _, _, err := w.SignInByCode(t.Context(), number, codeID(verify.Login, someMobile), rightCode, accounts.FirstSignIn{}); !errors.Is(err, accounts.ErrSecondProof) {
		t.Errorf("SignInByCode = %v, want ErrSecondProof", err)
	}
	if err := w.ResetPassword(t.Context(), reset(t, someMobile)); !errors.Is(err, accounts.ErrSecondProof) {
		t.Errorf("ResetPassword = %v, want ErrSecondProof", err)
	}
	if len(w.spent) != 0 {
		t.Error("a refusal has cost a code")
	}
	for _, login := range []string{account.Username, someMobile, someEmail} {
		if got, err := w.SignIn(t.Context(), login, goodPassword, passwords.Later); err != nil || got.ID != account.ID {
			t.Errorf("SignIn as %q with the password = %v", login, err)
		}
	}
	if _, _, err := w.SignInByCode(t.Context(), number, codeID(verify.Login, someMobile), rightCode, accounts.FirstSignIn{}); err != nil {
		t.Errorf("SignInByCode of an account that has just been seen = %v", err)
	}
}

func TestSignInByCode_opens_what_has_no_second_proof_or_was_seen(t *testing.T) {
	t.Parallel()
	for title, change := range map[string]func(w *world, a *accounts.Account){
		"neither password nor address": func(_ *world, a *accounts.Account) { a.PasswordHash, a.Email = "", contact.Email{} },
		"seen a moment ago":            func(w *world, a *accounts.Account) { a.SeenAt = w.clock.Now().Add(time.Second - recheck) },
		"switched off":                 func(w *world, _ *accounts.Account) { w.Policy.NumberRecheck = 0 },
		"older than the column": func(w *world, a *accounts.Account) {
			a.SeenAt, a.UpdatedAt = time.Time{}, w.clock.Now().Add(time.Second-recheck)
		},
	} {
		w := newWorld(t)
		account := w.outOfSight(t)
		change(w, &account)
		w.people[account.ID] = account
		if got, _, err := w.SignInByCode(t.Context(), account.Mobile, codeID(verify.Login, someMobile), rightCode, accounts.FirstSignIn{}); err != nil || got.ID != account.ID {
			t.Errorf("%s: SignInByCode = %v", title, err)
		}
	}
}

func TestSeen_is_noted_once_a_day(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	account := w.registered(t)
	w.Seen(t.Context(), account)
	wantSteps(t, w)
	w.clock.Advance(24 * time.Hour)
	w.Seen(t.Context(), account)
	wantSteps(t, w, "find claimed_mobile", "seen")
	w.Seen(t.Context(), w.found(t, account.ID))
	wantSteps(t, w, "find id")
	w.clock.Advance(24 * time.Hour)
	w.fail["seen"] = errAway
	if _, err := w.SignIn(t.Context(), someMobile, goodPassword, passwords.Later); err != nil {
		t.Errorf("SignIn while the store cannot note it = %v", err)
	}
}

func TestRegister_with_the_number_of_an_account_not_seen_for_long(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	holder := w.outOfSight(t)
	account, err := w.Register(t.Context(), signUp(byNewHolder, func(r *accounts.SignUp) { r.Network = "203.0.113.0/24" }))
	if err != nil {
		t.Fatal(err)
	}
	if !account.Active || !account.Mobile.IsZero() || account.PendingMobile != holder.Mobile || !account.PendingMobileAt.Equal(w.clock.Now()) {
		t.Errorf("new account: active %t, mobile %v, pending %v", account.Active, account.Mobile, account.PendingMobile)
	}
	if w.found(t, holder.ID).Mobile != holder.Mobile {
		t.Error("the number has left its account at once")
	}
	told := w.mails[len(w.mails)-1]
	if told.Purpose != accounts.MailNumberClaimed || told.To != holder.Email || told.Facts.Former != holder.Mobile.String() || told.Network != "203.0.113.0/24" {
		t.Errorf("mail = %+v", told)
	}
	clear(w.spent)
	if got, _, err := w.SignInByCode(t.Context(), holder.Mobile, codeID(verify.Login, someMobile), rightCode, accounts.FirstSignIn{}); err != nil || got.ID != account.ID {
		t.Errorf("SignInByCode with the claimed number = %v, %v, want the new account", got.Username, err)
	}
	clear(w.spent)
	_, err = w.Register(t.Context(), signUp(func(r *accounts.SignUp) { r.Username = "third_1" }))
	if exists, ok := errors.AsType[*accounts.ExistsError](err); !ok || exists.Field != accounts.FieldMobile {
		t.Errorf("a second registration with the claimed number = %v", err)
	}
	if err := w.undoByCode(t, someMobile); !errors.Is(err, accounts.ErrNothingToUndo) {
		t.Errorf("a code of the claimed number takes the account before over: %v", err)
	}
}

func TestRegister_with_the_number_of_an_account_in_use(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.proved(t)
	w.Policy.NumberRecheck = recheck
	w.clock.Advance(recheck - time.Second)
	clear(w.spent)
	_, err := w.Register(t.Context(), signUp(byNewHolder))
	if exists, ok := errors.AsType[*accounts.ExistsError](err); !ok || exists.Field != accounts.FieldMobile {
		t.Errorf("Register = %v, want ExistsError of the mobile", err)
	}
}

func TestSignIn_ends_a_claim_on_the_number(t *testing.T) {
	t.Parallel()
	for title, signIn := range map[string]func(w *world, holder accounts.Account) error{
		"with the password": func(w *world, holder accounts.Account) error {
			_, err := w.SignIn(t.Context(), holder.Username, goodPassword, passwords.Later)
			return err
		},
		"by the mail's link": func(w *world, holder accounts.Account) error {
			_, err := w.UndoChange(t.Context(), undoBy(w.link(t, accounts.MailNumberClaimed, holder.Email)))
			return err
		},
	} {
		w := newWorld(t)
		holder := w.outOfSight(t)
		claimer, err := w.Register(t.Context(), signUp(byNewHolder))
		if err != nil {
			t.Fatal(err)
		}
		if err := signIn(w, holder); err != nil {
			t.Fatalf("%s: %v", title, err)
		}
		if got := w.found(t, claimer.ID); !got.PendingMobile.IsZero() {
			t.Errorf("%s: the claim goes on", title)
		}
		clear(w.spent)
		if got, _, err := w.SignInByCode(t.Context(), holder.Mobile, codeID(verify.Login, someMobile), rightCode, accounts.FirstSignIn{}); err != nil || got.ID != holder.ID {
			t.Errorf("%s: SignInByCode opens %q, %v", title, got.Username, err)
		}
	}
}

func TestSignIn_tells_the_account_whose_claim_it_ends(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	holder := w.outOfSight(t)
	claimer, err := w.Register(t.Context(), signUp(byNewHolder))
	if err != nil {
		t.Fatal(err)
	}
	claimer.Email = email(t, nextEmail) // proved since
	w.people[claimer.ID] = claimer
	if _, err := w.SignIn(t.Context(), holder.Username, goodPassword, passwords.Later); err != nil {
		t.Fatal(err)
	}
	told := w.mails[len(w.mails)-1]
	if told.Purpose != accounts.MailClaimEnded || told.To != claimer.Email || told.Facts.Present != holder.Mobile.String() {
		t.Errorf("mail = %+v", told)
	}
}
