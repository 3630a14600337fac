package tasks_test

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/prometheus/client_golang/prometheus"

	"usher/events"
	"usher/internal/testkit"
	"usher/queue"
	"usher/secrets"
	"usher/store/redisstore"
	"usher/tasks"
	"usher/webhooks"
)

// deliveries are due deliveries in memory. Each is claimed once.
type deliveries struct {
	mu        sync.Mutex
	due       []events.Due
	claimErr  error
	recordErr error // of the first records
	failures  int
	claimed   []events.Due
	recorded  []events.Answer
	fed       []int
	taken     int
}

func (d *deliveries) TakeBack(context.Context) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.taken++
	return nil
}

func (d *deliveries) Feed(_ context.Context, window func(string, int, bool) int) ([]events.Due, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := min(window("ep_1", 0, false), len(d.due))
	fed := d.due[:n]
	d.due = d.due[n:]
	if n > 0 {
		d.fed = append(d.fed, n)
	}
	return fed, nil
}

func (d *deliveries) Claim(_ context.Context, due events.Due, lease time.Duration) (events.Claimed, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.claimErr != nil {
		return events.Claimed{}, d.claimErr
	}
	d.claimed = append(d.claimed, due)
	return events.Claimed{
		ID: due.ID, EventID: "evt_1", EndpointID: "ep_1", URL: "https://example.com", LeaseUntil: time.Now().Add(lease), NextAt: time.Now(),
	}, nil
}

func (d *deliveries) Record(_ context.Context, _ events.Claimed, answer events.Answer) (string, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.failures > 0 {
		d.failures--
		return "", d.recordErr
	}
	d.recorded = append(d.recorded, answer)
	return "", nil
}

func (d *deliveries) answers() []events.Answer {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]events.Answer{}, d.recorded...)
}

// endpoint answers every attempt alike.
type endpoint struct {
	answer events.Answer
	sent   chan string // ids; nil: not told
}

func (e endpoint) Send(ctx context.Context, _ string, _ webhooks.Keys, id string, _ []byte) events.Answer {
	if e.sent != nil {
		e.sent <- id
	}
	if ctx.Err() != nil {
		return events.Answer{Result: events.Interrupted}
	}
	return e.answer
}

func eventTask(t *testing.T) *asynq.Task {
	t.Helper()
	return asynq.NewTask(tasks.TypeEventDeliver, readPayload(t, "event_deliver.v1.json"))
}

func TestEventHandler_works_the_payloads_of_every_release(t *testing.T) {
	t.Parallel()
	stored := &deliveries{}
	delivered := events.Answer{Result: events.Delivered, Status: 204}
	handler := &tasks.EventHandler{
		Events: stored, Sender: endpoint{answer: delivered}, Timeout: time.Second, Metrics: tasks.NewMetrics(prometheus.NewRegistry()),
	}
	if err := handler.ProcessTask(t.Context(), eventTask(t)); err != nil {
		t.Fatal(err)
	}
	want := events.Due{ID: "evt_0193a1b2c3d47e8f9a0b1c2d3e4f5061.ep_0193a1b2c3d47e8f9a0b1c2d3e4f5062", Enqueues: 2}
	if len(stored.claimed) != 1 || stored.claimed[0] != want || len(stored.recorded) != 1 || stored.recorded[0] != delivered {
		t.Errorf("claimed %+v, recorded %+v", stored.claimed, stored.recorded)
	}
}

func TestEventHandler_leaves_retries_to_the_database(t *testing.T) {
	t.Parallel()
	away := errors.New("the database is unavailable")
	for name, c := range map[string]struct {
		stored  *deliveries
		want    error
		records int
		metric  string
	}{
		"the attempt fails":          {&deliveries{}, nil, 1, `usher_events_attempts_total{result="server_error"} 1`},
		"another task has it":        {&deliveries{claimErr: events.ErrTaken}, nil, 0, `usher_events_attempts_total{result="taken"} 1`},
		"the secret has another key": {&deliveries{claimErr: secrets.ErrUnknownKey}, nil, 0, `usher_tasks_foreign_total{queue=""} 1`},
		"no claim is possible":       {&deliveries{claimErr: away}, away, 0, ""},
		"a record fails once":        {&deliveries{recordErr: away, failures: 1}, nil, 1, `usher_events_attempts_total{result="server_error"} 1`},
		"the claim is over":          {&deliveries{recordErr: events.ErrStale, failures: 1}, nil, 0, `usher_events_attempts_total{result="unrecorded"} 1`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			registry := prometheus.NewRegistry()
			handler := &tasks.EventHandler{
				Events: c.stored, Sender: endpoint{answer: events.Answer{Result: events.ServerError, Status: 500}}, Timeout: time.Second,
				Metrics: tasks.NewMetrics(registry),
			}
			if err := handler.ProcessTask(t.Context(), eventTask(t)); !errors.Is(err, c.want) {
				t.Errorf("%v, want %v", err, c.want)
			}
			if n := len(c.stored.answers()); n != c.records {
				t.Errorf("%d records, want %d", n, c.records)
			}
			if c.metric != "" {
				testkit.WantMetric(t, registry, c.metric)
			}
		})
	}
}

func TestEventHandler_gives_an_attempt_back_when_the_worker_ends(t *testing.T) {
	t.Parallel()
	stop, end := context.WithCancel(t.Context())
	stored, sent := &deliveries{}, make(chan string)
	handler := &tasks.EventHandler{
		Events: stored, Sender: endpoint{answer: events.Answer{Result: events.Delivered}, sent: sent}, Timeout: time.Minute,
		Metrics: tasks.NewMetrics(prometheus.NewRegistry()),
	}
	done := make(chan error)
	go func() {
		done <- tasks.Stoppable(t.Context(), stop)(handler).ProcessTask(context.WithoutCancel(t.Context()), eventTask(t))
	}()
	testkit.Eventually(t, testkit.Patience, func() bool {
		stored.mu.Lock()
		defer stored.mu.Unlock()
		return len(stored.claimed) == 1
	}, "the delivery is claimed")
	end()
	time.AfterFunc(50*time.Millisecond, func() { <-sent })
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if got := stored.answers(); len(got) != 1 || got[0].Result != events.Interrupted {
		t.Errorf("recorded %+v", got)
	}
}

func TestEventFeeder_enqueues_ids_and_grows_with_what_is_finished(t *testing.T) {
	t.Parallel()
	url := testkit.Redis(t)
	client := open(t, url)
	logger, _ := testkit.Logger(t)
	stored := &deliveries{}
	for i := range 40 {
		stored.due = append(stored.due, events.Due{ID: "evt_1.ep_" + string(rune('A'+i)), Enqueues: 1})
	}
	feed := func() *tasks.EventFeeder {
		return &tasks.EventFeeder{
			Events: stored, Enqueuer: newEnqueuer(client, testKeys(t)), Leaders: redisstore.New(client, testKeys(t), time.Now).Leaders(),
			Most: 16, Logger: logger,
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	var group sync.WaitGroup
	for range 2 {
		group.Go(func() { feed().Run(ctx) })
	}
	inspector := newInspector(client)
	testkit.Eventually(t, testkit.Patience, func() bool {
		info, err := inspector.GetQueueInfo(queue.Events)
		return err == nil && info.Pending == 40
	}, "every delivery has one task")
	cancel()
	group.Wait()
	if want := []int{4, 8, 16, 12}; len(stored.fed) < 4 || [4]int(stored.fed[:4]) != [4]int(want) {
		t.Errorf("fed %v, want %v: an endpoint gets more as it finishes more", stored.fed, want)
	}
	task, err := inspector.GetTaskInfo(queue.Events, "evt_1.ep_A:1")
	if err != nil {
		t.Fatal(err)
	}
	var payload map[string]any
	if err := json.Unmarshal(task.Payload, &payload); err != nil || len(payload) != 2 || payload["id"] != "evt_1.ep_A" {
		t.Errorf("payload %s, %v: want ids only", task.Payload, err)
	}
	if stored.taken == 0 {
		t.Error("lost deliveries are not taken back")
	}
}
