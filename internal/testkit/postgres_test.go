package testkit_test

import (
	"database/sql"
	"fmt"
	"strings"
	"testing"

	"usher/internal/testkit"
)

// open returns the PostgreSQL database of the URL; it is closed with the test.
func open(t *testing.T, url string) *sql.DB {
	t.Helper()
	db, err := sql.Open("postgres", url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func TestPostgres_gives_every_test_an_empty_database_of_its_own(t *testing.T) {
	t.Parallel()
	for i := range 4 {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			url := testkit.Postgres(t)
			if url == "" {
				t.Skip("no postgres on this machine")
			}
			if _, err := open(t, url).ExecContext(t.Context(), "create table only_once (id int)"); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestPostgresServer_keeps_committed_rows_when_killed(t *testing.T) {
	t.Parallel()
	server := testkit.PostgresServer(t)
	db := open(t, server.URL())
	if _, err := db.ExecContext(t.Context(), "create table kept as select 7 as n"); err != nil {
		t.Fatal(err)
	}
	server.Kill()
	// A backend that was forked before may serve its own connection for a moment more.
	if err := open(t, server.URL()).PingContext(t.Context()); err == nil {
		t.Error("the server still answers")
	}
	server.Start(t)
	var n int
	if err := open(t, server.URL()).QueryRowContext(t.Context(), "select n from kept").Scan(&n); err != nil || n != 7 {
		t.Errorf("after the restart: %d, %v; want 7", n, err)
	}
}

func TestEachDatabase_runs_a_subtest_per_dialect(t *testing.T) {
	t.Parallel()
	testkit.EachDatabase(t, func(t *testing.T, url string) {
		want := "sqlite:"
		if strings.HasSuffix(t.Name(), "/PostgreSQL") {
			want = "postgres://"
		}
		if !strings.HasPrefix(url, want) {
			t.Errorf("got the URL %q, want it to begin with %q", url, want)
		}
	})
}
