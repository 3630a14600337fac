package front

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"github.com/redis/go-redis/v9"

	"usher/tasks"
)

// Asynq lists the queues, servers and schedules of everyone who uses its Redis. The dashboard shows those of its own
// namespace alone, and touches no others.

// ownQueues is a hook that leaves the queues of other deployments out of Asynq's list.
type ownQueues struct{ namespace tasks.Namespace }

// DialHook changes nothing.
func (ownQueues) DialHook(next redis.DialHook) redis.DialHook { return next }

// ProcessHook filters the list of queues.
func (o ownQueues) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		err := next(ctx, cmd)
		if list, ok := cmd.(*redis.StringSliceCmd); ok && err == nil && isQueueList(cmd) {
			list.SetVal(slices.DeleteFunc(list.Val(), func(queue string) bool { return !o.namespace.Owns(queue) }))
		}
		return err
	}
}

// ProcessPipelineHook changes nothing: Asynq asks for the list with a single command.
func (ownQueues) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func isQueueList(cmd redis.Cmder) bool {
	args := cmd.Args()
	return cmd.Name() == "smembers" && len(args) == 2 && args[1] == "asynq:queues"
}

// own keeps the dashboard's API to the namespace: it answers 404 for another's queue, and leaves other deployments'
// servers and schedules out of its lists.
func own(namespace tasks.Namespace, monitor http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rest := strings.TrimPrefix(r.URL.Path, queuesPath+"/api/")
		if after, ok := strings.CutPrefix(rest, "queues/"); ok {
			queue, _, _ := strings.Cut(after, "/")
			if !namespace.Owns(queue) {
				http.Error(w, "not a queue of this deployment", http.StatusNotFound)
				return
			}
		}
		if r.Method != http.MethodGet || rest != "servers" && rest != "scheduler_entries" {
			monitor.ServeHTTP(w, r)
			return
		}
		page := &heldAnswer{ResponseWriter: w}
		monitor.ServeHTTP(page, r)
		body := page.body.Bytes()
		if page.status < http.StatusMultipleChoices {
			body = ownItems(namespace, body)
		}
		w.WriteHeader(max(page.status, http.StatusOK))
		_, _ = w.Write(body)
	})
}

// ownItems returns an answer's lists of servers and of schedules without those of other deployments. What it cannot
// read it leaves out.
func ownItems(namespace tasks.Namespace, body []byte) []byte {
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
		answer[name], _ = json.Marshal(append([]json.RawMessage{}, kept...)) // it was JSON before
	}
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(answer)
	return out.Bytes()
}

func isOwnItem(namespace tasks.Namespace, raw json.RawMessage) bool {
	var item struct {
		Queues  map[string]int `json:"queue_priorities"` // of a server
		Options []string       `json:"options"`          // of a schedule: Queue("name") and others
	}
	if json.Unmarshal(raw, &item) != nil {
		return false
	}
	for queue := range item.Queues {
		if namespace.Owns(queue) {
			return true
		}
	}
	return slices.ContainsFunc(item.Options, func(option string) bool {
		quoted, ok := strings.CutPrefix(option, `Queue("`)
		return ok && namespace.Owns(strings.TrimSuffix(quoted, `")`))
	})
}
