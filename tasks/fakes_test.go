package tasks_test

import (
	"context"
	"slices"
	"sync"
	"time"

	"usher/accounts"
	"usher/messages"
	"usher/providers"
)

// claims keeps the claims of one message in memory, as the stores do in theirs.
type claims struct {
	mu       sync.Mutex
	state    messages.State
	attempt  int
	doubts   int
	until    time.Time
	outcomes []messages.Outcome
	records  int // calls of Record

	claimErr  error
	reason    string        // with messages.ErrDropped
	recordErr error         // of every Record, until failures is used up when that is not 0
	failures  int           // Records that fail
	shorter   time.Duration // by which a claim is shorter than asked for: time the process stood still
	claimed   func()        // called after a claim; nil: nothing
}

func (c *claims) Claim(_ context.Context, id string, lease time.Duration) (messages.Claim, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	claim := messages.Claim{ID: id, Attempt: c.attempt, LeaseUntil: c.until, Reason: c.reason}
	switch {
	case c.claimErr != nil:
		return claim, c.claimErr
	case c.state == messages.Sent || c.state == messages.Failed:
		claim.Reason = string(c.state)
		return claim, messages.ErrDropped
	case c.state == messages.Sending && c.until.After(time.Now()):
		return claim, messages.ErrBusy
	}
	if c.state == messages.Sending {
		c.doubts++
	}
	c.attempt++
	c.state, c.until = messages.Sending, time.Now().Add(lease-c.shorter)
	if c.claimed != nil {
		c.claimed()
	}
	return messages.Claim{ID: id, Attempt: c.attempt, LeaseUntil: c.until, UnresolvedClaims: c.doubts}, nil
}

func (c *claims) Record(ctx context.Context, claim messages.Claim, outcome messages.Outcome) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.records++
	if err := ctx.Err(); err != nil {
		return err
	}
	if c.recordErr != nil && (c.failures == 0 || c.records <= c.failures) {
		return c.recordErr
	}
	if claim.Attempt != c.attempt {
		return messages.ErrStale
	}
	c.state = outcome.State
	c.outcomes = append(c.outcomes, outcome)
	return nil
}

// recorded returns the outcomes so far.
func (c *claims) recorded() []messages.Outcome {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.outcomes)
}

// mailClaims are claims of one mail.
type mailClaims struct {
	*claims
	mail    accounts.Mail
	account accounts.Account
}

func (c mailClaims) Claim(ctx context.Context, id string, lease time.Duration) (accounts.ClaimedMail, error) {
	claim, err := c.claims.Claim(ctx, id, lease)
	return accounts.ClaimedMail{Claim: claim, Mail: c.mail, Account: c.account}, err
}

// sender is a provider of both channels that keeps what it is given.
type sender struct {
	// answer is the result of the nth call, from 1; nil accepts everything.
	answer func(ctx context.Context, n int) error

	mu    sync.Mutex
	sms   []providers.SMS
	mails []providers.Email
}

func (s *sender) Name() string { return "fake" }

func (s *sender) Close() error { return nil }

func (s *sender) SendSMS(ctx context.Context, sms providers.SMS) (providers.Receipt, error) {
	s.mu.Lock()
	s.sms = append(s.sms, sms)
	n := len(s.sms)
	s.mu.Unlock()
	return s.reply(ctx, n)
}

func (s *sender) SendEmail(ctx context.Context, email providers.Email) (providers.Receipt, error) {
	s.mu.Lock()
	s.mails = append(s.mails, email)
	n := len(s.mails)
	s.mu.Unlock()
	return s.reply(ctx, n)
}

func (s *sender) reply(ctx context.Context, n int) (providers.Receipt, error) {
	if s.answer != nil {
		if err := s.answer(ctx, n); err != nil {
			return providers.Receipt{}, err
		}
	}
	return providers.Receipt{Provider: "fake", ID: "receipt"}, nil
}

// sentSMS returns the calls so far.
func (s *sender) sentSMS() []providers.SMS {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.sms)
}

// sentMails returns the calls so far.
func (s *sender) sentMails() []providers.Email {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.mails)
}

// refuse answers every call with an error of the kind.
func refuse(kind providers.Kind) func(context.Context, int) error {
	return func(context.Context, int) error {
		return &providers.Error{Provider: "fake", Kind: kind, Code: "code-of-" + kind.String()}
	}
}
