package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"usher/app"
	"usher/config"
	"usher/queue"
	"usher/store/redisstore"
	"usher/store/sqlstore"
)

const messagesUsage = `usage: admin messages COMMAND

  list [FLAGS]            the newest messages, SMS and mails; -state dead: those that did not arrive
  show ID                 all that is known of one
  retry ID...             put back what has ended although somebody waits for it
  retry -all [FLAGS]      the same for all that the flags of list let pass

Each says more with -h. Nothing shows a whole number or address, a code or a link, and no keys are needed:
USHER_DATABASE_URL and USHER_REDIS_URL are enough.
`

// lookTimeout bounds each question to a store.
const lookTimeout = 15 * time.Second

func messagesCommand(ctx context.Context, p app.Process) error {
	if len(p.Args) == 0 {
		return &app.UsageError{Text: "which command?\n" + messagesUsage}
	}
	name := p.Args[0]
	p.Args = p.Args[1:]
	switch name {
	case "list":
		return listMessages(ctx, p)
	case "show":
		return showMessage(ctx, p)
	case "retry":
		return retryMessages(ctx, p)
	case "help", "-h", "-help", "--help":
		_, err := fmt.Fprint(p.Stdout, messagesUsage)
		return err
	default:
		return &app.UsageError{Text: fmt.Sprintf("unknown command %q\n%s", name, messagesUsage)}
	}
}

// newFlags returns flags whose help begins with a text.
func newFlags(name, help string) *flag.FlagSet {
	flags := flag.NewFlagSet(name, flag.ContinueOnError)
	flags.Usage = func() {
		_, _ = fmt.Fprint(flags.Output(), help+"\nFlags:\n")
		flags.PrintDefaults()
	}
	return flags
}

// parseIDs parses flags that may stand before and behind ids, and returns the ids. One id in 64 begins with a
// hyphen: it is told from a flag by its length.
func parseIDs(flags *flag.FlagSet, p app.Process) ([]string, error) {
	const shortestID = 22
	var ids, rest []string
	for _, arg := range p.Args {
		if len(arg) >= shortestID && arg[0] == '-' && !strings.Contains(arg, "=") {
			ids = append(ids, arg)
		} else {
			rest = append(rest, arg)
		}
	}
	for p.Args = rest; ; p.Args = p.Args[1:] {
		if err := app.ParseFlags(flags, p); err != nil {
			return nil, err
		}
		if p.Args = flags.Args(); len(p.Args) == 0 {
			return ids, nil
		}
		ids = append(ids, p.Args[0])
	}
}

// desk is where messages are looked at: both stores, of which Redis may be away.
type desk struct {
	db        *sqlstore.DB
	messages  *sqlstore.Messages
	client    redis.UniversalClient
	codes     *redisstore.Codes
	notes     *redisstore.Mails
	namespace queue.Namespace
	away      error // what Redis said when it did not answer; it is not asked again
}

// openDesk needs no keys: codes are found by their ids, and nothing is opened.
func openDesk(ctx context.Context, p app.Process) (*desk, error) {
	var settings config.Stores
	if err := config.Load(p.Environ, &settings); err != nil {
		return nil, err
	}
	client, err := app.OpenRedis(settings, nil)
	if err != nil {
		return nil, config.Mistakes{{Variable: config.Prefix + "REDIS_URL", Text: err.Error()}}
	}
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	db, err := app.OpenSQL(ctx, settings, nil)
	if err != nil {
		return nil, errors.Join(err, client.Close())
	}
	if err := sqlstore.CheckSchema(ctx, db); err != nil && !errors.Is(err, sqlstore.ErrSchemaNew) {
		return nil, errors.Join(err, db.Close(), client.Close())
	}
	stored := redisstore.New(client, nil, time.Now).In(string(settings.Namespace))
	return &desk{
		db: db, messages: sqlstore.NewMessages(db, time.Now), client: client, codes: stored.Codes(), notes: stored.Mails(),
		namespace: queue.Namespace(settings.Namespace),
	}, nil
}

func (d *desk) close() { _, _ = d.db.Close(), d.client.Close() }

// askRedis calls do unless Redis was found to be away, and finds that out when do fails.
func (d *desk) askRedis(ctx context.Context, do func(context.Context) error) error {
	if d.away != nil {
		return d.away
	}
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	err := do(ctx)
	if err == nil {
		return nil
	}
	if away := d.client.Ping(ctx).Err(); away != nil {
		d.away = fmt.Errorf("redis does not answer: %w", away)
		return d.away
	}
	return err
}
