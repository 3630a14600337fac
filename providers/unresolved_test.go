package providers_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/trace/noop"

	"usher/messages"
	"usher/providers"
)

// asked is a sender that can be asked for the outcome of a message.
type asked struct {
	*scripted
	fate func(ctx context.Context) (providers.QueryResult, error)
}

func (a asked) QuerySMS(ctx context.Context, query providers.Query) (providers.QueryResult, error) {
	a.note("ask " + a.name)
	if query.ID != "id" || query.To.IsZero() || query.SentAt.IsZero() {
		return providers.QueryResult{}, errors.New("an incomplete query")
	}
	return a.fate(ctx)
}

// unresolved sends the message as one that the provider may have had for so long.
func (s *stage) unresolved(t *testing.T, provider string, age time.Duration) (calls, decisions []string, err error) {
	t.Helper()
	sms := message(t)
	sms.Attempt = 2
	sms.Unresolved = &providers.Unresolved{Provider: provider, At: time.Now().Add(-age)}
	_, err = s.SendSMS(t.Context(), sms)
	calls, decisions = s.taken()
	return calls, decisions, err
}

func TestRouter_asks_before_it_sends_again(t *testing.T) {
	t.Parallel()
	undelivered := &providers.Error{Provider: "b", Kind: providers.Rejected, Code: "MOBILE_NOT_ON_SERVICE"}
	for _, test := range []struct {
		name      string
		age       time.Duration
		fate      providers.QueryResult
		err       error
		calls     []string
		decisions []string
		want      string // of the error; empty: sent
	}{
		{"accepted", time.Second, providers.QueryResult{State: messages.Sent}, nil, []string{"ask b"}, []string{"b asked"}, ""},
		{"delivered", time.Hour, providers.QueryResult{State: messages.Delivered}, nil, []string{"ask b"}, []string{"b asked"}, ""},
		{
			"undelivered", time.Second,
			providers.QueryResult{State: messages.Undelivered, Refusal: undelivered},
			nil,
			[]string{"ask b"},
			[]string{"b asked"},
			undelivered.Error(),
		},
		{
			"not found so soon", 14 * time.Second,
			providers.QueryResult{},
			nil,
			[]string{"ask b"},
			[]string{"b not_found"},
			"b: temporary: own_settling: the provider may not know it yet",
		},
		{
			"not found", 15 * time.Second,
			providers.QueryResult{},
			nil,
			[]string{"ask b", "a"},
			[]string{"b not_found", "a resend"},
			"",
		},
		{
			"no answer so soon", 14 * time.Second,
			providers.QueryResult{},
			refusal(providers.Misconfigured),
			[]string{"ask b"},
			[]string{"b ask_error"},
			"b: temporary: own_settling: the provider may not know it yet",
		},
		{
			"no answer", 15 * time.Second,
			providers.QueryResult{},
			refusal(providers.Misconfigured),
			[]string{"ask b", "a"},
			[]string{"b ask_error", "a resend"},
			"",
		},
		{
			"an answer that cannot be read", time.Hour,
			providers.QueryResult{State: messages.Undelivered},
			nil,
			[]string{"ask b", "a"},
			[]string{"b ask_error", "a resend"},
			"",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(t *testing.T) {
				s := newStage(t, nil, nil)
				s.Senders[1] = asked{s.senders[1], func(context.Context) (providers.QueryResult, error) { return test.fate, test.err }}
				calls, decisions, err := s.unresolved(t, "b", test.age)
				if diff := cmp.Diff([][]string{test.calls, test.decisions}, [][]string{calls, decisions}); diff != "" {
					t.Errorf("called and decided (-want +got):\n%s", diff)
				}
				if got := errorText(err); got != test.want {
					t.Errorf("got %q, want %q", got, test.want)
				}
				if lines := strings.Count(s.log.String(), "message routed"); lines != 1 {
					t.Errorf("%d lines explain the round, want 1", lines)
				}
			})
		})
	}
}

// awaiting is a sender that only a delivery report can tell the outcome of.
type awaiting struct{ *scripted }

func (awaiting) AwaitsReport() {}

func TestRouter_waits_for_the_report_where_nothing_else_can_tell(t *testing.T) {
	t.Parallel()
	for _, traced := range []bool{false, true} {
		for _, age := range []time.Duration{time.Second, time.Hour} {
			s := newStage(t, nil, nil)
			s.Senders[1] = awaiting{s.senders[1]}
			if traced {
				s.Senders[1] = providers.TraceSMS(s.Senders[1], noop.NewTracerProvider().Tracer(""))
			}
			calls, decisions, err := s.unresolved(t, "b", age)
			if len(calls) > 0 || !slices.Equal(decisions, []string{"b awaiting"}) {
				t.Errorf("called %v, decided %v; want nothing sent", calls, decisions)
			}
			if want := "b: temporary: own_settling: its vendor tells the outcome by a delivery report alone"; errorText(err) != want {
				t.Errorf("got %v, want %s", err, want)
			}
		}
	}
	s := newStage(t, nil, nil)
	s.Senders[0] = awaiting{s.senders[0]}
	// The worker died, perhaps before it called any provider: a code that is never sent is worse than a second one.
	if calls, _, err := s.unresolved(t, "", time.Minute); err != nil || !slices.Equal(calls, []string{"a"}) {
		t.Errorf("called %v, %v; want it sent once more", calls, err)
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestRouter_sends_an_unresolved_message_by_another_provider(t *testing.T) {
	t.Parallel()
	unknown, temporary := refusal(providers.Unknown), refusal(providers.Temporary)
	for _, test := range []struct {
		name    string
		answers []error // of a, b and c; b may have the message
		before  []error // answers of b to other messages
		askable bool
		calls   []string
		kind    providers.Kind
	}{
		{"who may recognize it first", []error{nil, nil, nil}, nil, false, []string{"b"}, -1},
		{"not who has just failed", []error{nil, nil, nil}, []error{unknown}, false, []string{"a"}, -1},
		{"not whose breaker is open, and a has one too", []error{temporary, nil, nil}, []error{unknown, unknown, unknown, unknown, unknown}, false, []string{"c"}, -1},
		{"not who does not know it", []error{temporary, nil, nil}, nil, true, []string{"ask b", "a", "c"}, -1},
		{"who does not know it, when no other takes it", []error{temporary, nil, temporary}, nil, true, []string{"ask b", "a", "c", "b"}, -1},
		{"no third one after another unresolved one", []error{unknown, nil, nil}, nil, true, []string{"ask b", "a"}, providers.Unknown},
	} {
		inBubble(t, func(t *testing.T) {
			s := newStage(t, test.answers...)
			for _, answer := range test.before {
				s.senders[1].answer = func(context.Context) error { return answer }
				s.senders[0].answer = func(context.Context) error { return temporary }
				_, _, _ = s.send(t)
			}
			for i, answer := range test.answers {
				s.senders[i].answer = func(context.Context) error { return answer }
			}
			if test.askable {
				s.Senders[1] = asked{s.senders[1], func(context.Context) (providers.QueryResult, error) { return providers.QueryResult{}, nil }}
			}
			calls, _, err := s.unresolved(t, "b", time.Minute)
			if !slices.Equal(calls, test.calls) {
				t.Errorf("%s: called %v, want %v", test.name, calls, test.calls)
			}
			if (err == nil) != (test.kind < 0) || err != nil && providers.KindOf(err) != test.kind {
				t.Errorf("%s: %v", test.name, err)
			}
		})
	}
}

func TestRouter_asks_everybody_when_the_worker_died(t *testing.T) {
	t.Parallel()
	for name, who := range map[string]string{"no provider is recorded": "", "the recorded provider is removed": "z"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(t *testing.T) {
				s := newStage(t, nil, nil, nil)
				fate := providers.QueryResult{State: messages.Sent}
				nothing := func(context.Context) (providers.QueryResult, error) { return providers.QueryResult{}, nil }
				s.Senders[0] = asked{s.senders[0], nothing}
				s.Senders[2] = asked{s.senders[2], func(context.Context) (providers.QueryResult, error) { return fate, nil }}
				calls, _, err := s.unresolved(t, who, time.Second)
				if err != nil || !slices.Equal(calls, []string{"ask a", "ask c"}) {
					t.Errorf("called %v, %v; want both asked and nothing sent", calls, err)
				}
				fate = providers.QueryResult{} // it does not know either
				calls, decisions, err := s.unresolved(t, who, time.Second)
				want := []string{"a not_found", "c not_found", "a resend"}
				if err != nil || !slices.Equal(calls, []string{"ask a", "ask c", "a"}) || !slices.Equal(decisions, want) {
					t.Errorf("called %v, decided %v, %v; want it sent again at once", calls, decisions, err)
				}
			})
		})
	}
}

func TestRouter_waits_for_an_answer_no_longer_than_it_has_time_to_use_it(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		s, start := newStage(t, nil), time.Now()
		s.Senders[0] = asked{s.senders[0], func(ctx context.Context) (providers.QueryResult, error) {
			<-ctx.Done()
			return providers.QueryResult{}, &providers.Error{Provider: "a", Err: ctx.Err()}
		}}
		calls, _, err := s.unresolved(t, "a", time.Minute)
		if took := time.Since(start); err != nil || !slices.Equal(calls, []string{"ask a", "a"}) || took > 3*time.Second {
			t.Errorf("called %v, %v after %v", calls, err, took)
		}
	})
}

func TestRouter_asks_once_and_never_sends_what_may_have_been_sent_twice(t *testing.T) {
	t.Parallel()
	rejected := &providers.Error{Provider: "b", Kind: providers.Rejected, Code: "MOBILE_NOT_ON_SERVICE"}
	for _, test := range []struct {
		name      string
		provider  string // who may have it; "a" cannot be asked
		fate      providers.QueryResult
		err       error
		calls     []string
		decisions []string
		want      string // of the error; empty: sent
	}{
		{"accepted", "b", providers.QueryResult{State: messages.Sent}, nil, []string{"ask b"}, []string{"b asked"}, ""},
		{
			"undelivered", "b",
			providers.QueryResult{State: messages.Undelivered, Refusal: rejected},
			nil,
			[]string{"ask b"},
			[]string{"b asked"},
			rejected.Error(),
		},
		{
			"not found", "b",
			providers.QueryResult{},
			nil,
			[]string{"ask b"},
			[]string{"b not_found", "b given_up"},
			"b: unknown: own_given_up: it may have been sent twice, and no provider knows it",
		},
		{
			"no answer", "b",
			providers.QueryResult{},
			refusal(providers.Temporary),
			[]string{"ask b"},
			[]string{"b ask_error", "b given_up"},
			"b: unknown: own_given_up: it may have been sent twice, and no provider knows it",
		},
		{
			"no provider can be asked", "a",
			providers.QueryResult{State: messages.Sent},
			nil,
			nil,
			[]string{"a given_up"},
			"a: unknown: own_given_up: it may have been sent twice, and no provider knows it",
		},
		{"no provider is recorded", "", providers.QueryResult{State: messages.Sent}, nil, []string{"ask b"}, []string{"b asked"}, ""},
		{
			"no provider is recorded, and none knows", "",
			providers.QueryResult{},
			nil,
			[]string{"ask b"},
			[]string{"b not_found", "router given_up"}, // "a" was the first in line, and cannot be asked
			"router: unknown: own_given_up: it may have been sent twice, and no provider knows it",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(t *testing.T) {
				s := newStage(t, nil, nil)
				s.Senders[1] = asked{s.senders[1], func(context.Context) (providers.QueryResult, error) { return test.fate, test.err }}
				sms := message(t)
				sms.Attempt, sms.Unresolved = 3, &providers.Unresolved{Provider: test.provider, At: time.Now()}
				_, err := s.ResolveSMS(t.Context(), sms)
				calls, decisions := s.taken()
				if diff := cmp.Diff([][]string{test.calls, test.decisions}, [][]string{calls, decisions}); diff != "" {
					t.Errorf("called and decided (-want +got):\n%s", diff)
				}
				if got := errorText(err); got != test.want {
					t.Errorf("got %q, want %q", got, test.want)
				}
				if lines := strings.Count(s.log.String(), "message routed"); lines != 1 {
					t.Errorf("%d lines explain the round, want 1", lines)
				}
			})
		})
	}
}

// Workers that died have not said whom they asked. When the one they would have asked does not know the message,
// none of them got as far as the call.
func TestRouter_tells_when_a_message_never_left(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		provider string // who may have it
		fate     providers.QueryResult
		err      error
		unsent   bool
	}{
		"not known to the first in line":               {"", providers.QueryResult{}, nil, true},
		"known to it":                                  {"", providers.QueryResult{State: messages.Sent}, nil, false},
		"it does not answer":                           {"", providers.QueryResult{}, refusal(providers.Temporary), false},
		"a provider was asked and the answer was lost": {"a", providers.QueryResult{}, nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(t *testing.T) {
				s := newStage(t, nil, nil)
				s.Senders[0] = asked{s.senders[0], func(context.Context) (providers.QueryResult, error) { return test.fate, test.err }}
				sms := message(t)
				sms.Attempt, sms.Unresolved = 3, &providers.Unresolved{Provider: test.provider, At: time.Now()}
				_, err := s.ResolveSMS(t.Context(), sms)
				if errors.Is(err, providers.ErrUnsent) != test.unsent {
					t.Errorf("got %v, want unsent: %t", err, test.unsent)
				}
				if calls, _ := s.taken(); len(calls) != 1 || calls[0] != "ask a" {
					t.Errorf("called %v, want one question", calls)
				}
			})
		})
	}
}

func TestRouter_asks_the_recorded_provider_outside_the_order_of_the_region(t *testing.T) {
	t.Parallel()
	s := newStage(t, nil, nil)
	s.Orders = providers.Orders{providers.OtherRegions: {"a"}}
	s.Senders[1] = asked{s.senders[1], func(context.Context) (providers.QueryResult, error) {
		return providers.QueryResult{State: messages.Sent}, nil
	}}
	sms := message(t)
	sms.Unresolved = &providers.Unresolved{Provider: "b", At: time.Now().Add(-time.Hour)}
	receipt, err := s.SendSMS(t.Context(), sms)
	calls, decisions := s.taken()
	if diff := cmp.Diff([]string{"ask b"}, calls) + cmp.Diff([]string{"b asked"}, decisions); err != nil || receipt.Provider != "b" || diff != "" {
		t.Errorf("%+v, %v, asked and decided (-want +got):\n%s", receipt, err, diff)
	}
}
