package providers_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"usher/contact"
	"usher/internal/testkit"
	"usher/providers"
)

// scripted is a sender whose answers are given; it notes in the journal that it was asked.
type scripted struct {
	name   string
	answer func(ctx context.Context) error // nil accepts
	*journal
}

func (s *scripted) Name() string { return s.name }

func (s *scripted) SendSMS(ctx context.Context, _ providers.SMS) (providers.Receipt, error) {
	s.note(s.name)
	if s.answer != nil {
		if err := s.answer(ctx); err != nil {
			return providers.Receipt{}, err
		}
	}
	return providers.Receipt{Provider: s.name, ID: "receipt of " + s.name}, nil
}

// journal is the calls of all senders, and what the router decided.
type journal struct {
	mu        sync.Mutex
	calls     []string
	decisions []string
}

func (j *journal) note(call string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.calls = append(j.calls, call)
}

// taken returns the calls and the decisions since the last look.
func (j *journal) taken() (calls, decisions []string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	calls, decisions = j.calls, j.decisions
	j.calls, j.decisions = nil, nil
	return calls, decisions
}

// count is the router's Count.
func (j *journal) count(provider string, decision providers.Decision) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.decisions = append(j.decisions, provider+" "+string(decision))
}

// stage is a router with senders a, b, c… that answer as told.
type stage struct {
	*providers.Router
	*journal
	senders []*scripted
	log     *testkit.Buffer
}

func newStage(t *testing.T, answers ...error) *stage {
	t.Helper()
	logger, log := testkit.Logger(t)
	s := &stage{journal: &journal{}, log: log}
	s.Router = &providers.Router{Logger: logger, Count: s.count}
	for i, err := range answers {
		sender := &scripted{name: string(rune('a' + i)), journal: s.journal}
		sender.answer = func(context.Context) error { return err }
		s.senders = append(s.senders, sender)
		s.Senders = append(s.Senders, sender)
	}
	return s
}

// send sends the message of the tests and returns who was asked and what was decided.
func (s *stage) send(t *testing.T) (calls, decisions []string, err error) {
	t.Helper()
	_, err = s.SendSMS(t.Context(), message(t))
	calls, decisions = s.taken()
	return calls, decisions, err
}

func refusal(kind providers.Kind) error {
	return &providers.Error{Provider: "first", Kind: kind, Code: "code-of-" + kind.String()}
}

func TestRouter_goes_on_only_when_the_message_was_surely_not_sent(t *testing.T) {
	t.Parallel()
	unclassified := errors.New("something")
	for _, test := range []struct {
		name      string
		answers   []error
		asked     []string
		want      error // nil: the last one asked accepted
		decisions []string
	}{
		{"the first accepts", []error{nil, nil}, []string{"a"}, nil, []string{"a preferred"}},
		{
			"temporary",
			[]error{refusal(providers.Temporary), nil},
			[]string{"a", "b"},
			nil,
			[]string{"a temporary", "b failover"},
		},
		{
			"misconfigured",
			[]error{refusal(providers.Misconfigured), nil},
			[]string{"a", "b"},
			nil,
			[]string{"a misconfigured", "b failover"},
		},
		{
			"rate limited",
			[]error{refusal(providers.RateLimited), nil},
			[]string{"a"},
			refusal(providers.RateLimited),
			[]string{"a preferred"},
		},
		{
			"rejected",
			[]error{refusal(providers.Rejected), nil},
			[]string{"a"},
			refusal(providers.Rejected),
			[]string{"a preferred"},
		},
		{
			"unknown",
			[]error{refusal(providers.Unknown), nil},
			[]string{"a"},
			refusal(providers.Unknown),
			[]string{"a preferred"},
		},
		{"unclassified", []error{unclassified, nil}, []string{"a"}, unclassified, []string{"a preferred"}},
		{
			"all refuse",
			[]error{refusal(providers.Temporary), refusal(providers.Misconfigured), refusal(providers.Temporary)},
			[]string{"a", "b", "c"},
			refusal(providers.Temporary),
			[]string{"a temporary", "b misconfigured", "c temporary"},
		},
		{
			"the second may have sent",
			[]error{refusal(providers.Temporary), refusal(providers.Unknown), nil},
			[]string{"a", "b"},
			refusal(providers.Unknown),
			[]string{"a temporary", "b failover"},
		},
		{
			"the only one refuses",
			[]error{refusal(providers.Misconfigured)},
			[]string{"a"},
			refusal(providers.Misconfigured),
			[]string{"a misconfigured"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, test.answers...)
			receipt, err := s.SendSMS(t.Context(), message(t))
			asked, decisions := s.taken()
			if diff := cmp.Diff([][]string{test.asked, test.decisions}, [][]string{asked, decisions}); diff != "" {
				t.Errorf("asked and decided (-want +got):\n%s", diff)
			}
			last := test.asked[len(test.asked)-1]
			switch {
			case test.want == nil:
				if want := (providers.Receipt{Provider: last, ID: "receipt of " + last}); err != nil || receipt != want {
					t.Errorf("got %+v, %v; want %+v", receipt, err, want)
				}
			case err == nil || err.Error() != test.want.Error() || receipt != (providers.Receipt{}):
				t.Errorf("got %+v, %v; want %v", receipt, err, test.want)
			}
			if lines := strings.Count(s.log.String(), "message routed"); lines != 1 {
				t.Errorf("%d lines explain the round, want 1: %s", lines, s.log)
			}
			if found := testkit.FindSecrets(s.log.Bytes(), message(t).To.Reveal(), message(t).Code); len(found) > 0 {
				t.Errorf("the log holds %v", found)
			}
		})
	}
}

// TestRouter_asks_no_provider_after_a_final_answer tries every order of answers of three senders: behind the
// first answer that is not certainly a failure no provider is asked, and before it every one.
func TestRouter_asks_no_provider_after_a_final_answer(t *testing.T) {
	t.Parallel()
	answers := []error{
		nil, refusal(providers.Unknown), refusal(providers.Temporary), refusal(providers.RateLimited),
		refusal(providers.Rejected), refusal(providers.Misconfigured),
	}
	for _, a := range answers {
		for _, b := range answers {
			for _, c := range answers {
				s := newStage(t, a, b, c)
				want := []string{}
				for i, err := range []error{a, b, c} {
					want = append(want, string(rune('a'+i)))
					if kind := providers.KindOf(err); err == nil || kind != providers.Temporary && kind != providers.Misconfigured {
						break
					}
				}
				if asked, _, _ := s.send(t); !slices.Equal(asked, want) {
					t.Errorf("answers %v, %v, %v: asked %v, want %v", a, b, c, asked, want)
				}
			}
		}
	}
}

func TestRouter_explains_a_round_in_one_line(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		answers []error
		want    []string
	}{
		{"preferred", []error{nil, nil}, []string{
			`"level":"DEBUG"`, `"provider":"a"`, `"decision":"preferred"`, `"passed_over":null`, `"task_id":"id"`, `"attempt":1`,
		}},
		{"an account that an operator has to correct", []error{refusal(providers.Misconfigured), nil}, []string{
			`"level":"ERROR"`, `"provider":"b"`, `"decision":"failover"`,
			`"passed_over":["a: misconfigured code-of-misconfigured"]`,
		}},
		{"none", []error{refusal(providers.Temporary), refusal(providers.Temporary)}, []string{
			`"level":"WARN"`, `"provider":""`, `"decision":""`,
			`"passed_over":["a: temporary code-of-temporary","b: temporary code-of-temporary"]`,
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, test.answers...)
			_, _, _ = s.send(t)
			for line := range strings.Lines(s.log.String()) {
				if !strings.Contains(line, "message routed") {
					continue
				}
				for _, want := range test.want {
					if !strings.Contains(line, want) {
						t.Errorf("the line lacks %s: %s", want, line)
					}
				}
			}
		})
	}
}

func TestRouter_asks_no_other_provider_when_the_time_is_over(t *testing.T) {
	t.Parallel()
	s := newStage(t, nil, nil)
	ctx, cancel := context.WithCancel(t.Context())
	s.senders[0].answer = func(context.Context) error { cancel(); return refusal(providers.Temporary) }
	_, err := s.SendSMS(ctx, message(t))
	if asked, _ := s.taken(); providers.KindOf(err) != providers.Temporary || !slices.Equal(asked, []string{"a"}) {
		t.Errorf("got %v after asking %v, want the first one's error", err, asked)
	}
}

func TestRouter_without_senders_is_misconfigured(t *testing.T) {
	t.Parallel()
	_, err := (&providers.Router{}).SendSMS(t.Context(), message(t))
	var refused *providers.Error
	if !errors.As(err, &refused) || refused.Kind != providers.Misconfigured || refused.Provider != "router" {
		t.Errorf("got %v, want a misconfigured router", err)
	}
}

// inBubble runs the test where waiting takes no time.
func inBubble(t *testing.T, test func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, test)
}

func message(t *testing.T) providers.SMS {
	t.Helper()
	to, err := contact.ParseMobile("13912345678")
	if err != nil {
		t.Fatal(err)
	}
	return providers.SMS{ID: "id", Attempt: 1, To: to, Code: "796025"}
}

func TestRouter_takes_the_order_of_the_region(t *testing.T) {
	t.Parallel()
	orders := providers.Orders{"HK": {"c", "a"}, "MO": {"b"}, "TW": {"not configured"}}
	others := providers.Orders{"HK": {"c"}, providers.OtherRegions: {"b", "c"}}
	down := refusal(providers.Temporary)
	for _, test := range []struct {
		name, to  string
		orders    providers.Orders
		answers   []error // of a, b and c
		asked     []string
		decisions []string
	}{
		{"its own order", "+85251234567", orders, []error{nil, nil, nil}, []string{"c"}, []string{"c preferred"}},
		{"failover within it", "+85251234567", orders, []error{nil, nil, down}, []string{"c", "a"}, []string{"c temporary", "a failover"}},
		{"no provider outside it", "+85366123456", orders, []error{nil, down, nil}, []string{"b"}, []string{"b temporary"}},
		{"a region without one", "13800138000", orders, []error{nil, nil, nil}, []string{"a"}, []string{"a preferred"}},
		{"all other regions", "13800138000", others, []error{nil, nil, nil}, []string{"b"}, []string{"b preferred"}},
		{"a region beside all others", "+85251234567", others, []error{nil, nil, nil}, []string{"c"}, []string{"c preferred"}},
		{"no provider of the order exists", "+886912345678", orders, []error{nil, nil, nil}, nil, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, test.answers...)
			s.Orders = test.orders
			sms := message(t)
			to, err := contact.ParseMobile(test.to)
			if err != nil {
				t.Fatal(err)
			}
			sms.To = to
			_, _ = s.SendSMS(t.Context(), sms) // calls and decisions tell the outcome
			asked, decisions := s.taken()
			if diff := cmp.Diff(test.asked, asked) + cmp.Diff(test.decisions, decisions); diff != "" {
				t.Errorf("asked and decided (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRouter_keeps_one_breaker_for_a_provider_of_all_regions(t *testing.T) {
	t.Parallel()
	s := newStage(t, refusal(providers.Misconfigured), nil)
	s.Orders = providers.Orders{"HK": {"a", "b"}}
	if asked, _, err := s.send(t); err != nil || !slices.Equal(asked, []string{"a", "b"}) {
		t.Fatalf("asked %v, %v", asked, err)
	}
	sms := message(t)
	sms.To, _ = contact.ParseMobile("+85251234567")
	if _, err := s.SendSMS(t.Context(), sms); err != nil {
		t.Fatal(err)
	}
	if asked, _ := s.taken(); !slices.Equal(asked, []string{"b"}) {
		t.Errorf("asked %v, although the breaker of a is open", asked)
	}
}

// A person for whom nothing came asks for another way.
func TestRouter_asks_the_provider_to_avoid_last(t *testing.T) {
	t.Parallel()
	down := refusal(providers.Temporary)
	for _, test := range []struct {
		name      string
		answers   []error
		avoid     string
		asked     []string
		decisions []string
	}{
		{"the preferred one", []error{nil, nil, nil}, "a", []string{"b"}, []string{"b second_way"}},
		{"another one", []error{nil, nil, nil}, "b", []string{"a"}, []string{"a second_way"}},
		{"the others are down", []error{nil, down}, "a", []string{"b", "a"}, []string{"b temporary", "a failover"}},
		{"the only one", []error{nil}, "a", []string{"a"}, []string{"a second_way"}},
		{"one that is gone", []error{nil, nil}, "z", []string{"a"}, []string{"a second_way"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, test.answers...)
			sms := message(t)
			sms.Avoid = test.avoid
			if _, err := s.SendSMS(t.Context(), sms); err != nil {
				t.Error(err)
			}
			asked, decisions := s.taken()
			if diff := cmp.Diff([][]string{test.asked, test.decisions}, [][]string{asked, decisions}); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}
