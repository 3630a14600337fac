package front

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// redisInfoPath is what the dashboard's page about Redis asks.
const redisInfoPath = queuesPath + "/api/redis_info"

// redisInfoTimeout bounds the answer; the dashboard's own has no limit but the client's.
const redisInfoTimeout = 3 * time.Second

// redisInfoDefaults are the fields that the dashboard shows as NaN or undefined where a server lacks them, as
// the in-memory one of cmd/dev and some hosted ones do. A save at 0 is shown as none.
func redisInfoDefaults() map[string]string {
	info := map[string]string{"rdb_last_save_time": "0"}
	for _, field := range []string{
		"redis_version", "uptime_in_days", "used_memory_human", "used_memory_peak_human", "mem_fragmentation_ratio",
		"connected_clients", "connected_slaves", "rdb_changes_since_last_save",
	} {
		info[field] = "–"
	}
	return info
}

// redisInfo answers in place of the dashboard, for one server. What a cluster tells needs no help.
func redisInfo(client *redis.Client) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), redisInfoTimeout)
		defer cancel()
		raw, err := client.Info(ctx).Result()
		if err != nil {
			http.Error(w, "redis does not tell about itself; /readyz says more", http.StatusServiceUnavailable)
			return
		}
		info := redisInfoDefaults()
		for line := range strings.Lines(raw) {
			if name, value, found := strings.Cut(strings.TrimSpace(line), ":"); found && value != "" {
				info[name] = value
			}
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]any{
			"address": client.Options().Addr, "info": info, "raw_info": raw, "cluster": false,
		})
	})
}
