package tasks_test

import (
	"context"
	"errors"
	"maps"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"usher/internal/testkit"
	"usher/queue"
	"usher/store/redisstore"
	"usher/verify"
)

// composing returns a store that enqueues codes with what it stores.
func composing(t *testing.T, client redis.UniversalClient) *redisstore.Store {
	t.Helper()
	enqueuer := newEnqueuer(client, testKeys(t))
	enqueuer.Composer = queue.NewComposer(client, func() time.Duration { return 0 })
	store := redisstore.New(client, testKeys(t), time.Now)
	store.Composer = enqueuer
	if warning, err := store.ProbeAll(t.Context()); err != nil || warning != nil {
		t.Fatal(warning, err)
	}
	return store
}

// beside fails a test in which a code is enqueued by itself.
func beside(t *testing.T) verify.Queue {
	t.Helper()
	return queueFunc(func(context.Context, verify.Queued) error { t.Error("enqueued by itself"); return nil })
}

// issueOf is a new code with a message.
func issueOf(t *testing.T, id string) verify.Issue {
	t.Helper()
	subject, _ := verify.SubjectOf(id)
	message := queued(t, id)
	return verify.Issue{
		ID: id, Subject: subject, Purpose: message.Purpose, To: masked, MAC: "m", KeyID: "k1", IssuedAt: time.Now(), ExpiresAt: message.ExpiresAt,
		ResendAfter: time.Minute, MaxAttempts: 5, Message: &message,
	}
}

func TestCodes_Issue_enqueues_as_asynq_does(t *testing.T) {
	t.Parallel()
	testkit.EachRedis(t, func(t *testing.T, url string) {
		client := open(t, url)
		store := composing(t, client)
		subscription := client.Subscribe(t.Context(), "usher:wake:"+queue.SMS)
		t.Cleanup(func() { _ = subscription.Close() })
		if _, err := subscription.Receive(t.Context()); err != nil {
			t.Fatal(err)
		}
		subject := testKeys(t).Index("mobile", mustMobile(t, number).Reveal())
		issue := issueOf(t, verify.NewID(subject))
		for range 2 { // as the client repeats a command whose reply was lost
			if err := store.Codes().Issue(t.Context(), issue); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := subscription.ReceiveMessage(t.Context()); err != nil {
			t.Errorf("no notification: %v", err)
		}
		composed := taskFields(t, client, issue.ID)
		if err := client.Del(t.Context(), taskKey(issue.ID), "asynq:{sms}:pending").Err(); err != nil {
			t.Fatal(err)
		}
		if err := newEnqueuer(client, testKeys(t)).EnqueueCode(t.Context(), *issue.Message); err != nil {
			t.Fatal(err)
		}
		if asynqs := taskFields(t, client, issue.ID); !maps.Equal(composed, asynqs) {
			t.Errorf("the task has %v, Asynq's %v", composed, asynqs)
		}
	})
}

func taskKey(id string) string { return "asynq:{sms}:t:" + id }

// taskFields returns the fields of the only task of the queue, but for the seals and the times in it, which differ: the payload is
// compared by its id and headers. It checks what is around it.
func taskFields(t *testing.T, client redis.UniversalClient, id string) map[string]string {
	t.Helper()
	pending, err := client.LRange(t.Context(), "asynq:{sms}:pending", 0, -1).Result()
	if err != nil || len(pending) != 1 || pending[0] != id {
		t.Fatalf("pending: %v, %v", pending, err)
	}
	if known, err := client.SIsMember(t.Context(), "asynq:queues", queue.SMS).Result(); err != nil || !known {
		t.Errorf("Asynq does not know the queue: %v", err)
	}
	fields, err := client.HGetAll(t.Context(), taskKey(id)).Result()
	if err != nil {
		t.Fatal(err)
	}
	info, err := newInspector(client).GetTaskInfo(queue.SMS, id)
	if err != nil {
		t.Fatal(err)
	}
	fields["msg"], fields["pending_since"] = info.Type+info.Timeout.String()+info.Headers[queue.HeaderRequestID], fields["pending_since"][:5]
	return fields
}

func TestCodes_Issue_enqueues_nothing_when_it_refuses(t *testing.T) {
	t.Parallel()
	testkit.EachRedis(t, func(t *testing.T, url string) {
		client := open(t, url)
		issuer := service(t, composing(t, client), beside(t))
		request := verify.Request{To: mustMobile(t, number), Purpose: verify.Login}
		if _, err := issuer.Issue(t.Context(), request); err != nil {
			t.Fatal(err)
		}
		_, err := issuer.Issue(t.Context(), request)
		if limit, ok := errors.AsType[*verify.LimitError](err); !ok || limit.Name != verify.ResendLimit {
			t.Errorf("a second code within the pause: %v", err)
		}
		if n, err := client.LLen(t.Context(), "asynq:{sms}:pending").Result(); err != nil || n != 1 {
			t.Errorf("%d tasks, %v, want 1", n, err)
		}
	})
}

// The notification is of use only to speed. A user of Redis without a permission for channels gets codes all the same.
func TestCodes_Issue_enqueues_without_a_permission_to_notify(t *testing.T) {
	t.Parallel()
	server := testkit.RedisServer(t)
	server.Start(t)
	root := open(t, server.URL())
	store := composing(t, root)
	if err := root.Do(t.Context(), "ACL", "SETUSER", "default", "resetchannels").Err(); err != nil {
		t.Fatal(err)
	}
	if err := root.Publish(t.Context(), "usher:wake:sms", "").Err(); err == nil {
		t.Fatal("the user may publish")
	}
	if _, err := service(t, store, beside(t)).Issue(t.Context(), verify.Request{To: mustMobile(t, number), Purpose: verify.Login}); err != nil {
		t.Error(err)
	}
	if n, err := root.LLen(t.Context(), "asynq:{sms}:pending").Result(); err != nil || n != 1 {
		t.Errorf("%d tasks, %v, want 1", n, err)
	}
}

// On a cluster a code and its queue are on different nodes: the code is enqueued by itself, as before the first probe.
func TestCodes_Issue_leaves_the_task_to_its_caller_before_the_first_probe(t *testing.T) {
	t.Parallel()
	client := open(t, testkit.Redis(t))
	store, enqueued := redisstore.New(client, testKeys(t), time.Now), 0
	store.Composer = newEnqueuer(client, testKeys(t))
	issuer := service(t, store, queueFunc(func(context.Context, verify.Queued) error { enqueued++; return nil }))
	if _, err := issuer.Issue(t.Context(), verify.Request{To: mustMobile(t, number), Purpose: verify.Login}); err != nil || enqueued != 1 {
		t.Errorf("enqueued %d times, %v", enqueued, err)
	}
}
