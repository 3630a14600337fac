// Package redisstore keeps codes, limits, captchas, sessions and answers in Redis, each with its time to live.
//
// Each decision is one script, so it holds for any number of processes. Keys that one script uses share a hash tag, as
// Redis Cluster requires; keys.go lists all keys. There are 64 tags. Nothing in a key or a value reveals a number, an
// address, a code or a session token: they contain keyed hashes.
//
// Scripts receive the time from their caller and compare times themselves; the expiry of Redis only removes what is over. So
// tests can move time on any Redis. In return the clocks of all processes must agree to within about a second; a clock that
// is behind can only make a limit count for longer. [redisconn.Clock] provides such a clock.
//
// The client repeats a command once whose reply was lost. Scripts that must not run twice recognise the repetition by a name
// that their caller has chosen.
package redisstore

import (
	"cmp"
	"context"
	"errors"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"usher/limits"
	"usher/queue"
	"usher/secrets"
	"usher/store/redisconn"
	"usher/verify"
)

// Store is what the parts of this package share. It is safe for concurrent use.
type Store struct {
	// Rules are the limits of a number, for [Codes], and what happens to a refused spend. By default the limits are
	// enforced; other rules must be set before the first use.
	Rules limits.Rules

	// Composer composes the tasks of codes. It must be set before the first use; without it no code is enqueued as it is stored, see
	// [Codes.Enqueues].
	Composer Composer

	client redis.UniversalClient
	keys   *secrets.Keys
	now    func() time.Time
	space  keyspace

	oneServer atomic.Bool // one script may use keys of several slots, see [Store.ProbeAll]
}

// Composer composes what enqueues the task of a code.
type Composer interface {
	ComposeCode(ctx context.Context, message verify.Queued) (queue.Enqueuing, error)
}

// New returns a store on the client, which its caller closes. Its keys are in the [DefaultNamespace], unless [Store.In]
// sets another.
func New(client redis.UniversalClient, keys *secrets.Keys, now func() time.Time) *Store {
	return &Store{
		Rules: limits.Rules{Set: limits.Defaults()}, client: client, keys: keys, now: now, space: DefaultNamespace + ":",
	}
}

// In moves the store's keys to a namespace and returns the store. It must be called before the first use. An empty
// namespace is the [DefaultNamespace].
func (s *Store) In(namespace string) *Store {
	s.space = keyspace(cmp.Or(namespace, DefaultNamespace) + ":")
	return s
}

// Answers returns the answers to requests that are sent again.
func (s *Store) Answers() *Answers { return &Answers{s} }

// Bounds returns the slots of providers.
func (s *Store) Bounds() *Bounds { return &Bounds{s} }

// Captchas returns the captchas.
func (s *Store) Captchas() *Captchas { return &Captchas{s} }

// Codes returns the issued codes.
func (s *Store) Codes() *Codes { return &Codes{s} }

// Gate returns the gate, which spends limits and captchas.
func (s *Store) Gate() *Gate { return &Gate{s} }

// Leaders returns the leaders of periodic tasks.
func (s *Store) Leaders() *Leaders { return &Leaders{s} }

// Mails returns the notes about mails.
func (s *Store) Mails() *Mails { return &Mails{s} }

// Outcomes returns the outcomes of codes that are not in the database yet.
func (s *Store) Outcomes() *Outcomes { return &Outcomes{s} }

// Reports returns the store of delivery reports.
func (s *Store) Reports() *Reports { return &Reports{s} }

// Scores returns the scores of providers.
func (s *Store) Scores() *Scores { return &Scores{s} }

// Sessions returns the sessions.
func (s *Store) Sessions() *Sessions { return &Sessions{s} }

// Workers returns the list of workers.
func (s *Store) Workers() *Workers { return &Workers{s} }

// TokenKeys returns the history of the keys that sign tokens.
func (s *Store) TokenKeys() *TokenKeys { return &TokenKeys{s} }

// Probe tests whether Redis accepts writes, which a replica or a full server does not although it answers. The error says
// in a sentence for operators what is wrong, followed by the server's own words. [Store.ProbeAll] tests more.
func (s *Store) Probe(ctx context.Context) error {
	return s.client.Set(ctx, s.space.probeKey(), "", redisconn.ProbeTTL).Err()
}

// ProbeAll is [redisconn.ProbeAll] with the store's client and namespace. It also finds out whether one script may use keys of several
// slots, as on one server: then a request spends all its limits in one script, and a code is stored and enqueued in one. Until the first probe, and on a cluster, limits
// take a script for each slot, and codes are enqueued by themselves. Both ways use the same keys, so processes may differ.
func (s *Store) ProbeAll(ctx context.Context) (warning, err error) {
	s.oneServer.Store(s.probeSlots(ctx))
	return redisconn.ProbeAll(ctx, s.client, string(s.space))
}

// probeSlots reports whether a script sees keys of all slots as they were written by themselves. A cluster, and most proxies before one,
// refuse such a script. A proxy that sends it to the server of the first key does not, but that server lacks the other keys.
func (s *Store) probeSlots(ctx context.Context) bool {
	if _, isCluster := s.client.(*redis.ClusterClient); isCluster {
		return false
	}
	keys, id := make([]string, len(partitions)), secrets.Random(8)
	_, err := s.client.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		for i, letter := range partitions {
			keys[i] = s.space.slotProbeKey(string(letter), id)
			pipe.Set(ctx, keys[i], id, redisconn.ProbeTTL)
		}
		return nil
	})
	if err != nil {
		return false
	}
	seen, err := slotsProbeScript.Run(ctx, s.client, keys, id).Int()
	_, errDelete := s.client.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		for _, key := range keys {
			pipe.Del(ctx, key)
		}
		return nil
	})
	return errors.Join(err, errDelete) == nil && seen == len(keys)
}

// recording reports whether limits are only recorded.
func (s *Store) recording() bool { return s.Rules.Mode == limits.Record }

// report reports a refused spend that was let pass because limits are only recorded.
func (s *Store) report(ctx context.Context, name limits.Name, retryAfter time.Duration) {
	if s.Rules.Report != nil {
		s.Rules.Report(ctx, name, retryAfter)
	}
}

// span converts the milliseconds that a script returned.
func span(milliseconds int64) time.Duration { return time.Duration(milliseconds) * time.Millisecond }

// stamp puts the end of a value in front of it, for readers that find the value before Redis has removed it.
func stamp(ends time.Time, value string) string {
	return strconv.FormatInt(ends.UnixMilli(), 10) + " " + value
}

// unstamp returns the value, and false when it is over or missing.
func unstamp(stamped string, now time.Time) (string, bool) {
	ends, value, found := strings.Cut(stamped, " ")
	at, err := strconv.ParseInt(ends, 10, 64)
	if !found || err != nil || at <= now.UnixMilli() {
		return "", false
	}
	return value, true
}
