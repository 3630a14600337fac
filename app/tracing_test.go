package app_test

import (
	"encoding/json"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"usher/internal/testkit"
	"usher/providers"
	"usher/providers/catalog"
	"usher/sandbox"
)

// spans is what was exported so far.
type spans tracetest.SpanStubs

func (all spans) named(name string) spans {
	return slices.DeleteFunc(slices.Clone(all), func(s tracetest.SpanStub) bool { return s.Name != name })
}

// wait returns the only span with the name, once it has ended.
func wait(t *testing.T, exporter *tracetest.InMemoryExporter, name string) tracetest.SpanStub {
	t.Helper()
	var found spans
	testkit.Eventually(t, testkit.Patience, func() bool {
		found = spans(exporter.GetSpans()).named(name)
		return len(found) > 0
	}, "span %s", name)
	if len(found) > 1 {
		t.Errorf("%d spans %s", len(found), name)
	}
	return found[0]
}

func text(s tracetest.SpanStub, key attribute.Key) string {
	for _, a := range s.Attributes {
		if a.Key == key {
			return a.Value.String()
		}
	}
	return ""
}

// wantLine checks that each span is the parent of the next one, and the first one has no parent.
func wantLine(t *testing.T, line ...tracetest.SpanStub) {
	t.Helper()
	if line[0].Parent.IsValid() {
		t.Errorf("%s has a parent", line[0].Name)
	}
	for i, child := range line[1:] {
		parent := line[i]
		if child.Parent.SpanID() != parent.SpanContext.SpanID() || child.SpanContext.TraceID() != parent.SpanContext.TraceID() {
			t.Errorf("%s is not a child of %s", child.Name, parent.Name)
		}
	}
}

func wantText(t *testing.T, s tracetest.SpanStub, key attribute.Key, want string) {
	t.Helper()
	if got := text(s, key); got != want || got == "" {
		t.Errorf("%s: %s = %q, want %q", s.Name, key, got, want)
	}
}

func TestTrace_of_a_sign_up_is_one_from_the_click_to_the_vendor(t *testing.T) {
	t.Parallel()
	exporter := tracetest.NewInMemoryExporter()
	d := deployTraced(t, testkit.Redis(t), testkit.SQLite(t), map[string]string{
		"USHER_REPORT_SECRET": reportSecret, "USHER_SMS_PROVIDERS": "aliyun", "USHER_LIMITS": "status_ip=off",
	}, exporter)
	if err := d.sandbox.PushReports(sandbox.ReportURLs{Aliyun: "http://" + d.api.HTTPAddr() + "/v1/reports/aliyun/" + reportSecret}); err != nil {
		t.Fatal(err)
	}
	p := d.person(t)
	id := p.AskCode("13800138000", "register")
	wantStatus(t, p, id, "delivered")

	request := wait(t, exporter, "POST /v1/sms-codes")
	publish, process := wait(t, exporter, "sms:code publish"), wait(t, exporter, "sms:code process")
	send, reported := wait(t, exporter, "aliyun send"), wait(t, exporter, "message reported")
	wantLine(t, request, publish, process, send)
	for s, kind := range map[*tracetest.SpanStub]trace.SpanKind{
		&request: trace.SpanKindServer, &publish: trace.SpanKindProducer,
		&process: trace.SpanKindConsumer, &send: trace.SpanKindClient,
	} {
		if s.SpanKind != kind {
			t.Errorf("%s is of kind %s, want %s", s.Name, s.SpanKind, kind)
		}
	}
	for _, s := range []tracetest.SpanStub{publish, process, send, reported} {
		wantText(t, s, "usher.message_id", id)
	}
	for _, s := range []tracetest.SpanStub{publish, process} {
		wantText(t, s, "usher.request_id", text(request, "usher.request_id"))
	}
	wantText(t, request, "http.response.status_code", "202")
	wantText(t, process, "usher.state", "sent")
	wantText(t, process, "usher.result", "ok")
	wantText(t, reported, "usher.state", "delivered")
	if service, _ := process.Resource.Set().Value("service.name"); service.AsString() != "usher-worker" {
		t.Errorf("the worker is called %q", service.AsString())
	}
	d.wantLogged(t, request.SpanContext.TraceID().String(), text(request, "usher.request_id"),
		"request", "message routed", "message finished")
}

// wantLogged waits for a line with each of the messages in one trace, all of them of one request.
func (d *deployment) wantLogged(t *testing.T, traceID, requestID string, messages ...string) {
	t.Helper()
	logged := func() map[string]bool {
		found := map[string]bool{}
		for line := range strings.Lines(d.log.String()) {
			var entry struct {
				Message   string `json:"msg"`
				RequestID string `json:"request_id"`
				TraceID   string `json:"trace_id"`
			}
			if json.Unmarshal([]byte(line), &entry) == nil && entry.TraceID == traceID && entry.RequestID == requestID {
				found[entry.Message] = true
			}
		}
		return found
	}
	for _, message := range messages {
		testkit.Eventually(t, testkit.Patience, func() bool { return logged()[message] }, "line %q in the trace", message)
	}
}

func (d *deployment) visit(t *testing.T, path string, header http.Header) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+d.api.HTTPAddr()+path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	if header != nil {
		request.Header = header
	}
	response, err := http.DefaultTransport.RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
}

func TestTrace_goes_with_the_mail_and_holds_no_secret(t *testing.T) {
	t.Parallel()
	exporter := tracetest.NewInMemoryExporter()
	d := deployTraced(t, testkit.Redis(t), testkit.SQLite(t), nil, exporter)
	p := d.person(t)
	journey := lilei()
	p.Walk(journey)
	wantLine(t, wait(t, exporter, "POST /v1/registrations"), wait(t, exporter, "email:activation publish"),
		wait(t, exporter, "email:activation process"), wait(t, exporter, "smtp send"))

	token := p.ReadToken(journey.Email, 1)
	for _, path := range []string{"/activate?token=" + token, "/v1/mobiles/" + journey.Mobile, "/nowhere/" + token} {
		d.visit(t, path, nil)
	}
	wait(t, exporter, "GET /v1/mobiles/:mobile")
	exported, err := json.Marshal(exporter.GetSpans())
	if err != nil {
		t.Fatal(err)
	}
	secrets := []string{
		journey.Password, journey.Mobile, journey.Email, journey.Username,
		p.ReadCode(journey.Mobile, 1), p.ReadCode(journey.Mobile, 2), token,
		d.environ["USHER_ALIYUN_ACCESS_KEY_SECRET"], d.environ["USHER_SMTP_PASSWORD"],
	}
	if found := testkit.FindSecrets(exported, secrets...); len(found) > 0 {
		t.Errorf("spans show %q", found)
	}
	for i, secret := range secrets { // the search finds what is there
		planted := tracetest.SpanStub{Attributes: []attribute.KeyValue{attribute.String("planted", secret)}}
		exported, err := json.Marshal(append(exporter.GetSpans(), planted))
		if err != nil {
			t.Fatal(err)
		}
		if len(testkit.FindSecrets(exported, secret)) == 0 {
			t.Errorf("planted secret %d is not found", i)
		}
	}
}

func TestTrace_of_a_stranger_is_linked_and_not_obeyed(t *testing.T) {
	t.Parallel()
	exporter := tracetest.NewInMemoryExporter()
	d := deployTraced(t, testkit.Miniredis(t), testkit.SQLite(t), nil, exporter)
	const strange = "4bf92f3577b34da6a3ce929d0e0e4736"
	d.visit(t, "/login", http.Header{
		"Traceparent": {"00-" + strange + "-00f067aa0ba902b7-00"}, // which says: do not sample
		"Tracestate":  {"strange=words"},
	})
	span := wait(t, exporter, "GET /login")
	if span.Parent.IsValid() || span.SpanContext.TraceID().String() == strange {
		t.Error("the stranger's trace goes on")
	}
	if len(span.Links) != 1 || span.Links[0].SpanContext.TraceID().String() != strange {
		t.Fatalf("links: %v", span.Links)
	}
	if state := span.Links[0].SpanContext.TraceState().String(); state != "" {
		t.Errorf("tracestate %q came along", state)
	}
}

// What a vendor can do and the router makes use of must not get lost with traces.
func TestTraceSMS_keeps_what_a_sender_can_do(t *testing.T) {
	t.Parallel()
	fakes := startSandbox(t)
	senders, err := catalog.SMS([]string{"aliyun", "ronglian"}, environment(t, fakes, "", ""))
	if err != nil {
		t.Fatal(err)
	}
	// These are asked of the sender itself, before it is wrapped or through Unwrap.
	asked := []string{"Pull", "Bounds", "OnReference", "CheckCredentials", "Templates", "Probe", "CheckTemplates", "CheckSigns", "Serves", "NamesProduct"}
	for _, sender := range senders {
		traced := reflect.TypeOf(providers.TraceSMS(sender, noop.NewTracerProvider().Tracer("")))
		for method := range reflect.TypeOf(sender).Methods() {
			if _, found := traced.MethodByName(method.Name); !found && !slices.Contains(asked, method.Name) {
				t.Errorf("%s loses %s", sender.Name(), method.Name)
			}
		}
	}
}
