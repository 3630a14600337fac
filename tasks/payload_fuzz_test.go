package tasks_test

import (
	"context"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/prometheus/client_golang/prometheus"

	"usher/events"
	"usher/messages"
	"usher/tasks"
)

// FuzzHandlers works payloads of any shape: none brings the worker down, and none reaches a number that it was not
// sealed for.
func FuzzHandlers(f *testing.F) {
	for i, name := range []string{"sms_code.v1.json", "email_activation.v1.json", "email_notice.v1.json", "email_code.v1.json", "event_deliver.v1.json"} {
		f.Add(i, readPayload(f, name))
	}
	keys, mails, metrics := testKeys(f), mustMails(f), tasks.NewMetrics(prometheus.NewRegistry())
	f.Fuzz(func(t *testing.T, i int, payload []byte) {
		to := &sender{}
		mux := asynq.NewServeMux()
		tasks.Register(mux,
			&tasks.SMSCodeHandler{Claims: &claims{state: messages.Queued}, Sender: to, Keys: keys, Timeout: sendTimeout, Metrics: metrics},
			&tasks.EmailHandler{
				Claims: mailClaims{claims: &claims{claimErr: messages.ErrNotFound}}, Sender: to, Keys: keys, Mails: mails, Timeout: sendTimeout,
				Metrics: metrics, Codes: &claims{state: messages.Queued},
			},
			&tasks.EventHandler{Events: noEvents{}, Metrics: metrics})
		types := tasks.Types()
		_ = mux.ProcessTask(t.Context(), asynq.NewTask(types[uint(i)%uint(len(types))], payload))
		for _, sms := range to.sentSMS() {
			if sms.To.Reveal() != number || len(sms.Code) < 4 || len(sms.Code) > 8 {
				t.Errorf("%q sends %q to %s", payload, sms.Code, sms.To.Reveal())
			}
		}
		for _, mail := range to.sentMails() {
			if mail.To.Reveal() != codeAddress {
				t.Errorf("%q sends a mail to %s", payload, mail.To.Reveal())
			}
		}
	})
}

// noEvents is a database without deliveries.
type noEvents struct{}

func (noEvents) TakeBack(context.Context) error { return nil }

func (noEvents) Feed(context.Context, func(string, int, bool) int) ([]events.Due, error) {
	return nil, nil
}

func (noEvents) Claim(context.Context, events.Due, time.Duration) (events.Claimed, error) {
	return events.Claimed{}, events.ErrTaken
}

func (noEvents) Record(context.Context, events.Claimed, events.Answer) (string, error) {
	return "", events.ErrStale
}
