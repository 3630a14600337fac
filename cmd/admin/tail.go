package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/term"

	"usher/accounts"
	"usher/app"
	"usher/app/front"
	"usher/contact"
	"usher/messages"
	"usher/secrets"
	"usher/store/sqlstore"
	"usher/verify"
)

const tailHelp = `usage: admin tail [FLAGS] [ID]

Follows one sign-up and prints each step when it happens, until it has an outcome, -for has passed, or Ctrl-C. ID is the id
of a request (answers, logs and tasks have it), of a message (a code or a mail) or of an account.

With -person the user name, number or address is asked for, or read from a pipe: as an argument other users of this machine
would see it. This needs the settings of the API, its keys included. Without ID and -person it prints each message that
finishes, for all people. Numbers and addresses are masked. Steps are read from the database and from Redis.
`

// Bounds of a tail.
const (
	tailEvery = 500 * time.Millisecond
	tailFor   = 15 * time.Minute
	tailMost  = 24 * time.Hour
	tailBack  = 15 * time.Minute // since when a message was requested that may finish now
	tailRows  = 1000             // newest messages that are looked at
	tailQuiet = 5 * time.Second  // without a step, after which a sign-up with an outcome has ended
	tailInput = 400              // bytes of a name, number or address
	tailAgain = 15 * time.Second // between two searches for an account, each of which is audited
)

// tail follows sign-ups.
func tail(ctx context.Context, p app.Process) error {
	return tailFrom(ctx, p, os.Stdin, term.IsTerminal(int(os.Stdin.Fd())))
}

func tailFrom(ctx context.Context, p app.Process, in io.Reader, terminal bool) error {
	flags := newFlags("tail", tailHelp)
	t := newTailer(p.Stdout)
	flags.BoolVar(&t.asJSON, "json", false, "print the steps as JSON, one a line")
	byPerson := flags.Bool("person", false, "ask for the user name, number or address")
	longest := flags.Duration("for", tailFor, "longest `time` to follow")
	ids, err := parseIDs(flags, p)
	switch {
	case err != nil:
		return err
	case len(ids) > 1 || *byPerson && len(ids) > 0:
		return &app.UsageError{Text: "want: admin tail [FLAGS] [ID], or admin tail -person"}
	case *longest <= 0 || *longest > tailMost:
		return &app.UsageError{Text: "-for: want a duration up to 24h"}
	}
	follow := t.all
	switch {
	case *byPerson:
		if err := t.ask(p, in, terminal); err != nil {
			return err
		}
		follow = t.one
	case len(ids) == 1:
		t.id, follow = ids[0], t.one
	}
	if t.desk, err = openDesk(ctx, p); err != nil {
		return err
	}
	defer t.desk.close()
	t.until = t.began.Add(*longest)
	return t.run(ctx, p, follow)
}

// tailer prints steps once each.
type tailer struct {
	desk   *desk
	out    io.Writer
	asJSON bool
	quiet  time.Duration
	until  time.Time // zero: no end

	id      string // of a request, message or account
	login   string // or a person's name, number or address
	subject string // of that number or address
	api     front.Settings
	account string    // its id, once it is there
	sought  time.Time // when it was last searched for

	began time.Time
	seen  map[string]bool // steps that were printed
	last  time.Time       // when the latest of them was
	lost  bool            // Redis does not answer, which was said
}

func newTailer(out io.Writer) *tailer {
	return &tailer{out: out, seen: map[string]bool{}, quiet: tailQuiet, began: time.Now()}
}

// run looks at the stores until follow says that all is done, or ctx ends, which is no error.
func (t *tailer) run(ctx context.Context, p app.Process, follow func(context.Context) (bool, error)) error {
	ticker := time.NewTicker(tailEvery)
	defer ticker.Stop()
	for {
		done, err := follow(ctx)
		if ctx.Err() != nil {
			return nil // the operator has ended it
		}
		if done || err != nil {
			return err
		}
		if !t.until.IsZero() && time.Now().After(t.until) {
			_, err := fmt.Fprintln(p.Stderr, "No outcome in this time; -for follows longer.")
			return err
		}
		if t.desk.redisErr != nil && !t.lost {
			t.lost = true
			_, _ = fmt.Fprintln(p.Stderr, "Redis does not answer, so steps appear once they are in the database.")
		}
		t.desk.redisErr = nil // it is asked again
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// ask reads whom to follow. It is never printed.
func (t *tailer) ask(p app.Process, in io.Reader, terminal bool) error {
	if terminal {
		_, _ = fmt.Fprint(p.Stderr, "User name, number or address: ")
	}
	line, err := bufio.NewReader(io.LimitReader(in, tailInput)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("read the name: %w", err)
	}
	if t.login = strings.TrimSpace(line); t.login == "" {
		return &app.UsageError{Text: "-person: want a user name, a number or an address"}
	}
	if t.api, err = front.Load(p.Environ); err != nil {
		return err
	}
	of, err := regions(p)
	if err != nil {
		return err
	}
	if mobile, err := of.ParseAny(t.login); err == nil {
		t.subject = verify.SubjectFor(t.api.Keys, mobile)
	} else if email, err := contact.ParseEmail(t.login); err == nil {
		t.subject = verify.SubjectFor(t.api.Keys, email)
	}
	return nil
}

// find returns the story so far; nil while there is none yet.
func (t *tailer) find(ctx context.Context) (*story, error) {
	id := t.id
	if t.login != "" {
		if err := t.search(ctx, t.api.Keys); err != nil {
			return nil, err
		}
		switch {
		case t.account != "":
			id = t.account
		case t.subject == "":
			return nil, nil //nolint:nilnil // the account is not there yet
		default:
			return t.codes(ctx)
		}
	}
	found, err := t.desk.story(ctx, id)
	if errors.Is(err, errNoStory) {
		return nil, nil //nolint:nilnil // a request may be followed before its message is stored
	}
	return found, err
}

// search finds the account of the name, number or address, if there is one yet.
func (t *tailer) search(ctx context.Context, keys *secrets.Keys) error {
	if t.account != "" || time.Since(t.sought) < tailAgain {
		return nil
	}
	t.sought = time.Now()
	service := &accounts.Service{
		Store: sqlstore.NewAccounts(t.desk.db, keys), Keys: keys, Policy: accounts.Policy{Regions: t.api.Regions}, Now: time.Now,
	}
	admin := &accounts.Administration{Service: service, Directory: sqlstore.NewDirectory(t.desk.db, keys)}
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	found, err := admin.LookUp(ctx, t.login)
	switch {
	case err != nil:
		return err
	case len(found) > 1:
		return fmt.Errorf("%d accounts match: choose one with admin accounts find, and follow its id", len(found))
	case len(found) == 1:
		t.account = found[0].ID
	}
	return nil
}

// codes is the story of a number or address without an account: its codes.
func (t *tailer) codes(ctx context.Context) (*story, error) {
	s := newStory()
	asked, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	var err error
	if s.messages, err = t.desk.messages.List(asked, codesAround(t.subject, t.began)); err != nil {
		return nil, err
	}
	slices.Reverse(s.messages)
	for _, m := range s.messages {
		status, err := t.desk.status(ctx, m.ID)
		if err != nil && t.desk.redisErr == nil {
			return nil, err
		}
		s.inRedis[m.ID], s.claimed[m.ID] = status.State, status.Claimed
	}
	return s, nil
}

// one prints new steps of one sign-up. It is done when each of its messages has an outcome and nothing happened for a moment.
func (t *tailer) one(ctx context.Context) (done bool, err error) {
	s, err := t.find(ctx)
	if err != nil || s == nil {
		return false, err
	}
	for _, e := range s.steps() {
		if err := t.print(e); err != nil {
			return false, err
		}
	}
	if !s.ended() || time.Since(t.last) < t.quiet {
		return false, nil
	}
	if !t.asJSON {
		_, err = fmt.Fprintf(t.out, "Outcome: %s\n", s.outcome())
	}
	return true, err
}

// steps are the events of a story, and those that only Redis knows yet.
func (s *story) steps() []event {
	all := s.events()
	add := func(i int, name string) {
		m := s.messages[i]
		if !slices.ContainsFunc(all, func(e event) bool { return e.MessageID == m.ID && e.Event == name }) {
			all = append(all, event{
				At: time.Now(), Event: name, MessageID: m.ID, Channel: m.Channel, Purpose: m.Purpose, To: m.To, RequestID: m.RequestID, number: i + 1,
			})
		}
	}
	for i, m := range s.messages {
		state := s.inRedis[m.ID]
		if state != "" && (state != m.State || m.CreatedAt.IsZero()) { // else the database has it
			if state == messages.Sent {
				state = "accepted"
			}
			add(i, string(state))
		}
		if s.claimed[m.ID] {
			add(i, "claimed")
		}
	}
	return all
}

// ended tells whether every message has an outcome. An accepted SMS may still get a report.
func (s *story) ended() bool {
	return len(s.messages) > 0 && !slices.ContainsFunc(s.messages, func(m sqlstore.Message) bool { return !finishedState(m) })
}

func finishedState(m sqlstore.Message) bool {
	switch m.State {
	case messages.Delivered, messages.Undelivered, messages.Failed, messages.Dropped:
		return true
	case messages.Sent:
		return m.Channel == messages.Email || !m.UsedAt.IsZero()
	default:
		return false
	}
}

// outcome is one sentence about the whole.
func (s *story) outcome() string {
	var parts []string
	if s.person != nil {
		parts = append(parts, "account "+standing(*s.person))
	}
	for i, m := range s.messages {
		state := s.stateOf(m)
		if !m.UsedAt.IsZero() {
			state = "used"
		}
		parts = append(parts, fmt.Sprintf("#%d %s %s", i+1, m.Purpose, state))
	}
	return strings.Join(parts, "; ")
}

// all prints each message that finishes.
func (t *tailer) all(ctx context.Context) (done bool, err error) {
	asked, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	list, err := t.desk.messages.List(asked, sqlstore.Filter{Since: time.Now().Add(-tailBack), Limit: tailRows})
	if err != nil {
		return false, err
	}
	for _, m := range slices.Backward(list) {
		if m.State == messages.Queued || m.State == messages.Sending {
			continue
		}
		for _, e := range eventsOf(m) {
			if e.Event == string(messages.Queued) || e.At.Before(t.began) {
				continue
			}
			e.MessageID, e.Channel, e.Purpose, e.To, e.RequestID, e.AccountID = m.ID, m.Channel, m.Purpose, m.To, m.RequestID, m.AccountID
			if err := t.print(e); err != nil {
				return false, err
			}
		}
	}
	return false, nil
}

// print prints a step, unless it was printed before.
func (t *tailer) print(e event) error {
	key := fmt.Sprint(cmp.Or(e.MessageID, e.AccountID), " ", e.Event, " ", e.Attempt, " ", e.Reason)
	if t.seen[key] {
		return nil
	}
	t.seen[key], t.last = true, time.Now()
	if t.asJSON {
		return printJSON(t.out, "", e)
	}
	about := "account"
	switch {
	case e.number > 0:
		about = fmt.Sprintf("#%d %s %s %s", e.number, e.Channel, e.Purpose, cell(e.To))
	case e.MessageID != "":
		about = fmt.Sprintf("%s %s %s %s", e.MessageID, e.Channel, e.Purpose, cell(e.To))
	}
	_, err := fmt.Fprintf(t.out, "%s  %s: %s\n", e.At.UTC().Format(momentLayout), about, e.sentence())
	return err
}
