package accounts_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"usher/accounts"
	"usher/contact"
	"usher/internal/testkit"
	"usher/passwords"
	"usher/verify"
)

// apply is what the store's changes have in common.
func (w memory) apply(step string, was accounts.Account, kept *accounts.Change, change func(*accounts.Account), mails ...*accounts.Mail) (accounts.Account, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.note(step); err != nil {
		return accounts.Account{}, err
	}
	w.file(kept)
	a := w.people[was.ID]
	change(&a)
	w.people[a.ID] = a
	w.fileMails(mails...)
	return a, nil
}

func (w memory) ChangePassword(_ context.Context, was accounts.Account, hash string, kept *accounts.Change) (accounts.Account, error) {
	return w.apply("change password", was, kept, func(a *accounts.Account) {
		a.PasswordHash = hash
		a.SessionGeneration++
	})
}

func (w memory) ChangeEmail(_ context.Context, was accounts.Account, email contact.Email, link *accounts.Mail, kept *accounts.Change) (accounts.Account, error) {
	return w.apply("change email", was, kept, func(a *accounts.Account) {
		a.PendingEmail, a.PendingEmailAt = email, kept.At
		if a.Email.IsZero() {
			a.EmailChangedAt = kept.At
		}
		a.ActivationGeneration++
	}, link)
}

func (w memory) ReplaceEmail(_ context.Context, was accounts.Account, email contact.Email, kept *accounts.Change) (accounts.Account, error) {
	return w.apply("replace email", was, kept, func(a *accounts.Account) {
		a.Email, a.EmailChangedAt, a.PendingEmail, a.PendingEmailAt = email, kept.At, contact.Email{}, time.Time{}
		a.ActivationGeneration++
		a.SessionGeneration++
	})
}

func (w memory) ChangeMobile(_ context.Context, was accounts.Account, mobile contact.Mobile, kept *accounts.Change) (accounts.Account, error) {
	return w.apply("change mobile", was, kept, func(a *accounts.Account) {
		a.Mobile, a.MobileChangedAt, a.PendingMobile = mobile, kept.At, contact.Mobile{}
		a.SessionGeneration++
	})
}

// proved is an account with a number and a proved address; the steps and mails that led there are forgotten.
func (w *world) proved(t *testing.T) accounts.Account {
	t.Helper()
	account := w.registered(t, func(r *accounts.SignUp) { r.Email = someEmail })
	account, err := w.prove(t, w.newestLink(t, account.ID))
	if err != nil {
		t.Fatal(err)
	}
	w.steps()
	w.mails = nil
	return account
}

// wantWrongPassword looks whether the error is about the current password, in this field.
func wantWrongPassword(t *testing.T, err error, field accounts.Field) {
	t.Helper()
	var wrong *accounts.PasswordError
	if !errors.As(err, &wrong) || wrong.Field != field {
		t.Errorf("with a wrong password: %v, want a PasswordError of %s", err, field)
	}
}

// wantProblem looks whether the error is about this field only.
func wantProblem(t *testing.T, err error, field accounts.Field, problem accounts.Problem) {
	t.Helper()
	var fields accounts.FieldErrors
	if !errors.As(err, &fields) || len(fields) != 1 || fields[field] != problem {
		t.Errorf("got %v %v, want %s %s", err, fields, field, problem)
	}
}

func passwordChange(changes ...func(*accounts.PasswordChange)) accounts.PasswordChange {
	r := accounts.PasswordChange{
		Current: goodPassword, Password: newPassword, PasswordRepeat: newPassword, Origin: accounts.Origin{Language: "en", RequestID: "r-1"},
	}
	for _, change := range changes {
		change(&r)
	}
	return r
}

func TestChangePassword_replaces_it_and_tells_the_proved_address(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	before := w.proved(t)
	after, err := w.ChangePassword(t.Context(), before, passwordChange())
	if err != nil || after.SessionGeneration != before.SessionGeneration+1 {
		t.Fatalf("ChangePassword = generation %d, %v", after.SessionGeneration, err)
	}
	wantSteps(t, w, "change password", "enqueue")
	if len(w.mails) != 1 || w.mails[0].Purpose != accounts.MailPasswordChanged || w.mails[0].To != before.Email ||
		w.mails[0].Language != "en" || w.mails[0].RequestID != "r-1" {
		t.Errorf("mails = %+v", w.mails)
	}
	if _, err := w.SignIn(t.Context(), before.Username, goodPassword, passwords.Later); !errors.Is(err, accounts.ErrCredentials) {
		t.Errorf("SignIn with the password before = %v", err)
	}
	if _, err := w.SignIn(t.Context(), before.Username, newPassword, passwords.Later); err != nil {
		t.Errorf("SignIn with the new password = %v", err)
	}
}

func TestChangePassword_tells_no_address_that_is_not_proved(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	account := w.registered(t, func(r *accounts.SignUp) { r.Email = someEmail })
	w.mails = nil
	if _, err := w.ChangePassword(t.Context(), account, passwordChange()); err != nil {
		t.Fatal(err)
	}
	if wantSteps(t, w, "change password"); len(w.mails) != 0 {
		t.Errorf("mails = %+v", w.mails)
	}
}

func TestChangePassword_refuses(t *testing.T) {
	t.Parallel()
	type request = accounts.PasswordChange
	set := func(password string) func(*request) {
		return func(r *request) { r.Password, r.PasswordRepeat = password, password }
	}
	for name, c := range map[string]struct {
		change  func(*request)
		field   accounts.Field
		problem accounts.Problem
	}{
		"no current password":             {func(r *request) { r.Current = "" }, accounts.FieldPasswordCurrent, accounts.Missing},
		"the same password":               {set(goodPassword), accounts.FieldPassword, accounts.Unchanged},
		"a short password":                {set("short"), accounts.FieldPassword, accounts.TooShort},
		"a common password":               {set("12345678"), accounts.FieldPassword, accounts.TooCommon},
		"the name as password":            {set("wangxiaoming"), accounts.FieldPassword, accounts.TooCommon},
		"two passwords":                   {func(r *request) { r.PasswordRepeat = "something else" }, accounts.FieldPasswordRepeat, accounts.Different},
		"the same one, spelled otherwise": {set("ｃorrect horse 电池"), accounts.FieldPassword, accounts.Unchanged},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			account := w.registered(t, func(r *accounts.SignUp) { r.Username = "WangXiaoMing" })
			_, err := w.ChangePassword(t.Context(), account, passwordChange(c.change))
			wantProblem(t, err, c.field, c.problem)
			wantSteps(t, w)
		})
	}
}

func TestChanges_ask_for_the_current_password(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	account := w.proved(t)
	for _, wrong := range []string{"not this one", strings.Repeat("x", 5000), "a\x00b"} {
		w.steps()
		_, err := w.ChangePassword(t.Context(), account, passwordChange(func(r *accounts.PasswordChange) { r.Current = wrong }))
		wantWrongPassword(t, err, accounts.FieldPasswordCurrent)
		_, err = w.ChangeEmail(t.Context(), account, accounts.EmailChange{Email: email(t, "next@example.com"), Password: wrong})
		wantWrongPassword(t, err, accounts.FieldPassword)
		_, err = w.ChangeMobile(t.Context(), account, mobileChange(t, func(r *accounts.MobileChange) { r.Password = wrong }))
		wantWrongPassword(t, err, accounts.FieldPassword)
		wantSteps(t, w, "spend change_mobile", "exists mobile", "restore")
	}
	if testkit.FindSecrets(w.log.Bytes(), "not this one") != nil {
		t.Error("the log holds the password that was tried")
	}
}

func TestChanges_take_an_imported_password(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	account := w.proved(t)
	account.PasswordHash = djangoHash // of a password that NFKC changes
	_, err := w.ChangePassword(t.Context(), account, passwordChange(func(r *accounts.PasswordChange) { r.Current = "ｐassword电池" }))
	if err != nil {
		t.Errorf("ChangePassword = %v", err)
	}
}

func TestChanges_wait_for_a_free_slot(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	account := w.proved(t)
	w.Passwords = busyHasher{}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := w.ChangePassword(ctx, account, passwordChange()); !errors.Is(err, context.Canceled) {
		t.Errorf("ChangePassword = %v, want the context's error", err)
	}
	wantSteps(t, w)
}

func TestChangeEmail_asks_for_a_proof_and_tells_the_address_before(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	before, next := w.proved(t), email(t, "next@example.com")
	after, err := w.ChangeEmail(t.Context(), before, accounts.EmailChange{
		Email: next, Password: goodPassword, Origin: accounts.Origin{Language: "en", RequestID: "r-1"},
	})
	if err != nil || after.Email != before.Email || after.PendingEmail != next || !after.Active {
		t.Fatalf("ChangeEmail = %v, pending %v, active %v, %v", after.Email, after.PendingEmail, after.Active, err)
	}
	wantSteps(t, w, "exists email", "declined", "change email", "enqueue", "enqueue")
	if len(w.mails) != 2 || w.mails[1].Purpose != accounts.MailActivation || !w.mails[1].To.IsZero() ||
		w.mails[0].Purpose != accounts.MailEmailAsked || w.mails[0].To != before.Email || w.mails[0].Facts.Present != next.String() {
		t.Errorf("mails = %+v", w.mails)
	}
	if _, err := w.SignIn(t.Context(), someEmail, goodPassword, passwords.Later); err != nil {
		t.Errorf("SignIn by the address before, while the next one is not proved = %v", err)
	}
	if _, err := w.SignIn(t.Context(), "next@example.com", goodPassword, passwords.Later); !errors.Is(err, accounts.ErrCredentials) {
		t.Errorf("SignIn by an address that is not proved = %v", err)
	}
	if got, err := w.prove(t, w.newestLink(t, before.ID)); err != nil || got.Email != next {
		t.Errorf("Activate = %v, %v", got.Email, err)
	}
	if _, err := w.SignIn(t.Context(), someEmail, goodPassword, passwords.Later); !errors.Is(err, accounts.ErrCredentials) {
		t.Errorf("SignIn by the address before = %v", err)
	}
	if _, err := w.SignIn(t.Context(), "next@example.com", goodPassword, passwords.Later); err != nil {
		t.Errorf("SignIn by the address after = %v", err)
	}
}

func TestChangeEmail_keeps_an_account_without_a_number_open(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	account := w.registered(t, byEmail)
	account, err := w.prove(t, w.newestLink(t, account.ID))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.ChangeEmail(t.Context(), account, accounts.EmailChange{Email: email(t, "mistyped@example.com"), Password: goodPassword}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.SignIn(t.Context(), account.Username, goodPassword, passwords.Later); err != nil {
		t.Errorf("SignIn after a change to a mistyped address = %v", err)
	}
}

func TestChangeEmail_refuses(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	account := w.proved(t)
	_, err := w.ChangeEmail(t.Context(), account, accounts.EmailChange{Email: account.Email, Password: goodPassword})
	wantProblem(t, err, accounts.FieldEmail, accounts.Unchanged)
	_, err = w.ChangeEmail(t.Context(), account, accounts.EmailChange{Email: email(t, "next@example.com")})
	wantProblem(t, err, accounts.FieldPassword, accounts.Missing)
	w.registered(t, byEmail, func(r *accounts.SignUp) { r.Username, r.Email = "somebody_else", "taken@example.com" })
	if _, err := w.prove(t, w.newestLink(t, w.byName(t, "somebody_else").ID)); err != nil {
		t.Fatal(err)
	}
	var exists *accounts.ExistsError
	_, err = w.ChangeEmail(t.Context(), account, accounts.EmailChange{Email: email(t, "taken@example.com"), Password: goodPassword})
	if !errors.As(err, &exists) || exists.Field != accounts.FieldEmail {
		t.Errorf("ChangeEmail to an address that another account has proved = %v", err)
	}
	for _, refusal := range []error{accounts.ErrChanged, errAway} {
		w.steps()
		w.fail["change email"] = refusal
		_, err = w.ChangeEmail(t.Context(), account, accounts.EmailChange{Email: email(t, "next@example.com"), Password: goodPassword})
		if !errors.Is(err, refusal) {
			t.Errorf("ChangeEmail = %v, want %v", err, refusal)
		}
		wantSteps(t, w, "exists email", "declined", "change email") // nothing is enqueued that was not filed
	}
}

func mobileChange(t *testing.T, changes ...func(*accounts.MobileChange)) accounts.MobileChange {
	t.Helper()
	r := accounts.MobileChange{
		Mobile: mobile(t, "13900139000"), SMSCodeID: codeID(verify.ChangeMobile, "13900139000"), SMSCode: rightCode, Password: goodPassword,
	}
	for _, change := range changes {
		change(&r)
	}
	return r
}

func TestChangeMobile_spends_the_code_of_the_new_number(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	before := w.proved(t)
	after, err := w.ChangeMobile(t.Context(), before, mobileChange(t))
	if err != nil || after.Mobile != mobile(t, "13900139000") {
		t.Fatalf("ChangeMobile = %v, %v", after.Mobile, err)
	}
	wantSteps(t, w, "spend change_mobile", "exists mobile", "change mobile", "enqueue")
	if _, err := w.ChangeMobile(t.Context(), before, mobileChange(t)); err == nil {
		t.Error("the code worked twice")
	}
	if _, _, err := w.SignInByCode(t.Context(), after.Mobile, codeID(verify.Login, "13900139000"), rightCode, accounts.FirstSignIn{}); err != nil {
		t.Errorf("SignInByCode with the new number = %v", err)
	}
}

func TestChangeMobile_refuses_before_the_code_is_spent(t *testing.T) {
	t.Parallel()
	type request = accounts.MobileChange
	w := newWorld(t)
	account := w.proved(t)
	for _, c := range []struct {
		field   accounts.Field
		problem accounts.Problem
		change  func(*request)
	}{
		{accounts.FieldMobile, accounts.Unchanged, func(r *request) { r.Mobile = account.Mobile }},
		{accounts.FieldSMSCodeID, accounts.Missing, func(r *request) { r.SMSCodeID = "" }},
		{accounts.FieldSMSCode, accounts.Missing, func(r *request) { r.SMSCode = "" }},
		{accounts.FieldPassword, accounts.Missing, func(r *request) { r.Password = "" }},
	} {
		_, err := w.ChangeMobile(t.Context(), account, mobileChange(t, c.change))
		wantProblem(t, err, c.field, c.problem)
	}
	wantSteps(t, w)
	w.registered(t, func(r *accounts.SignUp) { r.Username, r.Mobile = "somebody_else", "13900139000" })
	clear(w.spent)
	var exists *accounts.ExistsError
	_, err := w.ChangeMobile(t.Context(), account, mobileChange(t))
	if !errors.As(err, &exists) || exists.Field != accounts.FieldMobile {
		t.Errorf("ChangeMobile to a taken number = %v", err)
	}
	wantSteps(t, w, "spend change_mobile", "exists mobile", "restore")
}

func TestChangeMobile_restores_the_code_when_it_changed_nothing(t *testing.T) {
	t.Parallel()
	for _, refusal := range []error{&accounts.ExistsError{Field: accounts.FieldMobile}, accounts.ErrChanged, errAway} {
		w := newWorld(t)
		account := w.proved(t)
		w.fail["change mobile"] = refusal
		if _, err := w.ChangeMobile(t.Context(), account, mobileChange(t)); !errors.Is(err, refusal) {
			t.Errorf("ChangeMobile = %v, want %v", err, refusal)
		}
		wantSteps(t, w, "spend change_mobile", "exists mobile", "change mobile", "restore")
		delete(w.fail, "change mobile")
		if _, err := w.ChangeMobile(t.Context(), account, mobileChange(t)); err != nil {
			t.Errorf("ChangeMobile with the code that was given back = %v", err)
		}
	}
	w := newWorld(t)
	account := w.proved(t)
	w.Passwords = nil // a hash would panic
	_, err := w.ChangeMobile(t.Context(), account, mobileChange(t, func(r *accounts.MobileChange) { r.SMSCode = "000000" }))
	if !errors.Is(err, verify.ErrWrong) {
		t.Errorf("ChangeMobile with a wrong code = %v", err)
	}
	wantSteps(t, w, "spend change_mobile")
}
