// Package rotation judges from what processes have recorded whether a key for tokens may sign, and whether it may be dropped.
// It knows keys by their public names (kid) alone, so that stores and tools need no JOSE library.
package rotation

import "time"

// Times between the steps of a rotation.
const (
	// PublishFor is how long all processes must have published a key before it signs: caches and verifiers keep the old set.
	PublishFor = time.Hour

	// KeepFor is how long a key must be published after it last signed: the longest life of a token, and a quarter of an hour
	// for verifiers whose clocks are wrong or who answer late.
	KeepFor = 25 * time.Minute

	// RecordEvery is the interval at which a process records its keys. Times in the history are that much too early.
	RecordEvery = time.Minute
)

// History is what the processes of a deployment have recorded of their keys. The zero value is that of a deployment that
// never had any, or whose Redis was lost.
type History struct {
	Began time.Time // when the first process recorded keys
	Keys  map[string]Use
}

// Use is the history of one key. A time is zero where nothing was recorded.
type Use struct {
	Published time.Time // first time that a process published it
	Missing   time.Time // last time that a process published other keys and not this one
	Signed    time.Time // last time that it was the one that signs
}

// MaySign returns when the key may sign at the earliest; zero: now. The key of a deployment without a history may sign
// at once, and so may the key that signs already.
func (h History) MaySign(kid string, now time.Time) time.Time {
	use := h.Keys[kid]
	if h.Began.IsZero() || now.Sub(use.Signed) < 2*RecordEvery {
		return time.Time{}
	}
	since := use.Published
	if since.IsZero() {
		since = now // it is not published yet
	}
	if use.Missing.After(since) {
		since = use.Missing
	}
	return notBefore(since.Add(PublishFor), now)
}

// MayDrop returns when the key may be dropped at the earliest; zero: now. A history that began lately may not know that the key
// has signed before.
func (h History) MayDrop(kid string, now time.Time) time.Time {
	use, known := h.Keys[kid]
	if !known {
		return time.Time{} // tokens are signed by keys with a history
	}
	last := use.Signed
	if h.Began.After(last) {
		last = h.Began
	}
	return notBefore(last.Add(KeepFor), now)
}

func notBefore(at, now time.Time) time.Time {
	if !at.After(now) {
		return time.Time{}
	}
	return at
}
