package verify

import (
	"context"
	"crypto/hmac"
	"errors"
	"fmt"
	"log/slog"
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
	StateExpired messages.State = "expired" // its time is over, or a newer one took its place
	StateUsed    messages.State = "used"
	// StateDelayed is queued for longer than sending takes: no provider takes it, no worker sends, or the queue is
	// paused. It is still tried while the code lives.
	StateDelayed messages.State = "delayed"
)

// undoTimeout bounds what must still be done when the request's own time may be over.
const undoTimeout = 2 * time.Second

// Policy says what codes look like and how long they live.
type Policy struct {
	CodeLength     int           // digits, 4 to 8
	CodeTTL        time.Duration // from issue to end, on its way included
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

	// Uses is told of every code that is used, but for those of registrations: a number has one account. nil trusts
	// Codes alone.
	Uses Uses

	// Entered is told once of every code that was used, to be held against the codes that were sent. Its
	// error does not matter to the person and is only logged. nil tells nobody.
	Entered func(ctx context.Context, mobile contact.Mobile) error
}

// Request asks for a code.
type Request struct {
	Mobile    contact.Mobile
	Purpose   Purpose
	Replaces  string // id of the code that the asker asked for before: it ends; empty for none
	Standing  Standing
	RequestID string // goes with the message, to be followed through logs
}

// Issued is a code on its way.
type Issued struct {
	ID          string
	ExpiresIn   time.Duration
	ResendAfter time.Duration
}

// Issue makes a new code and queues it. It takes the place of the code that the request replaces, if that is one of
// the same number and purpose; others live on. It returns a *[LimitError] when the number may not have one now.
// After every other error nothing is sent and nothing is spent, as far as the store can still be reached:
// [ErrQueue] when the queue did not take the code, else the store's error.
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
			s.void(ctx, issue) // the answer may be lost, not the request
		}
		return Issued{}, err
	}
	err = s.Queue.EnqueueSMSCode(ctx, Queued{
		ID: issue.ID, KeyID: issue.KeyID, Purpose: r.Purpose, To: r.Mobile,
		Length: s.Policy.CodeLength, ExpiresAt: issue.ExpiresAt, RequestID: r.RequestID,
	})
	if err != nil {
		s.void(ctx, issue)
		return Issued{}, fmt.Errorf("%w: %w", ErrQueue, err)
	}
	return Issued{ID: issue.ID, ExpiresIn: s.Policy.CodeTTL, ResendAfter: s.Policy.ResendInterval}, nil
}

func (s *Service) newIssue(r Request) (Issue, error) {
	subject := s.subject(r.Mobile)
	id := NewID(subject)
	derivation := secrets.Derivation{
		KeyID: s.Keys.SigningID(), ID: id, Mobile: r.Mobile.Reveal(), Purpose: string(r.Purpose), Length: s.Policy.CodeLength,
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

// void takes a code back. When even that fails, the code stays unsent until it expires and the person has
// to wait out the pause.
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

// Check counts an attempt on the code that has this id and says whether the digits are right, without using it. A
// wrong code is no error. It returns [ErrExpired], [ErrUsed] for the right digits of a used code, [ErrAttempts], and [ErrWrong] for text that cannot be a code: it
// is not counted, since nothing can be guessed with it. An id that is not of this number and purpose is [ErrExpired],
// and no code's attempts change. The code is read as it was typed or pasted, see [input.Code].
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

// Spend counts an attempt on the code that has this id and uses the code when the digits are right: once, so that of
// parallel calls one gets nil and the others [ErrUsed]. It returns [ErrExpired], [ErrWrong] and [ErrAttempts], as
// [Service.Check] does.
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
	// A code that a failed request gave back counts once: who holds one number could else make up for
	// thousands of codes that nobody enters.
	if first && s.Entered != nil {
		if err := s.Entered(ctx, mobile); err != nil {
			s.Logger.WarnContext(ctx, "entered code not counted", "sms_code_id", id, "error", err)
		}
	}
	return nil
}

// noteUse returns [ErrUsed] for a code that was used before, whatever Codes knows of it.
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

// try counts an attempt, then compares, in this order: guesses that arrive together must not all be
// compared before the first is counted.
func (s *Service) try(ctx context.Context, mobile contact.Mobile, purpose Purpose, id, code string) (Pending, bool, error) {
	if mobile.IsZero() || !purpose.Valid() {
		return Pending{}, false, errors.New("check code: needs a number and a known purpose")
	}
	code = input.Code(code, s.Policy.CodeLength)
	if !s.wellFormed(code) {
		return Pending{}, false, ErrWrong
	}
	// Attempts belong to the code that the caller asked for: the id of another number's code must not reach it.
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
		return Pending{}, false, ErrExpired // its key was taken out of the settings: another code will do
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
	return Pending{}, false, ErrExpired // as for an unknown id: guesses learn nothing
}

// isOf reports whether an id is that of a code for the subject.
func isOf(id, subject string) bool {
	of, ok := SubjectOf(id)
	return ok && hmac.Equal([]byte(of), []byte(subject))
}

// confirm notes that a code was entered rightly. When it cannot, the attempt is forgotten with its day.
func (s *Service) confirm(ctx context.Context, id string, pending Pending) {
	if err := s.Codes.Confirm(ctx, id, pending); err != nil {
		s.Logger.WarnContext(ctx, "right code not noted", "sms_code_id", id, "error", err)
	}
}

// wellFormed reports whether the text has the form of a code.
func (s *Service) wellFormed(code string) bool {
	if len(code) != s.Policy.CodeLength {
		return false
	}
	for i := range len(code) {
		if code[i] < '0' || code[i] > '9' {
			return false
		}
	}
	return true
}

// Restore makes a used code usable again until its old end, for a request that failed after [Service.Spend].
// It does so even when the request's context is over.
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

// Status returns what is known of a code, or [ErrNotFound]. Its State is one of queued, sent, delivered,
// undelivered, failed, [StateDelayed], [StateExpired] and [StateUsed].
func (s *Service) Status(ctx context.Context, id string) (Status, error) {
	return s.Codes.Status(ctx, id)
}

func (s *Service) subject(mobile contact.Mobile) string {
	return s.Keys.Index("mobile", mobile.Reveal())
}
