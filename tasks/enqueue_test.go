package tasks_test

import (
	"context"
	"errors"
	"syscall"
	"testing"
	"time"

	"usher/accounts"
	"usher/internal/testkit"
	"usher/queue"
	"usher/store/redisconn"
	"usher/tasks"
)

func TestEnqueuer_puts_a_task_there_once(t *testing.T) {
	t.Parallel()
	testkit.EachRedis(t, func(t *testing.T, url string) {
		client := open(t, url)
		enqueuer := newEnqueuer(client, testKeys(t))
		mail := accounts.Mail{ID: mailID}
		for range 3 {
			if err := enqueuer.EnqueueCode(t.Context(), queued(t, codeID)); err != nil {
				t.Error(err)
			}
			if err := enqueuer.EnqueueMail(t.Context(), mail); err != nil {
				t.Error(err)
			}
		}
		for _, queue := range []string{queue.SMS, queue.Email} {
			info, err := newInspector(client).GetQueueInfo(queue)
			if err != nil {
				t.Fatal(err)
			}
			if info.Pending != 1 || info.Size != 1 {
				t.Errorf("%s holds %d tasks, want 1", queue, info.Size)
			}
		}
		// A dead task that still has the name must not keep a mail from another one.
		if err := enqueuer.EnqueueDue(t.Context(), accounts.DueMail{Mail: mail, Enqueues: 1}); err != nil {
			t.Error(err)
		}
		if info, err := newInspector(client).GetQueueInfo(queue.Email); err != nil || info.Pending != 2 {
			t.Errorf("a further task of a mail was not made: %v, %v", info, err)
		}
	})
}

func TestEnqueuer_lets_the_lifetime_of_a_mail_end_its_retries(t *testing.T) {
	t.Parallel()
	client := open(t, testkit.Redis(t))
	if err := newEnqueuer(client, testKeys(t)).EnqueueMail(t.Context(), accounts.Mail{ID: mailID}); err != nil {
		t.Fatal(err)
	}
	info, err := newInspector(client).GetTaskInfo(queue.Email, mailID+":0")
	if err != nil {
		t.Fatal(err)
	}
	var waited time.Duration
	for retried := range info.MaxRetry {
		waited += tasks.RetryDelay(retried, errors.New("refused"), nil)
	}
	if waited < 3*24*time.Hour {
		t.Errorf("the retries are used up after %v", waited)
	}
}

func TestEnqueuer_fails_soon_when_redis_is_away(t *testing.T) {
	t.Parallel()
	for name, stop := range map[string]func(*testkit.Server){
		"stopped": (*testkit.Server).Stop,
		"frozen":  func(s *testkit.Server) { _ = syscall.Kill(s.Pid(), syscall.SIGSTOP) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := testkit.RedisServer(t)
			client, err := redisconn.Open(server.URL(), redisconn.Settings{})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = client.Close() })
			enqueuer := newEnqueuer(client, testKeys(t))
			if err := enqueuer.EnqueueCode(t.Context(), queued(t, codeID)); err != nil {
				t.Fatal(err)
			}
			stop(server)

			patient, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			if err := enqueuer.EnqueueCode(patient, queued(t, codeID)); err == nil || patient.Err() != nil {
				t.Errorf("got %v after all of %v, want an error by itself", err, patience)
			}

			hasty, cancel := context.WithCancel(t.Context())
			cancel()
			if err := enqueuer.EnqueueCode(hasty, queued(t, codeID)); !errors.Is(err, context.Canceled) {
				t.Errorf("a request that went away: %v, want %v", err, context.Canceled)
			}
		})
	}
}

func TestEnqueuer_gives_up_at_the_callers_deadline(t *testing.T) {
	t.Parallel()
	server := testkit.RedisServer(t)
	enqueuer := newEnqueuer(open(t, server.URL()), testKeys(t))
	if err := enqueuer.EnqueueCode(t.Context(), queued(t, codeID)); err != nil {
		t.Fatal(err)
	}
	_ = syscall.Kill(server.Pid(), syscall.SIGSTOP)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := enqueuer.EnqueueCode(ctx, queued(t, codeID)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want %v", err, context.DeadlineExceeded)
	}
}

func TestSMSQueues_share_codes_evenly_and_keep_the_first_name(t *testing.T) {
	t.Parallel()
	url := testkit.Redis(t)
	client := open(t, url)
	enqueuer := newEnqueuer(client, testKeys(t))
	enqueuer.SMSShards = 4
	const codes = 400
	for i := range codes {
		if err := enqueuer.EnqueueCode(t.Context(), queued(t, "code-"+string(rune('A'+i%26))+string(rune('a'+i/26)))); err != nil {
			t.Fatal(err)
		}
	}
	queues := queue.Namespace("").SMSQueues(4)
	if len(queues) != 4 || queues[0] != queue.SMS {
		t.Fatalf("queues = %q", queues)
	}
	for _, name := range queues {
		info, err := newInspector(client).GetQueueInfo(name)
		if err != nil || info.Pending < codes/8 {
			t.Errorf("queue %s = %+v, %v, want about %d codes", name, info, err, codes/4)
		}
	}
}
