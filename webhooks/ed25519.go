package webhooks

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"strings"
)

// The specification's second kind of signature: the sender keeps the private key, so that a receiver can verify and cannot sign.
const (
	privatePrefix = "whsk_"
	publicPrefix  = "whpk_"
	versionEd     = "v1a"
)

// NewPrivateKey returns a new Ed25519 key: whsk_ and the base64 of its seed of 32 bytes.
func NewPrivateKey() string {
	seed := make([]byte, ed25519.SeedSize)
	_, _ = rand.Read(seed) // never fails: crypto/rand ends the program instead
	return privatePrefix + base64.StdEncoding.EncodeToString(seed)
}

// PublicKey returns what a receiver verifies the signatures of a private key with: whpk_ and base64. It reports false for a shared
// secret.
func PublicKey(private string) (public string, ok bool) {
	key, err := parsePrivate(private)
	if err != nil {
		return "", false
	}
	half, _ := key.Public().(ed25519.PublicKey)
	return publicPrefix + base64.StdEncoding.EncodeToString(half), true
}

// ParseSigningKeys is [ParseKeys] for a sender that does not verify: each entry may be a private key as well.
func ParseSigningKeys(text string) (Keys, error) {
	var keys Keys
	for entry := range strings.SplitSeq(text, ",") {
		if strings.HasPrefix(entry, privatePrefix) {
			key, err := parsePrivate(entry)
			if err != nil {
				return Keys{}, err
			}
			keys.private = append(keys.private, key)
			continue
		}
		shared, err := ParseKeys(entry)
		if err != nil {
			return Keys{}, err
		}
		keys.secrets = append(keys.secrets, shared.secrets...)
	}
	if len(keys.secrets)+len(keys.private) > maxSecrets {
		return Keys{}, errTooMany
	}
	return keys, nil
}

func parsePrivate(text string) (ed25519.PrivateKey, error) {
	encoded, ok := strings.CutPrefix(text, privatePrefix)
	seed, err := base64.StdEncoding.DecodeString(encoded)
	if !ok || err != nil || len(seed) != ed25519.SeedSize {
		return nil, errors.New("want whsk_ and the base64 of 32 random bytes")
	}
	return ed25519.NewKeyFromSeed(seed), nil
}

// signEd returns the signatures of the private keys, as they stand in the header.
func (k Keys) signEd(id, timestamp string, body []byte) []string {
	signatures := make([]string, len(k.private))
	for i, key := range k.private {
		text := append([]byte(id+"."+timestamp+"."), body...)
		signatures[i] = versionEd + "," + base64.StdEncoding.EncodeToString(ed25519.Sign(key, text))
	}
	return signatures
}
