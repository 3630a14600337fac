package faultproxy_test

import (
	"errors"
	"fmt"
	"io"
	"syscall"
	"testing"

	"usher/internal/faultproxy"
)

func TestTrap_holds_a_piece_until_it_is_told(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		set    func(p *faultproxy.Proxy, pattern string, nth int) *faultproxy.Trap
		worked bool // the server has the request while the trap holds something
	}{
		"a request before the server has it":    {(*faultproxy.Proxy).OnRequest, false},
		"an answer after the server has worked": {(*faultproxy.Proxy).OnReply, true},
	} {
		for _, cut := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, cut %v", name, cut), func(t *testing.T) {
				t.Parallel()
				s, proxy := open(t)
				trap := test.set(proxy, "commit", 2)
				c, other := dial(t, proxy), dial(t, proxy)
				c.send("commit 1\n")
				c.reads("re commit 1")
				c.send("commit 2\n")
				await(t, trap)
				c.isSilent()
				other.send("commit 3\n") // others go on meanwhile
				other.reads("re commit 3")
				if s.saw("commit 2") != test.worked {
					t.Errorf("while it is held, the server has the request: %v, want %v", !test.worked, test.worked)
				}
				if cut {
					trap.Cut()
					if _, err := c.in.ReadString('\n'); !errors.Is(err, syscall.ECONNRESET) {
						t.Errorf("read %v, want a reset", err)
					}
				} else {
					trap.Release()
					c.reads("re commit 2")
				}
				if want := test.worked || !cut; s.saw("commit 2") != want {
					t.Errorf("afterwards the server has the request: %v, want %v", !want, want)
				}
			})
		}
	}
}

func TestTrap_holds_an_answer_by_what_it_says(t *testing.T) {
	t.Parallel()
	_, proxy := open(t)
	trap := proxy.OnAnswer("re b", 1)
	c := dial(t, proxy)
	c.send("a\n")
	c.reads("re a")
	c.send("b\n")
	await(t, trap)
	c.isSilent()
	trap.Release()
	c.reads("re b")
}

func TestTrap_finds_a_pattern_in_two_pieces(t *testing.T) {
	t.Parallel()
	s, proxy := open(t)
	trap := proxy.OnRequest("commit", 1)
	c := dial(t, proxy)
	c.send("a\ncom")
	c.reads("re a") // the first piece has passed
	c.send("mit\n")
	await(t, trap)
	if s.saw("commit") {
		t.Error("the server has what is held")
	}
	trap.Release()
	c.reads("re commit")
}

func TestTrap_counts_a_pattern_once(t *testing.T) {
	t.Parallel()
	_, proxy := open(t)
	trap := proxy.OnRequest("x", 3)
	c := dial(t, proxy)
	for range 2 {
		c.send("x\n")
		c.reads("re x")
	}
	select {
	case <-trap.Held():
		t.Error("the trap sprang at the second of three")
	default:
	}
	c.send("x\n")
	await(t, trap)
	trap.Release()
	c.reads("re x")
	c.send("x\n") // it springs once
	c.reads("re x")
}

func TestTrap_may_be_told_beforehand(t *testing.T) {
	t.Parallel()
	_, proxy := open(t)
	cutting, released := proxy.OnReply("cut", 1), proxy.OnRequest("cut", 1)
	cutting.Cut()
	released.Release()
	c := dial(t, proxy)
	c.send("cut\n")
	await(t, cutting)
	c.isCut()
	select {
	case <-released.Held():
		t.Error("a trap that was released sprang")
	default:
	}
}

func TestTrap_hangs_up_in_good_order(t *testing.T) {
	t.Parallel()
	s, proxy := open(t)
	trap := proxy.OnReply("a", 1)
	c := dial(t, proxy)
	c.send("a\n")
	await(t, trap)
	trap.HangUp()
	if line, err := c.in.ReadString('\n'); !errors.Is(err, io.EOF) || line != "" {
		t.Errorf("read %q, %v, want the end", line, err)
	}
	if !s.saw("a") {
		t.Error("the server was not asked")
	}
}

func TestTrap_lets_go_when_everything_goes_down(t *testing.T) {
	t.Parallel()
	_, proxy := open(t)
	trap := proxy.OnReply("a", 1)
	c := dial(t, proxy)
	c.send("a\n")
	await(t, trap)
	proxy.SetMode(faultproxy.Down)
	c.isCut()
	trap.Release()
}

func TestTrap_refuses_what_it_could_not_find(t *testing.T) {
	t.Parallel()
	_, proxy := open(t)
	for _, pattern := range []string{"", string(make([]byte, 257))} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("a pattern of %d bytes is taken", len(pattern))
				}
			}()
			proxy.OnRequest(pattern, 1)
		}()
	}
}
