package testkit

import (
	"context"
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// dataPrefix begins the names of PostgreSQL's data folders, so that forgotten ones can be told.
const dataPrefix = "usher-testkit-postgres-"

// forgotten is the age at which a data folder surely belongs to a test that was killed: no test runs so long.
const forgotten = 12 * time.Hour

// sharedPostgres is the server of this test binary.
type sharedPostgres struct {
	once sync.Once
	err  error
	url  string
	name string
	// admin creates and drops databases, on one connection: PostgreSQL copies a template for one at a time.
	admin *sql.DB
}

// open starts the server of this test binary, or turns to the one that the environment names.
func (p *sharedPostgres) open() {
	p.url, p.name = os.Getenv(databaseVar), "the PostgreSQL of "+databaseVar
	if p.url == "" {
		program := findPostgres()
		server, remove, err := newPostgres(program)
		if err != nil {
			p.err = err
			return
		}
		AtEnd(func() {
			server.Stop()
			remove()
		})
		p.url, p.name = server.URL(), "postgres "+version(program)
	}
	if p.admin, p.err = sql.Open("postgres", p.url); p.err != nil {
		return
	}
	p.admin.SetMaxOpenConns(1)
	AtEnd(func() { _ = p.admin.Close() })
}

// create makes a database that is dropped when the test ends.
func (p *sharedPostgres) create(t testing.TB) string {
	t.Helper()
	name := databaseName()
	target, err := databaseURL(p.url, name)
	if err != nil {
		t.Fatalf("testkit: %v", err)
	}
	if err := p.exec("create database " + name + " template template1"); err != nil {
		t.Fatalf("testkit: create a database: %v", err)
	}
	t.Cleanup(func() {
		if err := p.exec("drop database if exists " + name + " with (force)"); err != nil {
			t.Errorf("testkit: drop a database: %v", err)
		}
	})
	return target
}

// exec tries for a while, since another test binary on the same server may be copying the template.
func (p *sharedPostgres) exec(statement string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for {
		_, err := p.admin.ExecContext(ctx, statement)
		if err == nil || !strings.Contains(err.Error(), "is being accessed by other users") {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// tempRoot returns the folder for temporary files, or /tmp where root's own is closed to the user that
// PostgreSQL runs as.
func tempRoot() string {
	root := os.TempDir()
	if os.Getuid() != 0 {
		return root
	}
	for dir := root; ; dir = filepath.Dir(dir) {
		if info, err := os.Stat(dir); err != nil || info.Mode().Perm()&1 == 0 {
			return "/tmp"
		}
		if dir == filepath.Dir(dir) {
			return root
		}
	}
}

// sweep removes the data folders of test processes that were killed long ago.
func sweep(root string) {
	dirs, _ := filepath.Glob(filepath.Join(root, dataPrefix+"*")) // nothing to sweep is fine too
	for _, dir := range dirs {
		if info, err := os.Stat(dir); err == nil && time.Since(info.ModTime()) > forgotten {
			_ = os.RemoveAll(dir) // may be another user's
		}
	}
}
