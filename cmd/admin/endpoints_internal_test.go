package main

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"usher/app"
	"usher/events"
	"usher/webhooks"
)

func TestEndpoints_and_their_events(t *testing.T) {
	t.Parallel()
	eachMessageBench(t, func(t *testing.T, b *messageBench) {
		b.environ["USHER_SECRET_KEYS"] = "t1:" + base64.StdEncoding.EncodeToString([]byte(strings.Repeat("k", 32)))
		add := func(args ...string) newSecret {
			t.Helper()
			var made newSecret
			out := b.must(t, append([]string{"endpoints", "add", "-json"}, args...)...)
			if err := json.Unmarshal([]byte(out), &made); err != nil || !strings.HasPrefix(made.ID, "ep_") {
				t.Fatalf("%v in %q", err, out)
			}
			return made
		}
		first := add("-url", "https://example.com/usher", "-events", "account.created,account.blocked")
		second := add("-url", "https://example.com/all", "-ed25519")
		if !strings.HasPrefix(first.Secret, "whsec_") || first.PublicKey != "" || second.Secret != "" || !strings.HasPrefix(second.PublicKey, "whpk_") {
			t.Fatal("the secrets are not of the kinds that were asked for")
		}
		b.hidden = append(b.hidden, first.Secret, second.PublicKey) // from now on no command shows them
		out := b.must(t, "endpoints", "rotate", first.ID)
		if !strings.Contains(out, "whsec_") {
			t.Errorf("rotate: %s", out)
		}
		if out := b.must(t, "endpoints", "rotate", second.ID); !strings.Contains(out, "whpk_") || strings.Contains(out, "whsk_") {
			t.Errorf("rotate of a key pair: %s", out)
		}

		account, _ := b.register(t)
		list := b.must(t, "events", "list")
		if strings.Count(list, "account.created") != 1 || !strings.Contains(list, "2 open") {
			t.Errorf("events: %s", list)
		}
		var event eventReport
		if err := json.Unmarshal([]byte(b.must(t, "events", "list", "-json")), &event); err != nil || event.AccountID != account.ID || len(event.Deliveries) != 2 {
			t.Fatalf("event %+v, %v", event, err)
		}
		if out := b.must(t, "events", "show", event.ID); !strings.Contains(out, first.ID) || !strings.Contains(out, `"account_id":"`+account.ID) {
			t.Errorf("show: %s", out)
		}
		if out := b.must(t, "events", "replay", "-since", "1h", "-yes"); !strings.Contains(out, "nothing to send again") {
			t.Errorf("replay of what waits: %s", out)
		}

		b.must(t, "endpoints", "disable", first.ID)
		out = b.must(t, "endpoints", "list")
		if !strings.Contains(out, "disabled") || !strings.Contains(out, "https://example.com/usher") {
			t.Errorf("list: %s", out)
		}
		b.must(t, "accounts", "block", "-id", account.ID, "-reason", "spam")
		b.must(t, "endpoints", "enable", first.ID)
		if out := b.must(t, "events", "replay", "-since", "1h", "-endpoint", first.ID, "-yes"); !strings.Contains(out, "1 deliveries") {
			t.Errorf("replay of what was told while it was disabled: %s", out)
		}

		for _, args := range [][]string{
			{"endpoints", "add"},
			{"endpoints", "add", "-url", "http://example.com"},
			{"endpoints", "add", "-url", "https://2130706433/"},
			{"endpoints", "add", "-url", "https://a:b@example.com"},
			{"endpoints", "add", "-url", "https://example.com", "-events", "account.sold"},
			{"endpoints", "rotate"},
			{"events", "list", "-since", "yesterday"},
			{"events", "replay"},
		} {
			_, err := b.run(t, args...)
			if _, usage := errors.AsType[*app.UsageError](err); !usage {
				t.Errorf("%v: %v, want a mistake of usage", args, err)
			}
		}
		for _, args := range [][]string{{"endpoints", "disable", "ep_none"}, {"endpoints", "rotate", "ep_none"}, {"events", "show", "evt_none"}} {
			if _, err := b.run(t, args...); err == nil || !strings.Contains(err.Error(), "list shows the ids") {
				t.Errorf("%v: %v", args, err)
			}
		}
	})
}

func TestEndpoints_are_tested_and_removed(t *testing.T) {
	t.Parallel()
	eachMessageBench(t, func(t *testing.T, b *messageBench) {
		b.environ["USHER_SECRET_KEYS"] = "t1:" + base64.StdEncoding.EncodeToString([]byte(strings.Repeat("k", 32)))
		b.environ["USHER_EVENTS_ALLOW_PRIVATE"] = "127.0.0.0/8"
		var keys atomic.Pointer[webhooks.Keys]
		status := atomic.Int64{}
		status.Store(http.StatusNoContent)
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			if _, err := keys.Load().Verify(r.Header, body, time.Now()); err != nil || !strings.Contains(string(body), `"type":"endpoint.test"`) {
				t.Errorf("received %s, %v", body, err)
			}
			w.WriteHeader(int(status.Load()))
		}))
		t.Cleanup(server.Close)
		var made newSecret
		if err := json.Unmarshal([]byte(b.must(t, "endpoints", "add", "-json", "-url", server.URL)), &made); err != nil {
			t.Fatal(err)
		}
		parsed, err := webhooks.ParseKeys(made.Secret)
		if err != nil {
			t.Fatal(err)
		}
		keys.Store(&parsed)
		if out := b.must(t, "endpoints", "test", made.ID); !strings.Contains(out, "status 204") {
			t.Errorf("test: %s", out)
		}
		status.Store(http.StatusForbidden)
		if _, err := b.run(t, "endpoints", "test", made.ID); err == nil || !strings.Contains(err.Error(), "refused, status 403") {
			t.Errorf("test of an endpoint that refuses: %v", err)
		}
		if _, err := b.run(t, "endpoints", "remove", made.ID); err == nil || !strings.Contains(err.Error(), "-yes") {
			t.Errorf("remove without -yes: %v", err)
		}
		account, _ := b.register(t)
		b.must(t, "endpoints", "remove", "-yes", made.ID)
		if out := b.must(t, "endpoints", "list"); strings.Contains(out, made.ID) {
			t.Errorf("list after the removal: %s", out)
		}
		if out := b.must(t, "events", "list"); !strings.Contains(out, account.ID) || strings.Contains(out, "open") {
			t.Errorf("events after the removal: %s", out)
		}
		for _, command := range [][]string{{"remove", "-yes"}, {"test"}} {
			if _, err := b.run(t, append(append([]string{"endpoints"}, command...), made.ID)...); !errors.Is(err, events.ErrNotFound) {
				t.Errorf("%s of no endpoint: %v", command, err)
			}
		}
	})
}
