package sqlstore

import (
	"context"
	"database/sql/driver"
	"errors"
	"net"
	"time"

	"usher/store"
)

// pqConn is the set of interfaces of the driver's connections.
type pqConn interface {
	driver.Conn
	driver.ConnPrepareContext
	driver.QueryerContext
	driver.ExecerContext
	driver.ConnBeginTx
	driver.Pinger
	driver.SessionResetter
	driver.Validator
	driver.NamedValueChecker
}

// pgConn is a connection whose operations end with their context, also when the server hangs; which is closed when it is useless;
// and whose statements are repeated only when they certainly had no effect.
type pgConn struct {
	pqConn

	wire       *guard
	connector  *connector
	generation int64
	inTx       bool
	txEnd      time.Time // deadline of the transaction; zero for none
	outdated   bool
}

// bound makes the network connection fail soon after the end of the context or of the transaction.
func (c *pgConn) bound(ctx context.Context) {
	deadline, bounded := ctx.Deadline()
	if c.inTx && !c.txEnd.IsZero() && (!bounded || c.txEnd.Before(deadline)) {
		deadline, bounded = c.txEnd, true
	}
	if bounded {
		deadline = deadline.Add(cutAfter)
	}
	c.wire.until(deadline)
}

// boundShort is [pgConn.bound] for operations without a context.
func (c *pgConn) boundShort() { c.wire.until(time.Now().Add(c.connector.timeout)) }

// judge converts the error of an operation, which is safe when it may be executed twice. [driver.ErrBadConn] makes database/sql
// repeat the operation on another connection; the driver returns it also for a connection that broke after a statement was
// sent.
func (c *pgConn) judge(ctx context.Context, err error, safe bool) error {
	_, broken := errors.AsType[net.Error](err)
	c.outdated = c.outdated || broken
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil && (broken || errors.Is(err, driver.ErrBadConn)):
		return ctx.Err()
	case errors.Is(err, driver.ErrBadConn) && c.wire.wrote && !safe:
		return lost()
	case reactionTo(err) == reconnect:
		c.outdated = true
		c.connector.outdate(c.generation)
		if !c.inTx { // a transaction is repeated as a whole, see DB.inTx
			return driver.ErrBadConn
		}
	}
	return err
}

// lost is the error of a statement that may have been executed.
func lost() error {
	return &store.Outage{
		Of: store.Database, Class: store.Unavailable, Reason: "the connection to the database broke",
		Cure: "check its log and the network", Err: errors.New("in the middle of a statement"),
	}
}

// IsValid implements [driver.Validator].
func (c *pgConn) IsValid() bool {
	return !c.outdated && c.generation == c.connector.generation.Load() && c.pqConn.IsValid()
}

// ResetSession implements [driver.SessionResetter]. It detects a connection that the server has closed meanwhile, before anything
// is written to it.
func (c *pgConn) ResetSession(ctx context.Context) error {
	if !c.IsValid() || isStale(c.wire.Conn) {
		return driver.ErrBadConn
	}
	return c.pqConn.ResetSession(ctx)
}

// Ping implements [driver.Pinger].
func (c *pgConn) Ping(ctx context.Context) error {
	c.bound(ctx)
	return c.pqConn.Ping(ctx)
}

// Close implements [driver.Conn].
func (c *pgConn) Close() error {
	c.boundShort()
	_ = c.pqConn.Close() // a broken one cannot be closed properly
	return nil
}

// QueryContext implements [driver.QueryerContext].
func (c *pgConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	c.bound(ctx)
	rows, err := c.pqConn.QueryContext(ctx, query, args)
	return rows, c.judge(ctx, err, false)
}

// ExecContext implements [driver.ExecerContext].
func (c *pgConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	c.bound(ctx)
	result, err := c.pqConn.ExecContext(ctx, query, args)
	return result, c.judge(ctx, err, false)
}

// PrepareContext implements [driver.ConnPrepareContext].
func (c *pgConn) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	c.bound(ctx)
	stmt, err := c.pqConn.PrepareContext(ctx, query)
	if err != nil {
		return nil, c.judge(ctx, err, true)
	}
	return &pgStmt{stmt.(pqStmt), c}, nil
}

// BeginTx implements [driver.ConnBeginTx].
func (c *pgConn) BeginTx(ctx context.Context, options driver.TxOptions) (driver.Tx, error) {
	c.bound(ctx)
	tx, err := c.pqConn.BeginTx(ctx, options)
	if err != nil {
		return nil, c.judge(ctx, err, true)
	}
	c.inTx = true
	c.txEnd, _ = ctx.Deadline()
	return &pgTx{tx, c}, nil
}

// pgTx is a transaction of a [pgConn].
type pgTx struct {
	inner driver.Tx
	conn  *pgConn
}

// Commit implements [driver.Tx]. When the reply is lost the outcome is unknown.
func (t *pgTx) Commit() error {
	t.conn.inTx = false
	t.conn.boundShort()
	err := t.inner.Commit()
	if errors.Is(err, driver.ErrBadConn) {
		return lost()
	}
	return err
}

// Rollback implements [driver.Tx].
func (t *pgTx) Rollback() error {
	t.conn.inTx = false
	t.conn.boundShort()
	return t.inner.Rollback()
}

// pqStmt is the set of interfaces of the driver's statements.
type pqStmt interface {
	driver.Stmt
	driver.StmtExecContext
	driver.StmtQueryContext
}

// pgStmt is a statement of a [pgConn].
type pgStmt struct {
	pqStmt

	conn *pgConn
}

// Close implements [driver.Stmt].
func (s *pgStmt) Close() error {
	s.conn.boundShort()
	return s.pqStmt.Close()
}

// ExecContext implements [driver.StmtExecContext].
func (s *pgStmt) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	s.conn.bound(ctx)
	result, err := s.pqStmt.ExecContext(ctx, args)
	return result, s.conn.judge(ctx, err, false)
}

// QueryContext implements [driver.StmtQueryContext].
func (s *pgStmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	s.conn.bound(ctx)
	rows, err := s.pqStmt.QueryContext(ctx, args)
	return rows, s.conn.judge(ctx, err, false)
}
