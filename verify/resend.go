package verify

import (
	"context"
	"crypto/hmac"
	"errors"
	"fmt"
	"time"

	"usher/contact"
	"usher/messages"
	"usher/secrets"
)

const (
	// MaxResends is how often the message of one code is sent again because its person asks for it. A resend needs no captcha, so it
	// also says how many messages one captcha buys: one more than this.
	MaxResends = 1

	// LeastLife is what a code must have left for its message to be sent again: the message has to arrive and be typed.
	LeastLife = time.Minute
)

// Resendable is a code whose message may be sent again.
type Resendable struct {
	ID       string
	Purpose  Purpose
	Standing Standing       // with which the code was issued
	Mobile   contact.Mobile // of [Service.Resendable]

	Sealed    string // the number
	KeyID     string
	MAC       string
	ExpiresAt time.Time
}

// Resend is a resend as the store needs it.
type Resend struct {
	ID       string
	Name     string        // random: the same resend again changes nothing
	Standing Standing      // of the requester
	Pause    time.Duration // until the next code or resend for the same number
}

// sealNumber seals the number of a code, bound to its id. It is empty for a code by mail, which has no second way.
func (s *Service) sealNumber(code Queued) string {
	if ChannelOf(code.To) != messages.SMS {
		return ""
	}
	return s.Keys.Seal(code.To.Reveal(), numberContext(code.ID))
}

func numberContext(id string) string { return "code/" + id }

// Resendable returns the code with this id, with its number, for [Service.Resend]. It returns [ErrNotFound], and [ErrExpired] for
// a code whose digits cannot be derived any more: its key was removed, or codes have got another form since.
func (s *Service) Resendable(ctx context.Context, id string) (Resendable, error) {
	code, err := s.Codes.Resendable(ctx, id)
	if err != nil {
		return Resendable{}, err
	}
	if code.Purpose.isOfApp() {
		return Resendable{}, ErrNotFound
	}
	number, err := s.Keys.Open(code.Sealed, numberContext(id))
	if err != nil {
		return Resendable{}, ErrExpired // also a code of an older release, which has no sealed number
	}
	if code.Mobile, err = contact.ParseMobile(number); err != nil {
		return Resendable{}, fmt.Errorf("resend code: %w", err)
	}
	derivation := s.queuedAgain(code).Derivation()
	digits, err := s.Keys.Code(derivation)
	if err != nil {
		return Resendable{}, ErrExpired
	}
	mac, err := s.Keys.CheckMAC(derivation, digits)
	if err != nil || !hmac.Equal([]byte(mac), []byte(code.MAC)) {
		return Resendable{}, ErrExpired
	}
	return code, nil
}

// queuedAgain is the code as its task needs it. Length and alphabet are those of new codes: a code that had others does not have this
// MAC.
func (s *Service) queuedAgain(code Resendable) Queued {
	policy := s.Policy.of(messages.SMS)
	return Queued{
		ID: code.ID, KeyID: code.KeyID, Purpose: code.Purpose, To: code.Mobile, Length: policy.CodeLength, Alphabet: policy.CodeAlphabet,
		ExpiresAt: code.ExpiresAt,
	}
}

// Resend sends the message of a code again, with the same digits, by another provider than before where there is one. The person
// asks for it, so it is a message beyond those of [messages.MaxSends]. The code does not live longer for it. See [Codes] for the errors;
// after [ErrQueue] nothing is sent and nothing is spent.
func (s *Service) Resend(ctx context.Context, code Resendable, standing Standing, requestID, language string) (Issued, error) {
	resend := Resend{ID: code.ID, Name: secrets.Random(8), Standing: standing, Pause: s.Policy.ResendInterval}
	resends, err := s.Codes.Resend(ctx, resend)
	if err != nil {
		if _, refused := errors.AsType[*LimitError](err); !refused && !errors.Is(err, ErrExpired) && !errors.Is(err, ErrResent) {
			s.voidResend(ctx, resend) // it may be stored although the reply was lost
		}
		return Issued{}, err
	}
	queued := s.queuedAgain(code)
	queued.RequestID, queued.Language, queued.Resends = requestID, language, resends
	err = s.Queue.EnqueueCode(ctx, queued)
	if err != nil {
		s.voidResend(ctx, resend)
		return Issued{}, fmt.Errorf("%w: %w", ErrQueue, err)
	}
	return Issued{ID: code.ID, ExpiresIn: max(code.ExpiresAt.Sub(s.Now()), 0), ResendAfter: s.Policy.ResendInterval}, nil
}

// voidResend takes a resend back. When that fails too, the person can request another code after the pause.
func (s *Service) voidResend(ctx context.Context, resend Resend) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTimeout)
	defer cancel()
	if err := s.Codes.VoidResend(ctx, resend.ID, resend.Name); err != nil {
		s.Logger.ErrorContext(ctx, "resend not taken back", "sms_code_id", resend.ID, "error", err)
	}
}
