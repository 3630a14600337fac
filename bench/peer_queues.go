package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// buildQueues builds the program of peers/queues, a module of its own: its dependencies are none of Usher's.
func buildQueues(ctx context.Context, s *testbed) error {
	root, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", "usher").Output()
	if err != nil {
		return fmt.Errorf("find the folder of usher: %w", err)
	}
	dir := filepath.Join(strings.TrimSpace(string(root)), "bench", "peers", "queues")
	if said, err := exec.CommandContext(ctx, "go", "build", "-C", dir, "-o", s.queues(), ".").CombinedOutput(); err != nil {
		return fmt.Errorf("build the queue peers: %w: %s", err, said)
	}
	_, err = s.db.Unwrap().ExecContext(ctx, "create database river")
	return err
}

// queues is the path of the built program.
func (s *testbed) queues() string { return filepath.Join(s.dir, "queues") }

// river is River on a database of its own on our PostgreSQL, with its defaults or tuned.
func (b *bench) river(count int, delay time.Duration, tuned bool) contender {
	// Its defaults fetch once in 100 ms, a hundred jobs at most here.
	about := row{peer: "River, default settings, 100 workers", target: ofPeer(2)}
	settings := map[string]any{"count": count / 5, "workers": 100}
	if tuned {
		settings = map[string]any{"count": count, "workers": 500, "tuned": true}
		about = row{peer: "River, tuned: 500 workers, fetches at once"}
	}
	floor := b.queueFloor(count, delay)
	settings["vendor_url"], settings["key_id"], settings["key_secret"] = floor.VendorURL, floor.KeyID, floor.KeySecret
	settings["database_url"] = strings.Replace(b.testbed.postgres.URL(), "/postgres?", "/river?", 1)
	return contender{about, thePeer, printed(func() (*process, error) {
		spec, err := json.Marshal(settings)
		if err != nil {
			return nil, err
		}
		return start(b.testbed.dir, "river", nil, b.testbed.queues(), string(spec))
	})}
}
