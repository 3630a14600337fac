package tasks_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hibiken/asynq"
	"github.com/prometheus/client_golang/prometheus"

	"usher/accounts"
	"usher/internal/testkit"
	"usher/messages"
	"usher/providers"
	"usher/tasks"
)

// bundle is one channel's handler over fakes, with a task for it, inside a bubble of synthetic time.
type bundle struct {
	claims   *claims
	sender   *sender
	handler  asynq.Handler
	task     *asynq.Task
	registry *prometheus.Registry
	log      *testkit.Buffer
	sends    func() []string // the secret that each call carried
	secret   string          // what it must be
}

// eachChannel runs the test for the handlers of SMS, mails and codes by mail, each in a bubble, where waiting takes no time.
func eachChannel(t *testing.T, test func(t *testing.T, b *bundle)) {
	t.Helper()
	for name, setup := range map[string]func(*testing.T) *bundle{"sms": smsBundle, "email": mailBundle, "code by mail": codeMailBundle} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { test(t, setup(t)) })
		})
	}
}

func newBundle(t *testing.T) (*bundle, *tasks.Metrics, asynq.MiddlewareFunc) {
	t.Helper()
	b := &bundle{claims: &claims{state: messages.Queued}, sender: &sender{}, registry: prometheus.NewRegistry()}
	metrics := tasks.NewMetrics(b.registry)
	logger, log := testkit.Logger(t)
	b.log = log
	return b, metrics, tasks.Observe(logger, metrics)
}

func smsBundle(t *testing.T) *bundle {
	t.Helper()
	keys := testKeys(t)
	b, metrics, observe := newBundle(t)
	q := queued(t, codeID)
	b.task = asynq.NewTask(tasks.TypeSMSCode, smsPayload(t, keys, q))
	b.secret = codeOf(t, keys, q)
	b.handler = observe(&tasks.SMSCodeHandler{
		Claims: b.claims, Sender: b.sender, Keys: keys, Timeout: sendTimeout, Metrics: metrics,
	})
	b.sends = func() (codes []string) {
		for _, sms := range b.sender.sentSMS() {
			codes = append(codes, sms.Code)
		}
		return codes
	}
	return b
}

func mailBundle(t *testing.T) *bundle {
	t.Helper()
	keys := testKeys(t)
	b, metrics, observe := newBundle(t)
	claimed := activation(t)
	var err error
	if b.secret, err = accounts.ActivationToken(keys, claimed); err != nil {
		t.Fatal(err)
	}
	b.task = asynq.NewTask(tasks.TypeEmailActivation, []byte(`{"id":"`+mailID+`"}`))
	b.handler = observe(&tasks.EmailHandler{
		Claims: mailClaims{b.claims, claimed.Mail, claimed.Account}, Sender: b.sender, Keys: keys,
		Mails: mustMails(t), Timeout: sendTimeout, Metrics: metrics,
	})
	b.sends = func() (tokens []string) {
		for _, mail := range b.sender.sentMails() {
			_, rest, _ := strings.Cut(mail.Text, "token=")
			token, _, _ := strings.Cut(rest, "\n")
			tokens = append(tokens, token)
		}
		return tokens
	}
	return b
}

func (b *bundle) work() error { return b.handler.ProcessTask(context.Background(), b.task) }

// states lists what was recorded.
func (b *bundle) states() (states []messages.State) {
	for _, o := range b.claims.recorded() {
		states = append(states, o.State)
	}
	return states
}

// next says what Asynq does with a task that ended so.
func next(err error) string {
	switch {
	case err == nil:
		return "done"
	case errors.Is(err, asynq.SkipRetry):
		return "archived"
	default:
		return "retried"
	}
}

func TestHandlers_record_what_a_provider_said_and_tell_asynq(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		answer func(context.Context, int) error
		want   []messages.Outcome
		next   string
		metric string
	}{
		{
			name: "accepted", next: "done", metric: `provider="fake",state="sent"`,
			want: []messages.Outcome{{State: messages.Sent, Provider: "fake", ProviderID: "receipt"}},
		},
		{
			name: "temporary", answer: refuse(providers.Temporary), next: "retried", metric: `provider="fake",state="queued"`,
			want: []messages.Outcome{{State: messages.Queued, Provider: "fake", Code: "code-of-temporary", Reason: "temporary"}},
		},
		{
			name: "misconfigured", answer: refuse(providers.Misconfigured), next: "retried", metric: `provider="fake",state="queued"`,
			want: []messages.Outcome{{State: messages.Queued, Provider: "fake", Code: "code-of-misconfigured", Reason: "misconfigured"}},
		},
		{
			name: "rate limited", answer: refuse(providers.RateLimited), next: "archived", metric: `provider="fake",state="failed"`,
			want: []messages.Outcome{{State: messages.Failed, Provider: "fake", Code: "code-of-rate_limited", Reason: "rate_limited"}},
		},
		{
			name: "rejected", answer: refuse(providers.Rejected), next: "archived", metric: `provider="fake",state="failed"`,
			want: []messages.Outcome{{State: messages.Failed, Provider: "fake", Code: "code-of-rejected", Reason: "rejected"}},
		},
		{
			name: "a kind of a later release", answer: refuse(99), next: "archived", metric: `provider="fake",state="failed"`,
			want: []messages.Outcome{{State: messages.Failed, Provider: "fake", Code: "code-of-unknown", Reason: "unknown"}},
		},
		{
			name: "unknown", answer: refuse(providers.Unknown), next: "retried", metric: `provider="fake",state="sending"`,
			want: []messages.Outcome{{State: messages.Sending, Provider: "fake", Code: "code-of-unknown", Reason: "unknown"}},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			eachChannel(t, func(t *testing.T, b *bundle) {
				b.sender.answer = test.answer
				want := slices.Clone(test.want) // both channels have one of their own
				for i := range want {
					want[i].At = time.Now() // time stands still in a bubble that does not wait
				}
				err := b.work()
				if got := next(err); got != test.next {
					t.Errorf("the task is %s, want %s: %v", got, test.next, err)
				}
				if diff := cmp.Diff(want, b.claims.recorded()); diff != "" {
					t.Errorf("recorded (-want +got):\n%s", diff)
				}
				if got := b.sends(); !slices.Equal(got, []string{b.secret}) {
					t.Errorf("sent %q, want %q once", got, b.secret)
				}
				if text := testkit.MetricsText(t, b.registry); !strings.Contains(text, test.metric+"} 1\n") {
					t.Errorf("the metrics lack %s:\n%s", test.metric, text)
				}
				if log := b.log.String(); !strings.Contains(log, `"provider":"fake"`) {
					t.Errorf("the log does not name the provider: %s", log)
				}
			})
		})
	}
}

func TestHandlers_send_a_message_of_unknown_fate_twice_at_most_and_the_same(t *testing.T) {
	t.Parallel()
	eachChannel(t, func(t *testing.T, b *bundle) {
		b.sender.answer = refuse(providers.Unknown)
		for i := range 2 {
			err := b.work()
			end := time.Now().Add(tasks.RetryDelay(0, err, nil))
			if end.Before(b.claims.until) {
				t.Errorf("the attempt after number %d comes before its claim has ended: %v", i+1, end)
			}
			if err := b.work(); !errors.Is(err, messages.ErrBusy) {
				t.Errorf("an attempt while number %d may still go on: %v", i+1, err)
			}
			time.Sleep(time.Until(end)) //nolint:forbidigo // synthetic time
		}
		if err := b.work(); next(err) != "archived" { // no provider can be asked
			t.Errorf("the third attempt: %v, want archived", err)
		}
		if err := b.work(); err != nil { // such as a duplicate
			t.Errorf("a fourth attempt: %v, want it dropped", err)
		}
		if got, want := b.sends(), []string{b.secret, b.secret}; !slices.Equal(got, want) {
			t.Errorf("sent %q, want %q", got, want)
		}
		if got := b.states(); !slices.Equal(got, []messages.State{messages.Sending, messages.Sending, messages.Failed}) {
			t.Errorf("recorded %v, want unresolved twice, then failed", got)
		}
	})
}

func TestHandlers_resend_after_a_doubt_whatever_came_before_it(t *testing.T) {
	t.Parallel()
	eachChannel(t, func(t *testing.T, b *bundle) {
		answers := []providers.Kind{providers.Temporary, providers.Unknown, providers.Temporary, providers.Unknown}
		b.sender.answer = func(ctx context.Context, n int) error { return refuse(answers[n-1])(ctx, n) }
		for i, want := range []string{"retried", "retried", "retried", "retried", "archived"} {
			err := b.work()
			if got := next(err); got != want {
				t.Fatalf("after attempt %d the task is %s, want %s: %v", i+1, got, want, err)
			}
			time.Sleep(tasks.RetryDelay(0, err, nil)) //nolint:forbidigo // synthetic time
		}
		want := []messages.State{messages.Queued, messages.Sending, messages.Queued, messages.Sending, messages.Failed}
		if got := b.states(); !slices.Equal(got, want) {
			t.Errorf("recorded %v, want %v", got, want)
		}
	})
}

func TestHandlers_send_again_what_a_killed_worker_had_but_not_what_two_had(t *testing.T) {
	t.Parallel()
	for killed, want := range []string{"done", "done", "archived", "archived"} {
		eachChannel(t, func(t *testing.T, b *bundle) {
			for range killed { // workers that claim and die
				if _, err := b.claims.Claim(t.Context(), codeID, time.Second); err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Second) //nolint:forbidigo // synthetic time
			}
			sends := 0
			if want == "done" {
				sends = 1
			}
			if err := b.work(); next(err) != want || len(b.sends()) != sends {
				t.Errorf("%v after %d workers were killed and %d sends, want %s", err, killed, len(b.sends()), want)
			}
		})
	}
}

// asker is a sender that can find out the outcome of a message.
type asker struct {
	*sender
	asked  int
	answer error // nil: a vendor has accepted it
}

func (a *asker) ResolveSMS(_ context.Context, sms providers.SMS) (providers.Receipt, error) {
	a.asked++
	if sms.Unresolved == nil {
		return providers.Receipt{}, errors.New("asked about a message without a doubt")
	}
	return providers.Receipt{Provider: "fake"}, a.answer
}

func TestSMSCodeHandler_asks_once_more_after_the_doubt_of_a_resend(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		answer error
		next   string
		state  messages.State
	}{
		{"the vendor has it", nil, "done", messages.Sent},
		{"the vendor could not deliver it", &providers.Error{Provider: "fake", Kind: providers.Rejected}, "archived", messages.Failed},
		{"no provider knows", &providers.Error{Provider: "fake", Kind: providers.Unknown}, "archived", messages.Failed},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b, metrics, observe := newBundle(t)
				b.sender.answer = refuse(providers.Unknown)
				vendor, keys := &asker{sender: b.sender, answer: test.answer}, testKeys(t)
				handler := observe(&tasks.SMSCodeHandler{
					Claims: b.claims, Sender: vendor, Keys: keys, Timeout: sendTimeout, Metrics: metrics,
				})
				task := asynq.NewTask(tasks.TypeSMSCode, smsPayload(t, keys, queued(t, codeID)))
				for _, want := range []string{"retried", "retried", test.next} {
					err := handler.ProcessTask(t.Context(), task)
					if next(err) != want {
						t.Errorf("%v, want the task %s", err, want)
					}
					time.Sleep(tasks.RetryDelay(0, err, nil)) //nolint:forbidigo // synthetic time
				}
				if err := handler.ProcessTask(t.Context(), task); err != nil {
					t.Errorf("afterwards: %v, want it dropped", err)
				}
				if got, want := b.states(), []messages.State{messages.Sending, messages.Sending, test.state}; !slices.Equal(got, want) {
					t.Errorf("recorded %v, want %v", got, want)
				}
				if sent := len(b.sender.sentSMS()); sent != 2 || vendor.asked != 1 {
					t.Errorf("sent %d times and asked %d times, want 2 and 1", sent, vendor.asked)
				}
			})
		})
	}
}

func TestSMSCodeHandler_tells_its_sender_of_a_doubt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := smsBundle(t)
		if err := b.work(); err != nil {
			t.Fatal(err)
		}
		b.claims.state = messages.Sending // as if that had not been recorded
		time.Sleep(time.Minute)           //nolint:forbidigo // synthetic time
		if err := b.work(); err != nil {
			t.Fatal(err)
		}
		sent := b.sender.sentSMS()
		if len(sent) != 2 || sent[0].Unresolved != nil || sent[1].Unresolved == nil {
			t.Errorf("sent %+v, want a doubt with the second only", sent)
		}
	})
}

func TestHandlers_pass_on_nothing_of_an_error_that_no_provider_may_return(t *testing.T) {
	t.Parallel()
	eachChannel(t, func(t *testing.T, b *bundle) {
		b.sender.answer = func(context.Context, int) error {
			return fmt.Errorf("post %s: %w", number, errors.New("lost "+b.secret))
		}
		err := b.work()
		if found := testkit.FindSecrets([]byte(fmt.Sprint(err, b.log)), number, b.secret); len(found) > 0 {
			t.Errorf("error or log hold %v", found)
		}
		if next(err) != "retried" || !slices.Equal(b.states(), []messages.State{messages.Sending}) {
			t.Errorf("an unclassified error: %v, recorded %v; want it treated as unknown", err, b.states())
		}
	})
}

func TestHandlers_drop_what_must_not_go_out_any_more(t *testing.T) {
	t.Parallel()
	for _, reason := range []string{"expired", "superseded", "used", "sent", "missing"} {
		t.Run(reason, func(t *testing.T) {
			t.Parallel()
			eachChannel(t, func(t *testing.T, b *bundle) {
				b.claims.claimErr, b.claims.reason = messages.ErrDropped, reason
				if err := b.work(); err != nil {
					t.Errorf("got %v, want the task done", err)
				}
				if got := b.sends(); len(got) > 0 {
					t.Errorf("sent %d, want none", len(got))
				}
				if text := testkit.MetricsText(t, b.registry); !strings.Contains(text, `reason="`+reason+`"} 1`) {
					t.Errorf("not counted:\n%s", text)
				}
			})
		})
	}
}

func TestHandlers_come_back_when_the_other_workers_claim_ends(t *testing.T) {
	t.Parallel()
	eachChannel(t, func(t *testing.T, b *bundle) {
		b.claims.state, b.claims.until = messages.Sending, time.Now().Add(7*time.Second)
		err := b.work()
		if next(err) != "retried" || len(b.sends()) > 0 {
			t.Fatalf("%v, sent %d; want a retry and nothing sent", err, len(b.sends()))
		}
		for range 100 {
			if d := tasks.RetryDelay(5, err, nil); d < 7*time.Second || d > 8*time.Second {
				t.Fatalf("retried after %v, want about 7s", d)
			}
		}
	})
}

func TestHandlers_send_nothing_while_the_store_is_away(t *testing.T) {
	t.Parallel()
	eachChannel(t, func(t *testing.T, b *bundle) {
		b.claims.claimErr = errors.New("store is unavailable")
		if err := b.work(); next(err) != "retried" || len(b.sends()) > 0 {
			t.Errorf("%v, sent %d; want a retry and nothing sent", err, len(b.sends()))
		}
	})
}

func TestHandlers_record_what_was_sent_once_the_store_is_back(t *testing.T) {
	t.Parallel()
	eachChannel(t, func(t *testing.T, b *bundle) {
		b.claims.recordErr, b.claims.failures = errors.New("store is unavailable"), 10
		if err := b.work(); err != nil {
			t.Errorf("got %v, want the task done", err)
		}
		if got := b.states(); !slices.Equal(got, []messages.State{messages.Sent}) {
			t.Errorf("recorded %v, want sent", got)
		}
	})
}

func TestHandlers_record_after_their_task_was_cancelled(t *testing.T) {
	t.Parallel()
	eachChannel(t, func(t *testing.T, b *bundle) {
		ctx, cancel := context.WithCancel(context.Background())
		b.sender.answer = func(context.Context, int) error { cancel(); return nil }
		if err := b.handler.ProcessTask(ctx, b.task); err != nil {
			t.Errorf("got %v, want the task done", err)
		}
		if got := b.states(); !slices.Equal(got, []messages.State{messages.Sent}) {
			t.Errorf("recorded %v, want sent", got)
		}
	})
}

func TestHandlers_neither_repeat_nor_forget_what_could_not_be_recorded(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		answer func(context.Context, int) error
		err    error
		next   string
	}{
		{name: "accepted, store unavailable", err: errors.New("store is unavailable"), next: "archived"},
		{name: "accepted, claim taken over", err: messages.ErrStale, next: "archived"},
		{name: "rejected", answer: refuse(providers.Rejected), err: errors.New("store is unavailable"), next: "archived"},
		{name: "surely not sent", answer: refuse(providers.Temporary), err: errors.New("store is unavailable"), next: "retried"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			eachChannel(t, func(t *testing.T, b *bundle) {
				start := time.Now()
				b.sender.answer, b.claims.recordErr = test.answer, test.err
				err := b.work()
				if next(err) != test.next || !errors.Is(err, test.err) {
					t.Errorf("got %v, want %s with the store's error", err, test.next)
				}
				if took := time.Since(start); took > sendTimeout+5*time.Second {
					t.Errorf("tried for %v, which is longer than the claim", took)
				}
				if errors.Is(test.err, messages.ErrStale) && b.claims.records != 1 {
					t.Errorf("recorded %d times for a claim that is lost, want once", b.claims.records)
				}
				if got := len(b.sends()); got != 1 {
					t.Errorf("sent %d times, want once", got)
				}
				if !strings.Contains(testkit.MetricsText(t, b.registry), "usher_messages_unrecorded_total{") {
					t.Error("not counted")
				}
				if log := b.log.String(); !strings.Contains(log, "outcome not recorded") {
					t.Errorf("not logged: %s", log)
				}
			})
		})
	}
}

func TestHandlers_call_no_provider_when_the_process_stood_still_after_its_claim(t *testing.T) {
	t.Parallel()
	eachChannel(t, func(t *testing.T, b *bundle) {
		b.claims.shorter = sendTimeout
		if err := b.work(); next(err) != "retried" || len(b.sends()) > 0 {
			t.Errorf("%v, sent %d; want a retry and nothing sent", err, len(b.sends()))
		}
		if got := b.claims.recorded(); len(got) != 1 || got[0].State != messages.Queued || got[0].Code != "stalled" {
			t.Errorf("recorded %+v, want queued: stalled", got)
		}
	})
}

func TestHandlers_give_a_provider_no_longer_than_the_claim_lasts(t *testing.T) {
	t.Parallel()
	eachChannel(t, func(t *testing.T, b *bundle) {
		b.claims.shorter = 3 * time.Second // stood still for that long
		b.sender.answer = func(ctx context.Context, _ int) error {
			<-ctx.Done()
			return &providers.Error{Provider: "fake", Kind: providers.Unknown, Err: ctx.Err()}
		}
		_ = b.work()
		if left := time.Until(b.claims.until); left < 3*time.Second {
			t.Errorf("the call ended %v before the claim, want time to record it", left)
		}
	})
}

func TestHandlers_give_up_what_always_panics_and_quote_nothing_of_it(t *testing.T) {
	t.Parallel()
	eachChannel(t, func(t *testing.T, b *bundle) {
		b.sender.answer = func(context.Context, int) error { panic("while sending " + b.secret + " to " + number) }
		for i, want := range []string{"retried", "retried", "archived", "done"} {
			err := b.work()
			if next(err) != want {
				t.Errorf("attempt %d: %v, want the task %s", i+1, err, want)
			}
			if found := testkit.FindSecrets([]byte(fmt.Sprint(err, b.log)), number, b.secret); len(found) > 0 {
				t.Errorf("error or log hold %v", found)
			}
			time.Sleep(tasks.RetryDelay(0, err, nil)) //nolint:forbidigo // synthetic time
		}
		if got := b.states(); !slices.Equal(got, []messages.State{messages.Sending, messages.Sending, messages.Failed}) || len(b.sends()) != 2 {
			t.Errorf("recorded %v after %d sends, want failed after two", got, len(b.sends()))
		}
		log := b.log.String()
		if !strings.Contains(log, "sender panicked") || !strings.Contains(log, "handlers_test.go") || strings.Contains(log, "0x") {
			t.Errorf("the log does not show where, or shows arguments: %s", log)
		}
	})
}

func TestObserve_archives_a_panic_and_quotes_nothing_of_it(t *testing.T) {
	t.Parallel()
	logger, log := testkit.Logger(t)
	handler := tasks.Observe(logger, tasks.NewMetrics(prometheus.NewRegistry()))(asynq.HandlerFunc(func(context.Context, *asynq.Task) error { panic("with " + number) }))
	err := handler.ProcessTask(t.Context(), asynq.NewTask("any", nil))
	if next(err) != "archived" {
		t.Errorf("got %v, want archived", err)
	}
	if found := testkit.FindSecrets([]byte(fmt.Sprint(err, log)), number); len(found) > 0 {
		t.Errorf("error or log hold %v", found)
	}
	if text := log.String(); !strings.Contains(text, "handler panicked") || !strings.Contains(text, "handlers_test.go") || strings.Contains(text, "0x") {
		t.Errorf("the log does not show where, or shows arguments: %s", text)
	}
}

func TestEmailHandler_waits_for_a_key_that_was_taken_away(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b, metrics, observe := newBundle(t)
		claimed := activation(t)
		claimed.Mail.KeyID = "gone"
		handler := observe(&tasks.EmailHandler{
			Claims: mailClaims{b.claims, claimed.Mail, claimed.Account}, Sender: b.sender, Keys: testKeys(t),
			Mails: mustMails(t), Timeout: sendTimeout, Metrics: metrics,
		})
		err := handler.ProcessTask(t.Context(), asynq.NewTask(tasks.TypeEmailActivation, []byte(`{"id":"x"}`)))
		if next(err) != "retried" || providers.KindOf(err) != providers.Misconfigured {
			t.Errorf("got %v, want a retry for a fault of the account", err)
		}
		if got := b.states(); !slices.Equal(got, []messages.State{messages.Queued}) || len(b.sender.sentMails()) > 0 {
			t.Errorf("recorded %v, sent %d", got, len(b.sender.sentMails()))
		}
	})
}

func TestEmailHandler_sends_a_notice_without_a_link(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b, metrics, observe := newBundle(t)
		claimed := emailChanged(t)
		claimed.Mail.KeyID = "gone" // nothing in a notice is signed
		handler := observe(&tasks.EmailHandler{
			Claims: mailClaims{b.claims, claimed.Mail, claimed.Account}, Sender: b.sender, Keys: testKeys(t),
			Mails: mustMails(t), Timeout: sendTimeout, Metrics: metrics,
		})
		if err := handler.ProcessTask(t.Context(), asynq.NewTask(tasks.TypeEmailNotice, []byte(`{"id":"x"}`))); err != nil {
			t.Fatal(err)
		}
		sent := b.sender.sentMails()
		if len(sent) != 1 || sent[0].To.Reveal() != "former@example.net" || strings.Contains(sent[0].Text, "token") {
			t.Errorf("sent %+v", sent)
		}
		if log := b.log.String(); !strings.Contains(log, `"to":"f***@example.net"`) {
			t.Errorf("the log does not name the receiver, masked: %s", log)
		}
	})
}
