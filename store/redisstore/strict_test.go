package redisstore_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"usher/internal/testkit"
	"usher/limits"
	"usher/store"
	"usher/store/redisconn"
	"usher/store/redisstore"
)

// The suite runs before a Redis that refuses what scripts do with keys that are not among their KEYS, as Dragonfly and
// proxies of hosted Redis do.
func TestStore_works_where_scripts_must_name_their_keys(t *testing.T) {
	t.Parallel()
	for name, suite := range map[string]func(*testing.T, string){
		"codes": codesTests.on, "limits": limitsTests.on, "conversion": conversionTests.on, "reports": reportsTests.on,
		"outcomes": outcomesTests, "scores": scoresTests.on, "workers": workersTests, "captchas": captchasTests.on,
		"answers": answersTests.on, "sessions": sessionsTests.on, "token keys": tokenKeysTests, "retry": codesRetryTests.on, "resend": codesResendTests.on,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			suite(t, testkit.StrictRedis{}.Before(t, testkit.Redis(t)))
		})
	}
}

func TestStrictRedis_refuses_undeclared_keys(t *testing.T) {
	t.Parallel()
	client, err := redisconn.Open(testkit.StrictRedis{}.Before(t, testkit.Redis(t)), redisconn.Settings{Timeout: testkit.RedisPatience})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	if err := client.Eval(t.Context(), "return redis.call('set', KEYS[1], 1)", []string{"a"}).Err(); err != nil {
		t.Error(err)
	}
	err = client.Eval(t.Context(), "return redis.call('set', KEYS[1] .. 'b', 1)", []string{"a"}).Err()
	if err == nil || !strings.Contains(err.Error(), "KEYS array") {
		t.Errorf("an undeclared key: %v", err)
	}
}

var (
	scriptCall = regexp.MustCompile(`redis\.p?call\(([^,)]*)(?:, ([^,)]*))?`)
	keyless    = map[string]bool{"'TIME'": true}
)

// Aliyun's proxies read scripts: the name of a command must be a text, and a key must be KEYS[…], not a variable.
func TestScripts_write_keys_as_proxies_want_them(t *testing.T) {
	t.Parallel()
	calls := 0
	for name, text := range scripts(t) {
		for _, call := range scriptCall.FindAllStringSubmatch(text, -1) {
			calls++
			isKey := strings.HasPrefix(call[2], "KEYS[") || strings.HasPrefix(call[2], "unpack(KEYS")
			if !strings.HasPrefix(call[1], "'") || !isKey && !keyless[call[1]] {
				t.Errorf("%s: %s", name, call[0])
			}
		}
	}
	if calls < 50 {
		t.Errorf("%d calls were read", calls)
	}
}

// scripts returns the texts of all scripts without comments, by their names.
func scripts(t *testing.T) map[string]string {
	t.Helper()
	names, err := filepath.Glob("scripts/*.lua")
	if err != nil || len(names) == 0 {
		t.Fatalf("%d scripts, %v", len(names), err)
	}
	comment := regexp.MustCompile(`(?m)--.*$`)
	texts := map[string]string{}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		texts[filepath.Base(name)] = comment.ReplaceAllString(string(text), "")
	}
	return texts
}

// probeAll runs the full probe against a URL.
func probeAll(t *testing.T, url string) (warning, err error) {
	t.Helper()
	client, err := redisconn.Open(url, redisconn.Settings{Timeout: testkit.RedisPatience})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = client.Close() }()
	return redisstore.New(client, nil, time.Now).ProbeAll(t.Context())
}

func TestProbeAll_leaves_nothing_behind(t *testing.T) {
	t.Parallel()
	testkit.EachRedis(t, func(t *testing.T, url string) {
		if warning, err := probeAll(t, url); warning != nil || err != nil {
			t.Fatalf("ProbeAll: %v, %v", warning, err)
		}
		client, err := redisconn.Open(url, redisconn.Settings{Timeout: testkit.RedisPatience})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = client.Close() }()
		if keys, err := client.Keys(t.Context(), "*").Result(); err != nil || len(keys) > 0 {
			t.Errorf("left behind: %v, %v", keys, err)
		}
	})
}

// A request spends all its limits in one script where that script sees the keys of all slots, and else in one for each slot.
func TestProbeAll_finds_out_whether_a_script_may_use_several_slots(t *testing.T) {
	t.Parallel()
	testkit.EachRedis(t, func(t *testing.T, url string) {
		for name, c := range map[string]struct {
			rules testkit.StrictRedis
			want  int
		}{
			"one server":        {testkit.StrictRedis{Undeclared: true}, 1},
			"a cluster":         {testkit.StrictRedis{Undeclared: true, OneSlot: true}, 3},
			"scattered servers": {testkit.StrictRedis{Undeclared: true, Scattered: true}, 3},
		} {
			b := setup(t, c.rules.Before(t, url))
			if warning, err := b.store.ProbeAll(t.Context()); err != nil || warning != nil {
				t.Fatalf("%s: ProbeAll: %v, %v", name, warning, err)
			}
			for _, left := range []int{4, 3} {
				b.trips.take()
				_, decision, err := b.store.Gate().Admit(t.Context(), "", []limits.Spend{
					on(t, name+"a", "slots_a", 6, time.Hour), on(t, name+"b", "slots_b", 5, time.Hour), on(t, name+"c", "slots_c", 7, time.Hour),
				})
				if err != nil || decision.Limit.Name != "slots_b" || decision.Remaining != left {
					t.Errorf("%s: %+v, %v", name, decision, err)
				}
			}
			scripts := func(cmd redis.Cmder) bool { return cmd.Name() == "evalsha" }
			if n := testkit.Count(b.trips.take(), scripts); n != c.want {
				t.Errorf("%s: %d scripts, want %d", name, n, c.want)
			}
		}
	})
}

// Processes that have found it out and others share their windows.
func TestLimits_are_the_same_in_one_script_and_in_several(t *testing.T) {
	t.Parallel()
	testkit.EachRedis(t, func(t *testing.T, url string) {
		one, several := newFixture(t, url), newFixture(t, url)
		one.probe(t)
		spends := []limits.Spend{on(t, "a", "shared_a", 9, time.Hour), on(t, "b", "shared_b", 4, time.Hour), several.guard()}
		for i := range 4 {
			if d := []*fixture{one, several}[i%2].spend(t, spends...); !d.Allowed() || d.Remaining != 3-i {
				t.Errorf("spend %d: %+v", i+1, d)
			}
		}
		for _, b := range []*fixture{one, several} {
			if d := b.spend(t, spends...); d.Refused != "shared_b" {
				t.Errorf("a fifth: %+v", d)
			}
		}
		if err := one.store.Gate().Refund(t.Context(), spends); err != nil {
			t.Fatal(err)
		}
		if d := several.spend(t, spends...); !d.Allowed() || d.Remaining != 0 {
			t.Errorf("after a refund: %+v", d)
		}
		if left, err := one.store.Gate().Left(t.Context(), spends[0]); err != nil || left != 5 {
			t.Errorf("%d left of the first: %v", left, err)
		}
	})
}

// Every command that is probed is refused once, and the sentence names it; so are those of the scripts.
func TestProbeAll_names_what_is_refused(t *testing.T) {
	t.Parallel()
	url := testkit.Redis(t)
	names := map[string]bool{}
	command := regexp.MustCompile(`redis\.p?call\('([A-Z]+)'`)
	for _, text := range scripts(t) {
		for _, call := range command.FindAllStringSubmatch(text, -1) {
			names[call[1]] = true
		}
	}
	for _, name := range []string{"GETDEL", "XRANGE", "XDEL", "XLEN", "ZRANGEBYSCORE", "ZMSCORE", "HGETALL", "SADD", "LPUSH", "INCR"} {
		names[name] = true
	}
	for name := range names {
		for _, text := range []string{
			"NOPERM User usher has no permissions to run the command", "ERR unknown command",
		} {
			rules := testkit.StrictRedis{Undeclared: true, Refused: map[string]string{name: text}}
			_, err := probeAll(t, rules.Before(t, url))
			if err == nil || !strings.Contains(err.Error(), name) || strings.Count(err.Error(), "redis refuses") > 1 {
				t.Errorf("%s refused with %q: %v", name, text, err)
			}
		}
	}
}

func TestProbeAll_reports_key_rules_and_lost_messages(t *testing.T) {
	t.Parallel()
	url := testkit.Redis(t)
	_, err := probeAll(t, testkit.StrictRedis{}.Before(t, url))
	if said := store.Advise(err); !strings.Contains(said, "script_check_enable") || !strings.Contains(said, "Asynq") {
		t.Errorf("undeclared keys refused: %v", err)
	}
	for _, name := range []string{"EVALSHA", "MULTI"} {
		rules := testkit.StrictRedis{Undeclared: true, Refused: map[string]string{name: "NOPERM no permissions"}}
		if _, err := probeAll(t, rules.Before(t, url)); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s refused: %v", name, err)
		}
	}
	for _, name := range []string{"SUBSCRIBE", "PUBLISH"} {
		rules := testkit.StrictRedis{Undeclared: true, Refused: map[string]string{name: "NOPERM no permissions"}}
		warning, err := probeAll(t, rules.Before(t, url))
		if err != nil || warning == nil || !strings.Contains(warning.Error(), name) {
			t.Errorf("%s refused: %v, %v", name, warning, err)
		}
	}
}
