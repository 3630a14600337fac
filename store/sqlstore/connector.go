package sqlstore

import (
	"cmp"
	"context"
	"database/sql/driver"
	"errors"
	"net"
	"sync/atomic"
	"time"

	"github.com/lib/pq"
)

// cutAfter is how long a server has to answer the request to cancel a statement that has timed out. A server that does not answer
// hangs, and its connection is closed.
const cutAfter = 200 * time.Millisecond

// connector connects to the one of several hosts that accepts writes. The driver's own connector does so too, but waits for a
// hanging host until the time-out, at each connection.
type connector struct {
	hosts   []*pq.Connector
	timeout time.Duration // of one attempt to connect

	// generation counts how often all connections became useless. Connections of an earlier generation are closed when they
	// are taken from the pool.
	generation atomic.Int64

	first atomic.Int64 // number of the host that is tried first
}

// newConnector returns a connector with a configuration for each host.
func newConnector(hosts []pq.Config, timeout time.Duration) (*connector, error) {
	c := &connector{timeout: timeout}
	for _, config := range hosts {
		if config.TargetSessionAttrs == "" {
			config.TargetSessionAttrs = pq.TargetSessionAttrsReadWrite
		}
		c.timeout = cmp.Or(config.ConnectTimeout, c.timeout)
		config.ConnectTimeout = 0 // the dialer sets the deadline
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

// Connect implements [driver.Connector]. It tries the hosts in turn, beginning with the last that worked, and divides the time
// among them.
func (c *connector) Connect(ctx context.Context) (driver.Conn, error) {
	generation := c.generation.Load()
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	first := int(c.first.Load())
	var errs []error
	for i := range c.hosts {
		n := (first + i) % len(c.hosts)
		conn, err := c.dial(ctx, c.hosts[n], len(c.hosts)-i)
		if err == nil {
			c.first.Store(int64(n))
			conn.generation = generation
			return conn, nil
		}
		errs = append(errs, err)
	}
	return nil, errors.Join(errs...)
}

// dial connects to one host, within its share of the time: left is the number of hosts that are still to be tried.
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
	return &pgConn{pqConn: conn.(pqConn), wire: wire, connector: c}, nil
}

// outdate closes all connections of the generation and of earlier ones, when they are taken from the pool.
func (c *connector) outdate(generation int64) { c.generation.CompareAndSwap(generation, generation+1) }

// wireKey is the context's key for the place where the dialer stores its connection.
type wireKey struct{}

// dialer makes connections whose deadlines this package sets. The driver also dials to cancel a statement while callers wait:
// such a connection has little time.
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

// until sets the deadline of reads and writes; zero is none. The next read returns an error of this call.
func (g *guard) until(t time.Time) {
	g.wrote = false
	_ = g.Conn.SetDeadline(t)
}

// SetDeadline does nothing: the driver would remove the deadline that this package has set.
func (*guard) SetDeadline(time.Time) error { return nil }

// Write notes that something may have reached the server.
func (g *guard) Write(p []byte) (int, error) {
	n, err := g.Conn.Write(p)
	g.wrote = g.wrote || n > 0
	return n, err
}
