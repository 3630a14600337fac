package app_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"usher/accounts"
	"usher/app"
	"usher/app/front"
	"usher/contact"
	"usher/internal/testkit"
	"usher/secrets"
	"usher/verify"
)

// tables returns every row of every table of a SQLite database.
func (d *deployment) tables(t *testing.T, stores *app.Stores) []byte {
	t.Helper()
	db, all := stores.SQL.Unwrap(), bytes.Buffer{}
	var names []string
	if err := db.SelectContext(t.Context(), &names, "select name from sqlite_master where type = 'table'"); err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		rows, err := db.QueryxContext(t.Context(), fmt.Sprintf("select * from %q", name))
		if err != nil {
			t.Fatal(err)
		}
		for rows.Next() {
			values, err := rows.SliceScan()
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(&all, "%s %v\n", name, values)
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
		_ = rows.Close()
	}
	return all.Bytes()
}

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

// tracesOf returns what is known of a person, by name.
func tracesOf(t *testing.T, keys *secrets.Keys, account accounts.Account) map[string]string {
	t.Helper()
	_, canonical, _ := accounts.CanonicalUsername(account.Username)
	traces := map[string]string{
		"user name": account.Username, "canonical name": canonical, "password's hash": account.PasswordHash,
		"networks of the name": keys.Index("known", accounts.LoginSubject(contact.Regions{}, account.Username)),
		"limits of the id":     keys.Index("limit", account.ID),
	}
	for name, to := range map[string]verify.Recipient{"number": account.Mobile, "address": account.Email} {
		traces["full "+name] = to.Reveal()
		traces["masked "+name] = to.String()
		traces["hash of the "+name] = verify.SubjectFor(keys, to)
		traces["networks of the "+name] = keys.Index("known", accounts.ContactSubject(to))
	}
	traces["limits of the mailbox"] = keys.Index("limit", account.Email.Mailbox())
	return traces
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

// A person goes through everything and is erased. No dump of a store, queue or event has a trace of the person then, nor a log a contact
// in full. The search finds what it looks for before.
func TestErasure_leaves_no_trace(t *testing.T) {
	t.Parallel()
	d := deploy(t, testkit.Redis(t), testkit.SQLite(t), map[string]string{
		"USHER_EVENTS_ALLOW_PRIVATE": "127.0.0.0/8", "USHER_TERMS_VERSION": "1",
	})
	r := &receiver{}
	r.register(t, d)
	p, journey := d.person(t), lilei()
	journey.Username = "vanishing_person"
	p.Walk(journey)
	p.Must(http.StatusCreated, http.MethodPost, "/v1/sessions", map[string]any{"login": journey.Username, "password": journey.Password, "remember": true})
	p.Do(http.MethodPost, "/v1/account/export", map[string]any{"password": "not the password"})

	stores, keys := d.stores(t)
	account, err := stores.Accounts.Find(t.Context(), accounts.Key{By: accounts.ByMobile, Value: journey.Mobile})
	if err != nil {
		t.Fatal(err)
	}
	traces := tracesOf(t, keys, account)
	dump := func() []byte {
		return append(d.tables(t, stores), testkit.DumpRedis(t, stores.Client)...)
	}
	const sealed = 2 // number and address in full
	testkit.Eventually(t, 2*testkit.Patience, func() bool {
		tables := d.tables(t, stores)
		return len(found(dump(), traces)) == len(traces)-sealed && bytes.Count(tables, []byte(account.Mobile.String())) > 3 &&
			bytes.Contains(tables, []byte("consents"))
	}, "the stores have all traces of the person before")

	now := time.Now
	service := &accounts.Service{
		Store: stores.Accounts, Remains: stores.Remains(keys), Keys: keys, Now: func() time.Time { return now() }, Logger: slog.New(slog.DiscardHandler),
	}
	if err := service.Erase(t.Context(), account.ID); err != nil {
		t.Fatal(err)
	}
	now = func() time.Time { return time.Now().Add(2 * time.Hour) } // what workers have stored meanwhile is deleted as well
	var left []string
	defer func() {
		if len(left) > 0 {
			t.Errorf("left: %q", left)
		}
	}()
	testkit.Eventually(t, 2*testkit.Patience, func() bool {
		if _, err := service.ForgetErased(context.WithoutCancel(t.Context()), 10); err != nil {
			t.Fatal(err)
		}
		left = found(dump(), traces)
		return len(left) == 0
	}, "no trace of the person is left")
	if !bytes.Contains(d.tables(t, stores), []byte("account.deleted")) {
		t.Error("neither the audit nor an event tells that the account is gone")
	}
	if logged := found(d.log.Bytes(), map[string]string{
		"number": journey.Mobile, "address": journey.Email, "hash": account.PasswordHash, "keyed hash": traces["hash of the address"],
	}); len(logged) > 0 {
		t.Errorf("the log has %s", strings.Join(logged, ", "))
	}
	if answer := p.Do(http.MethodGet, "/v1/sessions/current", nil); answer.Status != http.StatusUnauthorized {
		t.Errorf("the session of the person: %d", answer.Status)
	}
}
