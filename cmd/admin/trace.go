package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"

	"usher/accounts"
	"usher/app"
	"usher/messages"
	"usher/store/sqlstore"
	"usher/verify"
)

const traceHelp = `usage: admin trace ID [FLAGS]

Shows one sign-up step by step, in the order of time. ID is the id of a request (answers, logs and tasks have it), of a
message (a code or a mail) or of an account. Codes are found by the number: those from an hour before to a day after the
account, or else the message, was created. No keys are needed.
`

// trace works without Redis: it then lacks the states of codes that are not in the database yet.
func trace(ctx context.Context, p app.Process) error {
	flags := newFlags("trace", traceHelp)
	asJSON := flags.Bool("json", false, "print the events as JSON, one a line")
	id, err := parseID(flags, p)
	if err != nil {
		return err
	}
	d, err := openDesk(ctx, p)
	if err != nil {
		return err
	}
	defer d.close()
	s, err := d.story(ctx, id)
	if err != nil {
		return err
	}
	if d.redisErr != nil {
		_, _ = fmt.Fprintln(p.Stderr, "Redis does not answer, so the states of codes in Redis are missing.")
	}
	if *asJSON {
		return printJSON(p.Stdout, "", s.events()...)
	}
	return s.tell(p.Stdout)
}

// tell prints the account and its messages first, and then the events.
func (s *story) tell(w io.Writer) error {
	if s.person != nil {
		_, _ = fmt.Fprintf(w, "account %s  %s  %s: %s\n", s.person.ID, cell(s.person.Mobile), cell(cmp.Or(s.person.Email, s.person.Pending)), standing(*s.person))
	} else {
		_, _ = fmt.Fprintln(w, "No account belongs to this id.")
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

// standing is the state of an account for people.
func standing(p sqlstore.Person) string {
	switch {
	case p.Active && p.Email != "" && p.Pending != "":
		return "active, address proved, new address " + p.Pending + " not proved yet"
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

// stateOf is the state in both stores. They differ until an outcome is copied from Redis to the database.
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

// sentence describes an event for people.
func (e event) sentence() string {
	switch e.Event {
	case "waiting":
		return fmt.Sprintf("waiting for the next attempt after attempt %d%s", e.Attempt, because(e))
	case string(messages.Sending):
		return fmt.Sprintf("attempt %d is being sent", e.Attempt)
	case "enqueued":
		return "requeued"
	case "accepted":
		return "accepted by " + cell(e.Provider) + because(event{ProviderCode: e.ProviderID})
	case string(messages.Undelivered), string(messages.Failed):
		return fmt.Sprintf("%s in attempt %d by %s%s", e.Event, e.Attempt, cell(e.Provider), because(e))
	case string(messages.Dropped):
		return "dropped" + because(e)
	case "used":
		return "code used"
	case "changed":
		return "last changed: " + e.Reason
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

// Bounds of a story.
const (
	storyMost   = 200            // messages
	storyBefore = time.Hour      // before the account, in which its codes were requested
	storyAfter  = 24 * time.Hour // after it, in which mails and codes follow
)

// story is what both stores know about one sign-up.
type story struct {
	person   *sqlstore.Person   // nil without an account
	messages []sqlstore.Message // in the order of time
	inRedis  map[string]messages.State
	claimed  map[string]bool // by a worker that is sending them
}

func newStory() *story {
	return &story{inRedis: map[string]messages.State{}, claimed: map[string]bool{}}
}

var errNoStory = errors.New("no request, message or account has this id; an SMS is in the database after about a second, and old messages are deleted")

// story returns the account and the messages of an id.
func (d *desk) story(ctx context.Context, id string) (*story, error) {
	found, err := d.begin(ctx, id)
	if err != nil {
		return nil, err
	}
	s := newStory()
	if s.person, err = d.personOf(ctx, id, found); err != nil {
		return nil, err
	}
	if s.person == nil && len(found) == 0 {
		return nil, cmp.Or(d.redisErr, errNoStory)
	}
	if s.messages, err = d.related(ctx, s.person, found); err != nil {
		return nil, err
	}
	for _, m := range s.messages {
		status, err := d.status(ctx, m.ID)
		if err != nil && d.redisErr == nil {
			return nil, err
		}
		s.inRedis[m.ID], s.claimed[m.ID] = status.State, status.Claimed
	}
	return s, nil
}

// begin returns the message with this id, or the messages of the request with it.
func (d *desk) begin(ctx context.Context, id string) ([]sqlstore.Message, error) {
	message, _, err := d.look(ctx, id)
	if err == nil {
		return []sqlstore.Message{message}, nil
	}
	if !errors.Is(err, errUnknown) && d.redisErr == nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	return d.messages.List(ctx, sqlstore.Filter{RequestID: id, Limit: storyMost})
}

// personOf returns the account with this id, or the account of the messages; nil where there is none.
func (d *desk) personOf(ctx context.Context, id string, found []sqlstore.Message) (*sqlstore.Person, error) {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	person, err := d.messages.Person(ctx, id)
	for _, m := range found {
		if !errors.Is(err, accounts.ErrNotFound) {
			break
		}
		if subject, code := verify.SubjectOf(m.ID); code {
			person, err = d.messages.PersonOf(ctx, subject)
		} else {
			person, err = d.messages.Person(ctx, m.AccountID)
		}
	}
	switch {
	case errors.Is(err, accounts.ErrNotFound):
		return nil, nil
	case err != nil:
		return nil, err
	}
	return &person, nil
}

// related adds the account's mails and the number's codes, and sorts all by time.
func (d *desk) related(ctx context.Context, person *sqlstore.Person, found []sqlstore.Message) (all []sqlstore.Message, err error) {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	subject, at := "", time.Time{}
	for _, m := range found {
		if of, code := verify.SubjectOf(m.ID); code {
			subject, at = of, m.CreatedAt.Time
			break
		}
	}
	var mails, codes []sqlstore.Message
	if person != nil {
		subject, at = person.Subject, person.CreatedAt.Time
		mails, err = d.messages.List(ctx, sqlstore.Filter{AccountID: person.ID, Limit: storyMost})
	}
	if err == nil && subject != "" {
		codes, err = d.messages.List(ctx, codesAround(subject, at))
	}
	all = slices.Concat(found, mails, codes)
	slices.SortFunc(all, func(a, b sqlstore.Message) int {
		return cmp.Or(a.CreatedAt.Compare(b.CreatedAt.Time), cmp.Compare(a.ID, b.ID))
	})
	return slices.CompactFunc(all, func(a, b sqlstore.Message) bool { return a.ID == b.ID }), err
}

// codesAround finds the codes of a number around a time. A code names no account: the number had none when it was issued.
func codesAround(subject string, at time.Time) sqlstore.Filter {
	if at.IsZero() { // a code that is not in the database yet
		at = time.Now()
	}
	return sqlstore.Filter{Subject: subject, Since: at.Add(-storyBefore), Until: at.Add(storyAfter), Limit: storyMost}
}

// event is one step of a story.
type event struct {
	At        time.Time        `json:"at"`
	Event     string           `json:"event"`
	AccountID string           `json:"account_id,omitempty"`
	MessageID string           `json:"message_id,omitempty"`
	Channel   messages.Channel `json:"channel,omitempty"`
	Purpose   string           `json:"purpose,omitempty"`
	To        string           `json:"to,omitempty"`
	RequestID string           `json:"request_id,omitempty"`
	Attempt   int              `json:"attempt,omitempty"`

	Provider     string `json:"provider,omitempty"`
	ProviderID   string `json:"provider_id,omitempty"`
	ProviderCode string `json:"provider_code,omitempty"`
	Reason       string `json:"reason,omitempty"`

	number int // of its message in the story, from 1
}

// events returns the steps in the order of time.
func (s *story) events() []event {
	var all []event
	if p := s.person; p != nil {
		all = append(all, event{At: p.CreatedAt.Time, Event: "created", AccountID: p.ID})
		if p.UpdatedAt.After(p.CreatedAt.Time) {
			all = append(all, event{At: p.UpdatedAt.Time, Event: "changed", AccountID: p.ID, Reason: standing(*p)})
		}
	}
	for i, m := range s.messages {
		for _, e := range eventsOf(m) {
			e.number = i + 1
			e.MessageID, e.Channel, e.Purpose, e.To = m.ID, m.Channel, m.Purpose, m.To
			e.RequestID, e.AccountID = m.RequestID, m.AccountID
			all = append(all, e)
		}
	}
	slices.SortStableFunc(all, func(a, b event) int { return a.At.Compare(b.At) })
	return all
}

// eventsOf returns the steps that the times of a message tell. Its row has the last time of each kind.
func eventsOf(m sqlstore.Message) []event {
	if m.CreatedAt.IsZero() {
		return nil
	}
	var events []event
	add := func(name string, at sqlstore.Stamp, e event) {
		if !at.IsZero() {
			e.Event, e.At = name, at.Time
			events = append(events, e)
		}
	}
	add(string(messages.Queued), m.CreatedAt, event{})
	if m.EnqueuedAt.Sub(m.CreatedAt.Time) >= time.Second {
		add("enqueued", m.EnqueuedAt, event{})
	}
	add("accepted", m.AcceptedAt, event{Provider: m.Provider, ProviderID: m.ProviderID})
	add(string(messages.Delivered), m.DeliveredAt, event{ProviderCode: m.ProviderCode})
	add("used", m.UsedAt, event{})
	last := event{Attempt: m.Attempt, Reason: m.Reason, Provider: m.Provider, ProviderCode: m.ProviderCode}
	switch m.State {
	case messages.Failed, messages.Undelivered, messages.Dropped, messages.Sending:
		add(string(m.State), m.UpdatedAt, last)
	case messages.Queued:
		if m.Attempt > 0 {
			add("waiting", m.UpdatedAt, last)
		}
	default:
	}
	return events
}
