package accounts_test

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"usher/accounts"
	"usher/contact"
	"usher/passwords"
	"usher/secrets"
	"usher/verify"
)

func TestActivate_is_idempotent(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	account := w.registered(t, byEmail)
	link := w.newestLink(t, account.ID)
	if again := w.newestLink(t, account.ID); again != link {
		t.Errorf("two attempts carry different links: %q, %q", link, again)
	}
	for _, pause := range []time.Duration{0, time.Minute, 48 * time.Hour} {
		w.clock.Advance(pause)
		got, err := w.prove(t, link)
		if err != nil || !got.Active || got.Email != email(t, someEmail) || got.ID != account.ID {
			t.Errorf("%v later: Activate = %+v, %v", pause, got, err)
		}
	}
	wantSteps(t, w, "find id", "activate", "release", "find id", "find id")
	if _, err := w.SignIn(t.Context(), someEmail, goodPassword, passwords.Later); err != nil {
		t.Errorf("SignIn = %v", err)
	}
}

func TestActivate_refuses_a_link_past_its_end(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	account := w.registered(t, byEmail)
	link := w.newestLink(t, account.ID)
	w.clock.Advance(time.Hour)
	if _, err := w.prove(t, link); !errors.Is(err, accounts.ErrLinkExpired) {
		t.Errorf("Activate = %v, want ErrLinkExpired", err)
	}
	wantSteps(t, w, "find id")
}

// People who ask for a second mail often open the first one.
func TestActivate_accepts_every_link_to_the_pending_address(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	account := w.registered(t, byEmail)
	first := w.newestLink(t, account.ID)
	w.clock.Advance(time.Second)
	if err := w.ResendActivation(t.Context(), email(t, someEmail), accounts.Origin{Language: "en", RequestID: "request-2"}, free); err != nil {
		t.Fatal(err)
	}
	wantSteps(t, w, "declined", "find waiting", "renew", "enqueue")
	second := w.newestLink(t, account.ID)
	if first == second {
		t.Error("both mails have the same link: the later one ends as early as the first")
	}
	proved, err := w.prove(t, first)
	if err != nil || !proved.Active {
		t.Errorf("first link: Activate = %v, %v", proved.Active, err)
	}
	if again, err := w.prove(t, second); err != nil || again != proved {
		t.Errorf("second link after the first: Activate = %+v, %v, want %+v", again, err, proved)
	}
	if mail := w.mails[1]; mail.RequestID != "request-2" || mail.Language != "en" || mail.ID == w.mails[0].ID {
		t.Errorf("mail = %+v", mail)
	}
}

// The release before this one counted a generation with each mail.
func TestActivate_accepts_the_links_of_an_earlier_release(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	account := w.registered(t, byEmail)
	links := []string{w.newestLink(t, account.ID)}
	for range 2 {
		waiting := w.people[account.ID]
		waiting.ActivationGeneration++
		w.people[account.ID] = waiting
		links = append(links, w.newestLink(t, account.ID))
	}
	for _, link := range links[:2] {
		if got, err := w.prove(t, link); err != nil || !got.Active {
			t.Errorf("Activate = %v, %v", got.Active, err)
		}
		w.people[account.ID] = account
	}
}

func TestActivate_ends_each_link_at_its_own_time(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	account := w.registered(t, byEmail)
	first := w.newestLink(t, account.ID)
	w.clock.Advance(59 * time.Minute)
	if err := w.ResendOwnActivation(t.Context(), account, accounts.Origin{}); err != nil {
		t.Fatal(err)
	}
	w.clock.Advance(time.Minute)
	if _, err := w.prove(t, first); !errors.Is(err, accounts.ErrLinkExpired) {
		t.Errorf("first link after an hour: Activate = %v, want ErrLinkExpired", err)
	}
	if got, err := w.prove(t, w.newestLink(t, account.ID)); err != nil || !got.Active {
		t.Errorf("second link: Activate = %v, %v", got.Active, err)
	}
}

func TestActivate_refuses_a_link_that_is_replaced_meanwhile(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	account := w.registered(t, byEmail)
	w.fail["activate"] = accounts.ErrNotFound
	if _, err := w.prove(t, w.newestLink(t, account.ID)); !errors.Is(err, accounts.ErrLinkExpired) {
		t.Errorf("Activate = %v, want ErrLinkExpired", err)
	}
}

func TestActivate_refuses_what_was_not_made_for_this_address(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	account := w.registered(t, byEmail)
	link := w.newestLink(t, account.ID)
	for title, text := range map[string]string{
		"nothing": "", "noise": "a.b.c", "shortened": link[:len(link)-1], "endless": strings.Repeat("x", 1<<20),
		"unknown key": "zz" + link[2:],
	} {
		if _, err := w.prove(t, text); !errors.Is(err, accounts.ErrLinkInvalid) {
			t.Errorf("%s: Activate = %v, want ErrLinkInvalid", title, err)
		}
	}
	wantSteps(t, w)

	for title, c := range map[string]func(*accounts.Account){
		"other address": func(a *accounts.Account) { a.PendingEmail = email(t, "other@example.com") },
		"no address":    func(a *accounts.Account) { a.PendingEmail = contact.Email{} },
		"no account":    func(a *accounts.Account) { delete(w.people, a.ID); a.ID = "other" },
	} {
		changed := account
		c(&changed)
		w.people[changed.ID] = changed
		if _, err := w.prove(t, link); !errors.Is(err, accounts.ErrLinkInvalid) {
			t.Errorf("%s: Activate = %v, want ErrLinkInvalid", title, err)
		}
	}
	w.fail["find id"] = errAway
	if _, err := w.prove(t, link); !errors.Is(err, errAway) {
		t.Errorf("store away: Activate = %v", err)
	}
}

func TestActivationToken_needs_its_key(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	mail := accounts.ClaimedMail{Mail: accounts.Mail{KeyID: "gone"}}
	if _, err := accounts.ActivationToken(w.Keys, mail); !errors.Is(err, secrets.ErrUnknownKey) {
		t.Errorf("ActivationToken = %v, want ErrUnknownKey", err)
	}
}

func TestCorrectEmail_moves_the_proof_to_another_address(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	account := w.registered(t, byEmail)
	old := w.newestLink(t, account.ID)
	w.clock.Advance(time.Minute)
	right := email(t, "right@example.com")
	got, err := w.CorrectEmail(t.Context(), account, right, accounts.Origin{Language: "en", RequestID: "request-2"})
	want := account
	want.PendingEmail, want.PendingEmailAt, want.UpdatedAt, want.ActivationGeneration = right, w.clock.Now(), w.clock.Now(), 2
	if err != nil || got != want {
		t.Fatalf("CorrectEmail = %+v, %v, want %+v", got, err, want)
	}
	wantSteps(t, w, "exists email", "declined", "correct", "enqueue")
	if mail := w.mails[1]; mail.Purpose != accounts.MailActivation || !mail.Facts.Typed || mail.Language != "en" || mail.RequestID != "request-2" {
		t.Errorf("mail = %+v", mail)
	}
	if _, err := w.prove(t, old); !errors.Is(err, accounts.ErrLinkInvalid) {
		t.Errorf("link to the former address: Activate = %v, want ErrLinkInvalid", err)
	}
	if proved, err := w.prove(t, w.newestLink(t, account.ID)); err != nil || proved.Email != right || !proved.EmailChangedAt.IsZero() {
		t.Errorf("Activate = %+v, %v, want the address as one that came with the account", proved, err)
	}
	if _, err := w.CorrectEmail(t.Context(), got, email(t, "late@example.com"), accounts.Origin{}); !errors.Is(err, accounts.ErrChanged) {
		t.Errorf("CorrectEmail after the proof = %v, want ErrChanged", err)
	}
}

func TestCorrectEmail_refuses(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	owner := w.registered(t, byEmail, func(r *accounts.SignUp) { r.Username, r.Email = "owner_1", "owner@example.com" })
	if _, err := w.prove(t, w.newestLink(t, owner.ID)); err != nil {
		t.Fatal(err)
	}
	account := w.registered(t, byEmail)
	var fields accounts.FieldErrors
	if _, err := w.CorrectEmail(t.Context(), account, account.PendingEmail, accounts.Origin{}); !errors.As(err, &fields) ||
		fields[accounts.FieldEmail] != accounts.Unchanged {
		t.Errorf("the same address: CorrectEmail = %v", err)
	}
	var taken *accounts.ExistsError
	if _, err := w.CorrectEmail(t.Context(), account, email(t, "owner@example.com"), accounts.Origin{}); !errors.As(err, &taken) {
		t.Errorf("a proved address: CorrectEmail = %v", err)
	}
	declined := email(t, "declined@example.com")
	w.declined[w.Keys.Index("email", declined.Reveal())] = w.clock.Now().Add(time.Hour)
	var limit *verify.LimitError
	if _, err := w.CorrectEmail(t.Context(), account, declined, accounts.Origin{}); !errors.As(err, &limit) {
		t.Errorf("a declined address: CorrectEmail = %v", err)
	}
	if w.people[account.ID] != account {
		t.Errorf("a refusal has changed the account: %+v", w.people[account.ID])
	}
}

// free is for a mail that no limit counts.
func free() error { return nil }

func TestResendActivation_answers_alike(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	waiting := w.registered(t, byEmail)
	active := w.registered(t, byEmail, func(r *accounts.SignUp) { r.Username, r.Email = "active_1", "active@example.com" })
	if _, err := w.prove(t, w.newestLink(t, active.ID)); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		for _, address := range []string{someEmail, "active@example.com", "unknown@example.com"} {
			start := time.Now()
			if err := w.ResendActivation(t.Context(), email(t, address), accounts.Origin{Language: "zh", RequestID: "r"}, free); err != nil {
				t.Errorf("%s: ResendActivation = %v", address, err)
			}
			if took := time.Since(start); took != 100*time.Millisecond {
				t.Errorf("%s: took %v", address, took)
			}
		}
	})
	if len(w.mails) != 3 || w.people[waiting.ID] != waiting {
		t.Errorf("%d mails, account %+v", len(w.mails), w.people[waiting.ID])
	}
	refuse := func() error { return &verify.LimitError{Name: "resend_email"} }
	if err := w.ResendActivation(t.Context(), email(t, someEmail), accounts.Origin{}, refuse); err != nil || len(w.mails) != 3 {
		t.Errorf("refused by a limit: ResendActivation = %v, %d mails", err, len(w.mails))
	}
	w.fail["renew"] = accounts.ErrNotFound // activated meanwhile
	if err := w.ResendActivation(t.Context(), email(t, someEmail), accounts.Origin{Language: "zh", RequestID: "r"}, free); err != nil {
		t.Errorf("activated meanwhile: ResendActivation = %v", err)
	}
	w.fail["renew"] = errAway
	if err := w.ResendActivation(t.Context(), email(t, someEmail), accounts.Origin{Language: "zh", RequestID: "r"}, free); !errors.Is(err, errAway) {
		t.Errorf("store away: ResendActivation = %v", err)
	}
}
