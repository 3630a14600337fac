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

	"usher/contact"
	"usher/providers"
)

// scores tells what it was made to tell, and keeps what it is told.
type scores struct {
	mu    sync.Mutex
	of    map[string]providers.ProviderScore
	added map[string]providers.Score
	err   error
}

// scored returns scores of all messages, without any of a single carrier.
func scored(of map[string]providers.Score) *scores {
	s := &scores{of: map[string]providers.ProviderScore{}, added: map[string]providers.Score{}}
	for provider, score := range of {
		s.set(provider, score, nil)
	}
	return s
}

func (s *scores) AddScore(_ context.Context, provider string, carrier contact.Carrier, score providers.Score) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil {
		key := provider + " " + string(carrier)
		s.added[key] = s.added[key].Plus(score)
	}
	return s.err
}

func (s *scores) RecentScores(context.Context, []string) (map[string]providers.ProviderScore, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.of), s.err
}

func (s *scores) set(provider string, score providers.Score, byCarrier map[contact.Carrier]providers.Score) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.of[provider] = providers.ProviderScore{Score: score, ByCarrier: byCarrier}
}

func TestProviderScore_shares_add_up_to_all_messages(t *testing.T) {
	t.Parallel()
	score := providers.ProviderScore{
		Score: providers.Score{Accepted: 10, Delivered: 7, Undelivered: 2, Verified: 5},
		ByCarrier: map[contact.Carrier]providers.Score{
			contact.ChinaMobile: {Accepted: 6, Delivered: 6, Verified: 4}, contact.ChinaUnicom: {Accepted: 3, Delivered: 1, Undelivered: 2},
		},
	}
	want := map[contact.Carrier]providers.Score{
		contact.ChinaMobile: {Accepted: 6, Delivered: 6, Verified: 4}, contact.ChinaUnicom: {Accepted: 3, Delivered: 1, Undelivered: 2},
		contact.ChinaTelecom: {}, contact.ChinaBroadnet: {}, contact.UnknownCarrier: {Accepted: 1, Verified: 1},
	}
	if diff := cmp.Diff(want, score.Shares()); diff != "" {
		t.Errorf("shares (-want +got):\n%s", diff)
	}
}

// weighing is weighingTo with the number of the tests.
func weighing(t *testing.T, s *stage, kept *scores) (share func() float64) {
	t.Helper()
	shareOf := weighingTo(t, s, kept)
	return func() float64 { return shareOf(message(t).To.Reveal()) }
}

// weighingTo starts the router's Run and returns a function that lets it weigh and then says which part of
// 2,000 messages to the number goes to a first.
func weighingTo(t *testing.T, s *stage, kept *scores) (share func(to string) float64) {
	t.Helper()
	s.Scores, s.Logger = kept, slog.New(slog.DiscardHandler)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { s.Run(ctx); close(done) }()
	t.Cleanup(func() { cancel(); <-done })
	return func(to string) float64 {
		time.Sleep(6 * time.Second) //nolint:forbidigo // synthetic time
		synctest.Wait()
		s.taken()
		const messages = 2000
		first := 0
		for i := range messages {
			sms := message(t)
			sms.ID = fmt.Sprint("message ", i)
			sms.To, _ = contact.ParseMobile(to)
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
				kept.set("a", providers.Score{Accepted: 100, Delivered: 100, Verified: 100}, nil)
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
		if diff := cmp.Diff(map[string]providers.Score{"a mobile": {Accepted: 2000}}, kept.added); diff != "" {
			t.Errorf("told (-want +got):\n%s", diff)
		}
	})
}

func TestRouter_moves_the_messages_to_one_carrier_alone(t *testing.T) {
	t.Parallel()
	const mobile, unicom, abroad = "13800138000", "18612345678", "+85251234567"
	for _, test := range []struct {
		name           string
		whole          providers.Score
		byCarrier      map[contact.Carrier]providers.Score
		mobile, unicom float64 // the shares of a
		abroad         float64
	}{
		{
			"one carrier delivers nothing",
			providers.Score{Delivered: 80, Undelivered: 20},
			map[contact.Carrier]providers.Score{contact.ChinaMobile: {Delivered: 80}, contact.ChinaUnicom: {Undelivered: 20}},
			1, 0.05, 1,
		},
		{
			"few reports of one carrier",
			providers.Score{Delivered: 80, Undelivered: 19},
			map[contact.Carrier]providers.Score{contact.ChinaMobile: {Delivered: 80}, contact.ChinaUnicom: {Undelivered: 19}},
			1, 1, 1,
		},
		{
			"the provider does badly, and well with one carrier",
			providers.Score{Delivered: 20, Undelivered: 30},
			map[contact.Carrier]providers.Score{contact.ChinaUnicom: {Delivered: 20}, contact.ChinaTelecom: {Undelivered: 30}},
			0.5, 1, 0.5,
		},
		{
			"few codes of one carrier are entered",
			providers.Score{Accepted: 300, Verified: 100},
			map[contact.Carrier]providers.Score{
				contact.ChinaMobile: {Accepted: 250, Verified: 90}, contact.ChinaUnicom: {Accepted: 50, Verified: 0},
			},
			1, 0.05, 1,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(t *testing.T) {
				kept := scored(nil)
				kept.set("a", test.whole, test.byCarrier)
				share := weighingTo(t, newStage(t, nil, nil), kept)
				for to, want := range map[string]float64{mobile: test.mobile, unicom: test.unicom, abroad: test.abroad} {
					if got := share(to); math.Abs(got-want) > 0.04 || (want < 1) != (got < 1) {
						t.Errorf("%.3f of the messages to %s go to the preferred one, want %.2f", got, to, want)
					}
				}
				kept.set("a", providers.Score{Delivered: 1000}, nil)
				if got := share(unicom); got != 1 {
					t.Errorf("%.3f of the messages go to it when it has recovered", got)
				}
			})
		})
	}
}
