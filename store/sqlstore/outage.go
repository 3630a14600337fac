package sqlstore

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/lib/pq"

	"usher/store"
)

// cure says what is done about an error before the caller hears of it. A statement is made once more only where the server
// has surely not executed it, or has taken all of it back.
type cure int

const (
	report    cure = iota // the caller hears of it
	again                 // the same statement or transaction once more
	reconnect             // the connections of this kind are closed, and it is made once more on a new one
)

// fault is a row of the table of what PostgreSQL answers instead of doing what was asked.
type fault struct {
	state        string // SQLSTATE, or the beginning of it
	text         string // part of the message, where the state alone does not tell; "" is any
	cure         cure
	class        store.Class
	reason, todo string
}

// What several rows say.
const (
	standby     = "the database is a standby"
	findPrimary = "list all hosts in USHER_DATABASE_URL, postgres://user@one,two/name: the one that takes writes is found"
	pooled      = "a pooler gives each transaction another connection"
	setPooler   = "set USHER_DATABASE_POOLER=transaction, or have the pooler pool sessions"
	waitUp      = "wait: it answers when it is up"
)

// faults is the only table of SQLSTATEs. The first row that fits counts.
var faults = [...]fault{
	{"25006", "", reconnect, store.Unwritable, standby, findPrimary},
	{"0A000", "recovery", reconnect, store.Unwritable, standby, findPrimary},
	{"0A000", "read-only", reconnect, store.Unwritable, standby, findPrimary},
	{"55000", "recovery is in progress", reconnect, store.Unwritable, standby, findPrimary},
	{"0A000", "cached plan must not change result type", reconnect, store.Refused, "a table has changed under its statements", ""},
	{"40001", "", again, store.Refused, "transactions were in each other's way", "if it goes on, find out what else writes to these tables"},
	{"40P01", "", again, store.Refused, "transactions waited for each other", "if it goes on, find out what else writes to these tables"},
	{"28", "", report, store.Unavailable, "the database refuses the user", "correct USHER_DATABASE_URL, or let the role log in"},
	{"3D000", "", report, store.Unavailable, "there is no such database", "correct USHER_DATABASE_URL, or create it"},
	{"42501", "", report, store.Refused, "the database user lacks a permission", "grant it: docs/postgresql.md"},
	{"53100", "", report, store.Unwritable, "the database's disk is full", "make room on it"},
	{"53200", "", report, store.Unavailable, "the database has no memory left", "look at its log"},
	{"53300", "", report, store.Unavailable, "the database has too many connections", "lower USHER_DATABASE_CONNECTIONS, or raise max_connections"},
	{"53", "", report, store.Unavailable, "the database is short of something", "look at its log"},
	{"57014", "", report, store.Unavailable, "the database does not answer in time", tooSlow},
	{"57P01", "", report, store.Unavailable, "the database was stopped", waitUp},
	{"57P02", "", report, store.Unavailable, "the database crashed", "look at its log; it restarts by itself"},
	{"57P03", "", report, store.Unavailable, "the database is starting or stopping", waitUp},
	{"57", "", report, store.Unavailable, "an operator ended it", waitUp},
	{"55P03", "", report, store.Refused, "a row is locked for too long", "find out what holds it: pg_stat_activity"},
	{"58", "", report, store.Unavailable, "the database's machine fails", "look at its log"},
	{"XX", "", report, store.Refused, "the database has an internal error", "look at its log"},
	{"26000", "", report, store.Unavailable, pooled, setPooler},
	{"42P05", "", report, store.Unavailable, pooled, setPooler},
	{"08P01", "bind message", report, store.Unavailable, pooled, setPooler},
	{"08P01", "unsupported startup parameter", report, store.Unavailable, "the pooler refuses an option of the URL", "remove it, or list it in ignore_startup_parameters"},
	{"08", "", report, store.Unavailable, "the connection to the database broke", "look at its log and at the network"},
}

// tooSlow is the advice about a time that is over.
const tooSlow = "look at its load; if it is only far away, raise USHER_DATABASE_TIMEOUT: admin doctor measures the round trip"

// faultOf finds the row of an error, or nil.
func faultOf(err error) *fault {
	refused, ok := errors.AsType[*pq.Error](err)
	if !ok {
		return nil
	}
	for i := range faults {
		row := &faults[i]
		if strings.HasPrefix(string(refused.Code), row.state) && strings.Contains(refused.Message, row.text) {
			return row
		}
	}
	return nil
}

// cureOf tells what is to be done about an error.
func cureOf(err error) cure {
	if row := faultOf(err); row != nil {
		return row.cure
	}
	return report
}

// asOutage returns an error as a [*store.Outage] if it is one, and otherwise as it is.
func asOutage(err error) error {
	if err == nil || store.AsOutage(err) != nil || errors.Is(err, sql.ErrNoRows) {
		return err
	}
	outage := func(class store.Class, reason, todo string) error {
		return &store.Outage{Of: store.Database, Class: class, Reason: reason, Cure: todo, Err: err}
	}
	if row := faultOf(err); row != nil {
		return outage(row.class, row.reason, row.todo)
	}
	network, isNetwork := errors.AsType[net.Error](err)
	switch text := err.Error(); {
	case strings.Contains(text, "server is in hot standby mode"), strings.Contains(text, "session is read-only"):
		return outage(store.Unavailable, standby, findPrimary) // of the driver, while it connects
	case errors.Is(err, context.DeadlineExceeded), isNetwork && network.Timeout(), isBusySQLite(err),
		errors.Is(err, sql.ErrTxDone): // its time was over between two statements
		return outage(store.Unavailable, "the database does not answer in time", tooSlow)
	case errors.Is(err, context.Canceled):
		return err
	case errors.Is(err, driver.ErrBadConn), errors.Is(err, sql.ErrConnDone), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return outage(store.Unavailable, "the connection to the database broke", "look at its log and at the network")
	case isNetwork:
		return outage(store.Unavailable, "the database cannot be reached", "start it, or correct USHER_DATABASE_URL")
	}
	return err
}

// note returns the error of a statement as an outage, and tells the log whether the database answered. That a caller has
// left is no outage.
func (db *DB) note(ctx context.Context, err error) error {
	if err != nil && errors.Is(ctx.Err(), context.Canceled) && !errors.Is(err, context.Canceled) {
		return fmt.Errorf("%w: %w", ctx.Err(), err)
	}
	err = asOutage(err)
	if o := store.AsOutage(err); o != nil {
		db.watch.Failed(o)
	} else if !errors.Is(err, context.Canceled) {
		db.watch.Answered(store.Database)
	}
	return err
}
