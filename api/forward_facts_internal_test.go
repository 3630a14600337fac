package api

import (
	"errors"
	"log/slog"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"usher/internal/testkit"
)

func TestFactsCache_reads_facts_in_use_before_they_are_too_old(t *testing.T) {
	t.Parallel()
	logger, logs := testkit.Logger(t)
	cache, start := newFactsCache(logger), time.Unix(1_000_000, 0)
	var reads atomic.Int32
	release := make(chan struct{}, 10)
	read := func(signedInFacts) (signedInFacts, error) {
		n := reads.Add(1)
		<-release
		return signedInFacts{user: value(strconv.Itoa(int(n)))}, nil
	}
	get := func(after time.Duration, want string) {
		t.Helper()
		if facts, err := cache.get("k", start.Add(after), read); err != nil || facts.user[0] != want {
			t.Errorf("after %v: %v, %v; want %s", after, facts.user, err, want)
		}
	}
	release <- struct{}{}
	get(0, "1")
	get(factsRefresh-1, "1")
	if reads.Load() != 1 {
		t.Error("new facts were read again")
	}
	for range 3 {
		get(factsRefresh, "1") // does not wait
	}
	testkit.Eventually(t, testkit.Patience, func() bool { return reads.Load() == 2 }, "one request reads them again")
	release <- struct{}{}
	testkit.Eventually(t, testkit.Patience, func() bool {
		facts, err := cache.get("k", start.Add(factsTTL-1), read)
		return err == nil && facts.user[0] == "2"
	}, "the new facts are used")
	get(factsRefresh+factsRefresh-1, "2")

	// A failure in the background is not kept, and neither are the old facts beyond their time.
	broken := func(signedInFacts) (signedInFacts, error) { panic("secret") }
	if facts, err := cache.get("k", start.Add(2*factsRefresh), broken); err != nil || facts.user[0] != "2" {
		t.Errorf("while facts are read again: %v, %v", facts.user, err)
	}
	testkit.Eventually(t, testkit.Patience, func() bool { return len(logs.String()) > 0 }, "a panic is logged")
	if found := testkit.FindSecrets(logs.Bytes(), "secret"); found != nil {
		t.Errorf("the log has %v", found)
	}
	away := errors.New("away")
	if _, err := cache.get("k", start.Add(factsRefresh+factsTTL), func(signedInFacts) (signedInFacts, error) { return signedInFacts{}, away }); !errors.Is(err, away) {
		t.Errorf("facts that are too old: %v", err)
	}
}

func TestFactsCache_is_bounded(t *testing.T) {
	t.Parallel()
	cache, now := newFactsCache(slog.New(slog.DiscardHandler)), time.Unix(1_000_000, 0)
	add := func(name string, count int) {
		for i := range count {
			_, _ = cache.get(name+strconv.Itoa(i), now, func(signedInFacts) (signedInFacts, error) { return signedInFacts{}, errNotSignedIn })
		}
	}
	add("old", maxFacts/2)
	now = now.Add(factsTTL)
	add("new", maxFacts/2+1)
	if n := len(cache.entries); n != maxFacts/2+1 {
		t.Errorf("%d entries, want those that are not over", n)
	}
	add("more", maxFacts)
	if n := len(cache.entries); n > maxFacts {
		t.Errorf("%d entries", n)
	}
}
