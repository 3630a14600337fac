package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"text/tabwriter"
	"time"

	"usher/app"
	"usher/messages"
	"usher/reasons"
	"usher/store/sqlstore"
	"usher/verify"
)

const showHelp = `usage: admin messages show ID [FLAGS]

Shows all that is known of one message: of a code also its state in Redis while it is known there. Behind each
time stands how long after the message's creation it was.
`

func showMessage(ctx context.Context, p app.Process) error {
	flags := newFlags("messages show", showHelp)
	asJSON := flags.Bool("json", false, "print a JSON object")
	ids, err := parseIDs(flags, p)
	if err != nil {
		return err
	}
	if len(ids) != 1 {
		return &app.UsageError{Text: "want: admin messages show ID"}
	}
	d, err := openDesk(ctx, p)
	if err != nil {
		return err
	}
	defer d.close()
	message, inRedis, err := d.look(ctx, ids[0])
	if err != nil {
		return err
	}
	if *asJSON {
		return printLines(p.Stdout, []sqlstore.Message{message}, func(m sqlstore.Message) messageView {
			view := viewOf(m)
			view.RedisState = inRedis
			return view
		})
	}
	return describe(p.Stdout, message, d.redisNote(message, inRedis))
}

// errUnknown is a message that neither store knows.
var errUnknown = errors.New("no message has this id; messages list and trace find ids")

// look returns a message with its state in Redis, which is empty for mails and for codes that Redis does not
// know or cannot be asked about. A code that has not reached SQL yet is what Redis says of it.
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
			ID: id, Channel: messages.SMS, Purpose: string(status.Purpose), State: status.State, NotAfter: status.ExpiresAt,
		}
	case missing && redisErr != nil:
		return message, "", fmt.Errorf("the database has no message of this id, and %w", redisErr)
	case missing:
		return message, "", errUnknown
	}
	return message, status.State, nil
}

// status is what Redis knows of a code; the zero status means that it knows nothing, or that the id is a mail's.
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

// redisNote says what is to be said of Redis; nothing for a mail.
func (d *desk) redisNote(m sqlstore.Message, state messages.State) string {
	switch {
	case m.Channel != messages.SMS:
		return ""
	case d.away != nil:
		return "does not answer"
	case state == "":
		return "knows it no more"
	case m.CreatedAt.IsZero():
		return string(state) + "; the database does not have it yet"
	default:
		return string(state)
	}
}

// describe prints a line for everything that is known.
func describe(w io.Writer, m sqlstore.Message, inRedis string) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, line := range []struct{ name, value string }{
		{"id", m.ID},
		{"channel", string(m.Channel)},
		{"purpose", m.Purpose},
		{"to", m.To},
		{"language", m.Language},
		{"account", m.AccountID},
		{"request", m.RequestID},
		{"state", string(m.State)},
		{"in Redis", inRedis},
		{"reason", m.Reason},
		{"provider", m.Provider},
		{"provider's id", m.ProviderID},
		{"provider's code", m.ProviderCode},
		{"that means", meaning(m).Means},
		{"what to do", meaning(m).Do},
		{"attempts", strconv.Itoa(m.Attempt)},
		{"of them in doubt", counted(m.UnresolvedClaims)},
		{"enqueued again", counted(m.Enqueues)},
		{"created", moment(m.CreatedAt, m.CreatedAt)},
		{"enqueued", moment(m.EnqueuedAt, m.CreatedAt)},
		{"claimed until", moment(m.LeaseUntil, m.CreatedAt)},
		{"accepted", moment(m.AcceptedAt, m.CreatedAt)},
		{"delivered", moment(m.DeliveredAt, m.CreatedAt)},
		{"used", moment(m.UsedAt, m.CreatedAt)},
		{"last changed", moment(m.UpdatedAt, m.CreatedAt)},
		{"of use until", moment(m.NotAfter, m.CreatedAt)},
	} {
		if line.value != "" {
			_, _ = fmt.Fprintf(table, "%s\t%s\n", line.name, cell(line.value))
		}
	}
	return table.Flush()
}

// meaning is the reason of what did not go well, if it is one of ours; zero otherwise.
func meaning(m sqlstore.Message) reasons.Reason {
	reason, ok := reasons.Of(m.Reason)
	if !ok {
		reason, _ = reasons.Of(m.ProviderCode)
	}
	return reason
}

func counted(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

// momentLayout is RFC 3339 with milliseconds.
const momentLayout = "2006-01-02T15:04:05.000Z07:00"

// moment is a time with how long after the start it was.
func moment(at, start time.Time) string {
	switch {
	case at.IsZero():
		return ""
	case start.IsZero() || at.Equal(start):
		return at.UTC().Format(momentLayout)
	default:
		return at.UTC().Format(momentLayout) + "  " + after(at, start)
	}
}

// after is how long after the start a time was, such as +6ms or +1.2s.
func after(at, start time.Time) string {
	d := at.Sub(start)
	unit := time.Millisecond
	if d.Abs() >= time.Second {
		unit = 100 * time.Millisecond
	}
	if d = d.Round(unit); d < 0 {
		return d.String()
	}
	return "+" + d.String()
}
