package redisstore

import (
	"context"

	"usher/store/redisconn"
)

// probeKey is a string: a probe has written it lately. All processes share it.
func (k keyspace) probeKey() string { return string(k) + "probe" }

// Probe tests whether Redis accepts writes, which a replica or a full server does not although it answers. The error says
// in a sentence for operators what is wrong, followed by the server's own words. [Store.ProbeAll] tests more.
func (s *Store) Probe(ctx context.Context) error {
	return s.client.Set(ctx, s.space.probeKey(), "", redisconn.ProbeTTL).Err()
}

// ProbeAll is [redisconn.ProbeAll] with the store's client and namespace.
func (s *Store) ProbeAll(ctx context.Context) (warning, err error) {
	return redisconn.ProbeAll(ctx, s.client, string(s.space))
}
