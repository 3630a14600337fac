package redisstore

import (
	"context"
	"time"
)

// probeKey is a string: that a probe has written lately. It is one key for all processes.
func (k keyspace) probeKey() string { return string(k) + "probe" }

const probeTTL = time.Minute

// Probe tries whether Redis takes writes, which a replica or a full server does not although it answers. The
// error says in a sentence for operators what is wrong, with the server's own words behind it. [Store.ProbeAll] tries
// more.
func (s *Store) Probe(ctx context.Context) error {
	return s.client.Set(ctx, s.space.probeKey(), "", probeTTL).Err()
}
