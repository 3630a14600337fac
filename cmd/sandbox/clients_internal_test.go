package main

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"usher/internal/testkit"
)

// TestClients_of_the_page runs the Python and the Node client of docs/sandbox.md, as they are, against the built program.
func TestClients_of_the_page(t *testing.T) {
	t.Parallel()
	program := filepath.Join(t.TempDir(), "sandbox")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, client := range []struct{ language, command, file, want string }{
		{"python", "python3", "sandbox.py", "Aliyun: OK\nInbox: 012345\nInbox: 4711\n"},
		{"js", "node", "sandbox.mjs", "Ronglian with a fault: 160000\nRonglian: 000000\nReport: 0\nInbox: 4712\n"},
	} {
		t.Run(client.language, func(t *testing.T) {
			t.Parallel()
			path, err := exec.LookPath(client.command)
			if err != nil && os.Getenv("USHER_TEST_REAL") == "1" {
				t.Fatalf("%v; USHER_TEST_REAL=1 requires it", err)
			} else if err != nil {
				t.Skip(err)
			}
			reports := freeAddr(t)
			sandbox := testkit.StartProgram(t, nil, program, "-http", "127.0.0.1:0", "-smtp", "127.0.0.1:0",
				"-limits=false", "-ronglian-report", "http://"+reports+"/")
			run := exec.CommandContext(t.Context(), path, filepath.Join("../../docs/examples", client.file))
			run.WaitDelay = time.Second
			run.Env = append(os.Environ(), "NO_PROXY=127.0.0.1",
				"SANDBOX_HTTP="+sandbox.Await(t, `(http://\S+)/aliyun/`), "SANDBOX_SMTP="+sandbox.Await(t, `SMTP +(\S+)`),
				"REPORT_PORT="+reports[strings.LastIndex(reports, ":")+1:])
			out, err := run.CombinedOutput()
			if err != nil || string(out) != client.want {
				t.Errorf("%v, printed\n%s\nwant\n%s", err, out, client.want)
			}
		})
	}
}

// freeAddr is an address that was free a moment ago: the client of the page listens on it.
func freeAddr(t *testing.T) string {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}
