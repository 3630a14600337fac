package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"usher/app"
	"usher/config"
	"usher/queue"
	"usher/secrets"
	"usher/store/sqlstore"
)

const keysUsage = `usage: admin keys [COMMAND]

  (none), list [-json]    what each key of USHER_SECRET_KEYS does, what still needs it, and which can be dropped
  rotate-check [-json]    the same, and exit 1 when these keys would lose something
  reseal                  seal every number and address under the first key; may run while everything else does
  reindex -to ID          make the last key, ID, index all numbers and addresses; API and workers must be stopped

docs/keys.md tells when to use which. No key is ever shown.
`

// keysTimeout bounds the count of what keys are needed for, which reads whole tables.
const keysTimeout = 10 * time.Minute

func keysCommand(ctx context.Context, p app.Process) error {
	name := "list"
	if len(p.Args) > 0 && p.Args[0] != "" && p.Args[0][0] != '-' {
		name, p.Args = p.Args[0], p.Args[1:]
	}
	switch name {
	case "list":
		return listKeys(ctx, p, false)
	case "rotate-check":
		return listKeys(ctx, p, true)
	case "reseal":
		return resealContacts(ctx, p)
	case "reindex":
		return reindexContacts(ctx, p)
	case "help":
		_, err := fmt.Fprint(p.Stdout, keysUsage)
		return err
	default:
		return &app.UsageError{Text: fmt.Sprintf("unknown command %q\n%s", name, keysUsage)}
	}
}

// keyDesk is where keys are looked after: both stores.
type keyDesk struct {
	keys      *secrets.Keys
	db        *sqlstore.DB
	seals     *sqlstore.Seals
	client    redis.UniversalClient
	namespace queue.Namespace
}

func openKeys(ctx context.Context, p app.Process) (*keyDesk, error) {
	var stores config.Stores
	var settings struct {
		Keys config.Secret `env:"SECRET_KEYS,required"`
	}
	if err := config.Load(p.Environ, &stores, &settings); err != nil {
		return nil, err
	}
	keys, err := secrets.ParseKeys(settings.Keys.Reveal())
	if err != nil {
		return nil, config.Mistakes{{Variable: config.Prefix + "SECRET_KEYS", Text: err.Error()}}
	}
	client, err := app.OpenRedis(stores, nil)
	if err != nil {
		return nil, config.Mistakes{{Variable: config.Prefix + "REDIS_URL", Text: err.Error()}}
	}
	db, err := app.OpenSQL(ctx, stores, nil)
	if err != nil {
		return nil, errors.Join(err, client.Close())
	}
	d := &keyDesk{keys: keys, db: db, seals: sqlstore.NewSeals(db, keys, time.Now), client: client, namespace: queue.Namespace(stores.Namespace)}
	if err := sqlstore.CheckSchema(ctx, db); err != nil && !errors.Is(err, sqlstore.ErrSchemaNew) {
		d.close()
		return nil, err
	}
	return d, nil
}

func (d *keyDesk) close() { _, _ = d.db.Close(), d.client.Close() }

func resealContacts(ctx context.Context, p app.Process) error {
	if err := app.ParseFlags(newFlags("keys reseal", keysUsage), p); err != nil {
		return err
	}
	d, err := openKeys(ctx, p)
	if err != nil {
		return err
	}
	defer d.close()
	result, err := d.seals.Reseal(ctx, told(p))
	return concludeRun(p, result, err, "sealed under "+d.keys.SigningID())
}

func reindexContacts(ctx context.Context, p app.Process) error {
	flags := newFlags("keys reindex", keysUsage)
	to := flags.String("to", "", "`id` of the key that is to index: the last one of USHER_SECRET_KEYS")
	yes := flags.Bool("yes", false, "do not ask")
	if err := app.ParseFlags(flags, p); err != nil {
		return err
	}
	d, err := openKeys(ctx, p)
	if err != nil {
		return err
	}
	defer d.close()
	if *to != d.keys.IndexID() {
		return &app.UsageError{Text: fmt.Sprintf("keys reindex: -to must name the last key of USHER_SECRET_KEYS, which is %s", d.keys.IndexID())}
	}
	servers, err := asynq.NewInspectorFromRedisClient(d.client).Servers()
	if err != nil {
		return fmt.Errorf("look for workers: %w", err)
	}
	servers = slices.DeleteFunc(servers, func(s *asynq.ServerInfo) bool {
		for queue := range s.Queues {
			if d.namespace.Owns(queue) {
				return false
			}
		}
		return true
	})
	if len(servers) > 0 {
		return fmt.Errorf("%d workers are alive: stop them and the API first (one that was killed is forgotten within a minute)", len(servers))
	}
	if !*yes {
		_, _ = fmt.Fprintln(p.Stdout, "The API must be stopped. Everybody will be signed out, and codes and links in flight will be of no use.")
		if !confirmed(os.Stdin, p.Stdout) {
			_, err := fmt.Fprintln(p.Stdout, "Nothing was done.")
			return err
		}
	}
	result, err := d.seals.Reindex(ctx, told(p))
	return concludeRun(p, result, err, "indexed with "+d.keys.IndexID())
}

// told shows now and then that a run goes on.
func told(p app.Process) func(int) {
	last := time.Now()
	return func(changed int) {
		if time.Since(last) >= 5*time.Second {
			last = time.Now()
			_, _ = fmt.Fprintf(p.Stderr, "%d done\n", changed)
		}
	}
}

// concludeRun says what a run has done. What it has left behind makes it fail.
func concludeRun(p app.Process, result sqlstore.Resealed, err error, what string) error {
	_, _ = fmt.Fprintf(p.Stdout, "%d numbers and addresses %s, %d left behind\n", result.Changed, what, result.Left)
	for _, line := range result.Named {
		_, _ = fmt.Fprintf(p.Stdout, "  %s\n", line)
	}
	if err != nil {
		return fmt.Errorf("broken off, begin again to go on: %w", err)
	}
	if result.Left > 0 {
		return fmt.Errorf("%d numbers and addresses were left behind", result.Left)
	}
	return nil
}
