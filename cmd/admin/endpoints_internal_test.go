package main

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"usher/app"
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
