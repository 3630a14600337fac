package testkit

import (
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// PostgresStandby returns a hot standby of a server that [PostgresServer] made. Its data are a copy of the primary's, and
// it follows the primary.
func PostgresStandby(t testing.TB, primary *Server) *Server {
	t.Helper()
	program := needPostgres(t)
	dir := dataDir(t)
	host, port, _ := net.SplitHostPort(primary.Addr())
	copying := exec.CommandContext(t.Context(), filepath.Join(filepath.Dir(program), "pg_basebackup"), "--pgdata", dir, "--host", host,
		"--port", port, "--username", "postgres", "--write-recovery-conf", "--checkpoint", "fast", "--no-sync")
	copying.Dir = dir
	if err := asOrdinaryUser(copying, dir); err != nil {
		t.Fatalf("testkit: %v", err)
	}
	if output, err := copying.CombinedOutput(); err != nil {
		t.Fatalf("testkit: pg_basebackup: %v: %s", err, output)
	}
	standby, err := newServer(postgresKind(program), dir)
	if err != nil {
		t.Fatalf("testkit: %v", err)
	}
	t.Cleanup(standby.Stop)
	return standby
}

// Promote makes the primary of a standby.
func Promote(t testing.TB, standby *Server) {
	t.Helper()
	promoting := exec.CommandContext(t.Context(), filepath.Join(filepath.Dir(findPostgres()), "pg_ctl"), "promote", "--pgdata", standby.dir)
	promoting.Dir = standby.dir
	if err := asOrdinaryUser(promoting, standby.dir); err != nil {
		t.Fatalf("testkit: %v", err)
	}
	if output, err := promoting.CombinedOutput(); err != nil {
		t.Fatalf("testkit: pg_ctl promote: %v: %s", err, output)
	}
}

// Demote restarts a primary as a standby, as a switch-over does.
func Demote(t testing.TB, primary *Server) {
	t.Helper()
	primary.Stop()
	signal := filepath.Join(primary.dir, "standby.signal")
	if err := os.WriteFile(signal, nil, 0o600); err != nil {
		t.Fatalf("testkit: %v", err)
	}
	if err := asOrdinaryUser(exec.Command(findPostgres()), signal); err != nil {
		t.Fatalf("testkit: %v", err)
	}
	primary.Start(t)
}

// Freeze stops the server's process and its children with SIGSTOP: it answers nothing, and its connections stay open. The
// function that it returns lets them go on, as the test's end does.
func (s *Server) Freeze(t testing.TB) (thaw func()) {
	t.Helper()
	parent := s.Pid()
	frozen := []int{parent}
	_ = syscall.Kill(parent, syscall.SIGSTOP) // first, so that it starts no further child
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, stat := range stats {
		text, _ := os.ReadFile(stat) // it may have ended
		_, rest, _ := strings.Cut(string(text), ") ")
		fields := strings.Fields(rest)
		if len(fields) > 1 && fields[1] == strconv.Itoa(parent) {
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(stat)))
			frozen = append(frozen, pid)
			_ = syscall.Kill(pid, syscall.SIGSTOP)
		}
	}
	thaw = func() {
		for _, pid := range frozen {
			_ = syscall.Kill(pid, syscall.SIGCONT)
		}
		frozen = nil
	}
	t.Cleanup(thaw)
	return thaw
}

// PgBouncer returns a pooler before a PostgreSQL server that pools in a mode, session or transaction, with so many
// connections to the server for each database and user. Lines are added to its settings. The test is skipped where the
// program is missing.
func PgBouncer(t testing.TB, postgres *Server, mode string, size int, lines ...string) *Server {
	t.Helper()
	program := "/usr/sbin/pgbouncer" // outside the PATH of ordinary users
	if _, err := os.Stat(program); err != nil {
		program = NeedProgram(t, "pgbouncer")
	}
	dir := dataDir(t)
	host, port, _ := net.SplitHostPort(postgres.Addr())
	settings := fmt.Sprintf("[databases]\n* = host=%s port=%s\n[pgbouncer]\nlisten_addr = 127.0.0.1\nunix_socket_dir =\n"+
		"auth_type = any\npool_mode = %s\ndefault_pool_size = %d\nmax_client_conn = 500\n%s\n", host, port, mode, size, strings.Join(lines, "\n"))
	// With auth_type = any the user of the server has to be named.
	settings = strings.Replace(settings, "port="+port, "port="+port+" user=postgres", 1)
	if err := os.WriteFile(filepath.Join(dir, "pgbouncer.ini"), []byte(settings), 0o644); err != nil {
		t.Fatalf("testkit: %v", err)
	}
	server, err := newServer(pgBouncerKind(program), dir)
	if err != nil {
		t.Fatalf("testkit: %v", err)
	}
	t.Cleanup(server.Stop)
	use("pgbouncer " + version(program))
	return server
}

// pgBouncerKind writes the port into a copy of the settings, since pgbouncer has no option for it.
func pgBouncerKind(program string) serverKind {
	return serverKind{
		name: "pgbouncer",
		command: func(dir string, port int) (*exec.Cmd, error) {
			text, err := os.ReadFile(filepath.Join(dir, "pgbouncer.ini"))
			if err != nil {
				return nil, err
			}
			file := filepath.Join(dir, fmt.Sprintf("pgbouncer-%d.ini", port))
			if err := os.WriteFile(file, fmt.Appendf(text, "listen_port = %d\n", port), 0o644); err != nil {
				return nil, err
			}
			cmd := exec.Command(program, file)
			cmd.Dir = dir
			return cmd, asOrdinaryUser(cmd, dir)
		},
		url: func(addr string) string { return "postgres://postgres@" + addr + "/postgres?sslmode=disable" },
		ready: func(text, _ string, _ int) error {
			u, err := url.Parse(text)
			if err != nil {
				return err
			}
			return listening(u.Host)
		},
		orderly: syscall.SIGINT, abandoned: syscall.SIGTERM,
	}
}

// listening returns nil once something listens at the address.
func listening(addr string) error {
	conn, err := net.DialTimeout("tcp", addr, time.Second)
	if err == nil {
		_ = conn.Close()
	}
	return err
}
