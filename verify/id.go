package verify

import (
	"strconv"
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

// MessageID returns the id under which vendors know the message of a code after so many resends. The first message has the code's
// own id. Each resend has another one, because a vendor does not send a message twice whose id it knows. Like the ids of codes it
// consists of letters, digits, underscores and hyphens.
func MessageID(code string, resends int) string {
	if resends <= 0 {
		return code
	}
	return code + "-" + strconv.Itoa(resends+1)
}

// CodeOf returns the code and the resends that a message's id of [MessageID] stands for; ok is false for other text.
func CodeOf(message string) (code string, resends int, ok bool) {
	code = message[:min(len(message), idLength)]
	if _, ok := SubjectOf(code); !ok {
		return "", 0, false
	}
	if len(message) > idLength {
		number, err := strconv.Atoi(strings.TrimPrefix(message[idLength:], "-"))
		if resends = number - 1; err != nil || resends < 1 || message != MessageID(code, resends) {
			return "", 0, false
		}
	}
	return code, resends, true
}
