package app

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"usher/queue"
)

// Server is an HTTP server with its listener, so that its address is known before it runs.
type Server struct {
	http        *http.Server
	connections *connections
}

// Port is what a server needs to know of its port besides the address.
type Port struct {
	Name        string // in metrics
	Connections int    // that may be open at the same time; fewer where the system gives the process fewer descriptors
	Registry    prometheus.Registerer

	// Bodyless reports whether a handler ignores the body of a request, which is not awaited then; nil: none does.
	Bodyless func(*http.Request) bool
}

// Listen binds an address. The time-outs bound slow requests; the longest answer of ours, a password
// hash behind a full queue, takes seconds.
func Listen(ctx context.Context, addr string, handler http.Handler, port Port, logger *slog.Logger) (*Server, error) {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	if room := roomForConnections(); room < port.Connections {
		logger.Warn("fewer connections than configured: the process may have too few descriptors (ulimit -n)",
			"port", port.Name, "connections", room, "configured", port.Connections)
		port.Connections = room
	}
	return newServer(listener, handler, port, logger), nil
}

func newServer(listener net.Listener, handler http.Handler, port Port, logger *slog.Logger) *Server {
	bounded := newConnections(listener, port)
	return &Server{
		connections: bounded,
		http: &http.Server{
			Handler:           whole(handler, port.Bodyless),
			ReadHeaderTimeout: 5 * time.Second,
			ReadTimeout:       10 * time.Second,
			WriteTimeout:      30 * time.Second,
			IdleTimeout:       idleTimeout,
			MaxHeaderBytes:    8 << 10,
			ErrorLog:          slog.NewLogLogger(logger.Handler(), slog.LevelDebug),
			ConnState:         bounded.state,
			ConnContext: func(ctx context.Context, conn net.Conn) context.Context {
				return context.WithValue(ctx, connectionKey{}, conn)
			},
		},
	}
}

// Addr is the address that the server is bound to.
func (s *Server) Addr() string { return s.connections.Addr().String() }

// Close ends the server at once, with the requests in flight. After Run it does nothing.
func (s *Server) Close() error { return s.http.Close() }

// Run serves until ctx ends, then lets requests in flight finish within the grace time. It is called once.
func (s *Server) Run(ctx context.Context, grace time.Duration) error {
	failed := make(chan error, 1)
	go func() { failed <- s.http.Serve(s.connections) }()
	sweeping, stopSweeping := context.WithCancel(ctx)
	defer stopSweeping()
	go queue.Every(sweeping, sweepEvery, func(context.Context) { s.connections.sweep(time.Now()) })
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer cancel()
	if err := s.http.Shutdown(stop); err != nil {
		return errors.Join(err, s.http.Close())
	}
	return nil
}

// wholeBody is how much of a body is awaited before a handler begins: the largest body of most endpoints, and a byte more,
// so that they notice a longer one.
const wholeBody = 16<<10 + 1

// whole passes requests to a handler when they have arrived, so that a client that sends slowly occupies only its
// connection, which may be closed when there are too many. The handler reads the rest of a longer body itself.
func whole(next http.Handler, bodyless func(*http.Request) bool) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength != 0 && (bodyless == nil || !bodyless(r)) {
			request(r.Context(), false)
			r.Body = await(r.Body, r.ContentLength)
		}
		request(r.Context(), true)
		next.ServeHTTP(w, r)
	})
}

// await reads the beginning of a body, whose length is -1 where it is not known, and returns the body with what was read.
func await(body io.ReadCloser, length int64) io.ReadCloser {
	read := bytes.NewBuffer(nil)
	if length > 0 {
		read.Grow(int(min(length, wholeBody)) + bytes.MinRead)
	}
	rest := io.Reader(body)
	if _, err := read.ReadFrom(io.LimitReader(body, wholeBody)); err != nil {
		rest = failed{err}
	}
	return struct {
		io.Reader
		io.Closer
	}{io.MultiReader(read, rest), body}
}

// failed is the rest of a body that could not be read.
type failed struct{ err error }

// Read returns the error.
func (f failed) Read([]byte) (int, error) { return 0, f.err }
