package storetest

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"usher/contact"
	"usher/limits"
	"usher/verify"
)

func purposesNeverCross(t *testing.T, b *redisBundle) {
	b.service.Policy.ResendInterval = 0
	other, err := contact.ParseMobile("139" + b.mobile.Reveal()[3:])
	if err != nil {
		t.Fatal(err)
	}
	ids := map[verify.Purpose]string{}
	for _, purpose := range []verify.Purpose{verify.Register, verify.Login, verify.ResetPassword} {
		ids[purpose] = b.issue(t, purpose).ID
	}
	if _, err := b.service.Issue(t.Context(), verify.Request{Mobile: other, Purpose: verify.Login}); err != nil {
		t.Fatal(err)
	}
	code := b.code(t, ids[verify.Login], verify.Login)
	for _, purpose := range []verify.Purpose{verify.Register, verify.ResetPassword} {
		if _, err := b.service.Spend(t.Context(), b.mobile, purpose, code); !errors.Is(err, verify.ErrWrong) {
			t.Errorf("login code for %s: %v", purpose, err)
		}
	}
	if _, err := b.service.Spend(t.Context(), other, verify.Login, code); !errors.Is(err, verify.ErrWrong) {
		t.Errorf("code of another number: %v", err)
	}
	if id, err := b.service.Spend(t.Context(), b.mobile, verify.Login, code); err != nil || id != ids[verify.Login] {
		t.Errorf("Spend = %q, %v", id, err)
	}
}

func newSupersedesOld(t *testing.T, b *redisBundle) {
	older := b.issue(t, verify.Login)
	b.clock.Advance(time.Minute)
	newer := b.issue(t, verify.Login)
	code := b.code(t, older.ID, verify.Login)
	if _, err := b.service.Spend(t.Context(), b.mobile, verify.Login, code); !errors.Is(err, verify.ErrWrong) {
		t.Errorf("Spend of the older code: %v", err)
	}
	if _, err := b.codes.Use(t.Context(), older.ID); !errors.Is(err, verify.ErrExpired) {
		t.Errorf("Use of the older code: %v", err)
	}
	b.wantState(t, older.ID, verify.StateExpired)
	if _, err := b.service.Spend(t.Context(), b.mobile, verify.Login, b.code(t, newer.ID, verify.Login)); err != nil {
		t.Errorf("Spend of the newer code: %v", err)
	}
}

func codeExpires(t *testing.T, b *redisBundle) {
	issued := b.issue(t, verify.Login)
	code := b.code(t, issued.ID, verify.Login)
	b.clock.Advance(policy().CodeTTL - time.Millisecond)
	result, err := b.service.Check(t.Context(), b.mobile, verify.Login, code)
	if diff := cmp.Diff(verify.Result{Valid: true, AttemptsLeft: 4}, result); err != nil || diff != "" {
		t.Errorf("Check in the last millisecond: %v\n%s", err, diff)
	}
	b.clock.Advance(time.Millisecond)
	if _, err := b.service.Check(t.Context(), b.mobile, verify.Login, code); !errors.Is(err, verify.ErrExpired) {
		t.Errorf("Check at the end: %v", err)
	}
	if _, err := b.codes.Use(t.Context(), issued.ID); !errors.Is(err, verify.ErrExpired) {
		t.Errorf("Use at the end: %v", err)
	}
}

func guessesInParallel(t *testing.T, b *redisBundle) {
	b.unlimited() // so that the code's own bound is what holds
	issued := b.issue(t, verify.Login)
	code := b.code(t, issued.ID, verify.Login)
	errs := parallel(1000, func(i int) error {
		guess := wrong(code, i) // the right one is the first
		_, err := b.service.Spend(t.Context(), b.mobile, verify.Login, guess)
		return err
	})
	right := count(errs, func(err error) bool { return err == nil })
	compared := right + count(errs, func(err error) bool { return errors.Is(err, verify.ErrWrong) })
	refused := count(errs, func(err error) bool {
		return errors.Is(err, verify.ErrAttempts) || errors.Is(err, verify.ErrExpired)
	})
	if right > 1 || compared > policy().MaxAttempts || compared+refused != 1000 {
		t.Errorf("%d right, %d compared, %d refused; want at most 1 and 5, and the rest refused", right, compared, refused)
	}
	if right == 0 {
		if _, err := b.service.Spend(t.Context(), b.mobile, verify.Login, code); !errors.Is(err, verify.ErrAttempts) {
			t.Errorf("right code after five wrong ones: %v", err)
		}
	}
}

func guessesOfNumber(t *testing.T, b *redisBundle) {
	b.store.Rules.Set = limits.Set{limits.CheckMobileHour: {Name: limits.CheckMobileHour, Count: 7, Period: time.Hour}}
	compared := 0
	for range 3 {
		issued := b.issue(t, verify.Login)
		guess := wrong(b.code(t, issued.ID, verify.Login), 1)
		for range 10 {
			result, err := b.service.Check(t.Context(), b.mobile, verify.Login, guess)
			if err == nil && !result.Valid {
				compared++
			} else if !errors.Is(err, verify.ErrAttempts) {
				t.Fatalf("Check = %v, %v", result, err)
			}
			if _, err := b.service.Check(t.Context(), b.mobile, verify.Login, "12345a"); !errors.Is(err, verify.ErrWrong) {
				t.Fatalf("Check of what is no code: %v", err)
			}
		}
		b.clock.Advance(time.Minute)
	}
	if compared != 7 {
		t.Errorf("%d guesses compared, want the limit's 7", compared)
	}
}

func spendsInParallel(t *testing.T, b *redisBundle) {
	b.unlimited()
	b.service.Policy.MaxAttempts = 50
	issued := b.issue(t, verify.Login)
	code := b.code(t, issued.ID, verify.Login)
	errs := parallel(50, func(int) error {
		_, err := b.service.Spend(t.Context(), b.mobile, verify.Login, code)
		return err
	})
	won := count(errs, func(err error) bool { return err == nil })
	lost := count(errs, func(err error) bool { return errors.Is(err, verify.ErrExpired) })
	if won != 1 || lost != 49 {
		t.Errorf("%d spent it and %d were told it is over, want 1 and 49", won, lost)
	}
	// Guesses may have been refused before they came to use the code: that it has one use is not their doing alone.
	if _, err := b.codes.Use(t.Context(), issued.ID); !errors.Is(err, verify.ErrExpired) {
		t.Errorf("Use of a used code: %v", err)
	}
}

func restore(t *testing.T, b *redisBundle) {
	issued := b.issue(t, verify.Login)
	code := b.code(t, issued.ID, verify.Login)
	for range 2 * policy().MaxAttempts { // restored attempts are given back
		id, err := b.service.Spend(t.Context(), b.mobile, verify.Login, code)
		if err != nil {
			t.Fatal(err)
		}
		b.wantState(t, id, verify.StateUsed)
		if _, err := b.service.Check(t.Context(), b.mobile, verify.Login, code); !errors.Is(err, verify.ErrExpired) {
			t.Errorf("Check of a used code: %v", err)
		}
		if err := b.service.Restore(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		b.wantState(t, id, "queued")
	}
	b.clock.Advance(policy().CodeTTL)
	if err := b.service.Restore(t.Context(), issued.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := b.service.Spend(t.Context(), b.mobile, verify.Login, code); !errors.Is(err, verify.ErrExpired) {
		t.Errorf("restored past its end: %v", err)
	}
}
