package app_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"usher/internal/testkit"
	"usher/queue"
	"usher/tasks"
)

// board waits until the operators' page shows all texts.
func (d *deployment) board(t *testing.T, wants ...string) string {
	t.Helper()
	var page string
	for _, want := range wants {
		testkit.Eventually(t, testkit.Patience, func() bool { // the page remembers for five seconds
			_, page = d.ask(t, d.api.OpsAddr(), "/ops?lang=en&range=15m")
			return strings.Contains(page, want)
		}, "the page shows %s", want)
	}
	return page
}

func TestBoard_tells_of_a_deployment_what_happened(t *testing.T) {
	t.Parallel()
	server := testkit.RedisServer(t)
	d := deploy(t, server.URL(), testkit.Postgres(t), map[string]string{
		"USHER_SMS_BUDGET_YUAN": "100", "USHER_SMS_PRICE_YUAN": "0.05", "USHER_SMS_SHARDS": "2",
	})
	d.person(t).Walk(lilei())
	d.askCode(t, "13812990005") // on a blacklist
	page := d.board(t, "isv.BLACK_KEY_CONTROL_LIMIT", "of 2,000 in 24 h", "aliyun closed",
		`<rect class="used"`, "smtp", "Codes are accepted")
	for _, lack := range []string{"13812990005", lilei().Mobile, lilei().Email, "Currently unavailable", "Events to your services"} {
		if strings.Contains(page, lack) {
			t.Errorf("the page shows %q", lack)
		}
	}

	server.Kill()
	d.board(t, "Redis does not answer", "Currently unavailable:", "isv.BLACK_KEY_CONTROL_LIMIT")
	server.Start(t)
	d.board(t, "aliyun closed")
	if page := d.board(t, "isv.BLACK_KEY_CONTROL_LIMIT"); strings.Contains(page, "Redis does not answer") {
		t.Error("the page does not notice that Redis is back")
	}
}

// Whatever is on the queues, also what we did not put there, the dashboard shows no number.
func TestQueues_show_no_number(t *testing.T) {
	t.Parallel()
	url := testkit.Redis(t)
	d := deploy(t, url, testkit.SQLite(t), nil)
	const number = "13912345678"
	options, err := redis.ParseURL(url)
	if err != nil {
		t.Fatal(err)
	}
	client := redis.NewClient(options)
	t.Cleanup(func() { _ = client.Close() })
	enqueuer, inspector := asynq.NewClientFromRedisClient(client), asynq.NewInspectorFromRedisClient(client)
	for i, payload := range []string{
		number, `{"id":` + number + `}`, `{"id":"x","mobile":"` + number + `"}`, `{"sealed":"` + number + `"}`, `["` + number + `"]`,
	} {
		for state, option := range map[string]asynq.Option{"now": asynq.MaxRetry(1), "later": asynq.ProcessIn(time.Hour)} {
			task := asynq.NewTask(tasks.TypeSMSCode, []byte(payload))
			if _, err := enqueuer.Enqueue(task, asynq.Queue(queue.SMS), asynq.TaskID(fmt.Sprint(state, i)), option); err != nil {
				t.Fatal(err)
			}
		}
	}
	testkit.Eventually(t, testkit.Patience, func() bool {
		info, err := inspector.GetQueueInfo(queue.SMS)
		return err == nil && info.Archived == 5 && info.Scheduled == 5
	}, "what does not decode is archived")

	var all strings.Builder
	paths := []string{"/queues/api/servers", "/queues/api/scheduler_entries", "/queues/api/queues", "/queues/api/queues/sms"}
	for _, state := range []string{"active", "pending", "scheduled", "retry", "archived", "completed"} {
		paths = append(paths, "/queues/api/queues/sms/"+state+"_tasks")
	}
	for i := range 5 {
		paths = append(paths, fmt.Sprintf("/queues/api/queues/sms/tasks/now%d", i), fmt.Sprintf("/queues/api/queues/sms/tasks/later%d", i))
	}
	for _, path := range paths {
		status, body := d.ask(t, d.api.OpsAddr(), path)
		if status != http.StatusOK {
			t.Errorf("%s = %d %.200s", path, status, body)
		}
		all.WriteString(body)
	}
	if !strings.Contains(all.String(), "payload does not decode") {
		t.Error("the lists show no error")
	}
	if found := testkit.FindSecrets([]byte(all.String()), number); len(found) > 0 {
		t.Errorf("the dashboard shows a number: %v", found)
	}
	if found := testkit.FindSecrets([]byte(d.log.String()), number); len(found) > 0 {
		t.Errorf("the log shows a number: %v", found)
	}
}

func TestQueues_tell_of_any_redis(t *testing.T) {
	t.Parallel()
	testkit.EachRedis(t, func(t *testing.T, url string) {
		t.Helper()
		d := deployAPI(t, map[string]string{"USHER_REDIS_URL": url})
		status, body := d.ask(t, d.api.OpsAddr(), "/queues/api/redis_info")
		var answer struct {
			Address string `json:"address"`
			Info    string `json:"raw_info"`
		}
		if err := json.Unmarshal([]byte(body), &answer); err != nil || status != http.StatusOK {
			t.Fatalf("%d %v: %s", status, err, body)
		}
		if answer.Address == "" || answer.Info == "" {
			t.Errorf("address %q, info %q", answer.Address, answer.Info)
		}
	})
}
