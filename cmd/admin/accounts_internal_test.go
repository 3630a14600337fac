package main

import (
	"encoding/base64"
	"strings"
	"testing"

	"usher/accounts"
	"usher/internal/testkit"
)

func TestAccounts_are_looked_up_and_changed(t *testing.T) {
	t.Parallel()
	eachMessageBench(t, func(t *testing.T, b *messageBench) {
		b.environ["USHER_SECRET_KEYS"] = "t1:" + base64.StdEncoding.EncodeToString([]byte(strings.Repeat("k", 32)))
		b.environ["SUDO_USER"] = "alice"
		account, _ := b.register(t)
		stored := func() accounts.Account {
			found, err := b.accounts.Find(t.Context(), accounts.Key{By: accounts.ByID, Value: account.ID})
			if err != nil {
				t.Fatal(err)
			}
			return found
		}
		for _, name := range [][2]string{{"-id", account.ID}, {"-login", account.Username}} {
			if out := b.must(t, "accounts", "block", name[0], name[1], "-reason", "ticket 4711"); !strings.Contains(out, "Blocked the account "+account.ID) {
				t.Errorf("block %s: %q", name[0], out)
			}
			if !stored().Blocked() {
				t.Errorf("block %s has not blocked the account", name[0])
			}
			b.must(t, "accounts", "unblock", name[0], name[1], "-reason", "ticket 4711")
			if stored().Blocked() {
				t.Errorf("unblock %s has not unblocked the account", name[0])
			}
		}
		before := stored().SessionGeneration
		if b.must(t, "accounts", "end-sessions", "-id", account.ID, "-reason", "lost phone"); stored().SessionGeneration != before+1 {
			t.Error("end-sessions has ended no session")
		}
		for _, args := range [][]string{{"find", "-login", account.Username}, {"list"}, {"show", "-id", account.ID}, {"show", "-login", account.Username, "-json"}} {
			if out := b.must(t, append([]string{"accounts"}, args...)...); !strings.Contains(out, account.ID) {
				t.Errorf("%v: %s", args, out)
			}
		}
		if out := b.must(t, "accounts", "find", "-login", "no_such_name"); !strings.Contains(out, "No accounts match") {
			t.Errorf("find: %s", out)
		}
		if out := b.must(t, "accounts", "messages", "-id", account.ID, "-json"); !strings.Contains(out, `"purpose":"activation"`) {
			t.Errorf("messages: %s", out)
		}
		out := b.must(t, "audit", "-account", account.ID, "-json")
		for _, want := range []string{`"actor_kind":"operator","actor":"alice","reason":"ticket 4711"`, `"action":"account.blocked"`, `"action":"account.looked_up"`} {
			if !strings.Contains(out, want) {
				t.Errorf("the audit has no %s:\n%s", want, out)
			}
		}
		if found := testkit.FindSecrets([]byte(out), account.Mobile.Reveal(), account.PendingEmail.Reveal()); found != nil {
			t.Errorf("the audit shows %v", found)
		}
		if out := b.must(t, "audit", "-actor", "alice", "-limit", "1"); strings.Count(out, "\n") != 2 || !strings.Contains(out, "operator alice") {
			t.Errorf("audit: %s", out)
		}
		if out := b.must(t, "accounts", "erase", "-id", account.ID, "-reason", "ticket 4712", "-yes"); !strings.Contains(out, "Erased the account "+account.ID) {
			t.Errorf("erase: %s", out)
		}
		if _, err := b.run(t, "accounts", "show", "-id", account.ID); err == nil {
			t.Error("an erased account is shown")
		}
		if out := b.must(t, "audit", "-account", account.ID); !strings.Contains(out, "account.deleted") || !strings.Contains(out, "ticket 4712") {
			t.Errorf("the audit after the erasure:\n%s", out)
		}
		if out := b.must(t, "accounts", "help"); !strings.Contains(out, "block ") {
			t.Errorf("help: %q", out)
		}
		for _, args := range [][]string{
			{"accounts"},
			{"accounts", "delete"},
			{"accounts", "find"},
			{"accounts", "block"},
			{"accounts", "block", "-id", account.ID},
			{"accounts", "erase", "-id", account.ID, "-yes"},
			{"accounts", "block", "-id", account.ID, "-reason", "owner of 13800138000"},
			{"accounts", "block", "-id", "x", "-login", "y", "-reason", "spam"},
			{"accounts", "block", "-id", "no-such-id", "-reason", "spam"},
			{"accounts", "unblock", "-login", "no_such_name", "-reason", "spam"},
			{"accounts", "block", "-login", "a b", "-reason", "spam"},
			{"audit", "-limit", "0"},
			{"audit", "-since", "yesterday"},
		} {
			if _, err := b.run(t, args...); err == nil {
				t.Errorf("%v succeeds", args)
			}
		}
	})
}
