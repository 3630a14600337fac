package redisstore

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"usher/messages"
	"usher/store"
	"usher/verify"
)

// Resendable implements [verify.Codes].
func (c *Codes) Resendable(ctx context.Context, id string) (verify.Resendable, error) {
	keys, ok := c.keys(id)
	if !ok {
		return verify.Resendable{}, verify.ErrNotFound
	}
	fields, err := c.store.client.HMGet(ctx, keys[0], "purpose", "standing", "sealed", "key_id", "mac", "expires_at").Result()
	if err != nil {
		return verify.Resendable{}, fmt.Errorf("find code: %w", err)
	}
	text := func(i int) string { s, _ := fields[i].(string); return s }
	if text(0) == "" {
		return verify.Resendable{}, verify.ErrNotFound
	}
	standing, _ := strconv.Atoi(text(1)) // a code of an older release has none: that of a stranger
	ends, err := strconv.ParseInt(text(5), 10, 64)
	if err != nil {
		return verify.Resendable{}, errors.New("find code: its end is not a number")
	}
	return verify.Resendable{
		ID: id, Purpose: verify.Purpose(text(0)), Standing: verify.Standing(standing),
		Sealed: text(2), KeyID: text(3), MAC: text(4), ExpiresAt: time.UnixMilli(ends),
	}, nil
}

// Resend implements [verify.Codes].
func (c *Codes) Resend(ctx context.Context, resend verify.Resend) (resends int, err error) {
	keys, record, ok := c.resendKeys(resend.ID)
	if !ok {
		return 0, verify.ErrExpired
	}
	now := c.store.now()
	args := append([]any{
		resend.ID, resend.Name, now.UnixMilli(), resend.Pause.Milliseconds(), verify.LeastLife.Milliseconds(), verify.MaxResends,
		delayedAfter.Milliseconds(), c.store.recording(),
	}, record.spending(record.spends(resend.Standing), now)...)
	r, err := read(codeResendScript.Run(ctx, c.store.client, keys, args...))
	if err != nil {
		return 0, fmt.Errorf("resend code: %w", err)
	}
	switch r.text(0) {
	case "ok":
		if recorded := r.number(1); recorded > 0 { // a window's position, counted from 1
			c.store.report(ctx, record.windows[recorded-1].Name, span(r.number(2)))
		}
		return int(r.number(3)), nil
	case "expired":
		return 0, verify.ErrExpired
	case "resent":
		return 0, verify.ErrResent
	case "pause":
		return 0, &verify.LimitError{Name: verify.ResendLimit, RetryAfter: span(r.number(1))}
	case "limit":
		return 0, &verify.LimitError{Name: string(record.windows[r.number(1)-1].Name), RetryAfter: span(r.number(2))}
	default:
		return 0, fmt.Errorf("resend code: script returned %q", r.text(0))
	}
}

// VoidResend implements [verify.Codes].
func (c *Codes) VoidResend(ctx context.Context, id, name string) error {
	keys, record, ok := c.resendKeys(id)
	if !ok {
		return nil
	}
	args := append([]any{id, name, c.store.now().UnixMilli()}, record.refunding()...)
	return store.Wrap("void resend", codeResendVoidScript.Run(ctx, c.store.client, keys, args...).Err())
}

// resendKeys returns the keys of both scripts, with the record of the number, and false for an id that is no code's.
func (c *Codes) resendKeys(id string) ([]string, record, bool) {
	keys, ok := c.keys(id)
	if !ok {
		return nil, record{}, false
	}
	subject, _ := verify.SubjectOf(id)
	record := c.record(messages.SMS, subject)
	return append(append(keys, c.store.space.pauseKey(subject)), record.keys()...), record, true
}
