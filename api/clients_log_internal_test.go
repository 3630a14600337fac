package api

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"usher/internal/testkit"
)

func TestClientCounts_logs_the_busiest_of_a_minute(t *testing.T) {
	t.Parallel()
	logger, log := testkit.Logger(t)
	var counts clientCounts
	at := time.Date(2031, 5, 6, 7, 8, 9, 0, time.UTC)
	for client := range 8 {
		for range 17 + client { // the last five reach 20
			counts.note(fmt.Sprint("192.0.2.", client), at, logger)
		}
	}
	if log.String() != "" {
		t.Fatalf("logged before a minute was over: %s", log)
	}
	counts.note("192.0.2.9", at.Add(time.Minute), logger)
	want := `"clients":["192.0.2.7: 24","192.0.2.6: 23","192.0.2.5: 22","192.0.2.4: 21","192.0.2.3: 20"],"busy_clients":5`
	if got := log.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, want) {
		t.Errorf("got %s, want one line with %s", got, want)
	}
	counts.note("192.0.2.9", at.Add(2*time.Minute), logger)
	if got := log.String(); strings.Count(got, "\n") != 1 {
		t.Errorf("a quiet minute is logged: %s", got)
	}
}
