package redisstore_test

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// enter starts a session of an owner as a sign-in does.
func (b *fixture) enter(t *testing.T, owner, token string, ttl time.Duration) (id string) {
	t.Helper()
	sessions, expiry := b.store.Sessions(), b.clock.Now().Add(ttl)
	id, err := sessions.Enter(t.Context(), owner, token, expiry)
	if err == nil {
		err = sessions.CommitCtx(t.Context(), token, sessionData, expiry)
	}
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func (b *fixture) wantList(t *testing.T, owner string, want ...string) {
	t.Helper()
	list, err := b.store.Sessions().List(t.Context(), owner)
	if err != nil {
		t.Fatal(err)
	}
	want = slices.Sorted(slices.Values(want))
	if diff := cmp.Diff(want, slices.Sorted(maps.Keys(list))); diff != "" {
		t.Errorf("List (-want +got):\n%s", diff)
	}
	for id, data := range list {
		if !bytes.Equal(data, sessionData) {
			t.Errorf("session %s holds %q", id, data)
		}
	}
}

func listFound(t *testing.T, b *fixture) {
	owner := t.Name()
	b.wantList(t, owner)
	first, second := b.enter(t, owner, owner+"1", time.Hour), b.enter(t, owner, owner+"2", time.Minute)
	b.enter(t, owner+"x", owner+"3", time.Hour)
	b.wantList(t, owner, first, second)
	if again := b.enter(t, owner, owner+"1", 2*time.Hour); again != first {
		t.Errorf("id of the same session = %q, then %q", first, again)
	}
	b.wantList(t, owner, first, second)
}

func listExpires(t *testing.T, b *fixture) {
	owner := t.Name()
	b.enter(t, owner, owner+"1", time.Minute)
	second := b.enter(t, owner, owner+"2", time.Hour)
	b.clock.Advance(time.Minute)
	b.wantList(t, owner, second)
	b.clock.Advance(time.Hour - time.Minute)
	b.wantList(t, owner)
}

func listEnds(t *testing.T, b *fixture) {
	owner := t.Name()
	first, second := b.enter(t, owner, owner+"1", time.Hour), b.enter(t, owner, owner+"2", time.Hour)
	for i, want := range []int{1, 0} { // once only
		if n, err := b.store.Sessions().End(t.Context(), owner, first, "unknown"); err != nil || n != want {
			t.Errorf("End %d = %d, %v, want %d", i, n, err, want)
		}
	}
	b.wantList(t, owner, second)
	b.wantSession(t, owner+"1", false)
	b.wantSession(t, owner+"2", true)
	if n, err := b.store.Sessions().End(t.Context(), owner); err != nil || n != 0 {
		t.Errorf("End of nothing = %d, %v", n, err)
	}
}

func listStranger(t *testing.T, b *fixture) {
	owner := t.Name()
	id := b.enter(t, owner, owner+"1", time.Hour)
	if n, err := b.store.Sessions().End(t.Context(), owner+"x", id); err != nil || n != 0 {
		t.Errorf("End of a stranger's session = %d, %v", n, err)
	}
	b.wantSession(t, owner+"1", true)
	b.wantList(t, owner, id)
}

func listFull(t *testing.T, b *fixture) {
	const most = 50
	owner := t.Name()
	ids := make([]string, 0, most+1)
	for i := range most {
		ids = append(ids, b.enter(t, owner, fmt.Sprint(owner, i), time.Hour+time.Duration(i)*time.Minute))
	}
	b.wantList(t, owner, ids...)
	ids = append(ids, b.enter(t, owner, owner+"short", time.Minute)) // ends first, and is the newest
	b.wantList(t, owner, ids[1:]...)
	b.wantSession(t, owner+"0", false)
	b.wantSession(t, owner+"short", true)
}

func listHolds(t *testing.T, b *fixture) {
	const owner, token = "the-account-itself", "the-token-itself"
	id := b.enter(t, owner, token, time.Hour)
	keys, err := b.client.Keys(t.Context(), "*").Result()
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range append(keys, id) {
		if strings.Contains(text, owner) || strings.Contains(text, token) {
			t.Errorf("%q gives the owner or the token away", text)
		}
	}
	b.wantSession(t, id, false) // what is shown in the list opens nothing
}
