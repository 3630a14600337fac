package app

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/redis/go-redis/v9"

	"usher/config"
	"usher/secrets"
	"usher/store/redisstore"
	"usher/store/sqlstore"
	"usher/tasks"
)

// stores is both stores, opened.
type stores struct {
	client   redis.UniversalClient
	redis    *redisstore.Store
	sql      *sqlstore.DB
	accounts *sqlstore.Accounts
	mails    *sqlstore.Mails
}

// openStores connects to SQL, whose schema must be as new as this program. Redis may be away for now, which
// is logged: what needs it answers 503 until it is back.
func openStores(ctx context.Context, c config.Common, keys *secrets.Keys, logger *slog.Logger) (*stores, error) {
	client, err := redisstore.Open(c.RedisURL.Reveal())
	if err != nil {
		return nil, err
	}
	client.AddHook(tasks.WakeHook{Client: client})
	db, err := sqlstore.Open(ctx, c.DatabaseURL.Reveal())
	if err != nil {
		return nil, errors.Join(err, client.Close())
	}
	s := &stores{
		client: client, redis: redisstore.New(client, keys, time.Now), sql: db,
		accounts: sqlstore.NewAccounts(db, keys), mails: sqlstore.NewMails(db, keys, time.Now),
	}
	if err := s.checkSchema(ctx); err != nil {
		return nil, errors.Join(err, s.close())
	}
	if err := checkKeys(ctx, db, keys); err != nil {
		return nil, errors.Join(err, s.close())
	}
	s.examineRedis(ctx, logger)
	return s, nil
}

// examineRedis warns of what an operator should put right. A server that refuses to tell of itself, as
// hosted ones may, is taken for good.
func (s *stores) examineRedis(ctx context.Context, logger *slog.Logger) {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	if err := redisstore.Probe(ctx, s.client); err != nil {
		logger.Warn("redis is of no use for now", "error", err)
		return
	}
	report, err := redisstore.Examine(ctx, s.client)
	if err != nil {
		return
	}
	if err := errors.Join(report.VersionProblem(), report.PolicyProblem()); err != nil {
		logger.Warn("redis is not as it should be", "error", err, "see", "admin doctor")
	}
}

// checkSchema lets a newer schema pass: migrations keep the program before them running.
func (s *stores) checkSchema(ctx context.Context) error {
	if err := sqlstore.CheckSchema(ctx, s.sql); !errors.Is(err, sqlstore.ErrSchemaNew) {
		return err
	}
	return nil
}

// keysSample is how many numbers and addresses are tried against the keys at the start.
const keysSample = 20

// checkKeys refuses keys that would make accounts unreadable, or have numbers registered twice.
func checkKeys(ctx context.Context, db *sqlstore.DB, keys *secrets.Keys) error {
	err := sqlstore.NewSeals(db, keys, time.Now).Check(ctx, keysSample)
	if errors.Is(err, sqlstore.ErrSealedUnknown) || errors.Is(err, sqlstore.ErrIndexed) || errors.Is(err, secrets.ErrForged) {
		return config.Mistakes{{Variable: config.Prefix + "SECRET_KEYS", Text: err.Error() + "; see docs/keys.md"}}
	}
	return err
}

func (s *stores) probes() []probe {
	return []probe{
		{"redis", func(ctx context.Context) error { return redisstore.Probe(ctx, s.client) }},
		{"database", s.checkSchema},
	}
}

func (s *stores) close() error { return errors.Join(s.client.Close(), s.sql.Close()) }
