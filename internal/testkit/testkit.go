// Package testkit starts what the tests need and compares what they produce.
//
// Stores come in two kinds. The real ones are private servers, one redis-server and one PostgreSQL per
// test binary, started when a test first asks, on loopback ports that the kernel chose, and gone with the
// test process however it ends. Where their programs are not installed, miniredis and SQLite take their
// place, so that every test runs on a machine with nothing but Go.
//
// Environment:
//
//	USHER_TEST_REAL          1: a missing program is a failure (CI); 0: never start a real server
//	USHER_TEST_REDIS_URL     use this Redis instead; its databases from 1 on are emptied
//	USHER_TEST_DATABASE_URL  use this PostgreSQL instead; databases are created in it and dropped
//
// A package that calls [Redis] or [Postgres] has this function among its tests, which stops the servers:
//
//	func TestMain(m *testing.M) { testkit.Main(m) }
package testkit

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"
)

// shared is what the tests of one binary have in common. It is package state because a server per test
// would cost a second each, and TestMain is the only other thing that all tests of a binary see.
var shared struct {
	mu       sync.Mutex
	main     bool
	used     []string
	stops    []func()
	redis    sharedRedis
	postgres sharedPostgres
}

// Main runs the tests, stops the servers they started, says which stores they used (go test shows that
// with -v) and exits.
func Main(m *testing.M) {
	os.Exit(run(m, func() error { return nil }))
}

// MainNoLeaks is [Main], and fails when a goroutine is left after the last test has passed.
func MainNoLeaks(m *testing.M, ignore ...goleak.Option) {
	os.Exit(run(m, func() error { return goleak.Find(ignore...) }))
}

// run is [Main] without its exit. Servers stop before leaks are looked for: their goroutines end with them.
func run(m *testing.M, leaks func() error) int {
	shared.mu.Lock()
	shared.main = true
	shared.mu.Unlock()

	code := m.Run()

	shared.mu.Lock()
	defer shared.mu.Unlock()
	for _, stop := range slices.Backward(shared.stops) {
		stop()
	}
	if len(shared.used) > 0 {
		slices.Sort(shared.used)
		fmt.Println("testkit: " + strings.Join(shared.used, ", "))
	}
	if code != 0 {
		return code
	}
	if err := leaks(); err != nil {
		fmt.Fprintln(os.Stderr, "testkit: goroutines left behind:", err)
		return 1
	}
	return 0
}

// needMain stops a test whose binary would leave servers or their files behind.
func needMain(t testing.TB) {
	t.Helper()
	shared.mu.Lock()
	defer shared.mu.Unlock()
	if !shared.main {
		t.Fatal("testkit: this package needs: func TestMain(m *testing.M) { testkit.Main(m) }")
	}
}

// use notes a store for the line that [Main] prints.
func use(store string) {
	shared.mu.Lock()
	defer shared.mu.Unlock()
	if !slices.Contains(shared.used, store) {
		shared.used = append(shared.used, store)
	}
}

// AtEnd has [Main] call stop after the last test, before what was handed in earlier.
func AtEnd(stop func()) {
	shared.mu.Lock()
	defer shared.mu.Unlock()
	shared.stops = append(shared.stops, stop)
}
