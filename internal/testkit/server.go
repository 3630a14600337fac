package testkit

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"
)

// startLimit bounds how long a server may take to answer; generous, because the machine may be busy with
// other packages' tests.
const startLimit = 30 * time.Second

// errForeign says that something else answered at the address that the server was to listen on.
var errForeign = errors.New("another server has taken the port")

// Server is a store's server that a test may stop, kill and start again. It keeps its address and its data
// through that. It is safe for concurrent use.
type Server struct {
	kind serverKind
	dir  string
	port int

	mu   sync.Mutex
	proc *Program // nil while stopped
}

// serverKind is what tells one sort of server from another.
type serverKind struct {
	name    string
	command func(dir string, port int) (*exec.Cmd, error)
	url     func(addr string) string
	// ready returns nil once the server at url, run by the given process over the given folder, answers.
	ready func(url, dir string, pid int) error
	// orderly makes the server end itself; abandoned is sent when the test process died, and has to bring
	// everything down that the server started.
	orderly, abandoned syscall.Signal
}

// newServer starts a server on a free port. Between the choice of a port and its use another process may
// take it, so this tries more than once.
func newServer(kind serverKind, dir string) (*Server, error) {
	var errs []error
	for range 5 {
		port, err := freePort()
		if err != nil {
			return nil, err
		}
		s := &Server{kind: kind, dir: dir, port: port}
		if err = s.start(); err == nil {
			return s, nil
		}
		errs = append(errs, err)
	}
	return nil, errors.Join(errs...)
}

// URL returns the address with the scheme that clients expect.
func (s *Server) URL() string { return s.kind.url(s.Addr()) }

// Addr returns host and port.
func (s *Server) Addr() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)) }

// Pid returns the number of the server's process, for signals such as SIGSTOP; 0 while it is stopped.
func (s *Server) Pid() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.proc == nil {
		return 0
	}
	return s.proc.Pid()
}

// Stop ends the server in an orderly way. It does nothing when the server is stopped.
func (s *Server) Stop() { s.end(s.kind.orderly) }

// Kill ends the server as a crash would. It does nothing when the server is stopped.
func (s *Server) Kill() { s.end(syscall.SIGKILL) }

// Start starts a stopped server again and returns when it answers. It does nothing while the server runs.
func (s *Server) Start(t testing.TB) {
	t.Helper()
	deadline := time.Now().Add(startLimit)
	for {
		err := s.start()
		if err == nil {
			return
		}
		// PostgreSQL refuses to start until the last child of a killed predecessor is gone.
		if time.Now().After(deadline) {
			t.Fatalf("testkit: start %s again: %v", s.kind.name, err)
		}
		<-time.After(50 * time.Millisecond)
	}
}

func (s *Server) start() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.proc != nil {
		return nil
	}
	cmd, err := s.kind.command(s.dir, s.port)
	if err != nil {
		return err
	}
	proc, err := LaunchProgram(cmd, s.kind.abandoned)
	if err != nil {
		return fmt.Errorf("start %s: %w", s.kind.name, err)
	}
	if err := s.awaitReady(proc); err != nil {
		_ = proc.Stop(syscall.SIGKILL)
		return err
	}
	s.proc = proc
	return nil
}

// awaitReady polls until the server answers, ends, or the time is over.
func (s *Server) awaitReady(proc *Program) error {
	deadline := time.Now().Add(startLimit)
	for {
		err := s.kind.ready(s.URL(), s.dir, proc.Pid())
		switch {
		case err == nil:
			return nil
		case errors.Is(err, errForeign):
			return err
		case proc.Ended():
			return fmt.Errorf("%s ended at once: %s", s.kind.name, proc.LastOutput())
		case time.Now().After(deadline):
			return fmt.Errorf("%s does not answer: %w: %s", s.kind.name, err, proc.LastOutput())
		}
		<-time.After(10 * time.Millisecond)
	}
}

func (s *Server) end(signal os.Signal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.proc != nil {
		_ = s.proc.Stop(signal) // the exit status of a server that was told to stop tells nothing
		s.proc = nil
	}
}

// freePort asks the kernel for a free port.
func freePort() (int, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port, nil
}

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
