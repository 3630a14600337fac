package redisstore

import (
	"context"
	"time"

	"github.com/redis/go-redis/v9"
)

// probeKey is a string: that a probe has written lately. It is one key for all processes.
const (
	probeKey = prefix + "probe"
	probeTTL = time.Minute
)

// Probe tries whether Redis takes writes, which a replica or a full server does not although it answers. The
// error says in a sentence for operators what is wrong, with the server's own words behind it.
func Probe(ctx context.Context, client redis.UniversalClient) error {
	return client.Set(ctx, probeKey, "", probeTTL).Err()
}
