package verify

import (
	"cmp"
	"context"
	"crypto/hmac"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"usher/contact"
	"usher/input"
	"usher/messages"
	"usher/secrets"
)

// Names of a [LimitError] for the pause between two codes.
const (
	ResendLimit      = "sms_resend"
	EmailResendLimit = "email_code_resend"
)

// States of a code beyond those of its message.
const (
	StateExpired messages.State = "expired" // its time is over, or another code has replaced it
	StateUsed    messages.State = "used"
	// StateCanceled is that of a code that its app has canceled.
	StateCanceled messages.State = "canceled"
	// StateDelayed means that the message has been queued for longer than sending takes: no provider accepts it, no worker
	// runs, or the queue is paused. Sending is still tried until the code ends.
	StateDelayed messages.State = "delayed"
)

// undoTimeout bounds what must be undone although the request's own time may be over.
const undoTimeout = 2 * time.Second

// Policy says what codes are made of and how long they live.
type Policy struct {
	CodeLength     int // characters, 4 to 8
	CodeAlphabet   secrets.Alphabet
	CodeTTL        time.Duration // from issue to end, including delivery
	ResendInterval time.Duration // between two codes for one number, whatever their purpose
	MaxAttempts    int           // guesses per code

	// Codes by mail: 0 is the value of codes by SMS. They may be longer, because their reader can copy them or press the button,
	// and no budget bounds how many strangers can ask for and guess at. They may live longer, because mails are slower.
	EmailCodeLength     int
	EmailCodeTTL        time.Duration
	EmailResendInterval time.Duration
}

// of returns what the policy says of codes on a channel.
func (p Policy) of(channel messages.Channel) Policy {
	if channel == messages.Email {
		p.CodeLength = cmp.Or(p.EmailCodeLength, p.CodeLength)
		p.CodeTTL = cmp.Or(p.EmailCodeTTL, p.CodeTTL)
		p.ResendInterval = cmp.Or(p.EmailResendInterval, p.ResendInterval)
	}
	return p
}

// Service issues codes and checks them. All fields but Uses and Entered must be set. It is safe for concurrent use.
type Service struct {
	Codes  Codes
	Queue  Queue
	Keys   *secrets.Keys
	Policy Policy
	Now    func() time.Time
	Logger *slog.Logger

	// Uses stores each use of a code a second time, except for registrations, which a number can have only once. nil relies
	// on Codes alone.
	Uses Uses

	// Entered is called once for each code by SMS that was used, to be compared with the number of codes that were sent. Its
	// error is only logged. nil is not called.
	Entered func(ctx context.Context, mobile contact.Mobile) error
}

// Request asks for a code.
type Request struct {
	To        Recipient
	Purpose   Purpose
	App       *AppRequest // for a code of an app, with a purpose of [ForApp]; nil for a code of ours
	Replaces  string      // id of the code that the same person requested before, which ends; empty for none
	Standing  Standing
	RequestID string // goes with the message, so that logs can be searched for it
	Language  string // of the person: zh or en; empty means zh
}

// Issued is a code whose message is queued.
type Issued struct {
	ID          string
	ExpiresIn   time.Duration
	ResendAfter time.Duration
}

// Issue makes a new code and enqueues its message. The code replaces the one that the request names, if that is of the same
// recipient and purpose; other codes stay valid. It returns a *[LimitError] when the recipient may not have a code now. After any
// other error nothing is sent, and nothing is spent unless the store is unavailable: [ErrQueue] when the message could not be
// enqueued, else the store's error.
func (s *Service) Issue(ctx context.Context, r Request) (Issued, error) {
	channel := ChannelOf(r.To)
	if channel == "" || !r.Purpose.usableOn(channel) || r.Purpose.isOfApp() != (r.App != nil) {
		return Issued{}, errors.New("issue code: needs a number or an address, and a purpose of its channel")
	}
	issue, queued, err := s.newIssue(channel, r)
	if err != nil {
		return Issued{}, err
	}
	if s.Codes.Enqueues() {
		issue.Message = &queued
	}
	if err := s.store(ctx, &issue); err != nil {
		if _, ok := errors.AsType[*LimitError](err); !ok {
			s.void(ctx, issue) // the code may be stored although the reply was lost
		}
		return Issued{}, err
	}
	if issue.Message == nil {
		if err := s.Queue.EnqueueCode(ctx, queued); err != nil {
			s.void(ctx, issue)
			return Issued{}, fmt.Errorf("%w: %w", ErrQueue, err)
		}
	}
	return Issued{ID: issue.ID, ExpiresIn: issue.ExpiresAt.Sub(issue.IssuedAt), ResendAfter: issue.ResendAfter}, nil
}

// newIssue derives a new code and the MAC to compare with. An id that the request may not replace is ignored, so that requests
// cannot end the codes of other recipients.
func (s *Service) newIssue(channel messages.Channel, r Request) (Issue, Queued, error) {
	subject, policy, now := s.subject(r.To), s.Policy.of(channel), s.Now()
	queued := Queued{
		ID: NewID(subject), KeyID: s.Keys.SigningID(), Purpose: r.Purpose, To: r.To, Length: policy.CodeLength, Alphabet: policy.CodeAlphabet,
		ExpiresAt: now.Add(policy.CodeTTL), RequestID: r.RequestID, Language: r.Language,
	}
	code, err := s.Keys.Code(queued.Derivation())
	if err != nil {
		return Issue{}, Queued{}, fmt.Errorf("derive code: %w", err)
	}
	mac, err := s.Keys.CheckMAC(queued.Derivation(), code)
	if err != nil {
		return Issue{}, Queued{}, fmt.Errorf("derive code: %w", err)
	}
	replaces := r.Replaces
	if !isOf(replaces, subject) {
		replaces = ""
	}
	issue := Issue{
		ID: queued.ID, Subject: subject, Channel: channel, Purpose: r.Purpose, To: r.To.String(), RequestID: r.RequestID,
		Sealed: s.sealNumber(queued), KeyID: queued.KeyID, MAC: mac, Replaces: replaces, Standing: r.Standing,
		IssuedAt: now, ExpiresAt: queued.ExpiresAt,
		ResendAfter: policy.ResendInterval, MaxAttempts: policy.MaxAttempts,
	}
	if r.App != nil {
		queued.AppName = r.App.Name
		issue.Sole, issue.Sealed, issue.Details = true, "", s.sealDetails(issue.ID, r.To, r.App.Nonce)
	}
	return issue, queued, nil
}

// void takes a code back. When that fails too, the code stays unsent until it expires, and the person can request another one
// after the pause.
func (s *Service) void(ctx context.Context, issue Issue) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTimeout)
	defer cancel()
	replaced := issue.Replaces
	if issue.Sole {
		replaced = "" // it stays replaced: if it counted again, a next code would not know of it
	}
	if err := s.Codes.Void(ctx, issue.Channel, issue.ID, replaced); err != nil {
		s.Logger.ErrorContext(ctx, "code not taken back", "code_id", issue.ID, "error", err)
	}
}

// Result is the answer to a check.
type Result struct {
	Valid        bool
	AttemptsLeft int // of this code
}

// Check counts a guess at the code with this id and reports whether the digits are right, without using the code. Wrong digits
// are no error. It returns [ErrExpired]; [ErrUsed] for the right digits of a used code; [ErrAttempts]; and [ErrWrong] for text
// that cannot be a code, which is not counted because it guesses nothing. For an id of another recipient or purpose it returns
// [ErrExpired] and counts nothing. The code is read as it was typed or pasted, see [input.Code] and [input.LetterCode].
func (s *Service) Check(ctx context.Context, to Recipient, purpose Purpose, id, code string) (Result, error) {
	pending, right, err := s.try(ctx, to, purpose, id, code)
	if err != nil {
		return Result{}, err
	}
	if right {
		s.confirm(ctx, id, pending) // the same person will spend it
	}
	return Result{Valid: right, AttemptsLeft: pending.AttemptsLeft}, nil
}

// Spend counts a guess at the code with this id and uses the code when the digits are right. Of parallel calls one returns nil
// and the others [ErrUsed]. It returns [ErrExpired], [ErrWrong] and [ErrAttempts] as [Service.Check] does.
func (s *Service) Spend(ctx context.Context, to Recipient, purpose Purpose, id, code string) error {
	pending, right, err := s.try(ctx, to, purpose, id, code)
	if err != nil {
		return err
	}
	if !right {
		return ErrWrong
	}
	return s.use(ctx, to, purpose, id, pending)
}

// use uses up a code after a right guess.
func (s *Service) use(ctx context.Context, to Recipient, purpose Purpose, id string, pending Pending) error {
	if pending.CountedForAll {
		s.confirm(ctx, id, pending)
	}
	first, err := s.Codes.Use(ctx, id)
	if err != nil {
		return err
	}
	if err := s.noteUse(ctx, to, purpose, id); err != nil {
		return err
	}
	// A code that was restored after a failed request counts once. Otherwise the owner of one number could hide thousands of
	// codes that are never entered.
	if mobile, bySMS := to.(contact.Mobile); first && bySMS && s.Entered != nil {
		if err := s.Entered(ctx, mobile); err != nil {
			s.Logger.WarnContext(ctx, "entered code not counted", "code_id", id, "error", err)
		}
	}
	return nil
}

// noteUse stores the use of a code in Uses, and returns [ErrUsed] for one that was used before, even if Codes has lost that.
func (s *Service) noteUse(ctx context.Context, to Recipient, purpose Purpose, id string) error {
	if s.Uses == nil || purpose == Register {
		return nil
	}
	first, err := s.Uses.Use(ctx, id, s.Now().Add(s.Policy.of(ChannelOf(to)).CodeTTL))
	if err != nil {
		if restoreErr := s.Restore(ctx, id); restoreErr != nil {
			s.Logger.WarnContext(ctx, "code not restored", "code_id", id, "error", restoreErr)
		}
		return err
	}
	if !first {
		return ErrUsed
	}
	return nil
}

// try counts a guess and then compares it, in this order: parallel guesses must not all be compared before the first is counted.
func (s *Service) try(ctx context.Context, to Recipient, purpose Purpose, id, code string) (Pending, bool, error) {
	channel := ChannelOf(to)
	if channel == "" || !purpose.usableOn(channel) {
		return Pending{}, false, errors.New("check code: needs a number or an address, and a purpose of its channel")
	}
	code, ok := s.Policy.of(channel).read(code)
	if !ok {
		return Pending{}, false, ErrWrong
	}
	// Guesses count for the caller's own code: the id of another recipient's code must not reach the store.
	if !isOf(id, s.subject(to)) {
		return Pending{}, false, ErrExpired
	}
	pending, err := s.Codes.Try(ctx, id, purpose)
	if err != nil {
		return Pending{}, false, err
	}
	mac, err := s.Keys.CheckMAC(Queued{KeyID: pending.KeyID, ID: id, To: to, Purpose: purpose}.Derivation(), code)
	if errors.Is(err, secrets.ErrUnknownKey) {
		return Pending{}, false, ErrExpired // its key was removed from the settings
	}
	if err != nil {
		return Pending{}, false, fmt.Errorf("check code: %w", err)
	}
	right := hmac.Equal([]byte(mac), []byte(pending.MAC))
	switch {
	case !pending.Used:
		return pending, right, nil
	case right:
		return Pending{}, false, ErrUsed
	}
	return Pending{}, false, ErrExpired // as for an unknown id, so that guesses reveal nothing
}

// isOf reports whether an id is that of a code for the subject.
func isOf(id, subject string) bool {
	of, ok := SubjectOf(id)
	return ok && hmac.Equal([]byte(of), []byte(subject))
}

// confirm notes that a code was entered correctly. When that fails, the guess counts for all codes together until its day ends.
func (s *Service) confirm(ctx context.Context, id string, pending Pending) {
	if err := s.Codes.Confirm(ctx, id, pending); err != nil {
		s.Logger.WarnContext(ctx, "correct code not noted", "code_id", id, "error", err)
	}
}

// HasLetters reports whether codes may have letters.
func (p Policy) HasLetters() bool { return p.CodeAlphabet == secrets.Alphanumeric }

// read returns the code in a text that was typed or pasted, and whether it has the form of one. Where codes have letters, one of
// digits is read as well, because it may have been sent before the setting changed.
func (p Policy) read(text string) (code string, ok bool) {
	if !p.HasLetters() {
		code = input.Code(text, p.CodeLength)
		return code, len(code) == p.CodeLength && isOnly(code, secrets.Digits)
	}
	code = input.LetterCode(text, p.CodeLength, p.CodeAlphabet.Characters())
	return code, len(code) == p.CodeLength && (isOnly(code, p.CodeAlphabet) || isOnly(code, secrets.Digits))
}

func isOnly(code string, alphabet secrets.Alphabet) bool {
	return strings.Trim(code, alphabet.Characters()) == ""
}

// Restore makes a used code usable again until its end, for a request that failed after [Service.Spend]. It works also after the
// request's context has ended.
func (s *Service) Restore(ctx context.Context, id string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTimeout)
	defer cancel()
	if s.Uses != nil {
		if err := s.Uses.Forget(ctx, id); err != nil {
			return err
		}
	}
	return s.Codes.Restore(ctx, id)
}

// Status returns the status of a code, or [ErrNotFound], also for a code of an app. Its State is queued, sent, delivered, undelivered,
// failed, [StateDelayed], [StateExpired] or [StateUsed].
func (s *Service) Status(ctx context.Context, id string) (Status, error) {
	status, err := s.Codes.Status(ctx, id)
	if err == nil && status.Purpose.isOfApp() {
		return Status{}, ErrNotFound
	}
	return status, err
}
