package wire

import (
	"context"
	"net"
	"net/http/httptrace"
	"os"
	"sync/atomic"
	"time"
)

// punctual is a connection that writes nothing past the deadline of the request that uses it. A process that was
// frozen between its last look at the clock and the write would go on with it, although another worker has
// the message by then: contexts end by a timer, which runs beside the one that writes.
type punctual struct {
	net.Conn

	request atomic.Pointer[deadline] // nil: none
}

// deadline is that of one request.
type deadline struct {
	at      time.Time
	written atomic.Bool // something of the request may have left
	refused atomic.Bool
}

// Write refuses what is too late.
func (c *punctual) Write(p []byte) (int, error) {
	request := c.request.Load()
	if request == nil {
		return c.Conn.Write(p)
	}
	if time.Now().After(request.at) {
		request.refused.Store(true)
		return 0, os.ErrDeadlineExceeded
	}
	request.written.Store(true)
	return c.Conn.Write(p)
}

// tooLate reports whether the request was refused before anything of it left.
func (d *deadline) tooLate() bool { return d.refused.Load() && !d.written.Load() }

// take gives the connection to a request.
func (d *deadline) take(info httptrace.GotConnInfo) {
	conn := info.Conn
	if secured, ok := conn.(interface{ NetConn() net.Conn }); ok { // TLS
		conn = secured.NetConn()
	}
	if c, ok := conn.(*punctual); ok {
		c.request.Store(d)
	}
}

// dialPunctual makes dialled connections punctual.
func dialPunctual(
	dial func(ctx context.Context, network, addr string) (net.Conn, error),
) func(ctx context.Context, network, addr string) (net.Conn, error) {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		return &punctual{Conn: conn}, nil
	}
}
