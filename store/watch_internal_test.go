package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"
)

// watched returns a logger with its watch, a clock to be turned, and what was written so far.
func watched(level slog.Level) (*slog.Logger, *Watch, *time.Time, func() []string) {
	var out bytes.Buffer
	logger := slog.New(Quiet(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: level})))
	watch, now := WatchOf(logger), time.Now()
	watch.now = func() time.Time { return now }
	return logger, watch, &now, func() []string {
		defer out.Reset()
		return strings.Split(strings.TrimSpace(out.String()), "\n")
	}
}

func outageOf(d Dependency, class Class) *Outage {
	return &Outage{Of: d, Class: class, Reason: string(d) + " cannot be reached", Cure: "start it", Err: errors.New("connection refused")}
}

func TestWatch_writes_a_line_at_the_beginning_one_a_minute_and_one_at_the_end(t *testing.T) {
	t.Parallel()
	logger, watch, now, lines := watched(slog.LevelInfo)
	watch.Answered(Redis)
	o := outageOf(Redis, Unavailable)
	for range 150 * 10 { // ten tries a second
		watch.Failed(o)
		logger.Warn("due mails not enqueued", "error", fmt.Errorf("ping queue: %w", o))
		logger.With("queue", "sms").Error("asynq", "detail", "Failed to dequeue: "+o.Error())
		*now = now.Add(100 * time.Millisecond)
	}
	*now = now.Add(calm)
	watch.Answered(Redis)
	watch.Answered(Redis)
	got := lines()
	if len(got) != 4 || !strings.Contains(got[0], `msg="dependency unavailable" dependency=redis`) || !strings.Contains(got[0], `to_do="start it"`) ||
		!strings.Contains(got[1], "still unavailable") || !strings.Contains(got[1], "unavailable_seconds=60") || !strings.Contains(got[2], "unavailable_seconds=120") ||
		!strings.Contains(got[3], "dependency available again") || !strings.Contains(got[3], "lines_left_out=3000") {
		t.Errorf("the log has %d lines:\n%s", len(got), strings.Join(got, "\n"))
	}
	logger.Warn("due mails not enqueued", "error", o)
	if got := lines(); !strings.Contains(got[0], "due mails not enqueued") {
		t.Error("after the outage a line is still left out")
	}
}

func TestWatch_leaves_out_nothing_else(t *testing.T) {
	t.Parallel()
	logger, watch, _, lines := watched(slog.LevelInfo)
	o := outageOf(Redis, Unavailable)
	watch.Failed(o)
	lines()
	for name, log := range map[string]func(){
		"another dependency": func() { logger.Warn("line", "error", outageOf(Database, Unavailable)) },
		"another error":      func() { logger.Warn("line", "error", errors.New("no such template")) },
		"one message":        func() { logger.Warn("line", "sms_code_id", "abc", "error", o) },
		"one request":        func() { logger.With("request_id", "abc").Warn("line", "error", o) },
		"information":        func() { logger.Info("line", "error", o) },
	} {
		if log(); !strings.Contains(lines()[0], "msg=line") {
			t.Errorf("%s: the line is left out", name)
		}
	}
	if logger.Warn("line", "error", o); lines()[0] != "" {
		t.Error("a line about the outage is written")
	}
	verbose, watch, _, lines := watched(slog.LevelDebug)
	watch.Failed(o)
	lines()
	if verbose.WarnContext(context.Background(), "line", "error", o); !strings.Contains(lines()[0], "level=DEBUG msg=line") {
		t.Error("at the level of debugging the line is left out")
	}
}

func TestWatch_counts_repeated_failures_as_one_outage(t *testing.T) {
	t.Parallel()
	for class, rest := range map[Class]time.Duration{Unavailable: calm, Unwritable: calmUnwritable} {
		_, watch, now, lines := watched(slog.LevelInfo)
		for range 20 {
			watch.Failed(outageOf(Database, class))
			*now = now.Add(rest / 2)
			watch.Answered(Database)
		}
		*now = now.Add(rest)
		watch.Answered(Database)
		got := strings.Join(lines(), "\n")
		if strings.Count(got, "dependency unavailable") != 1 || strings.Count(got, "dependency available again") != 1 {
			t.Errorf("class %d: %s", class, got)
		}
	}
	_, watch, _, lines := watched(slog.LevelInfo)
	watch.Failed(outageOf(Redis, Refused)) // one command: the others may pass
	if watch.states[Redis] != nil || lines()[0] != "" {
		t.Error("one command that is refused counts as an outage")
	}
	var none *Watch
	none.Failed(outageOf(Redis, Unavailable))
	none.Answered(Redis)
}
