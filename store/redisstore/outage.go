package redisstore

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

// refusal is a row of the table of what a Redis answers instead of doing what was asked.
type refusal struct {
	prefix       string // of its answer
	class        store.Class
	reason, cure string
}

// refusals is the only table of Redis' errors. None of the commands was executed. The client itself repeats a command
// once after READONLY, MASTERDOWN, LOADING, CLUSTERDOWN, TRYAGAIN and NOREPLICAS; nothing else is repeated.
var refusals = [...]refusal{
	{"NOAUTH", store.Away, "redis wants a password", "it belongs into USHER_REDIS_URL"},
	{"WRONGPASS", store.Away, "redis refuses the user or the password of the URL", "correct USHER_REDIS_URL"},
	{"ERR AUTH", store.Away, "redis refuses the password of the URL", "correct USHER_REDIS_URL"},
	{"NOPERM", store.Refused, "the Redis user lacks a permission", "docs/redis.md lists the permissions"},
	{"READONLY", store.Unwritable, "redis is a read-only replica", "let USHER_REDIS_URL lead to the primary"},
	{"NOREPLICAS", store.Unwritable, "redis takes no writes without its replicas", "start the replicas, or lower min-replicas-to-write"},
	{"MISCONF", store.Unwritable, "redis cannot write to its disk", "look at its log and at the space on its disk"},
	{"OOM", store.Unwritable, "redis is full", "raise maxmemory, or find out what fills it: docs/runbooks/RedisMemoryHigh.md"},
	{"BUSY", store.Away, "redis executes a script that does not end", "SCRIPT KILL on the server; find out which program sent the script"},
	{"LOADING", store.Away, "redis is still reading its data", "wait: it answers when it has read them"},
	{"MASTERDOWN", store.Away, "redis is a replica that has lost its primary", "start the primary, or let USHER_REDIS_URL lead to the new one"},
	{"CLUSTERDOWN", store.Away, "the Redis cluster is not complete", "start the missing nodes"},
	{"TRYAGAIN", store.Refused, "the Redis cluster is moving keys", "wait: it answers when they have been moved"},
	{"MOVED", store.Away, "redis is a node of a cluster", "set USHER_REDIS_URL to redis-cluster:// or rediss-cluster://"},
	{"ERR This instance has cluster support disabled", store.Away, "redis is not a cluster", "set USHER_REDIS_URL to redis:// or rediss://"},
	{"ERR DB index is out of range", store.Away, "redis has no database of the URL's number", "correct USHER_REDIS_URL"},
	{"ERR max number of clients reached", store.Away, "redis has too many connections", "raise maxclients, or run fewer processes"},
	{"DENIED", store.Away, "redis is in protected mode", "set a password or a user on it, and put it into USHER_REDIS_URL"},
}

// ours are refusals that are no outage: callers handle them, or they are mistakes of this program. The last two are of
// Asynq's scripts: it compares them as they are.
var ours = [...]string{"NOSCRIPT", "WRONGTYPE", "BUSYGROUP", "EXECABORT", "ERR wrong number of arguments", "NOT FOUND", "INTERNAL"}

// outage turns whatever keeps a command from being executed into a [store.Outage], and tells the log of it.
// It sends nothing when the caller's time is nearly over.
type outage struct{ watch *store.Watch }

// DialHook changes nothing.
func (outage) DialHook(next redis.DialHook) redis.DialHook { return next }

// ProcessHook turns the error of a single command; the client sets it on the command.
func (h outage) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if err := timeLeft(ctx); err != nil {
			return fail([]redis.Cmder{cmd}, err)
		}
		return h.note(asOutage(next(ctx, cmd)))
	}
}

// ProcessPipelineHook turns the errors of all commands on a pipeline.
func (h outage) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		if err := timeLeft(ctx); err != nil {
			return fail(cmds, err)
		}
		err := h.note(asOutage(next(ctx, cmds)))
		failed := 0
		for _, cmd := range cmds {
			if cmd.Err() != nil {
				cmd.SetErr(asOutage(cmd.Err()))
				failed++
			}
		}
		// The client takes what a server says while it is connected to, such as that the password is wrong, for
		// one command's error and sets it on none: they would all look as if they had run.
		if err != nil && failed == 0 {
			for _, cmd := range cmds {
				cmd.SetErr(err)
			}
		}
		return err
	}
}

// timeLeft is [store.TimeLeft] but for a context that was cancelled: a hook behind this one may go on with it, as that
// for Asynq's acknowledgements does, and otherwise the client says so itself.
func timeLeft(ctx context.Context) error {
	if err := store.TimeLeft(ctx); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// note tells the log whether Redis answered. An error that is no outage is an answer, unless the caller has left.
func (h outage) note(err error) error {
	if o := store.AsOutage(err); o != nil {
		h.watch.Failed(o)
	} else if !errors.Is(err, context.Canceled) {
		h.watch.Answered(store.Redis)
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
	if errors.Is(err, redis.Nil) { // of a sentinel: on a command it would read as the lack of a key
		err = errors.New(err.Error())
	}
	return &store.Outage{Of: store.Redis, Class: row.class, Reason: row.reason, Cure: row.cure, Err: err}
}

// allSentinels begins the client's error when no sentinel has told it the primary.
const allSentinels = "redis: all sentinels specified in configuration are unreachable"

// explain finds what an error of a command means, and reports false for one that is no outage.
func explain(err error) (refusal, bool) {
	text := err.Error()
	if strings.Contains(text, allSentinels) {
		if errors.Is(err, redis.Nil) {
			return refusal{reason: "the sentinels know no primary of that name", cure: "correct master= in USHER_REDIS_URL"}, true
		}
		return refusal{reason: "no sentinel tells who is the primary", cure: "start the sentinels, or correct USHER_REDIS_URL"}, true
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
		return refusal{class: store.Refused, reason: "redis refuses", cure: "admin doctor tries what the service needs of Redis"}, isCoded(text)
	}
	return unreached(err, text)
}

// isCoded tells an answer of a server, which begins with a code such as ERR, from what a script says in its own words.
// Asynq compares such words, so that they must stay as they are.
func isCoded(text string) bool {
	code, _, _ := strings.Cut(text, " ")
	return code == "ERR" || len(code) > 3 && strings.Trim(code, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == ""
}

// begins reports whether an answer has these words first. The client puts words of its own before what it was told while
// connecting, and Redis 6 before what a script was told.
func begins(text, words string) bool {
	text, words = text+" ", words+" "
	return strings.HasPrefix(text, words) || strings.Contains(text, ": "+words) || strings.Contains(text, ": -"+words)
}

// unreached finds what has kept a command from Redis or its answer from us.
func unreached(err error, text string) (refusal, bool) {
	network, isNetwork := errors.AsType[net.Error](err)
	switch {
	case errors.As(err, new(*tls.CertificateVerificationError)):
		return refusal{reason: "the certificate of redis is not to be trusted", cure: "put the file of its authority into USHER_REDIS_URL: ca="}, true
	case errors.As(err, new(tls.RecordHeaderError)):
		return refusal{reason: "redis does not speak TLS there", cure: "set USHER_REDIS_URL to redis://, or to its TLS port"}, true
	case strings.Contains(text, "tls: certificate required"):
		return refusal{reason: "redis wants a certificate of its clients", cure: "put cert= and key= into USHER_REDIS_URL"}, true
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return refusal{reason: "redis closed the connection", cure: "start it; if it speaks TLS, set USHER_REDIS_URL to rediss://"}, true
	case errors.Is(err, redis.ErrPoolTimeout):
		return refusal{reason: "no connection to redis came free in time", cure: "look at its load; if it is far away, raise USHER_REDIS_TIMEOUT"}, true
	case errors.Is(err, context.Canceled):
		return refusal{}, false
	case errors.Is(err, context.DeadlineExceeded), isNetwork && network.Timeout():
		return refusal{
			reason: "redis does not answer in time",
			cure:   "look at it and at the network; if it is only far away, raise USHER_REDIS_TIMEOUT: admin doctor measures the round trip",
		}, true
	case isNetwork:
		return refusal{reason: "redis cannot be reached", cure: "start it, or correct USHER_REDIS_URL"}, true
	default:
		return refusal{}, false
	}
}
