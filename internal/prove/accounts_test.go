package prove_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"usher/accounts"
	"usher/contact"
	"usher/internal/testkit"
	"usher/passwords"
	"usher/secrets"
	"usher/store/sqlstore"
	"usher/verify"
)

// Row 25: after any steps of any people in any order, an account belongs to the
// person who proved its number or its address: the real service and database do what the model in docs/accounts.md says.
func TestRow25_accounts_do_what_the_model_says(t *testing.T) {
	t.Parallel()
	r := newRow(t, 25, "state machine of accounts against a model: register, activate, decline, resend, sign in, reset, change, undo, import")
	setRapid(t)
	w := newAccountWorld(t, slog.New(slog.DiscardHandler))
	rapid.Check(t, func(c *rapid.T) {
		w.wipe(c)
		c.Repeat(map[string]func(*rapid.T){
			"register": w.register, "open a link": w.openLink, "open a link again": w.openLink, "decline": w.decline,
			"resend": w.resend, "sign in by password": w.signIn, "sign in by code": w.signInByCode, "reset": w.reset,
			"change the password": w.changePassword, "change the address": w.changeEmail, "change the number": w.changeMobile,
			"correct the address": w.correctEmail,
			"undo by link":        w.undoByLink, "undo by number": w.undoByNumber, "import": w.imports, "superuser": w.superuser,
			"register by mail": w.registerByMail, "sign in by mail": w.signInByMail, "reset by mail": w.resetByMail,
			"change the address by code": w.changeEmailByCode, "time passes": w.pass, "much time passes": w.passMuch, "periodic work": w.tidy, "": w.check,
		})
	})
	r.tried("%d steps in %d cases", w.steps, w.cases)
	r.note("%v", w.count)
	for _, what := range []string{
		"registered", "claimed", "proved", "proved with a new password", "proved with the current password", "link alone", "sign in again",
		"lost the race", "declined", "signed in", "pending address refused", "by code", "second proof", "reset", "too recent",
		"undone by link", "undone by number", "registered by mail", "by code by mail", "by mail: second proof", "by mail: not active",
		"reset by mail", "activated by a reset", "changed by code", "correction ok", "correction changed",
	} {
		if w.count[what] == 0 && !t.Failed() && long() {
			t.Errorf("no step ever was %q: the run proves nothing", what)
		}
	}
}

// accountWorld is the real service and database beside the model of them.
type accountWorld struct {
	modelAccounts
	service *accounts.Service
	store   *sqlstore.Accounts
	outbox  *sqlstore.Mails
	db      *sqlstore.DB
	clock   *testkit.Clock

	numbers   []contact.Mobile // from 1
	addresses []contact.Email  // from 1
	filed     []accounts.Mail  // not delivered yet
	inbox     []letter

	passwords, steps, cases int
	count                   map[string]int
}

// letter is a mail in the mailbox of the address that it went to.
type letter struct {
	address                 int
	account                 *modelAccount
	activate, decline, undo string
	ends                    time.Time
	change                  *modelChange // that it undoes
}

func newAccountWorld(t testing.TB, logger *slog.Logger) *accountWorld {
	t.Helper()
	w := &accountWorld{clock: testkit.NewClock(time.Now().Truncate(time.Second)), count: map[string]int{}}
	keys, err := secrets.ParseKeys("k1:MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=")
	if err != nil {
		t.Fatal(err)
	}
	url := testkit.Postgres(t)
	if url == "" {
		url = testkit.SQLite(t)
	}
	if w.db, err = sqlstore.Open(t.Context(), url, sqlstore.Settings{Timeout: testkit.DatabasePatience}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.db.Close() })
	if err := sqlstore.Migrate(t.Context(), w.db); err != nil {
		t.Fatal(err)
	}
	w.store, w.outbox = sqlstore.NewAccounts(w.db, keys), sqlstore.NewMails(w.db, keys, w.clock.Now)
	w.service = &accounts.Service{
		Store: w.store, Codes: rightCodes{}, Mailer: w,
		Passwords: passwords.NewHasherOf(2, passwords.Cost{MemoryKiB: 64, Passes: 1}), Keys: keys,
		Policy: accounts.Policy{
			Registration: accounts.Either, Asked: accounts.Asked{Username: true, Password: true, PasswordRepeat: true, Email: true}, ActivationTTL: linkLife, UnprovedTTL: unprovedTTL, NumberRecheck: numberRecheck,
		},
		Now: w.clock.Now, Logger: logger,
	}
	for _, text := range []string{"13800138000", "13900139000", "13700137000"} {
		mobile, err := contact.ParseMobile(text)
		if err != nil {
			t.Fatal(err)
		}
		w.numbers = append(w.numbers, mobile)
	}
	for _, text := range []string{"v@corp.example", "w@corp.example", "x@corp.example"} {
		email, err := contact.ParseEmail(text)
		if err != nil {
			t.Fatal(err)
		}
		w.addresses = append(w.addresses, email)
	}
	return w
}

// rightCodes takes every code as right: here only the holder of a number enters one. Row 12 is about wrong ones.
type rightCodes struct{}

func (rightCodes) Spend(context.Context, verify.Recipient, verify.Purpose, string, string) error {
	return nil
}
func (rightCodes) Restore(context.Context, string) error { return nil }

// EnqueueMail implements [accounts.Mailer].
func (w *accountWorld) EnqueueMail(_ context.Context, mail accounts.Mail) error {
	w.filed = append(w.filed, mail)
	return nil
}

func (w *accountWorld) wipe(c *rapid.T) {
	for _, table := range []string{"audit", "account_changes", "messages", "declined_emails", "bounced_emails", "deliveries", "events", "endpoints", "consents", "erased_accounts", "accounts"} {
		if _, err := w.db.Unwrap().ExecContext(c.Context(), "delete from "+table); err != nil {
			c.Fatal(err)
		}
	}
	w.modelAccounts = modelAccounts{declined: map[int]time.Time{}, held: map[string]time.Time{}}
	w.filed, w.inbox = nil, nil
	w.clock.Set(time.Now().Truncate(time.Second)) // thousands of cases would take it beyond 2262, where nanoseconds overflow
	w.cases++
}

func (w *accountWorld) mobile(number int) contact.Mobile {
	if number == 0 {
		return contact.Mobile{}
	}
	return w.numbers[number-1]
}

func (w *accountWorld) email(address int) contact.Email {
	if address == 0 {
		return contact.Email{}
	}
	return w.addresses[address-1]
}

// deliver puts the mails that a step has filed into their mailboxes, as a worker would.
func (w *accountWorld) deliver(c *rapid.T) {
	for _, mail := range w.filed {
		claimed, err := w.outbox.Claim(c.Context(), mail.ID, time.Minute)
		if err != nil {
			c.Fatalf("claim of %s: %v", mail.Purpose, err)
		}
		l := letter{
			address: 1 + slices.Index(w.addresses, claimed.Recipient()), ends: claimed.Mail.NotAfter,
			account: w.find(func(a *modelAccount) bool { return a.id == claimed.Account.ID }),
		}
		if l.address == 0 || l.account == nil {
			c.Fatalf("%s goes to an address or for an account that the model does not know", mail.Purpose)
		}
		keys := w.service.Keys
		switch {
		case claimed.Mail.Purpose == accounts.MailActivation:
			if l.activate, err = accounts.ActivationToken(keys, claimed); err == nil {
				l.decline, err = accounts.DeclineToken(keys, claimed)
			}
		case claimed.Mail.Facts.Change != "":
			l.undo, err = accounts.UndoToken(keys, claimed)
			l.change = l.account.changes[len(l.account.changes)-1]
		}
		if err != nil {
			c.Fatal(err)
		}
		w.inbox = append(w.inbox, l)
	}
	w.filed = nil
}

// check compares every account with its model.
func (w *accountWorld) check(c *rapid.T) {
	w.steps++
	w.clock.Advance(time.Second) // no two steps happen at the same time
	w.deliver(c)
	var ids []string
	if err := w.db.Unwrap().SelectContext(c.Context(), &ids, "select id from accounts"); err != nil {
		c.Fatal(err)
	}
	if len(ids) != len(w.all) {
		c.Fatalf("%d accounts, the model has %d", len(ids), len(w.all))
	}
	for _, want := range w.all {
		got, err := w.store.Find(c.Context(), accounts.Key{By: accounts.ByID, Value: want.id})
		if err != nil {
			c.Fatal(err)
		}
		if got.Mobile != w.mobile(want.number) || got.Email != w.email(want.address) || got.PendingEmail != w.email(want.pending) ||
			got.PendingMobile != w.mobile(want.claimed) || got.Active != want.active ||
			got.SessionGeneration != want.sessions || got.ActivationGeneration != want.links {
			c.Fatalf("account %s:\n got %v %v pending %v claims %v active %v sessions %d links %d\nwant %v %v pending %v claims %v active %v sessions %d links %d",
				want.name, got.Mobile, got.Email, got.PendingEmail, got.PendingMobile, got.Active, got.SessionGeneration, got.ActivationGeneration,
				w.mobile(want.number), w.email(want.address), w.email(want.pending), w.mobile(want.claimed), want.active, want.sessions, want.links)
		}
	}
}

// outcomeOf is an error as the model names it.
func outcomeOf(err error) string {
	if taken, ok := errors.AsType[*accounts.ExistsError](err); ok {
		return "taken " + string(taken.Field)
	}
	if _, ok := errors.AsType[accounts.FieldErrors](err); ok {
		return "fields"
	}
	if _, ok := errors.AsType[*verify.LimitError](err); ok {
		return "declined"
	}
	if _, ok := errors.AsType[*accounts.PasswordError](err); ok {
		return "password"
	}
	for known, name := range map[error]string{
		accounts.ErrCredentials: "credentials", accounts.ErrNotActive: "not active", accounts.ErrNotFound: "none",
		accounts.ErrSecondProof: "second proof", accounts.ErrRecentlyChanged: "too recent", accounts.ErrLinkExpired: "link over",
		accounts.ErrLinkInvalid: "no link", accounts.ErrLinkAlone: "link alone", accounts.ErrNothingToUndo: "nothing to undo",
		accounts.ErrSignInAgain: "sign in again",
		accounts.ErrUndoLink:    "no link", accounts.ErrUndoOver: "undo over", accounts.ErrChanged: "changed",
	} {
		if errors.Is(err, known) {
			return name
		}
	}
	if err != nil {
		return err.Error()
	}
	return "ok"
}

// expect ends the case unless a step had the outcome that the model gives it, and reports whether it is success.
func (w *accountWorld) expect(c *rapid.T, step string, err error, want string) bool {
	if got := outcomeOf(err); got != want {
		c.Fatalf("%s: %s, want %s", step, got, want)
	}
	return want == "ok"
}
