package providers

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"math"
	"time"
)

// Score counts the outcomes of one provider's messages within [ScoreWindow].
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

// Scores keeps the outcomes of messages over a sliding window, for all processes together. Implementations are safe for
// concurrent use.
type Scores interface {
	// AddScore adds new outcomes of a provider's messages.
	AddScore(ctx context.Context, provider string, score Score) error

	// RecentScores returns what was counted within [ScoreWindow], by provider.
	RecentScores(ctx context.Context, providers []string) (map[string]Score, error)
}

const (
	// ScoreWindow is how long a message counts for the score of its provider.
	ScoreWindow = 15 * time.Minute

	// A provider does well while at least 80 % of the reported messages arrived and at least 30 % of the
	// accepted codes were entered. Fewer messages than the least ones say nothing.
	wellDelivered = 0.80
	wellVerified  = 0.30
	leastReported = 20
	leastAccepted = 50

	// floor is the share that the worst provider keeps: its recovery shows only in messages.
	floor = 0.05
)

// weight is the provider's share of the messages that prefer it: 1 while it does well, less in proportion to the
// shortfall, and never less than the floor. Codes that were not entered count only when conversion is true, which means
// that codes of at least one provider were entered: where the application does not report entered codes there are none.
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

const (
	// scoresInterval is how often weights follow the scores.
	scoresInterval = 5 * time.Second

	// scoresTimeout bounds one exchange with them.
	scoresTimeout = 2 * time.Second
)

// ranked returns the routes in the order in which the message tries them: first those in whose share it falls, then the
// others, both in the order of preference. The share follows from the message's id alone, so that every attempt at one
// message finds the same order as long as the weights do not change.
func ranked(routes []*route, id string) []*route {
	order, rest := make([]*route, 0, len(routes)), make([]*route, 0, len(routes))
	for _, rt := range routes {
		if weight := math.Float64frombits(rt.weight.Load()); weight >= 1 || point(id, rt.sender.Name()) < weight {
			order = append(order, rt)
		} else {
			rest = append(rest, rt)
		}
	}
	return append(order, rest...)
}

// point spreads messages evenly over the numbers from 0 up to 1, independently for each provider.
func point(id, provider string) float64 {
	sum := sha256.Sum256([]byte(id + "\x00" + provider))
	return float64(binary.BigEndian.Uint64(sum[:])) / (1 << 64)
}

// Run updates the weights from the scores until ctx ends, and adds accepted messages to the scores; without scores every
// weight is 1. It also probes providers whose breakers have been open, so that they need not wait for a message.
func (r *Router) Run(ctx context.Context) {
	ticker := time.NewTicker(scoresInterval)
	defer ticker.Stop()
	for {
		for _, rt := range r.open() {
			rt.probe(r.Logger)
		}
		if err := r.weigh(ctx); err != nil && ctx.Err() == nil {
			r.Logger.Warn("weights of providers not updated: they stay as they are", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

func (r *Router) weigh(ctx context.Context) error {
	if r.Scores == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, scoresTimeout)
	defer cancel()
	var names []string
	for _, rt := range r.open() {
		names = append(names, rt.sender.Name())
		accepted := rt.accepted.Swap(0)
		if accepted == 0 {
			continue
		}
		if err := r.Scores.AddScore(ctx, rt.sender.Name(), Score{Accepted: int(accepted)}); err != nil {
			rt.accepted.Add(accepted)
			return err
		}
	}
	scores, err := r.Scores.RecentScores(ctx, names)
	if err != nil {
		return err
	}
	conversion := false
	for _, score := range scores {
		conversion = conversion || score.Verified > 0
	}
	for _, rt := range r.routes {
		weight := scores[rt.sender.Name()].weight(conversion)
		if old := rt.weight.Swap(math.Float64bits(weight)); (math.Float64frombits(old) < 1) != (weight < 1) {
			r.Logger.Warn("weight of provider changed", "provider", rt.sender.Name(), "weight", weight)
		}
	}
	return nil
}
