package redisconn_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"usher/internal/testkit"
	"usher/store"
	"usher/store/redisconn"
)

// A request whose time is nearly over makes no further round trip, alone or on a pipeline, and Redis is not reported as unavailable.
func TestOpen_begins_no_round_trip_that_cannot_end_in_time(t *testing.T) {
	t.Parallel()
	server := testkit.NewMiniredis(t)
	client, err := redisconn.Open("redis://"+server.Addr()+"/0", redisconn.Settings{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	redisconn.Batch(client)
	if err := client.Set(t.Context(), "before", "1", 0).Err(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	before := server.CommandCount()
	var onPipeline *redis.StatusCmd
	_, pipelined := client.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		onPipeline = pipe.Set(ctx, "pipeline", "1", 0)
		return nil
	})
	for name, err := range map[string]error{
		"alone": client.Set(ctx, "alone", "1", 0).Err(), "pipeline": pipelined, "command of the pipeline": onPipeline.Err(),
	} {
		if !errors.Is(err, context.DeadlineExceeded) || store.AsOutage(err) != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if got := server.CommandCount(); got != before {
		t.Errorf("%d commands were sent", got-before)
	}
}
