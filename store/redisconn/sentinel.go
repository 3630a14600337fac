package redisconn

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/url"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
)

// sentinelSearch is for how many time-outs the client searches for the primary in the background, while commands wait.
// When the sentinel that it talks to hangs, as when a machine dies with that sentinel and the primary, the client tries it
// four times before it asks the others; when its time is up before that, it begins again with the same sentinel, for ever
// (https://github.com/redis/go-redis/issues/3652).
const sentinelSearch = 10

// openSentinel reads what is special to sentinels, and bounds how long a command may wait for them to name the primary.
func openSentinel(options *redis.UniversalOptions, database string, query url.Values) (redis.UniversalClient, error) {
	options.MasterName = take(query, "master")
	options.SentinelUsername = take(query, "sentinel_username")
	options.SentinelPassword = take(query, "sentinel_password")
	if options.MasterName == "" {
		return nil, errors.New("redis URL: the sentinel form needs ?master=name")
	}
	if len(query) > 0 {
		return nil, errors.New("redis URL: the options of the sentinel form are master, sentinel_username, " +
			"sentinel_password, ca, cert and key")
	}
	if database != "" {
		n, err := strconv.Atoi(database)
		if err != nil || n < 0 {
			return nil, errors.New("redis URL: the database is a number")
		}
		options.DB = n
	}
	limit := options.DialTimeout
	options.Dialer, options.DialTimeout = dialWithin(limit, options.TLSConfig), sentinelSearch*limit
	client := redis.NewUniversalClient(options)
	client.AddHook(within(2*limit + 100*time.Millisecond))
	return client, nil
}

// within bounds the commands of a client whose search for a primary may take longer than a request may wait.
func within(limit time.Duration) hook {
	return func(ctx context.Context, _ []redis.Cmder, next func(context.Context) error) error {
		ctx, cancel := context.WithTimeout(ctx, limit)
		defer cancel()
		return next(ctx)
	}
}

// dialWithin connects like the client itself, but within a time limit of its own.
func dialWithin(limit time.Duration, config *tls.Config) func(ctx context.Context, network, addr string) (net.Conn, error) {
	plain := &net.Dialer{Timeout: limit}
	if config == nil {
		return plain.DialContext
	}
	return (&tls.Dialer{NetDialer: plain, Config: config}).DialContext
}
