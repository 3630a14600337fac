package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"usher/app"
	"usher/config"
	"usher/messages"
	"usher/queue"
	"usher/store/redisstore"
	"usher/store/sqlstore"
	"usher/verify"
)

const messagesUsage = `usage: admin messages COMMAND

  list [FLAGS]            list the newest messages, SMS and mails; -state dead: those that did not arrive
  show ID                 show all that is known about one message
  retry ID...             retry messages that ended although they are still wanted
  retry -all [FLAGS]      the same for all messages that match the flags of list

-h after a command shows its flags. No command shows a full number or address, a code or a link. No keys are needed:
USHER_DATABASE_URL and USHER_REDIS_URL are enough.
`

func messagesCommand(ctx context.Context, p app.Process) error {
	return dispatch(ctx, p, messagesUsage, commands{"list": listMessages, "show": showMessage, "retry": retryMessages})
}

// desk reads messages from both stores. It works without Redis as far as it can.
type desk struct {
	db        *sqlstore.DB
	messages  *sqlstore.Messages
	client    redis.UniversalClient
	codes     *redisstore.Codes
	notes     *redisstore.Mails
	namespace queue.Namespace
	redisErr  error // of a Redis that did not answer; it is not asked again
}

// openDesk needs no keys: ids are enough to find codes, and sealed fields stay sealed.
func openDesk(ctx context.Context, p app.Process) (*desk, error) {
	var settings config.Stores
	if err := config.Load(p.Environ, &settings); err != nil {
		return nil, err
	}
	client, db, err := openStores(ctx, settings)
	if err != nil {
		return nil, err
	}
	stored := redisstore.New(client, nil, time.Now).In(string(settings.Namespace))
	return &desk{
		db: db, messages: sqlstore.NewMessages(db, time.Now), client: client, codes: stored.Codes(), notes: stored.Mails(),
		namespace: queue.Namespace(settings.Namespace),
	}, nil
}

func (d *desk) close() { _, _ = d.db.Close(), d.client.Close() }

// askRedis calls do, unless Redis did not answer before. When do fails, it checks whether Redis answers at all.
func (d *desk) askRedis(ctx context.Context, do func(context.Context) error) error {
	if d.redisErr != nil {
		return d.redisErr
	}
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	err := do(ctx)
	if err == nil {
		return nil
	}
	if err := d.client.Ping(ctx).Err(); err != nil {
		d.redisErr = fmt.Errorf("redis does not answer: %w", err)
		return d.redisErr
	}
	return err
}

// errUnknown is for an id that neither store knows.
var errUnknown = errors.New("no message has this id; use messages list or trace to find ids")

// look returns a message and its state in Redis. The state is empty for mails, and for codes that Redis does not know or
// that it cannot be asked about. A code that has not reached the database yet has only the fields that Redis knows.
func (d *desk) look(ctx context.Context, id string) (sqlstore.Message, messages.State, error) {
	asked, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	message, err := d.messages.Find(asked, id)
	missing := errors.Is(err, messages.ErrNotFound)
	if err != nil && !missing {
		return message, "", err
	}
	status, redisErr := d.status(ctx, id)
	switch {
	case missing && redisErr == nil && status.State != "":
		message = sqlstore.Message{
			ID: id, Channel: messages.SMS, Purpose: string(status.Purpose), State: status.State, To: status.To,
			NotAfter: sqlstore.Stamp{Time: status.ExpiresAt},
		}
	case missing && redisErr != nil:
		return message, "", fmt.Errorf("the database has no message with this id, and %w", redisErr)
	case missing:
		return message, "", errUnknown
	}
	return message, status.State, nil
}

// status is what Redis knows of a code. It is zero where Redis does not know the code, or the id is that of a mail.
func (d *desk) status(ctx context.Context, id string) (status verify.Status, err error) {
	if _, code := verify.SubjectOf(id); !code {
		return verify.Status{}, nil
	}
	err = d.askRedis(ctx, func(ctx context.Context) error {
		status, err = d.codes.Status(ctx, id)
		if errors.Is(err, verify.ErrNotFound) {
			return nil
		}
		return err
	})
	return status, err
}
