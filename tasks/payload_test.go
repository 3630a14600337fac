package tasks_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hibiken/asynq"
	"github.com/prometheus/client_golang/prometheus"

	"usher/accounts"
	"usher/brand"
	"usher/internal/testkit"
	"usher/messages"
	"usher/providers"
	"usher/queue"
	"usher/secrets"
	"usher/tasks"
	"usher/verify"
)

// readPayload reads a payload as an older release has queued it. These files are never written again.
func readPayload(t testing.TB, name string) []byte {
	t.Helper()
	payload, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return payload
}

// goldenCode is the code of sms_code.v1.json.
func goldenCode(t testing.TB) string {
	t.Helper()
	return codeOf(t, testKeys(t), queued(t, codeID))
}

func TestSMSCodeHandler_works_the_payloads_of_every_release(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"sms_code.v1.json"} {
		to := &sender{}
		handler := &tasks.SMSCodeHandler{
			Claims: &claims{state: messages.Queued}, Sender: to, Keys: testKeys(t), Timeout: sendTimeout,
			Metrics: tasks.NewMetrics(prometheus.NewRegistry()),
		}
		if err := handler.ProcessTask(t.Context(), asynq.NewTask(tasks.TypeSMSCode, readPayload(t, name))); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		got := to.sentSMS()[0]
		if got.To.Reveal() != number || got.Code != "796025" || got.ID != codeID || got.Attempt != 1 {
			t.Errorf("%s: sent %+v to %s", name, got, got.To.Reveal())
		}
	}
}

func TestSMSCodeHandler_sends_codes_of_the_payloads_alphabet(t *testing.T) {
	t.Parallel()
	golden := string(readPayload(t, "sms_code.v1.json"))
	for alphabet, sends := range map[string]bool{"digits": true, "alphanumeric": true, "emoji": false} {
		to := &sender{}
		handler := &tasks.SMSCodeHandler{
			Claims: &claims{state: messages.Queued}, Sender: to, Keys: testKeys(t), Timeout: sendTimeout,
			Metrics: tasks.NewMetrics(prometheus.NewRegistry()),
		}
		payload := strings.Replace(golden, "{", `{"alphabet":"`+alphabet+`",`, 1)
		err := handler.ProcessTask(t.Context(), asynq.NewTask(tasks.TypeSMSCode, []byte(payload)))
		if !sends {
			if err == nil || len(to.sentSMS()) > 0 {
				t.Errorf("%s: sent %d messages, %v", alphabet, len(to.sentSMS()), err)
			}
			continue
		}
		q := queued(t, codeID)
		q.Alphabet = secrets.Alphabet(alphabet)
		if got := to.sentSMS()[0].Code; err != nil || got != codeOf(t, testKeys(t), q) {
			t.Errorf("%s: sent %q, %v", alphabet, got, err)
		}
	}
}

func TestSMSCodeHandler_names_the_product_in_the_persons_language(t *testing.T) {
	t.Parallel()
	face, err := brand.Load(fstest.MapFS{"brand.json": &fstest.MapFile{Data: []byte(`{"name": {"zh": "示例商城", "en": "Example Shop"}}`)}})
	if err != nil {
		t.Fatal(err)
	}
	golden := string(readPayload(t, "sms_code.v1.json"))
	for _, c := range []struct {
		face           *brand.Brand
		language, want string
	}{{face, "zh", "示例商城"}, {face, "en", "Example Shop"}, {face, "", "示例商城"}, {nil, "en", ""}} {
		to := &sender{}
		handler := &tasks.SMSCodeHandler{
			Claims: &claims{state: messages.Queued}, Sender: to, Keys: testKeys(t), Timeout: sendTimeout, Brand: c.face,
			Metrics: tasks.NewMetrics(prometheus.NewRegistry()),
		}
		payload := strings.Replace(golden, "{", `{"language":"`+c.language+`",`, 1)
		err := handler.ProcessTask(t.Context(), asynq.NewTask(tasks.TypeSMSCode, []byte(payload)))
		if got := to.sentSMS(); err != nil || len(got) != 1 || got[0].Product != c.want {
			t.Errorf("language %q: got %+v, %v, want %q", c.language, got, err, c.want)
		}
	}
}

func TestEmailHandler_works_the_payloads_of_every_release(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		typename string
		mail     accounts.ClaimedMail
		to       string
	}{
		"email_activation.v1.json": {tasks.TypeEmailActivation, activation(t), "xiaoming@example.com"},
		"email_notice.v1.json":     {tasks.TypeEmailNotice, emailChanged(t), "former@example.net"},
	} {
		to, claimed := &sender{}, c.mail
		handler := &tasks.EmailHandler{
			Claims: mailClaims{&claims{state: messages.Queued}, claimed.Mail, claimed.Account},
			Sender: to, Keys: testKeys(t), Mails: mustMails(t), Timeout: sendTimeout,
			Metrics: tasks.NewMetrics(prometheus.NewRegistry()),
		}
		if err := handler.ProcessTask(t.Context(), asynq.NewTask(c.typename, readPayload(t, name))); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got := to.sentMails(); len(got) != 1 || got[0].To.Reveal() != c.to {
			t.Errorf("%s: sent %+v", name, got)
		}
	}
}

func TestEnqueuer_writes_the_golden_payloads(t *testing.T) {
	t.Parallel()
	testkit.EachRedis(t, func(t *testing.T, url string) {
		client := open(t, url)
		enqueuer, inspector := newEnqueuer(client, testKeys(t)), newInspector(client)

		q := queued(t, codeID)
		q.ExpiresAt, q.Alphabet = time.Unix(1750000000, 999), secrets.Digits
		if err := enqueuer.EnqueueCode(t.Context(), q); err != nil {
			t.Fatal(err)
		}
		info, err := inspector.GetTaskInfo(queue.SMS, codeID)
		if err != nil {
			t.Fatal(err)
		}
		samePayload(t, "sms_code.v1.json", info.Payload)
		inEnglish := queued(t, codeID+"2")
		inEnglish.ExpiresAt, inEnglish.Language, inEnglish.Alphabet = q.ExpiresAt, "en", secrets.Alphanumeric
		if err := enqueuer.EnqueueCode(t.Context(), inEnglish); err != nil {
			t.Fatal(err)
		}
		english, err := inspector.GetTaskInfo(queue.SMS, inEnglish.ID)
		if err != nil || !strings.Contains(string(english.Payload), `"language":"en"`) ||
			!strings.Contains(string(english.Payload), `"alphabet":"alphanumeric"`) {
			t.Errorf("the language or the alphabet is not queued: %s, %v", english.Payload, err)
		}
		if got := info.Headers[queue.HeaderRequestID]; got != "req-1" {
			t.Errorf("request id %q travels, want req-1", got)
		}

		for i, mail := range []struct {
			purpose        accounts.MailPurpose
			typename, file string
		}{
			{"", tasks.TypeEmailActivation, "email_activation.v1.json"},
			{accounts.MailActivation, tasks.TypeEmailActivation, "email_activation.v1.json"},
			{accounts.MailPasswordChanged, tasks.TypeEmailNotice, "email_notice.v1.json"},
			{accounts.MailEmailChanged, tasks.TypeEmailNotice, "email_notice.v1.json"},
		} {
			due := accounts.DueMail{
				Mail: accounts.Mail{ID: mailID, Purpose: mail.purpose, RequestID: "req-2"}, Enqueues: i,
			}
			if err := enqueuer.EnqueueDue(t.Context(), due); err != nil {
				t.Fatal(err)
			}
			info, err = inspector.GetTaskInfo(queue.Email, fmt.Sprintf("%s:%d", mailID, i))
			if err != nil {
				t.Fatal(err)
			}
			samePayload(t, mail.file, info.Payload)
			if info.Type != mail.typename {
				t.Errorf("a mail about %q travels as %s, want %s", mail.purpose, info.Type, mail.typename)
			}
			if got := info.Headers[queue.HeaderRequestID]; got != "req-2" {
				t.Errorf("request id %q travels, want req-2", got)
			}
		}
	})
}

// samePayload compares all but the seal, which is random.
func samePayload(t *testing.T, name string, payload []byte) {
	t.Helper()
	var want, got map[string]any
	if err := errors.Join(json.Unmarshal(readPayload(t, name), &want), json.Unmarshal(payload, &got)); err != nil {
		t.Fatal(err)
	}
	for _, fields := range []map[string]any{want, got} {
		if sealed, ok := fields["sealed"].(string); ok && strings.HasPrefix(sealed, "k1.") {
			fields["sealed"] = "a seal of k1"
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

func TestEnqueuer_leaves_neither_number_nor_code_in_redis(t *testing.T) {
	t.Parallel()
	testkit.EachRedis(t, func(t *testing.T, url string) {
		client := open(t, url)
		if err := newEnqueuer(client, testKeys(t)).EnqueueCode(t.Context(), queued(t, codeID)); err != nil {
			t.Fatal(err)
		}
		content := testkit.DumpRedis(t, client)
		if found := testkit.FindSecrets(content, number, goldenCode(t)); len(found) > 0 {
			t.Errorf("redis holds %v:\n%s", found, content)
		}
		if len(testkit.FindSecrets(content, masked)) == 0 {
			t.Errorf("the search does not even find the masked number:\n%s", content)
		}
	})
}

func TestHandlers_archive_what_they_cannot_read_and_go_on(t *testing.T) {
	t.Parallel()
	keys := testKeys(t)
	q := queued(t, codeID)
	good := string(smsPayload(t, keys, q))
	over := q // what other keys may open is left to other workers, but not for ever
	over.ExpiresAt = time.Now().Add(-2 * time.Hour)
	moved := strings.Replace(string(smsPayload(t, keys, over)), codeID, "another-id", 1)
	stranger := strings.Replace(string(smsPayload(t, keys, over)), `"sealed":"k1.`, `"sealed":"k0.`, 1)
	longer := strings.Replace(good, `"length":6`, `"length":9`, 1)

	client := open(t, testkit.Redis(t))
	bad := map[string]struct{ typename, payload, text string }{
		"empty":           {tasks.TypeSMSCode, ``, "not the JSON"},
		"no-json":         {tasks.TypeSMSCode, `\x00` + number, "not the JSON"},
		"other-json":      {tasks.TypeSMSCode, `[` + number + `]`, "not the JSON"},
		"number-as-id":    {tasks.TypeSMSCode, `{"id":` + number + `}`, "not the JSON"},
		"null":            {tasks.TypeSMSCode, `null`, "lacks a field"},
		"no-seal":         {tasks.TypeSMSCode, `{"id":"x"}`, "lacks a field"},
		"too-long-a-code": {tasks.TypeSMSCode, longer, "lacks a field"},
		"moved-seal":      {tasks.TypeSMSCode, moved, "not made with the configured keys"},
		"unknown-key":     {tasks.TypeSMSCode, stranger, "key that is not configured"},
		"prefixed-type":   {tasks.TypeSMSCode + "_resend", strings.Replace(moved, "another-id", "", 1), "lacks a field"},
		"mail-no-id":      {tasks.TypeEmailActivation, `{"id":""}`, "lacks a field"},
		"mail-no-json":    {tasks.TypeEmailActivation, `<mail>`, "not the JSON"},
		"notice-no-id":    {tasks.TypeEmailNotice, `{"id":""}`, "lacks a field"},
	}
	queueOf := func(typename string) string { channel, _, _ := strings.Cut(typename, ":"); return channel }
	asynqClient := asynq.NewClientFromRedisClient(client)
	for id, task := range bad {
		if _, err := asynqClient.Enqueue(asynq.NewTask(task.typename, []byte(task.payload)),
			asynq.Queue(queueOf(task.typename)), asynq.TaskID(id)); err != nil {
			t.Fatal(err)
		}
	}
	if err := newEnqueuer(client, keys).EnqueueCode(t.Context(), q); err != nil {
		t.Fatal(err)
	}

	to, registry := &sender{}, prometheus.NewRegistry()
	logger, log := testkit.Logger(t)
	metrics := tasks.NewMetrics(registry)
	serve(t, urlOf(client), logger, newMux(logger, metrics,
		&tasks.SMSCodeHandler{Claims: &claims{}, Sender: to, Keys: keys, Timeout: sendTimeout, Metrics: metrics},
		&tasks.EmailHandler{Claims: mailClaims{claims: &claims{}}, Sender: to, Keys: keys, Metrics: metrics},
	))
	inspector := newInspector(client)
	for id, task := range bad {
		testkit.Eventually(t, testkit.Patience, func() bool {
			info, err := inspector.GetTaskInfo(queueOf(task.typename), id)
			return err == nil && info.State == asynq.TaskStateArchived && strings.Contains(info.LastErr, task.text)
		}, "%s is archived with an error like %q", id, task.text)
	}
	testkit.Eventually(t, testkit.Patience, func() bool { return len(to.sentSMS()) == 1 }, "the good task is worked")
	testkit.WantMetric(t, registry, `usher_tasks_total{result="undecodable",type="sms:code"} 9`)
	testkit.WantMetric(t, registry, `usher_tasks_total{result="undecodable",type="email:activation"} 2`)
	testkit.WantMetric(t, registry, `usher_tasks_total{result="undecodable",type="email:notice"} 1`)
	if found := testkit.FindSecrets(log.Bytes(), number); len(found) > 0 {
		t.Errorf("the log holds %v", found)
	}
}

func TestRegister_lists_every_type_and_none_begins_with_another(t *testing.T) {
	t.Parallel()
	mux := asynq.NewServeMux()
	tasks.Register(mux, &tasks.SMSCodeHandler{}, &tasks.EmailHandler{Codes: &claims{}}, &tasks.EventHandler{})
	types := tasks.Types()
	for i, a := range types {
		if _, pattern := mux.Handler(asynq.NewTask(a, nil)); pattern != a {
			t.Errorf("%s is worked by the handler of %q", a, pattern)
		}
		for j, b := range types {
			if i != j && strings.HasPrefix(a, b) {
				t.Errorf("%s begins with %s: the mux would confuse them", a, b)
			}
		}
	}
}

func TestRegister_leaves_a_channel_without_handler_to_others(t *testing.T) {
	t.Parallel()
	mux := newMux(nil, nil, nil, nil)
	for _, typename := range tasks.Types() {
		if _, pattern := mux.Handler(asynq.NewTask(typename, nil)); pattern != "" {
			t.Errorf("%s has a handler", typename)
		}
	}
}

func TestPurposes_can_all_have_a_template_of_their_own(t *testing.T) {
	t.Parallel()
	var issued []string
	for _, purpose := range verify.Purposes(messages.SMS) {
		issued = append(issued, string(purpose))
	}
	if templates := providers.Purposes(); !slices.Equal(issued, templates) {
		t.Errorf("codes are issued for %v, vendors can have templates for %v", issued, templates)
	}
}
