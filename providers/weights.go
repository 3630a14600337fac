package providers

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"log/slog"
	"math"
	"sync/atomic"
	"time"

	"usher/contact"
)

// Score counts the outcomes of messages within [ScoreWindow].
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

// ProviderScore is the score of one provider: of all its messages, and of those to each known carrier that it had outcomes for.
type ProviderScore struct {
	Score

	ByCarrier map[contact.Carrier]Score
}

// Shares returns the score by carrier, with all of [contact.Carriers]: they add up to the score of all messages.
func (s ProviderScore) Shares() map[contact.Carrier]Score {
	shares, unknown := map[contact.Carrier]Score{}, s.Score
	for _, carrier := range contact.Carriers() {
		share := s.ByCarrier[carrier]
		shares[carrier] = share
		unknown = Score{
			Accepted: unknown.Accepted - share.Accepted, Delivered: unknown.Delivered - share.Delivered,
			Undelivered: unknown.Undelivered - share.Undelivered, Verified: unknown.Verified - share.Verified,
		}
	}
	shares[contact.UnknownCarrier] = unknown
	return shares
}

// Scores keeps the outcomes of messages over a sliding window, for all processes together. Implementations are safe for
// concurrent use.
type Scores interface {
	// AddScore adds new outcomes of a provider's messages to numbers of one carrier, which may be unknown.
	AddScore(ctx context.Context, provider string, carrier contact.Carrier, score Score) error

	// RecentScores returns what was counted within [ScoreWindow], by provider.
	RecentScores(ctx context.Context, providers []string) (map[string]ProviderScore, error)
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

// reported counts the messages with a report.
func (s Score) reported() int { return s.Delivered + s.Undelivered }

// weight is the provider's share of the messages to a carrier that prefer it: 1 while it does well, less in proportion to
// the shortfall, and never less than the floor. Where the carrier has too few messages, or is unknown, all messages of the
// provider count. Codes that were not entered count only when conversion is true, which means that codes of at least one
// provider were entered: where the application does not report entered codes there are none.
func (s ProviderScore) weight(carrier contact.Carrier, conversion bool) float64 {
	reports, codes := s.Score, s.Score
	own := s.ByCarrier[carrier]
	if own.reported() >= leastReported {
		reports = own
	}
	if own.Accepted >= leastAccepted {
		codes = own
	}
	w := 1.0
	if reports.reported() >= leastReported {
		w = min(w, float64(reports.Delivered)/float64(reports.reported())/wellDelivered)
	}
	if conversion && codes.Accepted >= leastAccepted {
		w = min(w, float64(codes.Verified)/float64(codes.Accepted)/wellVerified)
	}
	return max(w, floor)
}

// traffic is a provider's messages to one carrier, on this worker.
type traffic struct {
	weight   atomic.Uint64 // bits of a float64
	accepted atomic.Int64  // messages that the scores do not have yet
}

// newTraffic returns the traffic to every carrier, with the weight 1.
func newTraffic() map[contact.Carrier]*traffic {
	all := map[contact.Carrier]*traffic{}
	for _, carrier := range contact.Carriers() {
		all[carrier] = &traffic{}
		all[carrier].setWeight(1)
	}
	return all
}

func (t *traffic) share() float64 { return math.Float64frombits(t.weight.Load()) }

// setWeight returns the former weight.
func (t *traffic) setWeight(weight float64) (former float64) {
	return math.Float64frombits(t.weight.Swap(math.Float64bits(weight)))
}

const (
	// scoresInterval is how often weights follow the scores.
	scoresInterval = 5 * time.Second

	// scoresTimeout bounds one exchange with them.
	scoresTimeout = 2 * time.Second
)

// ranked returns the routes in the order in which the message tries them: first those in whose share it falls, then the
// others, both in the order of preference. The share follows from the message's id alone, so that every attempt at one
// message finds the same order as long as the weights do not change. The weights are those for the number's carrier.
func ranked(routes []*route, sms SMS) []*route {
	carrier := sms.To.Carrier()
	order, rest := make([]*route, 0, len(routes)), make([]*route, 0, len(routes))
	for _, rt := range routes {
		if weight := rt.traffic[carrier].share(); weight >= 1 || point(sms.ID, rt.sender.Name()) < weight {
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
		if err := rt.tell(ctx, r.Scores); err != nil {
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
		rt.weigh(scores[rt.sender.Name()], conversion, r.Logger)
	}
	return nil
}

// tell adds the messages that were accepted since the last call to the scores.
func (rt *route) tell(ctx context.Context, scores Scores) error {
	for carrier, t := range rt.traffic {
		accepted := t.accepted.Swap(0)
		if accepted == 0 {
			continue
		}
		if err := scores.AddScore(ctx, rt.sender.Name(), carrier, Score{Accepted: int(accepted)}); err != nil {
			t.accepted.Add(accepted)
			return err
		}
	}
	return nil
}

// weigh sets the weights by the score. It logs one line for the carriers whose messages begin to move to other providers, or come
// back; the unknown carrier is "other" there.
func (rt *route) weigh(score ProviderScore, conversion bool, logger *slog.Logger) {
	var changed []any
	for _, carrier := range contact.Carriers() {
		weight := score.weight(carrier, conversion)
		if former := rt.traffic[carrier].setWeight(weight); (former < 1) != (weight < 1) {
			changed = append(changed, slog.Float64(cmp.Or(string(carrier), "other"), weight))
		}
	}
	if changed != nil {
		logger.Warn("weight of provider changed", "provider", rt.sender.Name(), slog.Group("carriers", changed...))
	}
}
