// Package faultproxy stands between a program and a server on TCP and makes their connection fail: for all
// that passes, or at one exact byte, so that a test can kill a process between a request's effect and its
// answer.
//
// It knows no protocol, only that one side asks and the other answers, one request at a time on each
// connection. That holds for Redis without subscriptions, PostgreSQL and HTTP/1.1. The well-known proxies of
// this kind delay, limit and cut, but cannot hold one request until a test has done something else; that is
// most of what this package is for, and the rest is a few lines.
package faultproxy

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"
)

// Mode is how a [Proxy] treats everything that passes it.
type Mode int

// The modes. The zero value passes everything on.
const (
	Pass  Mode = iota
	Down       // what is connected is reset, and so is every new connection
	Stall      // connections are accepted and stay, but nothing passes
)

// dialTimeout bounds the way to a server that is frozen.
const dialTimeout = 5 * time.Second

// Proxy passes on what comes to its address. It is safe for concurrent use.
type Proxy struct {
	upstream string
	listener net.Listener
	running  sync.WaitGroup

	mu      sync.Mutex
	closed  bool
	mode    Mode
	delay   time.Duration
	changed chan struct{} // closed at the next change of the mode
	links   map[*link]struct{}
	traps   []*Trap
}

// Open starts a proxy on a loopback port of the kernel's choice, for a server at the address, which need not
// be there yet.
func Open(upstream string) (*Proxy, error) {
	listener, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &Proxy{
		upstream: upstream, listener: listener, changed: make(chan struct{}), links: map[*link]struct{}{},
	}
	p.running.Add(1)
	go p.accept()
	return p, nil
}

// Addr returns host and port to connect to.
func (p *Proxy) Addr() string { return p.listener.Addr().String() }

// SetMode changes how everything is treated from now on. [Down] also resets what is connected and whatever a
// trap holds.
func (p *Proxy) SetMode(mode Mode) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mode = mode
	close(p.changed)
	p.changed = make(chan struct{})
	if mode == Down {
		for l := range p.links {
			l.cut()
		}
	}
}

// SetDelay makes every piece of an answer wait; zero ends that.
func (p *Proxy) SetDelay(delay time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.delay = delay
}

// Reset cuts everything that is connected now, once. New connections are welcome.
func (p *Proxy) Reset() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for l := range p.links {
		l.cut()
	}
}

// Close cuts all connections and returns when nothing of the proxy is left running. Calling it again is
// harmless.
func (p *Proxy) Close() error {
	p.mu.Lock()
	p.closed = true
	for l := range p.links {
		l.cut()
	}
	p.mu.Unlock()
	err := p.listener.Close()
	p.running.Wait()
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

func (p *Proxy) accept() {
	defer p.running.Done()
	for {
		client, err := p.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue // the client gave up before it was accepted
		}
		p.running.Add(1)
		go p.serve(client)
	}
}

func (p *Proxy) serve(client net.Conn) {
	defer p.running.Done()
	l := &link{proxy: p, client: client, gone: make(chan struct{})}
	if !p.admit(l) {
		l.cut()
		return
	}
	defer p.forget(l)
	upstream, err := (&net.Dialer{Timeout: dialTimeout}).DialContext(context.Background(), "tcp", p.upstream)
	if err != nil {
		l.cut()
		return
	}
	l.join(upstream)
}

// admit notes a link, unless the proxy is down or closed.
func (p *Proxy) admit(l *link) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || p.mode == Down {
		return false
	}
	p.links[l] = struct{}{}
	return true
}

func (p *Proxy) forget(l *link) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.links, l)
}

// await returns when the next piece may pass, and false when the link has ended before.
func (p *Proxy) await(l *link, answer bool) bool {
	for {
		p.mu.Lock()
		mode, changed, delay := p.mode, p.changed, p.delay
		p.mu.Unlock()
		if mode == Stall {
			select {
			case <-changed:
				continue
			case <-l.gone:
				return false
			}
		}
		if !answer || delay <= 0 {
			return mode == Pass
		}
		timer := time.NewTimer(delay)
		defer timer.Stop()
		select {
		case <-timer.C:
			return true
		case <-l.gone:
			return false
		}
	}
}
