package redisstore_test

import (
	"errors"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"usher/internal/testkit"
	"usher/store/redisstore"
)

// A pool without a free connection is an outage that passes. Callers must be able to tell it from a mistake
// of ours without knowing the client.
func TestStore_reports_a_crowded_pool_as_a_time_out_of_the_network(t *testing.T) {
	t.Parallel()
	client, err := redisstore.Open(testkit.Miniredis(t))
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	defer wg.Wait()
	defer func() { _ = client.Close() }() // ends those who wait
	for range 64 {
		wg.Go(func() { _ = client.BLPop(t.Context(), time.Minute, "nothing").Err() })
	}
	testkit.Eventually(t, 10*time.Second, func() bool {
		stats := client.PoolStats()
		return stats.TotalConns == 64 && stats.IdleConns == 0
	}, "the pool is not full")
	err = client.Ping(t.Context()).Err()
	if network, ok := errors.AsType[net.Error](err); !ok || !network.Timeout() || !errors.Is(err, redis.ErrPoolTimeout) {
		t.Errorf("a command without a connection fails with %v", err)
	}
}
