package prove_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// siege is an attack by slow, huge and broken requests.
type siege struct {
	t       *testing.T
	ctx     context.Context
	cancel  context.CancelFunc
	group   sync.WaitGroup
	address string

	closed, refused, accepted, huge atomic.Int64
}

// besiege begins an attack that goes on until its end.
func besiege(t *testing.T, address string) *siege {
	t.Helper()
	s := &siege{t: t, address: address}
	s.ctx, s.cancel = context.WithCancel(t.Context())
	t.Cleanup(s.end)
	for i := range slowConnections {
		opening := "GET /v1/usernames/x HTTP/1.1\r\nHost: x\r\nX-Slow: "
		if i%2 == 0 {
			opening = opener("/v1/sms-codes/check", "Content-Length: 1000") + "{"
		}
		s.group.Go(func() {
			for s.ctx.Err() == nil {
				s.judge(s.trickle(opening))
			}
		})
	}
	requests := s.requests()
	for i := range 4 {
		s.group.Go(func() {
			pace := time.NewTicker(100 * time.Millisecond)
			defer pace.Stop()
			for n := i; ; n++ {
				select {
				case <-s.ctx.Done():
					return
				case <-pace.C:
				}
				s.huge.Add(1)
				s.judge(s.converse(requests[n%len(requests)]))
			}
		})
	}
	return s
}

func (s *siege) end() {
	s.cancel()
	s.group.Wait()
}

func opener(path, header string) string {
	return "POST " + path + " HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nConnection: close\r\n" + header + "\r\n\r\n"
}

// requests are those that no real client sends.
func (s *siege) requests() [][]byte {
	post := func(body string, headers ...string) []byte {
		headers = append(headers, fmt.Sprintf("Content-Length: %d", len(body)))
		return []byte(opener("/v1/sessions", strings.Join(headers, "\r\n")) + body)
	}
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	_, err := w.Write(bytes.Repeat([]byte(" "), 10*mebibyte))
	if err := w.Close(); err != nil {
		s.t.Fatal(err)
	}
	if err != nil {
		s.t.Fatal(err)
	}
	return [][]byte{
		post(strings.Repeat(" ", 10*mebibyte)),
		post(packed.String(), "Content-Encoding: gzip"),
		post(strings.Repeat("[", 10_000)),
		post(strings.Repeat(`{"login":`, 1500)),
		post("{\"login\":\"\xff\xfe\",\"password\":\"x\"}"),
		post(`{"login":"\u0000","password":"x"}`),
		post("{\"login\":\"\x00\",\"password\":\"x\"}"),
		post(`{"login":"a_person","password":"` + strings.Repeat("x", mebibyte) + `"}`),
		[]byte(opener("/v1/sessions", "Transfer-Encoding: chunked") + "a00000\r\n" + strings.Repeat("x", 10*mebibyte)),
		[]byte("GET / HTTP/1.1\r\nHost: x\r\nX: " + strings.Repeat("x", 64<<10) + "\r\n\r\n"),
		[]byte(opener("/v1/sessions", "Content-Length: 2\r\nContent-Length: 3") + "{}"),
	}
}

// trickle sends an opening, and then a letter a second until the server has enough.
func (s *siege) trickle(opening string) string {
	conn, answer := s.dial(opening)
	if conn == nil {
		return ""
	}
	defer func() { _ = conn.Close() }()
	letter := time.NewTicker(time.Second)
	defer letter.Stop()
	for {
		select {
		case text := <-answer:
			return text
		case <-s.ctx.Done():
			return ""
		case <-letter.C:
			_, _ = io.WriteString(conn, "a") // an error shows as an answer
		}
	}
}

// converse sends a whole request. The server may close the connection before it has read all.
func (s *siege) converse(request []byte) string {
	conn, answer := s.dial("")
	if conn == nil {
		return ""
	}
	defer func() { _ = conn.Close() }()
	go func() { _, _ = conn.Write(request) }()
	select {
	case text := <-answer:
		return text
	case <-s.ctx.Done():
		return ""
	}
}

// siegePatience is how long a connection may stay open: longer than every limit of the server's.
const siegePatience = 30 * time.Second

// dial connects, and reads until the server closes the connection.
func (s *siege) dial(opening string) (net.Conn, <-chan string) {
	conn, err := new(net.Dialer).DialContext(s.ctx, "tcp", s.address)
	if err != nil {
		return nil, nil // the end, or more connections than the server takes
	}
	_ = conn.SetDeadline(time.Now().Add(siegePatience))
	_, _ = io.WriteString(conn, opening)
	answer := make(chan string, 1)
	go func() {
		text, err := io.ReadAll(io.LimitReader(conn, mebibyte))
		if timeout, isNet := err.(net.Error); isNet && timeout.Timeout() { //nolint:errorlint // the connection's own error
			text = []byte("still open")
		}
		answer <- string(text)
	}()
	return conn, answer
}

func (s *siege) judge(answer string) {
	switch {
	case s.ctx.Err() != nil:
	case answer == "":
		s.closed.Add(1)
	case strings.HasPrefix(answer, "HTTP/1.1 4"):
		s.refused.Add(1)
	default:
		s.accepted.Add(1)
		s.t.Errorf("an attack is answered with %.200q", answer)
	}
}
