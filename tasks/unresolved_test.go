package tasks_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/prometheus/client_golang/prometheus"

	"usher/internal/testkit"
	"usher/messages"
	"usher/providers"
	"usher/store/redisstore"
	"usher/tasks"
	"usher/verify"
)

// books is a provider that can be asked for the outcome of a message.
type books struct {
	*sender
	fate providers.QueryResult
}

func (b books) QuerySMS(context.Context, providers.Query) (providers.QueryResult, error) {
	return b.fate, nil
}

func TestSMSCodeHandler_asks_before_it_sends_what_a_killed_worker_had(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		kills int // of one worker after the other
		fate  providers.QueryResult
		sends int
	}{
		{"killed after the call", 1, providers.QueryResult{State: messages.Sent}, 0},
		{"killed before the call", 1, providers.QueryResult{}, 1},
		{"killed three times, once after the call", 3, providers.QueryResult{State: messages.Sent}, 0},
		{"killed three times before the call", 3, providers.QueryResult{}, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			keys := testKeys(t)
			store := redisstore.New(open(t, testkit.Redis(t)), keys, time.Now)
			logger, _ := testkit.Logger(t)
			var task *asynq.Task
			issued, err := service(t, store, queueFunc(func(_ context.Context, q verify.Queued) error {
				task = asynq.NewTask(tasks.TypeSMSCode, smsPayload(t, keys, q))
				return nil
			})).Issue(t.Context(), verify.Request{To: mustMobile(t, number), Purpose: verify.Login})
			if err != nil {
				t.Fatal(err)
			}
			for range test.kills {
				testkit.Eventually(t, testkit.Patience, func() bool {
					_, err := store.Codes().Claim(t.Context(), issued.ID, time.Millisecond) // and dies
					return err == nil
				}, "a worker claims it")
			}
			vendor := books{&sender{}, test.fate}
			handler := &tasks.SMSCodeHandler{
				Claims: store.Codes(), Keys: keys, Timeout: sendTimeout, Metrics: tasks.NewMetrics(prometheus.NewRegistry()),
				Sender: &providers.Router{Senders: []providers.SMSSender{vendor}, Logger: logger},
			}
			testkit.Eventually(t, testkit.Patience, func() bool {
				err = handler.ProcessTask(t.Context(), task)
				return !errors.Is(err, messages.ErrBusy)
			}, "the claim has run out")
			status, statusErr := store.Codes().Status(t.Context(), issued.ID)
			if err != nil || statusErr != nil || status.State != messages.Sent || len(vendor.sentSMS()) != test.sends {
				t.Errorf("%v, %v, %v after %d sends; want it sent, %d here", err, statusErr, status.State, len(vendor.sentSMS()), test.sends)
			}
		})
	}
}
