package prove_test

import (
	"database/sql"
	"maps"
	"net/url"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"usher/internal/faultproxy"
	"usher/internal/testkit"
)

// faultySetup is a deployment whose processes reach the stores and the vendors through proxies, each process through
// its own: so that one connection of one process can be made to fail at one request.
type faultySetup struct {
	environ  map[string]string
	sandbox  *testkit.Sandbox
	redis    *testkit.Server
	db       *sql.DB
	journal  *journal
	ledger   *ledger
	gate     *gate // before vendors; nil: every process has proxies there, too
	people   atomic.Int64
	codeLife time.Duration    // what the settings give a code
	killed   map[string]point // the point where the process with the message was killed, by receiver
}

// newFaultySetup prepares the stores. The changes are to the settings.
func newFaultySetup(t testing.TB, changes map[string]string) *faultySetup {
	t.Helper()
	database := testkit.Postgres(t)
	if database == "" {
		t.Skip("no postgres on this machine")
	}
	file := filepath.Join(t.TempDir(), "journal")
	s := &faultySetup{
		redis: testkit.RedisServer(t), sandbox: testkit.StartSandbox(t, "-journal", file),
		journal: newJournal(t, file), ledger: newLedger(), killed: map[string]point{},
		codeLife: codeLife,
	}
	s.environ = testkit.BasicSettings(s.redis.URL(), database)
	maps.Copy(s.environ, testkit.DefaultTimes())
	s.environ["USHER_LIMITS"] = noLimits
	maps.Copy(s.environ, s.sandbox.Settings(t))
	maps.Copy(s.environ, changes)
	if code, said := testkit.RunCommand(t, s.environ, "admin", "migrate", "up"); code != 0 {
		t.Fatalf("admin migrate up: exit %d, %s", code, said)
	}
	s.reopen(t, database)
	return s
}

// reopen opens the test's own connections to the database.
func (s *faultySetup) reopen(t testing.TB, database string) {
	t.Helper()
	db, err := sql.Open("postgres", database)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	s.db = db
}

// member is one process of the setup with the proxies before what it uses.
type member struct {
	*testkit.Program

	addr             string // of the API, or of a worker's operations port
	redis, postgres  *faultproxy.Proxy
	aliyun, ronglian *faultproxy.Proxy
}

func (s *faultySetup) api(t testing.TB) *member {
	t.Helper()
	return s.start(t, `"http_addr":"([^"]+)"`, "api")
}

func (s *faultySetup) worker(t testing.TB, channel string) *member {
	t.Helper()
	return s.start(t, `"ops_addr":"([^"]+)"`, "worker", "-channels", channel)
}

func (s *faultySetup) start(t testing.TB, ready, command string, args ...string) *member {
	t.Helper()
	m, environ := &member{}, maps.Clone(s.environ)
	m.redis = before(t, environ, "USHER_REDIS_URL")
	m.postgres = before(t, environ, "USHER_DATABASE_URL")
	if s.gate == nil {
		m.aliyun = before(t, environ, "USHER_ALIYUN_ENDPOINT")
		m.ronglian = before(t, environ, "USHER_RONGLIAN_ENDPOINT")
	}
	m.Program = testkit.StartCommand(t, environ, command, args...)
	m.addr = m.Await(t, ready)
	return m
}

// before puts a proxy before the host of a setting.
func before(t testing.TB, environ map[string]string, variable string) *faultproxy.Proxy {
	t.Helper()
	u, err := url.Parse(environ[variable])
	if err != nil {
		t.Fatal(err)
	}
	proxy, err := faultproxy.Open(u.Host)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := proxy.Close(); err != nil {
			t.Errorf("close a proxy: %v", err)
		}
	})
	u.Host = proxy.Addr()
	environ[variable] = u.String()
	return proxy
}

// await waits until a trap holds something.
func await(t testing.TB, trap *faultproxy.Trap, what string) {
	t.Helper()
	select {
	case <-trap.Held():
	case <-time.After(patience):
		t.Fatalf("%s never passed", what)
	}
}
