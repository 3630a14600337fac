package prove_test

import (
	"fmt"
	"slices"
	"time"

	"pgregory.net/rapid"

	"usher/accounts"
	"usher/passwords"
)

var modelNames = []string{"lilei", "han_meimei", "jim_green", "lucy_king"}

// newPassword is one that no account has had.
func (w *accountWorld) newPassword() string {
	w.passwords++
	return fmt.Sprintf("correct horse %d", w.passwords)
}

func drawNumber(c *rapid.T) int  { return rapid.IntRange(1, 3).Draw(c, "number") }
func drawAddress(c *rapid.T) int { return rapid.IntRange(1, 3).Draw(c, "address") }

// anyone draws an account, of which there must be one.
func (w *accountWorld) anyone(c *rapid.T) *modelAccount {
	if len(w.all) == 0 {
		c.Skip("no account yet")
	}
	return rapid.SampledFrom(w.all).Draw(c, "account")
}

// real returns the account as a signed-in request finds it.
func (w *accountWorld) real(c *rapid.T, a *modelAccount) accounts.Account {
	account, err := w.store.Find(c.Context(), accounts.Key{By: accounts.ByID, Value: a.id})
	if err != nil {
		c.Fatal(err)
	}
	return account
}

func (w *accountWorld) register(c *rapid.T) {
	name := rapid.SampledFrom(modelNames).Draw(c, "name")
	number := rapid.IntRange(0, 3).Draw(c, "number")
	address := rapid.IntRange(0, 3).Draw(c, "address")
	if number == 0 && address == 0 {
		address = 1
	}
	password, now := w.newPassword(), w.clock.Now()
	r := accounts.SignUp{
		Username: name, Password: password, PasswordRepeat: password, Agree: true, Email: w.email(address).Reveal(),
	}
	if number != 0 {
		r.Mobile, r.SMSCodeID, r.SMSCode = w.mobile(number).Reveal(), "id", "code"
	}
	account, err := w.service.Register(c.Context(), r)
	if w.expect(c, "register", err, w.admits(name, number, address, now)) {
		w.modelAccounts.register(account.ID, name, password, number, address, now)
		w.count["registered"]++
		if !account.PendingMobile.IsZero() {
			w.count["claimed"]++
		}
	}
}

// openLink is the owner of a mailbox who presses the button: in the account's own session, or without it and with
// nothing, a new password or the current one in the form.
func (w *accountWorld) openLink(c *rapid.T) {
	l := w.letter(c, func(l letter) bool { return l.activate != "" })
	a, now := l.account, w.clock.Now()
	r := accounts.Activation{Token: l.activate}
	how := rapid.SampledFrom([]string{"session", "nothing", "new", "current"}).Draw(c, "how")
	switch how {
	case "session":
		r.Session = a.id
	case "new":
		r.Password = w.newPassword()
		r.PasswordRepeat = r.Password
	case "current":
		r.Password, r.PasswordRepeat = a.password, a.password
	}
	want, next := w.afterLink(l, how, now)
	_, _, err := w.service.Activate(c.Context(), r)
	if want == "proved before" {
		w.expect(c, "open link", err, "ok")
		return
	}
	if want == "lost" {
		w.expect(c, "open link", err, "taken email")
		w.count["lost the race"]++
		w.release(l.address, now)
		return
	}
	if w.expect(c, "open link", err, want) {
		if next {
			w.count["proved with a new password"]++
			w.prove(a, r.Password, now)
		} else {
			w.prove(a, "", now)
		}
		w.count["proved"]++
		if how == "current" && !next {
			w.count["proved with the current password"]++
		}
	}
	w.count[want]++
}

// afterLink is what a link does; next says that the request's password becomes the account's.
func (w *accountWorld) afterLink(l letter, how string, now time.Time) (want string, next bool) {
	a := l.account
	over := !now.Before(l.ends)
	switch {
	case w.byID(a.id) == nil && over:
		return "link over", false
	case w.byID(a.id) == nil || a.address != l.address && a.pending != l.address:
		if over {
			return "link over", false
		}
		return "no link", false
	case a.address == l.address:
		return "proved before", false
	case over:
		return "link over", false
	}
	switch {
	case how == "session":
	case a.waiting() && (how == "new" || how == "current"):
		next = true
	case a.waiting():
		return "fields", false
	case a.password == "": // an import brought none
		return "sign in again", false
	case how == "nothing":
		return "link alone", false
	case how == "new":
		return "password", false
	}
	if w.byAddress(l.address) != nil {
		return "lost", next
	}
	return "ok", next
}

func (w *accountWorld) byID(id string) *modelAccount {
	return w.find(func(a *modelAccount) bool { return a.id == id })
}

// letter draws a mail of some kind.
func (w *accountWorld) letter(c *rapid.T, is func(letter) bool) letter {
	var some []letter
	for _, l := range w.inbox {
		if is(l) {
			some = append(some, l)
		}
	}
	if len(some) == 0 {
		c.Skip("no such mail yet")
	}
	return rapid.SampledFrom(some).Draw(c, "mail")
}

func (w *accountWorld) decline(c *rapid.T) {
	if rapid.IntRange(0, 3).Draw(c, "rarely") > 0 {
		c.Skip("most addresses are not declined")
	}
	l, now := w.letter(c, func(l letter) bool { return l.decline != "" }), w.clock.Now()
	want := "ok"
	if !now.Before(l.ends.Add(24 * time.Hour)) {
		want = "link over"
	}
	if w.expect(c, "decline", w.service.Decline(c.Context(), l.decline), want) {
		w.declined[l.address] = now.Add(declinedFor)
		w.release(l.address, now)
		w.count["declined"]++
	}
}

func (w *accountWorld) resend(c *rapid.T) {
	a, now := w.anyone(c), w.clock.Now()
	want := "ok"
	if now.Before(w.declined[a.pending]) {
		want = "declined"
	}
	err := w.service.ResendOwnActivation(c.Context(), w.real(c, a), accounts.Origin{})
	if w.expect(c, "resend", err, want) && a.pending != 0 {
		a.updated = now
		if !a.pendingAt.IsZero() {
			a.pendingAt = now
		}
	}
}

// signIn tries a password with a name, a number, a proved or a pending address.
func (w *accountWorld) signIn(c *rapid.T) {
	a, now := w.anyone(c), w.clock.Now()
	kind := rapid.SampledFrom([]string{"name", "number", "address", "pending"}).Draw(c, "login")
	login := map[string]string{
		"name": a.name, "number": w.mobile(a.number).Reveal(), "address": w.email(a.address).Reveal(),
		"pending": w.email(a.pending).Reveal(),
	}[kind]
	if login == "" || a.password == "" {
		c.Skip("the account has none")
	}
	owner := a
	if kind == "pending" {
		owner = w.byAddress(a.pending)
		w.count["pending address refused"]++
	}
	password, want := a.password, "ok"
	if rapid.Bool().Draw(c, "wrong") {
		password = "not the password"
	}
	switch {
	case owner == nil || owner.password != password:
		want = "credentials"
	case !owner.active:
		want = "not active"
	}
	account, err := w.service.SignIn(c.Context(), login, password, passwords.First)
	if w.expect(c, "sign in by "+kind, err, want) {
		if account.ID != owner.id {
			c.Fatalf("signed in to another account")
		}
		w.use(owner, now)
		w.count["signed in"]++
	}
}

func (w *accountWorld) signInByCode(c *rapid.T) {
	number, now := drawNumber(c), w.clock.Now()
	a, want := w.ofNumber(number, now)
	if a != nil && !a.active {
		want = "not active"
	}
	account, _, err := w.service.SignInByCode(c.Context(), w.mobile(number), "id", "code", accounts.FirstSignIn{})
	if w.expect(c, "sign in by code", err, want) {
		if account.ID != a.id {
			c.Fatalf("the code opened another account")
		}
		w.use(a, now)
		w.count["by code"]++
	}
	w.count[want]++
}

func (w *accountWorld) reset(c *rapid.T) {
	number, now, password := drawNumber(c), w.clock.Now(), w.newPassword()
	a, want := w.ofNumber(number, now)
	if a != nil && !isSettled(a.numberAt, now) {
		want = "too recent"
	}
	err := w.service.ResetPassword(c.Context(), accounts.Reset{
		To: w.mobile(number), CodeID: "id", Code: "code", Password: password, PasswordRepeat: password,
	})
	if w.expect(c, "reset", err, want) {
		w.newPasswordOf(a, password, now)
		w.count["reset"]++
	}
	w.count[want]++
}

func (w *accountWorld) newPasswordOf(a *modelAccount, password string, now time.Time) {
	a.keep(accounts.ChangedPassword, now, accounts.UndoWindow)
	a.password, a.updated = password, now
	a.sessions++
}

// signedIn draws an account that can have a session.
func (w *accountWorld) signedIn(c *rapid.T) *modelAccount {
	a := w.anyone(c)
	if !a.active || a.password == "" {
		c.Skip("not signed in")
	}
	return a
}

func (w *accountWorld) changePassword(c *rapid.T) {
	a, password := w.signedIn(c), w.newPassword()
	_, err := w.service.ChangePassword(c.Context(), w.real(c, a), accounts.PasswordChange{
		Current: a.password, Password: password, PasswordRepeat: password,
	})
	if w.expect(c, "change password", err, "ok") {
		w.newPasswordOf(a, password, w.clock.Now())
	}
}

func (w *accountWorld) changeEmail(c *rapid.T) {
	a, address, now := w.signedIn(c), drawAddress(c), w.clock.Now()
	want := "ok"
	switch {
	case address == a.address || address == a.pending:
		want = "fields"
	case w.byAddress(address) != nil:
		want = "taken email"
	case now.Before(w.declined[address]):
		want = "declined"
	}
	_, err := w.service.ChangeEmail(c.Context(), w.real(c, a), accounts.EmailChange{Email: w.email(address), Password: a.password})
	if w.expect(c, "change address", err, want) {
		a.keep(accounts.AskedForEmail, now, accounts.UndoWindow)
		if a.address == 0 {
			a.addressAt = now
		}
		a.pending, a.pendingAt, a.updated = address, now, now
		a.links++
	}
}

// correctEmail replaces a mistyped address before its proof.
func (w *accountWorld) correctEmail(c *rapid.T) {
	a, address, now := w.anyone(c), drawAddress(c), w.clock.Now()
	want := "ok"
	switch {
	case address == a.address || address == a.pending:
		want = "fields"
	case w.byAddress(address) != nil:
		want = "taken email"
	case now.Before(w.declined[address]):
		want = "declined"
	case !a.waiting():
		want = "changed"
	}
	_, err := w.service.CorrectEmail(c.Context(), w.real(c, a), w.email(address), accounts.Origin{})
	if w.expect(c, "correct address", err, want) {
		a.pending, a.updated = address, now
		if !a.pendingAt.IsZero() {
			a.pendingAt = now
		}
		a.links++
	}
	w.count["correction "+want]++
}

func (w *accountWorld) changeMobile(c *rapid.T) {
	a, number, now := w.signedIn(c), drawNumber(c), w.clock.Now()
	want := "ok"
	switch {
	case number == a.number:
		want = "fields"
	case w.byNumber(number) != nil:
		want = "taken mobile"
	}
	_, err := w.service.ChangeMobile(c.Context(), w.real(c, a), accounts.MobileChange{
		Mobile: w.mobile(number), SMSCodeID: "id", SMSCode: "code", Password: a.password,
	})
	if w.expect(c, "change number", err, want) {
		a.keep(accounts.ChangedMobile, now, accounts.UndoWindow)
		a.number, a.numberAt, a.updated = number, now, now
		a.claimed, a.claimedAt = 0, time.Time{} // the other number is given up
		a.sessions++
	}
}

func (w *accountWorld) undoByLink(c *rapid.T) {
	l, now, password := w.letter(c, func(l letter) bool { return l.undo != "" }), w.clock.Now(), w.newPassword()
	a, want := l.account, "undo over"
	for _, change := range a.changes {
		if change == l.change && now.Before(change.ends) && now.Before(l.ends) {
			want = "ok"
		}
	}
	undone, err := w.service.UndoChange(c.Context(), accounts.Undo{Token: l.undo, Password: password, PasswordRepeat: password})
	if w.expect(c, "undo by link", err, want) {
		w.undone(c, undone, a, l.change, password)
		w.count["undone by link"]++
	}
}

func (w *accountWorld) undoByNumber(c *rapid.T) {
	number, now, password := drawNumber(c), w.clock.Now(), w.newPassword()
	a, change := w.changeOfNumber(number, now)
	want := "ok"
	if change == nil {
		want = "nothing to undo"
	}
	undone, err := w.service.UndoChange(c.Context(), accounts.Undo{
		Mobile: w.mobile(number), SMSCodeID: "id", SMSCode: "code", Password: password, PasswordRepeat: password,
	})
	if w.expect(c, "undo by number", err, want) {
		w.undone(c, undone, a, change, password)
		w.count["undone by number"]++
	}
}

func (w *accountWorld) undone(c *rapid.T, undone accounts.Undone, a *modelAccount, change *modelChange, password string) {
	if undone.Account.ID != a.id {
		c.Fatal("a change of another account was undone")
	}
	w.undo(a, change, password, w.clock.Now())
}

// changeOfNumber is what the owner of a number can undo: the earliest change since the account that had the number last
// got it, unless a change had brought the number there too shortly before.
func (m *modelAccounts) changeOfNumber(number int, now time.Time) (*modelAccount, *modelChange) {
	owner, all := map[*modelChange]*modelAccount{}, []*modelChange{}
	for _, a := range m.all {
		for _, change := range a.changes {
			if change.number == number && change.ends.After(now) && change.kind != accounts.NumberClaimed && isSettled(change.numberAt, change.at) {
				owner[change], all = a, append(all, change)
			}
		}
	}
	slices.SortFunc(all, func(a, b *modelChange) int { return a.at.Compare(b.at) })
	var chosen *modelChange
	for _, change := range all {
		if chosen == nil || owner[change] != owner[chosen] {
			chosen = change
		}
	}
	return owner[chosen], chosen
}

// imports imports an account of another system.
func (w *accountWorld) imports(c *rapid.T) {
	name := rapid.SampledFrom(modelNames).Draw(c, "name")
	number, address := rapid.IntRange(0, 3).Draw(c, "number"), rapid.IntRange(0, 3).Draw(c, "address")
	isProved := rapid.Bool().Draw(c, "proved")
	if w.byName(name) != nil || w.byNumber(number) != nil || isProved && w.byAddress(address) != nil || number == 0 {
		c.Skip("taken")
	}
	now := w.clock.Now()
	importer := accounts.Importer{Store: w.store, Now: w.clock.Now}
	outcomes, err := importer.Import(c.Context(), []accounts.ImportUser{{
		Username: name, Mobile: w.mobile(number).Reveal(), Email: w.email(address).Reveal(), EmailActive: isProved && address != 0, Active: true,
	}})
	if err != nil || outcomes[0] != nil {
		c.Fatalf("import: %v, %v", outcomes, err)
	}
	account, err := w.store.Find(c.Context(), accounts.Key{By: accounts.ByUsername, Value: name})
	if err != nil {
		c.Fatal(err)
	}
	a := &modelAccount{id: account.ID, name: name, active: true, number: number, seen: now, updated: now, sessions: 1, links: 1}
	if isProved {
		a.address = address
	} else {
		a.pending = address
	}
	w.all = append(w.all, a)
}

func (w *accountWorld) superuser(c *rapid.T) {
	if w.byName("operator") != nil {
		c.Skip("there is one")
	}
	password, now := w.newPassword(), w.clock.Now()
	account, err := w.service.CreateSuperuser(c.Context(), "operator", password)
	if err != nil {
		c.Fatal(err)
	}
	w.all = append(w.all, &modelAccount{
		id: account.ID, name: "operator", password: password, active: true, seen: now, updated: now, sessions: 1, links: 1,
	})
}

func (w *accountWorld) pass(c *rapid.T) {
	w.clock.Advance(rapid.SampledFrom([]time.Duration{time.Minute, 59 * time.Minute, 2 * time.Hour, 25 * time.Hour}).Draw(c, "time"))
}

func (w *accountWorld) passMuch(c *rapid.T) {
	w.clock.Advance(rapid.SampledFrom([]time.Duration{
		25 * time.Hour, 73 * time.Hour, 8 * 24 * time.Hour, 181 * 24 * time.Hour,
	}).Draw(c, "much time"))
}

// tidy is the periodic work of the workers.
func (w *accountWorld) tidy(c *rapid.T) {
	now := w.clock.Now()
	for _, work := range []func() (int, error){
		func() (int, error) { return w.store.DropUnproved(c.Context(), now, now.Add(-unprovedTTL), 100) },
		func() (int, error) { return w.store.HandOver(c.Context(), now.Add(-accounts.ClaimWindow), 100) },
		func() (int, error) { return w.store.DropEndedChanges(c.Context(), now) },
		func() (int, error) { return 0, w.store.FreeNames(c.Context(), now.Add(-accounts.HoldName)) },
	} {
		if _, err := work(); err != nil {
			c.Fatal(err)
		}
	}
	w.modelAccounts.tidy(now)
}
