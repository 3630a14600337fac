package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"text/tabwriter"

	"usher/app"
	"usher/messages"
	"usher/store/sqlstore"
)

const traceHelp = `usage: admin trace ID [FLAGS]

Tells the story of one sign-up in the order of time. ID is that of a request (answers, logs and tasks name it), of a
message (a code's or a mail's) or of an account. Codes are found by the number: those of the hour before and the day
after the account was made, or else the message was. No keys are needed.
`

func trace(ctx context.Context, p app.Process) error {
	flags := newFlags("trace", traceHelp)
	asJSON := flags.Bool("json", false, "print the events as JSON, one a line")
	ids, err := parseIDs(flags, p)
	if err != nil {
		return err
	}
	if len(ids) != 1 {
		return &app.UsageError{Text: "want: admin trace ID"}
	}
	d, err := openDesk(ctx, p)
	if err != nil {
		return err
	}
	defer d.close()
	s, err := d.story(ctx, ids[0])
	if err != nil {
		return err
	}
	if d.away != nil {
		_, _ = fmt.Fprintln(p.Stderr, "Redis does not answer: what it knows of codes is missing.")
	}
	if *asJSON {
		return printLines(p.Stdout, s.events(), func(e event) event { return e })
	}
	return s.tell(p.Stdout)
}

// tell prints who and what first, then what happened.
func (s *story) tell(w io.Writer) error {
	if s.person != nil {
		_, _ = fmt.Fprintf(w, "account %s%s%s: %s\n", s.person.ID, spaced(s.person.Mobile), spaced(cmp.Or(s.person.Email, s.person.Pending)), standing(*s.person))
	} else {
		_, _ = fmt.Fprintln(w, "No account belongs to this.")
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for i, m := range s.messages {
		_, _ = fmt.Fprintf(table, "#%d\t%s\t%s\t%s\t%s\t%s\n", i+1, m.Channel, m.Purpose, cell(m.To), m.ID, s.stateOf(m))
	}
	_, _ = fmt.Fprintln(table)
	if err := table.Flush(); err != nil {
		return err
	}
	events := s.events()
	for _, e := range events {
		about := "account"
		if e.number > 0 {
			about = fmt.Sprintf("#%d", e.number)
		}
		_, _ = fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", e.At.UTC().Format(momentLayout), after(e.At, events[0].At), about, e.sentence())
	}
	return table.Flush()
}

func spaced(text string) string {
	if text == "" {
		return ""
	}
	return "  " + text
}

func standing(p sqlstore.Person) string {
	switch {
	case p.Active && p.Email != "" && p.Pending != "":
		return "active, address proved, " + p.Pending + " waits for its proof"
	case p.Active && p.Email != "":
		return "active, address proved"
	case p.Active && p.Pending != "":
		return "active, address not proved"
	case p.Active:
		return "active"
	default:
		return "not activated"
	}
}

// stateOf is what both stores say: they differ while something is on its way from Redis to the database.
func (s *story) stateOf(m sqlstore.Message) string {
	state := string(m.State)
	if why := why(m); why != "" {
		state += " (" + cell(why) + ")"
	}
	if inRedis := s.inRedis[m.ID]; inRedis != "" && (inRedis != m.State || m.CreatedAt.IsZero()) {
		state += ", in Redis " + string(inRedis)
	}
	return state
}

// sentence says what happened.
func (e event) sentence() string {
	switch e.Event {
	case string(messages.Queued):
		return "queued"
	case "waiting":
		return fmt.Sprintf("waits for another attempt after %d%s", e.Attempt, because(e))
	case string(messages.Sending):
		return fmt.Sprintf("attempt %d is being sent", e.Attempt)
	case "enqueued":
		return "a task was put on the queue again"
	case "accepted":
		return "accepted by " + cell(e.Provider) + because(event{ProviderCode: e.ProviderID})
	case string(messages.Undelivered), string(messages.Failed):
		return fmt.Sprintf("%s in attempt %d by %s%s", e.Event, e.Attempt, cell(e.Provider), because(e))
	case string(messages.Dropped):
		return "dropped" + because(e)
	case "used":
		return "code used"
	case "changed":
		return "changed last: " + e.Reason
	default:
		return e.Event
	}
}

func because(e event) string {
	if text := why(sqlstore.Message{Reason: e.Reason, ProviderCode: e.ProviderCode}); text != "" {
		return ": " + cell(text)
	}
	return ""
}
