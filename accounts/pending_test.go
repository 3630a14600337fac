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

// named changes a sign-up to another user name, so that several can wait with one address.
func named(name string) func(*accounts.SignUp) {
	return func(r *accounts.SignUp) { r.Username = name }
}

// declineLink returns the other token of the newest mail.
func (w *world) declineLink(t testing.TB, id string) string {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	token, err := accounts.DeclineToken(w.Keys, accounts.ClaimedMail{Mail: w.mails[len(w.mails)-1], Account: w.people[id]})
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func (w *world) exists(id string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	_, found := w.people[id]
	return found
}

// The reader of the mail did not choose the password that came with the registration.
func TestActivate_outside_the_session_of_the_registration_takes_a_new_password(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	account := w.registered(t, byEmail)
	link := w.newestLink(t, account.ID)
	for _, r := range []accounts.Activation{
		{Token: link},
		{Token: link, Session: "another"},
		{Token: link, Password: goodPassword},
		{Token: link, PasswordRepeat: goodPassword},
		{Token: link, Password: "short", PasswordRepeat: "short"},
		{Token: link, Password: account.Username, PasswordRepeat: account.Username},
		{Token: link, Password: someEmail, PasswordRepeat: someEmail},
	} {
		var fields accounts.FieldErrors
		if _, _, err := w.Activate(t.Context(), r); !errors.As(err, &fields) {
			t.Errorf("Activate with %q and %q = %v, want FieldErrors", r.Password, r.PasswordRepeat, err)
		}
	}
	if w.people[account.ID] != account {
		t.Errorf("a refusal has changed the account: %+v", w.people[account.ID])
	}
	got, opened, err := w.Activate(t.Context(), accounts.Activation{Token: link, Password: newPassword, PasswordRepeat: newPassword})
	if err != nil || !opened || !got.Active || got.Email != email(t, someEmail) || got.SessionGeneration != account.SessionGeneration+1 {
		t.Fatalf("Activate = %+v, opened %v, %v", got, opened, err)
	}
	again, opened, err := w.Activate(t.Context(), accounts.Activation{Token: link, Password: goodPassword, PasswordRepeat: goodPassword})
	if err != nil || opened || again != got {
		t.Errorf("Activate again = %+v, opened %v, %v, want %+v", again, opened, err, got)
	}
	if _, err := w.SignIn(t.Context(), someEmail, goodPassword, passwords.Later); !errors.Is(err, accounts.ErrCredentials) {
		t.Errorf("SignIn with the password of the registration = %v", err)
	}
	if _, err := w.SignIn(t.Context(), someEmail, newPassword, passwords.Later); err != nil {
		t.Errorf("SignIn with the new password = %v", err)
	}
}

func TestActivate_in_the_session_of_the_registration_keeps_its_password(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	account := w.registered(t, byEmail)
	got, opened, err := w.Activate(t.Context(), accounts.Activation{
		Token: w.newestLink(t, account.ID), Session: account.ID, Password: newPassword, PasswordRepeat: newPassword,
	})
	if err != nil || !opened || got.PasswordHash != account.PasswordHash || got.SessionGeneration != account.SessionGeneration {
		t.Errorf("Activate = %+v, opened %v, %v", got, opened, err)
	}
}

// The reader of a mail must neither take an account over nor lend it an address.
func TestActivate_of_an_account_in_use_needs_its_owner(t *testing.T) {
	t.Parallel()
	for name, prepare := range map[string]func(*testing.T, *world) accounts.Account{
		"with a number": func(t *testing.T, w *world) accounts.Account {
			return w.registered(t, func(r *accounts.SignUp) { r.Email = someEmail })
		},
		"with another address": func(t *testing.T, w *world) accounts.Account {
			changed, err := w.ChangeEmail(t.Context(), w.proved(t), accounts.EmailChange{Email: email(t, "next@example.com"), Password: goodPassword})
			if err != nil {
				t.Fatal(err)
			}
			w.mails = w.mails[:1]
			return changed
		},
		"imported, with a number, not active": func(t *testing.T, w *world) accounts.Account {
			account := w.registered(t, func(r *accounts.SignUp) { r.Email = someEmail })
			account.Active = false
			w.people[account.ID] = account
			return account
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			account := prepare(t, w)
			link := w.newestLink(t, account.ID)
			for _, r := range []accounts.Activation{{Token: link}, {Token: link, Session: "another"}, {Token: link, PasswordRepeat: newPassword}} {
				if _, _, err := w.Activate(t.Context(), r); !errors.Is(err, accounts.ErrLinkAlone) {
					t.Errorf("Activate by the link alone = %v, want ErrLinkAlone", err)
				}
			}
			_, _, err := w.Activate(t.Context(), accounts.Activation{Token: link, Password: newPassword, PasswordRepeat: newPassword})
			wantWrongPassword(t, err, accounts.FieldPassword)
			if w.people[account.ID] != account {
				t.Errorf("a refusal has changed the account: %+v", w.people[account.ID])
			}
			got, opened, err := w.Activate(t.Context(), accounts.Activation{Token: link, Password: goodPassword})
			if err != nil || opened || got.Email != account.PendingEmail || got.PasswordHash != account.PasswordHash {
				t.Errorf("Activate with the current password = %+v, opened %v, %v", got, opened, err)
			}
		})
	}
}

func TestActivate_lets_the_first_proof_win(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	lost := w.registered(t, byEmail, named("first_one"))
	lostLink := w.newestLink(t, lost.ID)
	inUse := w.registered(t, func(r *accounts.SignUp) { r.Username, r.Email = "in_use", someEmail })
	winner := w.registered(t, byEmail, named("winner_1"))
	if _, err := w.prove(t, w.newestLink(t, winner.ID)); err != nil {
		t.Fatal(err)
	}
	if w.exists(lost.ID) {
		t.Error("an account that has nothing else waits on for an address that another one has proved")
	}
	if got := w.people[inUse.ID]; !got.PendingEmail.IsZero() || !got.Active {
		t.Errorf("the account in use = %+v, want it without the address", got)
	}
	if _, err := w.prove(t, lostLink); !errors.Is(err, accounts.ErrLinkInvalid) {
		t.Errorf("Activate of the loser = %v, want ErrLinkInvalid", err)
	}
	var exists *accounts.ExistsError
	if _, err := w.Register(t.Context(), signUp(byEmail, named("too_late"))); !errors.As(err, &exists) || exists.Field != accounts.FieldEmail {
		t.Errorf("Register with a proved address = %v, want ExistsError", err)
	}
	if got, err := w.SignIn(t.Context(), someEmail, goodPassword, passwords.Later); err != nil || got.ID != winner.ID {
		t.Errorf("SignIn = %v, %v", got.Username, err)
	}
}

func TestActivate_of_those_who_come_too_late_says_so(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	account := w.registered(t, byEmail)
	link := w.newestLink(t, account.ID)
	w.fail["activate"] = &accounts.ExistsError{Field: accounts.FieldEmail}
	w.fail["release"] = errAway // which is left to periodic work
	var exists *accounts.ExistsError
	if _, err := w.prove(t, link); !errors.As(err, &exists) {
		t.Errorf("Activate = %v, want ExistsError", err)
	}
	wantSteps(t, w, "find id", "activate", "release")
}

func TestDecline_frees_the_address_and_keeps_mails_away(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	waiting := w.registered(t, byEmail)
	inUse := w.registered(t, func(r *accounts.SignUp) { r.Username, r.Email = "in_use", someEmail })
	link := w.declineLink(t, inUse.ID)
	for range 2 {
		if err := w.Decline(t.Context(), link); err != nil {
			t.Fatal(err)
		}
	}
	if w.exists(waiting.ID) {
		t.Error("the account that had nothing else is there")
	}
	if got := w.people[inUse.ID]; !got.PendingEmail.IsZero() || !got.Active {
		t.Errorf("the account in use = %+v, want it without the address", got)
	}
	mails := len(w.mails)
	ask := map[string]func() error{
		"registration": func() error { _, err := w.Register(t.Context(), signUp(byEmail, named("again_1"))); return err },
		"resend": func() error {
			return w.ResendActivation(t.Context(), email(t, someEmail), accounts.Origin{}, free)
		},
		"change": func() error {
			_, err := w.ChangeEmail(t.Context(), w.people[inUse.ID], accounts.EmailChange{Email: email(t, someEmail), Password: goodPassword})
			return err
		},
	}
	for name, do := range ask {
		var limit *verify.LimitError
		if err := do(); !errors.As(err, &limit) || limit.RetryAfter != 24*time.Hour {
			t.Errorf("%s = %v, want a LimitError of a day", name, err)
		}
	}
	if len(w.mails) != mails {
		t.Errorf("%d mails were filed", len(w.mails)-mails)
	}
	w.clock.Advance(24 * time.Hour)
	for _, name := range []string{"registration", "resend", "change"} {
		if err := ask[name](); err != nil {
			t.Errorf("%s a day later = %v", name, err)
		}
	}
}

func TestDecline_leaves_a_proved_address_alone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	account := w.registered(t, byEmail)
	decline := w.declineLink(t, account.ID)
	proved, err := w.prove(t, w.newestLink(t, account.ID))
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Decline(t.Context(), decline); err != nil || w.people[account.ID] != proved {
		t.Errorf("Decline = %v, the account is %+v", err, w.people[account.ID])
	}
}

func TestDecline_takes_its_own_links_only(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	account := w.registered(t, byEmail)
	activate, decline := w.newestLink(t, account.ID), w.declineLink(t, account.ID)
	for _, text := range []string{"", "noise", activate, decline[:len(decline)-1]} {
		if err := w.Decline(t.Context(), text); !errors.Is(err, accounts.ErrLinkInvalid) {
			t.Errorf("Decline of %.10q = %v, want ErrLinkInvalid", text, err)
		}
	}
	if _, _, err := w.Activate(t.Context(), accounts.Activation{Token: decline, Session: account.ID}); !errors.Is(err, accounts.ErrLinkInvalid) {
		t.Errorf("Activate by the other link = %v, want ErrLinkInvalid", err)
	}
	w.clock.Advance(25*time.Hour - time.Second)
	if err := w.Decline(t.Context(), decline); err != nil {
		t.Errorf("Decline the next day = %v", err)
	}
	w.clock.Advance(time.Second)
	if err := w.Decline(t.Context(), decline); !errors.Is(err, accounts.ErrLinkExpired) {
		t.Errorf("Decline at its end = %v, want ErrLinkExpired", err)
	}
	if err := w.Decline(t.Context(), activate); !errors.Is(err, accounts.ErrLinkInvalid) {
		t.Errorf("Decline of an old activation link = %v, want ErrLinkInvalid", err)
	}
}

func TestRegister_takes_the_name_of_an_account_whose_proof_ran_out(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	old := w.registered(t, byEmail)
	taken := func() bool {
		taken, err := w.UsernameTaken(t.Context(), old.Username)
		if err != nil {
			t.Fatal(err)
		}
		return taken
	}
	w.clock.Advance(24 * time.Hour)
	var exists *accounts.ExistsError
	if _, err := w.Register(t.Context(), signUp()); !errors.As(err, &exists) || !taken() {
		t.Errorf("Register with a name that waits = %v, want ExistsError", err)
	}
	w.clock.Advance(accounts.HoldName)
	if _, err := w.Register(t.Context(), signUp()); !errors.As(err, &exists) || !taken() {
		t.Errorf("Register with a name that is held = %v, want ExistsError", err)
	}
	w.clock.Advance(time.Second)
	if taken() || !w.exists(old.ID) {
		t.Error("a question whether the name is taken says yes, or has deleted the account")
	}
	if _, err := w.Register(t.Context(), signUp()); err != nil || w.exists(old.ID) {
		t.Errorf("Register with a name that has run out = %v", err)
	}
}

func TestRegister_leaves_names_that_do_not_run_out(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*accounts.Account){
		"imported":           func(a *accounts.Account) { a.PendingEmailAt = time.Time{} },
		"active":             func(a *accounts.Account) { a.Active = true },
		"with a number":      func(a *accounts.Account) { a.Mobile = mobile(t, "13900139000") },
		"with an address":    func(a *accounts.Account) { a.Email = email(t, "other@example.com") },
		"without any":        func(a *accounts.Account) { a.PendingEmail = contact.Email{} },
		"asked for just now": func(a *accounts.Account) { a.PendingEmailAt = a.PendingEmailAt.Add(time.Hour) },
	} {
		w := newWorld(t)
		old := w.registered(t, byEmail)
		change(&old)
		w.people[old.ID] = old
		w.clock.Advance(25 * time.Hour)
		var exists *accounts.ExistsError
		if _, err := w.Register(t.Context(), signUp()); !errors.As(err, &exists) || !w.exists(old.ID) {
			t.Errorf("%s: Register = %v, want ExistsError", name, err)
		}
	}
}

func TestSignIn_by_an_address_that_waits_tells_nothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	account := w.registered(t, byEmail)
	if _, err := w.SignIn(t.Context(), someEmail, goodPassword, passwords.Later); !errors.Is(err, accounts.ErrCredentials) {
		t.Errorf("SignIn by the address = %v, want ErrCredentials", err)
	}
	if _, err := w.SignIn(t.Context(), account.Username, goodPassword, passwords.Later); !errors.Is(err, accounts.ErrNotActive) {
		t.Errorf("SignIn by the name = %v, want ErrNotActive", err)
	}
}
