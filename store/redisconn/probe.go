package redisconn

import (
	"context"
	"crypto/rand"
	_ "embed" // for the scripts
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"usher/queue"
	"usher/store"
)

var (
	//go:embed scripts/probe.lua
	probeOwn string
	//go:embed scripts/probe_enqueue.lua
	probeEnqueue string
	//go:embed scripts/probe_dequeue.lua
	probeDequeue string
	//go:embed scripts/probe_done.lua
	probeDone string

	probeOwnScript     = redis.NewScript(probeOwn)
	probeEnqueueScript = redis.NewScript(probeEnqueue)
	probeDequeueScript = redis.NewScript(probeDequeue)
	probeDoneScript    = redis.NewScript(probeDone)
)

const (
	// ProbeTTL is how long keys of a probe live.
	ProbeTTL = time.Minute

	// publishTimeout bounds the wait for a published message to come back.
	publishTimeout = time.Second
)

// ProbeAll does what the service does with Redis: its commands, a script whose keys are declared, a task's way through a
// queue by scripts like Asynq's, a stream, and the message that notifies workers. Its own keys begin with the prefix and
// live for at most a minute; its queue is on no list, so no worker and no dashboard sees it. It makes about ten round trips.
//
// The error says in a sentence for operators what Redis refuses, followed by the server's own words. The warning is about
// something that the service works without.
func ProbeAll(ctx context.Context, client redis.UniversalClient, prefix string) (warning, err error) {
	p := prober{client: client, prefix: prefix, ctx: ctx, id: rand.Text()}
	for _, try := range []func() error{p.commands, p.ownScript, p.queue, p.queueList} {
		if err := try(); err != nil {
			return nil, err
		}
	}
	return p.publish(), nil
}

// prober is one run of [ProbeAll].
type prober struct {
	client redis.UniversalClient
	prefix string // of the service's own keys
	ctx    context.Context
	id     string // unique to this run
}

// key is one of the service's own; those of one run share a cluster slot.
func (p prober) key(kind string) string {
	return p.prefix + "{probe:" + p.id + "}:" + kind
}

// queueKey is a key of a queue that exists for this run alone.
func (p prober) queueKey(kind string) string {
	return queue.Key(p.queueName(), kind)
}

// queueName begins with the prefix, so that the permissions of the service suffice for it.
func (p prober) queueName() string { return p.prefix + "probe:" + p.id }

// probed are the commands that the service and Asynq use, directly or in scripts, with the probe's arguments. The first
// argument is the kind for [prober.key].
var probed = [][]any{
	{"SET", "string", "1", "PX", ProbeTTL.Milliseconds()},
	{"SET", "string", "2", "KEEPTTL"},
	{"GET", "string"},
	{"MGET", "string"},
	{"EXISTS", "string"},
	{"PTTL", "string"},
	{"GETDEL", "string"},
	{"INCR", "count"},
	{"EXPIRE", "count", int64(ProbeTTL.Seconds())},
	{"HSET", "hash", "a", "1", "b", "1"},
	{"PEXPIRE", "hash", ProbeTTL.Milliseconds()},
	{"HSETNX", "hash", "a", "1"},
	{"HINCRBY", "hash", "a", "1"},
	{"HGET", "hash", "a"},
	{"HMGET", "hash", "a", "b"},
	{"HGETALL", "hash"},
	{"HDEL", "hash", "b"},
	{"ZADD", "zset", "1", "a", "2", "b"},
	{"PEXPIRE", "zset", ProbeTTL.Milliseconds()},
	{"ZSCORE", "zset", "a"},
	{"ZMSCORE", "zset", "a"},
	{"ZCARD", "zset"},
	{"ZRANGE", "zset", "0", "-1", "WITHSCORES"},
	{"ZRANGEBYSCORE", "zset", "-inf", "+inf"},
	{"ZREVRANGEBYSCORE", "zset", "+inf", "-inf"},
	{"ZREMRANGEBYSCORE", "zset", "-inf", "0"},
	{"ZREMRANGEBYRANK", "zset", "5", "6"},
	{"ZREM", "zset", "b"},
	{"XADD", "stream", "MAXLEN", "~", "16", "*", "a", "1"},
	{"PEXPIRE", "stream", ProbeTTL.Milliseconds()},
	{"XLEN", "stream"},
	{"XRANGE", "stream", "-", "+", "COUNT", "1"},
	{"XDEL", "stream", "1-1"},
	{"LPUSH", "list", "a"},
	{"PEXPIRE", "list", ProbeTTL.Milliseconds()},
	{"LLEN", "list"},
	{"LRANGE", "list", "0", "-1"},
	{"LPOS", "list", "a"},
	{"RPOPLPUSH", "list", "list"},
	{"LREM", "list", "0", "a"},
	{"SADD", "set", "a"},
	{"PEXPIRE", "set", ProbeTTL.Milliseconds()},
	{"SMEMBERS", "set"},
	{"SREM", "set", "a"},
	{"DEL", "string", "count", "hash", "zset", "stream", "list", "set"},
}

// commands tries each command by itself, so that the refused one can be named.
func (p prober) commands() error {
	pipe := p.client.Pipeline()
	for _, command := range probed {
		args := append([]any(nil), command...)
		args[1] = p.key(command[1].(string)) //nolint:forcetypeassert // see probed
		switch args[0] {
		case "DEL":
			for i := range args[1:] {
				args[1+i] = p.key(command[1+i].(string)) //nolint:forcetypeassert // see probed
			}
		case "RPOPLPUSH":
			args[2] = args[1]
		}
		pipe.Do(p.ctx, args...)
	}
	cmds, err := pipe.Exec(p.ctx)
	for _, cmd := range cmds {
		if err := cmd.Err(); err != nil && !errors.Is(err, redis.Nil) {
			return refused(strings.ToUpper(cmd.Name()), err)
		}
	}
	if err != nil && !errors.Is(err, redis.Nil) {
		return err
	}
	return nil
}

// ownScript runs a script by its hash, and in full where the server does not know it.
func (p prober) ownScript() error {
	keys := []string{p.key("hash"), p.key("stream")}
	if err := probeOwnScript.Run(p.ctx, p.client, keys, ProbeTTL.Milliseconds()).Err(); err != nil {
		return refused("a script of the service (EVALSHA, EVAL)", err)
	}
	return p.delete(keys...)
}

// queue sends a task through a queue by scripts like Asynq's.
func (p prober) queue() error {
	task, pending, active, lease := p.queueKey("t:"+p.id), p.queueKey("pending"), p.queueKey("active"), p.queueKey("lease")
	const what = "a script like Asynq's, which uses keys that are not among its KEYS"
	ttl, client := ProbeTTL.Milliseconds(), p.client
	if err := probeEnqueueScript.Run(p.ctx, client, []string{task, pending}, p.id, ttl).Err(); err != nil {
		return refused("a script of Asynq's (EVALSHA, EVAL) on its keys asynq:*", err)
	}
	id, err := probeDequeueScript.Run(p.ctx, client, []string{pending, active, lease}, p.queueKey("t:"), ttl).Text()
	if err != nil && !errors.Is(err, redis.Nil) {
		return errors.Join(refused(what, err), p.delete(task, pending, active, lease))
	}
	if id != p.id {
		return fmt.Errorf("redis lost a task between its queue and its worker: want %d bytes, got %d", len(p.id), len(id))
	}
	if err := probeDoneScript.Run(p.ctx, client, []string{active, lease, task}, p.id).Err(); err != nil {
		return refused("a script of Asynq's (EVALSHA, EVAL) on its keys asynq:*", err)
	}
	return p.delete(pending, active, lease)
}

// queueList adds the queue to Asynq's list and removes it in the same transaction, before any other client can read it.
func (p prober) queueList() error {
	_, err := p.client.TxPipelined(p.ctx, func(pipe redis.Pipeliner) error {
		pipe.SAdd(p.ctx, queue.SetKey, p.queueName())
		pipe.SRem(p.ctx, queue.SetKey, p.queueName())
		return nil
	})
	if err != nil {
		return refused("SADD on the key "+queue.SetKey+" in a transaction (MULTI, EXEC)", err)
	}
	return nil
}

// delete removes keys before they expire: probes run every few seconds in each process.
func (p prober) delete(keys ...string) error {
	if err := p.client.Del(p.ctx, keys...).Err(); err != nil {
		return refused("DEL", err)
	}
	return nil
}

// publish publishes a message and waits for it. Where it does not arrive, workers poll their queues.
func (p prober) publish() error {
	ctx, cancel := context.WithTimeout(p.ctx, publishTimeout)
	defer cancel()
	channel := p.prefix + "wake:probe:" + p.id
	subscription := p.client.Subscribe(ctx, channel)
	defer func() { _ = subscription.Close() }()
	const help = "; workers poll their queues instead, so each code is up to USHER_WORKER_POLL_INTERVAL late"
	if _, err := subscription.Receive(ctx); err != nil {
		return fmt.Errorf("%w%s", refused("SUBSCRIBE", err), help)
	}
	if err := p.client.Publish(ctx, channel, "").Err(); err != nil {
		return fmt.Errorf("%w%s", refused("PUBLISH", err), help)
	}
	if _, err := subscription.ReceiveMessage(ctx); err != nil {
		return fmt.Errorf("a published message does not arrive: %w%s", err, help)
	}
	return nil
}

// featureRules explain why servers and proxies refuse a feature, by a word of their own. %s is the feature.
var featureRules = []struct{ word, reason, cure string }{
	{"NOPERM", "the Redis user lacks a permission for %s", "docs/redis.md lists the permissions"},
	{"ACL failure", "the Redis user lacks a permission for %s", "docs/redis.md lists the permissions"},
	{"can't run this command", "the Redis user lacks a permission for %s", "docs/redis.md lists the permissions"},
	{
		"KEYS array", "redis, or a proxy before it, refuses %s",
		"Asynq's scripts need it: with Aliyun's Redis or Tair behind a proxy set the parameter script_check_enable to 0",
	},
	{
		"undeclared key", "redis refuses %s",
		"Asynq's scripts need it: start Dragonfly with --default_lua_flags=allow-undeclared-keys",
	},
	{"non local key", "redis is a node of a cluster and refuses %s", "set USHER_REDIS_URL to redis-cluster:// or rediss-cluster://"},
	{"CROSSSLOT", "redis is a cluster and refuses %s", "set USHER_REDIS_URL to redis-cluster:// or rediss-cluster://"},
	{"unknown command", "redis, or a proxy before it, does not know %s", "docs/redis.md lists what Redis must allow"},
	{"Unknown Redis command", "redis, or a proxy before it, does not know a command of %s", "docs/redis.md lists what Redis must allow"},
	{"not support", "redis, or a proxy before it, does not support %s", "docs/redis.md lists what Redis must allow"},
}

// refused explains why Redis did not execute a feature: it names the feature when Redis refused it, and else the outage.
func refused(feature string, err error) error {
	outage := store.AsOutage(err)
	said := err
	if outage != nil {
		said = outage.Err
	}
	for _, r := range featureRules {
		if strings.Contains(said.Error(), r.word) {
			return &store.Outage{
				Of: store.Redis, Class: store.Refused, Reason: fmt.Sprintf(r.reason, feature), Cure: r.cure, Err: said,
			}
		}
	}
	if outage != nil {
		return err
	}
	return fmt.Errorf("redis refuses %s: %w", feature, err)
}
