package wire

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/http/httptrace"
	"os"
	"sync/atomic"
	"syscall"
	"time"
)

// NewClient returns a client for sends, with connections of its own. It is safe for concurrent use.
func NewClient() *http.Client {
	// When one HTTP/2 connection is lost, the outcome of every request on it is unknown. With HTTP/1 each request has
	// a connection to itself.
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	return &http.Client{
		// The caller's context is the limit that counts. This one is for a caller without a deadline.
		Timeout: 30 * time.Second,
		// A redirect that is followed sends the message twice.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			Proxy:                  http.ProxyFromEnvironment, // never for loopback
			DialContext:            dialWith(nil, nil),
			TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
			TLSHandshakeTimeout:    5 * time.Second,
			ResponseHeaderTimeout:  20 * time.Second,
			MaxResponseHeaderBytes: maxAnswer,
			DisableCompression:     true, // answers are short, and no compressed answer can grow in memory
			Protocols:              protocols,
			// With the standard two idle connections, most concurrent sends would dial anew.
			MaxIdleConnsPerHost: 512,
			// Shorter than the keep-alive of common gateways: when the gateway closes a connection while a request
			// travels, the outcome is unknown.
			IdleConnTimeout: 10 * time.Second,
		},
	}
}

// dialWith returns a function that opens connections. The control sees the address of each before it is opened; its error
// refuses the address. Both may be nil.
func dialWith(
	resolver *net.Resolver, control func(network, address string, _ syscall.RawConn) error,
) func(ctx context.Context, network, addr string) (net.Conn, error) {
	dialer := &net.Dialer{Timeout: 3 * time.Second, KeepAlive: 15 * time.Second, Resolver: resolver, Control: control}
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dialer.DialContext(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		return &deadlineConn{Conn: conn}, nil
	}
}

// deadlineConn writes nothing after the deadline of the request that uses it. Contexts end by a timer, which runs beside
// the goroutine that writes: after a freeze, a process could write first, although another worker already has the message.
type deadlineConn struct {
	net.Conn

	request atomic.Pointer[deadline] // nil: none
}

// deadline is that of one request.
type deadline struct {
	at      time.Time
	written atomic.Bool // a part of the request may have left
	refused atomic.Bool
}

// Write returns [os.ErrDeadlineExceeded] after the deadline.
func (c *deadlineConn) Write(p []byte) (int, error) {
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

// tooLate reports whether the request was refused before any part of it left.
func (d *deadline) tooLate() bool { return d.refused.Load() && !d.written.Load() }

// bind makes the deadline that of the connection.
func (d *deadline) bind(info httptrace.GotConnInfo) {
	conn := info.Conn
	if secured, ok := conn.(interface{ NetConn() net.Conn }); ok { // TLS
		conn = secured.NetConn()
	}
	if c, ok := conn.(*deadlineConn); ok {
		c.request.Store(d)
	}
}
