package tasks_test

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hibiken/asynq"

	"usher/messages"
	"usher/tasks"
)

// narrow is a handler that lets one mail at a time be claimed and sent, and its bundle.
func narrow(t *testing.T) (*tasks.EmailHandler, *bundle, *asynq.Task) {
	t.Helper()
	b, metrics, _ := newBundle(t)
	claimed := activation(t)
	handler := &tasks.EmailHandler{
		Claims: mailClaims{b.claims, claimed.Mail, claimed.Account}, Sender: b.sender, Keys: testKeys(t),
		Mails: mustMails(t), Timeout: sendTimeout, Metrics: metrics, Slots: make(chan struct{}, 1),
	}
	return handler, b, asynq.NewTask(tasks.TypeEmailActivation, []byte(`{"id":"`+mailID+`"}`))
}

// A lease would run while its mail waits.
func TestEmailHandler_claims_no_mail_before_it_can_be_sent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		handler, b, task := narrow(t)
		handler.Slots <- struct{}{} // another mail is being sent
		start := time.Now()
		time.AfterFunc(15*time.Second, func() { <-handler.Slots })
		b.claims.claimed = func() {
			if waited := time.Since(start); waited != 15*time.Second {
				t.Errorf("claimed after %v, want it after 15 s", waited)
			}
		}
		if err := handler.ProcessTask(t.Context(), task); err != nil || !slices.Equal(b.states(), []messages.State{messages.Sent}) {
			t.Errorf("%v, recorded %v, want it sent", err, b.states())
		}
	})
}

func TestEmailHandler_gives_its_place_back_however_a_mail_ends(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		handler, b, task := narrow(t)
		b.claims.claimErr = messages.ErrBusy
		_ = handler.ProcessTask(t.Context(), task)
		b.claims.claimErr = nil
		b.sender.answer = func(context.Context, int) error { panic("a sender that breaks down") }
		_ = handler.ProcessTask(t.Context(), task)
		if len(handler.Slots) != 0 {
			t.Error("a place is lost")
		}
	})
}

func TestEmailHandler_waits_for_a_place_no_longer_than_the_worker_runs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		handler, b, task := narrow(t)
		handler.Slots <- struct{}{}
		drain, end := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, end)
		err := tasks.Stoppable(drain, t.Context())(handler).ProcessTask(t.Context(), task)
		if wait := tasks.RetryDelay(9, err, nil); next(err) != "retried" || wait > time.Second || tasks.IsFailure(err) || b.claims.attempt > 0 {
			t.Errorf("%v after %v and %d claims, want a retry soon", err, wait, b.claims.attempt)
		}
		start := time.Now()
		err = handler.ProcessTask(t.Context(), task)
		if waited := time.Since(start); waited > 30*time.Second || next(err) != "retried" || tasks.IsFailure(err) || b.claims.attempt > 0 {
			t.Errorf("%v after %v and %d claims, want a retry that is no failure", err, waited, b.claims.attempt)
		}
	})
}
