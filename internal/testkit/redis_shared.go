package testkit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// lockTTL frees the databases of a test process that died, on a server that outlives it.
const lockTTL = 10 * time.Minute

// open starts the server of this test binary, or turns to the one that the environment names.
func (r *sharedRedis) open() {
	databases := redisDatabases
	if external := os.Getenv(redisVar); external != "" {
		r.url, r.name, r.locked = external, "the Redis of "+redisVar, true
		databases, r.err = countDatabases(external)
	} else {
		var server *Server
		program := findRedis()
		// It writes no file, so it needs no folder of its own.
		if server, r.err = newServer(redisKind(program), os.TempDir()); r.err == nil {
			AtEnd(server.Stop)
			r.url, r.name = server.URL(), "redis-server "+version(program)
		}
	}
	if r.err != nil {
		return
	}
	r.free = make(chan int, databases)
	for n := 1; n < databases; n++ { // 0 is where databases are locked
		r.free <- n
	}
}

// take empties a database and returns its URL; the test gives it back when it ends.
func (r *sharedRedis) take(t testing.TB) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	n, err := r.next(ctx)
	if err != nil {
		t.Fatalf("testkit: every Redis database is taken: %v", err)
	}
	target, err := databaseURL(r.url, strconv.Itoa(n))
	if err != nil {
		t.Fatalf("testkit: %v", err)
	}
	if err := flush(ctx, target); err != nil {
		t.Fatalf("testkit: empty a Redis database: %v", err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := flush(ctx, target); err != nil {
			t.Errorf("testkit: empty a Redis database: %v", err)
		}
		if err := r.unlock(ctx, n); err != nil {
			t.Errorf("testkit: unlock a Redis database: %v", err)
		}
		r.free <- n
	})
	return target
}

// next returns a free database. The one unused for longest comes first, so that a late write of an ended
// test harms no other test.
func (r *sharedRedis) next(ctx context.Context) (int, error) {
	for {
		select {
		case n := <-r.free:
			if ok, err := r.lock(ctx, n); err != nil || ok {
				return n, err
			}
			r.free <- n
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
}

// lock takes a database of a shared server for this process; a private server needs no locks.
func (r *sharedRedis) lock(ctx context.Context, n int) (bool, error) {
	if !r.locked {
		return true, nil
	}
	client, err := redisClient(r.url)
	if err != nil {
		return false, err
	}
	defer client.Close()
	return client.SetNX(ctx, lockKey(n), os.Getpid(), lockTTL).Result()
}

func (r *sharedRedis) unlock(ctx context.Context, n int) error {
	if !r.locked {
		return nil
	}
	client, err := redisClient(r.url)
	if err != nil {
		return err
	}
	defer client.Close()
	return client.Del(ctx, lockKey(n)).Err()
}

func lockKey(n int) string { return fmt.Sprintf("usher:testkit:database:%d", n) }

// flush empties the database of the URL.
func flush(ctx context.Context, url string) error {
	client, err := redisClient(url)
	if err != nil {
		return err
	}
	defer client.Close()
	return client.FlushDB(ctx).Err()
}

// countDatabases asks the server how many databases it has.
func countDatabases(url string) (int, error) {
	client, err := redisClient(url)
	if err != nil {
		return 0, err
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	answer, err := client.ConfigGet(ctx, "databases").Result()
	if err != nil {
		if refused := redis.Error(nil); errors.As(err, &refused) {
			return 16, nil // Redis's default; hosted servers often refuse CONFIG
		}
		return 0, err
	}
	return strconv.Atoi(answer["databases"])
}

// databaseURL returns the URL with its path replaced by the name of a database.
func databaseURL(server, database string) (string, error) {
	u, err := url.Parse(server)
	if err != nil {
		return "", fmt.Errorf("parse the URL of a test server: %w", err)
	}
	u.Path = "/" + database
	return u.String(), nil
}

// DumpRedis returns every key of a Redis database with its value, to be searched with [FindSecrets]. Redis's own
// DUMP is no use for that: it compresses.
func DumpRedis(t testing.TB, client redis.UniversalClient) []byte {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	var all bytes.Buffer
	keys := client.Scan(ctx, 0, "*", 1000).Iterator()
	for keys.Next(ctx) {
		fmt.Fprintf(&all, "%s = %v\n", keys.Val(), redisValue(ctx, client, keys.Val()))
	}
	if err := keys.Err(); err != nil {
		t.Fatal(err)
	}
	return all.Bytes()
}

// redisValue returns the value of a key, or nil when the key has expired.
func redisValue(ctx context.Context, client redis.UniversalClient, key string) any {
	switch client.Type(ctx, key).Val() {
	case "string":
		return client.Get(ctx, key).Val()
	case "hash":
		return client.HGetAll(ctx, key).Val()
	case "list":
		return client.LRange(ctx, key, 0, -1).Val()
	case "set":
		return client.SMembers(ctx, key).Val()
	case "zset":
		return client.ZRangeWithScores(ctx, key, 0, -1).Val()
	case "stream":
		return client.XRange(ctx, key, "-", "+").Val()
	default:
		return nil
	}
}
