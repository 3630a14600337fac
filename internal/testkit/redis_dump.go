package testkit

import (
	"bytes"
	"context"
	"fmt"
	"testing"

	"github.com/redis/go-redis/v9"
)

// DumpRedis returns every key of a Redis database with its value, to be searched with [FindSecrets]. Redis's own
// DUMP is no use for that: it compresses.
func DumpRedis(t testing.TB, client redis.UniversalClient) []byte {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	var all bytes.Buffer
	keys := client.Scan(ctx, 0, "*", 1000).Iterator()
	for keys.Next(ctx) {
		fmt.Fprintf(&all, "%s = %v\n", keys.Val(), redisValue(ctx, client, keys.Val()))
	}
	if err := keys.Err(); err != nil {
		t.Fatal(err)
	}
	return all.Bytes()
}

// redisValue returns the value of a key, or nil when the key has expired.
func redisValue(ctx context.Context, client redis.UniversalClient, key string) any {
	switch client.Type(ctx, key).Val() {
	case "string":
		return client.Get(ctx, key).Val()
	case "hash":
		return client.HGetAll(ctx, key).Val()
	case "list":
		return client.LRange(ctx, key, 0, -1).Val()
	case "set":
		return client.SMembers(ctx, key).Val()
	case "zset":
		return client.ZRangeWithScores(ctx, key, 0, -1).Val()
	case "stream":
		return client.XRange(ctx, key, "-", "+").Val()
	default:
		return nil
	}
}
