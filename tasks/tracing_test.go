package tasks_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"

	"github.com/hibiken/asynq"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"usher/internal/testkit"
	"usher/providers"
	"usher/queue"
	"usher/tasks"
)

func newTracer(t *testing.T) (trace.Tracer, *tracetest.InMemoryExporter) {
	t.Helper()
	exporter := tracetest.NewInMemoryExporter()
	return sdktrace.NewTracerProvider(sdktrace.WithSyncer(exporter)).Tracer("test"), exporter
}

// idle is a handler and a sender that does nothing, and can be compared.
type idle struct{ err error }

func (*idle) Name() string                                     { return "idle" }
func (*idle) Close() error                                     { return nil }
func (i *idle) ProcessTask(context.Context, *asynq.Task) error { return i.err }
func (i *idle) SendSMS(context.Context, providers.SMS) (providers.Receipt, error) {
	return providers.Receipt{}, i.err
}

func (i *idle) SendEmail(context.Context, providers.Email) (providers.Receipt, error) {
	return providers.Receipt{}, i.err
}

func TestTrace_without_a_tracer_leaves_everything_as_it_is(t *testing.T) {
	t.Parallel()
	i := new(idle)
	if tasks.Trace(nil)(i) != asynq.Handler(i) {
		t.Error("the handler is wrapped")
	}
	if providers.TraceSMS(i, nil) != providers.SMSSender(i) || providers.TraceEmail(i, nil) != providers.EmailSender(i) {
		t.Error("a sender is wrapped")
	}
}

func TestTrace_begins_anew_for_a_task_without_a_trace(t *testing.T) {
	t.Parallel()
	for name, headers := range map[string]map[string]string{
		"of an older release": nil,
		"with nonsense":       {queue.HeaderTrace: "00-nonsense"},
		"with zeros":          {queue.HeaderTrace: "00-00000000000000000000000000000000-0000000000000000-01"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tracer, exporter := newTracer(t)
			task := asynq.NewTaskWithHeaders(tasks.TypeSMSCode, nil, headers)
			if err := tasks.Trace(tracer)(new(idle)).ProcessTask(t.Context(), task); err != nil {
				t.Fatal(err)
			}
			spans := exporter.GetSpans()
			if len(spans) != 1 || spans[0].Parent.IsValid() || !spans[0].SpanContext.IsSampled() {
				t.Errorf("spans: %+v", spans)
			}
		})
	}
}

func TestTrace_says_how_it_failed_and_quotes_nothing(t *testing.T) {
	t.Parallel()
	const number = "13800138000"
	refusal := &providers.Error{
		Provider: "idle", Kind: providers.Rejected, Code: "isv.BAD", Err: errors.New("bad number " + number),
	}
	tracer, exporter := newTracer(t)
	send := providers.TraceSMS(&idle{refusal}, tracer)
	handler := asynq.HandlerFunc(func(ctx context.Context, _ *asynq.Task) error {
		_, err := send.SendSMS(ctx, providers.SMS{ID: "m1", Code: number, Attempt: 1})
		return errors.Join(err, asynq.SkipRetry)
	})
	if err := tasks.Trace(tracer)(handler).ProcessTask(t.Context(), asynq.NewTask(tasks.TypeSMSCode, nil)); err == nil {
		t.Fatal("the error is lost")
	}
	want := map[string]map[string]string{
		"idle send":        {"usher.kind": "rejected", "usher.code": "isv.BAD", "status": "rejected"},
		"sms:code process": {"usher.result": "archived", "usher.reason": "rejected", "status": "archived"},
	}
	for _, span := range exporter.GetSpans() {
		got := map[string]string{"status": span.Status.Description}
		for _, a := range span.Attributes {
			got[string(a.Key)] = a.Value.String()
		}
		for key, value := range want[span.Name] {
			if got[key] != value {
				t.Errorf("%s: %s = %q, want %q", span.Name, key, got[key], value)
			}
		}
		delete(want, span.Name)
	}
	if len(want) > 0 {
		t.Errorf("spans that are missing: %v", want)
	}
	exported, err := json.Marshal(exporter.GetSpans())
	if err != nil {
		t.Fatal(err)
	}
	if found := testkit.FindSecrets(exported, number); len(found) > 0 {
		t.Errorf("spans show %q", found)
	}
}
