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
	// reminder is how often the log repeats that a dependency is still unavailable.
	reminder = time.Minute

	// calm is how long no call may have failed before a dependency counts as available again, so that failures of every
	// other call are one outage. calmUnwritable is longer: reads succeed meanwhile, and writes may be rare.
	calm           = time.Second
	calmUnwritable = 15 * time.Second
)

// Watch logs the outages of a process's dependencies: one line when one begins, one a minute while it lasts, and one when it
// is over. Other lines about the same outage are left out meanwhile, see [Quiet]. Outages of the class [Refused] are ignored.
// It is safe for concurrent use. A nil Watch does nothing.
type Watch struct {
	log    slog.Handler
	now    func() time.Time
	lasts  atomic.Int32 // number of unavailable dependencies; every successful call reads it, without the lock
	mu     sync.Mutex
	states map[Dependency]*unavailability
}

// unavailability is an outage that lasts.
type unavailability struct {
	since, failed, logged time.Time // when it began, and the times of the last failure and of the last line in the log
	class                 Class
	reasons               []string // of all failures: a handful
	hidden                int      // lines of other code that were left out
}

// Failed notes that a call failed with the outage.
func (w *Watch) Failed(o *Outage) {
	if w == nil || o.Class == Refused {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	now := w.now()
	u := w.states[o.Of]
	switch {
	case u == nil:
		u = &unavailability{since: now, logged: now}
		w.states[o.Of] = u
		w.lasts.Add(1)
		w.write(slog.LevelWarn, "dependency unavailable", "dependency", o.Of, "error", o, "to_do", o.Cure)
	case now.Sub(u.logged) >= reminder:
		u.logged = now
		w.write(slog.LevelWarn, "dependency still unavailable", "dependency", o.Of, "error", o, "to_do", o.Cure,
			"unavailable_seconds", int(now.Sub(u.since).Seconds()), "lines_left_out", u.hidden)
	}
	u.failed, u.class = now, o.Class
	if !slices.Contains(u.reasons, o.Reason) {
		u.reasons = append(u.reasons, o.Reason)
	}
}

// Answered notes that a call succeeded.
func (w *Watch) Answered(d Dependency) {
	if w == nil || w.lasts.Load() == 0 {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	u := w.states[d]
	if u == nil {
		return
	}
	rest := calm
	if u.class == Unwritable {
		rest = calmUnwritable
	}
	if w.now().Sub(u.failed) < rest {
		return
	}
	delete(w.states, d)
	w.lasts.Add(-1)
	w.write(slog.LevelInfo, "dependency available again", "dependency", d,
		"unavailable_seconds", int(u.failed.Sub(u.since).Seconds()), "lines_left_out", u.hidden)
}

// hide reports whether a text quotes an outage that lasts, and counts the hidden line.
func (w *Watch) hide(text string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, u := range w.states {
		if slices.ContainsFunc(u.reasons, func(reason string) bool { return strings.Contains(text, reason) }) {
			u.hidden++
			return true
		}
	}
	return false
}

// write logs a line of the watch's own.
func (w *Watch) write(level slog.Level, text string, args ...any) {
	slog.New(w.log).Log(context.Background(), level, text, args...) //nolint:sloglint // Every caller passes a constant.
}

// quiet is a handler that leaves out lines about outages that its watch has logged.
type quiet struct {
	slog.Handler

	watch *Watch
	one   bool // the logger belongs to one message or request
}

// Quiet returns a handler with a [Watch] of its own, which [WatchOf] returns. While a dependency is unavailable, the handler
// lowers lines to the level of debugging that quote the [Outage] in an attribute and belong to no single message or request:
// what runs again and again in the background would otherwise repeat the same line. An outage is recognised by its reason,
// because libraries keep an error's text only.
func Quiet(next slog.Handler) slog.Handler {
	return quiet{Handler: next, watch: &Watch{log: next, now: time.Now, states: map[Dependency]*unavailability{}}}
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
	if r.Level < slog.LevelWarn || q.one || q.watch.lasts.Load() == 0 {
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
