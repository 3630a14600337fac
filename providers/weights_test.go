package providers_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"usher/providers"
)

// scores tells what it was made to tell, and keeps what it is told.
type scores struct {
	mu    sync.Mutex
	of    map[string]providers.Score
	added map[string]providers.Score
	err   error
}

func scored(of map[string]providers.Score) *scores {
	return &scores{of: of, added: map[string]providers.Score{}}
}

func (s *scores) AddScore(_ context.Context, provider string, score providers.Score) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil {
		s.added[provider] = s.added[provider].Plus(score)
	}
	return s.err
}

func (s *scores) RecentScores(context.Context, []string) (map[string]providers.Score, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.of), s.err
}

func (s *scores) set(provider string, score providers.Score) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.of[provider] = score
}

// weighing starts the router's Run and returns a function that lets it weigh and then says which part of
// 2,000 messages goes to a first.
func weighing(t *testing.T, s *stage, kept *scores) (share func() float64) {
	t.Helper()
	s.Scores, s.Logger = kept, slog.New(slog.DiscardHandler)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { s.Run(ctx); close(done) }()
	t.Cleanup(func() { cancel(); <-done })
	return func() float64 {
		time.Sleep(6 * time.Second) //nolint:forbidigo // synthetic time
		synctest.Wait()
		s.taken()
		const messages = 2000
		first := 0
		for i := range messages {
			sms := message(t)
			sms.ID = fmt.Sprint("message ", i)
			if _, err := s.SendSMS(t.Context(), sms); err != nil {
				t.Error(err)
			}
			if asked, _ := s.taken(); asked[0] == "a" {
				first++
			}
		}
		return float64(first) / messages
	}
}

func TestRouter_moves_messages_away_from_a_provider_that_does_badly_and_back(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		a, b providers.Score
		want float64
	}{
		{"nothing is known", providers.Score{}, providers.Score{}, 1},
		{"few reports", providers.Score{Undelivered: 19}, providers.Score{}, 1},
		{"well delivered", providers.Score{Delivered: 80, Undelivered: 20}, providers.Score{}, 1},
		{"half as well as it should be", providers.Score{Delivered: 40, Undelivered: 60}, providers.Score{}, 0.5},
		{"nothing delivered", providers.Score{Undelivered: 20}, providers.Score{}, 0.05},
		{"no code entered, with any provider", providers.Score{Accepted: 1000}, providers.Score{Accepted: 1000}, 1},
		{"no code entered, with it alone", providers.Score{Accepted: 50}, providers.Score{Accepted: 50, Verified: 50}, 0.05},
		{"few codes", providers.Score{Accepted: 49}, providers.Score{Verified: 1}, 1},
		{"codes entered", providers.Score{Accepted: 100, Verified: 30}, providers.Score{}, 1},
		{"half as many codes entered", providers.Score{Accepted: 100, Verified: 15}, providers.Score{}, 0.5},
		{"the worse of both counts", providers.Score{Accepted: 100, Verified: 15, Undelivered: 20}, providers.Score{}, 0.05},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(t *testing.T) {
				s := newStage(t, nil, nil)
				kept := scored(map[string]providers.Score{"a": test.a, "b": test.b})
				share := weighing(t, s, kept)
				if got := share(); math.Abs(got-test.want) > 0.04 || (test.want < 1) != (got < 1) {
					t.Errorf("%.3f of the messages go to the preferred one, want %.2f", got, test.want)
				}
				kept.set("a", providers.Score{Accepted: 100, Delivered: 100, Verified: 100})
				if got := share(); got != 1 {
					t.Errorf("%.3f of the messages go to it when it has recovered", got)
				}
			})
		})
	}
}

func TestRouter_shows_every_attempt_at_a_message_to_the_same_provider(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		kept := scored(map[string]providers.Score{"a": {Delivered: 40, Undelivered: 60}})
		s, other := newStage(t, nil, nil), newStage(t, nil, nil)
		weighing(t, s, kept)()
		weighing(t, other, kept)()
		var decided []string
		for i := range 50 {
			sms := message(t)
			sms.ID = fmt.Sprint("another message ", i)
			var want []string
			for n, stage := range []*stage{s, s, other} {
				if _, err := stage.SendSMS(t.Context(), sms); err != nil {
					t.Fatal(err)
				}
				asked, decisions := stage.taken()
				decided = append(decided, decisions...)
				if n == 0 {
					want = asked
				} else if !slices.Equal(asked, want) {
					t.Fatalf("%s went to %v, then to %v", sms.ID, want, asked)
				}
			}
		}
		if !slices.Contains(decided, "a preferred") || !slices.Contains(decided, "b weighted") {
			t.Errorf("decided %v", decided)
		}
	})
}

func TestRouter_keeps_the_order_of_preference_when_everybody_does_badly(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		s := newStage(t, nil, nil)
		bad := providers.Score{Undelivered: 100}
		share := weighing(t, s, scored(map[string]providers.Score{"a": bad, "b": bad}))
		if got := share(); got < 0.9 {
			t.Errorf("%.3f of the messages go to the preferred one", got)
		}
	})
}

func TestRouter_tells_the_scores_what_was_accepted_once(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		s, kept := newStage(t, nil, refusal(providers.Rejected)), scored(nil)
		kept.err = errors.New("away")
		weighing(t, s, kept)()
		time.Sleep(6 * time.Second) //nolint:forbidigo // synthetic time
		synctest.Wait()
		kept.mu.Lock()
		kept.err = nil
		kept.mu.Unlock()
		time.Sleep(12 * time.Second) //nolint:forbidigo // synthetic time
		synctest.Wait()
		kept.mu.Lock()
		defer kept.mu.Unlock()
		if diff := cmp.Diff(map[string]providers.Score{"a": {Accepted: 2000}}, kept.added); diff != "" {
			t.Errorf("told (-want +got):\n%s", diff)
		}
	})
}
