package redisconn

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strings"

	"github.com/redis/go-redis/v9"

	"usher/store"
)

// refusal is a row of the table of errors that Redis replies with instead of executing a command.
type refusal struct {
	prefix       string // of the reply
	class        store.Class
	reason, cure string
}

// refusals is the only table of Redis' errors. None of the commands was executed. The client itself repeats a command
// once after READONLY, MASTERDOWN, LOADING, CLUSTERDOWN, TRYAGAIN and NOREPLICAS; nothing else is repeated.
var refusals = [...]refusal{
	{"NOAUTH", store.Unavailable, "redis requires a password", "add it to USHER_REDIS_URL"},
	{"WRONGPASS", store.Unavailable, "redis refuses the user or the password of the URL", "correct USHER_REDIS_URL"},
	{"ERR AUTH", store.Unavailable, "redis refuses the password of the URL", "correct USHER_REDIS_URL"},
	{"NOPERM", store.Refused, "the Redis user lacks a permission", "docs/redis.md lists the permissions"},
	{"READONLY", store.Unwritable, "redis is a read-only replica", "point USHER_REDIS_URL to the primary"},
	{"NOREPLICAS", store.Unwritable, "redis accepts no writes without its replicas", "start the replicas, or lower min-replicas-to-write"},
	{"MISCONF", store.Unwritable, "redis cannot write to its disk", "check its log and the free space on its disk"},
	{"OOM", store.Unwritable, "redis is full", "raise maxmemory, or find out what uses the memory: docs/runbooks/RedisMemoryHigh.md"},
	{"BUSY", store.Unavailable, "redis is busy with a script that does not end", "run SCRIPT KILL on the server, and find out which program sent the script"},
	{"LOADING", store.Unavailable, "redis is still reading its data", "wait until it has read them"},
	{"MASTERDOWN", store.Unavailable, "redis is a replica that has lost its primary", "start the primary, or point USHER_REDIS_URL to the new one"},
	{"CLUSTERDOWN", store.Unavailable, "the Redis cluster is incomplete", "start the missing nodes"},
	{"TRYAGAIN", store.Refused, "the Redis cluster is moving keys", "wait until they have been moved"},
	{"MOVED", store.Unavailable, "redis is a node of a cluster", "set USHER_REDIS_URL to redis-cluster:// or rediss-cluster://"},
	{"ERR This instance has cluster support disabled", store.Unavailable, "redis is not a cluster", "set USHER_REDIS_URL to redis:// or rediss://"},
	{"ERR DB index is out of range", store.Unavailable, "redis has no database of the URL's number", "correct USHER_REDIS_URL"},
	{"ERR max number of clients reached", store.Unavailable, "redis has too many connections", "raise maxclients, or run fewer processes"},
	{"DENIED", store.Unavailable, "redis is in protected mode", "set a password or a user on it, and add it to USHER_REDIS_URL"},
}

// ours are refusals that are no outage: callers handle them, or they are mistakes of this program. The last two come from
// Asynq's scripts; Asynq compares their texts, so they must stay as they are.
var ours = [...]string{"NOSCRIPT", "WRONGTYPE", "BUSYGROUP", "EXECABORT", "ERR wrong number of arguments", "NOT FOUND", "INTERNAL"}

// outages turns whatever prevents a command from being executed into a [store.Outage], and tells the watch. It sends nothing
// when the caller's time is nearly over.
func outages(watch *store.Watch) hook {
	return func(ctx context.Context, cmds []redis.Cmder, next func(context.Context) error) error {
		if err := timeLeft(ctx); err != nil {
			return fail(cmds, err)
		}
		err := note(watch, asOutage(next(ctx)))
		failed := 0
		for _, cmd := range cmds {
			if cmd.Err() != nil {
				cmd.SetErr(asOutage(cmd.Err()))
				failed++
			}
		}
		// The client returns an error of the connection's greeting, such as a wrong password, without setting it on any
		// command: they would all look as if they had been executed.
		if err != nil && failed == 0 {
			return fail(cmds, err)
		}
		return err
	}
}

// timeLeft is [store.TimeLeft] except for a context that was cancelled: a hook behind this one may continue with it, as that
// for Asynq's acknowledgements does, and otherwise the client returns the same error.
func timeLeft(ctx context.Context) error {
	if err := store.TimeLeft(ctx); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// note tells the watch whether Redis answered. An error that is no outage is an answer, unless the caller has left.
func note(watch *store.Watch, err error) error {
	if o := store.AsOutage(err); o != nil {
		watch.Failed(o)
	} else if !errors.Is(err, context.Canceled) {
		watch.Answered(store.Redis)
	}
	return err
}

// asOutage returns the error as a [*store.Outage] if it is one, and otherwise as it is.
func asOutage(err error) error {
	if err == nil || errors.Is(err, redis.Nil) && !strings.Contains(err.Error(), allSentinels) || store.AsOutage(err) != nil {
		return err
	}
	row, ok := explain(err)
	if !ok {
		return err
	}
	if errors.Is(err, redis.Nil) { // from a sentinel: as a command's error it would mean that the key is missing
		err = errors.New(err.Error())
	}
	return &store.Outage{Of: store.Redis, Class: row.class, Reason: row.reason, Cure: row.cure, Err: err}
}

// allSentinels begins the client's error when no sentinel has named the primary.
const allSentinels = "redis: all sentinels specified in configuration are unreachable"

// explain returns the meaning of a command's error, and false for one that is no outage.
func explain(err error) (refusal, bool) {
	text := err.Error()
	if strings.Contains(text, allSentinels) {
		if errors.Is(err, redis.Nil) {
			return refusal{reason: "the sentinels know no primary of that name", cure: "correct master= in USHER_REDIS_URL"}, true
		}
		return refusal{reason: "no sentinel names the primary", cure: "start the sentinels, or correct USHER_REDIS_URL"}, true
	}
	for _, row := range refusals {
		if begins(text, row.prefix) {
			return row, true
		}
	}
	if _, refused := errors.AsType[redis.Error](err); refused {
		for _, prefix := range ours {
			if begins(text, prefix) {
				return refusal{}, false
			}
		}
		return refusal{class: store.Refused, reason: "redis refuses", cure: "admin doctor tests what the service needs of Redis"}, isCoded(text)
	}
	return unreached(err, text)
}

// isCoded tells a server's error, which begins with a code such as ERR, from the text of a script's own error. Asynq compares
// such texts, so they must stay as they are.
func isCoded(text string) bool {
	code, _, _ := strings.Cut(text, " ")
	return code == "ERR" || len(code) > 3 && strings.Trim(code, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == ""
}

// begins reports whether an error begins with these words. The client puts words of its own before an error of the greeting,
// and Redis 6 before an error inside a script.
func begins(text, words string) bool {
	text, words = text+" ", words+" "
	return strings.HasPrefix(text, words) || strings.Contains(text, ": "+words) || strings.Contains(text, ": -"+words)
}

// unreached explains why a command did not reach Redis, or its reply did not reach us.
func unreached(err error, text string) (refusal, bool) {
	network, isNetwork := errors.AsType[net.Error](err)
	switch {
	case errors.As(err, new(*tls.CertificateVerificationError)):
		return refusal{reason: "the certificate of redis is not trusted", cure: "add the file of its authority to USHER_REDIS_URL: ca="}, true
	case errors.As(err, new(tls.RecordHeaderError)):
		return refusal{reason: "redis does not speak TLS on this port", cure: "set USHER_REDIS_URL to redis://, or use its TLS port"}, true
	case strings.Contains(text, "tls: certificate required"):
		return refusal{reason: "redis requires a client certificate", cure: "add cert= and key= to USHER_REDIS_URL"}, true
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return refusal{reason: "redis closed the connection", cure: "start it; if it speaks TLS, set USHER_REDIS_URL to rediss://"}, true
	case errors.Is(err, redis.ErrPoolTimeout):
		return refusal{reason: "no connection to redis became free in time", cure: "check its load; if it is far away, raise USHER_REDIS_TIMEOUT"}, true
	case errors.Is(err, context.Canceled):
		return refusal{}, false
	case errors.Is(err, context.DeadlineExceeded), isNetwork && network.Timeout():
		return refusal{
			reason: "redis does not answer in time",
			cure:   "check it and the network; if it is only far away, raise USHER_REDIS_TIMEOUT: admin doctor measures the round trip",
		}, true
	case isNetwork:
		return refusal{reason: "redis cannot be reached", cure: "start it, or correct USHER_REDIS_URL"}, true
	default:
		return refusal{}, false
	}
}
