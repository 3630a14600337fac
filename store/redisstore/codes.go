package redisstore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"usher/messages"
	"usher/queue"
	"usher/secrets"
	"usher/store"
	"usher/verify"
)

// Codes keeps issued codes. It is safe for concurrent use.
type Codes struct{ store *Store }

var _ verify.Codes = (*Codes)(nil)

// Enqueues implements [verify.Codes]. A code and its queue are in different slots, so it takes a server that has all of them.
func (c *Codes) Enqueues() bool { return c.store.Composer != nil && c.store.oneServer.Load() }

// Issue implements [verify.Codes].
func (c *Codes) Issue(ctx context.Context, issue verify.Issue) error {
	if !issue.ExpiresAt.After(issue.IssuedAt) {
		return errors.New("issue code: it ends before it is issued")
	}
	space, record := c.store.space, c.record(issue.Channel, issue.Subject)
	newest := space.codeKey(issue.Subject, issue.ID)
	if issue.Sole {
		newest = space.newestKey(issue.Subject, issue.Purpose)
	}
	replaced := cmp.Or(issue.Replaces, issue.ID)
	task, err := c.taskOf(ctx, issue)
	if err != nil {
		return err
	}
	keys := append([]string{
		space.codeKey(issue.Subject, issue.ID), space.outcomesKey(issue.Subject), space.codeKey(issue.Subject, replaced),
		space.pauseKey(issue.Subject), newest, task.Task, task.Pending,
	}, record.keys()...)
	args := append([]any{
		issue.ID, string(issue.Purpose), issue.KeyID, issue.MAC, issue.IssuedAt.UnixMilli(), issue.ExpiresAt.UnixMilli(),
		issue.ResendAfter.Milliseconds(), issue.MaxAttempts, keepCode.Milliseconds(), c.store.recording(),
		issue.To, issue.RequestID, issue.Replaces, storedChannel(issue.Channel), issue.Sealed, int(issue.Standing),
		issue.Details, task.Message, task.ID, task.Since,
	}, record.spending(record.spends(issue.Standing), issue.IssuedAt)...)
	issued := &call{script: codeIssueScript, keys: keys, args: args}
	c.store.run(ctx, []*call{issued}, task.Channels...)
	r, err := read(issued.cmd)
	if err != nil {
		return fmt.Errorf("issue code: %w", err)
	}
	switch r.text(0) {
	case "ok":
		if recorded := r.number(1); recorded > 0 { // a window's position, counted from 1
			c.store.report(ctx, record.windows[recorded-1].Name, span(r.number(2)))
		}
		return nil
	case "moved":
		return verify.ErrMoved
	case "pause":
		return &verify.LimitError{Name: pauseName(issue.Channel), RetryAfter: span(r.number(1))}
	case "limit":
		return &verify.LimitError{Name: string(record.windows[r.number(1)-1].Name), RetryAfter: span(r.number(2))}
	default:
		return fmt.Errorf("issue code: script returned %q", r.text(0))
	}
}

// taskOf returns what enqueues the message of a new code. Without a message it has no text, and names the code in place of keys.
func (c *Codes) taskOf(ctx context.Context, issue verify.Issue) (queue.Enqueuing, error) {
	if issue.Message == nil {
		key := c.store.space.codeKey(issue.Subject, issue.ID)
		return queue.Enqueuing{Task: key, Pending: key, Message: ""}, nil
	}
	task, err := c.store.Composer.ComposeCode(ctx, *issue.Message)
	if err != nil {
		return queue.Enqueuing{}, fmt.Errorf("%w: %w", verify.ErrQueue, err)
	}
	return task, nil
}

// Newest implements [verify.Codes].
func (c *Codes) Newest(ctx context.Context, subject string, purpose verify.Purpose) (id string, err error) {
	id, err = c.store.client.Get(ctx, c.store.space.newestKey(subject, purpose)).Result()
	if errors.Is(err, redis.Nil) {
		return "", nil
	}
	return id, store.Wrap("find newest code", err)
}

// Cancel implements [verify.Codes].
func (c *Codes) Cancel(ctx context.Context, id string) error {
	keys, ok := c.keys(id)
	if !ok {
		return nil
	}
	return store.Wrap("cancel code", codeCancelScript.Run(ctx, c.store.client, keys, c.store.now().UnixMilli()).Err())
}

// storedChannel returns the channel as codes are stored. Codes by SMS had no channel before there were codes by mail.
func storedChannel(channel messages.Channel) string {
	if channel == messages.SMS {
		return ""
	}
	return string(channel)
}

// pauseName returns the name under which the pause of a channel refuses.
func pauseName(channel messages.Channel) string {
	if channel == messages.Email {
		return verify.EmailResendLimit
	}
	return verify.ResendLimit
}

// Void implements [verify.Codes]. A code that a worker has claimed stays as it is, because its message may have been sent. An
// unknown id is ignored.
func (c *Codes) Void(ctx context.Context, channel messages.Channel, id, replaced string) error {
	subject, ok := verify.SubjectOf(id)
	if !ok {
		return nil
	}
	space, record := c.store.space, c.record(channel, subject)
	keys := append([]string{
		space.codeKey(subject, id), space.outcomesKey(subject), space.pauseKey(subject), space.codeKey(subject, cmp.Or(replaced, id)),
	}, record.keys()...)
	args := append([]any{id, c.store.now().UnixMilli()}, record.refunding()...)
	return store.Wrap("void code", codeVoidScript.Run(ctx, c.store.client, keys, args...).Err())
}

// Claim implements the CodeClaims of package tasks.
func (c *Codes) Claim(ctx context.Context, id string, lease time.Duration) (messages.Claim, error) {
	claim := messages.Claim{ID: id}
	keys, ok := c.keys(id)
	if !ok {
		claim.Reason = "missing"
		return claim, messages.ErrDropped
	}
	now := c.store.now()
	r, err := read(codeClaimScript.Run(ctx, c.store.client, keys,
		id, now.UnixMilli(), now.Add(lease).UnixMilli(), secrets.Random(8)))
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
	if claim.Resends = int(r.number(6)); claim.Resends > 0 {
		claim.Avoid = r.text(7)
	}
	return claim, nil
}

// Record implements the CodeClaims of package tasks. The state Sending only notes which provider may have the message, and
// lets the claim run out. The outcome counts after the end of the lease too, unless another worker has claimed the code:
// then, and for a code that is gone, Record returns [messages.ErrStale].
func (c *Codes) Record(ctx context.Context, claim messages.Claim, outcome messages.Outcome) error {
	switch outcome.State {
	case messages.Queued, messages.Sending, messages.Sent, messages.Failed:
	default:
		return fmt.Errorf("record outcome: %q ends no attempt", outcome.State)
	}
	keys, ok := c.keys(claim.ID)
	if !ok {
		return messages.ErrStale
	}
	recorded, err := codeRecordScript.Run(ctx, c.store.client, keys,
		claim.Attempt, string(outcome.State), outcome.Provider, outcome.ProviderID, outcome.Code,
		outcome.At.UnixMilli(), c.store.now().UnixMilli(), outcome.Own()).Int()
	if err != nil {
		return fmt.Errorf("record outcome: %w", err)
	}
	if recorded != 1 {
		return messages.ErrStale
	}
	return nil
}

// Retry makes a code claimable again whose message failed or was not delivered; a dry run only asks. It returns the reason
// for refusing, or "": missing; used, expired, superseded or canceled when the code cannot be entered any more; or the state of a
// message that is being sent or was delivered.
//
// The message still needs a task: make sure before that one can be enqueued, and enqueue it afterwards.
func (c *Codes) Retry(ctx context.Context, id string, dryRun bool) (reason string, err error) {
	keys, ok := c.keys(id)
	if !ok {
		return "missing", nil
	}
	r, err := read(codeRetryScript.Run(ctx, c.store.client, keys, c.store.now().UnixMilli(), dryRun))
	if err != nil {
		return "", fmt.Errorf("retry code: %w", err)
	}
	if r.text(0) == "refused" {
		return r.text(1), nil
	}
	return "", nil
}

// Unclaimed returns those of the codes that a worker could claim now. Whether a code is still worth sending is decided by
// its claim.
func (c *Codes) Unclaimed(ctx context.Context, ids []string) ([]string, error) {
	now := c.store.now().UnixMilli()
	asked := make(map[string]*redis.SliceCmd, len(ids))
	_, err := c.store.client.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		for _, id := range ids {
			if keys, ok := c.keys(id); ok {
				asked[id] = pipe.HMGet(ctx, keys[0], "state", "lease_until")
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("find unclaimed codes: %w", err)
	}
	var unclaimed []string
	for id, cmd := range asked {
		fields := cmd.Val()
		state, _ := fields[0].(string)
		lease, _ := fields[1].(string)
		ends, _ := strconv.ParseInt(lease, 10, 64) // never claimed: 0
		if state == string(messages.Queued) || state == string(messages.Sending) && ends <= now {
			unclaimed = append(unclaimed, id)
		}
	}
	return unclaimed, nil
}

// keys returns the keys that the scripts of codes begin with, the code and its partition's outcomes, and false for an id
// that is no code's.
func (c *Codes) keys(id string) ([]string, bool) {
	subject, ok := verify.SubjectOf(id)
	return []string{c.store.space.codeKey(subject, id), c.store.space.outcomesKey(subject)}, ok
}
