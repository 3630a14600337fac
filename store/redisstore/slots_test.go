package redisstore_test

import (
	"errors"
	"regexp"
	"testing"

	"usher/internal/testkit"
	"usher/messages"
	"usher/store/redisconn"
	"usher/verify"
)

// Redis Cluster gives each node a range of slots. None may have far more than its share of the 64 tags, or it
// has as much more to do.
func TestStore_spreads_its_tags_over_the_nodes_of_a_cluster(t *testing.T) {
	t.Parallel()
	b := setup(t, testkit.Miniredis(t))
	if _, _, err := b.store.Outcomes().Read(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	tags, inBraces := map[string]bool{}, regexp.MustCompile(`\{(.+)\}`)
	for _, cmd := range b.trips.commands {
		if cmd.Name() == "xrange" {
			tags[inBraces.FindStringSubmatch(cmd.Args()[1].(string))[1]] = true
		}
	}
	if len(tags) != 64 {
		t.Fatalf("%d tags, want 64", len(tags))
	}
	for _, nodes := range []int{2, 3, 6} {
		counts := make([]int, nodes)
		for tag := range tags {
			counts[int(crc16(tag)%16384)*nodes/16384]++
		}
		for _, n := range counts {
			if share := 64 / float64(nodes); float64(n) > 1.5*share || float64(n) < share/1.5 {
				t.Errorf("%d nodes have %v of the tags", nodes, counts)
			}
		}
	}
}

// crc16 is the checksum that decides a key's slot: XMODEM's.
func crc16(text string) uint16 {
	var sum uint16
	for i := range len(text) {
		sum ^= uint16(text[i]) << 8
		for range 8 {
			if sum&0x8000 != 0 {
				sum = sum<<1 ^ 0x1021
			} else {
				sum <<= 1
			}
		}
	}
	return sum
}

// A full Redis takes no task, so the code that was filed a moment before has to go back.
func TestCodes_Void_works_when_memory_is_full(t *testing.T) {
	t.Parallel()
	server := testkit.RedisServer(t)
	server.Start(t)
	b := setup(t, server.URL())
	issue := newIssue()
	if err := b.store.Codes().Issue(t.Context(), issue); err != nil {
		t.Fatal(err)
	}
	client, err := redisconn.Open(server.URL(), redisconn.Settings{Timeout: testkit.RedisPatience})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	if err := client.ConfigSet(t.Context(), "maxmemory", "1").Err(); err != nil {
		t.Fatal(err)
	}
	if err := b.store.Codes().Issue(t.Context(), newIssue()); err == nil {
		t.Fatal("memory is not full")
	}
	if err := b.store.Codes().Void(t.Context(), messages.SMS, issue.ID, ""); err != nil {
		t.Errorf("Void: %v", err)
	}
	if _, err := b.store.Codes().Status(t.Context(), issue.ID); !errors.Is(err, verify.ErrNotFound) {
		t.Errorf("Status of the void code: %v", err)
	}
	entries, _, err := b.store.Outcomes().Read(t.Context(), 1000)
	if err != nil || len(entries) != 2 || entries[1].Record.Reason != "unqueued" {
		t.Errorf("noted: %+v, %v", entries, err)
	}
}
