package front

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/hibiken/asynqmon"
	"github.com/redis/go-redis/v9"

	"usher/board"
	"usher/tasks"
)

// queuesPath is where operators find the dashboard.
const queuesPath = "/queues"

// queuesPolicy lets the dashboard run its own inline script and styles, and nothing from elsewhere: it
// asks for two outside font sheets, which it does without.
const queuesPolicy = "default-src 'self'; script-src 'self' 'unsafe-inline'; " +
	"style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'"

// connection hands asynqmon a client of ours, whatever form the Redis URL has.
type connection struct{ client redis.UniversalClient }

// MakeRedisClient returns the client.
func (c connection) MakeRedisClient() any { return c.client }

// hidden shows no result: no task of ours has one, and nobody knows what another's would hold.
func hidden(string, []byte) string { return "" }

// queuesDashboard serves asynqmon, for the queues of the namespace alone. It owns the client from here on.
func queuesDashboard(
	client redis.UniversalClient, namespace tasks.Namespace, write, open bool, logger *slog.Logger,
) (http.Handler, func() error) {
	client.AddHook(ownQueues{namespace})
	monitor := asynqmon.New(asynqmon.Options{
		RootPath:         queuesPath,
		RedisConnOpt:     connection{client},
		PayloadFormatter: asynqmon.PayloadFormatterFunc(tasks.FormatPayload),
		ResultFormatter:  asynqmon.ResultFormatterFunc(hidden),
		ReadOnly:         !write,
	})
	mux := http.NewServeMux()
	mux.Handle("/", linked(monitor))
	mux.Handle(queuesPath+"/api/", dashboardWrites{own(namespace, monitor), client, logger, open})
	if one, ok := client.(*redis.Client); ok {
		mux.Handle("GET "+redisInfoPath, redisInfo(one))
	}
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", queuesPolicy)
		mux.ServeHTTP(w, r)
	})
	// Both of the monitor's halves share the client, so that closing them closes it twice: close it here.
	return handler, client.Close
}

// boardLink leads from the dashboard to the operators' page. The dashboard has no place for it of its own.
const boardLink = `<a href="` + board.Path + `" style="position:fixed;right:16px;bottom:16px;z-index:2000;padding:8px 16px;` +
	`border-radius:99px;background:#0b6b57;color:#fff;font:500 14px/20px system-ui,sans-serif;text-decoration:none;` +
	`box-shadow:0 2px 8px #0006">Are codes arriving?</a></body>`

// linked adds the link to the dashboard's one page; scripts and styles go through as they are.
func linked(monitor http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, queuesPath+"/static/") {
			monitor.ServeHTTP(w, r)
			return
		}
		page := &heldAnswer{ResponseWriter: w}
		monitor.ServeHTTP(page, r)
		body := bytes.Replace(page.body.Bytes(), []byte("</body>"), []byte(boardLink), 1)
		w.WriteHeader(max(page.status, http.StatusOK))
		_, _ = w.Write(body)
	})
}

// heldAnswer keeps an answer back until it is whole.
type heldAnswer struct {
	http.ResponseWriter

	status int
	body   bytes.Buffer
}

// WriteHeader keeps the status.
func (h *heldAnswer) WriteHeader(status int) { h.status = status }

// Write keeps the bytes.
func (h *heldAnswer) Write(b []byte) (int, error) { return h.body.Write(b) }

// warnOfMemory says once that Redis refuses MEMORY, as some managed ones do: the dashboard asks for it.
func warnOfMemory(ctx context.Context, client redis.UniversalClient, logger *slog.Logger) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	err := client.MemoryUsage(ctx, "asynq:queues").Err()
	if refused, ok := errors.AsType[redis.Error](err); ok && !errors.Is(refused, redis.Nil) {
		logger.Warn("Redis refuses MEMORY: the dashboard at /queues cannot show queues; metrics and /ops do without", "error", err)
	}
}
