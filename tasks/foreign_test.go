package tasks_test

import (
	"encoding/base64"
	"errors"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/prometheus/client_golang/prometheus"

	"usher/internal/testkit"
	"usher/messages"
	"usher/queue"
	"usher/secrets"
	"usher/tasks"
)

// twinKeys are other keys under the ids of [testKeys].
func twinKeys(t *testing.T) *secrets.Keys {
	t.Helper()
	keys, err := secrets.ParseKeys("k1:" + base64.StdEncoding.EncodeToString([]byte(strings.Repeat("z", 32))))
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

// Two deployments with keys of the same id share a queue: whichever worker takes a code, its own one sends it.
func TestTasks_of_another_deployment_are_left_to_its_workers(t *testing.T) {
	t.Parallel()
	client := open(t, testkit.Redis(t))
	registry := prometheus.NewRegistry()
	logger, _ := testkit.Logger(t)
	metrics := tasks.NewMetrics(registry)
	serve(t, urlOf(client), logger, newMux(logger, metrics,
		&tasks.SMSCodeHandler{Claims: &claims{}, Sender: &sender{}, Keys: twinKeys(t), Timeout: sendTimeout, Metrics: metrics}, nil))
	enqueuer := newEnqueuer(client, testKeys(t))
	const codes = 40
	for i := range codes {
		if err := enqueuer.EnqueueCode(t.Context(), queued(t, codeID+strings.Repeat("x", i))); err != nil {
			t.Fatal(err)
		}
	}
	testkit.Eventually(t, testkit.Patience, func() bool {
		info, err := newInspector(client).GetQueueInfo(queue.SMS)
		return err == nil && info.Retry == codes && info.Archived == 0
	}, "the stranger puts every code back")
	counted := regexp.MustCompile(`usher_tasks_foreign_total\{queue="sms"\} (\d+)`).FindStringSubmatch(testkit.MetricsText(t, registry))
	if counted == nil {
		t.Fatal("no code is counted as foreign")
	}
	if n, err := strconv.Atoi(counted[1]); err != nil || n < codes { // some may have been tried twice by now
		t.Errorf("%s codes are counted as foreign, want at least %d", counted[1], codes)
	}
	serve(t, urlOf(client), logger, newMux(logger, tasks.NewMetrics(prometheus.NewRegistry()),
		&tasks.SMSCodeHandler{
			Claims: &claims{}, Sender: &sender{}, Keys: testKeys(t), Timeout: sendTimeout, Metrics: tasks.NewMetrics(prometheus.NewRegistry()),
		}, nil))
	testkit.Eventually(t, testkit.Patience, func() bool {
		info, err := newInspector(client).GetQueueInfo(queue.SMS)
		return err == nil && info.Size == 0
	}, "their own worker takes every code, and none is archived")
}

func TestTask_of_an_unknown_mail_waits_a_day(t *testing.T) {
	t.Parallel()
	handler := &tasks.EmailHandler{
		Claims: mailClaims{claims: &claims{claimErr: messages.ErrNotFound}}, Sender: &sender{}, Keys: testKeys(t), Timeout: sendTimeout,
		Metrics: tasks.NewMetrics(prometheus.NewRegistry()),
	}
	run := func(age time.Duration) error {
		logger, _ := testkit.Logger(t)
		observed := tasks.Observe(logger, handler.Metrics)(handler)
		return observed.ProcessTask(t.Context(), asynq.NewTaskWithHeaders(tasks.TypeEmailNotice, []byte(`{"id":"x"}`),
			map[string]string{queue.HeaderIssuedAt: strconv.FormatInt(time.Now().Add(-age).UnixMilli(), 10)}))
	}
	if err := run(23 * time.Hour); err == nil || errors.Is(err, asynq.SkipRetry) {
		t.Errorf("after 23 hours: %v", err)
	}
	if err := run(25 * time.Hour); !errors.Is(err, asynq.SkipRetry) {
		t.Errorf("after 25 hours: %v", err)
	}
}

func TestNamespace_keeps_queues_apart(t *testing.T) {
	t.Parallel()
	for namespace, want := range map[queue.Namespace]string{"": "sms", "usher": "sms", "blue": "blue.sms"} {
		if got := namespace.Queue(queue.SMS); got != want {
			t.Errorf("%q: %s", namespace, got)
		}
		for queue, owner := range map[string]queue.Namespace{"sms": "usher", "sms-3": "usher", "blue.email": "blue", "green.email": "green"} {
			owns := namespace == owner || namespace == "" && owner == "usher"
			if namespace.Owns(queue) != owns {
				t.Errorf("%q owns %s: %v", namespace, queue, !owns)
			}
		}
	}
	if got := queue.Plain("blue.periodic-sms"); got != "periodic-sms" {
		t.Error(got)
	}
}
