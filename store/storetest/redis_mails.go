package storetest

import (
	"testing"
	"time"
)

func mailNotes(t *testing.T, b *redisBundle) {
	notes, ends := b.store.Mails(), b.clock.Now().Add(time.Hour)
	want := func(attempt int, noted bool) {
		t.Helper()
		if is, err := notes.Note(t.Context(), "a mail", attempt, ends); err != nil || is != noted {
			t.Errorf("attempt %d: noted %v, %v, want %v", attempt, is, err, noted)
		}
	}
	want(1, true)
	want(2, true)
	want(4, true)
	for _, older := range []int{1, 2, 3, 4} { // the database was set back
		want(older, false)
	}
	want(5, true)
	if noted, err := notes.Note(t.Context(), "another mail", 1, ends.Add(-2*time.Hour)); err != nil || !noted {
		t.Errorf("another mail, whose end is over: noted %v, %v", noted, err)
	}
	if err := notes.Forget(t.Context(), "a mail"); err != nil {
		t.Fatal(err)
	}
	want(2, true)
	for _, key := range b.client.Keys(t.Context(), "*mail:*").Val() {
		if ttl := b.client.TTL(t.Context(), key).Val(); ttl < 59*time.Minute || ttl > 2*time.Hour {
			t.Errorf("a note stays for %v", ttl)
		}
	}
}
