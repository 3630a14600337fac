package verify

import (
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

// ResendLimit is the name of a [LimitError] for the pause between two codes.
const ResendLimit = "sms_resend"

// States of a code beyond those of its message.
const (
	StateExpired messages.State = "expired" // its time is over, or another code has replaced it
	StateUsed    messages.State = "used"
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

	// Entered is called once for each code that was used, to be compared with the number of codes that were sent. Its error
	// is only logged. nil is not called.
	Entered func(ctx context.Context, mobile contact.Mobile) error
}

// Request asks for a code.
type Request struct {
	Mobile    contact.Mobile
	Purpose   Purpose
	Replaces  string // id of the code that the same person requested before, which ends; empty for none
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
// number and purpose; other codes stay valid. It returns a *[LimitError] when the number may not have a code now. After any
// other error nothing is sent, and nothing is spent unless the store is unavailable: [ErrQueue] when the message could not be
// enqueued, else the store's error.
func (s *Service) Issue(ctx context.Context, r Request) (Issued, error) {
	if r.Mobile.IsZero() || !r.Purpose.Valid() {
		return Issued{}, errors.New("issue code: needs a number and a known purpose")
	}
	issue, err := s.newIssue(r)
	if err != nil {
		return Issued{}, err
	}
	if err := s.Codes.Issue(ctx, issue); err != nil {
		if _, ok := errors.AsType[*LimitError](err); !ok {
			s.void(ctx, issue) // the code may be stored although the reply was lost
		}
		return Issued{}, err
	}
	err = s.Queue.EnqueueSMSCode(ctx, Queued{
		ID: issue.ID, KeyID: issue.KeyID, Purpose: r.Purpose, To: r.Mobile,
		Length: s.Policy.CodeLength, Alphabet: s.Policy.CodeAlphabet, ExpiresAt: issue.ExpiresAt, RequestID: r.RequestID, Language: r.Language,
	})
	if err != nil {
		s.void(ctx, issue)
		return Issued{}, fmt.Errorf("%w: %w", ErrQueue, err)
	}
	return Issued{ID: issue.ID, ExpiresIn: s.Policy.CodeTTL, ResendAfter: s.Policy.ResendInterval}, nil
}

// newIssue derives a new code and the MAC to compare with. An id that the request may not replace is ignored, so that requests
// cannot end the codes of other numbers.
func (s *Service) newIssue(r Request) (Issue, error) {
	subject := s.subject(r.Mobile)
	id := NewID(subject)
	derivation := secrets.Derivation{
		KeyID: s.Keys.SigningID(), ID: id, Mobile: r.Mobile.Reveal(), Purpose: string(r.Purpose), Length: s.Policy.CodeLength,
		Alphabet: s.Policy.CodeAlphabet,
	}
	code, err := s.Keys.Code(derivation)
	if err != nil {
		return Issue{}, fmt.Errorf("derive code: %w", err)
	}
	mac, err := s.Keys.CheckMAC(derivation, code)
	if err != nil {
		return Issue{}, fmt.Errorf("derive code: %w", err)
	}
	replaces := r.Replaces
	if !isOf(replaces, subject) {
		replaces = ""
	}
	now := s.Now()
	return Issue{
		ID: id, Subject: subject, Purpose: r.Purpose, To: r.Mobile.String(), RequestID: r.RequestID,
		KeyID: derivation.KeyID, MAC: mac, Replaces: replaces, Standing: r.Standing,
		IssuedAt: now, ExpiresAt: now.Add(s.Policy.CodeTTL),
		ResendAfter: s.Policy.ResendInterval, MaxAttempts: s.Policy.MaxAttempts,
	}, nil
}

// void takes a code back. When that fails too, the code stays unsent until it expires, and the person can request another one
// after the pause.
func (s *Service) void(ctx context.Context, issue Issue) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTimeout)
	defer cancel()
	if err := s.Codes.Void(ctx, issue.ID, issue.Replaces); err != nil {
		s.Logger.ErrorContext(ctx, "code not taken back", "sms_code_id", issue.ID, "error", err)
	}
}

// Result is the answer to a check.
type Result struct {
	Valid        bool
	AttemptsLeft int // of this code
}

// Check counts a guess at the code with this id and reports whether the digits are right, without using the code. Wrong digits
// are no error. It returns [ErrExpired]; [ErrUsed] for the right digits of a used code; [ErrAttempts]; and [ErrWrong] for text
// that cannot be a code, which is not counted because it guesses nothing. For an id of another number or purpose it returns
// [ErrExpired] and counts nothing. The code is read as it was typed or pasted, see [input.Code] and [input.LetterCode].
func (s *Service) Check(ctx context.Context, mobile contact.Mobile, purpose Purpose, id, code string) (Result, error) {
	pending, right, err := s.try(ctx, mobile, purpose, id, code)
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
func (s *Service) Spend(ctx context.Context, mobile contact.Mobile, purpose Purpose, id, code string) error {
	pending, right, err := s.try(ctx, mobile, purpose, id, code)
	if err != nil {
		return err
	}
	if !right {
		return ErrWrong
	}
	if pending.CountedForAll {
		s.confirm(ctx, id, pending)
	}
	first, err := s.Codes.Use(ctx, id)
	if err != nil {
		return err
	}
	if err := s.noteUse(ctx, purpose, id); err != nil {
		return err
	}
	// A code that was restored after a failed request counts once. Otherwise the owner of one number could hide thousands of
	// codes that are never entered.
	if first && s.Entered != nil {
		if err := s.Entered(ctx, mobile); err != nil {
			s.Logger.WarnContext(ctx, "entered code not counted", "sms_code_id", id, "error", err)
		}
	}
	return nil
}

// noteUse stores the use of a code in Uses, and returns [ErrUsed] for one that was used before, even if Codes has lost that.
func (s *Service) noteUse(ctx context.Context, purpose Purpose, id string) error {
	if s.Uses == nil || purpose == Register {
		return nil
	}
	first, err := s.Uses.Use(ctx, id, s.Now().Add(s.Policy.CodeTTL))
	if err != nil {
		if restoreErr := s.Restore(ctx, id); restoreErr != nil {
			s.Logger.WarnContext(ctx, "code not restored", "sms_code_id", id, "error", restoreErr)
		}
		return err
	}
	if !first {
		return ErrUsed
	}
	return nil
}

// try counts a guess and then compares it, in this order: parallel guesses must not all be compared before the first is counted.
func (s *Service) try(ctx context.Context, mobile contact.Mobile, purpose Purpose, id, code string) (Pending, bool, error) {
	if mobile.IsZero() || !purpose.Valid() {
		return Pending{}, false, errors.New("check code: needs a number and a known purpose")
	}
	code, ok := s.Policy.read(code)
	if !ok {
		return Pending{}, false, ErrWrong
	}
	// Guesses count for the caller's own code: the id of another number's code must not reach the store.
	if !isOf(id, s.subject(mobile)) {
		return Pending{}, false, ErrExpired
	}
	pending, err := s.Codes.Try(ctx, id, purpose)
	if err != nil {
		return Pending{}, false, err
	}
	mac, err := s.Keys.CheckMAC(secrets.Derivation{
		KeyID: pending.KeyID, ID: id, Mobile: mobile.Reveal(), Purpose: string(purpose),
	}, code)
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
		s.Logger.WarnContext(ctx, "correct code not noted", "sms_code_id", id, "error", err)
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

// Status returns the status of a code, or [ErrNotFound]. Its State is queued, sent, delivered, undelivered, failed,
// [StateDelayed], [StateExpired] or [StateUsed].
func (s *Service) Status(ctx context.Context, id string) (Status, error) {
	return s.Codes.Status(ctx, id)
}

// subject returns the keyed hash of a number.
func (s *Service) subject(mobile contact.Mobile) string {
	return s.Keys.Index("mobile", mobile.Reveal())
}
