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

// reaction says what is done about an error before it is returned to the caller. A statement is repeated only when the server
// has certainly not executed it, or has rolled all of it back.
type reaction int

const (
	giveUp    reaction = iota // return the error
	repeat                    // execute the same statement or transaction once more
	reconnect                 // close the connections, and execute it once more on a new one
)

// fault is a row of the table of errors that PostgreSQL returns instead of executing a statement.
type fault struct {
	state        string // SQLSTATE, or the beginning of it
	text         string // part of the message, where the state alone is ambiguous; "" is any
	reaction     reaction
	class        store.Class
	reason, todo string
}

// Texts of several rows.
const (
	standby     = "the database is a standby"
	findPrimary = "list all hosts in USHER_DATABASE_URL, postgres://user@one,two/name: the primary is found by itself"
	pooled      = "a pooler gives each transaction another connection"
	setPooler   = "set USHER_DATABASE_POOLER=transaction, or have the pooler pool sessions"
	waitUp      = "wait until it has started"
)

// faults is the only table of SQLSTATEs. The first row that matches counts.
var faults = [...]fault{
	{"25006", "", reconnect, store.Unwritable, standby, findPrimary},
	{"0A000", "recovery", reconnect, store.Unwritable, standby, findPrimary},
	{"0A000", "read-only", reconnect, store.Unwritable, standby, findPrimary},
	{"55000", "recovery is in progress", reconnect, store.Unwritable, standby, findPrimary},
	{"0A000", "cached plan must not change result type", reconnect, store.Refused, "a table has changed under its statements", ""},
	{"40001", "", repeat, store.Refused, "transactions conflicted", "if it continues, find out what else writes to these tables"},
	{"40P01", "", repeat, store.Refused, "transactions deadlocked", "if it continues, find out what else writes to these tables"},
	{"28", "", giveUp, store.Unavailable, "the database refuses the user", "correct USHER_DATABASE_URL, or allow the role to log in"},
	{"3D000", "", giveUp, store.Unavailable, "there is no such database", "correct USHER_DATABASE_URL, or create it"},
	{"42501", "", giveUp, store.Refused, "the database user lacks a permission", "grant it: docs/postgresql.md"},
	{"53100", "", giveUp, store.Unwritable, "the database's disk is full", "free space on it"},
	{"53200", "", giveUp, store.Unavailable, "the database is out of memory", "check its log"},
	{"53300", "", giveUp, store.Unavailable, "the database has too many connections", "lower USHER_DATABASE_CONNECTIONS, or raise max_connections"},
	{"53", "", giveUp, store.Unavailable, "the database lacks a resource", "check its log"},
	{"57014", "", giveUp, store.Unavailable, "the database does not answer in time", tooSlow},
	{"57P01", "", giveUp, store.Unavailable, "the database was stopped", waitUp},
	{"57P02", "", giveUp, store.Unavailable, "the database crashed", "check its log; it restarts by itself"},
	{"57P03", "", giveUp, store.Unavailable, "the database is starting or stopping", waitUp},
	{"57", "", giveUp, store.Unavailable, "an operator ended the statement", waitUp},
	{"55P03", "", giveUp, store.Refused, "a row is locked for too long", "find out what holds it: pg_stat_activity"},
	{"58", "", giveUp, store.Unavailable, "the database's machine has a fault", "check its log"},
	{"XX", "", giveUp, store.Refused, "the database has an internal error", "check its log"},
	{"26000", "", giveUp, store.Unavailable, pooled, setPooler},
	{"42P05", "", giveUp, store.Unavailable, pooled, setPooler},
	{"08P01", "bind message", giveUp, store.Unavailable, pooled, setPooler},
	{"08P01", "unsupported startup parameter", giveUp, store.Unavailable, "the pooler refuses an option of the URL", "remove it, or list it in ignore_startup_parameters"},
	{"08", "", giveUp, store.Unavailable, "the connection to the database broke", "check its log and the network"},
}

// tooSlow is the advice about a time-out.
const tooSlow = "check its load; if it is only far away, raise USHER_DATABASE_TIMEOUT: admin doctor measures the round trip"

// faultOf returns the row of an error, or nil.
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

// reactionTo returns what is to be done about an error.
func reactionTo(err error) reaction {
	if row := faultOf(err); row != nil {
		return row.reaction
	}
	return giveUp
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
		return outage(store.Unavailable, standby, findPrimary) // errors of the driver while it connects
	case errors.Is(err, context.DeadlineExceeded), isNetwork && network.Timeout(), isBusySQLite(err),
		errors.Is(err, sql.ErrTxDone): // the transaction timed out between two statements
		return outage(store.Unavailable, "the database does not answer in time", tooSlow)
	case errors.Is(err, context.Canceled):
		return err
	case errors.Is(err, driver.ErrBadConn), errors.Is(err, sql.ErrConnDone), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return outage(store.Unavailable, "the connection to the database broke", "check its log and the network")
	case isNetwork:
		return outage(store.Unavailable, "the database cannot be reached", "start it, or correct USHER_DATABASE_URL")
	}
	return err
}

// note returns the error of a statement as an outage, and tells the watch whether the database answered. A caller that has left
// is no outage.
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
