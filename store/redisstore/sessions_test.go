package redisstore_test

import (
	"bytes"
	"testing"
	"time"
)

// sessionsTests check that sessions are kept as scs expects.
var sessionsTests = behaviours{
	"what was written is found":         sessionFound,
	"a session ends with its time":      sessionExpires,
	"a deleted session stays deleted":   sessionDeleted,
	"a session over already is no one":  sessionOver,
	"an ended session is not revived":   sessionNotRevived,
	"a list has an owner's sessions":    listFound,
	"a list forgets what is over":       listExpires,
	"one of a list ends alone":          listEnds,
	"a stranger's session is not ended": listStranger,
	"a list makes room for the newest":  listFull,
	"a list opens nothing":              listHolds,
}

// sessionData holds what text handling would spoil.
var sessionData = []byte("a b\x00\xff\n 12 c")

func (b *fixture) commit(t *testing.T, ttl time.Duration) (token string) {
	t.Helper()
	token = t.Name()
	if err := b.store.Sessions().CommitCtx(t.Context(), token, sessionData, b.clock.Now().Add(ttl)); err != nil {
		t.Fatal(err)
	}
	return token
}

func (b *fixture) wantSession(t *testing.T, token string, want bool) {
	t.Helper()
	data, found, err := b.store.Sessions().Find(token)
	if err != nil || found != want || found && !bytes.Equal(data, sessionData) {
		t.Errorf("Find = %q, %v, %v, want %v", data, found, err, want)
	}
}

func sessionFound(t *testing.T, b *fixture) {
	token := b.commit(t, time.Hour)
	b.wantSession(t, token, true)
	b.wantSession(t, token+"x", false)
	if err := b.store.Sessions().Commit(token, []byte("other"), b.clock.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if data, _, _ := b.store.Sessions().Find(token); string(data) != "other" {
		t.Errorf("found %q after it was written again", data)
	}
}

func sessionExpires(t *testing.T, b *fixture) {
	token := b.commit(t, time.Hour)
	b.clock.Advance(time.Hour - time.Millisecond)
	b.wantSession(t, token, true)
	b.clock.Advance(time.Millisecond)
	b.wantSession(t, token, false)
}

func sessionDeleted(t *testing.T, b *fixture) {
	token := b.commit(t, time.Hour)
	for range 2 {
		if err := b.store.Sessions().Delete(token); err != nil {
			t.Fatal(err)
		}
		b.wantSession(t, token, false)
	}
}

func sessionOver(t *testing.T, b *fixture) {
	b.commit(t, time.Hour)
	b.wantSession(t, b.commit(t, -time.Second), false)
}

func sessionNotRevived(t *testing.T, b *fixture) {
	token := b.commit(t, time.Hour)
	if err := b.store.Sessions().Delete(token); err != nil {
		t.Fatal(err)
	}
	// A request that has read the session before now writes down that it was there.
	b.wantSession(t, b.commit(t, time.Hour), false)
}
