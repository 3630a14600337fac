package redisstore_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"usher/messages"
	"usher/store/redisstore"
	"usher/vitals"
)

func workersTests(t *testing.T, url string) {
	t.Helper()
	b := newFixture(t, url)
	workers := b.store.Workers()
	want := func(what string, all ...vitals.Worker) {
		t.Helper()
		got, err := workers.List(t.Context())
		if all == nil {
			all = []vitals.Worker{}
		}
		if diff := cmp.Diff(all, got); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got):\n%s", what, err, diff)
		}
	}
	publish := func(worker vitals.Worker) {
		t.Helper()
		if err := workers.Publish(t.Context(), worker); err != nil {
			t.Fatal(err)
		}
	}
	want("at first")
	older := vitals.Worker{
		ID: "b", Host: "one", Version: "v1", Channels: []messages.Channel{messages.SMS, messages.Email},
		Queues: []string{"sms", "sms-1", "email"}, Since: b.clock.Now().UTC(),
		Breakers: map[string]string{"aliyun": "closed", "ronglian": "open"},
	}
	younger := vitals.Worker{
		ID: "a", Host: "two", Version: "v2", Channels: []messages.Channel{messages.Email},
		Since: b.clock.Now().UTC().Add(time.Second),
	}
	publish(younger)
	publish(older)
	want("two", older, younger)

	older.Breakers = map[string]string{"aliyun": "half_open", "ronglian": "closed"}
	older.MailOutage, older.MailOutageSince = "login_refused", b.clock.Now().UTC()
	older.Outages = map[string]vitals.Outage{"aliyun": {Since: b.clock.Now().UTC(), Reason: "misconfigured", Code: "isv.AMOUNT_NOT_ENOUGH", Account: true}}
	older.Jobs = []vitals.Job{{Name: "traffic", Every: time.Minute, FailingSince: b.clock.Now().UTC()}}
	older.ClockAhead, older.ForeignAt = -time.Second, b.clock.Now().UTC()
	b.clock.Advance(3 * redisstore.WorkerPause)
	publish(older)
	want("both were heard of lately, one with news", older, younger)
	older.MailOutage, older.MailOutageSince, older.Outages, older.Jobs = "", time.Time{}, nil, nil
	publish(older)
	want("its mails leave again", older, younger)
	b.clock.Advance(2 * redisstore.WorkerPause)
	want("one is silent", older)

	publish(younger)
	if err := workers.Withdraw(t.Context(), older.ID); err != nil {
		t.Fatal(err)
	}
	want("one has ended", younger)
	for _, key := range b.client.Keys(t.Context(), "*").Val() {
		if ttl := b.client.TTL(t.Context(), key).Val(); strings.Contains(key, "worker") && (ttl <= 0 || ttl > time.Minute) {
			t.Errorf("%s is kept for %v", key, ttl)
		}
	}
	// A worker that died is removed when another one publishes.
	b.clock.Advance(2 * time.Minute)
	publish(older)
	if n := b.client.ZCard(t.Context(), "usher:workers").Val(); n != 1 {
		t.Errorf("%d are remembered, want the one that lives", n)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := workers.List(ended); err == nil {
		t.Error("a look with an ended context succeeded")
	}
}
