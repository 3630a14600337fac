package apps

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"
)

// Store keeps apps and their keys.
type Store interface {
	// Find returns the key with this id, valid or revoked, and its app, or ErrNotFound.
	Find(ctx context.Context, keyID string) (App, Key, error)

	// Used notes that a key was used in an hour, unless a later hour is noted.
	Used(ctx context.Context, keyID string, hour time.Time) error
}

const (
	// Fresh is how long a key that was found is not looked up again: a key that is revoked is accepted for as long at most.
	Fresh = 3 * time.Second

	// maxCached bounds the memory of a process. Only keys that exist are kept, so that invented ones take no room.
	maxCached = 1024

	// maxNotes bounds the keys whose use waits to be written. What does not fit is noted at the next use.
	maxNotes = 256

	// noHash is as long as a hash, and no text has it.
	noHash = "unknown_________________________________________________________"

	// noteTimeout bounds the writing of one use.
	noteTimeout = 5 * time.Second
)

// Keyring finds the app of a key. It is safe for concurrent use; make it with [NewKeyring], and let [Keyring.Run] write which keys
// were used.
type Keyring struct {
	store  Store
	now    func() time.Time
	logger *slog.Logger
	used   chan use

	mu    sync.Mutex
	known map[string]*found
}

// found is a key that was looked up.
type found struct {
	app   App
	key   Key
	since time.Time
	noted time.Time // the hour of the last use that was handed to Run
}

// use is the use of a key in an hour.
type use struct {
	keyID string
	hour  time.Time
}

// NewKeyring returns a keyring that looks keys up in the store.
func NewKeyring(store Store, now func() time.Time, logger *slog.Logger) *Keyring {
	return &Keyring{store: store, now: now, logger: logger, used: make(chan use, maxNotes), known: map[string]*found{}}
}

// Cached reports whether [Keyring.Authenticate] needs no look-up for a key with this id.
func (k *Keyring) Cached(keyID string) bool {
	_, ok := k.cached(keyID)
	return ok
}

// Authenticate returns the app of a key and the key's id. It returns [ErrKey] for a text that is no key, an unknown or revoked key and
// a wrong secret part, and any other error when the store cannot be asked.
func (k *Keyring) Authenticate(ctx context.Context, text string) (app App, keyID string, err error) {
	keyID, ok := KeyID(text)
	if !ok {
		return App{}, "", ErrKey
	}
	f, ok := k.cached(keyID)
	if !ok {
		if f, err = k.find(ctx, keyID); err != nil {
			return App{}, keyID, err
		}
	}
	// Compared also for a revoked key, so that each refusal takes the same time.
	if right := f.key.matches(text); !right || !f.key.Valid() {
		return App{}, keyID, ErrKey
	}
	k.note(keyID, f)
	return f.app, keyID, nil
}

// cached returns a key that was looked up a moment ago.
func (k *Keyring) cached(keyID string) (*found, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	f, ok := k.known[keyID]
	return f, ok && k.now().Sub(f.since) < Fresh
}

// find looks a key up. For an unknown one it returns a key that no text matches.
func (k *Keyring) find(ctx context.Context, keyID string) (*found, error) {
	app, key, err := k.store.Find(ctx, keyID)
	if errors.Is(err, ErrNotFound) {
		return &found{key: Key{Hash: noHash}}, nil
	}
	if err != nil {
		return nil, err
	}
	f := &found{app: app, key: key, since: k.now(), noted: key.LastUsedAt}
	k.mu.Lock()
	defer k.mu.Unlock()
	if before, ok := k.known[keyID]; ok && before.noted.After(f.noted) {
		f.noted = before.noted // it may not be written yet
	}
	if len(k.known) >= maxCached {
		clear(k.known) // they are looked up again
	}
	k.known[keyID] = f
	return f, nil
}

// note hands the first use of an hour to Run.
func (k *Keyring) note(keyID string, f *found) {
	hour := k.now().UTC().Truncate(time.Hour)
	k.mu.Lock()
	defer k.mu.Unlock()
	if !hour.After(f.noted) {
		return
	}
	select {
	case k.used <- use{keyID, hour}:
		f.noted = hour
	default:
	}
}

// Run writes which keys were used, until the context ends. A use that cannot be written is logged: the next hour has another one.
func (k *Keyring) Run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case u := <-k.used:
			bounded, cancel := context.WithTimeout(ctx, noteTimeout)
			if err := k.store.Used(bounded, u.keyID, u.hour); err != nil && ctx.Err() == nil {
				k.logger.WarnContext(ctx, "use of an app key not noted; the list of keys shows an earlier hour", "key_id", u.keyID, "error", err)
			}
			cancel()
		}
	}
}
