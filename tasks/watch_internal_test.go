package tasks

import (
	"testing"
	"time"
)

func TestIssuedAt_travels_in_the_header(t *testing.T) {
	t.Parallel()
	written := time.UnixMilli(1_700_000_000_123)
	header := issuedHeader(issuedAt(t.Context(), written), time.Now()) // as the relay does with an old mail
	now := written.Add(90 * time.Second)
	if got, known := age(readIssued(t.Context(), header), now); !known || got != 90*time.Second {
		t.Errorf("age = %v, %t", got, known)
	}
	if got, _ := age(readIssued(t.Context(), header), written.Add(-time.Hour)); got != 0 {
		t.Errorf("age by a clock that is behind = %v", got)
	}
	for _, header := range []string{"", "yesterday", "-1", "0"} {
		if _, known := age(readIssued(t.Context(), header), now); known {
			t.Errorf("the header %q says an age", header)
		}
	}
}
