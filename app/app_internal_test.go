package app

import (
	"context"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"usher/internal/testkit"
)

// Whoever opens connections and says nothing must not keep the process from having descriptors left.
func TestServer_bounds_its_connections(t *testing.T) {
	t.Parallel()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	logger, _ := testkit.Logger(t)
	ok := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	s := newServer(listener, 2, ok, logger)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- s.Run(ctx, time.Second) }()
	defer func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}()

	request := []byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	connect := func() net.Conn {
		conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", s.Addr())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Write(request); err != nil {
			t.Fatal(err)
		}
		return conn
	}
	answered := func(conn net.Conn, within time.Duration) bool {
		if err := conn.SetReadDeadline(time.Now().Add(within)); err != nil {
			t.Fatal(err)
		}
		_, err := io.ReadFull(conn, make([]byte, len("HTTP/1.1 204")))
		return err == nil
	}
	first, second, third := connect(), connect(), connect()
	defer second.Close()
	defer third.Close()
	if !answered(first, 10*time.Second) || !answered(second, 10*time.Second) {
		t.Fatal("the first two are not answered")
	}
	if answered(third, 200*time.Millisecond) {
		t.Error("the third is answered while two are open")
	}
	first.Close()
	if !answered(third, 10*time.Second) {
		t.Error("the third is not answered when the first has gone")
	}
}
