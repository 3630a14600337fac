package accounts_test

import (
	"errors"
	"testing"
	"time"

	"usher/accounts"
	"usher/passwords"
	"usher/verify"
)

// byMailCode is a sign-up whose address a code proves.
func byMailCode(r *accounts.SignUp) {
	byEmail(r)
	withMailCode(r)
}

func withMailCode(r *accounts.SignUp) {
	r.Email, r.EmailCodeID, r.EmailCode = someEmail, codeID(verify.Register, someEmail), rightCode
}

// mailOnly is an account whose only contact is a proved address.
func (w *world) mailOnly(t *testing.T) accounts.Account {
	t.Helper()
	return w.registered(t, byMailCode)
}

func resetByMail(t *testing.T, changes ...func(*accounts.Reset)) accounts.Reset {
	t.Helper()
	return reset(t, someMobile, append([]func(*accounts.Reset){func(r *accounts.Reset) {
		r.To, r.CodeID = email(t, someEmail), codeID(verify.ResetPassword, someEmail)
	}}, changes...)...)
}

func (w *world) signInByMail(t *testing.T, address, code string) (accounts.Account, error) {
	t.Helper()
	account, _, err := w.SignInByCode(t.Context(), email(t, address), codeID(verify.Login, address), code, accounts.FirstSignIn{})
	return account, err
}

func (w *world) wantNothingSpent(t *testing.T) {
	t.Helper()
	if len(w.spent) != 0 {
		t.Errorf("codes stayed spent: %v", w.spent)
	}
}

func TestRegister_by_mail_code_proves_the_address_at_once(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	account, err := w.Register(t.Context(), signUp(byMailCode))
	if err != nil {
		t.Fatal(err)
	}
	if !account.Active || account.Email != email(t, someEmail) || !account.PendingEmail.IsZero() || !account.EmailChangedAt.IsZero() {
		t.Errorf("account = %+v", account)
	}
	wantSteps(t, w, "spend register", "exists username", "exists email", "create", "release")
	if len(w.mails) != 0 {
		t.Errorf("mails = %+v, want none: there is nothing left to prove", w.mails)
	}
	if _, err := w.SignIn(t.Context(), someEmail, goodPassword, passwords.Later); err != nil {
		t.Errorf("SignIn by the address = %v", err)
	}
}

func TestRegister_by_both_codes_proves_both_contacts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	account, err := w.Register(t.Context(), signUp(withMailCode))
	if err != nil || account.Mobile != mobile(t, someMobile) || account.Email != email(t, someEmail) {
		t.Fatalf("Register = %+v, %v", account, err)
	}
	wantSteps(t, w, "spend register", "spend register", "exists username", "exists email", "find mobile", "exists claimed_mobile", "create", "release")
}

func TestRegister_by_both_codes_spends_both_or_neither(t *testing.T) {
	t.Parallel()
	for title, c := range map[string]struct {
		change func(*accounts.SignUp)
		fail   string
		want   error
	}{
		"wrong code by mail":          {func(r *accounts.SignUp) { r.EmailCode = "000000" }, "", verify.ErrWrong},
		"wrong code by SMS":           {func(r *accounts.SignUp) { r.SMSCode = "000000" }, "", verify.ErrWrong},
		"code for another address":    {func(r *accounts.SignUp) { r.Email = "other@example.com" }, "", verify.ErrExpired},
		"code of another purpose":     {func(r *accounts.SignUp) { r.EmailCodeID = codeID(verify.Login, someEmail) }, "", verify.ErrExpired},
		"the account was not written": {func(*accounts.SignUp) {}, "create", errAway},
		"the look-up failed":          {func(*accounts.SignUp) {}, "exists email", errAway},
	} {
		w := newWorld(t)
		w.fail[c.fail] = c.want
		if _, err := w.Register(t.Context(), signUp(withMailCode, c.change)); !errors.Is(err, c.want) {
			t.Errorf("%s: Register = %v, want %v", title, err, c.want)
		}
		w.wantNothingSpent(t)
	}
}

func TestRegister_asks_for_all_of_a_mail_code_before_anything_is_spent(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		field  accounts.Field
		change func(*accounts.SignUp)
	}{
		{accounts.FieldEmailCode, func(r *accounts.SignUp) { r.EmailCode = "" }},
		{accounts.FieldEmailCodeID, func(r *accounts.SignUp) { r.EmailCodeID = "" }},
	} {
		w := newWorld(t)
		_, err := w.Register(t.Context(), signUp(byMailCode, c.change))
		wantProblem(t, err, c.field, accounts.Missing)
		wantSteps(t, w)
	}
	w := newWorld(t)
	_, err := w.Register(t.Context(), signUp(withMailCode, func(r *accounts.SignUp) { r.Email = "" }))
	wantProblem(t, err, accounts.FieldEmail, accounts.Missing)
}

func TestRegister_by_mail_code_learns_of_other_accounts_after_the_code_alone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.mailOnly(t)
	clear(w.spent)
	again := signUp(byMailCode, func(r *accounts.SignUp) { r.Username = "somebody_2" })
	hasher := w.Passwords
	w.Passwords = nil // a hash would panic
	wrong := again
	wrong.EmailCode = "000000"
	if _, err := w.Register(t.Context(), wrong); !errors.Is(err, verify.ErrWrong) {
		t.Errorf("Register with a wrong code = %v", err)
	}
	wantSteps(t, w, "spend register")
	var exists *accounts.ExistsError
	if _, err := w.Register(t.Context(), again); !errors.As(err, &exists) || exists.Field != accounts.FieldEmail {
		t.Errorf("Register of a proved address = %v, want ExistsError of it", err)
	}
	w.wantNothingSpent(t)
	w.Passwords = hasher
}

func TestRegister_by_mail_code_ends_registrations_that_wait_for_the_address(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	same := w.registered(t, byEmail)
	other := w.registered(t, byEmail, named("somebody_2"))
	numbered := w.registered(t, named("somebody_3"), func(r *accounts.SignUp) { r.Email = someEmail })
	account, err := w.Register(t.Context(), signUp(byMailCode)) // the user name of the first one
	if err != nil {
		t.Fatalf("Register = %v", err)
	}
	if w.exists(same.ID) || w.exists(other.ID) || !w.exists(account.ID) {
		t.Error("an account without a proof has outlived it")
	}
	if left := w.found(t, numbered.ID); !left.Active || !left.PendingEmail.IsZero() {
		t.Errorf("account with a number = %+v, want it without the address", left)
	}
}

func TestRegister_by_mail_code_leaves_the_names_of_others(t *testing.T) {
	t.Parallel()
	for title, holder := range map[string][]func(*accounts.SignUp){
		"waits for another address": {byEmail, func(r *accounts.SignUp) { r.Email = "other@example.com" }},
		"has a number":              {func(r *accounts.SignUp) { r.Email = someEmail }},
	} {
		w := newWorld(t)
		before := w.registered(t, holder...)
		var exists *accounts.ExistsError
		if _, err := w.Register(t.Context(), signUp(byMailCode)); !errors.As(err, &exists) || exists.Field != accounts.FieldUsername {
			t.Errorf("%s: Register = %v, want ExistsError of the name", title, err)
		}
		if !w.exists(before.ID) {
			t.Errorf("%s: the account is gone", title)
		}
	}
}

func TestRegister_by_mail_code_twice_says_that_the_first_request_succeeded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.mailOnly(t)
	var before *accounts.RegisteredError
	if _, err := w.Register(t.Context(), signUp(byMailCode)); !errors.As(err, &before) || before.Field != accounts.FieldEmail {
		t.Errorf("Register again = %v, want RegisteredError of the address", err)
	}
	if _, err := w.Register(t.Context(), signUp(withMailCode)); !errors.As(err, &before) || before.Field != accounts.FieldEmail {
		t.Errorf("Register again with a number = %v, want RegisteredError of the address", err)
	}
	if w.spent[codeID(verify.Register, someMobile)] {
		t.Error("the code by SMS stayed spent")
	}
}

func TestRegister_by_mail_code_after_the_owner_declined_links(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.declined[w.Keys.Index("email", someEmail)] = w.clock.Now().Add(time.Hour)
	if _, err := w.Register(t.Context(), signUp(byMailCode)); err != nil {
		t.Errorf("Register = %v: the code shows that the owner wants it", err)
	}
}

func TestSignInByCode_sent_by_mail(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	want := w.mailOnly(t)
	if _, err := w.signInByMail(t, someEmail, "000000"); !errors.Is(err, verify.ErrWrong) {
		t.Errorf("wrong code: %v", err)
	}
	wantSteps(t, w, "spend login")
	got, err := w.signInByMail(t, someEmail, rightCode)
	if err != nil || got.ID != want.ID {
		t.Errorf("right code: %v, %v", got.ID, err)
	}
	wantSteps(t, w, "spend login", "find email")
	if _, err := w.signInByMail(t, someEmail, rightCode); !errors.Is(err, verify.ErrUsed) {
		t.Errorf("the same code again: %v", err)
	}
	w.steps()
	if _, err := w.signInByMail(t, "unknown@example.com", "000000"); !errors.Is(err, verify.ErrWrong) {
		t.Errorf("unknown address, wrong code: %v, want ErrWrong as for a known one", err)
	}
	wantSteps(t, w, "spend login")
	if _, err := w.signInByMail(t, "unknown@example.com", rightCode); !errors.Is(err, accounts.ErrNotFound) {
		t.Errorf("unknown address, right code: %v, want ErrNotFound", err)
	}
	w.fail["find email"] = errAway
	if _, err := w.signInByMail(t, "other@example.com", rightCode); !errors.Is(err, errAway) || w.spent[codeID(verify.Login, "other@example.com")] {
		t.Errorf("store away: %v, want the code to be restored", err)
	}
}

func TestSignInByCode_opens_no_account_by_a_pending_address(t *testing.T) {
	t.Parallel()
	for title, c := range map[string]struct {
		changes []func(*accounts.SignUp)
		want    error
	}{
		"waits":        {[]func(*accounts.SignUp){byEmail}, accounts.ErrNotActive},
		"has a number": {[]func(*accounts.SignUp){func(r *accounts.SignUp) { r.Email = someEmail }}, accounts.ErrNotFound},
	} {
		w := newWorld(t)
		before := w.registered(t, c.changes...)
		if _, err := w.signInByMail(t, someEmail, rightCode); !errors.Is(err, c.want) {
			t.Errorf("%s: SignInByCode = %v, want %v", title, err, c.want)
		}
		if w.found(t, before.ID) != before {
			t.Errorf("%s: the account has changed", title)
		}
	}
}

func TestMail_code_opens_no_unused_account_that_has_a_number_too(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Policy.NumberRecheck = 180 * 24 * time.Hour
	w.proved(t)
	w.clock.Advance(w.Policy.NumberRecheck)
	clear(w.spent)
	if _, err := w.signInByMail(t, someEmail, rightCode); !errors.Is(err, accounts.ErrSecondProof) {
		t.Errorf("SignInByCode = %v, want ErrSecondProof", err)
	}
	if err := w.ResetPassword(t.Context(), resetByMail(t)); !errors.Is(err, accounts.ErrSecondProof) {
		t.Errorf("ResetPassword = %v, want ErrSecondProof", err)
	}
	w.wantNothingSpent(t)
	if _, err := w.SignIn(t.Context(), someEmail, goodPassword, passwords.Later); err != nil {
		t.Fatal(err)
	}
	if _, err := w.signInByMail(t, someEmail, rightCode); err != nil {
		t.Errorf("SignInByCode after the password = %v", err)
	}
}

func TestMail_code_is_the_last_way_in_for_an_account_with_an_address_alone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Policy.NumberRecheck = 180 * 24 * time.Hour
	w.mailOnly(t)
	w.clock.Advance(2 * w.Policy.NumberRecheck)
	if err := w.ResetPassword(t.Context(), resetByMail(t)); err != nil {
		t.Errorf("ResetPassword = %v", err)
	}
	if _, err := w.signInByMail(t, someEmail, rightCode); err != nil {
		t.Errorf("SignInByCode = %v", err)
	}
}

func TestResetPassword_by_mail_code_replaces_the_password(t *testing.T) {
	t.Parallel()
	for title, account := range map[string]func(*world, *testing.T) accounts.Account{
		"address alone": (*world).mailOnly, "both contacts": (*world).proved,
	} {
		w := newWorld(t)
		before := account(w, t)
		w.steps()
		if err := w.ResetPassword(t.Context(), resetByMail(t)); err != nil {
			t.Fatalf("%s: %v", title, err)
		}
		wantSteps(t, w, "spend reset_password", "find email", "change password", "enqueue")
		if after := w.found(t, before.ID); after.SessionGeneration != before.SessionGeneration+1 || after.Email != before.Email {
			t.Errorf("%s: after the reset %+v", title, after)
		}
		if got := w.mails[len(w.mails)-1]; got.Purpose != accounts.MailPasswordChanged || got.To != before.Email || got.Facts.Change == "" {
			t.Errorf("%s: mail = %+v, want a notice with the link that undoes", title, got)
		}
		if _, err := w.SignIn(t.Context(), before.Username, newPassword, passwords.Later); err != nil {
			t.Errorf("%s: SignIn = %v", title, err)
		}
	}
}

// An intruder in the mailbox has the account only until the owner of the number takes it back.
func TestResetPassword_by_mail_code_is_undone_by_the_number(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	before := w.proved(t)
	if err := w.ResetPassword(t.Context(), resetByMail(t)); err != nil {
		t.Fatal(err)
	}
	w.changeMobileWith(t, before.ID, "13900139000", newPassword)
	w.clock.Advance(time.Hour)
	if err := w.undoByCode(t, someMobile); err != nil {
		t.Fatalf("undo by the number = %v", err)
	}
	if after := w.found(t, before.ID); after.Mobile != before.Mobile {
		t.Errorf("after the undo %+v", after)
	}
	if _, err := w.SignIn(t.Context(), before.Username, newPassword, passwords.Later); !errors.Is(err, accounts.ErrCredentials) {
		t.Errorf("SignIn with the password of the reset = %v", err)
	}
}

// The reader of the mail may not be the person who registered: as with the link, only a new password activates.
func TestResetPassword_by_mail_code_activates_an_account_that_waits(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	older := w.registered(t, byEmail)
	w.clock.Advance(time.Minute)
	before := w.registered(t, byEmail, named("somebody_2"))
	if err := w.ResetPassword(t.Context(), resetByMail(t)); err != nil {
		t.Fatal(err)
	}
	wantSteps(t, w, "spend reset_password", "find email", "find waiting", "activate", "release")
	after := w.found(t, before.ID)
	if !after.Active || after.Email != email(t, someEmail) || after.SessionGeneration != before.SessionGeneration+1 {
		t.Errorf("after the reset %+v", after)
	}
	if w.exists(older.ID) {
		t.Error("another account still waits for the address")
	}
	if _, err := w.SignIn(t.Context(), someEmail, goodPassword, passwords.Later); !errors.Is(err, accounts.ErrCredentials) {
		t.Errorf("SignIn with the password of the registration = %v", err)
	}
	if _, err := w.SignIn(t.Context(), someEmail, newPassword, passwords.Later); err != nil {
		t.Errorf("SignIn with the new password = %v", err)
	}
}

func TestResetPassword_by_mail_code_restores_the_code_when_it_changed_nothing(t *testing.T) {
	t.Parallel()
	pending := func(t *testing.T, w *world) {
		t.Helper()
		w.registered(t, func(r *accounts.SignUp) { r.Email = someEmail })
	}
	proved := func(t *testing.T, w *world) {
		t.Helper()
		w.proved(t)
	}
	waits := func(t *testing.T, w *world) {
		t.Helper()
		w.registered(t, byEmail, named("wangxiaoming"))
	}
	nothing := func(t *testing.T, _ *world) { t.Helper() }
	for title, c := range map[string]struct {
		prepare  func(*testing.T, *world)
		fail     string
		failure  error
		password string
		want     error
	}{
		"no account":                  {nothing, "", nil, newPassword, accounts.ErrNotFound},
		"pending beside a number":     {pending, "", nil, newPassword, accounts.ErrNotFound},
		"number as password":          {proved, "", nil, someMobile, accounts.FieldErrors{}},
		"name as password":            {waits, "", nil, "WangXiaoMing", accounts.FieldErrors{}},
		"store failed":                {proved, "change password", errAway, newPassword, errAway},
		"proved by another meanwhile": {waits, "activate", &accounts.ExistsError{Field: accounts.FieldEmail}, newPassword, nil},
		"gone meanwhile":              {waits, "activate", accounts.ErrNotFound, newPassword, accounts.ErrChanged},
	} {
		w := newWorld(t)
		c.prepare(t, w)
		clear(w.spent)
		w.fail[c.fail] = c.failure
		err := w.ResetPassword(t.Context(), resetByMail(t, func(r *accounts.Reset) { r.Password, r.PasswordRepeat = c.password, c.password }))
		var fields accounts.FieldErrors
		switch want := c.want.(type) { //nolint:errorlint // the table's own values
		case nil:
			if _, exists := errors.AsType[*accounts.ExistsError](err); !exists {
				t.Errorf("%s: ResetPassword = %v, want ExistsError", title, err)
			}
		case accounts.FieldErrors:
			if !errors.As(err, &fields) || fields[accounts.FieldPassword] != accounts.TooCommon {
				t.Errorf("%s: ResetPassword = %v %v", title, err, fields)
			}
		default:
			if !errors.Is(err, want) {
				t.Errorf("%s: ResetPassword = %v, want %v", title, err, want)
			}
		}
		w.wantNothingSpent(t)
	}
}

func TestResetPassword_answers_strangers_alike_about_addresses(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.mailOnly(t)
	w.Passwords = nil // a hash would panic
	for _, address := range []string{someEmail, "unknown@example.com"} {
		err := w.ResetPassword(t.Context(), resetByMail(t, func(r *accounts.Reset) {
			r.To, r.CodeID, r.Code = email(t, address), codeID(verify.ResetPassword, address), "000000"
		}))
		if !errors.Is(err, verify.ErrWrong) {
			t.Errorf("ResetPassword = %v, want ErrWrong", err)
		}
		wantSteps(t, w, "spend reset_password")
	}
}

func mailChange(t *testing.T, changes ...func(*accounts.EmailChange)) accounts.EmailChange {
	t.Helper()
	r := accounts.EmailChange{
		Email: email(t, "next@example.com"), EmailCodeID: codeID(verify.ChangeEmail, "next@example.com"), EmailCode: rightCode,
		Password: goodPassword,
	}
	for _, change := range changes {
		change(&r)
	}
	return r
}

func TestChangeEmail_by_code_takes_effect_at_once(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	before := w.proved(t)
	after, err := w.ChangeEmail(t.Context(), before, mailChange(t))
	if err != nil || after.Email != email(t, "next@example.com") || !after.PendingEmail.IsZero() ||
		after.SessionGeneration != before.SessionGeneration+1 || after.ActivationGeneration != before.ActivationGeneration+1 {
		t.Fatalf("ChangeEmail = %+v, %v", after, err)
	}
	wantSteps(t, w, "spend change_email", "exists email", "replace email", "release", "enqueue", "enqueue")
	if len(w.mails) != 2 || w.mails[0].To != before.Email || w.mails[0].Facts.Change == "" || w.mails[1].To != after.Email || w.mails[1].Facts.Change != "" {
		t.Errorf("mails = %+v, want the link that undoes at the former address alone", w.mails)
	}
	if err := w.ResetPassword(t.Context(), resetByMail(t, func(r *accounts.Reset) {
		r.To, r.CodeID = after.Email, codeID(verify.ResetPassword, "next@example.com")
	})); !errors.Is(err, accounts.ErrRecentlyChanged) {
		t.Errorf("ResetPassword by the new address = %v, want ErrRecentlyChanged", err)
	}
	if _, err := w.UndoChange(t.Context(), undoBy(w.link(t, accounts.MailEmailChanged, before.Email))); err != nil {
		t.Fatalf("undo by the link = %v", err)
	}
	if undone := w.found(t, before.ID); undone.Email != before.Email {
		t.Errorf("after the undo %+v", undone)
	}
}

func TestChangeEmail_by_code_proves_a_pending_or_first_address(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	before := w.registered(t, func(r *accounts.SignUp) { r.Email = "next@example.com" })
	w.mails = nil
	after, err := w.ChangeEmail(t.Context(), before, mailChange(t))
	if err != nil || after.Email != email(t, "next@example.com") || !after.PendingEmail.IsZero() {
		t.Fatalf("ChangeEmail = %+v, %v", after, err)
	}
	if len(w.mails) != 0 || len(w.changes) != 1 {
		t.Errorf("%d mails and %d changes, want none and one: there is no former address", len(w.mails), len(w.changes))
	}
}

func TestChangeEmail_by_code_refuses(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	account := w.proved(t)
	for _, c := range []struct {
		field   accounts.Field
		problem accounts.Problem
		change  func(*accounts.EmailChange)
	}{
		{accounts.FieldEmail, accounts.Unchanged, func(r *accounts.EmailChange) { r.Email = account.Email }},
		{accounts.FieldEmailCode, accounts.Missing, func(r *accounts.EmailChange) { r.EmailCode = "" }},
		{accounts.FieldEmailCodeID, accounts.Missing, func(r *accounts.EmailChange) { r.EmailCodeID = "" }},
		{accounts.FieldPassword, accounts.Missing, func(r *accounts.EmailChange) { r.Password = "" }},
	} {
		_, err := w.ChangeEmail(t.Context(), account, mailChange(t, c.change))
		wantProblem(t, err, c.field, c.problem)
	}
	wantSteps(t, w)
	clear(w.spent)
	_, err := w.ChangeEmail(t.Context(), account, mailChange(t, func(r *accounts.EmailChange) { r.Password = "not the password" }))
	wantWrongPassword(t, err, accounts.FieldPassword)
	w.wantNothingSpent(t)
	w.Passwords = nil // a hash would panic
	_, err = w.ChangeEmail(t.Context(), account, mailChange(t, func(r *accounts.EmailChange) { r.EmailCode = "000000" }))
	if !errors.Is(err, verify.ErrWrong) {
		t.Errorf("ChangeEmail with a wrong code = %v", err)
	}
	if w.found(t, account.ID) != account {
		t.Errorf("a refusal has changed the account: %+v", w.found(t, account.ID))
	}
}

func TestChangeEmail_by_code_restores_the_code_when_it_changed_nothing(t *testing.T) {
	t.Parallel()
	for _, refusal := range []error{&accounts.ExistsError{Field: accounts.FieldEmail}, accounts.ErrChanged, errAway} {
		w := newWorld(t)
		account := w.proved(t)
		clear(w.spent)
		w.fail["replace email"] = refusal
		if _, err := w.ChangeEmail(t.Context(), account, mailChange(t)); !errors.Is(err, refusal) {
			t.Errorf("ChangeEmail = %v, want %v", err, refusal)
		}
		wantSteps(t, w, "spend change_email", "exists email", "replace email", "restore")
		w.wantNothingSpent(t)
	}
	w := newWorld(t)
	account := w.registered(t)
	w.registered(t, byMailCode, named("somebody_2"))
	clear(w.spent)
	var exists *accounts.ExistsError
	_, err := w.ChangeEmail(t.Context(), account, mailChange(t, func(r *accounts.EmailChange) {
		r.Email, r.EmailCodeID = email(t, someEmail), codeID(verify.ChangeEmail, someEmail)
	}))
	if !errors.As(err, &exists) || exists.Field != accounts.FieldEmail {
		t.Errorf("ChangeEmail to a proved address = %v, want ExistsError", err)
	}
	w.wantNothingSpent(t)
}
