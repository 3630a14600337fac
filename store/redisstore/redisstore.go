// Package redisstore keeps codes, limits, captchas, sessions and answers in Redis, each with its time to live.
//
// Every decision is one script, so it holds for any number of processes. Keys that one script touches
// share a hash tag, as Redis Cluster demands; keys.go has them all. There are 64 tags. Nothing in a key or a value opens a
// number, an address, a code or a session token: keys hold keyed hashes.
//
// Scripts are given the time by their caller and compare times themselves; Redis's own expiry only clears
// away. So tests can move time on any Redis. The price is that the clocks of all processes must agree to
// within a second or so, as NTP keeps them; one that is behind can only make a limit count for longer.
//
// A request that was lost on its way is repeated once by the client. Scripts whose second run would harm
// recognise it.
package redisstore

import (
	"context"
	"time"

	"github.com/redis/go-redis/v9"

	"usher/limits"
	"usher/secrets"
)

// Store is what the parts of this package share. It is safe for concurrent use.
type Store struct {
	// Rules are the limits of a number, for [Codes], and what becomes of a refused spend. They are
	// enforced as by default unless replaced before the first use.
	Rules limits.Rules

	client redis.UniversalClient
	keys   *secrets.Keys
	now    func() time.Time
	space  keyspace
}

// New returns a store on the client, which stays the caller's to close. Its keys are in the [DefaultNamespace], unless
// [Store.In] says otherwise.
func New(client redis.UniversalClient, keys *secrets.Keys, now func() time.Time) *Store {
	return &Store{
		Rules: limits.Rules{Set: limits.Defaults()}, client: client, keys: keys, now: now, space: newKeyspace(DefaultNamespace),
	}
}

// In puts the store's keys into a namespace and returns the store. It is called before the first use. An empty
// namespace is the [DefaultNamespace].
func (s *Store) In(namespace string) *Store {
	s.space = newKeyspace(namespace)
	return s
}

// Codes returns the part that keeps issued codes.
func (s *Store) Codes() *Codes { return &Codes{s} }

// Reports returns the part that files what vendors report about codes.
func (s *Store) Reports() *Reports { return &Reports{s} }

// Outcomes returns the part that holds what became of codes until it is written down elsewhere.
func (s *Store) Outcomes() *Outcomes { return &Outcomes{s} }

// Scores returns the part that keeps what became of the messages of each provider.
func (s *Store) Scores() *Scores { return &Scores{s} }

// Limiter returns the part that spends limits.
func (s *Store) Limiter() *Limiter { return &Limiter{s} }

// Captchas returns the part that keeps captchas.
func (s *Store) Captchas() *Captchas { return &Captchas{s} }

// Gate returns the part that spends a captcha together with limits.
func (s *Store) Gate() *Gate { return &Gate{s} }

// Answers returns the part that keeps answers for requests that are sent again.
func (s *Store) Answers() *Answers { return &Answers{s} }

// Sessions returns the part that keeps sessions.
func (s *Store) Sessions() *Sessions { return &Sessions{s} }

// recording is how scripts are told that limits only record.
func (s *Store) recording() string {
	if s.Rules.Mode == limits.Record {
		return "1"
	}
	return "0"
}

// report tells of a spend that only the mode let pass.
func (s *Store) report(ctx context.Context, name limits.Name, retryAfter time.Duration) {
	if s.Rules.Report != nil {
		s.Rules.Report(ctx, name, retryAfter)
	}
}
