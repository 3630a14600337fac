package prove_test

import (
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"usher/internal/testkit"
)

const (
	// crowd is how many codes and mails are waiting when something happens to Redis.
	crowd = 10
	// fullCommands bounds the commands a second that the API and two workers send to a Redis that is full.
	fullCommands = 500
)

// numberLimits leaves in force what limits a number: to one code.
const numberLimits = "sms_ip_hour=off,sms_ip_day=off,sms_net_hour=off,sms_prefix=off,sms_total=off,sms_conversion=off," +
	"status_ip=off,register_ip=off,register_all=off,resend_email=off,mail_domain_hour=off,mail_total_hour=off,sms_mobile_hour=1/1h"

// Row 8: when Redis is emptied, restored from an old state or full, no mail is lost, no SMS goes out without its
// limits, and no process needs a restart.
func TestRow08_Redis_may_forget_fall_back_and_be_full(t *testing.T) {
	t.Parallel()
	r := newRow(t, 8, "Redis emptied, restored from an old snapshot, full")
	n := losses()
	r.tried("%d each with %d codes and %d mails waiting", n, crowd, crowd)
	sum := r.together(t, map[string]trial{"emptied": emptyRedis, "snapshot": restoreRedis, "full": fillRedis})
	r.judge(sum.verdict, map[string]int{sms: n * crowd, email: 0}) // the snapshot has codes that were sent since
	r.exactly("lies", sum.lies, 0)
	r.atMost("commands/s while full", sum.counts["commands/s"], fullCommands)
	r.within("refused", sum.longest["refused"], size(4*time.Second, 1500*time.Millisecond)) // beside other tests it is more
	r.within("healed", sum.longest["healed"], takenUp)
}

func losses() int { return size(1, 10) }

// wait puts a crowd's codes and mails on the queues and returns the ids of the codes and their numbers.
func (s *faultySetup) wait(t testing.TB, api *member) (ids, numbers []string) {
	t.Helper()
	for range crowd {
		mobile, id := s.mustAskCode(t, api)
		ids, numbers = append(ids, id), append(numbers, mobile)
		s.register(t, api)
	}
	return ids, numbers
}

// emptyRedis deletes all keys of Redis, or all but the queues, while codes and mails wait.
func emptyRedis(t *testing.T) (result outcome) {
	t.Helper()
	s := newFaultySetup(t, map[string]string{"USHER_LIMITS": numberLimits})
	api, client := s.api(t), s.client(t)
	for round := range losses() {
		_, numbers := s.wait(t, api)
		forget(t, client, round%2 == 0)
		sender, mailer := s.worker(t, sms), s.worker(t, email)
		var ids []string
		for _, mobile := range numbers { // people ask again
			answer, err := api.post("/v1/sms-codes", "", codeFor(mobile))
			if err != nil || answer.Status != http.StatusAccepted {
				t.Errorf("asked again: %d %s, %v", answer.Status, answer.Body, err)
				continue
			}
			ids = append(ids, answer.Text("sms_code_id"))
		}
		settled(t, api, ids...)
		s.allArrived(t)
		s.mailed(t)
		sender.kill()
		mailer.kill()
	}
	result.verdict = s.verdict()
	return result
}

// forget deletes all keys of Redis, or all but the queues.
func forget(t testing.TB, client *redis.Client, everything bool) {
	t.Helper()
	if everything {
		if err := client.FlushAll(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
		return
	}
	keys, err := client.Keys(t.Context(), "usher:*").Result()
	if err == nil && len(keys) > 0 {
		err = client.Del(t.Context(), keys...).Err()
	}
	if err != nil || len(keys) == 0 {
		t.Fatalf("delete %d keys: %v", len(keys), err)
	}
}

// restoreRedis crashes Redis and restarts it with an earlier state.
func restoreRedis(t *testing.T) (result outcome) {
	t.Helper()
	s := newFaultySetup(t, map[string]string{"USHER_LIMITS": numberLimits})
	api, client := s.api(t), s.client(t)
	for range losses() {
		_, numbers := s.wait(t, api)
		if err := client.Save(t.Context()).Err(); err != nil { // the server itself never saves
			t.Fatal(err)
		}
		sender, mailer := s.worker(t, sms), s.worker(t, email)
		s.allArrived(t)
		s.mailed(t)
		mailer.kill()
		for range crowd { // mails that the snapshot does not know of
			s.register(t, api)
		}
		s.redis.Kill()
		s.redis.Start(t)
		mailer = s.worker(t, email)
		s.allArrived(t)
		s.mailed(t)
		drained(t, client, sms)
		for _, mobile := range numbers { // each has had the one code that its limit allows
			answer, err := api.post("/v1/sms-codes", "", codeFor(mobile))
			if err != nil || answer.Status != http.StatusTooManyRequests {
				t.Errorf("a number without its limit: %d %s, %v", answer.Status, answer.Body, err)
				result.lies++
			}
		}
		sender.kill()
		mailer.kill()
	}
	result.verdict = s.verdict()
	return result
}

// fillRedis makes Redis refuse every command that needs memory, while codes and mails wait and some are being sent.
func fillRedis(t *testing.T) (result outcome) {
	t.Helper()
	s := newFaultySetup(t, map[string]string{"USHER_LIMITS": numberLimits})
	api, client := s.api(t), s.client(t)
	commands := 0
	for range losses() {
		ids, _ := s.wait(t, api)
		s.faults(t, map[string]any{"aliyun": map[string]any{"delay_ms": 1000}})
		sender, mailer := s.worker(t, sms), s.worker(t, email)
		already := s.journal.count()
		testkit.Eventually(t, patience, func() bool { return s.journal.count() > already }, "messages are on their way")
		// Well above the limit, so that it stays full although some memory is freed meanwhile.
		configure(t, client, "maxmemory", strconv.Itoa(info(t, client, "memory", "used_memory")/2))
		s.refused(t, api, &result)
		commands = max(commands, commandsPerSecond(t, client))

		configure(t, client, "maxmemory", "0")
		began := time.Now()
		s.faults(t, map[string]any{})
		settled(t, api, ids...)
		s.allArrived(t)
		s.mailed(t)
		result.lasted("healed", time.Since(began))
		sender.kill()
		mailer.kill()
	}
	result.counted("commands/s", commands)
	result.verdict = s.verdict()
	if twice := result.twice[sms] + result.twice[email]; twice > 0 {
		t.Errorf("%d messages went out twice around a Redis that was full", twice)
	}
	if sent := len(s.perRecipient()); sent != result.acknowledged {
		t.Errorf("%d got messages, and %d were promised one", sent, result.acknowledged)
	}
	return result
}

// refused asks a deployment whose Redis is full for a code, which it must refuse, and for an account, for which it
// needs no Redis.
func (s *faultySetup) refused(t testing.TB, api *member, result *outcome) {
	t.Helper()
	began := time.Now()
	_, answer := s.askCode(t, api)
	result.lasted("refused", time.Since(began))
	if answer.Status != http.StatusServiceUnavailable || answer.Header.Get("Retry-After") == "" {
		t.Errorf("a code while Redis is full: %d %s", answer.Status, answer.Body)
		result.lies++
	}
	s.register(t, api)
}

func configure(t testing.TB, client *redis.Client, name, value string) {
	t.Helper()
	if err := client.ConfigSet(t.Context(), name, value).Err(); err != nil {
		t.Fatal(err)
	}
}

// commandsPerSecond counts the commands to Redis for two seconds, refused ones included.
func commandsPerSecond(t testing.TB, client *redis.Client) int {
	t.Helper()
	const span = 2 * time.Second
	first := info(t, client, "stats", "total_commands_processed")
	began := time.Now()
	<-time.After(span)
	return int(float64(info(t, client, "stats", "total_commands_processed")-first) / time.Since(began).Seconds())
}
