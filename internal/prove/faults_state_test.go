package prove_test

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"usher/internal/testkit"
)

// verdict compares the acknowledged messages with those that have arrived.
func (s *faultySetup) verdict() verdict { return s.ledger.judge(s.journal.since(0), time.Now()) }

// perRecipient returns how many messages each number and address has got.
func (s *faultySetup) perRecipient() map[string]int {
	times := map[string]int{}
	for _, a := range s.journal.since(0) {
		times[a.To]++
	}
	return times
}

// arrived waits for the first message to a number or an address.
func (s *faultySetup) arrived(t testing.TB, to string) {
	t.Helper()
	testkit.Eventually(t, patience, func() bool { return len(s.journal.to(to)) > 0 }, "a message to %s", to)
}

// allArrived waits until every acknowledged message has arrived, except those that have expired.
func (s *faultySetup) allArrived(t testing.TB) {
	t.Helper()
	testkit.Eventually(t, patience, func() bool { return len(s.ledger.open(s.journal, time.Now())) == 0 },
		"every acknowledged message has arrived")
}

// mailed waits until every mail is known to have been sent: nothing is under way that could go out twice.
func (s *faultySetup) mailed(t testing.TB) {
	t.Helper()
	testkit.Eventually(t, patience, func() bool {
		return s.count(t, "select count(*) from messages where channel = 'email' and state in ('queued', 'sending')") == 0
	}, "every mail is known to have been sent")
}

// count asks the database itself.
func (s *faultySetup) count(t testing.TB, query string) int {
	t.Helper()
	var n int
	if err := s.db.QueryRowContext(t.Context(), query).Scan(&n); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return n
}

// client is the test's own connection to Redis.
func (s *faultySetup) client(t testing.TB) *redis.Client {
	t.Helper()
	client := redis.NewClient(&redis.Options{Addr: s.redis.Addr()})
	t.Cleanup(func() { client.Close() })
	return client
}

// drained waits until a queue has no waiting and no running task.
func drained(t testing.TB, client *redis.Client, queue string) {
	t.Helper()
	testkit.Eventually(t, patience, func() bool {
		var left int64
		for _, list := range []string{"pending", "active"} {
			left += client.LLen(t.Context(), "asynq:{"+queue+"}:"+list).Val()
		}
		for _, set := range []string{"retry", "scheduled"} {
			left += client.ZCard(t.Context(), "asynq:{"+queue+"}:"+set).Val()
		}
		return left == 0
	}, "the queue %s is empty", queue)
}

// info reads a number of Redis about itself.
func info(t testing.TB, client *redis.Client, section, name string) int {
	t.Helper()
	text, err := client.Info(t.Context(), section).Result()
	if err != nil {
		t.Fatal(err)
	}
	return field(t, text, name+":")
}

// metric reads a series of a worker; it is 0 when there is none.
func (m *member) metric(t testing.TB, series string) int {
	t.Helper()
	_, body, err := exchange(http.MethodGet, "http://"+m.addr+"/metrics", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	return field(t, string(body), series+" ")
}

// field returns the number behind the prefix of a line, or 0 when there is no such line.
func field(t testing.TB, text, prefix string) int {
	t.Helper()
	for line := range strings.Lines(text) {
		if value, found := strings.CutPrefix(line, prefix); found {
			n, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
			if err != nil {
				t.Fatalf("%s: %v", line, err)
			}
			return int(n)
		}
	}
	return 0
}

// sentBy returns how many messages each vendor has accepted.
func (s *faultySetup) sentBy(t testing.TB) map[string]int {
	t.Helper()
	var list []struct{ Provider string }
	_, body, err := exchange(http.MethodGet, "http://"+s.sandbox.HTTPAddr+"/api/messages", "", nil)
	if err == nil {
		err = json.Unmarshal(body, &list)
	}
	if err != nil {
		t.Fatal(err)
	}
	times := map[string]int{}
	for _, m := range list {
		times[m.Provider]++
	}
	return times
}
