// Package pow makes and verifies proofs of work in the wire form of ALTCHA version 2 (https://altcha.org/docs/v2), which
// many libraries and a widget support.
//
// In a challenge the client searches the counter whose key, PBKDF2 of nonce and counter, begins with a prefix. The server
// has chosen the counter and signs the key, so that it verifies with two HMACs and no derivation. The client needs as many
// derivations as the counter. A proof has a price but does not show a person: what it opens needs limits.
//
// A [Maker] stores nothing. The caller stores the id of a challenge and deletes it with the first answer, so that a proof
// works once.
package pow

import (
	"bytes"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"time"

	"usher/captcha/challenge"
)

// The parameters that all challenges share. The server derives one key for each challenge, which at 2,000 rounds takes a
// third of the time of a picture. With fewer rounds a slow browser would spend more time on calls than on the work.
const (
	algorithm = "PBKDF2/SHA-256"
	rounds    = 2000
	keyLength = sha256.Size
	idBytes   = 16
)

// maxPayload bounds a payload in bytes; a proof has about 760.
const maxPayload = 1024

// ErrInvalid is returned for every payload that does not prove the work of the challenge: malformed, changed, for another
// challenge, expired, or without the key.
var ErrInvalid = errors.New("no proof of this work")

// Secrets are the two keys of a [Maker], as text: one signs challenges, the other one signs the keys to be found.
type Secrets struct{ Challenge, Key string }

// Maker makes challenges and verifies proofs. It is safe for concurrent use.
type Maker struct {
	// Secrets verify; the first pair signs. There is at least one.
	Secrets []Secrets

	// Most is the highest number of derivations of a challenge of the normal price. The mean is a quarter less.
	Most int
}

// Challenge is what a client gets, in ALTCHA's JSON.
type Challenge struct {
	Parameters Parameters `json:"parameters"`
	Signature  string     `json:"signature"`
}

// Parameters are signed as JSON in the alphabetic order of their names, which is that of the fields.
type Parameters struct {
	Algorithm    string `json:"algorithm"`
	Cost         int    `json:"cost"` // rounds of one derivation
	Data         Data   `json:"data"`
	ExpiresAt    int64  `json:"expiresAt"` // in seconds of Unix time
	KeyLength    int    `json:"keyLength"`
	KeyPrefix    string `json:"keyPrefix"` // the first half of the key, in hex
	KeySignature string `json:"keySignature"`
	Nonce        string `json:"nonce"` // the id of the challenge, in hex
	Salt         string `json:"salt"`
}

// Data is an addition of ours.
type Data struct {
	Most  int             `json:"most"` // the highest possible counter; for a progress bar
	Price challenge.Price `json:"price"`
}

// payload is a client's answer, as JSON in base64.
type payload struct {
	Challenge Challenge `json:"challenge"`
	Solution  solution  `json:"solution"`
}

type solution struct {
	Counter    uint32  `json:"counter"`
	DerivedKey string  `json:"derivedKey"` // in hex
	Time       float64 `json:"time,omitempty"`
}

// Make returns a challenge of a price that expires at a time, with the id to store.
func (m *Maker) Make(price challenge.Price, end time.Time) (id string, c Challenge, err error) {
	nonce, salt := make([]byte, idBytes), make([]byte, idBytes)
	_, _ = rand.Read(nonce) // never fails since Go 1.24
	_, _ = rand.Read(salt)
	most := m.Most * price.Times()
	n, err := rand.Int(rand.Reader, big.NewInt(int64(most-most/2)+1)) // from half of most to most
	if err != nil {
		return "", Challenge{}, fmt.Errorf("choose counter: %w", err)
	}
	counter := uint32(int64(most/2) + n.Int64()) //nolint:gosec // most is far below
	key, err := derive(nonce, salt, counter)
	if err != nil {
		return "", Challenge{}, err
	}
	secrets := m.Secrets[0]
	c.Parameters = Parameters{
		Algorithm: algorithm, Cost: rounds, Data: Data{most, price}, ExpiresAt: end.Unix(), KeyLength: keyLength,
		KeyPrefix: hex.EncodeToString(key[:keyLength/2]), KeySignature: sign(secrets.Key, key),
		Nonce: hex.EncodeToString(nonce), Salt: hex.EncodeToString(salt),
	}
	c.Signature = sign(secrets.Challenge, c.Parameters.canonical())
	return encoding.EncodeToString(nonce), c, nil
}

// encoding makes an id in the form of package captcha from a nonce.
var encoding = base32.StdEncoding.WithPadding(base32.NoPadding)

func derive(nonce, salt []byte, counter uint32) ([]byte, error) {
	password := binary.BigEndian.AppendUint32(bytes.Clone(nonce), counter)
	key, err := pbkdf2.Key(sha256.New, string(password), salt, rounds, keyLength)
	if err != nil {
		return nil, fmt.Errorf("derive key: %w", err)
	}
	return key, nil
}

// Verify returns nil if a payload proves the work of the challenge with this id, and otherwise [ErrInvalid].
func (m *Maker) Verify(id, encoded string, now time.Time) error {
	p, key, ok := parse(encoded)
	if !ok {
		return ErrInvalid
	}
	nonce, err := hex.DecodeString(p.Challenge.Parameters.Nonce)
	if err != nil || encoding.EncodeToString(nonce) != id || now.Unix() >= p.Challenge.Parameters.ExpiresAt {
		return ErrInvalid
	}
	signed := p.Challenge.Parameters.canonical()
	for _, s := range m.Secrets {
		if equal(p.Challenge.Signature, sign(s.Challenge, signed)) {
			if !equal(p.Challenge.Parameters.KeySignature, sign(s.Key, key)) {
				return ErrInvalid
			}
			return nil
		}
	}
	return ErrInvalid
}

// parse decodes a payload and its key.
func parse(encoded string) (p payload, key []byte, ok bool) {
	if len(encoded) > maxPayload {
		return payload{}, nil, false
	}
	text, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return payload{}, nil, false
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&p); err != nil || decoder.More() {
		return payload{}, nil, false
	}
	key, err = hex.DecodeString(p.Solution.DerivedKey)
	return p, key, err == nil && len(key) == keyLength
}

// canonical is the text that is signed: JSON as JavaScript writes it, with the names in order.
func (p Parameters) canonical() []byte {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(p) // texts and numbers can always be encoded
	return bytes.TrimRight(text.Bytes(), "\n")
}

func sign(secret string, text []byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(text)
	return hex.EncodeToString(mac.Sum(nil))
}

func equal(given, want string) bool { return hmac.Equal([]byte(given), []byte(want)) }
