package accounts_test

import (
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"usher/accounts"
	"usher/audit"
	"usher/contact"
	"usher/internal/testkit"
	"usher/passwords"
	"usher/secrets"
	"usher/verify"
)

// rightCode is the code that the fake accepts for every number and purpose, once.
const rightCode = "123456"

var errAway = errors.New("store is unavailable")

// world is a service with everything around it in memory. It notes what happened in which order.
type world struct {
	*accounts.Service
	clock *testkit.Clock
	log   *testkit.Buffer

	mu        sync.Mutex
	journal   []string
	people    map[string]accounts.Account // by id
	mails     []accounts.Mail
	changes   []accounts.Change    // that can be undone
	declined  map[string]time.Time // ends by the keyed hash of the address
	bouncedAt map[contact.Email]time.Time
	spent     map[string]bool // code ids
	erased    map[string]accounts.Erased
	forgotten map[string]bool
	fail      map[string]error
	restored  context.Context
}

func newWorld(t testing.TB) *world {
	t.Helper()
	keys, err := secrets.ParseKeys("t1:" + base64.StdEncoding.EncodeToString([]byte(strings.Repeat("k", 32))))
	if err != nil {
		t.Fatal(err)
	}
	w := &world{
		clock:  testkit.NewClock(time.Date(2026, 1, 2, 3, 4, 5, 678, time.UTC)),
		people: map[string]accounts.Account{}, erased: map[string]accounts.Erased{}, forgotten: map[string]bool{},
		spent: map[string]bool{}, declined: map[string]time.Time{}, bouncedAt: map[contact.Email]time.Time{},
		fail: map[string]error{},
	}
	logger, log := testkit.Logger(t)
	w.log = log
	w.Service = &accounts.Service{
		Store:     memory{w},
		Codes:     codes{w},
		Mailer:    memory{w},
		Remains:   memory{w},
		Passwords: passwords.NewHasherOf(2, passwords.Cost{MemoryKiB: 64, Passes: 1}),
		Keys:      keys,
		Policy:    accounts.Policy{Registration: accounts.Either, Asked: accounts.Asked{Username: true, Password: true, PasswordRepeat: true, Email: true}, ActivationTTL: time.Hour, UnprovedTTL: 24 * time.Hour},
		Now:       w.clock.Now,
		Logger:    logger,
	}
	return w
}

// note writes the step down and returns the error that the test wants from it.
func (w *world) note(step string) error {
	w.journal = append(w.journal, step)
	return w.fail[step]
}

// steps returns what happened since the last call.
func (w *world) steps() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	steps := w.journal
	w.journal = nil
	return steps
}

func (w *world) matches(a accounts.Account, key accounts.Key) bool {
	_, canonical, _ := accounts.CanonicalUsername(a.Username)
	return key.Value != "" && map[accounts.By]string{
		accounts.ByID:       a.ID,
		accounts.ByUsername: canonical,
		accounts.ByMobile:   a.Mobile.Reveal(),
		accounts.ByEmail:    a.Email.Reveal(),

		accounts.ByClaimedMobile: a.PendingMobile.Reveal(),
	}[key.By] == key.Value
}

func (w *world) lookUp(key accounts.Key) (accounts.Account, error) {
	for _, a := range w.people {
		if w.matches(a, key) {
			return a, nil
		}
	}
	return accounts.Account{}, accounts.ErrNotFound
}

// memory is the world's Store and Mailer.
type memory struct{ *world }

func (w memory) Create(_ context.Context, a accounts.Account, mail *accounts.Mail) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.note("create"); err != nil {
		return err
	}
	if _, err := w.lookUp(accounts.Key{By: accounts.ByMobile, Value: a.Mobile.Reveal()}); err == nil {
		return &accounts.ExistsError{Field: accounts.FieldMobile}
	}
	w.people[a.ID] = a
	if mail != nil {
		w.mails = append(w.mails, *mail)
	}
	return nil
}

func (w memory) Find(_ context.Context, key accounts.Key) (accounts.Account, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.note("find " + string(key.By)); err != nil {
		return accounts.Account{}, err
	}
	return w.lookUp(key)
}

func (w memory) Exists(_ context.Context, key accounts.Key) (bool, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.note("exists " + string(key.By)); err != nil {
		return false, err
	}
	_, err := w.lookUp(key)
	return err == nil, nil
}

func (w memory) NameTaken(_ context.Context, name string, before time.Time) (bool, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.note("name taken"); err != nil {
		return false, err
	}
	a, err := w.lookUp(accounts.Key{By: accounts.ByUsername, Value: name})
	return err == nil && !isUnproved(a, before), nil
}

// isUnproved reports whether RemoveUnproved deletes the account for the time.
func isUnproved(a accounts.Account, before time.Time) bool {
	return a.Waiting() && !a.Blocked() && !a.PendingEmailAt.IsZero() && a.PendingEmailAt.Before(before)
}

func (w memory) Activate(
	_ context.Context, was accounts.Account, hash string, at time.Time, kept *accounts.Change,
) (accounts.Account, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.note("activate"); err != nil {
		return accounts.Account{}, err
	}
	a, found := w.people[was.ID]
	if !found || a.ActivationGeneration != was.ActivationGeneration || a.PendingEmail.IsZero() {
		return accounts.Account{}, accounts.ErrNotFound
	}
	if _, err := w.lookUp(accounts.Key{By: accounts.ByEmail, Value: a.PendingEmail.Reveal()}); err == nil {
		return accounts.Account{}, &accounts.ExistsError{Field: accounts.FieldEmail}
	}
	if w.file(kept); kept != nil {
		a.EmailChangedAt = kept.At
		a.SessionGeneration++
	}
	a.Email, a.PendingEmail, a.PendingEmailAt = a.PendingEmail, contact.Email{}, time.Time{}
	a.Active, a.UpdatedAt = true, at
	if hash != "" {
		a.PasswordHash = hash
		a.SessionGeneration++
	}
	w.people[was.ID] = a
	return a, nil
}

// waitsWith reports whether the account waits with the address of this hash.
func (w memory) waitsWith(a accounts.Account, address string) bool {
	return !a.PendingEmail.IsZero() && w.Keys.Index("email", a.PendingEmail.Reveal()) == address
}

func (w memory) Release(_ context.Context, address string, _ time.Time) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.note("release"); err != nil {
		return err
	}
	for id, a := range w.people {
		switch {
		case !w.waitsWith(a, address):
		case a.Waiting():
			delete(w.people, id)
		default:
			a.PendingEmail, a.PendingEmailAt = contact.Email{}, time.Time{}
			w.people[id] = a
		}
	}
	return nil
}

func (w memory) Decline(_ context.Context, address string, until time.Time) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.note("decline"); err != nil {
		return err
	}
	w.declined[address] = until
	return nil
}

func (w memory) DeclinedUntil(_ context.Context, address string) (time.Time, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.declined[address], w.note("declined")
}

func (w memory) BouncedAt(_ context.Context, email contact.Email) (time.Time, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.bouncedAt[email], w.note("bounced")
}

func (w memory) RemoveUnproved(_ context.Context, id string, before time.Time) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.note("remove unproved"); err != nil {
		return err
	}
	if a := w.people[id]; isUnproved(a, before) {
		delete(w.people, id)
	}
	return nil
}

func (w memory) FindWaiting(_ context.Context, email contact.Email) (accounts.Account, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.note("find waiting"); err != nil {
		return accounts.Account{}, err
	}
	newest := accounts.Account{}
	for _, a := range w.people {
		if a.Waiting() && a.PendingEmail == email && a.CreatedAt.Compare(newest.CreatedAt) >= 0 {
			newest = a
		}
	}
	if newest.ID == "" {
		return newest, accounts.ErrNotFound
	}
	return newest, nil
}

func (w memory) RenewActivation(_ context.Context, id string, mail accounts.Mail) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.note("renew"); err != nil {
		return err
	}
	w.mails = append(w.mails, mail)
	return nil
}

func (w memory) CorrectEmail(
	_ context.Context, was accounts.Account, email contact.Email, link accounts.Mail,
) (accounts.Account, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.note("correct"); err != nil {
		return accounts.Account{}, err
	}
	a := w.people[was.ID]
	if !a.Waiting() || a.ActivationGeneration != was.ActivationGeneration || a.SessionGeneration != was.SessionGeneration {
		return accounts.Account{}, accounts.ErrChanged
	}
	a.PendingEmail, a.PendingEmailAt, a.UpdatedAt = email, link.CreatedAt, link.CreatedAt
	a.ActivationGeneration++
	w.people[a.ID] = a
	w.mails = append(w.mails, link)
	return a, nil
}

func (w memory) SetUsername(_ context.Context, id, name string, _ time.Time) (accounts.Account, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.note("name"); err != nil {
		return accounts.Account{}, err
	}
	a := w.people[id]
	if a.Username != "" {
		return accounts.Account{}, accounts.ErrChanged
	}
	a.Username = name
	w.people[id] = a
	return a, nil
}

func (w memory) Block(_ context.Context, id string, at time.Time) (accounts.Account, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.note("block"); err != nil {
		return accounts.Account{}, err
	}
	a, found := w.people[id]
	if !found {
		return accounts.Account{}, accounts.ErrNotFound
	}
	if !a.Blocked() {
		a.BlockedAt = at
		a.SessionGeneration++
	}
	w.people[id] = a
	return a, nil
}

func (w memory) Unblock(_ context.Context, id string, _ time.Time) (accounts.Account, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.note("unblock"); err != nil {
		return accounts.Account{}, err
	}
	a, found := w.people[id]
	if !found {
		return accounts.Account{}, accounts.ErrNotFound
	}
	a.BlockedAt = time.Time{}
	w.people[id] = a
	return a, nil
}

func (w memory) Rehash(_ context.Context, id, old, hash string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.note("rehash"); err != nil {
		return err
	}
	if a := w.people[id]; a.PasswordHash == old {
		a.PasswordHash = hash
		w.people[id] = a
	}
	return nil
}

func (w memory) EnqueueMail(context.Context, accounts.Mail) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.note("enqueue")
}

// codeID is the id of the one code that a number has for a purpose.
func codeID(purpose verify.Purpose, number string) string { return string(purpose) + number }

// codes is the world's CodeSpender.
type codes struct{ *world }

func (c codes) Spend(_ context.Context, to verify.Recipient, purpose verify.Purpose, id, code string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.note("spend " + string(purpose)); err != nil {
		return err
	}
	switch {
	case c.spent[id] && code == rightCode && id == codeID(purpose, to.Reveal()):
		return verify.ErrUsed
	case c.spent[id], id != codeID(purpose, to.Reveal()):
		return verify.ErrExpired
	case code != rightCode:
		return verify.ErrWrong
	}
	c.spent[id] = true
	return nil
}

func (c codes) Restore(ctx context.Context, id string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.restored = ctx
	if err := c.note("restore"); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	delete(c.spent, id)
	return nil
}

// busyHasher has no free slot.
type busyHasher struct{}

func (busyHasher) Hash(ctx context.Context, _ string, _ passwords.Priority) (string, error) {
	return "", cmp.Or(ctx.Err(), passwords.ErrBusy)
}

func (busyHasher) Compare(ctx context.Context, _, _ string, _ passwords.Priority) (bool, error) {
	return false, cmp.Or(ctx.Err(), passwords.ErrBusy)
}

const (
	goodPassword = "correct horse 电池"
	someMobile   = "13800138000"
	someEmail    = "lilei@example.com"
)

// signUp is a request that nothing is wrong with, changed by the functions.
func signUp(changes ...func(*accounts.SignUp)) accounts.SignUp {
	r := accounts.SignUp{
		Username: "LiLei_1", Password: goodPassword, PasswordRepeat: goodPassword, Agree: true,
		Mobile: someMobile, SMSCodeID: codeID(verify.Register, someMobile), SMSCode: rightCode,
		Origin: accounts.Origin{Language: "en", Network: "203.0.113.0/24", RequestID: "request-1"},
	}
	for _, change := range changes {
		change(&r)
	}
	if mobile, err := contact.ParseMobile(r.Mobile); err == nil && r.SMSCodeID != "" {
		r.SMSCodeID = codeID(verify.Register, mobile.Reveal())
	}
	return r
}

func byEmail(r *accounts.SignUp) { r.Mobile, r.SMSCode, r.Email = "", "", someEmail }

// registered is a Register that must succeed, and forgets its steps.
func (w *world) registered(t testing.TB, changes ...func(*accounts.SignUp)) accounts.Account {
	t.Helper()
	account, err := w.Register(t.Context(), signUp(changes...))
	if err != nil {
		t.Fatalf("Register: %v", err)
	}
	w.steps()
	return account
}

// byName is the account of this user name.
func (w *world) byName(t testing.TB, name string) accounts.Account {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	_, canonical, _ := accounts.CanonicalUsername(name)
	account, err := w.lookUp(accounts.Key{By: accounts.ByUsername, Value: canonical})
	if err != nil {
		t.Fatal(err)
	}
	return account
}

// newestLink returns the token of the newest mail, as its worker would derive it.
func (w *world) newestLink(t testing.TB, id string) string {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	mail := accounts.ClaimedMail{Mail: w.mails[len(w.mails)-1], Account: w.people[id]}
	token, err := accounts.ActivationToken(w.Keys, mail)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// prove opens a link in the session of its account.
func (w *world) prove(t testing.TB, link string) (accounts.Account, error) {
	t.Helper()
	account, _, err := w.Activate(t.Context(), accounts.Activation{Token: link, Session: w.LinkAccount(link)})
	return account, err
}

func mobile(t testing.TB, s string) contact.Mobile {
	t.Helper()
	m, err := contact.ParseMobile(s)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func email(t testing.TB, s string) contact.Email {
	t.Helper()
	e, err := contact.ParseEmail(s)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func wantSteps(t *testing.T, w *world, want ...string) {
	t.Helper()
	if got := w.steps(); !slices.Equal(got, want) {
		t.Errorf("steps = %q, want %q", got, want)
	}
}

// Sessions are the api's: no test here has one.
func (memory) FindSignedIn(context.Context, string, string) (accounts.Account, error) {
	return accounts.Account{}, accounts.ErrNotFound
}

func (memory) EndSessions(context.Context, time.Time, ...string) error { return nil }

func (memory) Audit(context.Context, audit.Record) error { return nil }

func (memory) EndAllSessions(context.Context, string, time.Time) (accounts.Account, error) {
	return accounts.Account{}, accounts.ErrNotFound
}

func (w memory) Erase(_ context.Context, id string, at time.Time) (accounts.Erased, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.note("erase"); err != nil {
		return accounts.Erased{}, err
	}
	if erased, again := w.erased[id]; again {
		return erased, nil
	}
	a, found := w.people[id]
	if !found {
		return accounts.Erased{}, accounts.ErrNotFound
	}
	erased := accounts.Erased{ID: id, At: at, Username: a.Username, Mobiles: []string{a.Mobile.Reveal()}, Sessions: a.SessionGeneration}
	w.erased[id] = erased
	delete(w.people, id)
	return erased, nil
}

func (w memory) ForgetErased(_ context.Context, erased []accounts.Erased) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, e := range erased {
		if err := w.fail["forget messages of "+e.ID]; err != nil {
			return err
		}
	}
	return w.note("forget messages")
}

func (w memory) MarkForgotten(_ context.Context, erased []accounts.Erased, _, before time.Time) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, e := range erased {
		if w.forgotten[e.ID] = true; !e.At.After(before) {
			delete(w.erased, e.ID)
		}
	}
	return w.note("mark forgotten")
}

func (w memory) ErasedRemains(_ context.Context, before time.Time, limit int) (list []accounts.Erased, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, e := range w.erased {
		if len(list) < limit && (!w.forgotten[e.ID] || !e.At.After(before)) {
			list = append(list, e)
		}
	}
	return list, w.note("erased remains")
}

func (w memory) FreeNames(context.Context, time.Time) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.note("free names")
}

// Forget is the world's Remains.
func (w memory) Forget(_ context.Context, erased []accounts.Erased) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.note("forget")
}

func (w memory) ScheduleDeletion(
	_ context.Context, was accounts.Account, _, due time.Time, mail *accounts.Mail,
) (accounts.Account, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.note("schedule deletion"); err != nil {
		return accounts.Account{}, err
	}
	a := w.people[was.ID]
	a.DeleteAt = due
	a.SessionGeneration++
	w.people[a.ID] = a
	if mail != nil {
		w.mails = append(w.mails, *mail)
	}
	return a, nil
}

func (w memory) KeepAccount(_ context.Context, id string, _ time.Time) (bool, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	a, found := w.people[id]
	if found {
		a.DeleteAt = time.Time{}
		w.people[id] = a
	}
	return found, w.note("keep account")
}

func (w memory) DueDeletions(_ context.Context, at time.Time, limit int) (ids []string, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for id, a := range w.people {
		if len(ids) < limit && !a.Blocked() && !a.DeleteAt.IsZero() && !a.DeleteAt.After(at) {
			ids = append(ids, id)
		}
	}
	return ids, w.note("due deletions")
}

func (w memory) EraseDue(ctx context.Context, id string, at time.Time) (accounts.Erased, error) {
	w.mu.Lock()
	a, found := w.people[id]
	w.mu.Unlock()
	if !found || a.DeleteAt.IsZero() || a.DeleteAt.After(at) {
		return accounts.Erased{}, accounts.ErrNotFound
	}
	return w.Erase(ctx, id, at)
}

func (w memory) Agree(_ context.Context, id string, consents []accounts.Consent) (accounts.Account, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	a := w.people[id]
	for _, c := range consents {
		if c.Document == accounts.Terms {
			a.AgreedTerms, a.AgreedAt = c.Version, c.AgreedAt
		} else {
			a.AgreedPrivacy = c.Version
		}
	}
	w.people[id] = a
	return a, w.note("agree")
}

func (w memory) Withdraw(_ context.Context, id string, document accounts.Document, _ time.Time) (accounts.Account, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	a := w.people[id]
	if document == accounts.Terms {
		a.AgreedTerms = ""
	} else {
		a.AgreedPrivacy = ""
	}
	w.people[id] = a
	return a, w.note("withdraw")
}

func (memory) Consents(context.Context, string, int) ([]accounts.Consent, error) { return nil, nil }

func (w memory) Export(context.Context, accounts.Account, int) (accounts.Export, error) {
	return accounts.Export{}, w.note("export")
}
