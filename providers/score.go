package providers

import (
	"context"
	"time"
)

// Score counts what became of the messages of one provider in the last while.
type Score struct {
	Accepted    int // by the provider
	Delivered   int // by its report
	Undelivered int // by its report
	Verified    int // codes that were entered
}

// Plus returns the sum.
func (s Score) Plus(t Score) Score {
	return Score{
		Accepted: s.Accepted + t.Accepted, Delivered: s.Delivered + t.Delivered,
		Undelivered: s.Undelivered + t.Undelivered, Verified: s.Verified + t.Verified,
	}
}

// Scores keeps what became of messages over a sliding window, for all processes together.
type Scores interface {
	// AddScore counts what has just become known of messages of a provider.
	AddScore(ctx context.Context, provider string, score Score) error

	// RecentScores returns what was counted within [ScoreWindow], by provider.
	RecentScores(ctx context.Context, providers []string) (map[string]Score, error)
}

const (
	// ScoreWindow is how long a message counts for the score of its provider.
	ScoreWindow = 15 * time.Minute

	// A provider does well while at least 80 % of the reported messages arrived and at least 30 % of the
	// accepted codes were entered; with fewer messages than these nobody can tell.
	wellDelivered = 0.80
	wellVerified  = 0.30
	leastReported = 20
	leastAccepted = 50

	// floor is the share that the worst provider keeps: without messages nobody would see it recover.
	floor = 0.05
)

// weight is the provider's share of the messages that prefer it: 1 while it does well, less in proportion
// to how far it falls short, and never less than the floor. Codes that nobody entered are held against it
// only when conversion is known, which is when codes of any provider were entered.
func (s Score) weight(conversion bool) float64 {
	w := 1.0
	if reported := s.Delivered + s.Undelivered; reported >= leastReported {
		w = min(w, float64(s.Delivered)/float64(reported)/wellDelivered)
	}
	if conversion && s.Accepted >= leastAccepted {
		w = min(w, float64(s.Verified)/float64(s.Accepted)/wellVerified)
	}
	return max(w, floor)
}
