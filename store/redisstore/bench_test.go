package redisstore_test

import (
	"testing"
	"time"

	"usher/internal/testkit"
	"usher/messages"
	"usher/verify"
)

func BenchmarkCodes_Issue(b *testing.B) {
	codes := setup(b, testkit.Redis(b)).store.Codes()
	for b.Loop() {
		if err := codes.Issue(b.Context(), newIssue()); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCodes_Try(b *testing.B) {
	bundle := setup(b, testkit.Redis(b))
	bundle.store.Rules.Set = nil
	codes, issue := bundle.store.Codes(), newIssue()
	issue.MaxAttempts = 1 << 40
	if err := codes.Issue(b.Context(), issue); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := codes.Try(b.Context(), issue.Subject, verify.Login); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCodes_Claim(b *testing.B) {
	codes, issue := setup(b, testkit.Redis(b)).store.Codes(), newIssue()
	if err := codes.Issue(b.Context(), issue); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		claim, err := codes.Claim(b.Context(), issue.ID, time.Minute)
		if err != nil {
			b.Fatal(err)
		}
		if err := codes.Record(b.Context(), claim, messages.Outcome{State: messages.Queued}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkGate_Admit(b *testing.B) {
	steps := setup(b, testkit.Redis(b)).steps(b.Context())
	for b.Loop() {
		if err := steps[0].call(); err != nil {
			b.Fatal(err)
		}
	}
}
