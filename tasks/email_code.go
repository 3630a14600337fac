package tasks

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/hibiken/asynq"

	"usher/contact"
	"usher/messages"
	"usher/providers"
	"usher/reasons"
	"usher/verify"
)

// TypeEmailCode sends one verification code by mail.
const TypeEmailCode = "email:code"

// CodeMail is a mail with a code, and what to write into it.
type CodeMail struct {
	ID       string // of the code
	To       contact.Email
	Purpose  verify.Purpose
	Code     string
	Token    string        // of the link that carries the code; empty: there is no link
	Life     time.Duration // of the code, whatever is left of it: each attempt writes the same mail
	Language string        // zh or en; empty means zh
	App      string        // name of the app whose code it is; empty for a code of ours
}

// processCode works a task of type [TypeEmailCode]: it claims the code, derives it, sends it and records the outcome. Such a mail shares
// slots, breaker and bounces with the others, but not their notes: its claims are in Redis, and no dump of the database sets them
// back.
func (h *EmailHandler) processCode(ctx context.Context, task *asynq.Task) error {
	var payload codeTask
	if err := decode(task, &payload); err != nil {
		return err
	}
	if err := h.Clock.known(); err != nil {
		return err
	}
	mail, err := h.open(payload)
	if isForeign(err) {
		return leftToOthers(ctx, h.Metrics, err, h.Clock.now().Sub(time.Unix(payload.ExpiresAt, 0)))
	}
	if err != nil {
		return undecodable(err)
	}
	leave, err := h.enter(ctx)
	if err != nil {
		return err
	}
	outcome := providers.ErrNotAsked
	end := sync.OnceFunc(func() { leave(outcome) })
	defer end()
	claim, err := h.Codes.Claim(ctx, payload.ID, h.Timeout+leaseMargin)
	claim = h.Clock.local(claim)
	if err != nil {
		h.Expired.foundBy(ctx, err, payload, h.Clock)
		return refusedClaim(ctx, h.Metrics, messages.Email, claim, err)
	}
	began := time.Now()
	receipt, err := guard(ctx, func() (providers.Receipt, error) { return h.sendCode(ctx, claim, mail) })
	if !errors.Is(err, errBounced) {
		outcome = err
	}
	end() // to record an outcome takes no slot
	h.markBounced(ctx, mail.To, err)
	return conclude(ctx, conclusion{
		claim: claim, verdict: judge(claim, receipt, err, time.Now()),
		channel: messages.Email, to: payload.To,
		record: h.Codes.Record, metrics: h.Metrics, clock: h.Clock, began: began,
	})
}

// open derives the code and the token of the link, and opens the address.
func (h *EmailHandler) open(p codeTask) (CodeMail, error) {
	to, err := verify.OpenEmail(h.Keys, p.ID, p.Sealed)
	if err != nil {
		return CodeMail{}, err
	}
	mail := CodeMail{
		ID: p.ID, To: to, Purpose: verify.Purpose(p.Purpose), Life: time.Duration(p.Minutes) * time.Minute, Language: p.Language,
		App: p.App,
	}
	queued := p.queued(to)
	if mail.Code, err = h.Keys.Code(queued.Derivation()); err != nil {
		return CodeMail{}, err
	}
	if app, _ := mail.Purpose.App(); app != "" {
		return mail, nil // our pages know nothing of its users
	}
	mail.Token, err = verify.LinkToken(h.Keys, queued, p.Sealed)
	return mail, err
}

// sendCode writes and sends the mail, unless [messages.MaxSends] is reached or there is no such mailbox.
func (h *EmailHandler) sendCode(ctx context.Context, claim messages.Claim, mail CodeMail) (providers.Receipt, error) {
	if !claim.MaySend() {
		return providers.Receipt{}, providers.GivenUpError("worker")
	}
	if h.hasBounced(ctx, mail) {
		return providers.Receipt{}, errBounced
	}
	email, err := h.Mails.WriteCode(mail)
	if err != nil {
		return providers.Receipt{}, ourFault(providers.Misconfigured, reasons.Template, err)
	}
	return whileClaimed(ctx, claim, func(ctx context.Context) (providers.Receipt, error) { return h.Sender.SendEmail(ctx, email) })
}

// hasBounced reports whether there is no such mailbox. A person who registers an address, changes to it or gives it to
// an app has just typed it: then a bounce before counts no more. Codes are also sent while the database is unavailable, and then to such an address too.
func (h *EmailHandler) hasBounced(ctx context.Context, mail CodeMail) bool {
	if h.Bounces == nil {
		return false
	}
	var typedAt time.Time
	if mail.Purpose == verify.Register || mail.Purpose == verify.ChangeEmail || mail.App != "" {
		now := h.Clock.now()
		old, _ := age(ctx, now)
		typedAt = now.Add(-old)
	}
	ctx, cancel := context.WithTimeout(ctx, markTimeout)
	defer cancel()
	bounced, err := h.Bounces.HasBounced(ctx, mail.To, typedAt)
	if err != nil {
		logger(ctx).Warn("not known whether there is such a mailbox; the mail is sent", "error", err)
		return false
	}
	return bounced
}
