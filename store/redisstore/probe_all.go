package redisstore

import (
	"context"
	_ "embed" // for the scripts
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"usher/secrets"
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

// wordTime bounds the wait for a published word to come back.
const wordTime = time.Second

// ProbeAll does what the service does with Redis, on the store's own client: its commands, a script whose keys are
// declared, a task's way through a queue by scripts like Asynq's, a stream, and the word that wakes workers. It uses
// keys of its own that live for a minute at most, and a queue that is on no list, so no worker and no dashboard sees it.
// It takes about ten round trips.
//
// The error says in a sentence for operators what is refused, with the server's own words behind it. The warning is what
// the service works without.
func (s *Store) ProbeAll(ctx context.Context) (warning, err error) {
	p := prober{s: s, ctx: ctx, id: secrets.Random(9)}
	for _, try := range []func() error{p.commands, p.ownScript, p.queue, p.queueList} {
		if err := try(); err != nil {
			return nil, err
		}
	}
	return p.word(), nil
}

// prober is one run of [Store.ProbeAll].
type prober struct {
	s   *Store
	ctx context.Context
	id  string // no other run's
}

// key is one of ours; all of one run are in one slot.
func (p prober) key(kind string) string {
	return string(p.s.space) + "{probe:" + p.id + "}:" + kind
}

// queueKey is one of a queue that exists for this run alone.
func (p prober) queueKey(kind string) string {
	return "asynq:{" + p.queueName() + "}:" + kind
}

func (p prober) queueName() string { return string(p.s.space) + "probe:" + p.id }

// probed are the commands that we and Asynq use, also from scripts, with what the probe gives them. The keys are
// KIND of [prober.key].
var probed = [][]any{
	{"SET", "string", "1", "PX", probeTTL.Milliseconds()},
	{"SET", "string", "2", "KEEPTTL"},
	{"GET", "string"},
	{"MGET", "string"},
	{"EXISTS", "string"},
	{"PTTL", "string"},
	{"GETDEL", "string"},
	{"INCR", "count"},
	{"EXPIRE", "count", int64(probeTTL.Seconds())},
	{"HSET", "hash", "a", "1", "b", "1"},
	{"PEXPIRE", "hash", probeTTL.Milliseconds()},
	{"HSETNX", "hash", "a", "1"},
	{"HINCRBY", "hash", "a", "1"},
	{"HGET", "hash", "a"},
	{"HMGET", "hash", "a", "b"},
	{"HGETALL", "hash"},
	{"HDEL", "hash", "b"},
	{"ZADD", "zset", "1", "a", "2", "b"},
	{"PEXPIRE", "zset", probeTTL.Milliseconds()},
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
	{"PEXPIRE", "stream", probeTTL.Milliseconds()},
	{"XLEN", "stream"},
	{"XRANGE", "stream", "-", "+", "COUNT", "1"},
	{"XDEL", "stream", "1-1"},
	{"LPUSH", "list", "a"},
	{"PEXPIRE", "list", probeTTL.Milliseconds()},
	{"LLEN", "list"},
	{"LRANGE", "list", "0", "-1"},
	{"LPOS", "list", "a"},
	{"RPOPLPUSH", "list", "list"},
	{"LREM", "list", "0", "a"},
	{"SADD", "set", "a"},
	{"PEXPIRE", "set", probeTTL.Milliseconds()},
	{"SMEMBERS", "set"},
	{"SREM", "set", "a"},
	{"DEL", "string", "count", "hash", "zset", "stream", "list", "set"},
}

// commands tries each command by itself, so that the one that is refused can be named.
func (p prober) commands() error {
	pipe := p.s.client.Pipeline()
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
			return refusedThing(strings.ToUpper(cmd.Name()), err)
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
	if err := probeOwnScript.Run(p.ctx, p.s.client, keys, probeTTL.Milliseconds()).Err(); err != nil {
		return refusedThing("a script of ours (EVALSHA, EVAL)", err)
	}
	return p.delete(keys...)
}

// queue sends a task through a queue by scripts like Asynq's.
func (p prober) queue() error {
	task, pending, active, lease := p.queueKey("t:"+p.id), p.queueKey("pending"), p.queueKey("active"), p.queueKey("lease")
	const what = "a script as Asynq's, which use keys that are not among their KEYS"
	ttl, client := probeTTL.Milliseconds(), p.s.client
	if err := probeEnqueueScript.Run(p.ctx, client, []string{task, pending}, p.id, ttl).Err(); err != nil {
		return refusedThing("a script of Asynq's (EVALSHA, EVAL) on its keys asynq:*", err)
	}
	id, err := probeDequeueScript.Run(p.ctx, client, []string{pending, active, lease}, p.queueKey("t:"), ttl).Text()
	if err != nil && !errors.Is(err, redis.Nil) {
		return errors.Join(refusedThing(what, err), p.delete(task, pending, active, lease))
	}
	if id != p.id {
		return fmt.Errorf("redis lost a task between its queue and its worker: want %d bytes, got %d", len(p.id), len(id))
	}
	if err := probeDoneScript.Run(p.ctx, client, []string{active, lease, task}, p.id).Err(); err != nil {
		return refusedThing("a script of Asynq's (EVALSHA, EVAL) on its keys asynq:*", err)
	}
	return p.delete(pending, active, lease)
}

// queueList puts the queue on Asynq's list and takes it off again before anything else can look at that.
func (p prober) queueList() error {
	const queues = "asynq:queues"
	_, err := p.s.client.TxPipelined(p.ctx, func(pipe redis.Pipeliner) error {
		pipe.SAdd(p.ctx, queues, p.queueName())
		pipe.SRem(p.ctx, queues, p.queueName())
		return nil
	})
	if err != nil {
		return refusedThing("SADD on the key "+queues+" in a transaction (MULTI, EXEC)", err)
	}
	return nil
}

func (p prober) delete(keys ...string) error {
	if err := p.s.client.Del(p.ctx, keys...).Err(); err != nil {
		return refusedThing("DEL", err)
	}
	return nil
}

// word publishes a word and waits for it. Workers do without, and look at their queues instead.
func (p prober) word() error {
	ctx, cancel := context.WithTimeout(p.ctx, wordTime)
	defer cancel()
	channel := string(p.s.space) + "wake:probe:" + p.id
	subscription := p.s.client.Subscribe(ctx, channel)
	defer func() { _ = subscription.Close() }()
	const help = "; workers look at their queues by themselves, so each code is up to USHER_WORKER_POLL_INTERVAL late"
	if _, err := subscription.Receive(ctx); err != nil {
		return fmt.Errorf("%w%s", refusedThing("SUBSCRIBE", err), help)
	}
	if err := p.s.client.Publish(ctx, channel, "").Err(); err != nil {
		return fmt.Errorf("%w%s", refusedThing("PUBLISH", err), help)
	}
	if _, err := subscription.ReceiveMessage(ctx); err != nil {
		return fmt.Errorf("a published word does not arrive: %w%s", err, help)
	}
	return nil
}

// thingRules are what servers and proxies refuse of a thing that the service does, by their own words. %s is the thing.
var thingRules = []struct{ word, reason, cure string }{
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
	{"non local key", "redis is a node of a cluster and refuses %s", "want redis-cluster:// or rediss-cluster://"},
	{"CROSSSLOT", "redis is a cluster and refuses %s", "want redis-cluster:// or rediss-cluster://"},
	{"unknown command", "redis, or a proxy before it, does not know %s", "docs/redis.md tells what Redis must allow"},
	{"Unknown Redis command", "redis, or a proxy before it, does not know a command of %s", "docs/redis.md tells what Redis must allow"},
	{"not support", "redis, or a proxy before it, does not support %s", "docs/redis.md tells what Redis must allow"},
}

// refusedThing explains why Redis did not do a thing: it names the thing when that was refused, and else the outage.
func refusedThing(thing string, err error) error {
	outage := store.AsOutage(err)
	said := err
	if outage != nil {
		said = outage.Err
	}
	for _, r := range thingRules {
		if strings.Contains(said.Error(), r.word) {
			return &store.Outage{
				Of: store.Redis, Class: store.Refused, Reason: fmt.Sprintf(r.reason, thing), Cure: r.cure, Err: said,
			}
		}
	}
	if outage != nil {
		return err
	}
	return fmt.Errorf("redis refuses %s: %w", thing, err)
}
