package sqlstore_test

import (
	"testing"
	"time"

	"usher/accounts"
	"usher/internal/testkit"
	"usher/messages"
	"usher/store/sqlstore"
	"usher/vitals"
)

// million files a million SMS that were asked for within the last day, most of them delivered. They differ as those
// of a busy service do: 70 prefixes, three providers of which one is rare, a dozen codes, one in twelve dead.
const million = `
	insert into messages (id, channel, purpose, to_masked, request_id, state, reason, attempt, not_after, enqueued_at,
		provider, provider_id, provider_code, accepted_at, delivered_at, used_at, revision, created_at, updated_at)
	select substr(md5(n::text), 1, 22) || lpad(n::text, 22, '0'), 'sms', 'register',
		'1' || (30 + n % 70) || '****' || lpad((n % 9973)::text, 4, '0'), md5('r' || n),
		case when n % 50 = 0 then 'failed' when n % 40 = 0 then 'undelivered' when n % 30 = 0 then 'dropped' else 'delivered' end,
		case when n % 30 = 0 then 'superseded' else '' end, 1, at + interval '5 minutes', at,
		case when n % 10000 = 7 then 'rare' when n % 3 = 0 then 'ronglian' else 'aliyun' end, md5('p' || n),
		case when n % 50 = 0 then 'isv.X' || n % 7 when n % 40 = 0 then 'MK:' || n % 5 else '' end,
		at + (n % 977) * interval '3 milliseconds', at + (n % 7919) * interval '2 milliseconds', at + interval '30 seconds',
		3, at, at + interval '31 seconds'
	from (select n, now() - (1000000 - n) * interval '86.4 milliseconds' as at from generate_series(1, 1000000) as n) as series`

// BenchmarkMillion reads and prunes a day of a million messages. The limits that docs/performance.md gives: 300 ms a
// page, 2 s for a day.
func BenchmarkMillion(b *testing.B) {
	url := testkit.Postgres(b)
	if url == "" {
		b.Skip("no postgres on this machine")
	}
	db := migrated(b, url)
	for _, statement := range []string{million, "analyze messages"} {
		if _, err := db.Unwrap().ExecContext(b.Context(), statement); err != nil {
			b.Fatal(err)
		}
	}
	history := sqlstore.NewMessages(db, time.Now)
	run := func(name string, do func() error) {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if err := do(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	traffic := func(long, slot time.Duration) func() error {
		return func() error {
			until := time.Now().UTC().Truncate(slot).Add(slot)
			w := vitals.Window{Since: until.Add(-long), Until: until, Slot: slot, Recent: until.Add(-vitals.Recent)}
			_, err := history.Traffic(b.Context(), w)
			return err
		}
	}
	rollUp := func() error { _, err := history.RollUp(b.Context()); return err }
	list := func(filter sqlstore.Filter) func() error {
		filter.Limit = 50
		return func() error { _, err := history.List(b.Context(), filter); return err }
	}
	run("first_RollUp", rollUp)
	run("RollUp", rollUp)
	run("Traffic_of_24h", traffic(24*time.Hour, 15*time.Minute))
	run("Traffic_of_1h", traffic(time.Hour, time.Minute))
	run("List_by_rare_provider", list(sqlstore.Filter{Provider: "rare"}))
	run("List_by_unknown_provider", list(sqlstore.Filter{Provider: "none"}))
	run("List_by_number", list(sqlstore.Filter{To: "138****8000"}))
	run("List_by_code", list(sqlstore.Filter{Code: "isv.X3"}))
	run("List_by_unknown_code", list(sqlstore.Filter{Code: "none"}))
	run("List_dead_by_provider", list(sqlstore.Filter{Provider: "aliyun", States: []messages.State{messages.Failed, messages.Undelivered, messages.Dropped}}))

	// An old transaction keeps the index entries of what is deleted, as a backup that runs does.
	old, err := db.Unwrap().BeginTx(b.Context(), nil)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = old.Rollback() }()
	if _, err := old.ExecContext(b.Context(), "set transaction isolation level repeatable read; select count(*) from spent"); err != nil {
		b.Fatal(err)
	}
	outcomes := sqlstore.NewOutcomes(db, func() time.Time { return time.Now().Add(time.Hour) })
	b.Run("Prune_a_day", func(b *testing.B) {
		for range b.N {
			deleted, err := outcomes.Prune(b.Context(), time.Minute)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(deleted), "rows")
		}
	})
}

// millionAccounts have a name, a number and an address each; every tenth waits for the proof of its address. What is sealed is missing:
// the search reads keyed hashes alone.
const millionAccounts = `
	insert into accounts (id, username, username_key, mobile_key, mobile_masked, email_key, email_masked, email_active,
		pending_email_key, pending_email_masked, password_hash, active, superuser, activation_generation, session_generation, created_at, updated_at)
	select '0193' || substr(md5(n::text), 1, 4) || '-' || lpad(to_hex(n), 12, '0'), 'user_' || n, 'user_' || n,
		substr(md5('m' || n), 1, 22), '138****' || lpad((n % 9973)::text, 4, '0'),
		case when n % 10 > 0 then substr(md5('e' || n), 1, 22) end, 'u***@example.com', n % 10 > 0,
		case when n % 10 = 0 then substr(md5('p' || n % 1000), 1, 22) end, 'u***@example.com', 'hash', true, false, 1, 1, now(), now()
	from generate_series(1, 1000000) as n`

// BenchmarkMillion_accounts searches a million accounts as administrators do. The limit that docs/performance.md gives: 50 ms.
func BenchmarkMillion_accounts(b *testing.B) {
	url := testkit.Postgres(b)
	if url == "" {
		b.Skip("no postgres on this machine")
	}
	db := migrated(b, url)
	for _, statement := range []string{
		"alter table accounts drop constraint accounts_mobile_whole, drop constraint accounts_email_whole, drop constraint accounts_pending_email_whole", millionAccounts, "analyze accounts",
	} {
		if _, err := db.Unwrap().ExecContext(b.Context(), statement); err != nil {
			b.Fatal(err)
		}
	}
	account := withEmail(b, sqlstore.NewAccounts(db, keys(b)))
	directory := sqlstore.NewDirectory(db, keys(b))
	run := func(name string, want int, do func() ([]accounts.Account, error)) {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if found, err := do(); err != nil || len(found) != want {
					b.Fatalf("%d accounts, %v", len(found), err)
				}
			}
		})
	}
	search := func(by accounts.By, value string) func() ([]accounts.Account, error) {
		return func() ([]accounts.Account, error) {
			return directory.Search(b.Context(), accounts.Key{By: by, Value: value}, 20)
		}
	}
	list := func(after string) func() ([]accounts.Account, error) {
		return func() ([]accounts.Account, error) { return directory.Accounts(b.Context(), after, 50) }
	}
	run("Search_by_number", 1, search(accounts.ByMobile, account.Mobile.Reveal()))
	run("Search_by_address_that_waits", 1, search(accounts.ByEmail, account.PendingEmail.Reveal()))
	run("Search_by_name", 1, search(accounts.ByUsername, "user_500000"))
	run("Search_by_unknown_number", 0, search(accounts.ByMobile, "+8613999999999"))
	run("List_first_page", 50, list(""))
	run("List_page_in_the_middle", 50, list("01938"))
}
