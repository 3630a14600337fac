package api

import (
	"context"
	"errors"
	"net/http"

	"usher/store"
)

// What is told when something that we depend on is away: it will be back, so come again.
var (
	databaseAway = problem{
		errno: "4001", status: http.StatusServiceUnavailable,
		zh: "数据库暂时不可用，请稍后再试", en: "The database is not available just now. Please try again soon.",
	}
	dependencyAway = problem{
		errno: "4301", status: http.StatusServiceUnavailable,
		zh: "系统繁忙，请稍后再试", en: "The service is busy. Please try again soon.",
	}
)

// outage tells a store that is away, or a request that took too long, from a mistake of ours. What a database or a Redis
// answers is the stores' to know.
func outage(err error) (problem, bool) {
	switch o := store.AsOutage(err); {
	case o != nil && o.Of == store.Database:
		return databaseAway, true
	case o != nil, errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return dependencyAway, true
	}
	return problem{}, false
}
