package redisstore_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"usher/contact"
	"usher/internal/testkit"
	"usher/limits"
	"usher/verify"
)

// The golden file was written before numbers of other regions existed. A process of that version finds the same codes and the limits of
// the prefix; those of the number are in a record since decision 43.
func TestStore_keeps_a_mainland_number_under_the_keys_of_every_release(t *testing.T) {
	t.Parallel()
	testkit.EachRedis(t, func(t *testing.T, url string) {
		b := newFixture(t, url)
		mobile, err := contact.ParseMobile("+86 138 0013 8000")
		if err != nil {
			t.Fatal(err)
		}
		b.store.In("mainland-golden")
		b.store.Rules.Set = limits.Defaults()
		defer func() { b.client.Del(t.Context(), namesOf(t, b.client)...) }()

		subject := b.keys.Index("mobile", mobile.Reveal())
		issue := verify.Issue{
			ID: subject + strings.Repeat("r", 22), Subject: subject, Purpose: verify.Login, To: mobile.String(), KeyID: "k1", MAC: "mac",
			IssuedAt: b.clock.Now(), ExpiresAt: b.clock.Now().Add(5 * time.Minute), MaxAttempts: 5, ResendAfter: time.Minute,
		}
		b.spend(t, limits.Spend{Limit: b.store.Rules.Set[limits.SMSPrefix], Subject: mobile.Prefix()},
			limits.Spend{Limit: b.store.Rules.Set[limits.SMSConversion], Subject: mobile.Prefix()})
		for _, err := range []error{
			b.codes.Issue(t.Context(), issue), b.store.Gate().Entered(t.Context(), mobile),
			b.store.Gate().Know(t.Context(), time.Hour, "192.0.2.0/24", mobile.Reveal()),
		} {
			if err != nil {
				t.Fatal(err)
			}
		}
		testkit.Golden(t, "mainland_keys.golden", []byte(contentOf(t, b.client)))
	})
}

// namesOf returns the keys that the golden test has made.
func namesOf(t *testing.T, client redis.UniversalClient) []string {
	t.Helper()
	names, err := client.Keys(t.Context(), "mainland-golden:*").Result()
	if err != nil {
		t.Error(err)
	}
	slices.Sort(names)
	return names
}

// contentOf lists the keys, and what the hashes among them hold.
func contentOf(t *testing.T, client redis.UniversalClient) string {
	t.Helper()
	var lines strings.Builder
	for _, name := range namesOf(t, client) {
		fmt.Fprintln(&lines, name)
		fields, _ := client.HGetAll(t.Context(), name).Result() // none for a key of another type
		for _, field := range slices.Sorted(maps.Keys(fields)) {
			fmt.Fprintf(&lines, "  %s=%s\n", field, fields[field])
		}
	}
	return lines.String()
}
