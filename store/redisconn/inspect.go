package redisconn

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// Inspection is what an operator should know about a Redis server before relying on it. Fields that a server does not
// disclose, as hosted ones may, are zero.
type Inspection struct {
	Addr       string        // of a node of a cluster; empty otherwise
	Version    string        // such as 7.0.15
	Policy     string        // maxmemory-policy
	Used, Most int64         // bytes of memory used, and allowed; Most 0: bounded by the machine only
	Machine    int64         // bytes of memory of the machine
	AppendOnly string        // "1" with an append-only file, "0" without
	Unwritten  bool          // the last write to disk failed
	Skew       time.Duration // how far its clock is ahead of ours, beyond what the round trip explains; set by [InspectAll] only
	Clockless  bool          // the user lacks the permission for TIME; set by [InspectAll] only
}

// InspectAll asks a server, or every primary of a cluster, about itself and compares clocks.
func InspectAll(ctx context.Context, client redis.UniversalClient) ([]Inspection, error) {
	cluster, ok := client.(*redis.ClusterClient)
	if !ok {
		found, err := inspectClock(ctx, client)
		return []Inspection{found}, err
	}
	var (
		mu  sync.Mutex
		all []Inspection
	)
	err := cluster.ForEachMaster(ctx, func(ctx context.Context, node *redis.Client) error {
		found, err := inspectClock(ctx, node)
		found.Addr = node.Options().Addr
		mu.Lock()
		defer mu.Unlock()
		all = append(all, found)
		return err
	})
	return all, err
}

// Inspect asks a server about itself; of a cluster, any node.
func Inspect(ctx context.Context, node redis.Cmdable) (Inspection, error) {
	info, err := node.Info(ctx).Result() // servers before 7.0 take no list of sections
	if err != nil {
		return Inspection{}, fmt.Errorf("ask redis: %w", err)
	}
	fields := map[string]string{}
	for line := range strings.Lines(info) {
		if name, value, found := strings.Cut(strings.TrimSpace(line), ":"); found {
			fields[name] = value
		}
	}
	number := func(name string) int64 {
		n, _ := strconv.ParseInt(fields[name], 10, 64)
		return n
	}
	return Inspection{
		Version: fields["redis_version"], Policy: fields["maxmemory_policy"],
		Used: number("used_memory"), Most: number("maxmemory"), Machine: number("total_system_memory"),
		AppendOnly: fields["aof_enabled"],
		Unwritten:  fields["aof_last_write_status"] == "err" || fields["rdb_last_bgsave_status"] == "err",
	}, nil
}

// inspectClock is [Inspect] and compares clocks.
func inspectClock(ctx context.Context, node redis.Cmdable) (Inspection, error) {
	found, err := Inspect(ctx, node)
	if err != nil {
		return found, err
	}
	asked := time.Now()
	theirs, err := node.Time(ctx).Result()
	if err != nil {
		found.Clockless = true
		return found, nil //nolint:nilerr // the inspection says it: a user may lack the permission
	}
	found.Skew = Skew(theirs, asked, time.Now())
	return found, nil
}

// Skew returns how far another clock is ahead of ours, or behind when negative, given that it told its time between two
// times of ours: no more than what this proves.
func Skew(theirs, asked, answered time.Time) time.Duration {
	switch {
	case theirs.After(answered):
		return theirs.Sub(answered)
	case theirs.Before(asked):
		return theirs.Sub(asked)
	default:
		return 0
	}
}

// VersionProblem returns an error for a server older than Redis 6.2, whose commands Asynq and our scripts use.
func (r Inspection) VersionProblem() error {
	var major, minor int
	if _, err := fmt.Sscanf(r.Version, "%d.%d", &major, &minor); err != nil {
		return errors.New("the server does not disclose its version")
	}
	if major < 6 || major == 6 && minor < 2 {
		return fmt.Errorf("version %s is too old", r.Version)
	}
	return nil
}

// PolicyProblem returns an error for a server that may drop queued messages when its memory is short.
func (r Inspection) PolicyProblem() error {
	if r.Policy != "" && r.Policy != "noeviction" {
		return fmt.Errorf("maxmemory-policy is %s", r.Policy)
	}
	return nil
}

// headroom is the memory that should be free: outcomes of SMS alone may take 250 MB while the database is unavailable.
const headroom = 256 << 20

// MemoryProblem returns an error for a server that is nearly full.
func (r Inspection) MemoryProblem() error {
	most, name := r.Most, "maxmemory"
	if most == 0 {
		most, name = r.Machine, "the machine's memory"
	}
	if most == 0 {
		return nil
	}
	if free := most - r.Used; free < headroom || free < most/5 {
		return fmt.Errorf("%d of %d MiB of %s are used", r.Used>>20, most>>20, name)
	}
	return nil
}

// KeepingProblem returns an error for a server that loses more than a moment's changes when it crashes.
func (r Inspection) KeepingProblem() error {
	if r.AppendOnly == "0" {
		return errors.New("appendonly is no: codes and queued SMS of the last minutes are lost with the server")
	}
	return nil
}
