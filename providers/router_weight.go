package providers

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"math"
	"time"
)

const (
	// scoresInterval is how often weights follow the scores.
	scoresInterval = 5 * time.Second

	// scoresTimeout bounds one exchange with them.
	scoresTimeout = 2 * time.Second
)

// ranked returns the routes in the order in which the message tries them: first those in whose share it
// falls, then the others, each in the order of preference. The share follows from the message's id alone, so
// that every attempt at one message finds the same order while the weights stand.
func ranked(routes []*route, id string) []*route {
	order, rest := make([]*route, 0, len(routes)), make([]*route, 0, len(routes))
	for _, l := range routes {
		if weight := math.Float64frombits(l.weight.Load()); weight >= 1 || point(id, l.sender.Name()) < weight {
			order = append(order, l)
		} else {
			rest = append(rest, l)
		}
	}
	return append(order, rest...)
}

// point spreads messages evenly over the numbers from 0 up to 1, for each provider in another way.
func point(id, provider string) float64 {
	sum := sha256.Sum256([]byte(id + "\x00" + provider))
	return float64(binary.BigEndian.Uint64(sum[:])) / (1 << 64)
}

// Run keeps the weights close to the scores until ctx ends, and the scores informed of what was accepted; without
// scores every weight is 1. It tries providers whose breakers have been open without waiting for a message.
func (r *Router) Run(ctx context.Context) {
	ticker := time.NewTicker(scoresInterval)
	defer ticker.Stop()
	for {
		for _, l := range r.open() {
			l.probe(r.Logger)
		}
		if err := r.weigh(ctx); err != nil && ctx.Err() == nil {
			r.Logger.Warn("providers not weighed", "error", err)
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
	for _, l := range r.open() {
		names = append(names, l.sender.Name())
		accepted := l.accepted.Swap(0)
		if accepted == 0 {
			continue
		}
		if err := r.Scores.AddScore(ctx, l.sender.Name(), Score{Accepted: int(accepted)}); err != nil {
			l.accepted.Add(accepted)
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
	for _, l := range r.routes {
		weight := scores[l.sender.Name()].weight(conversion)
		if old := l.weight.Swap(math.Float64bits(weight)); (math.Float64frombits(old) < 1) != (weight < 1) {
			r.Logger.Warn("weight of provider changed", "provider", l.sender.Name(), "weight", weight)
		}
	}
	return nil
}
