package app

import (
	"context"
	"errors"
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

// openStores connects to SQL, whose schema must be as new as this program. Redis may be away for now:
// what needs it answers 503 until it is back.
func openStores(ctx context.Context, c config.Common, keys *secrets.Keys) (*stores, error) {
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
	return s, nil
}

// checkSchema lets a newer schema pass: migrations keep the program before them running.
func (s *stores) checkSchema(ctx context.Context) error {
	if err := sqlstore.CheckSchema(ctx, s.sql); !errors.Is(err, sqlstore.ErrSchemaNew) {
		return err
	}
	return nil
}

func (s *stores) probes() []probe {
	return []probe{
		{"redis", func(ctx context.Context) error { return s.client.Ping(ctx).Err() }},
		{"database", s.checkSchema},
	}
}

func (s *stores) close() error { return errors.Join(s.client.Close(), s.sql.Close()) }
