package redisstore

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/redis/go-redis/v9"
)

// Report is what an operator should know of a Redis server before it is relied on.
type Report struct {
	Version string // such as 7.0.15
	Policy  string // maxmemory-policy; empty where the server does not tell
}

// Examine asks a server for its version and its memory policy.
func Examine(ctx context.Context, client redis.UniversalClient) (Report, error) {
	info, err := client.Info(ctx, "server", "memory").Result()
	if err != nil {
		return Report{}, fmt.Errorf("ask redis: %w", err)
	}
	var report Report
	for line := range strings.Lines(info) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		switch name {
		case "redis_version":
			report.Version = value
		case "maxmemory_policy":
			report.Policy = value
		}
	}
	return report, nil
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
