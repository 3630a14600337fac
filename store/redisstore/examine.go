package redisstore

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

// Report is what an operator should know of a Redis server before it is relied on. Fields that a server does not
// tell, as hosted ones may, are zero.
type Report struct {
	Addr       string        // of a node of a cluster; empty otherwise
	Version    string        // such as 7.0.15
	Policy     string        // maxmemory-policy
	Used, Most int64         // bytes of memory used, and allowed; Most 0: nothing but the machine bounds it
	Machine    int64         // bytes of memory of the machine
	AppendOnly string        // "1" with an append-only file, "0" without
	Unwritten  bool          // the last attempt to write to disk failed
	Skew       time.Duration // of its clock against ours, beyond what the question itself took; only of [ExamineAll]
	Clockless  bool          // the user may not ask for its time; only of [ExamineAll]
}

// Examine asks a server about itself; of a cluster, any node.
func Examine(ctx context.Context, client redis.UniversalClient) (Report, error) {
	return examine(ctx, client)
}

// ExamineAll asks a server, or every primary of a cluster, and compares clocks.
func ExamineAll(ctx context.Context, client redis.UniversalClient) ([]Report, error) {
	cluster, ok := client.(*redis.ClusterClient)
	if !ok {
		report, err := examineClock(ctx, client)
		return []Report{report}, err
	}
	var (
		mu  sync.Mutex
		all []Report
	)
	err := cluster.ForEachMaster(ctx, func(ctx context.Context, node *redis.Client) error {
		report, err := examineClock(ctx, node)
		report.Addr = node.Options().Addr
		mu.Lock()
		defer mu.Unlock()
		all = append(all, report)
		return err
	})
	return all, err
}

func examine(ctx context.Context, node redis.Cmdable) (Report, error) {
	info, err := node.Info(ctx).Result() // servers before 7.0 take no list of sections
	if err != nil {
		return Report{}, fmt.Errorf("ask redis: %w", err)
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
	return Report{
		Version: fields["redis_version"], Policy: fields["maxmemory_policy"],
		Used: number("used_memory"), Most: number("maxmemory"), Machine: number("total_system_memory"),
		AppendOnly: fields["aof_enabled"],
		Unwritten:  fields["aof_last_write_status"] == "err" || fields["rdb_last_bgsave_status"] == "err",
	}, nil
}

func examineClock(ctx context.Context, node redis.Cmdable) (Report, error) {
	report, err := examine(ctx, node)
	if err != nil {
		return report, err
	}
	asked := time.Now()
	theirs, err := node.Time(ctx).Result()
	if err != nil {
		report.Clockless = true
		return report, nil //nolint:nilerr // the report says it: a user may lack the permission
	}
	report.Skew = Skew(theirs, asked, time.Now())
	return report, nil
}

// Skew is how far a clock is ahead of ours, or behind when negative, that told its time between two times of ours:
// no more than what that surely proves.
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
func (r Report) VersionProblem() error {
	var major, minor int
	if _, err := fmt.Sscanf(r.Version, "%d.%d", &major, &minor); err != nil {
		return errors.New("the server does not tell its version")
	}
	if major < 6 || major == 6 && minor < 2 {
		return fmt.Errorf("version %s is too old", r.Version)
	}
	return nil
}

// PolicyProblem returns an error for a server that may drop queued messages when its memory is short.
func (r Report) PolicyProblem() error {
	if r.Policy != "" && r.Policy != "noeviction" {
		return fmt.Errorf("maxmemory-policy is %s", r.Policy)
	}
	return nil
}

// headroom is what should be free: outcomes of SMS alone may take 250 MB while the database is away.
const headroom = 256 << 20

// MemoryProblem returns an error for a server that little is missing from being full.
func (r Report) MemoryProblem() error {
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

// KeepingProblem returns an error for a server that loses more than a moment's changes when it ends badly.
func (r Report) KeepingProblem() error {
	if r.AppendOnly == "0" {
		return errors.New("appendonly is no: codes and queued SMS of the last minutes are lost with the server")
	}
	return nil
}
