package testkit

import (
	"fmt"
	"os"
	"regexp"
	"strconv"
	"sync"
	"testing"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
)

// redisDatabases is how many databases the shared server has; every test takes one. Expiry visits sixteen
// of them a tick, so more would leave dead keys lying about for longer.
const redisDatabases = 1024

// sharedRedis is the server of this test binary and its databases that are free, the longest unused first.
type sharedRedis struct {
	once   sync.Once
	err    error
	url    string // without a database
	name   string
	free   chan int
	locked bool // other processes use the same server: databases are taken by a key in database 0
}

// Redis returns the URL of an empty Redis database that is this test's own: on the private redis-server of
// this test binary, on the server of USHER_TEST_REDIS_URL, or on miniredis. Commands that reach beyond one
// database (FLUSHALL, CONFIG, MONITOR) need a [RedisServer].
func Redis(t testing.TB) string {
	t.Helper()
	if os.Getenv(redisVar) == "" && findRedis() == "" {
		demandReal(t, "redis-server")
		return Miniredis(t)
	}
	needMain(t)
	shared.redis.once.Do(shared.redis.open)
	if shared.redis.err != nil {
		t.Fatalf("testkit: open redis: %v", shared.redis.err)
	}
	use(shared.redis.name)
	return shared.redis.take(t)
}

// Miniredis returns the URL of an empty Redis in this process, which needs no program. Its keys expire as
// time passes.
func Miniredis(t testing.TB) string {
	t.Helper()
	return "redis://" + NewMiniredis(t).Addr() + "/0"
}

// NewMiniredis returns an empty Redis in this process whose keys expire as time passes, and faster with its
// FastForward. It is closed when the test ends.
func NewMiniredis(t testing.TB) *miniredis.Miniredis {
	t.Helper()
	server := miniredis.NewMiniRedis()
	server.ClockTTL(true)
	if err := server.Start(); err != nil {
		t.Fatalf("testkit: start miniredis: %v", err)
	}
	t.Cleanup(server.Close)
	use("miniredis")
	return server
}

// EachRedis runs the test as two parallel subtests, on miniredis and on a real Redis; the second is skipped
// where there is none.
func EachRedis(t *testing.T, test func(t *testing.T, url string)) {
	t.Helper()
	t.Run("miniredis", func(t *testing.T) {
		t.Parallel()
		test(t, Miniredis(t))
	})
	t.Run("redis", func(t *testing.T) {
		t.Parallel()
		if os.Getenv(redisVar) == "" && findRedis() == "" {
			demandReal(t, "redis-server")
			t.Skip("no redis-server on this machine")
		}
		test(t, Redis(t))
	})
}

// RedisServer returns a redis-server of this test's own, to be stopped, killed, filled and flushed. The
// arguments are added to its command line ("--appendonly", "yes"). The test is skipped where the program
// is missing.
func RedisServer(t testing.TB, args ...string) *Server {
	t.Helper()
	return RedisForm{}.Server(t, args...)
}

// redisKind is that of servers without TLS and passwords, with many databases.
func redisKind(program string, args ...string) serverKind {
	return RedisForm{}.kind(program, nil, append([]string{"--databases", strconv.Itoa(redisDatabases)}, args...)...)
}

// redisProcess finds the number of the process that answers, in INFO server.
var redisProcess = regexp.MustCompile(`process_id:(\d+)`)

// redisClient never retries: its callers do, and a server that starts is quicker than a backoff.
func redisClient(url string) (*redis.Client, error) {
	options, err := redis.ParseURL(url)
	if err != nil {
		return nil, fmt.Errorf("parse the Redis URL: %w", err)
	}
	options.MaxRetries, options.DialerRetries = -1, 1
	return redis.NewClient(options), nil
}
