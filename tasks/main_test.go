package tasks_test

import (
	"encoding/base64"
	"encoding/json"
	"log/slog"
	"net/url"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"usher/contact"
	"usher/internal/testkit"
	"usher/queue"
	"usher/secrets"
	"usher/store/redisconn"
	"usher/tasks"
	"usher/verify"
)

func TestMain(m *testing.M) { testkit.MainNoLeaks(m) }

const (
	number = "13912345678"
	masked = "139****5678"
	codeID = "c3ViamVjdHN1YmplY3RzdWJqZcmFuZG9tcmFuZG9tcmE"
	mailID = "0198c0de-7a11-7000-8000-00000000cafe"

	sendTimeout = 8 * time.Second
	patience    = 30 * time.Second // more than a claim or a time-out of Redis lasts
)

// testKeys are those that sealed the golden payloads.
func testKeys(t testing.TB) *secrets.Keys {
	t.Helper()
	raw := base64.StdEncoding.EncodeToString([]byte("32 bytes that seal the payloads!"))
	keys, err := secrets.ParseKeys("k1:" + raw)
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

func mustMobile(t testing.TB, s string) contact.Mobile {
	t.Helper()
	mobile, err := contact.ParseMobile(s)
	if err != nil {
		t.Fatal(err)
	}
	return mobile
}

func mustEmail(t testing.TB, s string) contact.Email {
	t.Helper()
	email, err := contact.ParseEmail(s)
	if err != nil {
		t.Fatal(err)
	}
	return email
}

func mustMails(t testing.TB) *tasks.Mails {
	t.Helper()
	public, err := url.Parse("https://usher.example/account")
	if err != nil {
		t.Fatal(err)
	}
	mails, err := tasks.NewMails(public, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	return mails
}

// queued is a code as the domain hands it to the queue.
func queued(t testing.TB, id string) verify.Queued {
	t.Helper()
	return verify.Queued{
		ID: id, KeyID: "k1", Purpose: verify.Login, To: mustMobile(t, number), Length: 6,
		ExpiresAt: time.Now().Add(5 * time.Minute), RequestID: "req-1",
	}
}

// codeOf is what the handler must derive for the code.
func codeOf(t testing.TB, keys *secrets.Keys, q verify.Queued) string {
	t.Helper()
	code, err := keys.Code(q.Derivation())
	if err != nil {
		t.Fatal(err)
	}
	return code
}

// smsPayload writes a payload by its documented names, so that it needs no queue.
func smsPayload(t testing.TB, keys *secrets.Keys, q verify.Queued) []byte {
	t.Helper()
	sealed := keys.Seal(q.To.Reveal(), "sms:code/"+q.ID)
	payload, err := json.Marshal(map[string]any{
		"id": q.ID, "key_id": q.KeyID, "purpose": q.Purpose, "to": q.To.String(), "sealed": sealed,
		"length": q.Length, "expires_at": q.ExpiresAt.Unix(), "language": q.Language,
	})
	if err != nil {
		t.Fatal(err)
	}
	return payload
}

// open returns a client like production's.
func open(t testing.TB, url string) redis.UniversalClient {
	t.Helper()
	client, err := redisconn.Open(url, redisconn.Settings{Timeout: testkit.RedisPatience})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return client
}

func newEnqueuer(client redis.UniversalClient, keys *secrets.Keys) *tasks.Enqueuer {
	return &tasks.Enqueuer{Client: asynq.NewClientFromRedisClient(client), Keys: keys}
}

func newInspector(client redis.UniversalClient) *asynq.Inspector {
	return asynq.NewInspectorFromRedisClient(client)
}

// serve works tasks until the test's end. Every server has its own client, as in production.
func serve(t testing.TB, url string, logger *slog.Logger, handler asynq.Handler, hooks ...redis.Hook) {
	t.Helper()
	client := open(t, url)
	for _, hook := range hooks {
		client.AddHook(hook)
	}
	server := asynq.NewServerFromRedisClient(client, asynq.Config{
		Concurrency:              8,
		Queues:                   map[string]int{queue.SMS: 1, queue.Email: 1},
		TaskCheckInterval:        10 * time.Millisecond,
		DelayedTaskCheckInterval: 50 * time.Millisecond,
		RetryDelayFunc:           tasks.RetryDelay,
		ShutdownTimeout:          time.Second,
		Logger:                   queue.Logger{Log: logger},
	})
	if err := server.Start(handler); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Shutdown)
}

// serveQueue works the SMS queue as a production worker does.
func serveQueue(t testing.TB, url string, logger *slog.Logger, handler asynq.Handler) *queue.Consumer {
	t.Helper()
	consumer := queue.NewConsumer(open(t, url), queue.ConsumerSettings{
		Queue: queue.SMS, Loops: 1, Concurrency: 50, Idle: 250 * time.Millisecond, Grace: time.Second,
		Offset: func() time.Duration { return 0 }, RetryDelay: tasks.RetryDelay, IsFailure: tasks.IsFailure, Logger: logger,
	})
	if err := consumer.Start(handler); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { consumer.Drain(); consumer.Shutdown() })
	return consumer
}

// newMux registers what is not nil, behind the middleware.
func newMux(
	logger *slog.Logger, metrics *tasks.Metrics, sms *tasks.SMSCodeHandler, email *tasks.EmailHandler,
) *asynq.ServeMux {
	mux := asynq.NewServeMux()
	mux.Use(tasks.Observe(logger, metrics))
	tasks.Register(mux, sms, email, nil)
	return mux
}
