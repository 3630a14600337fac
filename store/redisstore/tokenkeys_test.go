package redisstore_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"usher/internal/testkit"
	"usher/tokens/rotation"
)

func TestTokenKeys(t *testing.T) {
	t.Parallel()
	testkit.EachRedis(t, tokenKeysTests)
}

// tokenKeysTests walks a rotation of two processes.
func tokenKeysTests(t *testing.T, url string) {
	t.Helper()
	b := newFixture(t, url)
	keys := b.store.TokenKeys()
	start := b.clock.Now().Truncate(time.Millisecond).UTC()
	b.clock.Set(start)
	at := func(minute int) time.Time { return start.Add(time.Duration(minute) * time.Minute) }
	want := func(what string, uses map[string]rotation.Use) {
		t.Helper()
		got, err := keys.History(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		expected := rotation.History{Keys: uses}
		if len(uses) > 0 {
			expected.Began = start
		}
		if diff := cmp.Diff(expected, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", what, diff)
		}
	}
	record := func(minute int, kids ...string) {
		t.Helper()
		b.clock.Set(at(minute))
		if err := keys.Record(t.Context(), kids...); err != nil {
			t.Fatal(err)
		}
	}
	want("at first", map[string]rotation.Use{})
	record(0, "old")
	record(10, "old", "new")
	record(11, "old") // the other process has not restarted yet
	want("published by one", map[string]rotation.Use{
		"old": {Published: at(0), Signed: at(11)}, "new": {Published: at(10), Missing: at(11)},
	})
	record(12, "old", "new")
	record(80, "new", "old")
	want("the new one signs", map[string]rotation.Use{
		"old": {Published: at(0), Signed: at(12)}, "new": {Published: at(10), Missing: at(11), Signed: at(80)},
	})
	record(120, "new")
	want("the old one is dropped", map[string]rotation.Use{
		"old": {Published: at(0), Signed: at(12), Missing: at(120)}, "new": {Published: at(10), Missing: at(11), Signed: at(120)},
	})
	if ttl := b.client.TTL(t.Context(), "usher:token_keys").Val(); ttl <= 29*24*time.Hour || ttl > 30*24*time.Hour {
		t.Errorf("the history is kept for %v", ttl)
	}
	record(80+31*24*60, "new")
	want("it is forgotten", map[string]rotation.Use{
		"new": {Published: at(10), Missing: at(11), Signed: at(80 + 31*24*60)},
	})
}
