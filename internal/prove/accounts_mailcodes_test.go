package prove_test

import (
	"slices"
	"time"

	"pgregory.net/rapid"

	"usher/accounts"
)

// Steps of row 25 with codes by mail.

// registerByMail is a registration whose address a code proves.
func (w *accountWorld) registerByMail(c *rapid.T) {
	name, number, address := rapid.SampledFrom(modelNames).Draw(c, "name"), rapid.IntRange(0, 3).Draw(c, "number"), drawAddress(c)
	password, now := w.newPassword(), w.clock.Now()
	r := accounts.SignUp{
		Username: name, Password: password, PasswordRepeat: password, Agree: true,
		Email: w.email(address).Reveal(), EmailCodeID: "id", EmailCode: "code",
	}
	if number != 0 {
		r.Mobile, r.SMSCodeID, r.SMSCode = w.mobile(number).Reveal(), "id", "code"
	}
	account, err := w.service.Register(c.Context(), r)
	if w.expect(c, "register by mail", err, w.admitsByMail(name, number, address, now)) {
		w.modelAccounts.register(account.ID, name, password, number, 0, now)
		a := w.byID(account.ID)
		a.address, a.active = address, true
		w.release(address, now)
		w.count["registered by mail"]++
	}
}

// admitsByMail is admits for a proved address: an account of the name that waits for the same address makes room, and a
// decline of links does not count.
func (m *modelAccounts) admitsByMail(name string, number, address int, now time.Time) string {
	if holder := m.byName(name); holder != nil && holder.waiting() && holder.pending == address {
		m.remove(holder)
	}
	until := m.declined[address]
	delete(m.declined, address)
	defer func() {
		if !until.IsZero() {
			m.declined[address] = until
		}
	}()
	return m.admits(name, number, address, now)
}

// ofAddress is the account that a right code opens, and why there is none.
func (m *modelAccounts) ofAddress(address int, now time.Time) (*modelAccount, string) {
	if a := m.byAddress(address); a != nil {
		if a.number != 0 && a.outOfSight(now) {
			return nil, "second proof"
		}
		return a, "ok"
	}
	for _, a := range slices.Backward(m.all) { // the newest
		if a.waiting() && a.pending == address {
			return a, "ok"
		}
	}
	return nil, "none"
}

func (w *accountWorld) signInByMail(c *rapid.T) {
	address, now := drawAddress(c), w.clock.Now()
	a, want := w.ofAddress(address, now)
	if a != nil && !a.active {
		want = "not active"
	}
	account, _, err := w.service.SignInByCode(c.Context(), w.email(address), "id", "code", accounts.FirstSignIn{})
	if w.expect(c, "sign in by mail", err, want) {
		if account.ID != a.id {
			c.Fatalf("the code opened another account")
		}
		w.use(a, now)
		w.count["by code by mail"]++
	}
	w.count["by mail: "+want]++
}

func (w *accountWorld) resetByMail(c *rapid.T) {
	address, now, password := drawAddress(c), w.clock.Now(), w.newPassword()
	a, want := w.ofAddress(address, now)
	if a != nil && a.address != 0 && !isSettled(a.addressAt, now) {
		want = "too recent"
	}
	err := w.service.ResetPassword(c.Context(), accounts.Reset{
		To: w.email(address), CodeID: "id", Code: "code", Password: password, PasswordRepeat: password,
	})
	switch {
	case !w.expect(c, "reset by mail", err, want):
	case a.waiting():
		w.prove(a, password, now)
		w.count["activated by a reset"]++
	default:
		w.newPasswordOf(a, password, now)
		w.count["reset by mail"]++
	}
}

func (w *accountWorld) changeEmailByCode(c *rapid.T) {
	a, address, now := w.signedIn(c), drawAddress(c), w.clock.Now()
	want := "ok"
	switch {
	case address == a.address:
		want = "fields"
	case w.byAddress(address) != nil:
		want = "taken email"
	}
	_, err := w.service.ChangeEmail(c.Context(), w.real(c, a), accounts.EmailChange{
		Email: w.email(address), EmailCodeID: "id", EmailCode: "code", Password: a.password,
	})
	if w.expect(c, "change address by code", err, want) {
		a.keep(accounts.ChangedEmail, now, accounts.UndoWindow)
		a.address, a.addressAt, a.pending, a.pendingAt, a.updated = address, now, 0, time.Time{}, now
		a.links++
		a.sessions++
		w.release(address, now)
		w.count["changed by code"]++
	}
}
