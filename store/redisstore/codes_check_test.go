package redisstore_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"usher/contact"
	"usher/internal/testkit"
	"usher/limits"
	"usher/messages"
	"usher/verify"
)

func purposesNeverCross(t *testing.T, b *fixture) {
	b.service.Policy.ResendInterval = 0
	other, err := contact.ParseMobile("139" + b.mobile.Reveal()[3:])
	if err != nil {
		t.Fatal(err)
	}
	ids := map[verify.Purpose]string{}
	for _, purpose := range []verify.Purpose{verify.Register, verify.Login, verify.ResetPassword} {
		ids[purpose] = b.issue(t, purpose).ID
	}
	if _, err := b.service.Issue(t.Context(), verify.Request{To: other, Purpose: verify.Login}); err != nil {
		t.Fatal(err)
	}
	code := b.code(t, ids[verify.Login], verify.Login)
	for _, purpose := range []verify.Purpose{verify.Register, verify.ResetPassword} {
		if err := b.service.Spend(t.Context(), b.mobile, purpose, ids[purpose], code); !errors.Is(err, verify.ErrWrong) {
			t.Errorf("digits of the login code for %s: %v", purpose, err)
		}
		if err := b.service.Spend(t.Context(), b.mobile, purpose, ids[verify.Login], code); !errors.Is(err, verify.ErrExpired) {
			t.Errorf("login code for %s: %v", purpose, err)
		}
	}
	if err := b.service.Spend(t.Context(), other, verify.Login, ids[verify.Login], code); !errors.Is(err, verify.ErrExpired) {
		t.Errorf("code of another number: %v", err)
	}
	if err := b.service.Spend(t.Context(), b.mobile, verify.Login, ids[verify.Login], code); err != nil {
		t.Errorf("Spend: %v", err)
	}
}

// strangersGuess tries what a person without the code's id can send.
func strangersGuess(t *testing.T, b *fixture) {
	b.service.Policy.ResendInterval = 0
	other, err := contact.ParseMobile("139" + b.mobile.Reveal()[3:])
	if err != nil {
		t.Fatal(err)
	}
	owners := b.issue(t, verify.Login)
	code := b.code(t, owners.ID, verify.Login)
	register := b.issue(t, verify.Register)
	foreign, err := b.service.Issue(t.Context(), verify.Request{To: other, Purpose: verify.Login})
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"", "x", verify.NewID(b.subject), register.ID, foreign.ID, owners.ID[:43], owners.ID + "A"} {
		for range policy().MaxAttempts + 1 {
			if _, err := b.service.Check(t.Context(), b.mobile, verify.Login, id, wrong(code, 1)); !errors.Is(err, verify.ErrExpired) {
				t.Fatalf("Check with the id %q: %v", id, err)
			}
			if err := b.service.Spend(t.Context(), b.mobile, verify.Login, id, code); !errors.Is(err, verify.ErrExpired) {
				t.Fatalf("Spend with the id %q: %v", id, err)
			}
		}
	}
	for id, purpose := range map[string]verify.Purpose{owners.ID: verify.Login, register.ID: verify.Register} {
		result, err := b.service.Check(t.Context(), b.mobile, purpose, id, b.code(t, id, purpose))
		if want := (verify.Result{Valid: true, AttemptsLeft: policy().MaxAttempts - 1}); err != nil || result != want {
			t.Errorf("the owner's %s code afterwards: %+v, %v", purpose, result, err)
		}
	}
}

func newSupersedesOld(t *testing.T, b *fixture) {
	older := b.issue(t, verify.Login)
	b.clock.Advance(time.Minute)
	newer := b.replace(t, verify.Login, older.ID)
	code := b.code(t, older.ID, verify.Login)
	if err := b.service.Spend(t.Context(), b.mobile, verify.Login, older.ID, code); !errors.Is(err, verify.ErrExpired) {
		t.Errorf("Spend of the older code: %v", err)
	}
	if err := b.service.Spend(t.Context(), b.mobile, verify.Login, newer.ID, code); !errors.Is(err, verify.ErrWrong) {
		t.Errorf("Spend of the newer code with the older digits: %v", err)
	}
	if _, err := b.codes.Use(t.Context(), older.ID); !errors.Is(err, verify.ErrExpired) {
		t.Errorf("Use of the older code: %v", err)
	}
	b.wantState(t, older.ID, verify.StateExpired)
	if err := b.service.Spend(t.Context(), b.mobile, verify.Login, newer.ID, b.code(t, newer.ID, verify.Login)); err != nil {
		t.Errorf("Spend of the newer code: %v", err)
	}
}

// sideBySide asks for codes as strangers do: they know the number, and no id of its codes.
func sideBySide(t *testing.T, b *fixture) {
	b.service.Policy.ResendInterval = 0
	b.unlimited()
	other, err := contact.ParseMobile("139" + b.mobile.Reveal()[3:])
	if err != nil {
		t.Fatal(err)
	}
	owners, register := b.issue(t, verify.Login), b.issue(t, verify.Register)
	for _, id := range []string{"", "x", verify.NewID(b.subject), register.ID, owners.ID[:43], owners.ID + "A"} {
		b.replace(t, verify.Login, id)
	}
	if _, err := b.service.Issue(t.Context(), verify.Request{To: other, Purpose: verify.Login, Replaces: owners.ID}); err != nil {
		t.Fatal(err)
	}
	stranger := b.issue(t, verify.Login)
	for range policy().MaxAttempts {
		if _, err := b.service.Check(t.Context(), b.mobile, verify.Login, stranger.ID, wrong(b.code(t, stranger.ID, verify.Login), 1)); err != nil {
			t.Fatal(err)
		}
	}
	for id, purpose := range map[string]verify.Purpose{owners.ID: verify.Login, register.ID: verify.Register} {
		b.wantState(t, id, messages.Queued)
		b.claim(t, id)
		if err := b.service.Spend(t.Context(), b.mobile, purpose, id, b.code(t, id, purpose)); err != nil {
			t.Errorf("Spend of the owner's %s code: %v", purpose, err)
		}
	}
}

// olderCode is a code as an older program filed it, which said elsewhere whether it was replaced.
func olderCode(t *testing.T, b *fixture) {
	issued := b.issue(t, verify.Login)
	for _, key := range b.client.Keys(t.Context(), "*"+issued.ID).Val() {
		if err := b.client.HDel(t.Context(), key, "windows", "superseded").Err(); err != nil {
			t.Fatal(err)
		}
	}
	b.wantState(t, issued.ID, messages.Queued)
	b.record(t, b.claim(t, issued.ID), messages.Failed)
	b.wantRetry(t, issued.ID, false, "")
	if err := b.service.Spend(t.Context(), b.mobile, verify.Login, issued.ID, b.code(t, issued.ID, verify.Login)); err != nil {
		t.Errorf("Spend: %v", err)
	}
}

func codeExpires(t *testing.T, b *fixture) {
	issued := b.issue(t, verify.Login)
	code := b.code(t, issued.ID, verify.Login)
	b.clock.Advance(policy().CodeTTL - time.Millisecond)
	result, err := b.service.Check(t.Context(), b.mobile, verify.Login, issued.ID, code)
	if diff := cmp.Diff(verify.Result{Valid: true, AttemptsLeft: 4}, result); err != nil || diff != "" {
		t.Errorf("Check in the last millisecond: %v\n%s", err, diff)
	}
	b.clock.Advance(time.Millisecond)
	if _, err := b.service.Check(t.Context(), b.mobile, verify.Login, issued.ID, code); !errors.Is(err, verify.ErrExpired) {
		t.Errorf("Check at the end: %v", err)
	}
	if _, err := b.codes.Use(t.Context(), issued.ID); !errors.Is(err, verify.ErrExpired) {
		t.Errorf("Use at the end: %v", err)
	}
}

func guessesInParallel(t *testing.T, b *fixture) {
	b.unlimited() // so that the code's own bound is what holds
	issued := b.issue(t, verify.Login)
	code := b.code(t, issued.ID, verify.Login)
	errs := testkit.Parallel(1000, func(i int) error {
		guess := wrong(code, i) // the right one is the first
		return b.service.Spend(t.Context(), b.mobile, verify.Login, issued.ID, guess)
	})
	right := testkit.Count(errs, func(err error) bool { return err == nil })
	compared := right + testkit.Count(errs, func(err error) bool { return errors.Is(err, verify.ErrWrong) })
	refused := testkit.Count(errs, func(err error) bool {
		return errors.Is(err, verify.ErrAttempts) || errors.Is(err, verify.ErrExpired)
	})
	if right > 1 || compared > policy().MaxAttempts || compared+refused != 1000 {
		t.Errorf("%d right, %d compared, %d refused; want at most 1 and 5, and the rest refused", right, compared, refused)
	}
	if right == 0 {
		if err := b.service.Spend(t.Context(), b.mobile, verify.Login, issued.ID, code); !errors.Is(err, verify.ErrAttempts) {
			t.Errorf("right code after five wrong ones: %v", err)
		}
	}
}

// guessesOfNumber shows what bounds the guesses at a number: the attempts of a code times the codes of a number.
func guessesOfNumber(t *testing.T, b *fixture) {
	b.store.Rules.Set = limits.Set{limits.SMSMobileHour: {Name: limits.SMSMobileHour, Count: 3, Period: time.Hour}}
	compared := 0
	for range 10 { // the limit ends it before
		issued, err := b.service.Issue(t.Context(), verify.Request{To: b.mobile, Purpose: verify.Login})
		if _, refused := errors.AsType[*verify.LimitError](err); refused {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		guess := wrong(b.code(t, issued.ID, verify.Login), 1)
		for range 10 {
			result, err := b.service.Check(t.Context(), b.mobile, verify.Login, issued.ID, guess)
			if err == nil && !result.Valid {
				compared++
			} else if !errors.Is(err, verify.ErrAttempts) {
				t.Fatalf("Check = %v, %v", result, err)
			}
			if _, err := b.service.Check(t.Context(), b.mobile, verify.Login, issued.ID, "12345a"); !errors.Is(err, verify.ErrWrong) {
				t.Fatalf("Check of what is no code: %v", err)
			}
		}
		b.clock.Advance(time.Minute)
	}
	if want := 3 * policy().MaxAttempts; compared != want {
		t.Errorf("%d guesses compared, want %d: five of each of three codes", compared, want)
	}
}

// few leaves so many wrong guesses to all codes together. Tests share the database: the period is this test's alone.
func (b *fixture) few(count int, period time.Duration) {
	b.service.Policy.ResendInterval = 0
	b.store.Rules.Set = limits.Set{limits.CodeWrongAll: {Name: limits.CodeWrongAll, Count: count, Period: period}}
}

// check guesses once, and reports whether the guess was compared and whether it was right.
func (b *fixture) check(t *testing.T, id, guess string) (compared, right bool) {
	t.Helper()
	result, err := b.service.Check(t.Context(), b.mobile, verify.Login, id, guess)
	if err != nil && !errors.Is(err, verify.ErrAttempts) {
		t.Errorf("Check: %v", err)
	}
	return err == nil, result.Valid
}

// wrongForAll guesses at many codes: the first guess of each is compared in any case, and of the others so many as all
// codes together may have, also when they come at once.
func wrongForAll(t *testing.T, b *fixture) {
	b.few(7, 23*time.Hour)
	var codes []verify.Issued
	for range 10 {
		codes = append(codes, b.issue(t, verify.Login))
	}
	guessed := testkit.Parallel(len(codes)*policy().MaxAttempts, func(i int) bool {
		id := codes[i%len(codes)].ID
		compared, _ := b.check(t, id, wrong(b.code(t, id, verify.Login), 1+i))
		return compared
	})
	if compared := testkit.Count(guessed, func(yes bool) bool { return yes }); compared != len(codes)+7 {
		t.Errorf("%d guesses compared, want the first of each of 10 codes and 7 more", compared)
	}
	late := b.issue(t, verify.Login)
	code := b.code(t, late.ID, verify.Login)
	if compared, _ := b.check(t, late.ID, wrong(code, 1)); !compared {
		t.Error("the first guess of a code was not compared")
	}
	if compared, _ := b.check(t, late.ID, code); compared {
		t.Error("the second guess of a code was compared")
	}
	b.clock.Advance(24 * time.Hour)
	again := b.issue(t, verify.Login)
	for i := range policy().MaxAttempts {
		if compared, _ := b.check(t, again.ID, wrong(b.code(t, again.ID, verify.Login), 1+i)); !compared {
			t.Errorf("guess %d of a code was not compared a day later", i+1)
		}
	}
}

// rightForAll enters codes rightly, at once and after a slip, early and at the end.
func rightForAll(t *testing.T, b *fixture) {
	b.few(2, 22*time.Hour)
	left := func(want int) {
		t.Helper()
		limit := b.store.Rules.Set[limits.CodeWrongAll]
		got, err := b.store.Gate().Left(t.Context(), limits.Spend{Limit: limit, Subject: limits.Everybody})
		if err != nil || got != want {
			t.Errorf("%d wrong guesses are left, %v, want %d", got, err, want)
		}
	}
	for range 5 {
		issued := b.issue(t, verify.Login)
		code := b.code(t, issued.ID, verify.Login)
		b.check(t, issued.ID, wrong(code, 1)) // the first, which counts for its code alone
		if _, right := b.check(t, issued.ID, code); !right {
			t.Fatal("the right code is refused")
		}
		left(2)
		for range 2 {
			if _, right := b.check(t, issued.ID, code); !right {
				t.Fatal("the right code is refused")
			}
		}
		b.spendCode(t, issued.ID)
		left(2)
	}
	slip := b.issue(t, verify.Login)
	for i := range 3 {
		b.check(t, slip.ID, wrong(b.code(t, slip.ID, verify.Login), 1+i))
	}
	left(0)
	// Nothing is left: who checks a code before spending it has both attempts all the same.
	early := b.issue(t, verify.Login)
	if _, right := b.check(t, early.ID, b.code(t, early.ID, verify.Login)); !right {
		t.Error("the right code is refused")
	}
	b.spendCode(t, early.ID)
}

func spendsInParallel(t *testing.T, b *fixture) {
	b.unlimited()
	b.service.Policy.MaxAttempts = 50
	issued := b.issue(t, verify.Login)
	code := b.code(t, issued.ID, verify.Login)
	errs := testkit.Parallel(50, func(int) error {
		return b.service.Spend(t.Context(), b.mobile, verify.Login, issued.ID, code)
	})
	won := testkit.Count(errs, func(err error) bool { return err == nil })
	lost := testkit.Count(errs, func(err error) bool { // the first few hear that they came second
		return errors.Is(err, verify.ErrExpired)
	})
	if second := testkit.Count(errs, func(err error) bool { return errors.Is(err, verify.ErrUsed) }); second == 0 {
		t.Error("no call that came second is told so")
	}
	if won != 1 || lost != 49 {
		t.Errorf("%d spent it and %d were told it is over, want 1 and 49", won, lost)
	}
	// Guesses may have been refused before they came to use the code: that it has one use is not their doing alone.
	if _, err := b.codes.Use(t.Context(), issued.ID); !errors.Is(err, verify.ErrUsed) {
		t.Errorf("Use of a used code: %v", err)
	}
}

// guessesAtUsed are bounded, and take nothing from a code that is restored.
func guessesAtUsed(t *testing.T, b *fixture) {
	b.unlimited()
	issued := b.issue(t, verify.Login)
	code := b.code(t, issued.ID, verify.Login)
	b.spendCode(t, issued.ID)
	for i := range 2 * policy().MaxAttempts {
		_, err := b.service.Check(t.Context(), b.mobile, verify.Login, issued.ID, code)
		if told := errors.Is(err, verify.ErrUsed); !errors.Is(err, verify.ErrExpired) || told != (i < policy().MaxAttempts) {
			t.Errorf("look %d at a used code: %v", i+1, err)
		}
	}
	if err := b.service.Restore(t.Context(), issued.ID); err != nil {
		t.Fatal(err)
	}
	b.spendCode(t, issued.ID)
}

func restore(t *testing.T, b *fixture) {
	issued := b.issue(t, verify.Login)
	code := b.code(t, issued.ID, verify.Login)
	for range 2 * policy().MaxAttempts { // restored attempts are given back
		if err := b.service.Spend(t.Context(), b.mobile, verify.Login, issued.ID, code); err != nil {
			t.Fatal(err)
		}
		b.wantState(t, issued.ID, verify.StateUsed)
		if _, err := b.service.Check(t.Context(), b.mobile, verify.Login, issued.ID, code); !errors.Is(err, verify.ErrExpired) {
			t.Errorf("Check of a used code: %v", err)
		}
		if err := b.service.Restore(t.Context(), issued.ID); err != nil {
			t.Fatal(err)
		}
		b.wantState(t, issued.ID, "queued")
	}
	b.clock.Advance(policy().CodeTTL)
	if err := b.service.Restore(t.Context(), issued.ID); err != nil {
		t.Fatal(err)
	}
	if err := b.service.Spend(t.Context(), b.mobile, verify.Login, issued.ID, code); !errors.Is(err, verify.ErrExpired) {
		t.Errorf("restored past its end: %v", err)
	}
}
