package app_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"usher/internal/testkit"
	"usher/queue"
)

const opsToken = "an operator's long token"

// operate sends a request to the dashboard as the named operator.
func (d *deployment) operate(t *testing.T, name, method, path, body string) int {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, "http://"+d.api.OpsAddr()+"/queues/api/queues/"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.SetBasicAuth(name, opsToken)
	response, err := http.DefaultTransport.RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	_, _ = io.Copy(io.Discard, response.Body)
	return response.StatusCode
}

// What an operator does to a mail's task never buries the mail, and the log says who did it.
func TestDashboard_buries_no_mail_and_logs_who_changed_what(t *testing.T) {
	t.Parallel()
	url := testkit.Redis(t)
	d := deploy(t, url, testkit.SQLite(t), map[string]string{"USHER_OPS_TOKEN": opsToken, "USHER_OPS_WRITE": "true"})
	options, err := redis.ParseURL(url)
	if err != nil {
		t.Fatal(err)
	}
	client := redis.NewClient(options)
	t.Cleanup(func() { _ = client.Close() })
	inspector := asynq.NewInspectorFromRedisClient(client)

	for i, action := range []string{"pause", "pause", "resume", "resume", "pause"} {
		if got := d.operate(t, "hanmeimei", http.MethodPost, queue.Email+":"+action, ""); got != http.StatusNoContent {
			t.Errorf("%d: %s of the queue = %d, want 204", i, action, got)
		}
	}
	journey := lilei()
	p := d.person(t)
	p.Register(journey)
	var id string
	testkit.Eventually(t, testkit.Patience, func() bool {
		pending, err := inspector.ListPendingTasks(queue.Email)
		if err == nil && len(pending) == 1 {
			id = pending[0].ID
		}
		return id != ""
	}, "the mail's task waits")
	if got := d.operate(t, "hanmeimei", http.MethodPost, queue.Email+"/pending_tasks/"+id+":archive", ""); got != http.StatusNoContent {
		t.Errorf("archive = %d", got)
	}
	d.operate(t, "hanmeimei", http.MethodPost, queue.Email+"/pending_tasks:batch_delete", fmt.Sprintf(`{"task_ids":[%q]}`, "gone:0"))
	d.operate(t, "hanmeimei", http.MethodPost, queue.Email+":resume", "")
	testkit.Eventually(t, testkit.Patience, func() bool { return len(d.sandbox.Messages(journey.Email)) == 1 }, "the archived mail arrives")

	log := d.log.String()
	for _, want := range []string{
		`"action":"pause","queue":"email"`, `"action":"archive","queue":"email","tasks":"pending","task_ids":["` + id + `"]`,
		`"action":"batch_delete","queue":"email","tasks":"pending","task_ids":["gone:0"]`,
		`"by":"hanmeimei"`, "archived task of a waiting mail requeued",
	} {
		if !strings.Contains(log, want) {
			t.Errorf("the log lacks %s", want)
		}
	}
	if strings.Contains(log, opsToken) {
		t.Error("the log has the token")
	}
}

// Some managed Redis refuse MEMORY, which Asynq's inspector asks for: metrics and the operators' page work without it.
func TestMetrics_work_without_MEMORY(t *testing.T) {
	t.Parallel()
	server := testkit.RedisServer(t)
	options, err := redis.ParseURL(server.URL())
	if err != nil {
		t.Fatal(err)
	}
	admin := redis.NewClient(options)
	t.Cleanup(func() { _ = admin.Close() })
	if err := admin.Do(t.Context(), "ACL", "SETUSER", "default", "-memory").Err(); err != nil {
		t.Fatal(err)
	}
	d := deploy(t, server.URL(), testkit.SQLite(t), nil)
	d.person(t).Walk(lilei())
	for range 3 {
		_, page := d.ask(t, d.api.OpsAddr(), "/metrics")
		if !strings.Contains(page, `usher_queue_tasks{queue="sms",state="pending"} 0`) {
			t.Fatal("usher_queue_tasks has vanished")
		}
	}
	d.board(t, "Codes are accepted")
	if got := strings.Count(d.log.String(), "Redis refuses MEMORY"); got != 1 {
		t.Errorf("said %d times that MEMORY is refused, want once", got)
	}
}
