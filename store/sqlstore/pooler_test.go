package sqlstore_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"usher/accounts"
	"usher/contact"
	"usher/internal/testkit"
	"usher/store/sqlstore"
)

// work does what requests and workers do, many at once, and fails at the first error.
func work(t *testing.T, db *sqlstore.DB) {
	t.Helper()
	people, spent := sqlstore.NewAccounts(db, keys(t)), sqlstore.NewSpent(db, time.Now)
	var group sync.WaitGroup
	for i := range 32 {
		group.Go(func() {
			account := person(t)
			account.ID = fmt.Sprintf("user_%d", i)
			account.Username, account.Mobile, account.Email = account.ID, contact.Mobile{}, contact.Email{}
			if err := people.Create(t.Context(), account, nil); err != nil {
				t.Error(err)
				return
			}
			for n := range 20 {
				if _, err := people.Find(t.Context(), accounts.Key{By: accounts.ByID, Value: account.ID}); err != nil {
					t.Error(err)
				}
				if first, err := spent.Use(t.Context(), fmt.Sprint(i, "-", n), time.Now().Add(time.Hour)); err != nil || !first {
					t.Errorf("use: %v, %v", first, err)
				}
			}
		})
	}
	group.Wait()
}

func TestPgBouncer_pooling_transactions_works_by_a_setting(t *testing.T) {
	t.Parallel()
	server := testkit.PostgresServer(t)
	pooler := testkit.PgBouncer(t, server, "transaction", 4)
	settings := sqlstore.Settings{Timeout: testkit.DatabasePatience, Transactions: true}

	// Migrations of two processes at once, through the pooler: they take turns.
	var group sync.WaitGroup
	for range 2 {
		db := openWith(t, pooler.URL(), settings)
		group.Go(func() {
			if err := sqlstore.Migrate(t.Context(), db); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	work(t, openWith(t, pooler.URL(), settings))
	var locks int
	err := openAt(t, server.URL()).Unwrap().GetContext(t.Context(), &locks, "select count(*) from pg_locks where locktype = 'advisory'")
	if err != nil || locks > 0 {
		t.Errorf("%d locks are left with the pooler's connections, %v", locks, err)
	}
}

func TestPgBouncer_pooling_transactions_is_refused_without_the_setting(t *testing.T) {
	t.Parallel()
	server := testkit.PostgresServer(t)
	for _, size := range []int{1, 4} {
		for _, lines := range []string{"", "server_round_robin = 1"} {
			pooler := testkit.PgBouncer(t, server, "transaction", size, lines)
			if size > 1 && lines != "" { // several connections to choose from
				work := openWith(t, pooler.URL(), sqlstore.Settings{Transactions: true})
				var group sync.WaitGroup
				for range 8 {
					group.Go(func() { _ = work.Ping(t.Context()) })
				}
				group.Wait()
			}
			if _, err := sqlstore.Open(t.Context(), pooler.URL(), sqlstore.Settings{}); !errors.Is(err, sqlstore.ErrPooler) {
				t.Errorf("with %d connections, %q: Open = %v, want ErrPooler", size, lines, err)
			}
		}
	}
}

func TestPgBouncer_pooling_sessions_needs_no_setting(t *testing.T) {
	t.Parallel()
	pooler := testkit.PgBouncer(t, testkit.PostgresServer(t), "session", 4)
	db := openWith(t, pooler.URL(), sqlstore.Settings{Timeout: testkit.DatabasePatience, Connections: 4})
	if err := sqlstore.Migrate(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	work(t, db)
}

// What preparing statements saves: the same look-ups in one run, in turns, with and without.
func BenchmarkFind_prepared_and_not(b *testing.B) {
	url := testkit.Postgres(b)
	if url == "" {
		b.Skip("no postgres on this machine")
	}
	db := migrated(b, url)
	plain, err := sqlstore.Open(b.Context(), url, sqlstore.Settings{Transactions: true})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = plain.Close() })
	account := person(b)
	if err := sqlstore.NewAccounts(db, keys(b)).Create(b.Context(), account, nil); err != nil {
		b.Fatal(err)
	}
	var took [2]time.Duration
	for b.Loop() {
		for i, people := range []*sqlstore.Accounts{sqlstore.NewAccounts(db, keys(b)), sqlstore.NewAccounts(plain, keys(b))} {
			began := time.Now()
			for range 100 {
				if _, err := people.Find(b.Context(), accounts.Key{By: accounts.ByID, Value: account.ID}); err != nil {
					b.Fatal(err)
				}
			}
			took[i] += time.Since(began)
		}
	}
	b.ReportMetric(float64(took[1])/float64(took[0]), "plain/prepared")
	b.ReportMetric(float64(took[0].Microseconds())/100/float64(b.N), "µs-prepared")
	b.ReportMetric(float64(took[1].Microseconds())/100/float64(b.N), "µs-plain")
}
