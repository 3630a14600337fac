package sqlstore_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"usher/internal/testkit"
)

func TestProbeWrite_leaves_nothing_and_names_what_is_refused(t *testing.T) {
	t.Parallel()
	url := testkit.Postgres(t)
	db := migrated(t, url)
	if err := db.ProbeWrite(t.Context()); err != nil {
		t.Fatal(err)
	}
	var left int
	if err := db.Unwrap().GetContext(t.Context(), &left, "select count(*) from spent"); err != nil || left != 0 {
		t.Errorf("%d rows are left, %v", left, err)
	}
	for _, table := range tables(t) {
		trigger := "create or replace function no() returns trigger language plpgsql as $$ begin raise exception 'no'; end $$; " +
			"create trigger no before insert or update or delete on " + table + " for each statement execute function no()"
		if _, err := db.Unwrap().ExecContext(t.Context(), trigger); err != nil {
			t.Fatal(err)
		}
		if err := db.ProbeWrite(t.Context()); err == nil || !strings.Contains(err.Error(), "refuses") {
			t.Errorf("a database that refuses changes of %s: %v", table, err)
		}
		if _, err := db.Unwrap().ExecContext(t.Context(), "drop trigger no on "+table); err != nil {
			t.Fatal(err)
		}
	}
}

// tables are those that the migrations make.
func tables(t *testing.T) []string {
	t.Helper()
	create := regexp.MustCompile(`(?m)^create table (?:if not exists )?(\w+)`)
	files, err := filepath.Glob("migrations/*.sql")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range create.FindAllStringSubmatch(string(text), -1) {
			names = append(names, found[1])
		}
	}
	if len(names) < 5 {
		t.Fatalf("%d tables", len(names))
	}
	slices.Sort(names)
	return slices.Compact(names)
}
