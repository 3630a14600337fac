package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"usher/app"
	"usher/config"
	"usher/queue"
	"usher/secrets"
	"usher/store/sqlstore"
	"usher/tokens"
)

const keysUsage = `usage: admin keys [COMMAND]

  list [-json]            show what each key of USHER_SECRET_KEYS and USHER_TOKEN_KEYS is used for, what needs it, and which
                          can be removed; the default command
  rotate-check [-json]    the same, and exit 1 when these keys would make stored data unreadable, or services refuse tokens
  reseal                  seal every number and address with the first key; all processes may run meanwhile
  reindex -to ID          index all numbers and addresses with the last key, ID; API and workers must be stopped
  generate -id ID         print a new key for USHER_TOKEN_KEYS; nothing is stored

docs/keys.md tells when to use which. No key in use is shown.
`

// keysTimeout bounds the count of what needs each key, which reads whole tables.
const keysTimeout = 10 * time.Minute

func keysCommand(ctx context.Context, p app.Process) error {
	if len(p.Args) == 0 || strings.HasPrefix(p.Args[0], "-") {
		p.Args = append([]string{"list"}, p.Args...)
	}
	return dispatch(ctx, p, keysUsage, commands{
		"list":         func(ctx context.Context, p app.Process) error { return listKeys(ctx, p, false) },
		"rotate-check": func(ctx context.Context, p app.Process) error { return listKeys(ctx, p, true) },
		"reseal":       resealContacts,
		"reindex":      reindexContacts,
		"generate":     generateTokenKey,
	})
}

// keyDesk reads and changes what is sealed in both stores.
type keyDesk struct {
	keys      *secrets.Keys
	tokens    *tokens.Keys // nil where none are set
	db        *sqlstore.DB
	seals     *sqlstore.Seals
	client    redis.UniversalClient
	namespace queue.Namespace
}

// openKeys reads only the settings that it needs: the other ones may be missing on an operator's machine.
func openKeys(ctx context.Context, p app.Process) (*keyDesk, error) {
	var stores config.Stores
	var settings struct {
		Keys   config.Secret `env:"SECRET_KEYS,required"`
		Tokens config.Secret `env:"TOKEN_KEYS"`
	}
	if err := config.Load(p.Environ, &stores, &settings); err != nil {
		return nil, err
	}
	keys, err := secrets.ParseKeys(settings.Keys.Reveal())
	if err != nil {
		return nil, config.Wrong("SECRET_KEYS", err)
	}
	var forTokens *tokens.Keys
	if settings.Tokens != "" {
		if forTokens, err = tokens.ParseKeys(settings.Tokens.Reveal()); err != nil {
			return nil, config.Wrong("TOKEN_KEYS", err)
		}
	}
	client, db, err := openStores(ctx, stores)
	if err != nil {
		return nil, err
	}
	return &keyDesk{keys: keys, tokens: forTokens, db: db, seals: sqlstore.NewSeals(db, keys, time.Now), client: client, namespace: queue.Namespace(stores.Namespace)}, nil
}

func (d *keyDesk) close() { _, _ = d.db.Close(), d.client.Close() }

// changed returns a function that prints how many numbers and addresses a run has changed so far.
func changed(p app.Process) func(int) {
	show := progress(p.Stderr)
	return func(n int) { show("%d done", n) }
}

// resealContacts can run beside everything else, since every process can read both the old and the new seals.
func resealContacts(ctx context.Context, p app.Process) error {
	if err := app.ParseFlags(newFlags("keys reseal", keysUsage), p); err != nil {
		return err
	}
	d, err := openKeys(ctx, p)
	if err != nil {
		return err
	}
	defer d.close()
	result, err := d.seals.Reseal(ctx, changed(p))
	return concludeRun(p, result, err, "sealed with "+d.keys.SigningID())
}

// reindexContacts needs all processes stopped: they would find no account by an index of another key, and could register
// a number twice.
func reindexContacts(ctx context.Context, p app.Process) error {
	flags := newFlags("keys reindex", keysUsage)
	to := flags.String("to", "", "`id` of the key to index with: the last one of USHER_SECRET_KEYS")
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
		return &app.UsageError{Text: fmt.Sprintf("keys reindex: -to must be the last key of USHER_SECRET_KEYS, which is %s", d.keys.IndexID())}
	}
	servers, err := asynq.NewInspectorFromRedisClient(d.client).Servers()
	if err != nil {
		return fmt.Errorf("list workers: %w", err)
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
		return fmt.Errorf("%d workers are running: stop them and the API first (a worker that was killed counts for up to a minute)", len(servers))
	}
	if !*yes {
		_, _ = fmt.Fprintln(p.Stdout, "The API must be stopped. All users will be signed out, and codes and links that were sent will become invalid.")
		if !confirmed(os.Stdin, p.Stdout) {
			return notConfirmed(p)
		}
	}
	result, err := d.seals.Reindex(ctx, changed(p))
	return concludeRun(p, result, err, "indexed with "+d.keys.IndexID())
}

// concludeRun prints the result of a run. It returns an error when the run skipped something.
func concludeRun(p app.Process, result sqlstore.Resealed, err error, what string) error {
	_, _ = fmt.Fprintf(p.Stdout, "%d numbers and addresses %s, %d skipped\n", result.Changed, what, result.Left)
	for _, line := range result.Named {
		_, _ = fmt.Fprintf(p.Stdout, "  %s\n", line)
	}
	if err != nil {
		return fmt.Errorf("stopped; run the command again to continue: %w", err)
	}
	if result.Left > 0 {
		return fmt.Errorf("%d numbers and addresses were skipped", result.Left)
	}
	return nil
}
