package redisstore

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"usher/contact"
	"usher/limits"
	"usher/messages"
	"usher/providers"
	"usher/secrets"
	"usher/store"
	"usher/verify"
)

// Try implements [verify.Codes]. A guess after the code's first also spends [limits.CodeWrongAll], which counts all codes
// together: when nothing is left of that, each code has only its first guess.
func (c *Codes) Try(ctx context.Context, id string, purpose verify.Purpose) (verify.Pending, error) {
	keys, ok := c.keys(id)
	if !ok {
		return verify.Pending{}, verify.ErrExpired
	}
	r, err := read(codeTryScript.Run(ctx, c.store.client, keys[:1],
		string(purpose), c.store.now().UnixMilli()))
	if err != nil {
		return verify.Pending{}, fmt.Errorf("try code: %w", err)
	}
	switch r.text(0) {
	case "ok", "used":
		pending := verify.Pending{KeyID: r.text(1), MAC: r.text(2), AttemptsLeft: int(r.number(3)), Used: r.text(0) == "used"}
		if r.number(4) == 1 {
			return c.countAgain(ctx, pending)
		}
		return pending, nil
	case "expired":
		return verify.Pending{}, verify.ErrExpired
	case "attempts":
		return verify.Pending{}, verify.ErrAttempts
	default:
		return verify.Pending{}, fmt.Errorf("try code: script returned %q", r.text(0))
	}
}

// countAgain counts a guess after a code's first for all codes together, before it is compared.
func (c *Codes) countAgain(ctx context.Context, pending verify.Pending) (verify.Pending, error) {
	spends := c.store.wrongCode()
	_, decision, err := c.store.Gate().Admit(ctx, "", spends)
	if err != nil {
		return verify.Pending{}, fmt.Errorf("try code: %w", err)
	}
	if !decision.Allowed() {
		return verify.Pending{}, verify.ErrAttempts
	}
	pending.CountedForAll = !spends[0].Limit.Off()
	return pending, nil
}

// wrongCode returns what a guess after a code's first spends.
func (s *Store) wrongCode() []limits.Spend {
	return []limits.Spend{{Limit: s.Rules.Set[limits.CodeWrongAll], Subject: limits.Everybody}}
}

// Confirm notes that the code was entered correctly, and refunds what the guess spent for all codes together.
func (c *Codes) Confirm(ctx context.Context, id string, pending verify.Pending) error {
	keys, ok := c.keys(id)
	if !ok {
		return nil
	}
	calls := []*call{{script: codeConfirmScript, keys: keys[:1]}}
	if pending.CountedForAll {
		batch := c.store.batch(c.store.wrongCode())
		for _, g := range batch.groups {
			calls = append(calls, batch.refunding(g))
		}
	}
	return store.Wrap("confirm code", c.store.runAll(ctx, calls))
}

// Use implements [verify.Codes].
func (c *Codes) Use(ctx context.Context, id string) (first bool, err error) {
	keys, ok := c.keys(id)
	if !ok {
		return false, verify.ErrExpired
	}
	r, err := read(codeUseScript.Run(ctx, c.store.client, keys,
		c.store.now().UnixMilli(), secrets.Random(8)))
	if err != nil {
		return false, fmt.Errorf("use code: %w", err)
	}
	switch r.number(0) {
	case 0:
		return false, verify.ErrExpired
	case 1:
		return false, nil
	case 3:
		return false, verify.ErrUsed
	}
	if provider := r.text(1); provider != "" && r.text(3) == "" { // scores are for the router of SMS
		// Best effort: the provider's score matters less than the code's use.
		_ = c.store.Scores().AddScore(ctx, provider, contact.CarrierOf(r.text(2)), providers.Score{Verified: 1})
	}
	return true, nil
}

// Restore implements [verify.Codes]. An unknown code is ignored.
func (c *Codes) Restore(ctx context.Context, id string) error {
	keys, ok := c.keys(id)
	if !ok {
		return nil
	}
	return store.Wrap("restore code", codeRestoreScript.Run(ctx, c.store.client, keys, c.store.now().UnixMilli()).Err())
}

// Status implements [verify.Codes].
func (c *Codes) Status(ctx context.Context, id string) (verify.Status, error) {
	subject, ok := verify.SubjectOf(id)
	if !ok {
		return verify.Status{}, verify.ErrNotFound
	}
	r, err := read(codeStatusScript.Run(ctx, c.store.client,
		[]string{c.store.space.codeKey(subject, id), c.store.space.pauseKey(subject)}))
	if err != nil {
		return verify.Status{}, fmt.Errorf("find code: %w", err)
	}
	if len(r) == 0 {
		return verify.Status{}, verify.ErrNotFound
	}
	now := c.store.now()
	status := verify.Status{
		State: messages.State(r.text(0)), Purpose: verify.Purpose(r.text(1)), Used: r.text(2) != "",
		ExpiresAt: time.UnixMilli(r.number(3)), ResendAfter: max(time.UnixMilli(r.number(5)).Sub(now), 0),
		IssuedAt: moment(r.number(9)), SentAt: moment(r.number(10)), DeliveredAt: moment(r.number(11)), UsedAt: moment(r.number(12)),
		AttemptsLeft: int(r.number(13)), Channel: messages.Channel(cmp.Or(r.text(14), string(messages.SMS))), To: r.text(15),
		Details: r.text(16),
	}
	status.Claimed = status.State == messages.Sending
	superseded := r.number(4) != 0
	status.Resendable = !superseded && resendable(status, now, r)
	status.State = shown(status, superseded || !status.ExpiresAt.After(now))
	if r.number(4) == 2 && !status.Used {
		status.State = verify.StateCanceled
	}
	if status.State == messages.Queued && now.Sub(time.UnixMilli(r.number(6))) >= delayedAfter {
		status.State = verify.StateDelayed
	}
	return status, nil
}

// moment returns the zero time for 0.
func moment(milliseconds int64) time.Time {
	if milliseconds == 0 {
		return time.Time{}
	}
	return time.UnixMilli(milliseconds)
}

// resendable reports whether code_resend.lua would send a code again when the pause is over, as far as its status r tells.
func resendable(status verify.Status, now time.Time, r reply) bool {
	queued, resends, lease := time.UnixMilli(r.number(6)), r.number(7), time.UnixMilli(r.number(8))
	switch {
	case status.Used, resends < 0, resends >= verify.MaxResends,
		status.ExpiresAt.Sub(now.Add(status.ResendAfter)) < verify.LeastLife:
		return false
	case status.State == messages.Queued:
		return now.Sub(queued) >= delayedAfter
	case status.State == messages.Sending:
		return !lease.After(now)
	}
	return status.State == messages.Sent || status.State == messages.Undelivered || status.State == messages.Failed
}

// delayedAfter is how long a message may wait for a provider before its status says so. Most are accepted within a second.
const delayedAfter = 5 * time.Second

// shown returns the state that tells a waiting person most: that of the code, or else that of its message.
func shown(status verify.Status, over bool) messages.State {
	switch {
	case status.Used:
		return verify.StateUsed
	case status.State == messages.Failed, status.State == messages.Undelivered:
		return status.State
	case over, status.State == messages.Dropped: // it will not be sent any more
		return verify.StateExpired
	case status.State == messages.Sending:
		return messages.Queued
	default:
		return status.State
	}
}
