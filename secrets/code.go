package secrets

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"math/bits"
)

// Derivation identifies one issued code. The same fields always give the same digits, so that a code need not be stored and a retry
// sends the same code.
type Derivation struct {
	KeyID   string // the key that was first when the code was issued; see [Keys.SigningID]
	ID      string // the code's id, which contains 128 random bits
	Mobile  string // the full canonical number
	Purpose string
	Length  int // digits, 4 to 8
}

// SigningID returns the id of the key that derives new codes, which must be stored with each of them.
func (k *Keys) SigningID() string { return k.first().id }

// Code derives the digits of an issued code. It returns [ErrUnknownKey] when the key was removed from the configuration.
func (k *Keys) Code(d Derivation) (string, error) {
	sub, err := k.find(d.KeyID)
	if err != nil {
		return "", err
	}
	sum := sub.code.sum(d.ID, d.Mobile, d.Purpose)
	return decimal(sum, d.Length), nil
}

// CheckMAC returns the MAC that is stored to compare an entered code with. It is bound to the code's id, so that equal digits of two
// codes have different MACs.
func (k *Keys) CheckMAC(d Derivation, code string) (string, error) {
	sub, err := k.find(d.KeyID)
	if err != nil {
		return "", err
	}
	sum := sub.check.sum(d.ID, d.Mobile, d.Purpose, code)
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

// decimal converts a MAC to digits. It scales the top 64 bits instead of computing a remainder: the bias is below 2^-37 for eight
// digits.
func decimal(sum []byte, length int) string {
	limit := uint64(1)
	for range length {
		limit *= 10
	}
	n, _ := bits.Mul64(binary.BigEndian.Uint64(sum), limit)
	digits := make([]byte, length)
	for i := length - 1; i >= 0; i-- {
		digits[i] = byte('0' + n%10)
		n /= 10
	}
	return string(digits)
}
