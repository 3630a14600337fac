package sqlstore_test

import (
	"testing"
	"time"

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
