package faultproxy

import (
	"bytes"
	"slices"
	"sync"
)

// maxPattern bounds a pattern, and with it what is remembered of each direction.
const maxPattern = 256

// where is the kind of piece that a trap waits for.
type where int

const (
	onRequest where = iota
	onReply
	onAnswer
)

// Trap waits for one piece on the wire and holds it, with its connection, until it is told what to do. Other
// connections go on. It is safe for concurrent use.
type Trap struct {
	proxy   *Proxy
	where   where
	pattern []byte
	left    int // pieces until it springs; guarded by the proxy

	held chan struct{} // closed when something is held
	told chan struct{} // closed by Release, Cut or HangUp
	once sync.Once
	what fate // what was told; valid after told
}

// fate is the outcome of a held piece and its connection.
type fate int

const (
	passes fate = iota
	isReset
	isClosed
)

// OnRequest holds the nth request that contains the pattern before its last part reaches the server.
func (p *Proxy) OnRequest(pattern string, nth int) *Trap { return p.set(onRequest, pattern, nth) }

// OnReply lets the nth request that contains the pattern pass and holds its answer, whatever that is: the
// server has done what it was asked, and the client does not know.
func (p *Proxy) OnReply(pattern string, nth int) *Trap { return p.set(onReply, pattern, nth) }

// OnAnswer holds the nth answer that contains the pattern itself.
func (p *Proxy) OnAnswer(pattern string, nth int) *Trap { return p.set(onAnswer, pattern, nth) }

// set panics on a trap that could never hold anything: the test that sets it is wrong.
func (p *Proxy) set(where where, pattern string, nth int) *Trap {
	if pattern == "" || len(pattern) > maxPattern || nth < 1 {
		panic("faultproxy: a trap needs a pattern of 1 to 256 bytes and a count from 1")
	}
	t := &Trap{
		proxy: p, where: where, pattern: []byte(pattern), left: nth,
		held: make(chan struct{}), told: make(chan struct{}),
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.traps = append(p.traps, t)
	return t
}

// Held is closed as soon as the trap holds something.
func (t *Trap) Held() <-chan struct{} { return t.held }

// Release lets what is held pass. A trap that holds nothing yet will never do so.
func (t *Trap) Release() {
	t.tell(passes)
	t.proxy.mu.Lock()
	defer t.proxy.mu.Unlock()
	t.proxy.traps = slices.DeleteFunc(t.proxy.traps, func(other *Trap) bool { return other == t })
}

// Cut throws away what is held and resets the client's connection. A trap that holds nothing yet will do so
// at once when it springs.
func (t *Trap) Cut() { t.tell(isReset) }

// HangUp is [Trap.Cut] with a connection that is closed in good order, as by a server that shuts down:
// clients tell the two apart.
func (t *Trap) HangUp() { t.tell(isClosed) }

func (t *Trap) tell(what fate) {
	t.once.Do(func() {
		t.what = what
		close(t.told)
	})
}

// hold returns whether the piece may pass; otherwise the link has ended.
func (t *Trap) hold(l *link) bool {
	close(t.held)
	select {
	case <-t.told:
		if t.what != passes {
			l.end(t.what == isReset)
		}
		return t.what == passes
	case <-l.gone:
		return false
	}
}

// sprung counts the piece against the traps of these places and returns those that it springs. Each pattern
// is looked for where the piece and what came before it meet, too.
func (p *Proxy) sprung(before, piece []byte, places ...where) []*Trap {
	p.mu.Lock()
	defer p.mu.Unlock()
	var sprung []*Trap
	p.traps = slices.DeleteFunc(p.traps, func(t *Trap) bool {
		if !slices.Contains(places, t.where) || !t.in(before, piece) {
			return false
		}
		if t.left--; t.left > 0 {
			return false
		}
		sprung = append(sprung, t)
		return true
	})
	return sprung
}

// in reports whether the pattern ends in the piece.
func (t *Trap) in(before, piece []byte) bool {
	if bytes.Contains(piece, t.pattern) {
		return true
	}
	short := len(t.pattern) - 1
	seam := slices.Concat(before[max(0, len(before)-short):], piece[:min(short, len(piece))])
	return bytes.Contains(seam, t.pattern)
}
