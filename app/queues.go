package app

import (
	"net/http"

	"github.com/hibiken/asynqmon"
	"github.com/redis/go-redis/v9"

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

// queuesDashboard serves asynqmon. It owns the client from here on.
func queuesDashboard(client redis.UniversalClient, write bool) (http.Handler, func() error) {
	monitor := asynqmon.New(asynqmon.Options{
		RootPath:         queuesPath,
		RedisConnOpt:     connection{client},
		PayloadFormatter: asynqmon.PayloadFormatterFunc(tasks.FormatPayload),
		ReadOnly:         !write,
	})
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", queuesPolicy)
		monitor.ServeHTTP(w, r)
	})
	// Both of the monitor's halves share the client, so that closing them closes it twice: close it here.
	return handler, client.Close
}
