package redisstore

import (
	"context"
	_ "embed" // for the script
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

var (
	//go:embed scripts/fingerprint.lua
	fingerprint string

	fingerprintScript = redis.NewScript(fingerprint)
)

// keepFingerprint is how long keys are remembered that no process uses: a deployment may be stopped for a while.
const keepFingerprint = 30 * 24 * time.Hour

// ForeignError says that the namespace is used by a deployment with other keys.
type ForeignError struct {
	Namespace string
	Own       []string // ids of our keys
	Theirs    []string // ids of the keys that are used there
}

// Error names no key but by its id.
func (e *ForeignError) Error() string {
	return fmt.Sprintf("another deployment uses the namespace %s of this Redis with other keys (theirs: %s; ours: %s)",
		e.Namespace, strings.Join(e.Theirs, ", "), strings.Join(e.Own, ", "))
}

// Claim says that the store's keys are used in its namespace, and returns a *[ForeignError] when others are. What it
// writes opens nothing; it is written again where it got lost. While keys are rotated, the old and the new set share one.
func (s *Store) Claim(ctx context.Context) error { return s.claim(ctx, "0") }

// CheckClaim is [Store.Claim] without writing anything.
func (s *Store) CheckClaim(ctx context.Context) error { return s.claim(ctx, "1") }

func (s *Store) claim(ctx context.Context, lookOnly string) error {
	prints := s.keys.Fingerprints()
	ids := slices.Sorted(maps.Keys(prints))
	args := []any{keepFingerprint.Milliseconds(), lookOnly}
	for _, id := range ids {
		args = append(args, id, prints[id])
	}
	theirs, err := fingerprintScript.Run(ctx, s.client, []string{s.space.fingerprintKey()}, args...).StringSlice()
	if err != nil {
		return fmt.Errorf("compare keys: %w", err)
	}
	if len(theirs) > 0 {
		slices.Sort(theirs)
		return &ForeignError{Namespace: strings.TrimSuffix(string(s.space), ":"), Own: ids, Theirs: theirs}
	}
	return nil
}

// fingerprintKey is a hash: fingerprints of the keys that are used in the namespace, by their ids.
func (k keyspace) fingerprintKey() string { return string(k) + "keys" }
