package secrets

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"fmt"
	"strings"
)

// maxSealed bounds the input of Open: a sealed address is far smaller.
const maxSealed = 4096

// Seal encrypts a number or an address with AES-256-GCM under the first key. The context, such as a task's type and id, is
// authenticated with it: a sealed value that is moved to another place does not open. The result has the form "keyid.base64url".
func (k *Keys) Seal(plain, context string) string {
	sub := k.first()
	box := sub.seal.Seal(nil, nil, []byte(plain), []byte(sub.id+"\x00"+context)) //nolint:gosec // the cipher makes the nonce
	return sub.id + "." + base64.RawURLEncoding.EncodeToString(box)
}

// Open decrypts what [Keys.Seal] made with the same context. It returns [ErrUnknownKey] or [ErrForged].
func (k *Keys) Open(sealed, context string) (string, error) {
	id, encoded, found := strings.Cut(sealed, ".")
	if !found || len(sealed) > maxSealed {
		return "", ErrForged
	}
	sub, err := k.find(id)
	if err != nil {
		return "", err
	}
	box, err := base64.RawURLEncoding.DecodeString(encoded)
	if err != nil {
		return "", ErrForged
	}
	plain, err := sub.seal.Open(nil, nil, box, []byte(id+"\x00"+context))
	if err != nil {
		return "", ErrForged
	}
	return string(plain), nil
}

// SealedBy returns the id of the key of a sealed value, or "" for other text. It opens nothing.
func SealedBy(sealed string) string {
	id, _, found := strings.Cut(sealed, ".")
	if !found || !IsKeyID(id) {
		return ""
	}
	return id
}

// newAEAD returns the cipher of a key, which puts the nonce in front of what it seals. Random 96-bit nonces are safe for 2^32 values under one key, far more than the messages of a
// rotation period.
func newAEAD(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("make cipher: %w", err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, fmt.Errorf("make cipher mode: %w", err)
	}
	return aead, nil
}
