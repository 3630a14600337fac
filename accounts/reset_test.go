package accounts_test

import (
	"errors"
	"testing"
	"time"

	"usher/accounts"
	"usher/passwords"
	"usher/verify"
)

const newPassword = "another passphrase"

func reset(t *testing.T, number string, changes ...func(*accounts.Reset)) accounts.Reset {
	t.Helper()
	r := accounts.Reset{
		To: mobile(t, number), CodeID: codeID(verify.ResetPassword, number), Code: rightCode,
		Password: newPassword, PasswordRepeat: newPassword,
	}
	for _, change := range changes {
		change(&r)
	}
	return r
}

func TestResetPassword_replaces_the_password(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	before := w.registered(t)
	if err := w.ResetPassword(t.Context(), reset(t, someMobile)); err != nil {
		t.Fatal(err)
	}
	wantSteps(t, w, "spend reset_password", "find mobile", "change password")
	if after := w.people[before.ID]; after.SessionGeneration != before.SessionGeneration+1 {
		t.Errorf("session generation = %d", after.SessionGeneration)
	}
	if _, err := w.SignIn(t.Context(), someMobile, goodPassword, passwords.Later); !errors.Is(err, accounts.ErrCredentials) {
		t.Errorf("old password: %v", err)
	}
	if _, err := w.SignIn(t.Context(), someMobile, newPassword, passwords.Later); err != nil {
		t.Errorf("new password: %v", err)
	}
}

func TestResetPassword_refuses_fields_before_anything_is_spent(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.registered(t)
	for want, change := range map[accounts.Field]func(*accounts.Reset){
		accounts.FieldPassword:       func(r *accounts.Reset) { r.Password, r.PasswordRepeat = "12345678", "12345678" },
		accounts.FieldPasswordRepeat: func(r *accounts.Reset) { r.PasswordRepeat = "something else" },
		accounts.FieldSMSCodeID:      func(r *accounts.Reset) { r.CodeID = "" },
		accounts.FieldSMSCode:        func(r *accounts.Reset) { r.Code = "" },
	} {
		err := w.ResetPassword(t.Context(), reset(t, someMobile, change))
		var fields accounts.FieldErrors
		if !errors.As(err, &fields) || len(fields) != 1 || fields[want] == "" {
			t.Errorf("ResetPassword = %v %v, want a problem of %s", err, fields, want)
		}
	}
	wantSteps(t, w)
}

func TestResetPassword_answers_strangers_alike(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.registered(t)
	w.Passwords = nil // a hash would panic
	for _, number := range []string{someMobile, "13900139000"} {
		err := w.ResetPassword(t.Context(), reset(t, number, func(r *accounts.Reset) { r.Code = "000000" }))
		if !errors.Is(err, verify.ErrWrong) {
			t.Errorf("ResetPassword = %v, want ErrWrong", err)
		}
		wantSteps(t, w, "spend reset_password")
	}
}

func TestResetPassword_restores_the_code_when_it_changed_nothing(t *testing.T) {
	t.Parallel()
	for title, c := range map[string]struct {
		number, password string
		failure          error
		want             error
	}{
		"no account has the number": {"13900139000", newPassword, nil, accounts.ErrNotFound},
		"password is the name":      {someMobile, "WangXiaoMing", nil, accounts.FieldErrors{}},
		"store failed":              {someMobile, newPassword, errAway, errAway},
	} {
		w := newWorld(t)
		w.registered(t, func(r *accounts.SignUp) { r.Username = "wangxiaoming" })
		clear(w.spent)
		w.fail["change password"] = c.failure
		err := w.ResetPassword(t.Context(), reset(t, c.number, func(r *accounts.Reset) {
			r.Password, r.PasswordRepeat = c.password, c.password
		}))
		var fields accounts.FieldErrors
		if isFields := errors.As(err, &fields); err == nil || !isFields && !errors.Is(err, c.want) {
			t.Errorf("%s: ResetPassword = %v, want %v", title, err, c.want)
		}
		if len(w.spent) != 0 {
			t.Errorf("%s: the code stayed spent", title)
		}
	}
}

func TestResetPassword_tells_the_proved_address(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	account := w.proved(t)
	w.fail["enqueue"] = errAway // the mail is in the outbox: the reset is as good as it was
	err := w.ResetPassword(t.Context(), reset(t, someMobile, func(r *accounts.Reset) {
		r.Language, r.RequestID = "en", "request-2"
	}))
	if err != nil {
		t.Fatal(err)
	}
	wantSteps(t, w, "spend reset_password", "find mobile", "change password", "enqueue")
	got := w.mails[len(w.mails)-1]
	want := accounts.Mail{
		ID: got.ID, Purpose: accounts.MailPasswordChanged, Language: "en", To: account.Email, KeyID: "t1",
		NotAfter: w.clock.Now().Add(accounts.UndoWindow).Truncate(time.Second), CreatedAt: w.clock.Now(),
		Facts: accounts.MailFacts{Change: w.changes[0].ID}, RequestID: "request-2",
	}
	if got != want || len(w.mails) != 1 {
		t.Errorf("mail = %+v, want %+v", got, want)
	}
}

func TestResetPassword_tells_no_address_that_is_not_proved(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.registered(t, func(r *accounts.SignUp) { r.Email = someEmail })
	if err := w.ResetPassword(t.Context(), reset(t, someMobile)); err != nil {
		t.Fatal(err)
	}
	wantSteps(t, w, "spend reset_password", "find mobile", "change password")
	if len(w.mails) != 1 {
		t.Errorf("%d mails, want that of the registration alone", len(w.mails))
	}
}
