package testkit_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"usher/internal/testkit"
)

// connect returns a client of the URL that is closed with the test.
func connect(t *testing.T, url string) *redis.Client {
	t.Helper()
	options, err := redis.ParseURL(url)
	if err != nil {
		t.Fatal(err)
	}
	options.MaxRetries, options.DialerRetries = -1, 1
	client := redis.NewClient(options)
	t.Cleanup(func() { _ = client.Close() })
	return client
}

func TestEachRedis_gives_every_test_an_empty_database_of_its_own(t *testing.T) {
	t.Parallel()
	for i := range 4 {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			testkit.EachRedis(t, func(t *testing.T, url string) {
				client := connect(t, url)
				if size := client.DBSize(t.Context()).Val(); size != 0 {
					t.Errorf("the database holds %d keys, want 0", size)
				}
				if n := client.Incr(t.Context(), "counter").Val(); n != 1 {
					t.Errorf("counter is %d, want 1: another test shares the database", n)
				}
			})
		})
	}
}

func TestEachRedis_lets_keys_expire(t *testing.T) {
	t.Parallel()
	testkit.EachRedis(t, func(t *testing.T, url string) {
		client := connect(t, url)
		if err := client.Set(t.Context(), "key", "value", 50*time.Millisecond).Err(); err != nil {
			t.Fatal(err)
		}
		testkit.Eventually(t, testkit.Patience, func() bool {
			return client.Exists(t.Context(), "key").Val() == 0
		}, "the key expires")
	})
}

func TestNewMiniredis_lets_a_test_move_time(t *testing.T) {
	t.Parallel()
	server := testkit.NewMiniredis(t)
	client := connect(t, "redis://"+server.Addr())
	if err := client.Set(t.Context(), "key", "value", time.Hour).Err(); err != nil {
		t.Fatal(err)
	}
	server.FastForward(2 * time.Hour)
	if n := client.Exists(t.Context(), "key").Val(); n != 0 {
		t.Error("the key outlived its hour")
	}
}

func TestRedisServer_comes_back_at_the_same_address_with_its_data(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*testkit.Server){
		"stopped": (*testkit.Server).Stop,
		"killed":  (*testkit.Server).Kill,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := testkit.RedisServer(t, "--appendonly", "yes", "--appendfsync", "always")
			client := connect(t, server.URL())
			if err := client.Set(t.Context(), "key", "value", 0).Err(); err != nil {
				t.Fatal(err)
			}

			end(server)
			if pid := server.Pid(); pid != 0 {
				t.Errorf("Pid is %d after the end, want 0", pid)
			}
			if err := client.Ping(t.Context()).Err(); err == nil {
				t.Error("the server still answers")
			}

			server.Start(t)
			if value := client.Get(t.Context(), "key").Val(); value != "value" {
				t.Errorf("after the restart key is %q, want %q", value, "value")
			}
		})
	}
}
