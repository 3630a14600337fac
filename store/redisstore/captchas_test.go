package redisstore_test

import (
	"testing"
	"time"

	"usher/captcha"
	"usher/captcha/challenge"
	"usher/internal/testkit"
	"usher/limits"
)

// captchasTests check that captchas are spent once, alone and with limits.
var captchasTests = behaviours{
	"of 50 parallel spends one gets the answer":  captchaOnce,
	"reading leaves it there":                    captchaLook,
	"the third wrong answer spends it":           captchaWrong,
	"reads are bounded before they are compared": captchaLooksBounded,
	"it ends with its time":                      captchaExpires,
	"a refused request costs the captcha":        captchaRefused,
	"no captcha and no limit is let in":          captchaNone,
	"what is used is seen without spending":      captchaFill,
	"a vendor's token is new once":               captchaToken,
}

// asked has a space in its answer, as no maker's has: what is kept is told apart all the same.
var asked = challenge.Asked{Medium: challenge.Image, Price: challenge.High, Answer: "7 3"}

func (b *fixture) put(t *testing.T) (id string) {
	t.Helper()
	id = captcha.NewID()
	if err := b.store.Captchas().Put(t.Context(), id, asked, 5*time.Minute); err != nil {
		t.Fatal(err)
	}
	return id
}

func (b *fixture) wantPeek(t *testing.T, id, want string) {
	t.Helper()
	if got, err := b.store.Captchas().Peek(t.Context(), id); err != nil || got.Answer != want {
		t.Errorf("Peek = %+v, %v, want %q", got, err, want)
	}
}

func (b *fixture) wantAdmit(t *testing.T, id, want string) {
	t.Helper()
	got, d, err := b.store.Gate().Admit(t.Context(), id, nil)
	if err != nil || got.Answer != want || !d.Allowed() {
		t.Errorf("Admit = %+v, %+v, %v, want %q", got, d, err, want)
	}
}

func captchaOnce(t *testing.T, b *fixture) {
	id := b.put(t)
	answers := testkit.Parallel(50, func(int) string {
		taken, _, err := b.store.Gate().Admit(t.Context(), id, []limits.Spend{on(t, "", "once", 100, time.Hour)})
		if err != nil {
			t.Errorf("Admit: %v", err)
		}
		return taken.Answer
	})
	right := testkit.Count(answers, func(answer string) bool { return answer == "7 3" })
	empty := testkit.Count(answers, func(answer string) bool { return answer == "" })
	if right != 1 || empty != 49 {
		t.Errorf("%d got the answer and %d nothing, want 1 and 49", right, empty)
	}
	b.wantPeek(t, id, "")
}

func captchaLook(t *testing.T, b *fixture) {
	id := b.put(t)
	for range 5 {
		b.wantPeek(t, id, "7 3")
	}
	b.wantAdmit(t, id, "7 3")
	b.wantPeek(t, captcha.NewID(), "")
}

func captchaWrong(t *testing.T, b *fixture) {
	id, other := b.put(t), b.put(t)
	for range 3 {
		b.wantPeek(t, id, "7 3")
		if err := b.store.Captchas().Fail(t.Context(), id); err != nil {
			t.Fatal(err)
		}
	}
	b.wantPeek(t, id, "")
	b.wantAdmit(t, id, "")
	b.wantAdmit(t, other, "7 3")
	if err := b.store.Captchas().Fail(t.Context(), id); err != nil {
		t.Errorf("Fail of one that is gone: %v", err)
	}
}

func captchaLooksBounded(t *testing.T, b *fixture) {
	id := b.put(t)
	answers := testkit.Parallel(100, func(int) string {
		seen, err := b.store.Captchas().Peek(t.Context(), id)
		if err != nil {
			t.Errorf("Peek: %v", err)
		}
		return seen.Answer
	})
	if n := testkit.Count(answers, func(answer string) bool { return answer != "" }); n > 10 {
		t.Errorf("%d saw the answer before a wrong one was counted", n)
	}
}

func captchaExpires(t *testing.T, b *fixture) {
	looked, spent := b.put(t), b.put(t)
	b.clock.Advance(5*time.Minute - time.Millisecond)
	b.wantPeek(t, looked, "7 3")
	b.clock.Advance(time.Millisecond)
	b.wantPeek(t, looked, "")
	b.wantAdmit(t, spent, "")
}

func captchaRefused(t *testing.T, b *fixture) {
	spend := on(t, "", "small", 1, time.Hour)
	first, second := b.put(t), b.put(t)
	for i, id := range []string{first, second} {
		answer, d, err := b.store.Gate().Admit(t.Context(), id, []limits.Spend{spend})
		if err != nil || answer != asked || d.Allowed() != (i == 0) {
			t.Errorf("Admit %d = %+v, %+v, %v", i, answer, d, err)
		}
	}
	b.wantPeek(t, second, "")
}

func captchaFill(t *testing.T, b *fixture) {
	half, more, off := on(t, "", "half", 4, time.Hour), on(t, "", "more", 8, time.Hour), on(t, "", "off", 0, time.Hour)
	wantFill := func(want float64, spends ...limits.Spend) {
		t.Helper()
		for range 2 { // looking spends nothing
			if got, err := b.store.Gate().Fill(t.Context(), spends); err != nil || got != want {
				t.Errorf("Fill = %v, %v, want %v", got, err, want)
			}
		}
	}
	wantFill(0)
	wantFill(0, half, more, off)
	for _, spend := range []limits.Spend{half, half, more, more, more, more, more, more} {
		if _, d, err := b.store.Gate().Admit(t.Context(), "", []limits.Spend{spend}); err != nil || !d.Allowed() {
			t.Fatalf("Admit = %+v, %v", d, err)
		}
	}
	wantFill(0.5, half, off)
	wantFill(0.75, half, more)
	b.store.Rules.Mode = limits.Record
	wantFill(0, half, more)
}

func captchaNone(t *testing.T, b *fixture) { b.wantAdmit(t, "", "") }

func captchaToken(t *testing.T, b *fixture) {
	use := func(token string) bool {
		isNew, err := b.store.Captchas().UseToken(t.Context(), token, time.Minute)
		if err != nil {
			t.Errorf("UseToken: %v", err)
		}
		return isNew
	}
	first := 0
	for _, isNew := range testkit.Parallel(50, func(int) bool { return use("geetest 4dc3cfc2") }) {
		if isNew {
			first++
		}
	}
	if first != 1 || !use("geetest other") {
		t.Errorf("%d of 50 parallel uses are the first", first)
	}
}
