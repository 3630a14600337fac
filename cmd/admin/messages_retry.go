package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"

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

Requeues messages that failed, were dropped or did not arrive, as long as they are useful: a mail until its link expires,
is used or is replaced; a code until it expires, is used or is replaced, and only if no provider has accepted it. Workers
send them within seconds.

-all accepts the flags of list; -state dead is the default. It shows how many messages ended for which reason and what
would be done with them, and asks. What has expired is counted and not sent. -rate bounds the messages a second. Run again,
it leaves alone what it has requeued. Exit codes: 0 all that are useful were requeued, 1 some were not, with the reason, 2
wrong flags.
`

type retryFlags struct {
	all, yes, dryRun, force, asJSON bool

	rate int // messages a second
}

// check refuses flags that contradict each other, and a question where no terminal can answer it.
func (f *retryFlags) check(flags *flag.FlagSet, ids []string, terminal bool) error {
	filtered, unasked := retryFilter(flags), f.yes || f.dryRun
	switch {
	case f.all == (len(ids) > 0):
		return &app.UsageError{Text: "want: admin messages retry ID..., or admin messages retry -all [FLAGS]"}
	case !f.all && filtered != "":
		return &app.UsageError{Text: "-" + filtered + " needs -all"}
	case f.asJSON && !f.all:
		return &app.UsageError{Text: "-json needs -all"}
	case f.rate < 1 || f.rate > bulkRateMost:
		return &app.UsageError{Text: fmt.Sprintf("-rate: want 1 to %d", bulkRateMost)}
	case f.asJSON && !unasked:
		return &app.UsageError{Text: "-json asks nothing: use -yes or -dry-run"}
	case f.all && !unasked && !terminal:
		return &app.UsageError{Text: "-all asks before it changes anything, and there is no terminal: use -yes to skip the question, or -dry-run"}
	}
	return nil
}

// retryFilter returns the name of a flag that filters messages; "" if there is none.
func retryFilter(flags *flag.FlagSet) (name string) {
	own := []string{"all", "yes", "dry-run", "force", "json", "rate"}
	flags.Visit(func(set *flag.Flag) {
		if !slices.Contains(own, set.Name) {
			name = set.Name
		}
	})
	return name
}

func retryMessages(ctx context.Context, p app.Process) error {
	flags := newFlags("messages retry", retryHelp)
	var f retryFlags
	flags.BoolVar(&f.all, "all", false, "every message that matches the other flags")
	flags.BoolVar(&f.yes, "yes", false, "do not ask")
	flags.BoolVar(&f.dryRun, "dry-run", false, "show what would be done with each message, and change nothing")
	flags.BoolVar(&f.asJSON, "json", false, "print the counts as one JSON object")
	flags.IntVar(&f.rate, "rate", bulkRate, "most messages a `second` that -all requeues")
	flags.BoolVar(&f.force, "force", false, "also mails that were sent: they arrive twice")
	var filter sqlstore.Filter
	filterFlags(flags, &filter, sqlstore.ListMost)
	ids, err := parseIDs(flags, p)
	if err != nil {
		return err
	}
	if err := f.check(flags, ids, term.IsTerminal(int(os.Stdin.Fd()))); err != nil {
		return err
	}
	if err := checkFilter(p, &filter); err != nil {
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
	return r.retryBulk(ctx, p, f, filter, os.Stdin)
}

// errNotAll is the error of a run that could not requeue every message.
var errNotAll = errors.New("not every message can be requeued")

// retrier requeues messages and prints the result of each.
type retrier struct {
	desk    *desk
	archive *tasks.Archive
	force   bool
	out     io.Writer
}

// all requeues messages one by one, so that a failure leaves the others as printed.
func (r *retrier) all(ctx context.Context, ids []string, dryRun bool) error {
	done, put, not, were := 0, "requeued; a worker sends it within seconds", "not requeued", "were"
	if dryRun {
		put, not, were = "would be requeued", "would not be requeued", "would be"
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

// one requeues a message, or returns a sentence that tells why it did not. An error ends the run: it would be the same
// for all messages.
func (r *retrier) one(ctx context.Context, id string, dryRun bool) (sentence string, err error) {
	if _, code := verify.SubjectOf(id); code {
		reason, err := r.code(ctx, id, dryRun)
		switch {
		case r.desk.redisErr != nil:
			return "Redis, where codes are kept, does not answer", nil
		case errors.Is(err, tasks.ErrTaskLive):
			return "its task is on the queue already; check again in a minute", nil
		case errors.Is(err, tasks.ErrTaskGone):
			return "its task is gone, and the number or address with it, for example because a provider accepted the message; " +
				"the user can request a new code", nil
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
		// The operator decides against the note of an attempt that a restored database does not know. While Redis is
		// unavailable the note stays, and the mail may be held back again.
		_ = r.desk.askRedis(ctx, func(ctx context.Context) error { return r.desk.notes.Forget(ctx, id) })
		reason, err = r.desk.messages.Retry(ctx, id, how)
	}
	if err != nil || reason != string(messages.Queued) {
		return mailSentence(reason), err
	}
	// The mail waits: either its task is on the queue, or an operator archived or deleted the task.
	var live bool
	err = r.desk.askRedis(ctx, func(context.Context) error {
		message, err := r.desk.messages.Find(ctx, id)
		if err == nil {
			live, err = r.archive.MailIsLive(id, message.Enqueues)
		}
		return err
	})
	switch {
	case r.desk.redisErr != nil:
		return "it waits in the database, and Redis, which has its task, does not answer", nil
	case err != nil:
		return "", err
	case live:
		return mailSentence(reason), nil
	}
	how.Stuck = true
	reason, err = r.desk.messages.Retry(ctx, id, how)
	return mailSentence(reason), err
}

// code checks that the task exists before it changes anything: a queued code without a task would never be sent.
func (r *retrier) code(ctx context.Context, id string, dryRun bool) (reason string, err error) {
	err = r.desk.askRedis(ctx, func(ctx context.Context) error {
		refused, err := r.desk.codes.Retry(ctx, id, true)
		if reason = refused; err != nil || reason != "" {
			return err
		}
		task, err := r.archive.FindCode(id)
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

// codeSentence tells why a code was not requeued; empty when it was.
func codeSentence(reason string) string {
	switch reason {
	case "":
		return ""
	case "missing":
		return "Redis does not know this code any more; the user can request a new one"
	case "used":
		return "the code was used"
	case "expired":
		return "the code has expired; the user can request a new one"
	case "superseded":
		return "a newer code replaced it"
	case "canceled":
		return "the app that asked for it has canceled it"
	case string(messages.Queued), string(messages.Sending):
		return "it is being sent"
	case string(messages.Sent), string(messages.Delivered):
		return "a provider has accepted it: a code is not sent twice; the user can request a new one"
	default:
		return "it is " + reason + "; the user can request a new one"
	}
}

// mailSentence tells why a mail was not requeued; empty when it was.
func mailSentence(reason string) string {
	switch reason {
	case "":
		return ""
	case "missing":
		return "no message has this id"
	case "used":
		return "the address is already proved"
	case "superseded":
		return "a newer mail replaced its link"
	case "unproved":
		return "the account has no proved address for it"
	case "expired":
		return "it has expired; for an activation the user can request a new link"
	case string(messages.Queued), string(messages.Sending):
		return "it is being sent"
	case string(messages.Sent), string(messages.Delivered):
		return "it was sent; -force sends it a second time"
	default:
		return "it was changed at the same moment; check it again"
	}
}
