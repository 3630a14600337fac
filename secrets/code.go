package secrets

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"hash"
	"math/bits"
	"sync"
)

// Derivation identifies one issued code. The same fields always give the same code, so that a code need not be stored and a retry
// sends the same code.
type Derivation struct {
	KeyID   string // the key that was first when the code was issued; see [Keys.SigningID]
	ID      string // the code's id, which contains 128 random bits
	To      string // the full canonical number, or an address as package verify marks it
	Purpose string
	Length  int // characters, 4 to 8

	// Alphabet is what the code is made of. The zero value is [Digits], as in codes that were queued before there was another.
	Alphabet Alphabet
}

// Alphabet names the characters of a code.
type Alphabet string

// The alphabets of codes.
const (
	Digits Alphabet = "digits"
	// Alphanumeric has capital letters and digits. Characters that are easily taken for one another are left out (0 O, 1 I L, 2 Z,
	// 5 S, 8 B, U V), and vowels, so that no code is a word. Its codes have more than a hundred times as many values as digits.
	Alphanumeric Alphabet = "alphanumeric"
)

// Characters returns the characters of the alphabet, each once, or "" when there is no such alphabet.
func (a Alphabet) Characters() string {
	switch a {
	case "", Digits:
		return "0123456789"
	case Alphanumeric:
		return "34679CDFGHJKMNPQRTVWXY"
	default:
		return ""
	}
}

// SigningID returns the id of the key that derives new codes, which must be stored with each of them.
func (k *Keys) SigningID() string { return k.first().id }

// Code derives an issued code. It returns [ErrUnknownKey] when the key was removed from the configuration, and an error for an unknown
// alphabet.
func (k *Keys) Code(d Derivation) (string, error) {
	sub, err := k.find(d.KeyID)
	if err != nil {
		return "", err
	}
	characters := d.Alphabet.Characters()
	if characters == "" {
		return "", errors.New("derive code: unknown alphabet")
	}
	sum := sub.code.sum(d.ID, d.To, d.Purpose)
	return spell(sum, characters, d.Length), nil
}

// CheckMAC returns the MAC that is stored to compare an entered code with. It is bound to the code's id, so that equal characters of two
// codes have different MACs.
func (k *Keys) CheckMAC(d Derivation, code string) (string, error) {
	sub, err := k.find(d.KeyID)
	if err != nil {
		return "", err
	}
	sum := sub.check.sum(d.ID, d.To, d.Purpose, code)
	return base64.RawURLEncoding.EncodeToString(sum), nil
}

// Index returns a keyed hash by which a store can find a number, an address or a token. It is the same in every process and during
// rotations, because the last configured key makes it. The kind separates equal texts of different meaning.
func (k *Keys) Index(kind, value string) string {
	sub, _ := k.find(k.indexer) // ParseKeys makes sure that it exists
	sum := sub.index.sum(kind, value)
	return base64.RawURLEncoding.EncodeToString(sum[:16])
}

// Random returns n random bytes in URL-safe base64.
func Random(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails: crypto/rand ends the program instead
	return base64.RawURLEncoding.EncodeToString(b)
}

// spell converts a MAC to a code of the characters. It scales the top 64 bits instead of computing a remainder: the bias is below
// 2^-28 for eight of 22 characters, and below 2^-37 for eight digits.
func spell(sum []byte, characters string, length int) string {
	base, limit := uint64(len(characters)), uint64(1)
	for range length {
		limit *= base
	}
	n, _ := bits.Mul64(binary.BigEndian.Uint64(sum), limit)
	code := make([]byte, length)
	for i := length - 1; i >= 0; i-- {
		code[i] = characters[n%base]
		n /= base
	}
	return string(code)
}

// macs makes MACs with one key. It is safe for concurrent use; make it with newMACs.
type macs struct {
	idle sync.Pool // of *macState: setting up a key takes as long as computing a MAC
}

type macState struct {
	hash hash.Hash
	text []byte
}

// newMACs returns the MACs of a key.
func newMACs(key []byte) *macs {
	return &macs{sync.Pool{New: func() any { return &macState{hash: hmac.New(sha256.New, key)} }}}
}

// sum returns the HMAC-SHA256 of the parts. Each is preceded by its length, so that two different lists of parts never have the same
// input.
func (m *macs) sum(parts ...string) []byte {
	s, _ := m.idle.Get().(*macState)
	defer m.idle.Put(s)
	s.text = s.text[:0]
	for _, part := range parts {
		s.text = binary.BigEndian.AppendUint32(s.text, uint32(len(part)))
		s.text = append(s.text, part...)
	}
	s.hash.Reset()
	s.hash.Write(s.text)
	clear(s.text) // numbers and codes must not stay in the pool
	return s.hash.Sum(nil)
}
