package accounts_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"usher/accounts"
	"usher/passwords"
	"usher/verify"
)

// oneStep is a world in which a sign-in makes the account.
func oneStep(t testing.TB) *world {
	w := newWorld(t)
	w.Policy.SignInCreates, w.Policy.TermsVersion = true, "2026-12-01"
	return w
}

// firstSignIn signs in with the right code for a number.
func (w *world) firstSignIn(ctx context.Context, t testing.TB, number string, first accounts.FirstSignIn) (accounts.Account, bool, error) {
	t.Helper()
	if first.Admit == nil {
		first.Admit = func() error { return w.note("admit") }
	}
	return w.SignInByCode(ctx, mobile(t, number), codeID(verify.Login, number), rightCode, first)
}

func TestFirstSignIn_makes_an_account_without_name_and_password(t *testing.T) {
	t.Parallel()
	w := oneStep(t)
	got, created, err := w.firstSignIn(t.Context(), t, someMobile, accounts.FirstSignIn{Agree: true})
	if err != nil || !created {
		t.Fatalf("created %v, %v", created, err)
	}
	wantSteps(t, w, "spend login", "find mobile", "find claimed_mobile", "admit", "create")
	if got.Username != "" || got.HasPassword() || got.Mobile.Reveal() != someMobile || !got.Active || got.Waiting() {
		t.Errorf("account = %+v", got)
	}
	if !got.AgreedAt.Equal(w.clock.Now()) || got.AgreedTerms != "2026-12-01" {
		t.Errorf("consent = %v, %q", got.AgreedAt, got.AgreedTerms)
	}
	if got != w.people[got.ID] {
		t.Error("the account was changed after it was stored")
	}

	delete(w.spent, codeID(verify.Login, someMobile))
	again, created, err := w.firstSignIn(t.Context(), t, someMobile, accounts.FirstSignIn{})
	if err != nil || created || again.ID != got.ID {
		t.Errorf("second sign-in: %v, created %v, %v", again.ID, created, err)
	}
	wantSteps(t, w, "spend login", "find mobile")

	for _, login := range []string{someMobile, "", "-" + got.ID} {
		if _, err := w.SignIn(t.Context(), login, goodPassword, passwords.Later); !errors.Is(err, accounts.ErrCredentials) {
			t.Errorf("by password as %q: %v", login, err)
		}
	}
}

func TestFirstSignIn_makes_nothing_unless_it_may(t *testing.T) {
	t.Parallel()
	refused := errors.New("too many registrations")
	mustAgree := accounts.FieldErrors{accounts.FieldAgree: accounts.MustBeAgreed}
	for name, c := range map[string]struct {
		policy   func(*accounts.Policy)
		first    accounts.FirstSignIn
		away     string
		want     error
		restored bool
	}{
		"off":           {policy: func(p *accounts.Policy) { p.SignInCreates = false }, first: accounts.FirstSignIn{Agree: true}, want: accounts.ErrNotFound},
		"by_email":      {policy: func(p *accounts.Policy) { p.Registration = accounts.EmailOnly }, first: accounts.FirstSignIn{Agree: true}, want: accounts.ErrNotFound},
		"both_contacts": {policy: func(p *accounts.Policy) { p.Registration = accounts.Both }, first: accounts.FirstSignIn{Agree: true}, want: accounts.ErrNotFound},
		"not_agreed":    {want: mustAgree, restored: true},
		"too_many":      {first: accounts.FirstSignIn{Agree: true, Admit: func() error { return refused }}, want: refused, restored: true},
		"store_away":    {first: accounts.FirstSignIn{Agree: true}, away: "create", want: errAway, restored: true},
	} {
		w := oneStep(t)
		if c.policy != nil {
			c.policy(&w.Policy)
		}
		if c.away != "" {
			w.fail[c.away] = errAway
		}
		_, created, err := w.firstSignIn(t.Context(), t, someMobile, c.first)
		var fields accounts.FieldErrors
		if same := errors.Is(err, c.want) || errors.As(err, &fields) && fields[accounts.FieldAgree] == accounts.MustBeAgreed && c.want.Error() == mustAgree.Error(); !same || created {
			t.Errorf("%s: created %v, %v, want %v", name, created, err, c.want)
		}
		if len(w.people) != 0 || w.spent[codeID(verify.Login, someMobile)] == c.restored {
			t.Errorf("%s: %d accounts, code spent: %v", name, len(w.people), w.spent)
		}
	}
}

func TestFirstSignIn_of_a_blocked_account_stays_refused(t *testing.T) {
	t.Parallel()
	w := oneStep(t)
	account := w.registered(t)
	account.Active = false
	w.people[account.ID] = account
	_, created, err := w.firstSignIn(t.Context(), t, someMobile, accounts.FirstSignIn{Agree: true})
	if !errors.Is(err, accounts.ErrNotActive) || created || len(w.people) != 1 {
		t.Errorf("created %v, %v, %d accounts", created, err, len(w.people))
	}
}

func TestFirstSignIn_of_two_codes_at_once_makes_one_account(t *testing.T) {
	t.Parallel()
	w := oneStep(t)
	const parallel = 8
	var meet sync.WaitGroup // every request has found no account before the first one makes it
	meet.Add(parallel)
	ids, made := make(chan string, parallel), make(chan bool, parallel)
	w.Codes = anyCode{}
	var done sync.WaitGroup
	for range parallel {
		done.Go(func() {
			got, created, err := w.firstSignIn(t.Context(), t, someMobile, accounts.FirstSignIn{Agree: true, Admit: func() error {
				meet.Done()
				meet.Wait()
				return nil
			}})
			if err != nil {
				t.Error(err)
			}
			ids <- got.ID
			made <- created
		})
	}
	done.Wait()
	close(ids)
	close(made)
	same, first := map[string]bool{}, 0
	for id := range ids {
		same[id] = true
	}
	for created := range made {
		if created {
			first++
		}
	}
	if len(same) != 1 || first != 1 || len(w.people) != 1 {
		t.Errorf("%d accounts signed in, %d made, %d stored", len(same), first, len(w.people))
	}
}

// anyCode accepts every code.
type anyCode struct{ accounts.CodeSpender }

func (anyCode) Spend(context.Context, verify.Recipient, verify.Purpose, string, string) error {
	return nil
}

func TestChanges_of_an_account_without_a_password_need_a_recent_sign_in(t *testing.T) {
	t.Parallel()
	w := oneStep(t)
	account, _, err := w.firstSignIn(t.Context(), t, someMobile, accounts.FirstSignIn{Agree: true})
	if err != nil {
		t.Fatal(err)
	}
	next := mobile(t, nextMobile)
	for _, recent := range []bool{false, true} {
		password := accounts.PasswordChange{Password: goodPassword, PasswordRepeat: goodPassword, Recent: recent}
		changes := map[string]func() error{
			"email": func() error {
				_, err := w.ChangeEmail(t.Context(), account, accounts.EmailChange{Email: email(t, someEmail), Recent: recent})
				return err
			},
			"mobile": func() error {
				_, err := w.ChangeMobile(t.Context(), account, accounts.MobileChange{
					Mobile: next, SMSCodeID: codeID(verify.ChangeMobile, nextMobile), SMSCode: rightCode, Recent: recent,
				})
				return err
			},
			"password": func() error { _, err := w.ChangePassword(t.Context(), account, password); return err },
		}
		for _, name := range []string{"email", "password", "mobile"} {
			account = w.people[account.ID]
			account.PasswordHash = ""
			w.people[account.ID] = account
			if err := changes[name](); recent && err != nil || !recent && !errors.Is(err, accounts.ErrSignInAgain) {
				t.Errorf("%s, recent %v: %v", name, recent, err)
			}
		}
	}
	if got := w.people[account.ID]; got.Mobile != next || got.PendingEmail.IsZero() {
		t.Errorf("account = %+v", got)
	}
}

func TestChanges_of_an_account_with_a_password_need_it_however_recent_the_sign_in(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	account := w.registered(t)
	_, err := w.ChangePassword(t.Context(), account, accounts.PasswordChange{Password: "another good one", PasswordRepeat: "another good one", Recent: true})
	fields, _ := errors.AsType[accounts.FieldErrors](err)
	if fields[accounts.FieldPasswordCurrent] != accounts.Missing {
		t.Errorf("ChangePassword = %v", err)
	}
	_, err = w.ChangeEmail(t.Context(), account, accounts.EmailChange{Email: email(t, someEmail), Recent: true})
	if fields, _ = errors.AsType[accounts.FieldErrors](err); fields[accounts.FieldPassword] != accounts.Missing {
		t.Errorf("ChangeEmail = %v", err)
	}
}

func TestSetUsername(t *testing.T) {
	t.Parallel()
	w := oneStep(t)
	w.registered(t, byEmail, func(r *accounts.SignUp) { r.Username = "HanMei_1" }) // waits for its proof
	account, _, err := w.firstSignIn(t.Context(), t, someMobile, accounts.FirstSignIn{Agree: true})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]accounts.Problem{
		"": accounts.Missing, "abc": accounts.TooShort, "13900139000": accounts.NotAllowed, "раypal_1": accounts.MixedScripts,
	} {
		_, err := w.SetUsername(t.Context(), account, name)
		if fields, _ := errors.AsType[accounts.FieldErrors](err); fields[accounts.FieldUsername] != want {
			t.Errorf("SetUsername(%q) = %v, want %s", name, err, want)
		}
	}
	if taken, ok := errors.AsType[*accounts.ExistsError](second(w.SetUsername(t.Context(), account, "ｈａｎｍｅｉ_1"))); !ok || taken.Field != accounts.FieldUsername {
		t.Error("a name that looks like another one was accepted")
	}
	w.clock.Advance(accounts.HoldName + 25*time.Hour) // the name's proof did not come in time
	named, err := w.SetUsername(t.Context(), account, " ＨanMei_1 ")
	if err != nil || named.Username != "HanMei_1" {
		t.Fatalf("SetUsername = %q, %v", named.Username, err)
	}
	for _, was := range []accounts.Account{named, account} { // the second has read the account before
		if _, err := w.SetUsername(t.Context(), was, "another_1"); !errors.Is(err, accounts.ErrNamed) {
			t.Errorf("a second name: %v", err)
		}
	}
}

func second[T any](_ T, err error) error { return err }
