package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/hibiken/asynq"
	"golang.org/x/term"

	"usher/app"
	"usher/messages"
	"usher/store/sqlstore"
	"usher/tasks"
	"usher/verify"
)

const retryHelp = `usage: admin messages retry [FLAGS] ID...
       admin messages retry -all [FLAGS]

Puts messages back that failed, were dropped or did not arrive, while somebody still waits for them: a mail until its
link ends, is used or is replaced; a code until it ends, is used or is replaced, and only when no provider has taken
it. Workers try them within seconds.

-all takes the flags of list (without -state: -state dead) and leaves out what has ended. It shows what it would do
and asks. Exit codes: 0 all were put back, 1 some were not, each with the reason, 2 wrong flags.
`

type retryFlags struct {
	all, yes, dryRun, force bool
	wanted                  filterFlags
}

func (f *retryFlags) register(flags *flag.FlagSet) {
	flags.BoolVar(&f.all, "all", false, "every message that the other flags let pass")
	flags.BoolVar(&f.yes, "yes", false, "do not ask")
	flags.BoolVar(&f.dryRun, "dry-run", false, "say what would become of each, and do nothing")
	flags.BoolVar(&f.force, "force", false, "also mails that were sent: people get them twice")
	f.wanted.register(flags, sqlstore.ListMost)
}

// check refuses what does not go together, and questions that nobody is there to answer.
func (f *retryFlags) check(flags *flag.FlagSet, ids []string, terminal bool) error {
	own := []string{"all", "yes", "dry-run", "force"}
	filtered := ""
	flags.Visit(func(set *flag.Flag) {
		if !slices.Contains(own, set.Name) {
			filtered = set.Name
		}
	})
	switch {
	case f.all == (len(ids) > 0):
		return &app.UsageError{Text: "want: admin messages retry ID..., or admin messages retry -all [FLAGS]"}
	case !f.all && filtered != "":
		return &app.UsageError{Text: "-" + filtered + " goes with -all only"}
	case f.all && !f.yes && !f.dryRun && !terminal:
		return &app.UsageError{Text: "-all asks before it does anything, and there is no terminal: " +
			"-yes goes on without, -dry-run only looks"}
	}
	return nil
}

func retryMessages(ctx context.Context, p app.Process) error {
	flags := newFlags("messages retry", retryHelp)
	var f retryFlags
	f.register(flags)
	ids, err := parseIDs(flags, p)
	if err != nil {
		return err
	}
	if err := f.check(flags, ids, term.IsTerminal(int(os.Stdin.Fd()))); err != nil {
		return err
	}
	filter, err := f.wanted.parse(time.Now())
	if err != nil {
		return err
	}
	d, err := openDesk(ctx, p)
	if err != nil {
		return err
	}
	defer d.close()
	archive := &tasks.Archive{Inspector: asynq.NewInspectorFromRedisClient(d.client), Namespace: d.namespace}
	r := &retrier{desk: d, archive: archive, force: f.force, out: p.Stdout}
	if !f.all {
		return r.all(ctx, ids, f.dryRun)
	}
	if ids, err = d.retryable(ctx, filter); err != nil {
		return err
	}
	if len(ids) == 0 {
		_, err := fmt.Fprintln(p.Stdout, "No messages fit that could still be of use.")
		return err
	}
	if f.dryRun {
		return r.all(ctx, ids, true)
	}
	if !f.yes {
		planErr := r.all(ctx, ids, true)
		if planErr != nil && !errors.Is(planErr, errNotAll) {
			return planErr
		}
		if !confirmed(os.Stdin, p.Stdout) {
			_, err := fmt.Fprintln(p.Stdout, "Nothing was done.")
			return err
		}
	}
	return r.all(ctx, ids, false)
}

// retryable lists the ids of messages that fit and have not ended, the oldest first.
func (d *desk) retryable(ctx context.Context, filter sqlstore.Filter) ([]string, error) {
	if len(filter.States) == 0 {
		filter.States = deadStates()
	}
	filter.Alive = time.Now()
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	list, err := d.messages.List(ctx, filter)
	ids := make([]string, 0, len(list))
	for _, m := range slices.Backward(list) {
		ids = append(ids, m.ID)
	}
	return ids, err
}

// confirmed asks; anything but a clear yes is a no.
func confirmed(in io.Reader, out io.Writer) bool {
	_, _ = fmt.Fprint(out, "Go on? [y/N] ")
	line, _ := bufio.NewReader(io.LimitReader(in, 100)).ReadString('\n')
	answer := strings.ToLower(strings.TrimSpace(line))
	return answer == "y" || answer == "yes"
}

// errNotAll is the end of a run that could not put everything back.
var errNotAll = errors.New("not every message can be put back")

// retrier puts messages back, each with a sentence on what became of it.
type retrier struct {
	desk    *desk
	archive *tasks.Archive
	force   bool
	out     io.Writer
}

func (r *retrier) all(ctx context.Context, ids []string, dryRun bool) error {
	done, put, not, were := 0, "put back; a worker tries it within seconds", "not put back", "were"
	if dryRun {
		put, not, were = "would be put back", "would not be put back", "would be"
	}
	for _, id := range ids {
		reason, err := r.one(ctx, id, dryRun)
		switch {
		case err != nil:
			return err
		case reason == "":
			done++
			_, err = fmt.Fprintf(r.out, "%s: %s\n", cell(id), put)
		default:
			_, err = fmt.Fprintf(r.out, "%s: %s: %s\n", cell(id), not, reason)
		}
		if err != nil {
			return err
		}
	}
	if done < len(ids) {
		return fmt.Errorf("%w: %d of %d %s", errNotAll, done, len(ids), were)
	}
	return nil
}

// one puts a message back, and returns a sentence when it did not. An error is one that the others would meet too.
func (r *retrier) one(ctx context.Context, id string, dryRun bool) (sentence string, err error) {
	if _, code := verify.SubjectOf(id); code {
		reason, err := r.code(ctx, id, dryRun)
		switch {
		case r.desk.away != nil:
			return "Redis, where codes live, does not answer", nil
		case errors.Is(err, tasks.ErrTaskLive):
			return "its task is on the queue already; look again in a minute", nil
		case errors.Is(err, tasks.ErrTaskGone):
			return "its task is gone, and with it the number, as when a provider took the message; " +
				"the person can ask for a new code", nil
		case err != nil:
			return "", err
		}
		return codeSentence(reason), nil
	}
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	how := sqlstore.Retry{Force: r.force, DryRun: true}
	reason, err := r.desk.messages.Retry(ctx, id, how)
	how.DryRun = dryRun
	if err == nil && reason == "" && !dryRun {
		// The operator's word counts more than the note of an attempt that the database does not know any more. With
		// Redis away the note stays, and the mail may be refused once more.
		_ = r.desk.askRedis(ctx, func(ctx context.Context) error { return r.desk.notes.Forget(ctx, id) })
		reason, err = r.desk.messages.Retry(ctx, id, how)
	}
	if err != nil || reason != string(messages.Queued) {
		return mailSentence(reason), err
	}
	// It waits: whether for its turn, for its next attempt, or for a task that an operator archived or deleted.
	var live bool
	err = r.desk.askRedis(ctx, func(context.Context) error {
		message, err := r.desk.messages.Find(ctx, id)
		if err == nil {
			live, err = r.archive.MailIsLive(id, message.Enqueues)
		}
		return err
	})
	switch {
	case r.desk.away != nil:
		return "it waits in the database, and Redis, where its task is, does not answer", nil
	case err != nil:
		return "", err
	case live:
		return mailSentence(reason), nil
	}
	how.Stuck = true
	reason, err = r.desk.messages.Retry(ctx, id, how)
	return mailSentence(reason), err
}

// code sees that the task is there before it changes anything: a code that counts as queued without a task
// would never be sent.
func (r *retrier) code(ctx context.Context, id string, dryRun bool) (reason string, err error) {
	err = r.desk.askRedis(ctx, func(ctx context.Context) error {
		refused, err := r.desk.codes.Retry(ctx, id, true)
		if reason = refused; err != nil || reason != "" {
			return err
		}
		task, err := r.archive.FindSMSCode(id)
		if err != nil || dryRun {
			return err
		}
		if reason, err = r.desk.codes.Retry(ctx, id, false); err != nil || reason != "" {
			return err
		}
		return r.archive.Run(task)
	})
	return reason, err
}

func codeSentence(reason string) string {
	switch reason {
	case "":
		return ""
	case "missing":
		return "Redis does not know this code any more; the person can ask for a new one"
	case "used":
		return "the code has been used"
	case "expired":
		return "the code has ended; the person can ask for a new one"
	case "superseded":
		return "a newer code has replaced it"
	case string(messages.Queued), string(messages.Sending):
		return "it is on its way"
	case string(messages.Sent), string(messages.Delivered):
		return "a provider has taken it: a code is not sent twice; the person can ask for a new one"
	default:
		return "it is " + reason + "; the person can ask for a new one"
	}
}

func mailSentence(reason string) string {
	switch reason {
	case "":
		return ""
	case "missing":
		return "no message has this id"
	case "used":
		return "the address is proved already"
	case "superseded":
		return "a newer mail has replaced its link"
	case "unproved":
		return "the account has no proved address that it could go to"
	case "expired":
		return "its time is over; for an activation the person can ask for a new link"
	case string(messages.Queued), string(messages.Sending):
		return "it is on its way"
	case string(messages.Sent), string(messages.Delivered):
		return "it was sent; -force sends it a second time"
	default:
		return "somebody else changed it at this moment; look at it again"
	}
}
