package providertest

import (
	"context"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"usher/providers"
)

// QueryCase is what the suite has to know of a vendor that can be asked what became of a message.
type QueryCase struct {
	Provider string // name that errors carry

	// New returns a querier that calls the vendor at endpoint; see [SMSCase].
	New func(t testing.TB, endpoint string) providers.Querier

	Secrets  []string // keys that New uses
	Query    providers.Query
	Answers  map[string]QueryResult
	Refusals []Refusal
	Echo     func(text string) string // see [SMSCase]
}

// QueryResult is an answer of the vendor and what it says of the message.
type QueryResult struct {
	Body        string
	QueryResult providers.QueryResult
}

// RunQuery checks every promise of [providers.Querier].
func RunQuery(t *testing.T, c QueryCase) {
	t.Helper()
	t.Run("an answer says what became of the message", c.answers)
	t.Run("a refusal says nothing of the message", c.refusals)
	t.Run("an answer without sense says nothing of the message", c.nonsense)
	t.Run("a refusal that quotes the query shows nothing", c.quoting)
	t.Run("an ended context asks nothing", c.ended)
}

func (c QueryCase) private() []string { return append([]string{c.Query.To.Reveal()}, c.Secrets...) }

// fails asks and checks how that fails.
func (c QueryCase) fails(ctx context.Context, t *testing.T, endpoint string, w want) {
	t.Helper()
	fate, err := c.New(t, endpoint).QuerySMS(ctx, c.Query)
	check(t, err, c.Provider, w, c.private())
	if fate != (providers.QueryResult{}) {
		t.Errorf("got %+v with an error", fate)
	}
}

func (c QueryCase) answers(t *testing.T) {
	t.Parallel()
	for name, a := range c.Answers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := newVendor(t, answer(http.StatusOK, a.Body))
			fate, err := c.New(t, v.URL).QuerySMS(t.Context(), c.Query)
			if diff := cmp.Diff(a.QueryResult, fate); err != nil || diff != "" {
				t.Errorf("%v, fate (-want +got):\n%s", err, diff)
			}
		})
	}
}

func (c QueryCase) refusals(t *testing.T) {
	t.Parallel()
	for _, r := range c.Refusals {
		t.Run(r.Name, func(t *testing.T) {
			t.Parallel()
			v := newVendor(t, answer(max(r.Status, http.StatusOK), r.Body))
			c.fails(t.Context(), t, v.URL, want{r.Kind, r.Code})
		})
	}
}

func (c QueryCase) nonsense(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"html": "<html><body>503</body></html>", "empty": "", "null": "null", "empty object": "{}", "half": `{"Code":"OK",`,
		"a code that is a tree": `{"Code":{"a":1},"statusCode":{"a":1}}`,
	} {
		for _, status := range []int{http.StatusOK, http.StatusServiceUnavailable} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				v := newVendor(t, answer(status, body))
				c.fails(t.Context(), t, v.URL, want{kind: providers.Unknown})
			})
		}
	}
}

func (c QueryCase) quoting(t *testing.T) {
	t.Parallel()
	for _, quoted := range c.private() {
		v := newVendor(t, answer(http.StatusOK, c.Echo("x"+quoted)))
		_, err := c.New(t, v.URL).QuerySMS(t.Context(), c.Query)
		if err == nil {
			t.Fatal("got no error")
		}
		assertSilent(t, err, c.private())
	}
}

func (c QueryCase) ended(t *testing.T) {
	t.Parallel()
	v := newVendor(t, answer(http.StatusOK, ""))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	c.fails(ctx, t, v.URL, want{kind: providers.Temporary})
	v.wantRequests(t, 0)
}
