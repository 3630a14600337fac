package providertest

import (
	"context"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"usher/providers"
)

// QueryCase is what the suite has to know of a vendor that can be asked for the outcome of a message.
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
	t.Run("an answer has the outcome of the message", c.answers)
	e := c.exchange()
	t.Run("a refusal says nothing of the message", e.refused)
	t.Run("an answer without sense says nothing of the message", c.nonsense)
	t.Run("a refusal that quotes the query shows nothing", e.quoting)
	t.Run("an ended context asks nothing", e.ended)
}

// exchange is the suite's query.
func (c QueryCase) exchange() exchange {
	return exchange{
		provider: c.Provider, private: append([]string{c.Query.To.Reveal()}, c.Secrets...), refusals: c.Refusals, echo: c.Echo,
		ask: func(ctx context.Context, t testing.TB, endpoint string) error {
			result, err := c.New(t, endpoint).QuerySMS(ctx, c.Query)
			if err != nil && result != (providers.QueryResult{}) {
				t.Errorf("got %+v with an error", result)
			}
			return err
		},
	}
}

func (c QueryCase) answers(t *testing.T) {
	t.Parallel()
	for name, a := range c.Answers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := newVendor(t, answer(http.StatusOK, a.Body))
			result, err := c.New(t, v.URL).QuerySMS(t.Context(), c.Query)
			if diff := cmp.Diff(a.QueryResult, result); err != nil || diff != "" {
				t.Errorf("%v, result (-want +got):\n%s", err, diff)
			}
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
				c.exchange().fails(t.Context(), t, v.URL, want{kind: providers.Unknown})
			})
		}
	}
}
