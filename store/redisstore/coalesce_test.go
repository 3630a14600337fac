package redisstore_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/redis/go-redis/v9"

	"usher/internal/testkit"
	"usher/store/redisstore"
)

// holdup is a hook that holds what is on its way to Redis, and notes in which company it went.
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

// answer plays Redis: GET answers with the key, and a key that begins with "bad" gets an error.
func (h *holdup) answer(_ context.Context, cmds ...redis.Cmder) error {
	h.mu.Lock()
	h.sizes = append(h.sizes, len(cmds))
	h.mu.Unlock()
	<-h.release
	for _, cmd := range cmds {
		key := fmt.Sprint(cmd.Args()[1])
		if strings.HasPrefix(key, "bad") {
			cmd.SetErr(errors.New("bad " + key))
		} else if get, ok := cmd.(*redis.StringCmd); ok {
			get.SetVal(key)
		}
	}
	return cmds[0].Err()
}

func (h *holdup) seen() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return fmt.Sprint(h.sizes)
}

// held returns a client whose commands stop before Redis, which nobody needs.
func held(t *testing.T) (redis.UniversalClient, *holdup) {
	t.Helper()
	client := redis.NewClient(&redis.Options{Addr: "127.0.0.1:1"})
	t.Cleanup(func() { _ = client.Close() })
	redisstore.Coalesce(client)
	h := &holdup{release: make(chan struct{})}
	client.AddHook(h) // behind it, where Redis would be
	return client, h
}

func TestCoalesce_sends_together_what_waits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		client, h := held(t)
		var callers sync.WaitGroup
		for i := range 40 {
			callers.Go(func() {
				key := fmt.Sprint("key", i)
				if i%10 == 9 {
					key = fmt.Sprint("bad", i)
				}
				got, err := client.Get(t.Context(), key).Result()
				if bad := i%10 == 9; bad && fmt.Sprint(err) != "bad "+key || !bad && (err != nil || got != key) {
					t.Errorf("get %s = %q, %v", key, got, err)
				}
			})
			synctest.Wait()
		}
		close(h.release)
		callers.Wait()
		if h.seen() != "[1 1 38]" {
			t.Errorf("commands went in groups of %s, want two alone and the others together", h.seen())
		}
		if _, err := client.Get(t.Context(), "again").Result(); err != nil || h.seen() != "[1 1 38 1]" {
			t.Errorf("a command later = %v, groups %s, want it to go alone", err, h.seen())
		}
	})
}

func TestCoalesce_takes_short_pipelines_along(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		client, h := held(t)
		var callers sync.WaitGroup
		pipeline := func(keys ...string) error {
			_, err := client.Pipelined(t.Context(), func(pipe redis.Pipeliner) error {
				for _, key := range keys {
					pipe.Get(t.Context(), key)
				}
				return nil
			})
			return err
		}
		for range 2 { // they fill the lanes
			callers.Go(func() { _ = pipeline("key") })
			synctest.Wait()
		}
		callers.Go(func() {
			if err := pipeline("a", "b"); err != nil {
				t.Errorf("pipeline beside one that fails = %v", err)
			}
		})
		callers.Go(func() {
			if err := pipeline("c", "bad"); fmt.Sprint(err) != "bad bad" {
				t.Errorf("pipeline with a command that fails = %v", err)
			}
		})
		synctest.Wait()
		for range 2 { // neither a long pipeline nor one that may block waits for the lanes
			callers.Go(func() { _ = pipeline(strings.Split(strings.Repeat("k ", 17), " ")[:17]...) })
			callers.Go(func() { _ = client.BLPop(t.Context(), 0, "list").Err() })
		}
		synctest.Wait()
		close(h.release)
		callers.Wait()
		if got := h.seen(); !strings.HasPrefix(got, "[1 1 ") || !strings.HasSuffix(got, " 4]") || strings.Count(got, "17") != 2 {
			t.Errorf("groups of %s, want two alone, four by themselves, then the two short pipelines in one", got)
		}
	})
}

func TestCoalesce_lets_go_of_who_waits_no_more(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		client, h := held(t)
		var callers sync.WaitGroup
		for range 2 {
			callers.Go(func() { _ = client.Get(t.Context(), "key").Err() })
		}
		synctest.Wait()
		ctx, cancel := context.WithCancel(t.Context())
		callers.Go(func() {
			if err := client.Get(ctx, "late").Err(); !errors.Is(err, context.Canceled) {
				t.Errorf("get = %v, want the context's error", err)
			}
		})
		callers.Go(func() {
			if err := client.Get(t.Context(), "other").Err(); err != nil {
				t.Errorf("get beside one that was given up = %v", err)
			}
		})
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

// On a real Redis, under the race detector: nothing is lost, done twice, or answered to somebody else.
func TestCoalesce_gives_everybody_their_own_answer(t *testing.T) {
	t.Parallel()
	url := testkit.Redis(t)
	if url == "" {
		t.Skip("no redis-server on this machine")
	}
	client, err := redisstore.Open(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	redisstore.Coalesce(client)
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
