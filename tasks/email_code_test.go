package tasks_test

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hibiken/asynq"

	"usher/contact"
	"usher/internal/testkit"
	"usher/messages"
	"usher/queue"
	"usher/secrets"
	"usher/tasks"
	"usher/verify"
)

const codeAddress = "xiaoming@example.com"

// queuedMail is a code by mail as the domain hands it to the queue.
func queuedMail(t testing.TB, id string, purpose verify.Purpose) verify.Queued {
	t.Helper()
	return verify.Queued{
		ID: id, KeyID: "k1", Purpose: purpose, To: mustEmail(t, codeAddress), Length: 8,
		ExpiresAt: time.Now().Add(10 * time.Minute), RequestID: "req-1",
	}
}

// mailPayload writes a payload by its documented names, so that it needs no queue.
func mailPayload(t testing.TB, keys *secrets.Keys, q verify.Queued) []byte {
	t.Helper()
	payload, err := json.Marshal(map[string]any{
		"id": q.ID, "key_id": q.KeyID, "purpose": q.Purpose, "to": q.To.String(), "sealed": keys.Seal(q.To.Reveal(), "email:code/"+q.ID),
		"length": q.Length, "expires_at": q.ExpiresAt.Unix(), "minutes": 10, "language": q.Language,
	})
	if err != nil {
		t.Fatal(err)
	}
	return payload
}

// codeMailBundle is a bundle of the handler of codes by mail.
func codeMailBundle(t *testing.T) *bundle {
	t.Helper()
	b, _ := newCodeMail(t, verify.Login)
	return b
}

func newCodeMail(t *testing.T, purpose verify.Purpose) (*bundle, *tasks.EmailHandler) {
	t.Helper()
	keys := testKeys(t)
	b, metrics, observe := newBundle(t)
	q := queuedMail(t, codeID, purpose)
	b.task = asynq.NewTask(tasks.TypeEmailCode, mailPayload(t, keys, q))
	b.secret = codeOf(t, keys, q)
	email := &tasks.EmailHandler{
		Codes: b.claims, Sender: b.sender, Keys: keys, Mails: mustMails(t), Timeout: sendTimeout, Metrics: metrics,
	}
	mux := asynq.NewServeMux()
	mux.Use(observe)
	tasks.Register(mux, nil, email, nil)
	b.handler = mux
	b.sends = func() (codes []string) {
		for _, mail := range b.sender.sentMails() {
			codes = append(codes, codeIn(mail.Text))
		}
		return codes
	}
	return b, email
}

// codeIn returns the code in the text of a mail: it stands on a line of its own.
func codeIn(text string) string {
	for line := range strings.Lines(text) {
		if code := strings.TrimSpace(line); len(code) == 8 && strings.Trim(code, "0123456789") == "" {
			return code
		}
	}
	return ""
}

func TestEmailHandler_sends_code_and_link_in_one_mail(t *testing.T) {
	t.Parallel()
	for _, purpose := range verify.Purposes(messages.Email) {
		b, email := newCodeMail(t, purpose)
		if err := b.work(); err != nil {
			t.Fatal(err)
		}
		mail := b.sender.sentMails()[0]
		_, rest, _ := strings.Cut(mail.Text, "https://usher.example/account/code?token=")
		token, _, _ := strings.Cut(rest, "\n")
		service := &verify.Service{Keys: email.Keys, Now: time.Now}
		link, err := service.ReadLink(token)
		if err != nil || link.ID != codeID || link.Code != b.secret || link.Purpose != purpose || link.To.Reveal() != codeAddress {
			t.Errorf("%s: the link carries %+v, %v", purpose, link, err)
		}
		if codeIn(mail.Text) != b.secret || !strings.Contains(mail.HTML, ">"+b.secret+"<") || !strings.Contains(mail.HTML, "code?token="+token) {
			t.Errorf("%s: a part lacks code or link:\n%s", purpose, mail.Text)
		}
		if mail.To.Reveal() != codeAddress || mail.MessageID != codeID+"@usher.example" {
			t.Errorf("%s: sent %s to %s", purpose, mail.MessageID, mail.To)
		}
		if found := testkit.FindSecrets([]byte(mail.Subject+b.log.String()), b.secret, token, codeAddress); len(found) > 0 {
			t.Errorf("%s: subject or log shows %v", purpose, found)
		}
	}
}

func TestEmailHandler_works_the_payloads_of_codes_of_every_release(t *testing.T) {
	t.Parallel()
	b, _ := newCodeMail(t, verify.Login)
	b.task = asynq.NewTask(tasks.TypeEmailCode, readPayload(t, "email_code.v1.json"))
	if err := b.work(); err != nil {
		t.Fatal(err)
	}
	if got := b.sender.sentMails(); len(got) != 1 || codeIn(got[0].Text) != b.secret || got[0].To.Reveal() != codeAddress {
		t.Errorf("sent %+v", got)
	}
}

func TestEnqueuer_writes_the_golden_payload_of_a_code_by_mail(t *testing.T) {
	t.Parallel()
	testkit.EachRedis(t, func(t *testing.T, url string) {
		client := open(t, url)
		q := queuedMail(t, codeID, verify.Login)
		if err := newEnqueuer(client, testKeys(t)).EnqueueCode(t.Context(), q); err != nil {
			t.Fatal(err)
		}
		info, err := newInspector(client).GetTaskInfo(queue.Email, codeID)
		if err != nil {
			t.Fatal(err)
		}
		payload := strings.Replace(string(info.Payload), strconv.FormatInt(q.ExpiresAt.Unix(), 10), "1750000000", 1)
		samePayload(t, "email_code.v1.json", []byte(payload))
		if info.Type != tasks.TypeEmailCode || info.Headers[queue.HeaderRequestID] != "req-1" {
			t.Errorf("queued %s with the headers %v", info.Type, info.Headers)
		}
		content := testkit.DumpRedis(t, client)
		if found := testkit.FindSecrets(content, codeAddress, codeOf(t, testKeys(t), q)); len(found) > 0 {
			t.Errorf("redis has %v:\n%s", found, content)
		}
	})
}

func (m *marks) HasBounced(_ context.Context, to contact.Email, typedAt time.Time) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, marked := range m.list {
		if marked == to.Reveal() {
			return typedAt.IsZero(), m.err
		}
	}
	return false, m.err
}

// Who registers or changes to an address has just typed it. Nothing else brings mails to a mailbox that does not exist.
func TestEmailHandler_sends_a_code_to_a_marked_address_only_when_it_was_typed(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		purpose verify.Purpose
		err     error
		sent    int
		reason  string
	}{
		{verify.Login, nil, 0, "bounced"},
		{verify.ResetPassword, nil, 0, "bounced"},
		{verify.Register, nil, 1, ""},
		{verify.ChangeEmail, nil, 1, ""},
		{verify.Login, errors.New("database is unavailable"), 1, ""},
	} {
		synctest.Test(t, func(t *testing.T) {
			b, email := newCodeMail(t, test.purpose)
			email.Bounces = &marks{list: []string{codeAddress}, err: test.err}
			_ = b.work()
			got := b.claims.recorded()
			if len(b.sender.sentMails()) != test.sent || len(got) != 1 || got[0].Reason != test.reason {
				t.Errorf("%s, %v: %d mails, recorded %+v", test.purpose, test.err, len(b.sender.sentMails()), got)
			}
		})
	}
}

func TestEmailHandler_leaves_codes_of_other_keys_to_other_workers(t *testing.T) {
	t.Parallel()
	b, _ := newCodeMail(t, verify.Login)
	b.task = asynq.NewTask(tasks.TypeEmailCode, []byte(strings.Replace(string(b.task.Payload()), `"sealed":"k1.`, `"sealed":"k0.`, 1)))
	if err := b.work(); next(err) != "retried" || len(b.claims.recorded()) > 0 || len(b.sender.sentMails()) > 0 {
		t.Errorf("%v, recorded %v", err, b.claims.recorded())
	}
	testkit.WantMetric(t, b.registry, `usher_tasks_total{result="retry",type="email:code"} 1`)
}

func TestEmailHandler_drops_codes_that_are_not_needed_any_more(t *testing.T) {
	t.Parallel()
	for _, reason := range []string{"expired", "used", "superseded"} {
		b, _ := newCodeMail(t, verify.Login)
		b.claims.claimErr, b.claims.reason = messages.ErrDropped, reason
		if err := b.work(); err != nil || len(b.sender.sentMails()) > 0 {
			t.Errorf("%s: %v, %d mails", reason, err, len(b.sender.sentMails()))
		}
		testkit.WantMetric(t, b.registry, `usher_messages_dropped_total{channel="email",reason="`+reason+`"} 1`)
	}
}
