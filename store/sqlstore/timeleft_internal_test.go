package sqlstore

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"

	"usher/internal/testkit"
	"usher/store"
)

// A request whose time is nearly over makes no further round trip, and the database is not reported as unavailable.
func TestDB_begins_no_round_trip_that_cannot_end_in_time(t *testing.T) {
	t.Parallel()
	db, err := Open(t.Context(), testkit.SQLite(t), Settings{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	if err := Migrate(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	late, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	began := false
	begin := func(*sqlx.Tx) error { began = true; return nil }
	var n int
	var all []int
	_, exec := db.exec(late, "delete from accounts")
	for name, err := range map[string]error{
		"get": db.get(late, &n, "select count(*) from accounts"), "list": db.list(late, &all, "select 1"),
		"list once": db.listOnce(late, &all, "select 1"), "exec": exec,
		"transaction": db.inTx(late, begin), "transaction that is not repeated": db.inTxOnce(late, begin),
	} {
		if !errors.Is(err, context.DeadlineExceeded) || store.AsOutage(err) != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if began || len(all) > 0 {
		t.Error("a statement was executed")
	}
}
