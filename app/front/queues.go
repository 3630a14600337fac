package front

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/hibiken/asynqmon"
	"github.com/redis/go-redis/v9"

	"usher/queue"
	"usher/tasks"
)

// Asynq lists the queues, servers and schedules of all deployments on its Redis. The dashboard shows and changes those
// of its own namespace only.

// queuesPath is where operators find the dashboard.
const queuesPath = "/queues"

// queuesPolicy allows the dashboard its own inline script and styles, and nothing from other hosts: it asks for two
// font sheets, which it works without.
const queuesPolicy = "default-src 'self'; script-src 'self' 'unsafe-inline'; " +
	"style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'"

// connection gives asynqmon a client of ours, whatever form the Redis URL has.
type connection struct{ client redis.UniversalClient }

// MakeRedisClient returns the client.
func (c connection) MakeRedisClient() any { return c.client }

// queuesDashboard serves asynqmon. It adds a hook to the client, which therefore must be its own; close the client
// after the handler.
func queuesDashboard(client redis.UniversalClient, namespace queue.Namespace, write, open bool, logger *slog.Logger) http.Handler {
	client.AddHook(ownQueues(namespace))
	monitor := asynqmon.New(asynqmon.Options{
		RootPath:         queuesPath,
		RedisConnOpt:     connection{client},
		PayloadFormatter: asynqmon.PayloadFormatterFunc(tasks.FormatPayload),
		// Our tasks have no results. One of other origin could have anything in it.
		ResultFormatter: asynqmon.ResultFormatterFunc(func(string, []byte) string { return "" }),
		ReadOnly:        !write,
	})
	api := dashboardWrites{own(namespace, monitor), client, logger, open}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", queuesPolicy)
		if strings.HasPrefix(r.URL.Path, queuesPath+"/api/") {
			api.ServeHTTP(w, r)
			return
		}
		monitor.ServeHTTP(w, r)
	})
}

// warnOfMemory logs once that Redis refuses MEMORY, as some hosted ones do: the dashboard asks for it.
func warnOfMemory(ctx context.Context, client redis.UniversalClient, logger *slog.Logger) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	err := client.MemoryUsage(ctx, queue.SetKey).Err()
	if refused, ok := errors.AsType[redis.Error](err); ok && !errors.Is(refused, redis.Nil) {
		logger.Warn("Redis refuses MEMORY, so /queues cannot show queues: allow the command, or use /ops and the metrics", "error", err)
	}
}

// ownQueues returns a hook that removes the queues of other deployments from Asynq's list.
func ownQueues(namespace queue.Namespace) redis.Hook {
	return queue.CommandHook(func(ctx context.Context, cmd redis.Cmder, next redis.ProcessHook) error {
		err := next(ctx, cmd)
		args := cmd.Args()
		isList := cmd.Name() == "smembers" && len(args) == 2 && args[1] == queue.SetKey
		if list, ok := cmd.(*redis.StringSliceCmd); ok && err == nil && isList {
			list.SetVal(slices.DeleteFunc(list.Val(), func(queue string) bool { return !namespace.Owns(queue) }))
		}
		return err
	})
}

// heldAnswer buffers an answer until it is whole, so that it can be changed.
type heldAnswer struct {
	http.ResponseWriter

	status int
	body   bytes.Buffer
}

// WriteHeader keeps the status.
func (h *heldAnswer) WriteHeader(status int) { h.status = status }

// Write keeps the bytes.
func (h *heldAnswer) Write(b []byte) (int, error) { return h.body.Write(b) }

// own restricts the dashboard's API to the namespace: it answers 404 for the queues of other deployments, and removes
// their servers and schedules from its lists.
func own(namespace queue.Namespace, monitor http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rest := strings.TrimPrefix(r.URL.Path, queuesPath+"/api/")
		if after, ok := strings.CutPrefix(rest, "queues/"); ok {
			queue, _, _ := strings.Cut(after, "/")
			if !namespace.Owns(queue) {
				http.Error(w, "this queue belongs to another deployment", http.StatusNotFound)
				return
			}
		}
		if r.Method != http.MethodGet || rest != "servers" && rest != "scheduler_entries" {
			monitor.ServeHTTP(w, r)
			return
		}
		answer := &heldAnswer{ResponseWriter: w}
		monitor.ServeHTTP(answer, r)
		body := answer.body.Bytes()
		if answer.status < http.StatusMultipleChoices {
			body = ownItems(namespace, body)
		}
		w.WriteHeader(max(answer.status, http.StatusOK))
		_, _ = w.Write(body)
	})
}

// ownItems removes the servers and schedules of other deployments from an answer, and those that it cannot read.
func ownItems(namespace queue.Namespace, body []byte) []byte {
	var answer map[string]json.RawMessage
	if json.Unmarshal(body, &answer) != nil {
		return body // a message for people
	}
	for name, raw := range answer {
		var items []json.RawMessage
		if json.Unmarshal(raw, &items) != nil {
			continue
		}
		kept := slices.DeleteFunc(items, func(item json.RawMessage) bool { return !isOwnItem(namespace, item) })
		answer[name], _ = json.Marshal(append([]json.RawMessage{}, kept...)) // an empty list is not null; what was JSON can be encoded
	}
	body, _ = json.Marshal(answer)
	return body
}

// isOwnItem reports whether a server serves, or a schedule uses, one of our queues.
func isOwnItem(namespace queue.Namespace, raw json.RawMessage) bool {
	var item struct {
		Queues  map[string]int `json:"queue_priorities"` // of a server
		Options []string       `json:"options"`          // of a schedule: Queue("name") and others
	}
	if json.Unmarshal(raw, &item) != nil {
		return false
	}
	return slices.ContainsFunc(slices.Collect(maps.Keys(item.Queues)), namespace.Owns) || slices.ContainsFunc(item.Options, func(option string) bool {
		quoted, ok := strings.CutPrefix(option, `Queue("`)
		return ok && namespace.Owns(strings.TrimSuffix(quoted, `")`))
	})
}
