package front

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"usher/app"
	"usher/queue"
)

const (
	mostWritten = 1 << 20 // bytes of a request that changes something
	mostIDs     = 20      // tasks that a log line names
)

// dashboardWrites logs which operator changes what in the dashboard. It also answers 204 to the pause of a paused queue
// and to the resumption of a running one, where asynqmon answers 500.
type dashboardWrites struct {
	next   http.Handler
	client redis.UniversalClient
	logger *slog.Logger
	open   bool // the port needs no token
}

// ServeHTTP buffers the request, whose body has the ids of tasks, and the answer, whose status belongs in the log line.
func (d dashboardWrites) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		d.next.ServeHTTP(w, r)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, mostWritten))
	if err != nil {
		http.Error(w, "the request is longer than 1 MiB", http.StatusRequestEntityTooLarge)
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	answer := &heldAnswer{ResponseWriter: w}
	d.next.ServeHTTP(answer, r)
	status := max(answer.status, http.StatusOK)
	change := readChange(r.URL.Path, r.Method)
	if status == http.StatusInternalServerError && d.isDone(r.Context(), change) {
		status = http.StatusNoContent
		answer.body.Reset()
	}
	client, _, _ := net.SplitHostPort(r.RemoteAddr)
	level := slog.LevelInfo
	if status >= http.StatusBadRequest {
		level = slog.LevelWarn
	}
	d.logger.Log(r.Context(), level, "dashboard changed queues", "action", change.action, "queue", change.queue, "tasks", change.tasks,
		"task_ids", append(change.ids, idsIn(body)...), "by", d.operator(r), "from", client, "status", status)
	w.WriteHeader(status)
	_, _ = w.Write(answer.body.Bytes())
}

// isDone reports whether a queue already has the state that a change asks for.
func (d dashboardWrites) isDone(ctx context.Context, change dashboardChange) bool {
	if change.action != "pause" && change.action != "resume" {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	paused, err := queue.IsPaused(ctx, d.client, change.queue)
	return err == nil && paused == (change.action == "pause")
}

// operator is the name that came with the token. The token does not prove the name.
func (d dashboardWrites) operator(r *http.Request) string {
	if name, _, ok := r.BasicAuth(); ok && name != "" {
		return short(name)
	}
	if d.open {
		return "anyone"
	}
	return "token"
}

// dashboardChange is what a request changes, read from its path.
type dashboardChange struct {
	action string // such as archive, delete_all, pause
	queue  string
	tasks  string // their state: pending, retry …; empty for a queue
	ids    []string
}

// readChange reads paths such as /queues/api/queues/email/retry_tasks/ID:archive, …/retry_tasks:archive_all and
// /queues/api/queues/email:pause. The action of a path without one is its method.
func readChange(path, method string) dashboardChange {
	path = strings.TrimPrefix(path, queuesPath+"/api/queues/")
	change := dashboardChange{action: strings.ToLower(method)}
	if i := strings.LastIndexByte(path, ':'); i >= 0 && !strings.Contains(path[i:], "/") && isAction(path[i+1:]) {
		path, change.action = path[:i], path[i+1:]
	}
	parts := strings.SplitN(path, "/", 3)
	change.queue = short(parts[0])
	if len(parts) > 1 {
		change.tasks = short(strings.TrimSuffix(parts[1], "_tasks"))
	}
	if len(parts) > 2 {
		change.ids = []string{short(parts[2])}
	}
	return change
}

// isAction distinguishes an action from the end of a task's id, which has a colon too: its last part is a number or
// "again".
func isAction(text string) bool {
	if text == "" || text == "again" {
		return false
	}
	return !strings.ContainsFunc(text, func(r rune) bool { return r != '_' && (r < 'a' || r > 'z') })
}

// idsIn returns the ids in the body of a change of several tasks.
func idsIn(body []byte) []string {
	var some struct {
		IDs []string `json:"task_ids"`
	}
	if json.Unmarshal(body, &some) != nil {
		return nil
	}
	ids := some.IDs[:min(len(some.IDs), mostIDs)]
	for i := range ids {
		ids[i] = short(ids[i])
	}
	if more := len(some.IDs) - len(ids); more > 0 {
		ids = append(ids, "…")
	}
	return ids
}

// short bounds a text of a request and removes control characters, for a log line.
func short(text string) string {
	text = app.Printable(text)
	if runes := []rune(text); len(runes) > 80 {
		return string(runes[:80]) + "…"
	}
	return text
}
