package tasks_test

import (
	"bytes"
	"context"
	"fmt"
	"testing"

	"github.com/redis/go-redis/v9"
)

// urlOf returns where a client of one server leads.
func urlOf(client redis.UniversalClient) string {
	options := client.(*redis.Client).Options()
	return fmt.Sprintf("redis://%s/%d", options.Addr, options.DB)
}

// dump returns every key and value of the database, to be searched. DUMP is no use: it compresses.
func dump(t testing.TB, client redis.UniversalClient) []byte {
	t.Helper()
	ctx := context.Background()
	var all bytes.Buffer
	keys := client.Scan(ctx, 0, "*", 1000).Iterator()
	for keys.Next(ctx) {
		key := keys.Val()
		value := func() any {
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
				return client.ZRange(ctx, key, 0, -1).Val()
			case "stream":
				return client.XRange(ctx, key, "-", "+").Val()
			default:
				return nil // gone since
			}
		}()
		fmt.Fprintf(&all, "%s = %v\n", key, value)
	}
	if err := keys.Err(); err != nil {
		t.Fatal(err)
	}
	return all.Bytes()
}
