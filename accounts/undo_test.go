package accounts_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"usher/accounts"
	"usher/contact"
	"usher/passwords"
	"usher/verify"
)

const (
	nextMobile  = "13900139000"
	thirdMobile = "13700137000"
	nextEmail   = "someone.else@example.com"
	ownPassword = "the owner's own words"
)

func (w *world) found(t *testing.T, id string) accounts.Account {
	t.Helper()
	account, err := w.Store.Find(t.Context(), accounts.Key{By: accounts.ByID, Value: id})
	if err != nil {
		t.Fatal(err)
	}
	return account
}

// changeMobile changes the number and forgets the code, so that the same number can be proved again.
func (w *world) changeMobile(t *testing.T, id, number string) {
	t.Helper()
	w.changeMobileWith(t, id, number, goodPassword)
}

func (w *world) changeMobileWith(t *testing.T, id, number, password string) {
	t.Helper()
	clear(w.spent)
	_, err := w.ChangeMobile(t.Context(), w.found(t, id), accounts.MobileChange{
		Mobile: mobile(t, number), SMSCodeID: codeID(verify.ChangeMobile, number), SMSCode: rightCode, Password: password,
	})
	if err != nil {
		t.Fatal(err)
	}
	w.clock.Advance(time.Minute)
}

// changeEmail asks for another address and proves it.
func (w *world) changeEmail(t *testing.T, id, address string) {
	t.Helper()
	_, err := w.ChangeEmail(t.Context(), w.found(t, id), accounts.EmailChange{Email: email(t, address), Password: goodPassword})
	if err != nil {
		t.Fatal(err)
	}
	w.clock.Advance(time.Minute)
	token, err := accounts.ActivationToken(w.Keys, accounts.ClaimedMail{
		Mail: accounts.Mail{KeyID: "t1", NotAfter: w.clock.Now().Add(time.Hour)}, Account: w.found(t, id),
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.prove(t, token); err != nil {
		t.Fatal(err)
	}
	w.clock.Advance(time.Minute)
}

// link returns the token of the newest mail of the purpose to the address; it is empty when the mail carries none.
func (w *world) link(t *testing.T, purpose accounts.MailPurpose, to contact.Email) string {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, mail := range slices.Backward(w.mails) {
		if mail.Purpose != purpose || mail.To != to {
			continue
		}
		if mail.Facts.Change == "" {
			return ""
		}
		token, err := accounts.UndoToken(w.Keys, accounts.ClaimedMail{Mail: mail, Account: w.owner(mail)})
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	t.Fatalf("no mail %s to %v among %d", purpose, to, len(w.mails))
	return ""
}

// owner is the account whose change a mail tells of.
func (w *world) owner(mail accounts.Mail) accounts.Account {
	for _, change := range w.changes {
		if change.ID == mail.Facts.Change {
			return w.people[change.AccountID]
		}
	}
	return accounts.Account{}
}

func undoBy(token string) accounts.Undo {
	return accounts.Undo{Token: token, Password: ownPassword, PasswordRepeat: ownPassword}
}

func (w *world) undoByCode(t *testing.T, number string) error {
	t.Helper()
	clear(w.spent)
	_, err := w.UndoChange(t.Context(), accounts.Undo{
		Mobile: mobile(t, number), SMSCodeID: codeID(verify.UndoChange, number), SMSCode: rightCode,
		Password: ownPassword, PasswordRepeat: ownPassword,
	})
	return err
}

func TestUndoChange_by_link_restores_what_was_before(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	before := w.proved(t)
	w.changeMobile(t, before.ID, nextMobile)
	first := w.link(t, accounts.MailMobileChanged, before.Email)
	w.changeEmail(t, before.ID, nextEmail)
	taken := w.found(t, before.ID)

	undone, err := w.UndoChange(t.Context(), undoBy(first))
	if err != nil {
		t.Fatal(err)
	}
	after := undone.Account
	if after.Mobile != before.Mobile || after.Email != before.Email || !after.MobileChangedAt.IsZero() || len(undone.Lost) > 0 {
		t.Errorf("after the undo: %v %v since %v, lost %v", after.Mobile, after.Email, after.MobileChangedAt, undone.Lost)
	}
	if after.SessionGeneration <= taken.SessionGeneration || after.ActivationGeneration <= taken.ActivationGeneration {
		t.Error("sessions or activation links from before the undo still work")
	}
	if _, err := w.SignIn(t.Context(), before.Username, goodPassword, passwords.Later); !errors.Is(err, accounts.ErrCredentials) {
		t.Errorf("SignIn with the password before = %v", err)
	}
	if _, err := w.SignIn(t.Context(), before.Username, ownPassword, passwords.Later); err != nil {
		t.Errorf("SignIn with the reader's password = %v", err)
	}
	for _, to := range []contact.Email{before.Email, email(t, nextEmail)} {
		if w.link(t, accounts.MailChangeUndone, to) != "" {
			t.Errorf("the mail about the undo to %v undoes something", to)
		}
	}
	if _, err := w.UndoChange(t.Context(), undoBy(first)); !errors.Is(err, accounts.ErrUndoOver) {
		t.Errorf("second use of the link = %v, want ErrUndoOver", err)
	}
	if len(w.changes) != 0 {
		t.Errorf("%d changes from after the undone one are left", len(w.changes))
	}
}

func TestUndoChange_refuses_links(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	before := w.registered(t, func(r *accounts.SignUp) { r.Email = someEmail })
	activation := w.newestLink(t, before.ID)
	before, err := w.prove(t, activation)
	if err != nil {
		t.Fatal(err)
	}
	w.changeMobile(t, before.ID, nextMobile)
	link := w.link(t, accounts.MailMobileChanged, before.Email)
	for _, text := range []string{"x", link + "x", activation} {
		if _, err := w.UndoChange(t.Context(), undoBy(text)); !errors.Is(err, accounts.ErrUndoLink) {
			t.Errorf("UndoChange(%.20q) = %v, want ErrUndoLink", text, err)
		}
	}
	if _, err := w.prove(t, link); !errors.Is(err, accounts.ErrLinkInvalid) {
		t.Errorf("the link of an undo activates: %v", err)
	}
	w.clock.Advance(accounts.UndoWindow)
	if _, err := w.UndoChange(t.Context(), undoBy(link)); !errors.Is(err, accounts.ErrUndoOver) {
		t.Errorf("after its time: %v, want ErrUndoOver", err)
	}
	if got := w.found(t, before.ID); got.Mobile != mobile(t, nextMobile) {
		t.Error("a refused link has changed the account")
	}
}

// An intruder who has put a contact of their own into an account must not undo what the owner puts right with it.
func TestUndo_power_is_with_settled_contacts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	owner := w.proved(t)
	w.changeEmail(t, owner.ID, nextEmail) // the intruder's
	if w.link(t, accounts.MailEmailChanged, owner.Email) == "" {
		t.Error("the address before the change cannot undo it")
	}
	if w.link(t, accounts.MailEmailChanged, email(t, nextEmail)) != "" {
		t.Error("the new address undoes the change that has brought it")
	}
	w.changeMobile(t, owner.ID, nextMobile) // the intruder's too
	if w.link(t, accounts.MailMobileChanged, email(t, nextEmail)) != "" {
		t.Error("an address that has just come undoes other changes")
	}
	w.changeMobile(t, owner.ID, thirdMobile) // the owner's, by the password
	if err := w.undoByCode(t, nextMobile); !errors.Is(err, accounts.ErrNothingToUndo) {
		t.Errorf("a number that had just come undoes the next change: %v", err)
	}
	w.clock.Advance(accounts.UndoWindow)
	if _, err := w.ChangePassword(t.Context(), w.found(t, owner.ID), passwordChange()); err != nil {
		t.Fatal(err)
	}
	if w.link(t, accounts.MailPasswordChanged, email(t, nextEmail)) == "" {
		t.Error("an address that stayed without an objection for the whole time cannot undo")
	}
}

func TestUndoChange_by_the_former_number(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	before := w.registered(t) // no address at all
	w.changeMobile(t, before.ID, nextMobile)
	w.changeMobile(t, before.ID, thirdMobile)
	w.steps()
	_, err := w.UndoChange(t.Context(), accounts.Undo{
		Mobile: before.Mobile, SMSCodeID: codeID(verify.UndoChange, someMobile), SMSCode: "000000",
		Password: ownPassword, PasswordRepeat: ownPassword,
	})
	if !errors.Is(err, verify.ErrWrong) {
		t.Errorf("wrong code: %v", err)
	}
	wantSteps(t, w, "spend undo_change") // who has no code learns nothing by the time it takes
	if err := w.undoByCode(t, "13600136000"); !errors.Is(err, accounts.ErrNothingToUndo) {
		t.Errorf("a number of no account: %v", err)
	}
	if len(w.spent) != 0 {
		t.Error("a refusal has cost the code")
	}
	if err := w.undoByCode(t, someMobile); err != nil {
		t.Fatal(err)
	}
	if got := w.found(t, before.ID); got.Mobile != before.Mobile {
		t.Errorf("number after the undo = %v", got.Mobile)
	}
	w.changeMobileWith(t, before.ID, nextMobile, ownPassword)
	w.clock.Advance(accounts.UndoWindow)
	if err := w.undoByCode(t, someMobile); !errors.Is(err, accounts.ErrNothingToUndo) {
		t.Errorf("after the time for it: %v", err)
	}
}

func TestUndoChange_of_an_account_by_its_last_owner(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first := w.registered(t)
	w.changeMobile(t, first.ID, nextMobile)
	clear(w.spent)
	second := w.registered(t, func(r *accounts.SignUp) { r.Username = "second_1" })
	w.changeMobile(t, second.ID, thirdMobile)
	if err := w.undoByCode(t, someMobile); err != nil {
		t.Fatal(err)
	}
	if w.found(t, second.ID).Mobile != mobile(t, someMobile) || w.found(t, first.ID).Mobile != mobile(t, nextMobile) {
		t.Error("the number has undone the change of the account that had it before")
	}
}

func TestResetPassword_needs_a_number_that_was_not_changed_lately(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	account := w.registered(t)
	w.changeMobile(t, account.ID, nextMobile)
	clear(w.spent)
	err := w.ResetPassword(t.Context(), reset(t, nextMobile, func(r *accounts.Reset) { r.Code = "000000" }))
	if !errors.Is(err, verify.ErrWrong) {
		t.Errorf("with a wrong code: %v", err)
	}
	if err := w.ResetPassword(t.Context(), reset(t, nextMobile)); !errors.Is(err, accounts.ErrRecentlyChanged) {
		t.Errorf("ResetPassword = %v, want ErrRecentlyChanged", err)
	}
	if len(w.spent) != 0 {
		t.Error("a refusal has cost the code")
	}
	if _, _, err := w.SignInByCode(t.Context(), mobile(t, nextMobile), codeID(verify.Login, nextMobile), rightCode, accounts.FirstSignIn{}); err != nil {
		t.Errorf("SignInByCode = %v", err)
	}
	w.clock.Advance(accounts.UndoWindow)
	if err := w.ResetPassword(t.Context(), reset(t, nextMobile)); err != nil {
		t.Errorf("ResetPassword later = %v", err)
	}
}
