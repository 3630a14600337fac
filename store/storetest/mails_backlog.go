package storetest

import (
	"testing"
	"time"

	"usher/messages"
)

func mailsBacklog(t *testing.T, f *sqlFixture) {
	want := func(count int, oldest time.Time) {
		t.Helper()
		got, at, err := f.Outbox.Backlog(t.Context())
		if err != nil || got != count || !at.Equal(oldest) {
			t.Errorf("Backlog = %d since %v, %v; want %d since %v", got, at, err, count, oldest)
		}
	}
	want(0, time.Time{})
	_, first := f.created(t)
	f.clock.Advance(time.Minute)
	_, second := f.created(t)
	want(2, storedMail(first).CreatedAt)
	claim := f.claim(t, first.ID)
	want(2, storedMail(first).CreatedAt) // it is not sent yet
	f.record(t, claim, messages.Sent)
	want(1, storedMail(second).CreatedAt)
}
