package app

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"usher/contact"
	"usher/messages"
	"usher/providers"
	"usher/reports"
)

// filed gives the results that it holds.
type filed struct {
	results []reports.Result
	err     error
}

func (f filed) Apply(context.Context, []reports.Report) ([]reports.Result, error) {
	return f.results, f.err
}

// tally adds up what it is told.
type tally map[scored]providers.Score

func (s tally) AddScore(_ context.Context, provider string, carrier contact.Carrier, score providers.Score) error {
	key := scored{provider, carrier}
	s[key] = s[key].Plus(score)
	return errors.New("is ignored")
}

func (tally) RecentScores(context.Context, []string) (map[string]providers.ProviderScore, error) {
	return nil, nil
}

func TestWatchedReports_count_once_for_their_provider(t *testing.T) {
	t.Parallel()
	all := []reports.Report{
		{Provider: "aliyun", State: messages.Delivered},
		{Provider: "aliyun", State: messages.Delivered},
		{Provider: "ronglian", State: messages.Undelivered},
		{Provider: "aliyun", State: messages.Delivered},
		{Provider: "aliyun", State: messages.Undelivered},
	}
	results := []reports.Result{
		{ID: "a", Changed: true, To: "138****8000"},
		{ID: "b"},
		{ID: "c", Changed: true, To: "+852****4567"},
		{ID: "d", Changed: true, To: "139****8000"},
		{ID: "e", Changed: true, To: "186****8000"},
	}
	scores := tally{}
	got, err := watchedReports{filed{results: results}, scores, nil}.Apply(t.Context(), all)
	if diff := cmp.Diff(results, got); err != nil || diff != "" {
		t.Errorf("%v, results (-want +got):\n%s", err, diff)
	}
	if diff := cmp.Diff(tally{
		{"aliyun", contact.ChinaMobile}: {Delivered: 2}, {"aliyun", contact.ChinaUnicom}: {Undelivered: 1},
		{"ronglian", contact.UnknownCarrier}: {Undelivered: 1},
	}, scores); diff != "" {
		t.Errorf("scores (-want +got):\n%s", diff)
	}

	failed := errors.New("redis is unavailable")
	if _, err := (watchedReports{filed{err: failed}, tally{}, nil}).Apply(t.Context(), all); !errors.Is(err, failed) {
		t.Errorf("got %v, want %v", err, failed)
	}
}
