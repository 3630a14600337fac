package api

import (
	"cmp"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"
)

// Bounds of the line about busy clients.
const (
	clientsEvery = time.Minute
	clientsLeast = 20     // requests of one client in that time
	clientsMost  = 5      // that are named
	clientsKept  = 10_000 // that are counted
)

// clientCounts counts the clients of requests without a line of their own, and logs those with the most in a minute: that is
// how an operator finds the source of an attack. The zero value is ready. It is safe for concurrent use.
type clientCounts struct {
	mu    sync.Mutex
	since time.Time
	n     map[string]int
}

// note counts a request of a client. The first request after a minute has its counts logged.
func (c *clientCounts) note(client string, now time.Time, logger *slog.Logger) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.n == nil || now.Sub(c.since) >= clientsEvery {
		c.log(logger)
		c.n, c.since = map[string]int{}, now
	}
	if _, known := c.n[client]; known || len(c.n) < clientsKept {
		c.n[client]++
	}
}

func (c *clientCounts) log(logger *slog.Logger) {
	maps.DeleteFunc(c.n, func(_ string, n int) bool { return n < clientsLeast })
	if len(c.n) == 0 {
		return
	}
	busiest := slices.SortedFunc(maps.Keys(c.n), func(a, b string) int { return cmp.Or(c.n[b]-c.n[a], cmp.Compare(a, b)) })
	named := make([]string, 0, clientsMost)
	for _, client := range busiest[:min(len(busiest), clientsMost)] {
		named = append(named, fmt.Sprintf("%s: %d", client, c.n[client]))
	}
	logger.Info("clients with most codes and registrations in a minute", "from", c.since, "clients", named, "busy_clients", len(busiest))
}
