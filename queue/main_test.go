package queue_test

import (
	"encoding/base64"
	"testing"

	"github.com/redis/go-redis/v9"

	"usher/internal/testkit"
	"usher/secrets"
	"usher/store/redisconn"
)

func TestMain(m *testing.M) { testkit.MainNoLeaks(m) }

// open returns a client like production's.
func open(t testing.TB, url string) redis.UniversalClient {
	t.Helper()
	client, err := redisconn.Open(url, redisconn.Settings{Timeout: testkit.RedisPatience})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return client
}

func testKeys(t testing.TB) *secrets.Keys {
	t.Helper()
	keys, err := secrets.ParseKeys("k1:" + base64.StdEncoding.EncodeToString([]byte("32 bytes that seal the payloads!")))
	if err != nil {
		t.Fatal(err)
	}
	return keys
}
