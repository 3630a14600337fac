package sandbox

import (
	"net"
	"sync"
)

// A closingListener closes the connections it accepted together with itself: mail clients keep theirs
// open for minutes, and the mail library would wait for them.
type closingListener struct {
	net.Listener

	mu     sync.Mutex
	closed bool
	conns  map[*closingConn]struct{}
}

func newClosingListener(l net.Listener) *closingListener {
	return &closingListener{Listener: l, conns: map[*closingConn]struct{}{}}
}

// Accept waits for a connection and remembers it until it is closed.
func (l *closingListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		_ = conn.Close()
		return nil, net.ErrClosed
	}
	c := &closingConn{Conn: conn, listener: l}
	l.conns[c] = struct{}{}
	return c, nil
}

// Close closes the listener and every open connection.
func (l *closingListener) Close() error {
	err := l.Listener.Close()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	for c := range l.conns {
		_ = c.Conn.Close()
	}
	l.conns = nil
	return err
}

type closingConn struct {
	net.Conn
	listener *closingListener
}

// Close closes the connection and lets the listener forget it.
func (c *closingConn) Close() error {
	c.listener.mu.Lock()
	delete(c.listener.conns, c)
	c.listener.mu.Unlock()
	return c.Conn.Close()
}
