package app

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"usher/internal/testkit"
)

// serving is a server whose handler answers /slow when it is told to, and anything else at once.
type serving struct {
	t        *testing.T
	server   *Server
	registry *prometheus.Registry
	release  chan struct{}
	working  chan struct{} // gets a token for each /slow that has begun
}

func serve(t *testing.T, connections int) *serving {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &serving{t: t, registry: prometheus.NewRegistry(), release: make(chan struct{}), working: make(chan struct{}, 100)}
	logger, _ := testkit.Logger(t)
	s.server = newServer(listener, s, Port{
		Name: "test", Connections: connections, Registry: s.registry,
		Bodyless: func(r *http.Request) bool { return r.URL.Path == "/bodyless" },
	}, logger)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- s.server.Run(ctx, time.Second) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return s
}

func (s *serving) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/slow" {
		s.working <- struct{}{}
		<-s.release
	}
	if r.URL.Path == "/bodyless" {
		w.Header().Set("Connection", "close")
		return
	}
	body, err := io.ReadAll(r.Body)
	_, _ = fmt.Fprintf(w, "%d %v", len(body), err)
}

// client is one connection of a client.
type client struct {
	t *testing.T
	net.Conn

	reader *bufio.Reader
}

func (s *serving) connect() *client {
	s.t.Helper()
	conn, err := new(net.Dialer).DialContext(s.t.Context(), "tcp", s.server.Addr())
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	return &client{s.t, conn, bufio.NewReader(conn)}
}

func (c *client) send(text string) {
	c.t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		c.t.Fatal(err)
	}
}

// answer returns status and body of the next answer, or 0 when the connection has ended.
func (c *client) answer() (status int, body string) {
	c.t.Helper()
	response, err := http.ReadResponse(c.reader, nil)
	if err != nil {
		return 0, ""
	}
	text, err := io.ReadAll(response.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	return response.StatusCode, string(text)
}

const plainRequest = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"

func (c *client) mustAnswer(want int) {
	c.t.Helper()
	if got, body := c.answer(); got != want {
		c.t.Errorf("answered %d %s, want %d", got, body, want)
	}
}

// Clients that open connections and send nothing, or send it slowly, must not keep the next person out.
func TestServer_closes_the_quietest_connection_for_a_newcomer(t *testing.T) {
	t.Parallel()
	for name, said := range map[string]string{
		"says nothing":              "",
		"says a line":               "GET / HTTP/1.1\r\n",
		"sends a part of its body":  "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nabc",
		"had an answer and is idle": plainRequest,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, 3)
			first := s.connect()
			first.send(plainRequest)
			first.mustAnswer(http.StatusOK)
			s.quiet(1)
			var others []*client
			for i := range 2 {
				c := s.connect()
				c.send(said)
				if said == plainRequest {
					c.mustAnswer(http.StatusOK)
				}
				others = append(others, c)
				s.quiet(i + 2)
			}
			for range 3 { // one after the other they take the places of all three
				next := s.connect()
				next.send(plainRequest)
				next.mustAnswer(http.StatusOK)
				s.quiet(3)
			}
			for _, c := range append(others, first) {
				if status, body := c.answer(); status != 0 {
					t.Errorf("a connection that was to be closed is answered %d %s", status, body)
				}
			}
			if got := s.closed("crowded"); got != 3 {
				t.Errorf("%v connections were counted, want 3", got)
			}
		})
	}
}

// closed returns how many connections the metrics say were closed for a reason.
func (s *serving) closed(reason string) float64 {
	s.t.Helper()
	families, err := s.registry.Gather()
	if err != nil {
		s.t.Fatal(err)
	}
	for _, family := range families {
		for _, metric := range family.GetMetric() {
			for _, label := range metric.GetLabel() {
				if family.GetName() == "usher_http_connections_closed_total" && label.GetValue() == reason {
					return metric.GetCounter().GetValue()
				}
			}
		}
	}
	s.t.Fatalf("no metric counts connections that are closed for being %s", reason)
	return 0
}

// quiet waits until so many connections are open and none of them is worked on.
func (s *serving) quiet(n int) {
	s.t.Helper()
	testkit.Eventually(s.t, testkit.Patience, func() bool {
		open, quiet := s.server.connections.counts()
		return open == n && quiet == n
	}, "%d connections are open and quiet", n)
}

// When all connections are worked on none is closed, and a newcomer still hears something.
func TestServer_answers_newcomers_when_all_are_worked_on(t *testing.T) {
	t.Parallel()
	s := serve(t, 2)
	var busy []*client
	for range 2 {
		c := s.connect()
		c.send("POST /slow HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc")
		<-s.working
		busy = append(busy, c)
	}
	late := s.connect()
	late.send(plainRequest)
	if status, body := late.answer(); status != http.StatusServiceUnavailable || !strings.Contains(body, `"4301"`) {
		t.Errorf("the third is answered %d %s", status, body)
	}
	close(s.release)
	for _, c := range busy {
		if status, body := c.answer(); status != http.StatusOK || body != "3 <nil>" {
			t.Errorf("work in hand is answered %d %s", status, body)
		}
	}
	s.quiet(2)
	next := s.connect()
	next.send(plainRequest)
	next.mustAnswer(http.StatusOK)
}

func TestServer_closes_idle_connections_sooner_when_there_are_many(t *testing.T) {
	t.Parallel()
	for open, want := range map[int]time.Duration{
		0: idleTimeout, 500: idleTimeout, 750: idleTimeout / 2, 900: idleTimeout / 5, 1000: idleLeast, 1001: idleLeast,
	} {
		if got := idleAllowed(open, 1000); got != want {
			t.Errorf("%d of 1000 are open: %v, want %v", open, got, want)
		}
	}
	s := serve(t, 4)
	var all []*client
	for i := range 4 {
		c := s.connect()
		c.send(plainRequest)
		c.mustAnswer(http.StatusOK)
		all = append(all, c)
		s.quiet(i + 1)
	}
	s.server.connections.sweep(time.Now().Add(2 * idleLeast))
	s.quiet(3) // the fourth place is free again: the others may stay for longer
	if status, _ := all[0].answer(); status != 0 {
		t.Error("the longest idle one is still open")
	}
	all[1].send(plainRequest)
	all[1].mustAnswer(http.StatusOK)
}

// A body may be long, of unknown length, or end too soon: a handler reads the same as without us.
func TestWhole_hands_on_bodies_as_they_are(t *testing.T) {
	t.Parallel()
	s := serve(t, 10)
	for name, test := range map[string]struct{ head, body, want string }{
		"none":    {"", "", "0 <nil>"},
		"short":   {"Content-Length: 3", "abc", "3 <nil>"},
		"at most": {fmt.Sprintf("Content-Length: %d", wholeBody), strings.Repeat("a", wholeBody), fmt.Sprintf("%d <nil>", wholeBody)},
		"longer":  {"Content-Length: 100000", strings.Repeat("a", 100_000), "100000 <nil>"},
		"chunks":  {"Transfer-Encoding: chunked", "3\r\nabc\r\n3\r\ndef\r\n0\r\n\r\n", "6 <nil>"},
		"broken":  {"Transfer-Encoding: chunked", "3\r\nabc\r\nno number\r\n", "3 invalid byte in chunk length"},
	} {
		c := s.connect()
		head := "POST / HTTP/1.1\r\nHost: x\r\n" + test.head + "\r\n\r\n"
		if test.head == "" {
			head = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"
		}
		c.send(head + test.body)
		if status, got := c.answer(); status != http.StatusOK || got != test.want {
			t.Errorf("%s: %d %q, want %q", name, status, got, test.want)
		}
	}
}

// A proxy may announce the client's body and keep it to itself. Where the handler needs none, it is not awaited.
func TestServer_does_not_wait_for_a_body_that_is_ignored(t *testing.T) {
	t.Parallel()
	s := serve(t, 10)
	ignores := s.connect()
	for _, framing := range []string{"Content-Length: 1048576", "Transfer-Encoding: chunked", "Content-Length: 5\r\nExpect: 100-continue"} {
		ignores.send("POST /bodyless HTTP/1.1\r\nHost: x\r\n" + framing + "\r\n\r\n")
		began := time.Now()
		ignores.mustAnswer(http.StatusOK)
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("%s: answered after %v", framing, took)
		}
		_ = ignores.Close()
		ignores = s.connect()
	}
}
