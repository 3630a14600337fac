package sqlstore

import (
	"cmp"
	"context"
	"database/sql/driver"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lib/pq"

	"usher/store"
)

// cutAfter is how long a server has, when the time of a statement is over, to answer the request to cancel it. A server
// that does not is hanging, and its connection is cut.
const cutAfter = 200 * time.Millisecond

// connector makes connections to the one of several hosts that takes writes. The driver's own does so too, but waits for
// a host that hangs until its time is up, each time anew.
type connector struct {
	hosts   []*pq.Connector
	timeout time.Duration // for one attempt to connect

	// generation counts how often all connections were found to be of no use. Those of an earlier one are closed when
	// they come out of the pool.
	generation atomic.Int64

	mu    sync.Mutex
	first int // the host to begin with
}

// newConnector takes a configuration for each host.
func newConnector(hosts []pq.Config, timeout time.Duration) (*connector, error) {
	c := &connector{timeout: timeout}
	for _, config := range hosts {
		if config.TargetSessionAttrs == "" {
			config.TargetSessionAttrs = pq.TargetSessionAttrsReadWrite
		}
		c.timeout = cmp.Or(config.ConnectTimeout, c.timeout)
		config.ConnectTimeout = 0 // the dialer has the deadline
		host, err := pq.NewConnectorConfig(config)
		if err != nil {
			return nil, err
		}
		host.Dialer(dialer{})
		c.hosts = append(c.hosts, host)
	}
	return c, nil
}

// Driver implements [driver.Connector].
func (c *connector) Driver() driver.Driver { return c.hosts[0].Driver() }

// Connect implements [driver.Connector]. It tries the hosts in turn, first the one that was of use last, and gives each of
// them its part of the time.
func (c *connector) Connect(ctx context.Context) (driver.Conn, error) {
	generation := c.generation.Load()
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	c.mu.Lock()
	first := c.first
	c.mu.Unlock()
	var errs []error
	for i := range c.hosts {
		n := (first + i) % len(c.hosts)
		conn, err := c.dial(ctx, c.hosts[n], len(c.hosts)-i)
		if err == nil {
			c.begin(n)
			return &pgConn{inner: conn.inner, wire: conn.wire, connector: c, generation: generation}, nil
		}
		errs = append(errs, err)
	}
	if len(errs) == 1 {
		return nil, errs[0]
	}
	return nil, errors.Join(errs...)
}

// begin notes which host is tried first from now on.
func (c *connector) begin(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.first = n
}

// dial connects to one host while so many are to be tried.
func (c *connector) dial(ctx context.Context, host *pq.Connector, left int) (*pgConn, error) {
	deadline, _ := ctx.Deadline()
	ctx, cancel := context.WithTimeout(ctx, time.Until(deadline)/time.Duration(left))
	defer cancel()
	var wire *guard
	conn, err := host.Connect(context.WithValue(ctx, wireKey{}, &wire))
	if err != nil {
		return nil, err
	}
	wire.until(time.Time{})
	return &pgConn{inner: conn.(pqConn), wire: wire}, nil
}

// outdate has all connections closed that were made before.
func (c *connector) outdate(generation int64) { c.generation.CompareAndSwap(generation, generation+1) }

// wireKey leads to where the dialer leaves the connection that it has made.
type wireKey struct{}

// dialer makes connections whose deadlines this package sets. The driver also dials in order to cancel a statement, and
// has callers wait for that: such a connection has little time.
type dialer struct{}

// Dial implements [pq.Dialer]; the driver calls DialContext instead.
func (d dialer) Dial(network, address string) (net.Conn, error) {
	return d.DialContext(context.Background(), network, address)
}

// DialTimeout implements [pq.Dialer].
func (d dialer) DialTimeout(network, address string, _ time.Duration) (net.Conn, error) {
	return d.Dial(network, address)
}

// DialContext implements [pq.DialerContext].
func (dialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	wire, connects := ctx.Value(wireKey{}).(**guard)
	deadline, bounded := ctx.Deadline()
	if !connects || !bounded {
		deadline = time.Now().Add(cutAfter)
	}
	conn, err := (&net.Dialer{Deadline: deadline}).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	g := &guard{Conn: conn}
	g.until(deadline)
	if connects {
		*wire = g
	}
	return g, nil
}

// guard is a network connection whose deadline only this package sets.
type guard struct {
	net.Conn

	wrote bool // since the deadline was set
}

// until sets the deadline of reads and writes; zero is none. An error shows in what is read next.
func (g *guard) until(t time.Time) {
	g.wrote = false
	_ = g.Conn.SetDeadline(t)
}

// SetDeadline does nothing: the driver would take away the one that this package has set.
func (*guard) SetDeadline(time.Time) error { return nil }

// Write notes that something may have come to the server.
func (g *guard) Write(p []byte) (int, error) {
	n, err := g.Conn.Write(p)
	g.wrote = g.wrote || n > 0
	return n, err
}

// pqConn is what the driver's connections can do.
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

// pgConn is a connection whose operations end when their context does, also when the server hangs; which is closed when
// it turns out to be of no use; and whose statements are made once more only where they surely had no effect.
type pgConn struct {
	inner      pqConn
	wire       *guard
	connector  *connector
	generation int64
	inTx       bool
	txEnd      time.Time // when the time of the transaction is over; zero without a bound
	outdated   bool
}

// bound has the wire cut soon after the end of the context or of the transaction.
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

// boundShort is for operations without a context.
func (c *pgConn) boundShort() { c.wire.until(time.Now().Add(c.connector.timeout)) }

// judge looks at the error of an operation, which is safe when it may be executed twice. [driver.ErrBadConn] has
// database/sql repeat it on another connection: the driver returns that also for a connection that broke after a
// statement had gone out.
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
	case cureOf(err) == reconnect:
		c.outdated = true
		c.connector.outdate(c.generation)
		if !c.inTx { // a transaction is made once more as a whole, see DB.inTx
			return driver.ErrBadConn
		}
	}
	return err
}

// lost is the error of a statement that may have been executed.
func lost() error {
	return &store.Outage{
		Of: store.Database, Class: store.Unavailable, Reason: "the connection to the database broke",
		Cure: "look at its log and at the network", Err: errors.New("in the middle of a statement"),
	}
}

// IsValid implements [driver.Validator].
func (c *pgConn) IsValid() bool {
	return !c.outdated && c.generation == c.connector.generation.Load() && c.inner.IsValid()
}

// ResetSession implements [driver.SessionResetter]. A connection that the server has closed meanwhile is found before
// anything is written to it.
func (c *pgConn) ResetSession(ctx context.Context) error {
	if !c.IsValid() || isStale(c.wire.Conn) {
		return driver.ErrBadConn
	}
	return c.inner.ResetSession(ctx)
}

// CheckNamedValue implements [driver.NamedValueChecker].
func (c *pgConn) CheckNamedValue(v *driver.NamedValue) error { return c.inner.CheckNamedValue(v) }

// Ping implements [driver.Pinger].
func (c *pgConn) Ping(ctx context.Context) error {
	c.bound(ctx)
	return c.inner.Ping(ctx)
}

// Close implements [driver.Conn].
func (c *pgConn) Close() error {
	c.boundShort()
	_ = c.inner.Close() // one that is broken cannot say goodbye
	return nil
}

// QueryContext implements [driver.QueryerContext].
func (c *pgConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	c.bound(ctx)
	rows, err := c.inner.QueryContext(ctx, query, args)
	return rows, c.judge(ctx, err, false)
}

// ExecContext implements [driver.ExecerContext].
func (c *pgConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	c.bound(ctx)
	result, err := c.inner.ExecContext(ctx, query, args)
	return result, c.judge(ctx, err, false)
}

// Prepare implements [driver.Conn].
func (c *pgConn) Prepare(query string) (driver.Stmt, error) {
	return c.PrepareContext(context.Background(), query)
}

// PrepareContext implements [driver.ConnPrepareContext].
func (c *pgConn) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	c.bound(ctx)
	stmt, err := c.inner.PrepareContext(ctx, query)
	if err != nil {
		return nil, c.judge(ctx, err, true)
	}
	return &pgStmt{stmt.(pqStmt), c}, nil
}

// Begin implements [driver.Conn].
func (c *pgConn) Begin() (driver.Tx, error) {
	return c.BeginTx(context.Background(), driver.TxOptions{})
}

// BeginTx implements [driver.ConnBeginTx].
func (c *pgConn) BeginTx(ctx context.Context, options driver.TxOptions) (driver.Tx, error) {
	c.bound(ctx)
	tx, err := c.inner.BeginTx(ctx, options)
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

// Commit implements [driver.Tx]. An answer that got lost leaves the outcome unknown.
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

// pqStmt is what the driver's statements can do.
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
