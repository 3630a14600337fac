package app

import (
	"container/list"
	"context"
	"fmt"
	"net"
	"net/http"
	"runtime/debug"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

const (
	// idleTimeout is how long a client may keep an idle connection while there are few.
	idleTimeout = 2 * time.Minute

	// idleLeast is the same when nearly all connections are taken. A page loads its parts in less.
	idleLeast = 5 * time.Second

	// sweepEvery is how often idle connections are checked.
	sweepEvery = time.Second

	// spareMemory is how many connections must have ended before their memory is given back to the system, which takes
	// a collection of garbage.
	spareMemory = 500

	// turnedAway bounds the connections that are being refused at the same time; more are closed without an answer.
	turnedAway = 64
)

// connections is a listener that has a bound and still accepts new connections: at the bound it closes the connection that
// has waited longest for its client. Connections with a request in work stay open. When all have one, a new connection is
// answered with 503.
//
// A connection is quiet while there is no whole request on it: it is new, idle, or its client is still sending. It is safe
// for concurrent use.
type connections struct {
	net.Listener

	most int

	mu      sync.Mutex
	quiet   list.List // of *connection; the first has waited longest
	open    int
	highest int // of open since memory was given back

	refusing chan struct{}
	closed   *prometheus.CounterVec // by reason
}

// connection is an open connection. The lock of its connections guards all fields but the first two.
type connection struct {
	net.Conn

	home  *connections
	entry *list.Element // in home.quiet, or nil
	since time.Time     // when it became quiet
	gone  bool
}

// connectionKey is the context's key of a request's connection.
type connectionKey struct{}

func newConnections(listener net.Listener, port Port) *connections {
	l := &connections{Listener: listener, most: port.Connections, refusing: make(chan struct{}, turnedAway)}
	l.closed = newConnectionMetrics(port.Registry, port.Name, l)
	return l
}

// Accept returns the next connection that there is room for.
func (l *connections) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if c := l.take(conn); c != nil {
			return c, nil
		}
		l.refuse(conn)
	}
}

// take makes room for a connection, or returns nil when every other one has a request in work.
func (l *connections) take(conn net.Conn) *connection {
	l.mu.Lock()
	var oldest *connection
	if l.open >= l.most {
		if l.quiet.Len() == 0 {
			l.mu.Unlock()
			return nil
		}
		oldest = l.quiet.Front().Value.(*connection)
		l.forget(oldest)
	}
	c := &connection{Conn: conn, home: l}
	l.open++
	l.highest = max(l.highest, l.open)
	c.wait()
	l.mu.Unlock()
	if oldest != nil {
		l.closed.WithLabelValues("crowded").Inc()
		_ = oldest.Conn.Close()
	}
	return c
}

// wait puts a connection at the end of the quiet ones. The caller has the lock.
func (c *connection) wait() {
	if c.gone {
		return
	}
	c.since = time.Now()
	if c.entry == nil {
		c.entry = c.home.quiet.PushBack(c)
		return
	}
	c.home.quiet.MoveToBack(c.entry)
}

// work takes a connection off the quiet ones. The caller has the lock.
func (c *connection) work() {
	if c.entry != nil {
		c.home.quiet.Remove(c.entry)
		c.entry = nil
	}
}

// forget stops counting a connection. The caller has the lock.
func (l *connections) forget(c *connection) {
	c.work()
	if !c.gone {
		c.gone = true
		l.open--
	}
}

// state is called by the server when the state of a connection changes.
func (l *connections) state(conn net.Conn, state http.ConnState) {
	c, ok := conn.(*connection)
	if !ok || state == http.StateNew || state == http.StateActive { // new ones are quiet; of active ones whole does the rest
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if state == http.StateIdle {
		c.wait()
		return
	}
	l.forget(c)
}

// request marks a request's connection as worked on, or as quiet again while more of the request is waited for.
func request(ctx context.Context, isWorked bool) {
	c, ok := ctx.Value(connectionKey{}).(*connection)
	if !ok {
		return
	}
	c.home.mu.Lock()
	defer c.home.mu.Unlock()
	if isWorked {
		c.work()
		return
	}
	c.wait()
}

// tooMany is the answer to a connection that there is no room for.
var tooMany = fmt.Appendf(nil, "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nRetry-After: 2\r\n"+
	"Connection: close\r\nContent-Length: %d\r\n\r\n%s", len(tooManyBody), tooManyBody)

const tooManyBody = `{"errno":"4301","errmsg":"系统繁忙，请稍后再试","data":{},"request_id":""}`

// refuse answers a connection and closes it, without waiting for it.
func (l *connections) refuse(conn net.Conn) {
	l.closed.WithLabelValues("refused").Inc()
	select {
	case l.refusing <- struct{}{}:
	default:
		_ = conn.Close()
		return
	}
	go func() {
		defer func() { <-l.refusing }()
		defer func() { _ = conn.Close() }()
		_ = conn.SetDeadline(time.Now().Add(time.Second))
		var request [1 << 10]byte
		_, _ = conn.Read(request[:]) // closed with unread data the connection is reset, and the answer lost
		_, _ = conn.Write(tooMany)
	}()
}

// sweep closes connections that were idle for too long, the sooner the more there are, and returns the memory of
// many ended ones to the system.
func (l *connections) sweep(now time.Time) {
	l.mu.Lock()
	var late []*connection
	for front := l.quiet.Front(); front != nil; front = l.quiet.Front() {
		c := front.Value.(*connection)
		if now.Sub(c.since) < idleAllowed(l.open, l.most) {
			break
		}
		l.forget(c)
		late = append(late, c)
	}
	isSpare := l.highest-l.open >= spareMemory && l.open <= l.highest/2
	if isSpare {
		l.highest = l.open
	}
	l.mu.Unlock()
	for _, c := range late {
		_ = c.Conn.Close()
	}
	l.closed.WithLabelValues("idle").Add(float64(len(late)))
	if isSpare {
		debug.FreeOSMemory()
	}
}

// idleAllowed is how long a connection may be quiet: as long as always up to half of the bound, then less.
func idleAllowed(open, most int) time.Duration {
	free := max(most-open, 0)
	return min(idleTimeout, max(idleLeast, idleTimeout*time.Duration(2*free)/time.Duration(most)))
}

// counts returns how many connections are open, and how many of them are quiet.
func (l *connections) counts() (open, quiet int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.open, l.quiet.Len()
}

// newConnectionMetrics registers the metrics of one port's connections, and returns the counter of those that were closed.
func newConnectionMetrics(registry prometheus.Registerer, port string, of *connections) *prometheus.CounterVec {
	registry = prometheus.WrapRegistererWith(prometheus.Labels{"port": port}, registry)
	registry.MustRegister(newScraped(prometheus.GaugeValue, "usher_http_connections",
		"Client connections by state: idle (new, waiting, or still sending a request), busy (a request is being served), and limit (the maximum number).",
		[]string{"state"}, func(show func(float64, ...string)) {
			open, quiet := of.counts()
			show(float64(quiet), "idle")
			show(float64(open-quiet), "busy")
			show(float64(of.most), "limit")
		}))
	closed := promauto.With(registry).NewCounterVec(prometheus.CounterOpts{
		Name: "usher_http_connections_closed_total",
		Help: "Connections that this process closed: idle for too long, crowded (the quietest, at the bound), refused (all others were worked on).",
	}, []string{"reason"})
	for _, reason := range []string{"idle", "crowded", "refused"} {
		closed.WithLabelValues(reason)
	}
	return closed
}
