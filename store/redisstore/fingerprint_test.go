package redisstore_test

import (
	"encoding/base64"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"usher/internal/testkit"
	"usher/secrets"
	"usher/store/redisconn"
	"usher/store/redisstore"
)

// keyText is an entry of USHER_SECRET_KEYS.
func keyText(id, letter string) string {
	return id + ":" + base64.StdEncoding.EncodeToString([]byte(strings.Repeat(letter, 32)))
}

func parseKeys(t *testing.T, entries ...string) *secrets.Keys {
	t.Helper()
	keys, err := secrets.ParseKeys(strings.Join(entries, ","))
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

func TestClaim_refuses_other_keys_and_takes_rotated_ones(t *testing.T) {
	t.Parallel()
	testkit.EachRedis(t, func(t *testing.T, url string) {
		client, err := redisconn.Open(url, redisconn.Settings{Timeout: testkit.RedisPatience})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = client.Close() })
		claim := func(namespace string, entries ...string) error {
			return redisstore.New(client, parseKeys(t, entries...), time.Now).In(namespace).Claim(t.Context())
		}
		a, b, c := keyText("a", "1"), keyText("b", "2"), keyText("c", "3")
		for step, entries := range [][]string{{a}, {a, b, "a"}, {b, a}, {b}, {c, b}} {
			if err := claim("", entries...); err != nil {
				t.Fatalf("rotation %d: %v", step, err)
			}
		}
		for name, entries := range map[string][]string{
			"no key in common":              {keyText("d", "4")},
			"the same id of another key":    {keyText("b", "9")},
			"a common key and a false twin": {c, keyText("b", "9")},
		} {
			foreign, ok := errors.AsType[*redisstore.ForeignError](claim("", entries...))
			if !ok || !slices.Contains(foreign.Theirs, "b") || foreign.Namespace != "usher" {
				t.Errorf("%s: %v", name, foreign)
			}
		}
		if err := claim("other", keyText("d", "4")); err != nil {
			t.Errorf("another namespace: %v", err)
		}
		keepsNothing(t, client, a)
		client.Del(t.Context(), "usher:keys")
		if err := claim("", keyText("d", "4")); err != nil {
			t.Errorf("after Redis was emptied: %v", err)
		}
	})
}

// keepsNothing checks that the fingerprints are not the key, and end.
func keepsNothing(t *testing.T, client redis.UniversalClient, entry string) {
	t.Helper()
	_, key, _ := strings.Cut(entry, ":")
	kept := client.HGetAll(t.Context(), "usher:keys").Val()
	for id, print := range kept {
		if len(print) != 32 || strings.Contains(print, key[:16]) {
			t.Errorf("%s: %s", id, print)
		}
	}
	if ttl := client.PTTL(t.Context(), "usher:keys").Val(); len(kept) != 3 || ttl <= 0 {
		t.Errorf("%d fingerprints, for %v", len(kept), ttl)
	}
}
