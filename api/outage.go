package api

import (
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"net"
	"net/http"
	"slices"
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

// outage tells a store that is away from a mistake of ours. It knows the stores' drivers by what their
// errors can do: this package imports none of them.
func outage(err error) (problem, bool) {
	var (
		sqlState interface{ SQLState() string } // PostgreSQL's answer
		sqlite   interface{ Code() int }        // SQLite's
		redis    interface{ RedisError() }      // Redis refuses: full, loading, a replica
		network  net.Error
	)
	switch {
	case errors.As(err, &sqlState):
		return databaseAway, awayState(sqlState.SQLState())
	case errors.As(err, &sqlite):
		const busy, locked = 5, 6
		return databaseAway, slices.Contains([]int{busy, locked}, sqlite.Code()&0xff)
	case errors.Is(err, driver.ErrBadConn), errors.Is(err, sql.ErrConnDone):
		return databaseAway, true
	case errors.As(err, &redis), errors.As(err, &network), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return dependencyAway, true
	}
	return problem{}, false
}

// awayState knows the classes of SQLSTATE that pass: connection, resources, operator intervention.
func awayState(state string) bool {
	return len(state) == 5 && slices.Contains([]string{"08", "53", "57"}, state[:2])
}
