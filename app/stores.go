package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"usher/config"
	"usher/queue"
	"usher/secrets"
	"usher/store"
	"usher/store/redisconn"
	"usher/store/redisstore"
	"usher/store/sqlstore"
	"usher/tasks"
)

// Stores are both stores, opened: the connections and the records.
type Stores struct {
	Namespace queue.Namespace
	Client    redis.UniversalClient
	Redis     *redisstore.Store
	Clock     *redisconn.Clock // the time that all processes share
	SQL       *sqlstore.DB
	Accounts  *sqlstore.Accounts
	Mails     *sqlstore.Mails
	Spent     *sqlstore.Spent
	Events    *sqlstore.Events

	prober   *prober
	patience time.Duration // for one probe of both
	shards   int           // of the queue of codes
}

// OpenRedis makes a client for the Redis of the settings, without connecting yet. The watch may be nil.
func OpenRedis(c config.Stores, watch *store.Watch) (redis.UniversalClient, error) {
	return redisconn.Open(c.RedisURL.Reveal(), redisconn.Settings{Timeout: c.RedisTimeout, Watch: watch})
}

// OpenSQL connects to the database of the settings. The watch may be nil.
func OpenSQL(ctx context.Context, c config.Stores, watch *store.Watch) (*sqlstore.DB, error) {
	db, err := sqlstore.Open(ctx, c.DatabaseURL.Reveal(), sqlstore.Settings{
		Connections: c.DatabaseConnections, Timeout: c.DatabaseTimeout,
		Transactions: c.DatabasePooler == "transaction", Watch: watch,
	})
	if errors.Is(err, sqlstore.ErrPooler) {
		return nil, config.Wrong("DATABASE_URL", err)
	}
	return db, err
}

// OpenStores connects to the database, whose schema must be as new as this program. Redis may be unavailable, which
// is logged: requests that need it are answered with 503 until it is back.
func OpenStores(ctx context.Context, c config.Common, keys *secrets.Keys, logger *slog.Logger) (*Stores, error) {
	watch := store.WatchOf(logger)
	client, err := OpenRedis(c.Stores, watch)
	if err != nil {
		return nil, err
	}
	clock := redisconn.NewClock(client, time.Now)
	client.AddHook(queue.ClockHook(clock.Offset))
	client.AddHook(queue.NotifyHook(client))
	redisconn.Batch(client)
	db, err := OpenSQL(ctx, c.Stores, watch)
	if err != nil {
		return nil, errors.Join(err, client.Close())
	}
	s := &Stores{
		Namespace: queue.Namespace(c.Namespace),
		shards:    c.SMSShards,
		Client:    client, Clock: clock, Redis: redisstore.New(client, keys, clock.Now).In(string(c.Namespace)), SQL: db,
		Accounts: sqlstore.NewAccounts(db, keys), Mails: sqlstore.NewMails(db, keys, clock.Now),
		Spent:  sqlstore.NewSpent(db, clock.Now),
		Events: sqlstore.NewEvents(db, keys, clock.Now),
	}
	if err := sqlstore.CheckSchema(ctx, db); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	if err := checkKeys(ctx, db, keys); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	s.patience = patience(c.Stores)
	s.examineRedis(ctx, s.patience, logger)
	if s.prober, err = newProber(ctx, s, logger); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// TaskClock is the stores' clock as package tasks uses it.
func (s *Stores) TaskClock() tasks.Clock {
	return tasks.Clock{Offset: s.Clock.Offset, Leapt: s.Clock.Leapt}
}

// examineRedis warns of settings of Redis that an operator should correct. A server that refuses to show its settings, as
// hosted ones may, counts as well configured.
func (s *Stores) examineRedis(ctx context.Context, patience time.Duration, logger *slog.Logger) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	report, err := redisconn.Inspect(ctx, s.Client)
	if err != nil {
		return
	}
	if err := errors.Join(report.VersionProblem(), report.PolicyProblem()); err != nil {
		logger.Warn("redis is misconfigured", "error", err, "see", "admin doctor")
	}
}

// todo is what an operator can do about an error of a store; empty when that is not known.
func todo(err error) string {
	if o := store.AsOutage(err); o != nil {
		return o.Cure
	}
	return ""
}

// keysSample is how many numbers and addresses are opened with the keys at the start.
const keysSample = 20

// checkKeys refuses keys that would make accounts unreadable, or have numbers registered twice.
func checkKeys(ctx context.Context, db *sqlstore.DB, keys *secrets.Keys) error {
	err := sqlstore.NewSeals(db, keys, time.Now).Check(ctx, keysSample)
	if errors.Is(err, sqlstore.ErrSealedUnknown) || errors.Is(err, sqlstore.ErrIndexed) || errors.Is(err, secrets.ErrForged) {
		return config.Wrong("SECRET_KEYS", fmt.Errorf("%w; see docs/keys.md", err))
	}
	return err
}

// clockWarn is how far a machine's clock may be off that of Redis without a warning. Times that processes compare with each
// other are corrected, whatever the difference; certificates and vendors' signatures are not.
const clockWarn = 250 * time.Millisecond

func clockSentence(ahead time.Duration) string {
	return fmt.Sprintf("this machine's clock is %s that of Redis; let NTP set the clocks of all machines", Skewed(ahead))
}

// Skewed says how far a clock is ahead of another one, or behind it.
func Skewed(ahead time.Duration) string {
	direction := "ahead of"
	if ahead < 0 {
		direction = "behind"
	}
	return fmt.Sprintf("%v %s", ahead.Abs().Round(10*time.Millisecond), direction)
}

var errLeapt = errors.New("the machine's clock was set: nothing is sent until it is compared with that of Redis again")

// clockKnown returns an error while the time is not known.
func (s *Stores) clockKnown(context.Context) error {
	if s.Clock.Leapt() {
		return errLeapt
	}
	return nil
}

func (s *Stores) probes() []probe {
	redis, database := newAsked(s.patience, s.Redis.Probe), newAsked(s.patience, func(ctx context.Context) error {
		return errors.Join(sqlstore.CheckSchema(ctx, s.SQL), s.SQL.Writable(ctx))
	})
	return []probe{
		{"redis", func(ctx context.Context) error { return cmp.Or(redis.answer(ctx), s.prober.latest().redis) }},
		{"database", func(ctx context.Context) error { return cmp.Or(database.answer(ctx), s.prober.latest().database) }},
		{"clock", s.clockKnown},
	}
}

// notes are what readiness says beside its verdict, by name; often none.
func (s *Stores) notes() map[string]string {
	notes := map[string]string{}
	if warning := s.prober.latest().warning; warning != nil {
		notes["redis_warning"] = warning.Error()
	}
	if paused := s.prober.latest().paused; len(paused) > 0 {
		notes["queues"] = "paused in the dashboard, so their messages wait: " + strings.Join(paused, ", ")
	}
	if ahead := s.Clock.Ahead(); ahead.Abs() >= clockWarn {
		notes["clock"] = clockSentence(ahead)
	}
	return notes
}

// Close closes both connections.
func (s *Stores) Close() error {
	if s.prober != nil {
		s.prober.close()
	}
	return errors.Join(s.Client.Close(), s.SQL.Close())
}
