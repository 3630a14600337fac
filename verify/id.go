package verify

import "usher/secrets"

// Lengths of an id's halves: 16 bytes in base64url each.
const (
	subjectLength = 22
	idLength      = 2 * subjectLength
)

// NewID returns the id of a new code for a subject, which must be a keyed hash as [secrets.Keys.Index]
// makes it. The id carries the subject, so that whoever holds it finds the number's keys, and 128 random
// bits, so that nobody else does.
func NewID(subject string) string { return subject + secrets.Random(16) }

// SubjectOf returns the subject that an id carries; ok is false for text that no [NewID] made. An id comes
// from a URL and becomes part of a key, so nothing but its own alphabet passes.
func SubjectOf(id string) (subject string, ok bool) {
	if len(id) != idLength {
		return "", false
	}
	for i := range len(id) {
		c := id[i]
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		if !letter && (c < '0' || c > '9') && c != '-' && c != '_' {
			return "", false
		}
	}
	return id[:subjectLength], true
}
