package redisconn_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"usher/internal/testkit"
	"usher/store"
	"usher/store/redisconn"
)

// A pool without a free connection is an outage that passes. Callers must be able to tell it from a mistake
// of ours without knowing the client.
func TestOpen_reports_an_exhausted_pool_as_an_outage(t *testing.T) {
	t.Parallel()
	client, err := redisconn.Open(testkit.Miniredis(t), redisconn.Settings{})
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	defer wg.Wait()
	defer func() { _ = client.Close() }() // ends those who wait
	for range 64 {
		wg.Go(func() { _ = client.BLPop(t.Context(), time.Minute, "nothing").Err() })
	}
	testkit.Eventually(t, testkit.Patience, func() bool {
		stats := client.PoolStats()
		return stats.TotalConns == 64 && stats.IdleConns == 0
	}, "the pool is not full")
	err = client.Ping(t.Context()).Err()
	if o := store.AsOutage(err); o == nil || o.Reason != "no connection to redis became free in time" || !errors.Is(err, redis.ErrPoolTimeout) {
		t.Errorf("a command without a connection fails with %v", err)
	}
}

// expectOutage checks single commands and pipelines of a client that cannot reach its server.
func expectOutage(t *testing.T, url string) {
	t.Helper()
	client, err := redisconn.Open(url, redisconn.Settings{})
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
		if o := store.AsOutage(err); o == nil || o.Of != store.Redis || o.Cure == "" || errors.Is(err, redis.Nil) {
			t.Errorf("%s: %s fails with %v", url, name, err)
		}
	}
}

func TestOpen_reports_failed_connections_as_outages(t *testing.T) {
	t.Parallel()
	locked := testkit.RedisForm{Password: "right"}.Server(t).Addr()
	expectOutage(t, "redis://"+locked)
	expectOutage(t, "redis://:wrong@"+locked)
	expectOutage(t, "redis://"+testkit.RedisForm{}.Server(t).Addr()+"/99")
	certified := testkit.RedisForm{Authority: testkit.NewAuthority(t)}.Server(t).Addr()
	expectOutage(t, "rediss://"+certified)
	expectOutage(t, "redis://"+certified)
}

func TestOpen_reports_silent_sentinels_as_an_outage(t *testing.T) {
	t.Parallel()
	sentinel := testkit.RedisForm{}.Sentinels(t, 1).Sentinels[0].Addr()
	expectOutage(t, "redis-sentinel://"+sentinel+"?master=another")
	expectOutage(t, "redis-sentinel://127.0.0.1:1?master=usher")
}

// answering plays a Redis that answers every command with the same error.
type answering string

func (answering) DialHook(next redis.DialHook) redis.DialHook { return next }

func (a answering) ProcessHook(redis.ProcessHook) redis.ProcessHook {
	return func(_ context.Context, cmd redis.Cmder) error {
		cmd.SetErr(refusal(a))
		return cmd.Err()
	}
}

func (a answering) ProcessPipelineHook(redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(_ context.Context, cmds []redis.Cmder) error {
		for _, cmd := range cmds {
			cmd.SetErr(refusal(a))
		}
		return refusal(a)
	}
}

// refusal is an answer of Redis that is an error.
type refusal string

func (r refusal) Error() string { return string(r) }
func (refusal) RedisError()     {}

func TestErrors_of_Redis_are_outages_with_a_cure(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]struct {
		class store.Class
		todo  string // part of it
	}{
		"NOAUTH Authentication required.":                                                                   {store.Unavailable, "USHER_REDIS_URL"},
		"WRONGPASS invalid username-password pair or user is disabled.":                                     {store.Unavailable, "USHER_REDIS_URL"},
		"NOPERM this user has no permissions to run the 'set' command":                                      {store.Refused, "docs/redis.md"},
		"READONLY You can't write against a read only replica.":                                             {store.Unwritable, "primary"},
		"READONLY You can't write against a read only replica. script: a, on @user_script:1.":               {store.Unwritable, "primary"},
		"ERR Error running script (call to f_a): @user_script:1: -OOM command not allowed when used memory": {store.Unwritable, "maxmemory"},
		"NOREPLICAS Not enough good replicas to write.":                                                     {store.Unwritable, "replicas"},
		"MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk.":  {store.Unwritable, "disk"},
		"OOM command not allowed when used memory > 'maxmemory'.":                                           {store.Unwritable, "maxmemory"},
		"BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.":            {store.Unavailable, "SCRIPT KILL"},
		"LOADING Redis is loading the dataset in memory":                                                    {store.Unavailable, "wait"},
		"MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.":                  {store.Unavailable, "primary"},
		"CLUSTERDOWN The cluster is down":                                                                   {store.Unavailable, "nodes"},
		"TRYAGAIN Multiple keys request during rehashing of slot":                                           {store.Refused, "wait"},
		"ERR max number of clients reached":                                                                 {store.Unavailable, "maxclients"},
		"ERR unknown command 'LPOS'":                                                                        {store.Refused, "admin doctor"},
		"ERR bad lua script for redis cluster, all the keys that the script uses should be passed":          {store.Refused, "admin doctor"},
	} {
		client, err := redisconn.Open("redis://127.0.0.1:1", redisconn.Settings{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = client.Close() })
		client.AddHook(answering(text))
		pipe := client.Pipeline()
		piped := pipe.Get(t.Context(), "usher:a")
		_, all := pipe.Exec(t.Context())
		for kind, err := range map[string]error{
			"command": client.Get(t.Context(), "usher:a").Err(), "pipeline": all, "command on a pipeline": piped.Err(),
		} {
			o := store.AsOutage(err)
			if o == nil || o.Of != store.Redis || o.Class != want.class || o.Reason == "" || !strings.Contains(o.Cure, want.todo) {
				t.Errorf("%s: the %s fails with %#v, want class %d and %q to do", text, kind, err, want.class, want.todo)
			}
			if !strings.Contains(err.Error(), text) {
				t.Errorf("%v hides what Redis said", err)
			}
		}
	}
}

func TestErrors_of_this_program_are_no_outages(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"NOSCRIPT No matching script.", "WRONGTYPE Operation against a key holding the wrong kind of value",
		"BUSYGROUP Consumer Group name already exists",
		"NOT FOUND", "internal error: task id not found in zset", // words of Asynq's scripts
	} {
		client, err := redisconn.Open("redis://127.0.0.1:1", redisconn.Settings{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = client.Close() })
		client.AddHook(answering(text))
		if err := client.Get(t.Context(), "usher:a").Err(); store.AsOutage(err) != nil || err.Error() != text {
			t.Errorf("%s is taken for an outage, or changed: %v", text, err)
		}
	}
}

// A batch that finds no Redis carries the reason to each of its commands.
func TestBatch_reports_an_outage_to_every_caller(t *testing.T) {
	t.Parallel()
	form := testkit.RedisForm{}
	server := form.Server(t)
	client, err := redisconn.Open(server.URL(), redisconn.Settings{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = client.Close() }()
	redisconn.Batch(client)
	if err := client.Get(t.Context(), "usher:a").Err(); !errors.Is(err, redis.Nil) {
		t.Fatal(err)
	}
	server.Kill()
	var wg sync.WaitGroup
	for range 64 {
		wg.Go(func() {
			for range 20 {
				if err := client.Get(t.Context(), "usher:a").Err(); store.AsOutage(err) == nil {
					t.Errorf("without Redis a command fails with %v", err)
				}
			}
		})
	}
	wg.Wait()
}
