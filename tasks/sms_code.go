package tasks

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"time"

	"github.com/hibiken/asynq"

	"usher/brand"
	"usher/contact"
	"usher/messages"
	"usher/providers"
	"usher/secrets"
	"usher/verify"
)

// TypeSMSCode sends one verification code by SMS.
const TypeSMSCode = "sms:code"

func smsCodeContext(id string) string { return TypeSMSCode + "/" + id }

// SMSTaskID returns the id of a code's task after so many resends. It is the code's, so that a call that is repeated queues it once; a
// resend has another one, since an archived task keeps its id.
func SMSTaskID(id string, resends int) string {
	if resends == 0 {
		return id
	}
	return id + ":" + strconv.Itoa(resends+1)
}

// CodeClaims is where codes are claimed and the outcomes of their messages recorded.
type CodeClaims interface {
	// Claim gives one worker at a time the right to send the code, until the lease ends. It returns
	// messages.ErrDropped with the claim's Reason for a code that must not be sent any more, and
	// messages.ErrBusy with the claim's LeaseUntil while another worker has it.
	Claim(ctx context.Context, id string, lease time.Duration) (messages.Claim, error)

	// Record files the outcome of a claim, or returns messages.ErrStale when it was taken over.
	Record(ctx context.Context, claim messages.Claim, outcome messages.Outcome) error
}

// SMSCodeHandler works tasks of type [TypeSMSCode]. It is safe for concurrent use.
type SMSCodeHandler struct {
	Claims  CodeClaims
	Sender  providers.SMSSender
	Keys    *secrets.Keys
	Timeout time.Duration // for the providers' answer, all of them together
	Metrics *Metrics
	Clock   Clock
	Expired *Expired     // is notified of codes that had ended; may be nil
	Brand   *brand.Brand // names the product; nil: the team has set none
}

// ProcessTask claims the code, derives it, sends it and records the outcome.
func (h *SMSCodeHandler) ProcessTask(ctx context.Context, task *asynq.Task) error {
	var payload codeTask
	if err := decode(task, &payload); err != nil {
		return err
	}
	if err := h.Clock.known(); err != nil {
		return err
	}
	sms, err := h.open(payload)
	if isForeign(err) {
		return leftToOthers(ctx, h.Metrics, err, h.Clock.now().Sub(time.Unix(payload.ExpiresAt, 0)))
	}
	if err != nil {
		return undecodable(err)
	}
	claim, err := h.Claims.Claim(ctx, payload.ID, h.Timeout+leaseMargin)
	if err != nil {
		h.Expired.foundBy(ctx, err, payload, h.Clock)
		return refusedClaim(ctx, h.Metrics, messages.SMS, h.Clock.local(claim), err)
	}
	claim = h.Clock.local(claim)
	sms.ID, sms.Attempt, sms.Avoid = verify.MessageID(payload.ID, claim.Resends), claim.Attempt, claim.Avoid
	if claim.UnresolvedClaims > 0 {
		sms.Unresolved = &providers.Unresolved{Provider: claim.UnresolvedProvider, At: claim.UnresolvedAt}
	}
	began := time.Now()
	receipt, err := guard(ctx, func() (providers.Receipt, error) {
		return h.attempt(ctx, claim, sms)
	})
	return conclude(ctx, conclusion{
		claim: claim, verdict: judge(claim, receipt, err, time.Now()), channel: messages.SMS, to: payload.To, region: sms.To.Region(),
		record: h.Claims.Record, metrics: h.Metrics, clock: h.Clock, began: began,
	})
}

// attempt sends the code. A claim that may only ask (see [messages.MaxSends]) asks the provider for the outcome, and the
// code is sent only when the answer is that it never was.
func (h *SMSCodeHandler) attempt(ctx context.Context, claim messages.Claim, sms providers.SMS) (providers.Receipt, error) {
	if claim.MaySend() {
		return whileClaimed(ctx, claim, func(ctx context.Context) (providers.Receipt, error) { return h.Sender.SendSMS(ctx, sms) })
	}
	resolver, ok := h.Sender.(providers.Resolver)
	if !ok {
		return providers.Receipt{}, providers.GivenUpError("worker")
	}
	return whileClaimed(ctx, claim, func(ctx context.Context) (providers.Receipt, error) {
		receipt, err := resolver.ResolveSMS(ctx, sms)
		if errors.Is(err, providers.ErrUnsent) {
			return h.Sender.SendSMS(ctx, sms)
		}
		return receipt, err
	})
}

// open derives what the provider needs from the payload.
func (h *SMSCodeHandler) open(p codeTask) (providers.SMS, error) {
	number, err := h.Keys.Open(p.Sealed, smsCodeContext(p.ID))
	if err != nil {
		return providers.SMS{}, err
	}
	mobile, err := contact.ParseMobile(number)
	if err != nil {
		return providers.SMS{}, err
	}
	code, err := h.Keys.Code(p.queued(mobile).Derivation())
	if err != nil {
		return providers.SMS{}, err
	}
	return providers.SMS{
		ID: p.ID, To: mobile, Purpose: p.Purpose, Code: code, TTL: time.Unix(p.ExpiresAt, 0).Sub(h.Clock.now()),
		Language: p.Language, Product: h.Brand.OwnName(p.Language),
	}, nil
}

// decode reads a payload. What encoding/json says of a mistake is left out: it may quote a number.
func decode(task *asynq.Task, payload interface{ validate() error }) error {
	if err := json.Unmarshal(task.Payload(), payload); err != nil {
		return undecodable(errors.New("not the JSON that was queued"))
	}
	if err := payload.validate(); err != nil {
		return undecodable(err)
	}
	return nil
}
