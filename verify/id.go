package verify

import (
	"strings"

	"usher/secrets"
)

// Lengths of an id's halves: 16 bytes in base64url each.
const (
	subjectLength = 22
	idLength      = 2 * subjectLength
)

// base64Letters is the alphabet of base64url.
const base64Letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

// NewID returns the id of a new code for a subject, which must be a keyed hash made by [secrets.Keys.Index]. The id contains the
// subject, so that the number's keys can be found by it, and 128 random bits, so that it cannot be guessed.
func NewID(subject string) string { return subject + secrets.Random(16) }

// SubjectOf returns the subject that an id contains; ok is false for text that [NewID] cannot have made. An id comes from a URL and
// becomes part of a key, so no other characters are accepted.
func SubjectOf(id string) (subject string, ok bool) {
	if len(id) != idLength || strings.Trim(id, base64Letters) != "" {
		return "", false
	}
	return id[:subjectLength], true
}
