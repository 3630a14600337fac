package secrets

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"math/bits"
)

// Derivation names one issued code. The same fields always give the same digits, so a code is never
// stored and a retry sends what the first attempt sent.
type Derivation struct {
	KeyID   string // the key that was first when the code was issued; see [Keys.SigningID]
	ID      string // the code's id, 128 random bits in it
	Mobile  string // the full canonical number
	Purpose string
	Length  int // digits, 4 to 8
}

// SigningID returns the id of the key that signs new codes, to be kept beside each of them.
func (k *Keys) SigningID() string { return k.first().id }

// Code derives the digits of an issued code. It returns ErrUnknownKey when the key has been taken
// out of the configuration since.
func (k *Keys) Code(d Derivation) (string, error) {
	sub, err := k.find(d.KeyID)
	if err != nil {
		return "", err
	}
	sum := sub.code.sum(d.ID, d.Mobile, d.Purpose)
	return decimal(sum, d.Length), nil
}

// CheckMAC returns what is stored to compare an entered code with. It is bound to the code's id, so
// that the same digits issued twice leave different traces.
func (k *Keys) CheckMAC(d Derivation, code string) (string, error) {
	sub, err := k.find(d.KeyID)
	if err != nil {
		return "", err
	}
	sum := sub.check.sum(d.ID, d.Mobile, d.Purpose, code)
	return base64.RawURLEncoding.EncodeToString(sum), nil
}

// Index returns a keyed hash under which a store may file a number, an address or a token: the same
// for every process and over rotations, since the last configured key makes it. The kind keeps equal
// texts of different meaning apart.
func (k *Keys) Index(kind, value string) string {
	sum := k.index().index.sum(kind, value)
	return base64.RawURLEncoding.EncodeToString(sum[:16])
}

// Random returns n random bytes in URL-safe base64.
func Random(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails: crypto/rand ends the program instead
	return base64.RawURLEncoding.EncodeToString(b)
}

// decimal reduces a MAC to digits. It scales the top 64 bits instead of taking a remainder: the bias
// is below 2^-37 for eight digits.
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
