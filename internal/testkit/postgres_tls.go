package testkit

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// PostgresTLS returns a PostgreSQL server of this test's own that speaks nothing but TLS, with a certificate
// of the authority for the names. Its user postgres needs no password, every other does. The test is skipped
// where the program is missing.
func PostgresTLS(t testing.TB, a *Authority, names ...string) *Server {
	t.Helper()
	program, dir := needPostgres(t), dataDir(t)
	if err := initDB(program, dir); err != nil {
		t.Fatalf("testkit: %v", err)
	}
	cert, key := a.Issue(t, names...)
	giveAway(t, program, cert, filepath.Join(dir, "server.crt"))
	giveAway(t, program, key, filepath.Join(dir, "server.key"))
	const rules = "hostssl all postgres all trust\nhostssl all all all scram-sha-256\n"
	if err := os.WriteFile(filepath.Join(dir, "pg_hba.conf"), []byte(rules), 0o600); err != nil {
		t.Fatalf("testkit: %v", err)
	}
	server, err := newServer(postgresTLSKind(program), dir)
	if err != nil {
		t.Fatalf("testkit: %v", err)
	}
	t.Cleanup(server.Stop)
	return server
}

// giveAway copies a file for the user that the server runs as: PostgreSQL refuses a key of another owner.
func giveAway(t testing.TB, program, from, to string) {
	t.Helper()
	text, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, text, 0o600)
	}
	if err == nil {
		err = asOrdinaryUser(exec.Command(program), to)
	}
	if err != nil {
		t.Fatalf("testkit: %v", err)
	}
}

func postgresTLSKind(program string) serverKind {
	kind := postgresKind(program)
	plain := kind.command
	kind.command = func(dir string, port int) (*exec.Cmd, error) {
		cmd, err := plain(dir, port)
		if err == nil {
			cmd.Args = append(cmd.Args, "-c", "ssl=on")
		}
		return cmd, err
	}
	kind.url = func(addr string) string { return "postgres://postgres@" + addr + "/postgres?sslmode=require" }
	return kind
}
