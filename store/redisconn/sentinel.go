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
	client.AddHook(timeoutHook{limit: 2*limit + 100*time.Millisecond})
	return client, nil
}

// dialWithin connects like the client itself, but within a time limit of its own.
func dialWithin(limit time.Duration, config *tls.Config) func(ctx context.Context, network, addr string) (net.Conn, error) {
	plain := &net.Dialer{Timeout: limit}
	if config == nil {
		return plain.DialContext
	}
	return (&tls.Dialer{NetDialer: plain, Config: config}).DialContext
}

// timeoutHook bounds the commands of a client whose search for a primary may take longer than a request may wait.
type timeoutHook struct {
	noDial

	limit time.Duration
}

// ProcessHook bounds a command.
func (h timeoutHook) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		ctx, cancel := context.WithTimeout(ctx, h.limit)
		defer cancel()
		return next(ctx, cmd)
	}
}

// ProcessPipelineHook bounds a pipeline.
func (h timeoutHook) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		ctx, cancel := context.WithTimeout(ctx, h.limit)
		defer cancel()
		return next(ctx, cmds)
	}
}

// noDial is the part of a hook that has nothing to do with connecting.
type noDial struct{}

// DialHook changes nothing.
func (noDial) DialHook(next redis.DialHook) redis.DialHook { return next }
