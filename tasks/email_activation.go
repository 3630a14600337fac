package tasks

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hibiken/asynq"

	"usher/accounts"
	"usher/messages"
	"usher/providers"
	"usher/secrets"
)

// TypeEmailActivation sends one activation mail.
const TypeEmailActivation = "email:activation"

// emailActivation is the payload: everything else is read from the outbox when the mail is claimed.
type emailActivation struct {
	ID string `json:"id"` // of the mail in the outbox
}

func (p emailActivation) validate() error {
	if p.ID == "" {
		return errors.New("payload lacks a field")
	}
	return nil
}

// EnqueueActivation puts a new mail's task on the queue; it implements [accounts.Mailer]. When it fails
// the relay does it later.
func (e *Enqueuer) EnqueueActivation(ctx context.Context, mail accounts.Mail) error {
	return e.EnqueueDue(ctx, accounts.DueMail{Mail: mail})
}

// EnqueueDue puts a mail's task on the queue, unless the same one is there already.
func (e *Enqueuer) EnqueueDue(ctx context.Context, due accounts.DueMail) error {
	return e.enqueue(ctx, TypeEmailActivation, due.RequestID, emailActivation{ID: due.ID},
		asynq.Queue(QueueEmail),
		asynq.TaskID(fmt.Sprintf("%s:%d", due.ID, due.Enqueues)),
		asynq.MaxRetry(maxRetry),
		asynq.Timeout(handlerTimeout),
	)
}

// MailClaims is where mails are claimed and their outcomes recorded; see [SMSClaims].
type MailClaims interface {
	Claim(ctx context.Context, id string, lease time.Duration) (accounts.ClaimedMail, error)
	Record(ctx context.Context, claim messages.Claim, outcome messages.Outcome) error
}

// EmailActivationHandler works tasks of type [TypeEmailActivation]. It is safe for concurrent use.
type EmailActivationHandler struct {
	Claims  MailClaims
	Sender  providers.EmailSender
	Keys    *secrets.Keys
	Mails   *Mails
	Timeout time.Duration // for the provider's answer
	Metrics *Metrics
}

// ProcessTask claims the mail, writes it, sends it and records how that ended.
func (h *EmailActivationHandler) ProcessTask(ctx context.Context, task *asynq.Task) error {
	var payload emailActivation
	if err := decode(task, &payload); err != nil {
		return err
	}
	mail, err := h.Claims.Claim(ctx, payload.ID, h.Timeout+leaseMargin)
	if err != nil {
		return refusedClaim(ctx, h.Metrics, messages.Email, mail.Claim, err)
	}
	receipt, err := h.send(ctx, mail)
	return conclude(ctx, conclusion{
		claim: mail.Claim, verdict: judge(mail.Claim, receipt, err, time.Now()),
		channel: messages.Email, to: mail.Account.Email.String(),
		record: h.Claims.Record, metrics: h.Metrics,
	})
}

func (h *EmailActivationHandler) send(ctx context.Context, mail accounts.ClaimedMail) (providers.Receipt, error) {
	token, err := accounts.ActivationToken(h.Keys, mail)
	if err != nil {
		return providers.Receipt{}, ourFault(providers.Misconfigured, "token", err)
	}
	email, err := h.Mails.Activation(mail, token)
	if err != nil {
		return providers.Receipt{}, ourFault(providers.Misconfigured, "template", err)
	}
	return whileClaimed(ctx, mail.Claim, func(ctx context.Context) (providers.Receipt, error) {
		return h.Sender.SendEmail(ctx, email)
	})
}
