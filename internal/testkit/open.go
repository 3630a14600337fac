package testkit

import (
	"errors"
	"fmt"
	"os"
)

// ErrMissing is returned where a store's program is not installed, or must not be used.
var ErrMissing = errors.New("program is not on this machine")

// OpenRedis returns a private redis-server for a program that is no test, such as a benchmark. The caller
// stops it; it dies with the process in any case. The arguments are added to its command line.
func OpenRedis(args ...string) (*Server, error) {
	program := findRedis()
	if program == "" {
		return nil, fmt.Errorf("redis-server: %w", ErrMissing)
	}
	return newServer(redisKind(program, args...), os.TempDir())
}

// OpenPostgres is [OpenRedis] for PostgreSQL; its URL leads to the empty database "postgres". The function
// stops the server and removes its data.
func OpenPostgres() (*Server, func(), error) {
	program := findPostgres()
	if program == "" {
		return nil, nil, fmt.Errorf("postgres: %w", ErrMissing)
	}
	server, remove, err := newPostgres(program)
	if err != nil {
		return nil, nil, err
	}
	return server, func() { server.Stop(); remove() }, nil
}
