// Package webhooks signs requests and checks their signatures as the Standard Webhooks specification 1.0 says.
//
// The signed text is id.timestamp.body, with the bytes of the body as they are sent. The id stays the same however often one
// message is sent, so that the receiver can drop a repeated one. The timestamp is that of the request.
//
// https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
package webhooks

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// The headers of a signed request.
const (
	HeaderID        = "Webhook-Id"
	HeaderTimestamp = "Webhook-Timestamp" // Unix seconds
	HeaderSignature = "Webhook-Signature" // versions and signatures, separated by blanks
)

// Tolerance is how far the timestamp of a request may be from the receiver's clock, in both directions. A receiver that drops
// repeated ids has to remember each for twice as long.
const Tolerance = 5 * time.Minute

const (
	secretPrefix = "whsec_"
	version      = "v1" // HMAC-SHA256

	// minSecret and maxSecret bound the bytes of a secret. The specification wants 24 to 64; an example that Svix publishes has 18.
	minSecret, maxSecret = 16, 64

	maxSecrets = 2 // the new one and the old one while they are rotated

	// maxSignature bounds the header of a request from outside: a signature has 47 characters.
	maxSignature = 1 << 10
)

// Errors of [Keys.Verify].
var (
	ErrHeaders   = errors.New("webhook-id, webhook-timestamp or webhook-signature is missing or has a wrong form")
	ErrTimestamp = errors.New("webhook-timestamp is more than five minutes from the clock of this machine")
	ErrSignature = errors.New("webhook-signature does not match")
)

// Keys are the secrets of one connection, the newest first. The zero value signs nothing and accepts nothing. They are safe for
// concurrent use, and every formatter prints them masked.
type Keys struct {
	secrets [][]byte
	private []ed25519.PrivateKey // only of [ParseSigningKeys]
}

var errTooMany = fmt.Errorf("want at most %d secrets: the new one and the old one", maxSecrets)

// ParseKeys reads one secret, or during a rotation the new and the old one with a comma between them. Each is whsec_ and the
// base64 of 24 to 64 random bytes. The error does not quote the text.
func ParseKeys(text string) (Keys, error) {
	var keys Keys
	for secret := range strings.SplitSeq(text, ",") {
		encoded, ok := strings.CutPrefix(strings.TrimSpace(secret), secretPrefix)
		key, err := base64.StdEncoding.DecodeString(encoded)
		if !ok || err != nil || len(key) < minSecret || len(key) > maxSecret {
			return Keys{}, errors.New("want whsec_ and the base64 of 24 to 64 random bytes, such as the output of " +
				`echo whsec_$(openssl rand -base64 32); two of them, with a comma between, while the secret is rotated`)
		}
		keys.secrets = append(keys.secrets, key)
	}
	if len(keys.secrets) > maxSecrets {
		return Keys{}, errTooMany
	}
	return keys, nil
}

// IsZero reports whether there is no secret.
func (k Keys) IsZero() bool { return len(k.secrets)+len(k.private) == 0 }

// Format writes a mask for every verb.
func (k Keys) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "******") }

// Sign sets the three headers. Each secret signs, so that the receiver may have either of them. The id must match [IsID].
func (k Keys) Sign(header http.Header, id string, at time.Time, body []byte) {
	timestamp := strconv.FormatInt(at.Unix(), 10)
	signatures := make([]string, len(k.secrets))
	for i, secret := range k.secrets {
		signatures[i] = version + "," + base64.StdEncoding.EncodeToString(sum(secret, id, timestamp, body))
	}
	header.Set(HeaderID, id)
	header.Set(HeaderTimestamp, timestamp)
	header.Set(HeaderSignature, strings.Join(append(signatures, k.signEd(id, timestamp, body)...), " "))
}

// Verify checks the signature of a received body against the clock of this machine, and returns the id. One match of any
// signature with any secret is enough. The caller bounds the body.
func (k Keys) Verify(header http.Header, body []byte, now time.Time) (id string, err error) {
	if err := Fresh(header, now); err != nil {
		return "", err
	}
	id = header.Get(HeaderID)
	given := signatures(header.Get(HeaderSignature))
	for _, secret := range k.secrets {
		if match(given, sum(secret, id, header.Get(HeaderTimestamp), body)) {
			return id, nil
		}
	}
	return "", ErrSignature
}

// match compares in constant time.
func match(given [][]byte, want []byte) (matches bool) {
	for _, signature := range given {
		matches = hmac.Equal(signature, want) || matches
	}
	return matches
}

// signatures reads the list of a header. It skips versions of a later specification. Some senders write a comma behind each entry,
// so what follows a second comma is ignored.
func signatures(list string) (all [][]byte) {
	for entry := range strings.FieldsSeq(list) {
		parts := strings.Split(entry, ",")
		if len(parts) < 2 || parts[0] != version {
			continue
		}
		if signature, err := base64.StdEncoding.DecodeString(parts[1]); err == nil {
			all = append(all, signature)
		}
	}
	return all
}

// Fresh checks what can be checked before the body is read: the form of the headers and the timestamp.
func Fresh(header http.Header, now time.Time) error {
	seconds, err := strconv.ParseInt(header.Get(HeaderTimestamp), 10, 64)
	signature := header.Get(HeaderSignature)
	if err != nil || !IsID(header.Get(HeaderID)) || signature == "" || len(signature) > maxSignature {
		return ErrHeaders
	}
	if now.Sub(time.Unix(seconds, 0)).Abs() > Tolerance {
		return ErrTimestamp
	}
	return nil
}

// idPattern leaves out the dot, which would make the signed text ambiguous.
var idPattern = regexp.MustCompile(`^[A-Za-z0-9_-]{1,128}$`)

// IsID reports whether a text can be the id of a message: 1 to 128 letters, digits, underscores and hyphens.
func IsID(text string) bool { return idPattern.MatchString(text) }

func sum(secret []byte, id, timestamp string, body []byte) []byte {
	mac := hmac.New(sha256.New, secret)
	_, _ = io.WriteString(mac, id+"."+timestamp+".") // a hash never fails
	_, _ = mac.Write(body)
	return mac.Sum(nil)
}
