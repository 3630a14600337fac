package apps

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"strings"
	"time"

	"usher/secrets"
)

// Errors of apps and keys.
var (
	// ErrKey is returned for every text that is no valid key, whatever is wrong with it.
	ErrKey = errors.New("not a valid app key")

	ErrNotFound = errors.New("no such app or key")
	ErrTwoKeys  = errors.New("the app has two valid keys already")
)

// MaxKeys is how many keys of one app are valid at a time: a new one is handed out before the old one is revoked.
const MaxKeys = 2

// Key is what is stored of a key.
type Key struct {
	ID         string
	AppID      string
	Hash       string // SHA-256 of the whole key in hex. The key has 190 random bits, so that a slow hash would add nothing
	CreatedAt  time.Time
	RevokedAt  time.Time // zero: valid
	LastUsedAt time.Time // the hour; zero: never
}

// Valid reports whether the key was not revoked.
func (k Key) Valid() bool { return k.RevokedAt.IsZero() }

// The form of a key: usk_ID_RANDOM_SUM, see [secrets.NewToken].
const (
	keyPrefix = "usk"
	idLength  = 8
	idLetters = "abcdefghijklmnopqrstuvwxyz234567"
)

// NewKey returns a new key of an app, and its text, which is shown once and stored nowhere.
func NewKey(appID string, now time.Time) (key Key, text string) {
	id := strings.ToLower(rand.Text()[:idLength])
	text = secrets.NewToken(keyPrefix + "_" + id)
	return Key{ID: id, AppID: appID, Hash: hashOf(text), CreatedAt: now}, text
}

// KeyID returns the id in a key's text, and false for a text that cannot be a key: its form or its checksum is wrong. It asks no store.
func KeyID(text string) (id string, ok bool) {
	rest, ok := strings.CutPrefix(text, keyPrefix+"_")
	if !ok || len(rest) < idLength {
		return "", false
	}
	id = rest[:idLength]
	if strings.Trim(id, idLetters) != "" || !secrets.CheckToken(keyPrefix+"_"+id, text) {
		return "", false
	}
	return id, true
}

// matches compares in constant time.
func (k Key) matches(text string) bool {
	return subtle.ConstantTimeCompare([]byte(k.Hash), []byte(hashOf(text))) == 1
}

func hashOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}
