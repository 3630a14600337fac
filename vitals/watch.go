package vitals

import (
	"sync"
	"time"
)

// forgetAfter is how long a finding may be missing before it counts as a new one: a figure may cross a threshold to and fro.
const forgetAfter = 2 * time.Minute

// Watch remembers since when each finding has stood, for those that do not tell themselves. It is safe for concurrent use;
// the zero value is ready.
type Watch struct {
	mu    sync.Mutex
	first time.Time // of the first look
	seen  map[[2]string]spell
}

// spell is the time in which a finding was there.
type spell struct {
	since, last time.Time
	atLeast     bool
}

// Date sets [Finding.Since] of findings at a time, which does not go back. What was there at the first look may be older.
func (w *Watch) Date(at time.Time, found []Finding) []Finding {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.seen == nil {
		w.seen, w.first = map[[2]string]spell{}, at
	}
	for i := range found {
		f := &found[i]
		key := [2]string{f.Rule, f.About}
		known, ok := w.seen[key]
		if !ok || at.Sub(known.last) > forgetAfter {
			known = spell{since: at, atLeast: at.Equal(w.first)}
		}
		known.last = at
		w.seen[key] = known
		if f.Since.IsZero() {
			f.Since, f.AtLeast = known.since, known.atLeast
		}
	}
	for key, known := range w.seen {
		if at.Sub(known.last) > forgetAfter {
			delete(w.seen, key)
		}
	}
	return found
}
