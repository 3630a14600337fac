package app_test

import (
	"strings"
	"testing"

	"github.com/alicebob/miniredis/v2/server"

	"usher/internal/testkit"
)

func TestRedisFault_is_told_and_heals_without_a_restart(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]struct {
		user, reason string
		with, cured  []any // commands of an operator
	}{
		"password wanted":  {"", "requires a password", set("requirepass", "s@crt"), set("requirepass", "")},
		"password wrong":   {":s@crt@", "refuses the user or the password", set("requirepass", "old"), set("requirepass", "s@crt")},
		"user not allowed": {"", "lacks a permission", []any{"acl", "setuser", "default", "-set"}, []any{"acl", "setuser", "default", "+set"}},
		"full":             {"", "redis is full", set("maxmemory", "1"), set("maxmemory", "0")},
		"replica":          {"", "read-only replica", []any{"replicaof", "127.0.0.1", "1"}, []any{"replicaof", "no", "one"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			form := testkit.RedisForm{}
			redis := form.Server(t)
			admin := form.Client(t, redis).Conn() // stays signed in
			t.Cleanup(func() { _ = admin.Close() })
			do := func(command []any) {
				if err := admin.Do(t.Context(), command...).Err(); err != nil {
					t.Fatal(err)
				}
			}
			do(fault.with)
			d := deploy(t, "redis://"+strings.Replace(fault.user, "s@crt", "s%40crt", 1)+redis.Addr(), testkit.SQLite(t), nil)
			if said := strings.Join(d.complaints(), ""); !strings.Contains(said, fault.reason) {
				t.Errorf("at the start %q is logged, want %q", said, fault.reason)
			}
			d.heals(t, func() {}, func() { do(fault.cured) }, fault.reason)
		})
	}
}

func set(name, value string) []any { return []any{"config", "set", name, value} }

func TestRedisAway_at_the_start(t *testing.T) {
	t.Parallel()
	form := testkit.RedisForm{}
	redis := form.Server(t)
	redis.Stop()
	d := deploy(t, redis.URL(), testkit.SQLite(t), nil)
	d.heals(t, func() {}, func() { redis.Start(t) }, "redis cannot be reached")
}

func TestRedisOld_is_told_at_the_start(t *testing.T) {
	t.Parallel()
	old := testkit.NewMiniredis(t)
	old.Server().SetPreHook(func(c *server.Peer, command string, _ ...string) bool {
		if command != "INFO" {
			return false
		}
		c.WriteBulk("# Server\r\nredis_version:6.0.16\r\n# Memory\r\nmaxmemory_policy:allkeys-lru\r\n")
		return true
	})
	d := deploy(t, "redis://"+old.Addr(), testkit.SQLite(t), nil)
	said := strings.Join(d.complaints(), "")
	for _, want := range []string{"version 6.0.16 is too old", "maxmemory-policy is allkeys-lru"} {
		if !strings.Contains(said, want) {
			t.Errorf("at the start %q is logged, want %q", said, want)
		}
	}
}
