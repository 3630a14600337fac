package redisstore

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"usher/messages"
	"usher/store"
	"usher/vitals"
)

// WorkerPause is the time between two heartbeats of a worker.
const WorkerPause = 5 * time.Second

// maxWorkers bounds the workers that are listed.
const maxWorkers = 200

// Workers is the list of the running workers, from the heartbeat of each. It is safe for concurrent use.
type Workers struct{ store *Store }

// The fields of a worker. The name of a breaker's provider follows the prefix.
const (
	workerHost     = "host"
	workerVersion  = "version"
	workerChannels = "channels"
	workerQueues   = "queues"
	workerSince    = "since"
	workerBreaker  = "breaker:"
	workerMails    = "mail_outage"
	workerDetails  = "details" // JSON
)

// details are the parts of a heartbeat that are lists of their own.
type details struct {
	Outages         map[string]vitals.Outage `json:"outages,omitempty"`
	MailOutageSince time.Time                `json:"mail_outage_since,omitzero"`
	Jobs            []vitals.Job             `json:"jobs,omitempty"`
	ClockAhead      time.Duration            `json:"clock_ahead,omitzero"`
	ForeignAt       time.Time                `json:"foreign_at,omitzero"`
}

// Publish writes a worker's heartbeat, which counts for a few times the pause. It takes one round trip (on Redis Cluster one
// to each of two nodes).
func (w *Workers) Publish(ctx context.Context, worker vitals.Worker) error {
	more, err := json.Marshal(details{worker.Outages, worker.MailOutageSince, worker.Jobs, worker.ClockAhead, worker.ForeignAt})
	if err != nil {
		return fmt.Errorf("publish worker: %w", err)
	}
	fields := map[string]any{
		workerDetails: more, workerHost: worker.Host, workerVersion: worker.Version, workerQueues: strings.Join(worker.Queues, ","),
		workerChannels: joined(worker.Channels), workerSince: worker.Since.UnixMilli(),
		workerMails: worker.MailOutage,
	}
	for provider, state := range worker.Breakers {
		fields[workerBreaker+provider] = state
	}
	now := w.store.now()
	_, err = w.store.client.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		pipe.HSet(ctx, w.store.space.workerKey(worker.ID), fields)
		pipe.Expire(ctx, w.store.space.workerKey(worker.ID), workerLife)
		pipe.ZAdd(ctx, w.store.space.workersKey(), redis.Z{Score: float64(now.UnixMilli()), Member: worker.ID})
		pipe.ZRemRangeByScore(ctx, w.store.space.workersKey(), "-inf", strconv.FormatInt(now.Add(-workersLife).UnixMilli(), 10))
		pipe.Expire(ctx, w.store.space.workersKey(), workersLife)
		return nil
	})
	return store.Wrap("publish worker", err)
}

// Withdraw removes a worker that has ended from the list.
func (w *Workers) Withdraw(ctx context.Context, id string) error {
	_, err := w.store.client.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		pipe.ZRem(ctx, w.store.space.workersKey(), id)
		pipe.Del(ctx, w.store.space.workerKey(id))
		return nil
	})
	return store.Wrap("withdraw worker", err)
}

// List returns the running workers, the oldest first. It takes two round trips.
func (w *Workers) List(ctx context.Context) ([]vitals.Worker, error) {
	oldest := strconv.FormatInt(w.store.now().Add(-workerLife).UnixMilli(), 10)
	ids, err := w.store.client.ZRevRangeByScore(ctx, w.store.space.workersKey(),
		&redis.ZRangeBy{Min: oldest, Max: "+inf", Count: maxWorkers}).Result()
	if err != nil {
		return nil, fmt.Errorf("list workers: %w", err)
	}
	found := make([]*redis.MapStringStringCmd, len(ids))
	_, err = w.store.client.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		for i, id := range ids {
			found[i] = pipe.HGetAll(ctx, w.store.space.workerKey(id))
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read workers: %w", err)
	}
	workers := make([]vitals.Worker, 0, len(ids))
	for i, id := range ids {
		if fields := found[i].Val(); len(fields) > 0 { // its heartbeat may just have ended
			workers = append(workers, workerOf(id, fields))
		}
	}
	slices.SortFunc(workers, func(a, b vitals.Worker) int {
		return cmp.Or(a.Since.Compare(b.Since), strings.Compare(a.ID, b.ID))
	})
	return workers, nil
}

// workerOf converts the fields of a heartbeat. Fields that a newer version added are ignored.
func workerOf(id string, fields map[string]string) vitals.Worker {
	worker := vitals.Worker{
		ID: id, Host: fields[workerHost], Version: fields[workerVersion],
		Channels: split[messages.Channel](fields[workerChannels]), Queues: split[string](fields[workerQueues]),
		MailOutage: fields[workerMails],
	}
	if ms, err := strconv.ParseInt(fields[workerSince], 10, 64); err == nil {
		worker.Since = time.UnixMilli(ms).UTC()
	}
	var more details
	if json.Unmarshal([]byte(fields[workerDetails]), &more) == nil { // an older worker tells none
		worker.Outages, worker.MailOutageSince, worker.Jobs = more.Outages, more.MailOutageSince, more.Jobs
		worker.ClockAhead, worker.ForeignAt = more.ClockAhead, more.ForeignAt
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

// joined and split convert lists, whose elements contain no comma, to texts and back.
func joined[T ~string](all []T) string {
	texts := make([]string, len(all))
	for i, one := range all {
		texts[i] = string(one)
	}
	return strings.Join(texts, ",")
}

func split[T ~string](text string) []T {
	var all []T
	for one := range strings.SplitSeq(text, ",") {
		if one != "" {
			all = append(all, T(one))
		}
	}
	return all
}
