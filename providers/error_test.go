package providers_test

import (
	"context"
	"errors"
	"testing"

	"usher/providers"
	"usher/reasons"
)

func TestError_has_a_reason_whatever_it_is(t *testing.T) {
	t.Parallel()
	for want, err := range map[reasons.Word]error{
		reasons.LoginRefused:  &providers.Error{Kind: providers.Misconfigured, Code: "535-5.7.8", Why: reasons.LoginRefused},
		reasons.BreakerOpen:   &providers.Error{Code: providers.BreakerOpen.OwnCode()},
		reasons.RateSpent:     &providers.Error{Code: providers.RateSpent.OwnCode()},
		reasons.Busy:          &providers.Error{Code: providers.Busy.OwnCode()},
		reasons.Stalled:       &providers.Error{Code: providers.Stalled.OwnCode()},
		reasons.Timeout:       &providers.Error{Kind: providers.Temporary, Err: context.DeadlineExceeded},
		reasons.Stopping:      &providers.Error{Err: context.Canceled},
		reasons.Certificate:   &providers.Error{Err: reasons.New(reasons.Certificate, "no")},
		reasons.Misconfigured: &providers.Error{Kind: providers.Misconfigured, Code: "isv.AMOUNT_NOT_ENOUGH"},
		reasons.Temporary:     &providers.Error{Kind: providers.Temporary, Err: errors.New("another")},
		reasons.Unclassified:  errors.New("another"),
	} {
		got := providers.ReasonOf(err)
		if _, known := reasons.Of(string(got)); got != want || !known {
			t.Errorf("reason of %v = %q, want %q, of the list", err, got, want)
		}
	}
}
