package redisstore

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"usher/messages"
	"usher/vitals"
)

const (
	// WorkerPause is how often a worker says that it lives.
	WorkerPause = 5 * time.Second

	// workerLife is how long it is believed: three pauses and a round trip that is tried twice.
	workerLife = 20 * time.Second

	// maxWorkers bounds the workers that are listed.
	maxWorkers = 200
)

// Workers is the list of the workers that live, as each says of itself. It is safe for concurrent use.
type Workers struct{ store *Store }

// Workers returns the part that lists workers.
func (s *Store) Workers() *Workers { return &Workers{s} }

// The fields of a worker. What a breaker's provider is called follows its prefix.
const (
	workerHost     = "host"
	workerVersion  = "version"
	workerChannels = "channels"
	workerQueues   = "queues"
	workerSince    = "since"
	workerBreaker  = "breaker:"
	workerMails    = "mail_outage"
)

// Publish says that a worker lives, until the pause has passed a few times. It is one round trip (on Redis
// Cluster one to each of two nodes).
func (w *Workers) Publish(ctx context.Context, worker vitals.Worker) error {
	fields := map[string]any{
		workerHost: worker.Host, workerVersion: worker.Version, workerQueues: strings.Join(worker.Queues, ","),
		workerChannels: joined(worker.Channels), workerSince: worker.Since.UnixMilli(),
		workerMails: worker.MailOutage,
	}
	for provider, state := range worker.Breakers {
		fields[workerBreaker+provider] = state
	}
	now := w.store.now()
	_, err := w.store.client.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		pipe.HSet(ctx, w.store.space.workerKey(worker.ID), fields)
		pipe.Expire(ctx, w.store.space.workerKey(worker.ID), workerLife)
		pipe.ZAdd(ctx, w.store.space.workersKey(), redis.Z{Score: float64(now.UnixMilli()), Member: worker.ID})
		pipe.ZRemRangeByScore(ctx, w.store.space.workersKey(), "-inf", strconv.FormatInt(now.Add(-time.Minute).UnixMilli(), 10))
		pipe.Expire(ctx, w.store.space.workersKey(), time.Minute)
		return nil
	})
	if err != nil {
		return fmt.Errorf("publish worker: %w", err)
	}
	return nil
}

// Withdraw takes a worker off the list that has ended.
func (w *Workers) Withdraw(ctx context.Context, id string) error {
	_, err := w.store.client.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		pipe.ZRem(ctx, w.store.space.workersKey(), id)
		pipe.Del(ctx, w.store.space.workerKey(id))
		return nil
	})
	if err != nil {
		return fmt.Errorf("withdraw worker: %w", err)
	}
	return nil
}

// List returns the workers that live, the oldest first. It is two round trips.
func (w *Workers) List(ctx context.Context) ([]vitals.Worker, error) {
	oldest := strconv.FormatInt(w.store.now().Add(-workerLife).UnixMilli(), 10)
	ids, err := w.store.client.ZRevRangeByScore(ctx, w.store.space.workersKey(),
		&redis.ZRangeBy{Min: oldest, Max: "+inf", Count: maxWorkers}).Result()
	if err != nil {
		return nil, fmt.Errorf("list workers: %w", err)
	}
	found := make([]*redis.MapStringStringCmd, len(ids))
	if len(ids) > 0 {
		_, err = w.store.client.Pipelined(ctx, func(pipe redis.Pipeliner) error {
			for i, id := range ids {
				found[i] = pipe.HGetAll(ctx, w.store.space.workerKey(id))
			}
			return nil
		})
	}
	if err != nil {
		return nil, fmt.Errorf("read workers: %w", err)
	}
	workers := make([]vitals.Worker, 0, len(ids))
	for i, id := range ids {
		if fields := found[i].Val(); len(fields) > 0 { // it may have ended just now
			workers = append(workers, workerOf(id, fields))
		}
	}
	slices.SortFunc(workers, func(a, b vitals.Worker) int {
		if byStart := a.Since.Compare(b.Since); byStart != 0 {
			return byStart
		}
		return strings.Compare(a.ID, b.ID)
	})
	return workers, nil
}

func workerOf(id string, fields map[string]string) vitals.Worker {
	worker := vitals.Worker{
		ID: id, Host: fields[workerHost], Version: fields[workerVersion],
		Channels: split[messages.Channel](fields[workerChannels]), Queues: split[string](fields[workerQueues]),
		MailOutage: fields[workerMails],
	}
	if ms, err := strconv.ParseInt(fields[workerSince], 10, 64); err == nil {
		worker.Since = time.UnixMilli(ms).UTC()
	}
	for field, state := range fields {
		if provider, ok := strings.CutPrefix(field, workerBreaker); ok {
			if worker.Breakers == nil {
				worker.Breakers = map[string]string{}
			}
			worker.Breakers[provider] = state
		}
	}
	return worker
}

func joined[T ~string](all []T) string {
	texts := make([]string, len(all))
	for i, one := range all {
		texts[i] = string(one)
	}
	return strings.Join(texts, ",")
}

func split[T ~string](text string) []T {
	if text == "" {
		return nil
	}
	var all []T
	for one := range strings.SplitSeq(text, ",") {
		all = append(all, T(one))
	}
	return all
}

// workerKey is a hash: what a worker says of itself.
func (k keyspace) workerKey(id string) string { return string(k) + "worker:" + id }

// workersKey is a sorted set: ids of workers by the times at which they were last heard of.
func (k keyspace) workersKey() string { return string(k) + "workers" }
