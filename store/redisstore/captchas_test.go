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
	"what is used is read without spending":      captchaWatch,
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

// captchaWatch reads what is used of limits beside spending, and before.
func captchaWatch(t *testing.T, b *fixture) {
	limit := func(name limits.Name, count int) limits.Spend { return on(t, "", string(name), count, time.Hour) }
	half, total := limit(limits.SMSIPHour, 20), limit(limits.SMSTotal, 30)
	budget, off := limit(limits.SMSBudgetDay, 40), limit(limits.SMSIPDay, 0)
	risk := func(spends []limits.Spend, watch ...limits.Spend) limits.Risk {
		t.Helper()
		_, d, err := b.store.Gate().Admit(t.Context(), "", spends, watch...)
		if err != nil || !d.Allowed() {
			t.Fatalf("Admit = %+v, %v", d, err)
		}
		return d.Risk
	}
	want := func(got, want limits.Risk) {
		t.Helper()
		if got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
	want(risk(nil), limits.Risk{})
	for used := range 10 {
		want(risk([]limits.Spend{half}, total, off), limits.Risk{Limits: 5 * used})
	}
	for range 2 { // reading spends nothing
		want(risk(nil, half, total, budget, off), limits.Risk{Limits: 50})
	}
	for range 30 {
		risk([]limits.Spend{budget})
	}
	want(risk([]limits.Spend{total}, budget, half), limits.Risk{Limits: 50, Budget: 75})
	b.store.Rules.Mode = limits.Record
	want(risk([]limits.Spend{budget}, half), limits.Risk{})
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
