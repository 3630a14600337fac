package faultproxy_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"usher/internal/faultproxy"
	"usher/internal/testkit"
)

func TestMain(m *testing.M) { testkit.MainNoLeaks(m) }

// patience is spent on failure only.
const patience = time.Minute

// server answers every line with "re " and the line, and remembers what it was asked.
type server struct {
	mu    sync.Mutex
	asked []string
}

func (s *server) saw(line string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Contains(s.asked, line)
}

func (s *server) serve(conn net.Conn) {
	defer func() { _ = conn.Close() }()
	for lines := bufio.NewScanner(conn); lines.Scan(); {
		s.mu.Lock()
		s.asked = append(s.asked, lines.Text())
		s.mu.Unlock()
		if _, err := conn.Write([]byte("re " + lines.Text() + "\n")); err != nil {
			return
		}
	}
}

// open starts such a server and a proxy before it.
func open(t *testing.T) (*server, *faultproxy.Proxy) {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &server{}
	var running sync.WaitGroup
	running.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			running.Go(func() { s.serve(conn) })
		}
	})
	proxy, err := faultproxy.Open(listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := proxy.Close(); err != nil {
			t.Error(err)
		}
		_ = listener.Close()
		running.Wait()
	})
	return s, proxy
}

// client is one connection through the proxy.
type client struct {
	t    *testing.T
	conn net.Conn
	in   *bufio.Reader
}

func dial(t *testing.T, proxy *faultproxy.Proxy) *client {
	t.Helper()
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", proxy.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return &client{t, conn, bufio.NewReader(conn)}
}

// refuses dials and expects a reset, which may come before the dial has ended.
func refuses(t *testing.T, proxy *faultproxy.Proxy) {
	t.Helper()
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", proxy.Addr())
	if err != nil {
		return
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(patience))
	(&client{t, conn, bufio.NewReader(conn)}).isCut()
}

func (c *client) send(text string) {
	c.t.Helper()
	if _, err := io.WriteString(c.conn, text); err != nil {
		c.t.Fatal(err)
	}
}

func (c *client) reads(want string) {
	c.t.Helper()
	if line, err := c.in.ReadString('\n'); err != nil || line != want+"\n" {
		c.t.Errorf("read %q, %v, want %q", line, err, want)
	}
}

func (c *client) isCut() {
	c.t.Helper()
	line, err := c.in.ReadString('\n')
	if timeout, ok := errors.AsType[net.Error](err); err == nil || ok && timeout.Timeout() || line != "" {
		c.t.Errorf("read %q, %v, want the connection cut", line, err)
	}
}

// isSilent looks for an answer for a moment; a proxy that passes one on does so at once.
func (c *client) isSilent() {
	c.t.Helper()
	_ = c.conn.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
	line, err := c.in.ReadString('\n')
	if timeout, ok := errors.AsType[net.Error](err); !ok || !timeout.Timeout() {
		c.t.Errorf("read %q, %v, want nothing yet", line, err)
	}
	_ = c.conn.SetReadDeadline(time.Now().Add(patience))
}

func await(t *testing.T, trap *faultproxy.Trap) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	select {
	case <-trap.Held():
	case <-ctx.Done():
		t.Fatal("the trap did not spring")
	}
}
