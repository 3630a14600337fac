package testkit

import (
	"bytes"
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	_ "github.com/lib/pq" // the driver called postgres
)

// SQLite returns the URL of a SQLite file that does not exist yet, in a folder that goes with the test.
func SQLite(t testing.TB) string {
	t.Helper()
	use("SQLite")
	return "sqlite:" + filepath.Join(t.TempDir(), "usher.db")
}

// Postgres returns the URL of an empty PostgreSQL database that is this test's own: on the private server of
// this test binary or on that of USHER_TEST_DATABASE_URL. It returns "" where there is neither; the test
// then runs on [SQLite] alone.
func Postgres(t testing.TB) string {
	t.Helper()
	if os.Getenv(databaseVar) == "" && findPostgres() == "" {
		demandReal(t, "postgres")
		return ""
	}
	needMain(t)
	shared.postgres.once.Do(shared.postgres.open)
	if shared.postgres.err != nil {
		t.Fatalf("testkit: open postgres: %v", shared.postgres.err)
	}
	use(shared.postgres.name)
	return shared.postgres.create(t)
}

// EachDatabase runs the test as two parallel subtests, on SQLite and on PostgreSQL; the second is skipped
// where there is none.
func EachDatabase(t *testing.T, test func(t *testing.T, url string)) {
	t.Helper()
	t.Run("SQLite", func(t *testing.T) {
		t.Parallel()
		test(t, SQLite(t))
	})
	t.Run("PostgreSQL", func(t *testing.T) {
		t.Parallel()
		url := Postgres(t)
		if url == "" {
			t.Skip("no postgres on this machine")
		}
		test(t, url)
	})
}

// DumpSQL returns every row of every table of a SQLite or PostgreSQL database, with the table's name, to be searched with
// [FindSecrets].
func DumpSQL(t testing.TB, db *sql.DB) []byte {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	var all bytes.Buffer
	for _, table := range tablesOf(ctx, t, db) {
		rows, err := db.QueryContext(ctx, fmt.Sprintf("select * from %q", table))
		if err != nil {
			t.Fatal(err)
		}
		columns, err := rows.Columns()
		if err != nil {
			t.Fatal(err)
		}
		for rows.Next() {
			values, into := make([]any, len(columns)), make([]any, len(columns))
			for i := range values {
				into[i] = &values[i]
			}
			if err := rows.Scan(into...); err != nil {
				t.Fatal(err)
			}
			for i, value := range values {
				if text, ok := value.([]byte); ok { // PostgreSQL's driver returns some texts so
					values[i] = string(text)
				}
			}
			fmt.Fprintf(&all, "%s %v\n", table, values)
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			t.Fatal(err)
		}
	}
	return all.Bytes()
}

// tablesOf returns the names of all tables of a database.
func tablesOf(ctx context.Context, t testing.TB, db *sql.DB) []string {
	t.Helper()
	rows, err := db.QueryContext(ctx, "select name from sqlite_master where type = 'table'")
	if err != nil { // it is no SQLite
		rows, err = db.QueryContext(ctx, "select table_name from information_schema.tables where table_schema = current_schema()")
	}
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	var names []string
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			t.Fatal(err)
		}
		names = append(names, name)
	}
	if err := rows.Err(); err != nil || len(names) == 0 {
		t.Fatalf("tables %q, %v", names, err)
	}
	return names
}

// PostgresServer returns a PostgreSQL server of this test's own, to be stopped, killed and started again;
// its URL leads to the empty database "postgres". The test is skipped where the program is missing.
func PostgresServer(t testing.TB) *Server {
	t.Helper()
	program := needPostgres(t)
	server, remove, err := newPostgres(program)
	if err != nil {
		t.Fatalf("testkit: %v", err)
	}
	t.Cleanup(func() {
		server.Stop()
		remove()
	})
	return server
}

// needPostgres returns the path of the postgres program and skips the test where there is none.
func needPostgres(t testing.TB) string {
	t.Helper()
	program := findPostgres()
	if program == "" {
		demandReal(t, "postgres")
		t.Skip("no postgres on this machine")
	}
	use("postgres " + version(program))
	return program
}

// dataDir returns a folder that goes with the test and that the user whom PostgreSQL runs as may enter.
func dataDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp(tempRoot(), dataPrefix) //nolint:usetesting // the test's own folder is closed to that user
	if err != nil {
		t.Fatalf("testkit: %v", err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// newPostgres makes a data folder and starts a server over it; remove deletes the folder again.
func newPostgres(program string) (server *Server, remove func(), err error) {
	root := tempRoot()
	sweep(root)
	dir, err := os.MkdirTemp(root, dataPrefix)
	if err != nil {
		return nil, nil, err
	}
	remove = func() { _ = os.RemoveAll(dir) } // the next sweep takes what is left
	if err := initDB(program, dir); err != nil {
		remove()
		return nil, nil, err
	}
	server, err = newServer(postgresKind(program), dir)
	if err != nil {
		remove()
		return nil, nil, err
	}
	return server, remove, nil
}

// initDB fills dir. Nothing is synced to disk: these data need not survive the machine.
func initDB(program, dir string) error {
	cmd := exec.Command(filepath.Join(filepath.Dir(program), "initdb"),
		"--pgdata", dir, "--username", "postgres", "--auth", "trust", "--no-sync", "--no-instructions",
		"--encoding", "UTF8", "--locale", "C.UTF-8", "--wal-segsize", "1")
	cmd.Dir = dir // the caller's may be closed to the user that this runs as
	if err := asOrdinaryUser(cmd, dir); err != nil {
		return fmt.Errorf("run initdb as an ordinary user: %w", err)
	}
	if output, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w: %s", err, output)
	}
	return nil
}

func postgresKind(program string) serverKind {
	return serverKind{
		name: "postgres",
		command: func(dir string, port int) (*exec.Cmd, error) {
			cmd := exec.Command(program, "-D", dir, "-p", strconv.Itoa(port), "-h", "127.0.0.1", "-k", "",
				"-F", // no fsync: a killed server loses nothing by it, only a machine that loses power
				"-c", "full_page_writes=off", "-c", "max_connections=300", "-c", "autovacuum=off")
			cmd.Dir = dir
			return cmd, asOrdinaryUser(cmd, dir)
		},
		url: func(addr string) string {
			return "postgres://postgres@" + addr + "/postgres?sslmode=disable"
		},
		ready:   postgresReady,
		orderly: syscall.SIGINT, // PostgreSQL's fast shutdown: does not wait for clients
		// Its immediate shutdown: SIGKILL would leave its shared memory behind.
		abandoned: syscall.SIGQUIT,
	}
}

// postgresReady compares the data folder, since another server may have taken the port.
func postgresReady(url, dir string, _ int) error {
	db, err := sql.Open("postgres", url)
	if err != nil {
		return err
	}
	defer db.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	var found string
	if err := db.QueryRowContext(ctx, "show data_directory").Scan(&found); err != nil {
		return err
	}
	if found != dir {
		return errForeign
	}
	return nil
}

// databaseName is unlikely to be taken on a server that other test binaries use too.
func databaseName() string { return "usher_test_" + strings.ToLower(rand.Text()) }
