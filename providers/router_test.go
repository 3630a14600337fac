package providers_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"usher/contact"
	"usher/internal/testkit"
	"usher/providers"
)

// scripted is a sender whose answer is given; it notes in calls that it was asked.
type scripted struct {
	name  string
	err   error
	ends  context.CancelFunc // of the caller's context, while the call runs
	calls *[]string
}

func (s scripted) Name() string { return s.name }

func (s scripted) SendSMS(context.Context, providers.SMS) (providers.Receipt, error) {
	*s.calls = append(*s.calls, s.name)
	if s.ends != nil {
		s.ends()
	}
	if s.err != nil {
		return providers.Receipt{}, s.err
	}
	return providers.Receipt{Provider: s.name, ID: "receipt of " + s.name}, nil
}

func refusal(kind providers.Kind) error {
	return &providers.Error{Provider: "first", Kind: kind, Code: "code of " + kind.String()}
}

func TestRouter_goes_on_only_when_the_message_was_surely_not_sent(t *testing.T) {
	t.Parallel()
	unclassified := errors.New("something")
	for _, test := range []struct {
		name    string
		answers []error
		asked   []string
		want    error // nil: the last one asked accepted
	}{
		{"the first accepts", []error{nil, nil}, []string{"a"}, nil},
		{"temporary", []error{refusal(providers.Temporary), nil}, []string{"a", "b"}, nil},
		{"misconfigured", []error{refusal(providers.Misconfigured), nil}, []string{"a", "b"}, nil},
		{"rate limited", []error{refusal(providers.RateLimited), nil}, []string{"a"}, refusal(providers.RateLimited)},
		{"rejected", []error{refusal(providers.Rejected), nil}, []string{"a"}, refusal(providers.Rejected)},
		{"unknown", []error{refusal(providers.Unknown), nil}, []string{"a"}, refusal(providers.Unknown)},
		{"unclassified", []error{unclassified, nil}, []string{"a"}, unclassified},
		{
			"all refuse",
			[]error{refusal(providers.Temporary), refusal(providers.Misconfigured), refusal(providers.Temporary)},
			[]string{"a", "b", "c"},
			refusal(providers.Temporary),
		},
		{
			"the second may have sent",
			[]error{refusal(providers.Temporary), refusal(providers.Unknown), nil},
			[]string{"a", "b"},
			refusal(providers.Unknown),
		},
		{"the only one refuses", []error{refusal(providers.Misconfigured)}, []string{"a"}, refusal(providers.Misconfigured)},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var asked []string
			logger, log := testkit.Logger(t)
			router := &providers.Router{Logger: logger}
			for i, err := range test.answers {
				router.Senders = append(router.Senders, scripted{name: string(rune('a' + i)), err: err, calls: &asked})
			}
			receipt, err := router.SendSMS(t.Context(), message(t))
			if !slices.Equal(asked, test.asked) {
				t.Errorf("asked %v, want %v", asked, test.asked)
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
			if passed := strings.Count(log.String(), "provider passed over"); passed != len(test.asked)-1 {
				t.Errorf("%d providers are logged as passed over, want %d: %s", passed, len(test.asked)-1, log)
			}
			if found := testkit.FindSecrets(log.Bytes(), message(t).To.Reveal(), message(t).Code); len(found) > 0 {
				t.Errorf("the log holds %v", found)
			}
		})
	}
}

func TestRouter_logs_an_error_for_an_account_that_somebody_has_to_mend(t *testing.T) {
	t.Parallel()
	var asked []string
	logger, log := testkit.Logger(t)
	router := &providers.Router{Logger: logger, Senders: []providers.SMSSender{
		scripted{name: "a", err: refusal(providers.Misconfigured), calls: &asked}, scripted{name: "b", calls: &asked},
	}}
	if _, err := router.SendSMS(t.Context(), message(t)); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"level":"ERROR"`, `"provider":"a"`, `"kind":"misconfigured"`, `"code":"code of misconfigured"`} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log lacks %s: %s", want, log)
		}
	}
}

func TestRouter_asks_nobody_else_when_the_time_is_over(t *testing.T) {
	t.Parallel()
	var asked []string
	logger, _ := testkit.Logger(t)
	ctx, cancel := context.WithCancel(t.Context())
	router := &providers.Router{Logger: logger, Senders: []providers.SMSSender{
		scripted{name: "a", err: refusal(providers.Temporary), ends: cancel, calls: &asked},
		scripted{name: "b", calls: &asked},
	}}
	_, err := router.SendSMS(ctx, message(t))
	if providers.KindOf(err) != providers.Temporary || !slices.Equal(asked, []string{"a"}) {
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

func message(t *testing.T) providers.SMS {
	t.Helper()
	to, err := contact.ParseMobile("13912345678")
	if err != nil {
		t.Fatal(err)
	}
	return providers.SMS{ID: "id", Attempt: 1, To: to, Code: "796025"}
}
