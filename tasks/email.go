package tasks

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/hibiken/asynq"

	"usher/accounts"
	"usher/contact"
	"usher/messages"
	"usher/providers"
	"usher/queue"
	"usher/reasons"
	"usher/secrets"
)

// The types of tasks that send one mail. The mail's row says what is written; the type keeps a worker of an old release that
// knows no notices from sending one as an activation.
const (
	TypeEmailActivation = "email:activation"
	TypeEmailNotice     = "email:notice" // tells of a change: every purpose but the activation
)

func emailType(purpose accounts.MailPurpose) string {
	if cmp.Or(purpose, accounts.MailActivation) == accounts.MailActivation {
		return TypeEmailActivation
	}
	return TypeEmailNotice
}

// emailTask is the payload of both types: everything else is read from the outbox when the mail is claimed.
type emailTask struct {
	ID string `json:"id"` // of the mail in the outbox
}

func (p emailTask) validate() error {
	if p.ID == "" {
		return errors.New("payload lacks a field")
	}
	return nil
}

// EnqueueMail puts a new mail's task on the queue; it implements [accounts.Mailer]. When it fails, the relay enqueues it
// later.
func (e *Enqueuer) EnqueueMail(ctx context.Context, mail accounts.Mail) error {
	return e.EnqueueDue(ctx, accounts.DueMail{Mail: mail})
}

// EnqueueDue puts a mail's task on the queue, unless the same one is there already.
func (e *Enqueuer) EnqueueDue(ctx context.Context, due accounts.DueMail) error {
	_, err := e.enqueueDue(ctx, due, e.Clock.now())
	return err
}

// MailTaskID is the id of the task of a mail that was requeued so often.
func MailTaskID(id string, enqueues int) string { return fmt.Sprintf("%s:%d", id, enqueues) }

// enqueueDue reports whether the task existed.
func (e *Enqueuer) enqueueDue(ctx context.Context, due accounts.DueMail, issuedAt time.Time) (existed bool, err error) {
	return queue.Enqueue(ctx, e.Client, e.Tracer, queue.Task{
		Type: emailType(due.Purpose), Queue: e.Namespace.Queue(queue.Email), ID: MailTaskID(due.ID, due.Enqueues),
		Payload: emailTask{ID: due.ID}, RequestID: due.RequestID, IssuedAt: issuedAt,
	})
}

// MailClaims is where mails are claimed and their outcomes recorded; see [CodeClaims].
type MailClaims interface {
	Claim(ctx context.Context, id string, lease time.Duration) (accounts.ClaimedMail, error)
	Record(ctx context.Context, claim messages.Claim, outcome messages.Outcome) error
}

// MailNotes remembers attempts at mails outside of the database.
type MailNotes interface {
	// Note files that an attempt is about to be made. It reports false when it must not be made: a later one is known, so
	// the database was restored from an older dump.
	Note(ctx context.Context, id string, attempt int, until time.Time) (bool, error)
}

// BounceStore is where addresses without a mailbox are marked; sqlstore.Mails is one. Its claims say which are.
type BounceStore interface {
	MarkBounced(ctx context.Context, to contact.Email) error

	// HasBounced reports whether the address is marked, for a mail without a claim there. An address that was typed after it
	// was marked is no longer marked; the zero time means that it was not typed.
	HasBounced(ctx context.Context, to contact.Email, typedAt time.Time) (bool, error)
}

// Attempts that the notes or an earlier bounce forbid.
var (
	errSetBack = ourFault(providers.Rejected, reasons.SetBack,
		errors.New("a later attempt is noted: the database was restored from an older dump"))
	errBounced = ourFault(providers.Rejected, reasons.Bounced,
		errors.New("an earlier mail to this address came back: there is no such mailbox"))
	errNotNoted = ourFault(providers.Temporary, reasons.NotNoted, errors.New("the attempt could not be noted"))
)

// EmailHandler works tasks of the types [TypeEmailActivation], [TypeEmailNotice] and [TypeEmailCode]. It is safe for
// concurrent use.
type EmailHandler struct {
	Claims  MailClaims
	Codes   CodeClaims  // nil: codes are left to other workers
	Expired *Expired    // is notified of codes that had ended; may be nil
	Notes   MailNotes   // nil: nothing is noted
	Bounces BounceStore // nil: no address is marked
	Sender  providers.EmailSender
	Keys    *secrets.Keys
	Mails   *Mails
	Timeout time.Duration // for the provider's answer
	Metrics *Metrics
	Clock   Clock

	// Slots bounds how many mails are claimed and not yet sent: a claim must not run out while its mail waits for
	// a connection. Nil bounds nothing.
	Slots chan struct{}

	// Breaker keeps mails back, unclaimed, while the mail server fails. Nil keeps none back.
	Breaker *providers.EmailBreaker
}

// ProcessTask claims the mail, writes it, sends it and records the outcome.
func (h *EmailHandler) ProcessTask(ctx context.Context, task *asynq.Task) error {
	var payload emailTask
	if err := decode(task, &payload); err != nil {
		return err
	}
	if err := h.Clock.known(); err != nil {
		return err
	}
	leave, err := h.enter(ctx)
	if err != nil {
		return err
	}
	outcome := providers.ErrNotAsked
	end := sync.OnceFunc(func() { leave(outcome) })
	defer end()
	mail, err := h.Claims.Claim(ctx, payload.ID, h.Timeout+leaseMargin)
	mail.Claim = h.Clock.local(mail.Claim)
	switch {
	case errors.Is(err, messages.ErrNotFound):
		return unknownMail(ctx, h.Metrics, err, h.Clock.now())
	case err != nil:
		return refusedClaim(ctx, h.Metrics, messages.Email, mail.Claim, err)
	}
	began := time.Now()
	receipt, err := guard(ctx, func() (providers.Receipt, error) { return h.send(ctx, mail) })
	if !errors.Is(err, errSetBack) && !errors.Is(err, errBounced) {
		outcome = err
	}
	end() // to record an outcome takes no slot
	h.markBounced(ctx, mail.Recipient(), err)
	return conclude(ctx, conclusion{
		claim: mail.Claim, verdict: judge(mail.Claim, receipt, err, time.Now()),
		channel: messages.Email, to: mail.Recipient().String(),
		record: h.Claims.Record, metrics: h.Metrics, clock: h.Clock, began: began,
	})
}

// markTimeout bounds the marking of an address, during which the claim runs on.
const markTimeout = 2 * time.Second

// slotWait bounds the wait for a slot: the attempt after it must fit into a task's time, and a task that waits longer
// counts as stuck.
const slotWait = 20 * time.Second

// errNoSlot is the end of a task that got no slot in time. It is no attempt.
var errNoSlot = errors.New("the worker has no free slot to send the mail in")

// breakerPause is the pause of a mail that the open breaker has kept back for as long as a task may wait.
const breakerPause = 4 * time.Second

// enter waits for a slot, and until the breaker lets a mail pass; leave gives the slot back and tells the breaker the
// outcome. A task that waits when the worker begins to end leaves the mail to other workers.
func (h *EmailHandler) enter(ctx context.Context) (leave func(error), err error) {
	drain := shutdownOf(ctx).drain
	ctx, cancel := context.WithTimeout(ctx, slotWait)
	defer cancel()
	defer context.AfterFunc(drain, cancel)()
	turnedAway := func(pause time.Duration, err error) error {
		if drain.Err() != nil {
			return &retryAt{time.Now(), errStopping}
		}
		return &retryAt{time.Now().Add(pause), err}
	}
	slots := h.Slots
	if slots == nil {
		slots = make(chan struct{}, 1)
	}
	select {
	case slots <- struct{}{}:
	case <-ctx.Done():
		return nil, turnedAway(0, errNoSlot)
	}
	report := func(error) {}
	if h.Breaker != nil {
		if report, err = h.Breaker.Enter(ctx); err != nil {
			<-slots
			return nil, turnedAway(breakerPause, err)
		}
	}
	return func(err error) {
		report(err)
		<-slots
	}, nil
}

// send writes and sends the mail, unless [messages.MaxSends] is reached: a mail server cannot be asked for an outcome.
func (h *EmailHandler) send(ctx context.Context, mail accounts.ClaimedMail) (providers.Receipt, error) {
	if mail.Bounced {
		return providers.Receipt{}, errBounced
	}
	if !mail.MaySend() {
		return providers.Receipt{}, providers.GivenUpError("worker")
	}
	tokens, err := tokensOf(h.Keys, mail)
	if err != nil {
		return providers.Receipt{}, ourFault(providers.Misconfigured, reasons.Token, err)
	}
	email, err := h.Mails.Write(mail, tokens)
	if err != nil {
		return providers.Receipt{}, ourFault(providers.Misconfigured, reasons.Template, err)
	}
	return whileClaimed(ctx, mail.Claim, func(ctx context.Context) (providers.Receipt, error) {
		if err := h.note(ctx, mail); err != nil {
			return providers.Receipt{}, err
		}
		return h.Sender.SendEmail(ctx, email)
	})
}

// note files the attempt, or says why it must not be made.
func (h *EmailHandler) note(ctx context.Context, mail accounts.ClaimedMail) error {
	if h.Notes == nil {
		return nil
	}
	noted, err := h.Notes.Note(ctx, mail.ID, mail.Attempt, mail.Mail.NotAfter)
	switch {
	case err != nil:
		logger(ctx).Warn("attempt at a mail not noted", "error", err)
		return errNotNoted
	case !noted:
		return errSetBack
	}
	return nil
}

// markBounced marks an address of which the mail server has said that there is no such mailbox. It is best effort: otherwise the
// next mail is refused again.
func (h *EmailHandler) markBounced(ctx context.Context, to contact.Email, err error) {
	refused, ok := errors.AsType[*providers.Error](err)
	if !ok || !refused.NoMailbox || h.Bounces == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), markTimeout)
	defer cancel()
	if err := h.Bounces.MarkBounced(ctx, to); err != nil {
		logger(ctx).Warn("address without a mailbox not marked; the next mail is refused again", "error", err)
		return
	}
	h.Metrics.bounces.Inc()
}

// tokensOf derives the tokens of a mail's links. A mail without links has none.
func tokensOf(keys *secrets.Keys, mail accounts.ClaimedMail) (tokens Tokens, err error) {
	switch {
	case emailType(mail.Mail.Purpose) == TypeEmailActivation:
		if tokens.Link, err = accounts.ActivationToken(keys, mail); err == nil {
			tokens.Decline, err = accounts.DeclineToken(keys, mail)
		}
	case mail.Mail.Facts.Change != "":
		tokens.Link, err = accounts.UndoToken(keys, mail)
	}
	return tokens, err
}
