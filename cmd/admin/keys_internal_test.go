package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hibiken/asynq"

	"usher/accounts"
	"usher/contact"
	"usher/internal/testkit"
	"usher/secrets"
	"usher/store/redisconn"
	"usher/store/redisstore"
	"usher/store/sqlstore"
	"usher/tasks"
	"usher/tokens"
	"usher/verify"
)

// keyStores returns settings with one key and migrated stores.
func keyStores(t *testing.T, redisURL, databaseURL string) map[string]string {
	t.Helper()
	environ := map[string]string{
		"USHER_REDIS_URL": redisURL, "USHER_DATABASE_URL": databaseURL, "USHER_SECRET_KEYS": keySpec("k1"),
	}
	maps.Copy(environ, testkit.PatientTimes())
	if _, err := command(t, environ, "migrate", "up"); err != nil {
		t.Fatal(err)
	}
	return environ
}

// registered files a person with a number and an activation mail under the keys of the settings.
func registered(t *testing.T, environ map[string]string, id, number string) {
	t.Helper()
	keys, err := secrets.ParseKeys(environ["USHER_SECRET_KEYS"])
	if err != nil {
		t.Fatal(err)
	}
	mobile, err := contact.ParseMobile(number)
	if err != nil {
		t.Fatal(err)
	}
	email, err := contact.ParseEmail(id + "@example.com")
	if err != nil {
		t.Fatal(err)
	}
	db, err := sqlstore.Open(t.Context(), environ["USHER_DATABASE_URL"], sqlstore.Settings{Timeout: testkit.DatabasePatience})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	now := time.Now()
	account := accounts.Account{ID: id, Username: "person_" + id, Mobile: mobile, PendingEmail: email, CreatedAt: now, UpdatedAt: now}
	mail := &accounts.Mail{ID: "m" + id, KeyID: keys.SigningID(), CreatedAt: now, NotAfter: now.Add(time.Hour)}
	if err := sqlstore.NewAccounts(db, keys).Create(t.Context(), account, mail); err != nil {
		t.Fatal(err)
	}
}

// issued files a code that lives for five minutes and queues its task.
func issued(t *testing.T, environ map[string]string, number string) {
	t.Helper()
	keys, err := secrets.ParseKeys(environ["USHER_SECRET_KEYS"])
	if err != nil {
		t.Fatal(err)
	}
	client, err := redisconn.Open(environ["USHER_REDIS_URL"], redisconn.Settings{Timeout: testkit.RedisPatience})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = client.Close() }()
	mobile, err := contact.ParseMobile(number)
	if err != nil {
		t.Fatal(err)
	}
	service := &verify.Service{
		Codes: redisstore.New(client, keys, time.Now).Codes(),
		Queue: &tasks.Enqueuer{Client: asynq.NewClientFromRedisClient(client), Keys: keys},
		Keys:  keys, Now: time.Now,
		Policy: verify.Policy{CodeLength: 6, CodeTTL: 5 * time.Minute, ResendInterval: time.Minute, MaxAttempts: 5},
	}
	if _, err := service.Issue(t.Context(), verify.Request{To: mobile, Purpose: verify.Login}); err != nil {
		t.Fatal(err)
	}
}

// told runs keys with arguments and returns what it says of each key, and its problems.
func keysTold(t *testing.T, environ map[string]string, args ...string) (map[string]keyReport, []string, error) {
	t.Helper()
	text, err := command(t, environ, append(append([]string{"keys"}, args...), "-json")...)
	var report keysReport
	if jsonErr := json.Unmarshal([]byte(text), &report); jsonErr != nil {
		t.Fatalf("%v, %v: %s", err, jsonErr, text)
	}
	byID := map[string]keyReport{}
	for _, k := range report.Keys {
		byID[k.ID] = k
	}
	return byID, report.Problems, err
}

func TestKeys_follow_a_rotation(t *testing.T) {
	t.Parallel()
	testkit.EachDatabase(t, func(t *testing.T, database string) {
		environ := keyStores(t, testkit.Redis(t), database)
		registered(t, environ, "p1", "13800138001")
		issued(t, environ, "13800138001")

		environ["USHER_SECRET_KEYS"] = keySpec("k2") + "," + keySpec("k1")
		registered(t, environ, "p2", "13800138002")
		byID, problems, err := keysTold(t, environ, "rotate-check")
		if err != nil || len(problems) > 0 {
			t.Errorf("rotate-check: %v, %v", err, problems)
		}
		k1 := byID["k1"]
		if k1.Until == nil || k1.Droppable || k1.Signs || !k1.Indexes {
			t.Errorf("k1: %+v", k1)
		}
		k1.Until, k1.Reason = nil, ""
		want := keyReport{ID: "k1", Configured: true, Indexes: true, Contacts: 2, Links: 1, Codes: 1}
		if diff := cmp.Diff(want, k1); diff != "" {
			t.Errorf("k1 (-want +got):\n%s", diff)
		}

		environ["USHER_SECRET_KEYS"] = keySpec("k2")
		byID, problems, err = keysTold(t, environ, "rotate-check")
		if err == nil || len(problems) == 0 || byID["k1"].Configured || !strings.Contains(problems[0], `"k1"`) {
			t.Errorf("k1 dropped too early: %v, %v, %+v", err, problems, byID["k1"])
		}
		if _, _, err := keysTold(t, environ, "list"); err != nil {
			t.Errorf("list fails where it only shows: %v", err)
		}

		environ["USHER_SECRET_KEYS"] = keySpec("k2") + "," + keySpec("k1") + ",k2"
		if _, problems, err := keysTold(t, environ, "rotate-check"); err == nil || !strings.Contains(fmt.Sprint(problems), "indexed") {
			t.Errorf("another key is to index: %v, %v", err, problems)
		}
		if out, err := command(t, environ, "keys", "reseal"); err != nil || !strings.Contains(out, "2 numbers and addresses sealed with k2, 0 skipped") {
			t.Errorf("reseal: %v\n%s", err, out)
		}
		if out, err := command(t, environ, "keys", "reindex", "-to", "k1", "-yes"); err == nil {
			t.Errorf("reindex to a key that does not index: %s", out)
		}
		if out, err := command(t, environ, "keys", "reindex", "-to", "k2", "-yes"); err != nil || !strings.Contains(out, "4 numbers and addresses indexed with k2, 0 skipped") {
			t.Errorf("reindex: %v\n%s", err, out)
		}
		byID, problems, err = keysTold(t, environ, "rotate-check")
		if err != nil || len(problems) > 0 || byID["k1"].Droppable || byID["k1"].Contacts != 0 || !strings.Contains(byID["k1"].Reason, "1 links, 1 codes, the last of these until ") {
			t.Errorf("what is left to wait for: %v, %v, %+v", err, problems, byID["k1"])
		}
		out, err := command(t, environ, "keys")
		if err != nil || !strings.Contains(out, "signs, indexes") {
			t.Errorf("%v\n%s", err, out)
		}
		for _, secret := range []string{keySpec("k1")[3:], keySpec("k2")[3:], "13800138001", "p1@example.com"} {
			if strings.Contains(out, secret) {
				t.Errorf("shows %s:\n%s", secret, out)
			}
		}
	})
}

func TestKeys_tell_when_one_can_be_dropped(t *testing.T) {
	t.Parallel()
	environ := keyStores(t, testkit.Miniredis(t), testkit.SQLite(t))
	environ["USHER_SECRET_KEYS"] = keySpec("k2") + "," + keySpec("k3") + "," + keySpec("k1")
	byID, _, err := keysTold(t, environ)
	if err != nil || !byID["k3"].Droppable || byID["k1"].Droppable || byID["k2"].Droppable {
		t.Errorf("%v: %+v", err, byID)
	}
}

func TestKeys_reindex_wants_workers_stopped(t *testing.T) {
	t.Parallel()
	redisURL := testkit.Redis(t)
	environ := keyStores(t, redisURL, testkit.SQLite(t))
	client, err := redisconn.Open(redisURL, redisconn.Settings{Timeout: testkit.RedisPatience})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = client.Close() }()
	worker := asynq.NewServerFromRedisClient(client, asynq.Config{Concurrency: 1, LogLevel: asynq.FatalLevel})
	if err := worker.Start(asynq.NewServeMux()); err != nil {
		t.Fatal(err)
	}
	defer worker.Shutdown()
	testkit.Eventually(t, testkit.Patience, func() bool {
		_, err := command(t, environ, "keys", "reindex", "-to", "k1", "-yes")
		return err != nil && strings.Contains(err.Error(), "workers are running")
	}, "a worker is noticed")
}

func TestKeys_generate_prints_a_key_for_tokens(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for range 2 {
		out, err := command(t, nil, "keys", "generate", "-id", "t2")
		if err != nil {
			t.Fatal(err)
		}
		keys, err := tokens.ParseKeys(strings.TrimSuffix(out, "\n"))
		if err != nil || keys.List()[0].ID != "t2" {
			t.Fatalf("%v: the key has id %v", err, keys)
		}
		if seen[out] {
			t.Error("the same key twice")
		}
		seen[out] = true
	}
	for _, id := range []string{"", "t-2", "abcdefghi"} {
		if _, err := command(t, nil, "keys", "generate", "-id", id); err == nil {
			t.Errorf("id %q is accepted", id)
		}
	}
}

func TestKeys_follow_a_rotation_of_those_for_tokens(t *testing.T) {
	t.Parallel()
	environ := keyStores(t, testkit.Redis(t), testkit.SQLite(t))
	client, err := redisconn.Open(environ["USHER_REDIS_URL"], redisconn.Settings{Timeout: testkit.RedisPatience})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = client.Close() }()
	var entries, kids []string
	for _, id := range []string{"t1", "t2"} {
		out, err := command(t, nil, "keys", "generate", "-id", id)
		if err != nil {
			t.Fatal(err)
		}
		keys, err := tokens.ParseKeys(strings.TrimSpace(out))
		if err != nil {
			t.Fatal(err)
		}
		entries, kids = append(entries, strings.TrimSpace(out)), append(kids, keys.List()[0].KID)
	}
	record := func(ago time.Duration, kids ...string) {
		clock := func() time.Time { return time.Now().Add(-ago) }
		if err := redisstore.New(client, nil, clock).TokenKeys().Record(t.Context(), kids...); err != nil {
			t.Fatal(err)
		}
	}
	for _, step := range []struct {
		name    string
		record  func()
		setting string
		problem string
		reasons []string
	}{
		{"nothing was recorded", nil, entries[0], "", []string{"signs"}},
		{"the first key signs", func() { record(3*time.Hour, kids[0]) }, entries[0], "", []string{"signs"}},
		{"the second was never published", nil, entries[1] + "," + entries[0], `key "t2" for tokens must not sign before`, []string{"must not", "published"}},
		{"the second is published", func() { record(50*time.Minute, kids...) }, entries[0] + "," + entries[1], "", []string{"signs", "may sign from"}},
		{"it signs too early", nil, entries[1] + "," + entries[0], `key "t2" for tokens must not sign before`, []string{"must not"}},
		{"an hour is over", func() {
			if err := client.Del(t.Context(), "usher:token_keys").Err(); err != nil {
				t.Fatal(err)
			}
			record(3*time.Hour, kids[0])
			record(2*time.Hour, kids...)
			record(10*time.Minute, kids...)
		}, entries[1] + "," + entries[0], "", []string{"signs", "are valid until"}},
		{"the first is dropped too early", nil, entries[1], "key " + kids[0] + " for tokens is missing", []string{"signs", "are valid until"}},
		{"no setting", nil, "", "", []string{"are valid until"}},
	} {
		if step.record != nil {
			step.record()
		}
		environ["USHER_TOKEN_KEYS"] = step.setting
		out, err := command(t, environ, "keys", "rotate-check", "-json")
		if (err != nil) != (step.problem != "") || err != nil && !strings.Contains(err.Error(), step.problem) {
			t.Errorf("%s: %v, want %q", step.name, err, step.problem)
		}
		var report keysReport
		if err := json.Unmarshal([]byte(out), &report); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		for i, reason := range step.reasons {
			if i >= len(report.TokenKeys) || !strings.Contains(report.TokenKeys[i].Reason, reason) {
				t.Errorf("%s: key %d is %+v, want %q", step.name, i, report.TokenKeys, reason)
			}
		}
		plain, _ := command(t, environ, "keys")
		if step.setting != "" && !strings.Contains(plain, kids[0]) && !strings.Contains(plain, kids[1]) {
			t.Errorf("%s: the list has no key:\n%s", step.name, plain)
		}
		if found := testkit.FindSecrets([]byte(out+plain), entries[0][3:], entries[1][3:]); len(found) > 0 {
			t.Errorf("%s: shows a private key: %v", step.name, found)
		}
	}
}
