package redisstore_test

import (
	"testing"
	"time"

	"usher/internal/testkit"
)

// answersTests check that a request with a key runs once and that its answer is kept.
var answersTests = behaviours{
	"of 50 parallel requests one runs":             answerOnce,
	"an answer is given to the same body, a day":   answerKept,
	"another body is told apart, busy or answered": answerOther,
	"a dropped key is free":                        answerDropped,
	"a run that died blocks its key for a while":   answerLease,
	"a run whose lease is over ends nothing":       answerLate,
}

// begun is what Begin said, in one word or the answer.
func (b *fixture) begun(t *testing.T, body string) (said, run string) {
	t.Helper()
	run, answer, same, err := b.store.Answers().Begin(t.Context(), t.Name(), body)
	switch {
	case err != nil:
		t.Errorf("Begin: %v", err)
		return "", ""
	case run != "":
		return "begun", run
	case !same:
		return "other", ""
	case answer == "":
		return "busy", ""
	}
	return answer, ""
}

func (b *fixture) wantBegin(t *testing.T, body, want string) (run string) {
	t.Helper()
	said, run := b.begun(t, body)
	if said != want {
		t.Errorf("Begin of %s: %q, want %q", body, said, want)
	}
	return run
}

func (b *fixture) keep(t *testing.T, run, answer string) {
	t.Helper()
	if err := b.store.Answers().Keep(t.Context(), t.Name(), run, answer); err != nil {
		t.Fatal(err)
	}
}

func (b *fixture) drop(t *testing.T, run string) {
	t.Helper()
	if err := b.store.Answers().Drop(t.Context(), t.Name(), run); err != nil {
		t.Fatal(err)
	}
}

func answerOnce(t *testing.T, b *fixture) {
	said := testkit.Parallel(50, func(int) string {
		said, _ := b.begun(t, "body")
		return said
	})
	begun := testkit.Count(said, func(s string) bool { return s == "begun" })
	busy := testkit.Count(said, func(s string) bool { return s == "busy" })
	if begun != 1 || busy != 49 {
		t.Errorf("%d ran and %d were told to wait, want 1 and 49", begun, busy)
	}
}

func answerKept(t *testing.T, b *fixture) {
	b.keep(t, b.wantBegin(t, "body", "begun"), "202 {}")
	for range 2 {
		b.wantBegin(t, "body", "202 {}")
	}
	b.clock.Advance(24*time.Hour - time.Millisecond)
	b.wantBegin(t, "body", "202 {}")
	b.clock.Advance(time.Millisecond)
	b.wantBegin(t, "body", "begun")
}

func answerOther(t *testing.T, b *fixture) {
	run := b.wantBegin(t, "body", "begun")
	b.wantBegin(t, "body ", "other")
	b.keep(t, run, "answer")
	b.wantBegin(t, "body ", "other")
	b.wantBegin(t, "body", "answer")
}

func answerDropped(t *testing.T, b *fixture) {
	b.drop(t, b.wantBegin(t, "body", "begun"))
	run := b.wantBegin(t, "corrected body", "begun")
	b.drop(t, "another run")
	b.wantBegin(t, "corrected body", "busy")
	b.drop(t, run)
}

func answerLease(t *testing.T, b *fixture) {
	b.wantBegin(t, "body", "begun")
	b.clock.Advance(30*time.Second - time.Millisecond)
	b.wantBegin(t, "body", "busy")
	b.clock.Advance(time.Millisecond)
	b.wantBegin(t, "body", "begun")
}

func answerLate(t *testing.T, b *fixture) {
	late := b.wantBegin(t, "body", "begun")
	b.clock.Advance(30 * time.Second)
	run := b.wantBegin(t, "body", "begun")
	b.keep(t, late, "too late")
	b.drop(t, late)
	b.wantBegin(t, "body", "busy")
	b.keep(t, run, "answer")
	b.wantBegin(t, "body", "answer")
}
