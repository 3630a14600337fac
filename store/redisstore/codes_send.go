package redisstore

import (
	"context"
	"fmt"
	"time"

	"usher/messages"
	"usher/secrets"
	"usher/verify"
)

// Claim gives the right to send a code's message until the lease ends, to one worker at a time. It returns
// [messages.ErrDropped] with the claim's Reason for a code that must not go out (any more), and
// [messages.ErrBusy] with the claim's LeaseUntil while another worker has it.
func (c *Codes) Claim(ctx context.Context, id string, lease time.Duration) (messages.Claim, error) {
	claim := messages.Claim{ID: id}
	subject, ok := verify.SubjectOf(id)
	if !ok {
		claim.Reason = "missing"
		return claim, messages.ErrDropped
	}
	now := c.store.now()
	r, err := read(codeClaimScript.Run(ctx, c.store.client, []string{c.store.space.codeKey(subject, id), c.store.space.outcomesKey(subject)},
		id, now.UnixMilli(), now.Add(lease).UnixMilli(), secrets.Random(8)), 2)
	if err != nil {
		return claim, fmt.Errorf("claim code: %w", err)
	}
	if r.text(0) == "dropped" {
		claim.Reason = r.text(1)
		return claim, messages.ErrDropped
	}
	claim.Attempt, claim.LeaseUntil = int(r.number(1)), time.UnixMilli(r.number(2))
	if r.text(0) == "busy" {
		return claim, messages.ErrBusy
	}
	if claim.UnresolvedClaims = int(r.number(3)); claim.UnresolvedClaims > 0 {
		claim.UnresolvedProvider, claim.UnresolvedAt = r.text(4), time.UnixMilli(r.number(5))
	}
	return claim, nil
}

// Record files how a claimed attempt ended; Sending notes only who may have the message, and leaves the
// claim to run out. A lease that is over does not matter while nobody else has claimed; after that, and for
// a code that is gone, it returns [messages.ErrStale].
func (c *Codes) Record(ctx context.Context, claim messages.Claim, outcome messages.Outcome) error {
	switch outcome.State {
	case messages.Queued, messages.Sending, messages.Sent, messages.Failed:
	default:
		return fmt.Errorf("record outcome: %q ends no attempt", outcome.State)
	}
	subject, ok := verify.SubjectOf(claim.ID)
	if !ok {
		return messages.ErrStale
	}
	own := "0"
	if outcome.Own() {
		own = "1"
	}
	recorded, err := codeRecordScript.Run(ctx, c.store.client,
		[]string{c.store.space.codeKey(subject, claim.ID), c.store.space.outcomesKey(subject)},
		claim.Attempt, string(outcome.State), outcome.Provider, outcome.ProviderID, outcome.Code,
		outcome.At.UnixMilli(), c.store.now().UnixMilli(), own).Int()
	if err != nil {
		return fmt.Errorf("record outcome: %w", err)
	}
	if recorded != 1 {
		return messages.ErrStale
	}
	return nil
}
