package redisstore_test

import (
	"errors"
	"testing"
	"time"

	"usher/internal/testkit"
	"usher/messages"
	"usher/verify"
)

// codesAppsTests check codes of apps: of one app, recipient and purpose only the last can be entered, and a code can be canceled.
var codesAppsTests = behaviours{
	"a new code ends the one before it":                appsNewest,
	"codes of two apps and two purposes are apart":     appsApart,
	"a code that replaces another than the newest":     appsMoved,
	"a code that could not be queued stays taken back": appsVoid,
	"a canceled code is neither entered nor sent":      appsCanceled,
	"a claimed code is canceled but has left":          appsCanceledLate,
	"a used code stays used":                           appsCanceledUsed,
}

func TestCodes_of_apps(t *testing.T) {
	t.Parallel()
	testkit.EachRedis(t, codesAppsTests.on)
	t.Run("where scripts must name their keys", func(t *testing.T) {
		t.Parallel()
		codesAppsTests.on(t, testkit.StrictRedis{}.Before(t, testkit.Redis(t)))
	})
}

const oneApp, anotherApp = "app_aaaaaaaaaa", "app_bbbbbbbbbb"

// start issues a code of an app and returns what its check needs.
func (b *fixture) start(t *testing.T, app, purpose string) (verify.Verification, string) {
	t.Helper()
	b.service.Policy.ResendInterval = 0
	issued, err := b.service.Issue(t.Context(), verify.Request{
		To: b.mobile, Purpose: verify.ForApp(app, purpose), App: &verify.AppRequest{Name: "Shop", Nonce: "a\nb"},
	})
	if err != nil {
		t.Fatal(err)
	}
	v, err := b.service.Verification(t.Context(), app, issued.ID)
	if err != nil || v.Nonce != "a\nb" || v.Recipient != b.mobile || v.Purpose != purpose || v.AttemptsLeft != 5 {
		t.Fatalf("Verification = %+v, %v", v, err)
	}
	return v, b.code(t, issued.ID, verify.ForApp(app, purpose))
}

// wantApproved checks a right code.
func (b *fixture) wantApproved(t *testing.T, v verify.Verification, code string, want error) {
	t.Helper()
	if result, err := b.service.Approve(t.Context(), v, code); !errors.Is(err, want) || result.Valid != (want == nil) {
		t.Errorf("Approve = %+v, %v; want %v", result, err, want)
	}
}

func appsNewest(t *testing.T, b *fixture) {
	first, firstCode := b.start(t, oneApp, "sign_up")
	second, secondCode := b.start(t, oneApp, "sign_up")
	b.wantApproved(t, first, firstCode, verify.ErrExpired)
	b.wantApproved(t, second, secondCode, nil)
	b.wantApproved(t, second, secondCode, verify.ErrUsed)
}

func appsApart(t *testing.T, b *fixture) {
	v, code := b.start(t, oneApp, "sign_up")
	other, otherCode := b.start(t, anotherApp, "sign_up")
	purpose, purposeCode := b.start(t, oneApp, "pay")
	b.wantApproved(t, v, code, nil)
	b.wantApproved(t, other, otherCode, nil)
	b.wantApproved(t, purpose, purposeCode, nil)
	if _, err := b.service.Verification(t.Context(), anotherApp, v.ID); !errors.Is(err, verify.ErrNotFound) {
		t.Errorf("another app's: %v", err)
	}
	if _, err := b.service.Status(t.Context(), v.ID); !errors.Is(err, verify.ErrNotFound) {
		t.Errorf("as a code of ours: %v", err)
	}
}

func appsMoved(t *testing.T, b *fixture) {
	v, code := b.start(t, oneApp, "sign_up")
	id := verify.NewID(b.keys.Index("mobile", b.mobile.Reveal()))
	issue := verify.Issue{
		ID: id, Subject: b.keys.Index("mobile", b.mobile.Reveal()), Channel: messages.SMS, Purpose: verify.ForApp(oneApp, "sign_up"),
		IssuedAt: b.clock.Now(), ExpiresAt: b.clock.Now().Add(time.Minute), MaxAttempts: 5, Sole: true,
	}
	if err := b.codes.Issue(t.Context(), issue); !errors.Is(err, verify.ErrMoved) {
		t.Errorf("Issue = %v, want ErrMoved", err)
	}
	b.wantApproved(t, v, code, nil)
}

func appsVoid(t *testing.T, b *fixture) {
	first, firstCode := b.start(t, oneApp, "sign_up")
	second, _ := b.start(t, oneApp, "sign_up")
	if err := b.codes.Void(t.Context(), messages.SMS, second.ID, ""); err != nil {
		t.Fatal(err)
	}
	b.wantApproved(t, first, firstCode, verify.ErrExpired)
	third, thirdCode := b.start(t, oneApp, "sign_up")
	b.wantApproved(t, third, thirdCode, nil)
}

func appsCanceled(t *testing.T, b *fixture) {
	v, code := b.start(t, oneApp, "sign_up")
	for range 2 {
		if err := b.service.Cancel(t.Context(), v); err != nil {
			t.Fatal(err)
		}
	}
	b.wantApproved(t, v, code, verify.ErrExpired)
	if claim, err := b.codes.Claim(t.Context(), v.ID, time.Minute); !errors.Is(err, messages.ErrDropped) || claim.Reason != "canceled" {
		t.Errorf("Claim = %+v, %v; want it dropped as canceled", claim, err)
	}
	if after, err := b.service.Verification(t.Context(), oneApp, v.ID); err != nil || after.State != verify.StateCanceled {
		t.Errorf("status %+v, %v", after.Status, err)
	}
	if reason, err := b.codes.Retry(t.Context(), v.ID, false); err != nil || reason != "canceled" {
		t.Errorf("Retry = %q, %v", reason, err)
	}
}

func appsCanceledLate(t *testing.T, b *fixture) {
	v, code := b.start(t, oneApp, "sign_up")
	claim, err := b.codes.Claim(t.Context(), v.ID, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.service.Cancel(t.Context(), v); err != nil {
		t.Fatal(err)
	}
	if err := b.codes.Record(t.Context(), claim, messages.Outcome{State: messages.Sent, Provider: "aliyun", At: b.clock.Now()}); err != nil {
		t.Errorf("the outcome of the message that has left: %v", err)
	}
	b.wantApproved(t, v, code, verify.ErrExpired)
	if after, err := b.service.Verification(t.Context(), oneApp, v.ID); err != nil || after.State != verify.StateCanceled || after.SentAt.IsZero() {
		t.Errorf("status %+v, %v", after.Status, err)
	}
}

func appsCanceledUsed(t *testing.T, b *fixture) {
	v, code := b.start(t, oneApp, "sign_up")
	b.wantApproved(t, v, code, nil)
	if err := b.service.Cancel(t.Context(), v); err != nil {
		t.Fatal(err)
	}
	if after, err := b.service.Verification(t.Context(), oneApp, v.ID); err != nil || after.State != verify.StateUsed || after.UsedAt.IsZero() {
		t.Errorf("status %+v, %v", after.Status, err)
	}
}
