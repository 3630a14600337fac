package faultproxy

import (
	"bytes"
	"net"
	"sync"
)

// bufferSize is more than any request of the tests, so that they pass in one piece.
const bufferSize = 64 << 10

// link is one client's connection and its continuation to the server.
type link struct {
	proxy  *Proxy
	client net.Conn
	gone   chan struct{} // closed when the link ends

	mu       sync.Mutex
	ended    bool
	upstream net.Conn // nil until connected
	asked    *Trap    // whose request has passed and whose answer is to be held
}

// join carries bytes both ways until one side ends.
func (l *link) join(upstream net.Conn) {
	l.mu.Lock()
	l.upstream = upstream
	ended := l.ended
	l.mu.Unlock()
	if ended {
		_ = upstream.Close()
		return
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		l.carry(l.client, upstream, l.request)
	}()
	l.carry(upstream, l.client, l.answer)
	<-done
}

// carry passes pieces on as long as pass lets it, which gets each piece with what came before it.
func (l *link) carry(from, to net.Conn, pass func(before, piece []byte) bool) {
	defer l.end(false)
	buffer := make([]byte, bufferSize)
	var before []byte
	for {
		n, err := from.Read(buffer)
		if n > 0 {
			if !pass(before, buffer[:n]) {
				l.cut()
				return
			}
			if _, err := to.Write(buffer[:n]); err != nil {
				return
			}
			before = append(before, buffer[:n]...)
			before = bytes.Clone(before[max(0, len(before)-maxPattern):])
		}
		if err != nil {
			return
		}
	}
}

// request reports whether a piece from the client may pass to the server. It returns after the traps for requests.
func (l *link) request(before, piece []byte) bool {
	if !l.proxy.await(l, false) {
		return false
	}
	for _, trap := range l.proxy.sprung(before, piece, onRequest, onReply) {
		if trap.where == onReply {
			l.mu.Lock()
			l.asked = trap
			l.mu.Unlock()
			continue
		}
		if !trap.hold(l) {
			return false
		}
	}
	return true
}

// answer reports whether a piece from the server may pass to the client.
func (l *link) answer(before, piece []byte) bool {
	if !l.proxy.await(l, true) {
		return false
	}
	l.mu.Lock()
	asked := l.asked
	l.asked = nil
	l.mu.Unlock()
	if asked != nil && !asked.hold(l) {
		return false
	}
	for _, trap := range l.proxy.sprung(before, piece, onAnswer) {
		if !trap.hold(l) {
			return false
		}
	}
	return true
}

// cut ends the link with a reset for the client.
func (l *link) cut() { l.end(true) }

// end closes both connections, once. A reset makes the client's error differ from that of an orderly end.
func (l *link) end(reset bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended {
		return
	}
	l.ended = true
	close(l.gone)
	if tcp, ok := l.client.(*net.TCPConn); ok && reset {
		_ = tcp.SetLinger(0)
	}
	_ = l.client.Close()
	if l.upstream != nil {
		_ = l.upstream.Close()
	}
}
