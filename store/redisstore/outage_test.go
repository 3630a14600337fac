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

// expectOutage checks single commands and pipelines of a client that gets through to nobody.
func expectOutage(t *testing.T, url string) {
	t.Helper()
	client, err := redisstore.Open(url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = client.Close() }()
	pipe := client.Pipeline()
	piped := pipe.Get(t.Context(), "usher:a")
	_, all := pipe.Exec(t.Context())
	for name, err := range map[string]error{
		"command": client.Get(t.Context(), "usher:a").Err(), "pipeline": all, "command on a pipeline": piped.Err(),
	} {
		_, network := errors.AsType[net.Error](err)
		_, refused := errors.AsType[redis.Error](err)
		if !network && !refused || errors.Is(err, redis.Nil) {
			t.Errorf("%s: %s fails with %v", url, name, err)
		}
	}
}

func TestStore_reports_what_keeps_it_from_Redis_as_an_outage(t *testing.T) {
	t.Parallel()
	locked := testkit.RedisForm{Password: "right"}.Server(t).Addr()
	expectOutage(t, "redis://"+locked)
	expectOutage(t, "redis://:wrong@"+locked)
	expectOutage(t, "redis://"+testkit.RedisForm{}.Server(t).Addr()+"/99")
	certified := testkit.RedisForm{Authority: testkit.NewAuthority(t)}.Server(t).Addr()
	expectOutage(t, "rediss://"+certified)
	expectOutage(t, "redis://"+certified)
}

func TestStore_takes_sentinels_without_an_answer_for_an_outage(t *testing.T) {
	t.Parallel()
	sentinel := testkit.RedisForm{}.Sentinels(t, 1).Sentinels[0].Addr()
	expectOutage(t, "redis-sentinel://"+sentinel+"?master=another")
	expectOutage(t, "redis-sentinel://127.0.0.1:1?master=usher")
}
