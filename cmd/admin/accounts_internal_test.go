package main

import (
	"encoding/base64"
	"strings"
	"testing"

	"usher/accounts"
)

func TestAccounts_blocks_and_unblocks(t *testing.T) {
	t.Parallel()
	eachMessageBench(t, func(t *testing.T, b *messageBench) {
		b.environ["USHER_SECRET_KEYS"] = "t1:" + base64.StdEncoding.EncodeToString([]byte(strings.Repeat("k", 32)))
		account, _ := b.register(t)
		stored := func() accounts.Account {
			found, err := b.accounts.Find(t.Context(), accounts.Key{By: accounts.ByID, Value: account.ID})
			if err != nil {
				t.Fatal(err)
			}
			return found
		}
		for _, name := range [][2]string{{"-id", account.ID}, {"-login", account.Username}} {
			if out := b.must(t, "accounts", "block", name[0], name[1]); !strings.Contains(out, "Blocked the account "+account.ID) {
				t.Errorf("block %s: %q", name[0], out)
			}
			if !stored().Blocked() {
				t.Errorf("block %s has not blocked the account", name[0])
			}
			b.must(t, "accounts", "unblock", name[0], name[1])
			if stored().Blocked() {
				t.Errorf("unblock %s has not unblocked the account", name[0])
			}
		}
		if out := b.must(t, "accounts", "help"); !strings.Contains(out, "block -id ID") {
			t.Errorf("help: %q", out)
		}
		for _, args := range [][]string{
			{"accounts"},
			{"accounts", "delete"},
			{"accounts", "block"},
			{"accounts", "block", "-id", "x", "-login", "y"},
			{"accounts", "block", "-id", "no-such-id"},
			{"accounts", "unblock", "-login", "no_such_name"},
			{"accounts", "block", "-login", "a b"},
		} {
			if _, err := b.run(t, args...); err == nil {
				t.Errorf("%v succeeds", args)
			}
		}
	})
}
