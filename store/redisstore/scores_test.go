package redisstore_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"usher/contact"
	"usher/providers"
	"usher/verify"
)

// scoresTests check the promises of [providers.Scores].
var scoresTests = behaviours{
	"what is counted is forgotten with its minute":   scoresSlide,
	"a code that is used counts for its provider":    scoresVerified,
	"a code that is used again does not count again": scoresRestored,
}

// wantScore compares one provider's score.
func (b *fixture) wantScore(t *testing.T, provider string, score providers.Score, byCarrier map[contact.Carrier]providers.Score) {
	t.Helper()
	want := providers.ProviderScore{Score: score, ByCarrier: byCarrier}
	scores, err := b.store.Scores().RecentScores(t.Context(), []string{provider, "unknown"})
	if diff := cmp.Diff(map[string]providers.ProviderScore{provider: want, "unknown": {}}, scores); err != nil || diff != "" {
		t.Errorf("scores: %v (-want +got):\n%s", err, diff)
	}
}

func scoresSlide(t *testing.T, b *fixture) {
	provider := "of " + t.Name()
	add := func(carrier contact.Carrier, score providers.Score) {
		t.Helper()
		if err := b.store.Scores().AddScore(t.Context(), provider, carrier, score); err != nil {
			t.Fatal(err)
		}
	}
	b.wantScore(t, provider, providers.Score{}, nil)
	add(contact.ChinaUnicom, providers.Score{Accepted: 3, Delivered: 2})
	add(contact.ChinaMobile, providers.Score{Verified: 1})
	b.clock.Advance(providers.ScoreWindow - time.Minute)
	add(contact.UnknownCarrier, providers.Score{Accepted: 4})
	add(contact.ChinaMobile, providers.Score{Undelivered: 1, Verified: 5})
	b.wantScore(t, provider, providers.Score{Accepted: 7, Delivered: 2, Undelivered: 1, Verified: 6}, map[contact.Carrier]providers.Score{
		contact.ChinaUnicom: {Accepted: 3, Delivered: 2}, contact.ChinaMobile: {Undelivered: 1, Verified: 6},
	})
	b.clock.Advance(time.Minute)
	b.wantScore(t, provider, providers.Score{Accepted: 4, Undelivered: 1, Verified: 5},
		map[contact.Carrier]providers.Score{contact.ChinaMobile: {Undelivered: 1, Verified: 5}})
	b.clock.Advance(providers.ScoreWindow)
	b.wantScore(t, provider, providers.Score{}, nil)
}

// sentBy issues a code that a provider of the test's own has sent.
func (b *fixture) sentBy(t *testing.T, provider string) verify.Issued {
	t.Helper()
	issued := b.issue(t, verify.Login)
	b.recordAs(t, b.claim(t, issued.ID), provider)
	return issued
}

func scoresVerified(t *testing.T, b *fixture) {
	provider := "of " + t.Name()
	issued := b.sentBy(t, provider)
	for _, want := range []bool{true, false} {
		if first, err := b.codes.Use(t.Context(), issued.ID); first != want {
			t.Errorf("Use = %v, %v, want %v", first, err, want)
		}
	}
	b.wantScore(t, provider, providers.Score{Verified: 1}, map[contact.Carrier]providers.Score{b.mobile.Carrier(): {Verified: 1}})
}

func scoresRestored(t *testing.T, b *fixture) {
	provider := "of " + t.Name()
	issued := b.sentBy(t, provider)
	for range 2 {
		if _, err := b.codes.Use(t.Context(), issued.ID); err != nil {
			t.Fatal(err)
		}
		if err := b.codes.Restore(t.Context(), issued.ID); err != nil {
			t.Fatal(err)
		}
	}
	b.wantScore(t, provider, providers.Score{Verified: 1}, map[contact.Carrier]providers.Score{b.mobile.Carrier(): {Verified: 1}})
}
