package app_test

import (
	"bytes"
	"context"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"testing"
	"time"

	"usher/accounts"
	"usher/app"
	"usher/app/front"
	"usher/contact"
	"usher/internal/testclient"
	"usher/internal/testkit"
	"usher/secrets"
	"usher/verify"
)

// stores opens the deployment's stores for a test.
func (d *deployment) stores(t *testing.T) (*app.Stores, *secrets.Keys) {
	t.Helper()
	settings, err := front.Load(d.environ)
	if err != nil {
		t.Fatal(err)
	}
	stores, err := app.OpenStores(t.Context(), settings.Config.Common, settings.Keys, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = stores.Close() })
	return stores, settings.Keys
}

// moves signs the person in and gives the account another number and address. Then it asks for one more address, which is never proved.
func moves(t *testing.T, p *testclient.Client, journey testclient.Journey) {
	t.Helper()
	const mobile, address = "13900139000", "li.lei@example.org"
	p.Must(http.StatusCreated, http.MethodPost, "/v1/sessions", map[string]any{"login": journey.Username, "password": journey.Password, "remember": true})
	id := p.AskCode(mobile, "change_mobile")
	p.Must(http.StatusOK, http.MethodPut, "/v1/account/mobile", map[string]any{
		"mobile": mobile, "sms_code_id": id, "sms_code": p.ReadCode(mobile, 1), "password": journey.Password,
	})
	p.AskMailCode(address, "change_email")
	_, token := p.ReadMailCode(address, 1)
	p.Must(http.StatusOK, http.MethodPut, "/v1/account/email", map[string]any{"email_code_token": token, "password": journey.Password})
	p.Must(http.StatusOK, http.MethodPut, "/v1/account/email", map[string]any{"email": "lilei.waits@example.net", "password": journey.Password})
	p.ReadToken("lilei.waits@example.net", 1)
}

// traces are what is known of a person, by name: what a store shows, and what it has sealed only.
type traces struct{ shown, sealed map[string]string }

// tracesOf returns those of an account whose former contacts are those of the journey.
func tracesOf(t *testing.T, keys *secrets.Keys, account accounts.Account, journey testclient.Journey) traces {
	t.Helper()
	_, canonical, _ := accounts.CanonicalUsername(account.Username)
	all := traces{shown: map[string]string{
		"user name": account.Username, "canonical name": canonical, "password's hash": account.PasswordHash,
		"networks of the name": keys.Index("known", accounts.LoginSubject(contact.Regions{}, account.Username)),
		"limits of the id":     keys.Index("limit", account.ID),
	}, sealed: map[string]string{}}
	mobile, err := contact.ParseMobile(journey.Mobile)
	if err != nil {
		t.Fatal(err)
	}
	email, err := contact.ParseEmail(journey.Email)
	if err != nil {
		t.Fatal(err)
	}
	for name, to := range map[string]verify.Recipient{
		"number": account.Mobile, "address": account.Email, "former number": mobile, "former address": email,
	} {
		all.sealed["full "+name] = to.Reveal()
		all.shown["masked "+name] = to.String()
		all.shown["hash of the "+name] = verify.SubjectFor(keys, to)
		all.shown["networks of the "+name] = keys.Index("known", accounts.ContactSubject(to))
	}
	all.shown["limits of the former mailbox"] = keys.Index("limit", email.Mailbox())
	all.shown["masked address without proof"] = account.PendingEmail.String()
	all.sealed["full address without proof"] = account.PendingEmail.Reveal()
	return all
}

// found returns the names of the traces that are in the dump.
func found(dump []byte, traces map[string]string) []string {
	var names []string
	for name, trace := range traces {
		if len(testkit.FindSecrets(dump, trace)) > 0 {
			names = append(names, name)
		}
	}
	return names
}

// A person goes through everything, also through changes that can be undone and one that waits, and is erased. No dump of a store, queue
// or event has a trace of the person then, nor a log a contact in full. The search finds what it looks for before.
func TestErasure_leaves_no_trace(t *testing.T) {
	t.Parallel()
	testkit.EachDatabase(t, erasureLeavesNoTrace)
}

func erasureLeavesNoTrace(t *testing.T, databaseURL string) {
	d := deploy(t, testkit.Redis(t), databaseURL, map[string]string{
		"USHER_EVENTS_ALLOW_PRIVATE": "127.0.0.0/8", "USHER_TERMS_VERSION": "1",
	})
	r := &receiver{}
	r.register(t, d)
	p, journey := d.person(t), lilei()
	journey.Username = "vanishing_person"
	p.Walk(journey)
	moves(t, p, journey)
	p.Do(http.MethodPost, "/v1/account/export", map[string]any{"password": "not the password"})

	stores, keys := d.stores(t)
	account, err := stores.Accounts.Find(t.Context(), accounts.Key{By: accounts.ByUsername, Value: journey.Username})
	if err != nil {
		t.Fatal(err)
	}
	traces := tracesOf(t, keys, account, journey)
	tables := func() []byte { return testkit.DumpSQL(t, stores.SQL.Unwrap().DB) }
	dump := func() []byte { return append(tables(), testkit.DumpRedis(t, stores.Client)...) }
	var missing []string
	defer func() { report(t, "not found before", missing) }()
	testkit.Eventually(t, 2*testkit.Patience, func() bool {
		missing = missingIn(dump(), traces.shown)
		return len(missing) == 0 && bytes.Count(tables(), []byte(account.Mobile.String())) > 3 && bytes.Contains(tables(), []byte("consents"))
	}, "the stores have all traces of the person before")

	var left []string
	defer func() { report(t, "left", left) }()
	all := maps.Clone(traces.shown)
	maps.Copy(all, traces.sealed)
	now := time.Now
	service := &accounts.Service{
		Store: stores.Accounts, Remains: stores.Remains(keys), Keys: keys, Now: func() time.Time { return now() }, Logger: slog.New(slog.DiscardHandler),
	}
	if err := service.Erase(t.Context(), account.ID); err != nil {
		t.Fatal(err)
	}
	now = func() time.Time { return time.Now().Add(2 * time.Hour) } // what workers have stored meanwhile is deleted as well
	testkit.Eventually(t, 2*testkit.Patience, func() bool {
		if _, err := service.ForgetErased(context.WithoutCancel(t.Context()), 10); err != nil {
			t.Fatal(err)
		}
		left = found(dump(), all)
		return len(left) == 0
	}, "no trace of the person is left")
	if !bytes.Contains(tables(), []byte("account.deleted")) {
		t.Error("neither the audit nor an event tells that the account is gone")
	}
	inLog := maps.Clone(traces.sealed)
	inLog["password's hash"], inLog["keyed hash"] = account.PasswordHash, traces.shown["hash of the former address"]
	report(t, "in the log", found(d.log.Bytes(), inLog))
	if answer := p.Do(http.MethodGet, "/v1/sessions/current", nil); answer.Status != http.StatusUnauthorized {
		t.Errorf("the session of the person: %d", answer.Status)
	}
}

// missingIn returns the names of the traces that are not in the dump.
func missingIn(dump []byte, traces map[string]string) []string {
	names := found(dump, traces)
	return slices.DeleteFunc(slices.Collect(maps.Keys(traces)), func(name string) bool { return slices.Contains(names, name) })
}

// report fails the test if there are names.
func report(t *testing.T, what string, names []string) {
	t.Helper()
	if len(names) > 0 {
		t.Errorf("%s: %q", what, names)
	}
}
