package main

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"text/tabwriter"
	"time"

	"usher/app"
	"usher/messages"
	"usher/reasons"
	"usher/store/sqlstore"
)

const showHelp = `usage: admin messages show ID [FLAGS]

Shows all that is known about one message. For a code this includes its state in Redis, as long as Redis knows it. Each
time is followed by the time since the message was created.
`

// showMessage works without Redis and without the database, as long as one of them knows the message.
func showMessage(ctx context.Context, p app.Process) error {
	flags := newFlags("messages show", showHelp)
	asJSON := flags.Bool("json", false, "print a JSON object")
	id, err := parseID(flags, p)
	if err != nil {
		return err
	}
	d, err := openDesk(ctx, p)
	if err != nil {
		return err
	}
	defer d.close()
	message, inRedis, err := d.look(ctx, id)
	if err != nil {
		return err
	}
	if *asJSON {
		return printJSON(p.Stdout, "", messageView{message, inRedis})
	}
	return describe(p.Stdout, message, d.redisNote(message, inRedis))
}

// messageView is a message in JSON.
type messageView struct {
	sqlstore.Message

	RedisState messages.State `json:"redis_state,omitempty"` // of a code that Redis still knows
}

// redisNote is the state in Redis, for people; empty for a mail.
func (d *desk) redisNote(m sqlstore.Message, state messages.State) string {
	switch {
	case m.Channel != messages.SMS:
		return ""
	case d.redisErr != nil:
		return "does not answer"
	case state == "":
		return "not known any more"
	case m.CreatedAt.IsZero():
		return string(state) + "; the database does not have it yet"
	default:
		return string(state)
	}
}

// describe prints a line for every field that is known.
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
		{"meaning", meaning(m).Means},
		{"what to do", meaning(m).Do},
		{"attempts", strconv.Itoa(m.Attempt)},
		{"attempts unresolved", counted(m.UnresolvedClaims)},
		{"requeued", counted(m.Enqueues)},
		{"created", moment(m.CreatedAt.Time, m.CreatedAt.Time)},
		{"enqueued", moment(m.EnqueuedAt.Time, m.CreatedAt.Time)},
		{"claimed until", moment(m.LeaseUntil.Time, m.CreatedAt.Time)},
		{"accepted", moment(m.AcceptedAt.Time, m.CreatedAt.Time)},
		{"delivered", moment(m.DeliveredAt.Time, m.CreatedAt.Time)},
		{"used", moment(m.UsedAt.Time, m.CreatedAt.Time)},
		{"last changed", moment(m.UpdatedAt.Time, m.CreatedAt.Time)},
		{"useful until", moment(m.NotAfter.Time, m.CreatedAt.Time)},
	} {
		if line.value != "" {
			_, _ = fmt.Fprintf(table, "%s\t%s\n", line.name, cell(line.value))
		}
	}
	return table.Flush()
}

// meaning explains the reason of a failure. It is zero where the reason is a vendor's code.
func meaning(m sqlstore.Message) reasons.Reason {
	reason, ok := reasons.Of(m.Reason)
	if !ok {
		reason, _ = reasons.Of(m.ProviderCode)
	}
	return reason
}

// counted is empty for 0, which most messages have.
func counted(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

// momentLayout is RFC 3339 with milliseconds.
const momentLayout = "2006-01-02T15:04:05.000Z07:00"

// moment is a time, followed by the time since the start.
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

// after is the time since the start, such as +6ms or +1.2s.
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
