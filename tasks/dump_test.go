package tasks_test

import (
	"fmt"

	"github.com/redis/go-redis/v9"
)

// urlOf returns where a client of one server leads.
func urlOf(client redis.UniversalClient) string {
	options := client.(*redis.Client).Options()
	return fmt.Sprintf("redis://%s/%d", options.Addr, options.DB)
}
