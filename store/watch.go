package store

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// reminder is how often the log says that a dependency is still away.
	reminder = time.Minute
	// calm is how long nothing must have failed before a dependency counts as back, so that one which answers every
	// other command is one outage. While it only refuses writes, reads say nothing, and writes may be rare.
	calm           = time.Second
	calmUnwritable = 15 * time.Second
)

// Watch tells the log of a process about its dependencies: one line when one goes, one a minute while it is away, one
// when it is back. What other code logs about the same outage is left out meanwhile, see [Quiet]. Outages of the class
// [Refused] are not its subject. It is safe for concurrent use. A nil Watch does nothing.
type Watch struct {
	log  slog.Handler
	now  func() time.Time
	mu   sync.Mutex
	away atomic.Int32 // how many are away; read without the lock by every answer
	of   map[Dependency]*absence
}

// absence is an outage that lasts.
type absence struct {
	since, failed, told time.Time // when it began, when something failed last, when the log was told last
	class               Class
	reasons             []string // of all that failed: a handful
	hidden              int      // lines of other code that were left out
}

// Failed notes that something failed because the dependency is away.
func (w *Watch) Failed(o *Outage) {
	if w == nil || o.Class == Refused {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	now := w.now()
	a := w.of[o.Of]
	switch {
	case a == nil:
		a = &absence{since: now, told: now}
		w.of[o.Of] = a
		w.away.Add(1)
		w.tell(slog.LevelWarn, "dependency away", "dependency", o.Of, "error", o, "to_do", o.Cure)
	case now.Sub(a.told) >= reminder:
		a.told = now
		w.tell(slog.LevelWarn, "dependency still away", "dependency", o.Of, "error", o, "to_do", o.Cure,
			"away_seconds", int(now.Sub(a.since).Seconds()), "lines_left_out", a.hidden)
	}
	a.failed, a.class = now, o.Class
	if !slices.Contains(a.reasons, o.Reason) {
		a.reasons = append(a.reasons, o.Reason)
	}
}

// Answered notes that the dependency did what was asked.
func (w *Watch) Answered(d Dependency) {
	if w == nil || w.away.Load() == 0 {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	a := w.of[d]
	if a == nil {
		return
	}
	rest := calm
	if a.class == Unwritable {
		rest = calmUnwritable
	}
	if w.now().Sub(a.failed) < rest {
		return
	}
	delete(w.of, d)
	w.away.Add(-1)
	w.tell(slog.LevelInfo, "dependency back", "dependency", d,
		"away_seconds", int(a.failed.Sub(a.since).Seconds()), "lines_left_out", a.hidden)
}

// Away reports whether the dependency is away.
func (w *Watch) Away(d Dependency) bool {
	if w == nil || w.away.Load() == 0 {
		return false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.of[d] != nil
}

// hide reports whether a line with such a text is about something that is away, and counts it then.
func (w *Watch) hide(text string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, a := range w.of {
		if slices.ContainsFunc(a.reasons, func(reason string) bool { return strings.Contains(text, reason) }) {
			a.hidden++
			return true
		}
	}
	return false
}

// tell writes a line of the watch's own.
func (w *Watch) tell(level slog.Level, text string, args ...any) {
	ctx := context.Background()
	if !w.log.Enabled(ctx, level) {
		return
	}
	r := slog.NewRecord(time.Now(), level, text, 0)
	r.Add(args...)
	_ = w.log.Handle(ctx, r)
}

// quiet is a handler that leaves out what a watch has told already.
type quiet struct {
	slog.Handler

	watch *Watch
	one   bool // the logger belongs to one message or request
}

// Quiet returns a handler with a [Watch] of its own, which [WatchOf] finds. While a dependency is away it passes lines
// on at the level of debugging that tell of its [Outage] in an attribute and belong to no single message or request:
// what runs again and again in the background would repeat the same line for every try. An outage is known by its
// reason: libraries keep an error's text only.
func Quiet(next slog.Handler) slog.Handler {
	return quiet{Handler: next, watch: &Watch{log: next, now: time.Now, of: map[Dependency]*absence{}}}
}

// WatchOf returns the watch of a logger that [Quiet] made, or a new one that writes to the logger.
func WatchOf(logger *slog.Logger) *Watch {
	if q, ok := logger.Handler().(quiet); ok {
		return q.watch
	}
	return Quiet(logger.Handler()).(quiet).watch
}

// ones are attributes of lines about a single message or request. Such a line is never left out.
var ones = map[string]bool{
	"request_id": true, "message_id": true, "sms_code_id": true, "code_id": true, "account_id": true, "task_id": true,
}

// Handle implements [slog.Handler].
func (q quiet) Handle(ctx context.Context, r slog.Record) error {
	if r.Level < slog.LevelWarn || q.one || q.watch.away.Load() == 0 {
		return q.Handler.Handle(ctx, r)
	}
	one, hidden := false, false
	r.Attrs(func(a slog.Attr) bool { one = ones[a.Key]; return !one })
	if one {
		return q.Handler.Handle(ctx, r)
	}
	r.Attrs(func(a slog.Attr) bool {
		switch value := a.Value.Any().(type) {
		case error:
			hidden = q.watch.hide(value.Error())
		case string:
			hidden = q.watch.hide(value)
		}
		return !hidden
	})
	if !hidden {
		return q.Handler.Handle(ctx, r)
	}
	if r.Level = slog.LevelDebug; !q.Enabled(ctx, r.Level) {
		return nil
	}
	return q.Handler.Handle(ctx, r)
}

// WithAttrs implements [slog.Handler].
func (q quiet) WithAttrs(attrs []slog.Attr) slog.Handler {
	for _, a := range attrs {
		q.one = q.one || ones[a.Key]
	}
	q.Handler = q.Handler.WithAttrs(attrs)
	return q
}

// WithGroup implements [slog.Handler].
func (q quiet) WithGroup(name string) slog.Handler {
	q.Handler = q.Handler.WithGroup(name)
	return q
}
