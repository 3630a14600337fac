package redisconn_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redis/go-redis/v9"

	"usher/internal/testkit"
	"usher/store/redisconn"
)

// holdup is a hook that stops commands on their way to Redis, and notes the size of each batch.
type holdup struct {
	release chan struct{}

	mu    sync.Mutex
	sizes []int
}

func (h *holdup) DialHook(next redis.DialHook) redis.DialHook { return next }

func (h *holdup) ProcessHook(redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error { return h.answer(ctx, cmd) }
}

func (h *holdup) ProcessPipelineHook(redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error { return h.answer(ctx, cmds...) }
}

// answer plays Redis: every command gets an error with its key as an answer, but for keys that begin with "lost",
// whose replies are lost in a batch.
func (h *holdup) answer(ctx context.Context, cmds ...redis.Cmder) error {
	h.mu.Lock()
	h.sizes = append(h.sizes, len(cmds))
	h.mu.Unlock()
	select {
	case <-h.release:
	case <-ctx.Done():
		return ctx.Err()
	}
	for _, cmd := range cmds {
		key := fmt.Sprint(cmd.Args()[1])
		if len(cmds) > 1 && strings.HasPrefix(key, "lost") {
			cmd.SetErr(io.EOF)
		} else {
			cmd.SetErr(errors.New(key))
		}
	}
	return cmds[0].Err()
}

func (h *holdup) seen() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return fmt.Sprint(h.sizes)
}

// held returns a client whose commands are stopped before they reach a Redis.
func held(t *testing.T) (redis.UniversalClient, *holdup) {
	t.Helper()
	client := redis.NewClient(&redis.Options{Addr: "127.0.0.1:1", ReadTimeout: redisconn.DefaultTimeout})
	t.Cleanup(func() { _ = client.Close() })
	redisconn.Batch(client)
	h := &holdup{release: make(chan struct{})}
	client.AddHook(h) // behind it, where Redis would be
	return client, h
}

// fillLanes sends as many commands as go alone, which stay under way until they are released.
func fillLanes(t *testing.T, client redis.UniversalClient, callers *sync.WaitGroup) {
	t.Helper()
	for range 2 {
		callers.Go(func() { get(t, client, "key") })
	}
	synctest.Wait()
}

// get asks for a key and wants the answer that is its own.
func get(t *testing.T, client redis.UniversalClient, key string) {
	t.Helper()
	if err := client.Get(t.Context(), key).Err(); err == nil || err.Error() != key {
		t.Errorf("get %s is answered with %v", key, err)
	}
}

// pipeline does the same with many keys, whose first answer is the pipeline's.
func pipeline(t *testing.T, client redis.UniversalClient, keys ...string) {
	t.Helper()
	cmds, err := client.Pipelined(t.Context(), func(pipe redis.Pipeliner) error {
		for _, key := range keys {
			pipe.Get(t.Context(), key)
		}
		return nil
	})
	if err == nil || err.Error() != keys[0] {
		t.Errorf("pipeline of %v is answered with %v", keys, err)
	}
	for i, cmd := range cmds {
		if err := cmd.Err(); err == nil || err.Error() != keys[i] {
			t.Errorf("get %s in a pipeline is answered with %v", keys[i], err)
		}
	}
}

func TestBatch_sends_waiting_commands_in_one_pipeline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		client, h := held(t)
		var callers sync.WaitGroup
		for i := range 40 {
			callers.Go(func() { get(t, client, fmt.Sprint("key", i)) })
			synctest.Wait()
		}
		close(h.release)
		callers.Wait()
		get(t, client, "later")
		if h.seen() != "[1 1 38 1]" {
			t.Errorf("commands went in groups of %s, want two alone, the others together, and a later one alone", h.seen())
		}
	})
}

func TestBatch_includes_short_pipelines(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		client, h := held(t)
		var callers sync.WaitGroup
		fillLanes(t, client, &callers)
		callers.Go(func() { pipeline(t, client, "a", "b") })
		callers.Go(func() { pipeline(t, client, "c", "d", "e") })
		synctest.Wait()
		// Neither a long pipeline nor a command that may block waits for the lanes, or keeps them.
		callers.Go(func() { pipeline(t, client, strings.Fields(strings.Repeat("k ", 17))...) })
		callers.Go(func() { _ = client.BLPop(t.Context(), 0, "list").Err() })
		synctest.Wait()
		close(h.release)
		callers.Wait()
		if got := h.seen(); got != "[1 1 17 1 5]" && got != "[1 1 1 17 5]" {
			t.Errorf("groups of %s, want two alone, two by themselves, then the short pipelines in one", got)
		}
	})
}

func TestBatch_repeats_alone_what_lost_its_reply(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		client, h := held(t)
		var callers sync.WaitGroup
		fillLanes(t, client, &callers)
		for _, key := range []string{"key1", "lost1", "key2", "lost2"} {
			callers.Go(func() { get(t, client, key) })
			synctest.Wait()
		}
		close(h.release)
		callers.Wait()
		if h.seen() != "[1 1 4 1 1]" {
			t.Errorf("groups of %s, want none of a batch again but the two that were lost", h.seen())
		}
	})
}

func TestBatch_drops_commands_whose_context_has_ended(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		client, h := held(t)
		var callers sync.WaitGroup
		fillLanes(t, client, &callers)
		ctx, cancel := context.WithCancel(t.Context())
		callers.Go(func() {
			if err := client.Get(ctx, "late").Err(); !errors.Is(err, context.Canceled) {
				t.Errorf("get = %v, want the context's error", err)
			}
		})
		callers.Go(func() { get(t, client, "other") })
		synctest.Wait()
		cancel()
		synctest.Wait()
		close(h.release)
		callers.Wait()
		if h.seen() != "[1 1 1]" {
			t.Errorf("groups of %s, want nothing sent for who has gone", h.seen())
		}
	})
}

// A command that has waited as long as for a connection fails, as in a pool without one: behind a Redis that does not
// answer the queue must not grow.
func TestBatch_waits_no_longer_than_for_a_connection(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		client, h := held(t)
		var callers sync.WaitGroup
		fillLanes(t, client, &callers)
		late := func() {
			began := time.Now()
			var timeout net.Error
			if err := client.Get(t.Context(), "late").Err(); !errors.As(err, &timeout) || !timeout.Timeout() {
				t.Errorf("get = %v, want an error of the network that says it was too late", err)
			}
			if waited := time.Since(began); waited != 450*time.Millisecond { // the clock stands still while a goroutine runs
				t.Errorf("it took %v", waited)
			}
		}
		var behind sync.WaitGroup
		for range 3 { // who comes later is told later
			behind.Go(late)
			behind.Go(late)
			time.Sleep(100 * time.Millisecond) //nolint:forbidigo // synthetic time
		}
		behind.Wait()
		late() // when no command had been waiting
		close(h.release)
		callers.Wait()
	})
}

// On a real Redis, under the race detector: nothing is lost, executed twice, or answered to another caller.
func TestBatch_gives_each_caller_its_own_reply(t *testing.T) {
	t.Parallel()
	url := testkit.Redis(t)
	if url == "" {
		t.Skip("no redis-server on this machine")
	}
	client, err := redisconn.Open(url, redisconn.Settings{Timeout: testkit.RedisPatience})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	redisconn.Batch(client)
	script := redis.NewScript(`return {KEYS[1], redis.call('INCR', KEYS[1])}`)
	var callers sync.WaitGroup
	for i := range 64 {
		callers.Go(func() {
			key := fmt.Sprint("counter", i)
			for n := range 50 {
				got, err := script.Run(t.Context(), client, []string{key}).Slice()
				if want := fmt.Sprint([]any{key, n + 1}); err != nil || fmt.Sprint(got) != want {
					t.Errorf("script = %v, %v, want %s", got, err, want)
					return
				}
			}
		})
	}
	callers.Wait()
}
