package testkit

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// RedisForm says how servers of a test's own are reached; its zero value is plain TCP without a password.
// Tests with it are skipped where redis-server is missing, or was built without TLS and needs it.
type RedisForm struct {
	Authority *Authority // has issued the servers' certificates: they speak nothing but TLS
	Names     []string   // in the certificates; 127.0.0.1 when empty
	Password  string     // of the default user
}

// Server returns one redis-server; its URL has no password. The arguments are added to its command line:
// ("--tls-auth-clients", "yes") demands certificates of clients.
func (f RedisForm) Server(t testing.TB, args ...string) *Server {
	t.Helper()
	return f.start(t, f.kind(needRedis(t), f.settings(t), args...))
}

// Client returns a client of one of the servers, for a look behind the scenes. It is closed when the test
// ends.
func (f RedisForm) Client(t testing.TB, server *Server) *redis.Client {
	t.Helper()
	client := redis.NewClient(f.options(server.Addr()))
	t.Cleanup(func() { _ = client.Close() })
	return client
}

func (f RedisForm) start(t testing.TB, kind serverKind) *Server {
	t.Helper()
	server, err := newServer(kind, t.TempDir())
	if err != nil && f.Authority != nil && strings.Contains(err.Error(), "Bad directive") {
		demandReal(t, "redis-server with TLS")
		t.Skip("the redis-server on this machine was built without TLS")
	}
	if err != nil {
		t.Fatalf("testkit: %v", err)
	}
	t.Cleanup(server.Kill)
	return server
}

// kind is that of servers which hold data; the settings and the arguments are added to the command line.
func (f RedisForm) kind(program string, settings []string, args ...string) serverKind {
	return serverKind{
		name: "redis-server",
		command: func(dir string, port int) (*exec.Cmd, error) {
			all := append(f.listen(port), "--bind", "127.0.0.1", "--dir", dir,
				"--save", "", "--appendonly", "no", "--maxmemory-policy", "noeviction", "--hz", "100",
				"--repl-diskless-sync-delay", "0")
			return exec.Command(program, append(append(all, settings...), args...)...), nil
		},
		url:       f.url,
		ready:     func(url, _ string, pid int) error { return redisAnswers(f.options(addrOf(url)), pid) },
		orderly:   syscall.SIGTERM,
		abandoned: syscall.SIGKILL,
	}
}

// needRedis returns the path of redis-server and skips the test where there is none.
func needRedis(t testing.TB) string {
	t.Helper()
	program := findRedis()
	if program == "" {
		demandReal(t, "redis-server")
		t.Skip("no redis-server on this machine")
	}
	use("redis-server " + version(program))
	return program
}

func (f RedisForm) listen(port int) []string {
	if f.Authority == nil {
		return []string{"--port", strconv.Itoa(port)}
	}
	return []string{"--port", "0", "--tls-port", strconv.Itoa(port)}
}

// settings are those that all servers of a set share, as arguments of a command line.
func (f RedisForm) settings(t testing.TB) []string {
	t.Helper()
	var settings []string
	if f.Password != "" {
		settings = append(settings, "--requirepass", f.Password, "--masterauth", f.Password)
	}
	if f.Authority == nil {
		return settings
	}
	names := f.Names
	if len(names) == 0 {
		names = []string{"127.0.0.1"}
	}
	cert, key := f.Authority.Issue(t, names...)
	return append(settings, "--tls-cert-file", cert, "--tls-key-file", key,
		"--tls-ca-cert-file", f.Authority.File, "--tls-auth-clients", "no", "--tls-replication", "yes")
}

func (f RedisForm) url(addr string) string {
	if f.Authority == nil {
		return "redis://" + addr
	}
	return "rediss://" + addr
}

func addrOf(url string) string {
	_, addr, _ := strings.Cut(url, "://")
	return addr
}

func (f RedisForm) options(addr string) *redis.Options {
	options := &redis.Options{Addr: addr, Password: f.Password, MaxRetries: -1, DialerRetries: 1}
	if f.Authority != nil {
		// A test's certificate may be for other names on purpose; the authority alone is checked here.
		options.TLSConfig = &tls.Config{
			InsecureSkipVerify: true,
			VerifyConnection:   f.Authority.verify,
			Certificates:       []tls.Certificate{f.Authority.client},
		}
	}
	return options
}

// verify accepts the certificates that the authority has issued, whatever their names.
func (a *Authority) verify(state tls.ConnectionState) error {
	roots := x509.NewCertPool()
	roots.AddCert(a.cert)
	_, err := state.PeerCertificates[0].Verify(x509.VerifyOptions{Roots: roots})
	return err
}

// redisAnswers returns nil when the process with the number answers there, sentinels included.
func redisAnswers(options *redis.Options, pid int) error {
	conn, err := net.Dial("tcp", options.Addr) // go-redis logs every refusal
	if err != nil {
		return err
	}
	conn.Close()
	client := redis.NewClient(options)
	defer client.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	info, err := client.Info(ctx, "server").Result()
	if err != nil {
		return err
	}
	if found := redisProcess.FindStringSubmatch(info); found == nil || found[1] != strconv.Itoa(pid) {
		return errForeign
	}
	return client.Ping(ctx).Err() // refused while it still loads its data
}

// writeConfig turns arguments of a command line into the lines of a configuration file.
func writeConfig(path string, args []string) error {
	var lines strings.Builder
	for _, arg := range args {
		if name, found := strings.CutPrefix(arg, "--"); found {
			lines.WriteString("\n" + name)
		} else {
			lines.WriteString(" " + strconv.Quote(arg))
		}
	}
	return os.WriteFile(path, []byte(lines.String()+"\n"), 0o600)
}
