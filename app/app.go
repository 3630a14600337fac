// Package app assembles the worker, and holds what every process is made of; the commands and the tests both start
// them here. What only the API needs is in app/front, so that a worker carries none of it.
package app

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"time"

	"golang.org/x/net/netutil"

	"usher/config"
	"usher/secrets"
	"usher/store"
	"usher/store/sqlstore"
	"usher/telemetry"
)

// maxConnections bounds the open connections of one listener, so that slow clients run out of patience
// before the process runs out of descriptors.
const maxConnections = 10_000

// NewLogger makes the logger of a process. It is the only one: everything else gets it in a field.
func NewLogger(w io.Writer, c config.Common) *slog.Logger {
	options := &slog.HandlerOptions{Level: c.Level()}
	if c.LogFormat == "text" {
		return slog.New(store.Quiet(telemetry.LogHandler(slog.NewTextHandler(w, options))))
	}
	return slog.New(store.Quiet(telemetry.LogHandler(slog.NewJSONHandler(w, options))))
}

// CheckCommon reads the secret keys and both URLs without connecting, and reports every mistake at once, as
// [config.Mistakes]. The keys are nil where they are wrong, or missing, which [config.Load] tells.
func CheckCommon(c config.Common) (keys *secrets.Keys, err error) {
	var mistakes []error
	if c.SecretKeys != "" {
		keys, err = parseKeys(c)
		mistakes = append(mistakes, err)
	}
	return keys, config.Join(append(mistakes, checkRedisURL(c), checkDatabaseURL(c))...)
}

// parseKeys reads the secret keys and names their variable in what is wrong.
func parseKeys(c config.Common) (*secrets.Keys, error) {
	keys, err := secrets.ParseKeys(c.SecretKeys.Reveal())
	if err != nil {
		return nil, config.Mistakes{{Variable: config.Prefix + "SECRET_KEYS", Text: err.Error()}}
	}
	return keys, nil
}

// checkRedisURL reads the URL as the stores will, without connecting.
func checkRedisURL(c config.Common) error {
	client, err := OpenRedis(c.Stores, nil)
	if err != nil {
		return config.Mistakes{{Variable: config.Prefix + "REDIS_URL", Text: err.Error()}}
	}
	return client.Close()
}

// checkDatabaseURL does the same for the database.
func checkDatabaseURL(c config.Common) error {
	if err := sqlstore.CheckURL(c.DatabaseURL.Reveal()); err != nil {
		return config.Mistakes{{Variable: config.Prefix + "DATABASE_URL", Text: err.Error()}}
	}
	return nil
}

// Server is an HTTP server with its listener, so that its address is known before it runs.
type Server struct {
	http     *http.Server
	listener net.Listener
}

// Listen binds an address. The time-outs bound slow requests; the longest answer of ours, a password
// hash behind a full queue, takes seconds.
func Listen(ctx context.Context, addr string, handler http.Handler, logger *slog.Logger) (*Server, error) {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	return newServer(listener, maxConnections, handler, logger), nil
}

func newServer(listener net.Listener, connections int, handler http.Handler, logger *slog.Logger) *Server {
	return &Server{
		listener: netutil.LimitListener(listener, connections),
		http: &http.Server{
			Handler:           handler,
			ReadHeaderTimeout: 5 * time.Second,
			ReadTimeout:       10 * time.Second,
			WriteTimeout:      30 * time.Second,
			IdleTimeout:       2 * time.Minute,
			MaxHeaderBytes:    8 << 10,
			ErrorLog:          slog.NewLogLogger(logger.Handler(), slog.LevelDebug),
		},
	}
}

// Addr is the address that the server is bound to.
func (s *Server) Addr() string { return s.listener.Addr().String() }

// Close ends the server at once, with the requests in flight. After Run it does nothing.
func (s *Server) Close() error { return s.http.Close() }

// Run serves until ctx ends, then lets requests in flight finish within the grace time. It is called once.
func (s *Server) Run(ctx context.Context, grace time.Duration) error {
	failed := make(chan error, 1)
	go func() { failed <- s.http.Serve(s.listener) }()
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
