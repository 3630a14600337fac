package verify_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"usher/secrets"
	"usher/verify"
)

// issuedForResend issues a code and forgets the calls for it.
func (b *bundle) issuedForResend(t *testing.T) string {
	t.Helper()
	issued, err := b.Issue(t.Context(), verify.Request{To: mobile, Purpose: verify.Login, Standing: verify.Payer, RequestID: "r1"})
	if err != nil {
		t.Fatal(err)
	}
	b.codes.calls = nil
	return issued.ID
}

func TestService_Resend_queues_the_same_code(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.issuedForResend(t)
	want := b.queue.queued
	want.Resends, want.RequestID, want.Language = 1, "r2", "en"
	code, err := b.Resendable(t.Context(), id)
	if err != nil || code.Mobile != mobile || code.Standing != verify.Payer {
		t.Fatalf("Resendable = %v of %v, %v", code.Standing, code.Mobile, err)
	}
	got, err := b.Resend(t.Context(), code, verify.Known, "r2", "en")
	if err != nil || got != (verify.Issued{ID: id, ExpiresIn: 5 * time.Minute, ResendAfter: time.Minute}) {
		t.Errorf("Resend = %+v, %v", got, err)
	}
	if b.queue.queued != want {
		t.Errorf("queued %+v, want %+v", b.queue.queued, want)
	}
	if r := b.codes.resend; r.Standing != verify.Known || r.Pause != time.Minute || r.Name == "" {
		t.Errorf("filed %+v", r)
	}
}

func TestService_Resend_takes_back_what_may_be_stored_and_is_not_queued(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		stored, queued error
		want           error
		void           bool
	}{
		"no queue":     {queued: context.Canceled, want: verify.ErrQueue, void: true},
		"no store":     {stored: context.DeadlineExceeded, want: context.DeadlineExceeded, void: true},
		"expired":      {stored: verify.ErrExpired, want: verify.ErrExpired},
		"sent again":   {stored: verify.ErrResent, want: verify.ErrResent},
		"a limit":      {stored: &verify.LimitError{Name: "sms_mobile_hour"}},
		"all are well": {},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			code, err := b.Resendable(t.Context(), b.issuedForResend(t))
			if err != nil {
				t.Fatal(err)
			}
			b.codes.resendErr, b.queue.err, b.codes.voidErr = test.stored, test.queued, errors.New("no store either")
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			_, err = b.Resend(ctx, code, code.Standing, "r2", "")
			if test.want != nil && !errors.Is(err, test.want) || (err == nil) != (test.stored == nil && test.queued == nil) {
				t.Errorf("Resend = %v, want %v", err, test.want)
			}
			if slices.Contains(b.codes.calls, "void resend") != test.void || test.void && !b.codes.alive {
				t.Errorf("calls %v, the last one alive: %v", b.codes.calls, b.codes.alive)
			}
			if strings.Contains(b.log.String(), "resend not taken back") != test.void {
				t.Errorf("log: %s", b.log)
			}
		})
	}
}

// A code whose digits would come out different, or whose number does not open, must not be sent: the person has other digits.
func TestService_Resendable_refuses_a_code_that_cannot_be_derived(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*bundle){
		"longer codes":       func(b *bundle) { b.Policy.CodeLength = 7 },
		"codes with letters": func(b *bundle) { b.Policy.CodeAlphabet = secrets.Alphanumeric },
		"a removed key":      func(b *bundle) { b.codes.issued.KeyID = "k0" },
		"an older release":   func(b *bundle) { b.codes.issued.Sealed = "" },
		"another code's":     func(b *bundle) { b.codes.issued.Sealed = b.Keys.Seal(mobile.Reveal(), "code/another") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			id := b.issuedForResend(t)
			change(b)
			if _, err := b.Resendable(t.Context(), id); !errors.Is(err, verify.ErrExpired) {
				t.Errorf("Resendable = %v, want ErrExpired", err)
			}
		})
	}
}

func TestMessageID_can_be_read_back_and_nothing_else(t *testing.T) {
	t.Parallel()
	code := verify.NewID(strings.Repeat("s", 22))
	for resends := range 12 {
		got, n, ok := verify.CodeOf(verify.MessageID(code, resends))
		if got != code || n != resends || !ok {
			t.Errorf("after %d resends: %q, %d, %v", resends, got, n, ok)
		}
	}
	for _, text := range []string{"", "x", code + "-", code + "-1", code + "-0", code + "--2", code + "-02", code + "2", code + ":2", code + "-2x", code[1:] + "-2"} {
		if got, n, ok := verify.CodeOf(text); ok {
			t.Errorf("%q was read as %q, %d", text, got, n)
		}
	}
}
