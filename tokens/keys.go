// Package tokens signs the JSON Web Tokens that other services verify by themselves, and publishes the keys to verify them with.
// It is the only package that knows the JOSE library.
//
// There are two kinds, each with a type of its own in the header, so that one is never accepted as the other: a session token says
// who is signed in, and a proof says that a person has the number or address of a verification. All are signed with ES256.
//
// The keys are asymmetric and not derived from the secret keys: a holder of the public ones can verify and cannot sign. Their
// private halves are in the environment only. The first key signs and all of them are published; docs/keys.md is the manual.
package tokens

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/go-jose/go-jose/v4"

	"usher/config"
	"usher/secrets"
)

// maxKeys bounds the set that every verifier downloads. A rotation needs two.
const maxKeys = 8

// Keys are the configured keys. It is safe for concurrent use; make it with [ParseKeys].
type Keys struct {
	ring []key // in the configured order; the first one signs
	jwks []byte
}

// Several tells whether more than one key is set, as during a rotation.
func (k *Keys) Several() bool { return len(k.ring) > 1 }

// key is one configured key.
type key struct {
	id      string // in the settings
	kid     string // in tokens and in the published set
	private *ecdsa.PrivateKey
}

// Key describes a key without its private half.
type Key struct {
	ID    string // in the settings
	KID   string // thumbprint of the public key (RFC 7638), in the header of tokens
	Signs bool
}

// ParseKeys reads "id:base64,id:base64": ids of one to eight letters or digits, and private keys on the curve P-256 in PKCS #8 (DER).
// Errors name an entry by its position and id only.
func ParseKeys(spec string) (*Keys, error) {
	keys := &Keys{}
	entries := strings.Split(spec, ",")
	if len(entries) > maxKeys {
		return nil, fmt.Errorf("want at most %d keys", maxKeys)
	}
	for i, entry := range entries {
		k, err := parseKey(strings.TrimSpace(entry))
		if err != nil {
			return nil, fmt.Errorf("entry %d: %w", i+1, err)
		}
		for _, earlier := range keys.ring {
			if earlier.id == k.id {
				return nil, fmt.Errorf("entry %d: id %s is used twice", i+1, k.id)
			}
			if earlier.kid == k.kid {
				return nil, fmt.Errorf("entry %d (%s): the same key as %s", i+1, k.id, earlier.id)
			}
		}
		keys.ring = append(keys.ring, k)
	}
	set := jose.JSONWebKeySet{}
	for _, k := range keys.ring {
		set.Keys = append(set.Keys, jose.JSONWebKey{Key: &k.private.PublicKey, KeyID: k.kid, Algorithm: string(jose.ES256), Use: "sig"})
	}
	var err error
	keys.jwks, err = json.Marshal(set)
	return keys, err
}

// errKey says what an entry must be, without the entry.
var errKey = errors.New("want id:base64 with an id of 1 to 8 letters or digits and a P-256 private key in PKCS #8 (admin keys generate)")

func parseKey(entry string) (key, error) {
	id, encoded, _ := strings.Cut(entry, ":")
	if !secrets.IsKeyID(id) {
		return key{}, errKey
	}
	der, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return key{}, errKey
	}
	parsed, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return key{}, errKey
	}
	private, ok := parsed.(*ecdsa.PrivateKey)
	if !ok || private.Curve != elliptic.P256() {
		return key{}, errKey
	}
	public := jose.JSONWebKey{Key: &private.PublicKey}
	thumbprint, err := public.Thumbprint(crypto.SHA256)
	if err != nil {
		return key{}, errKey
	}
	return key{id: id, kid: base64.RawURLEncoding.EncodeToString(thumbprint), private: private}, nil
}

// NewKey makes a key and returns it as an entry of the setting.
func NewKey(id string) (config.Secret, error) {
	if !secrets.IsKeyID(id) {
		return "", errors.New("want an id of 1 to 8 letters or digits")
	}
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", err
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	return config.Secret(id + ":" + base64.StdEncoding.EncodeToString(der)), err
}

// List describes the keys in the configured order.
func (k *Keys) List() []Key {
	list := make([]Key, len(k.ring))
	for i, key := range k.ring {
		list[i] = Key{ID: key.id, KID: key.kid, Signs: i == 0}
	}
	return list
}

// JWKS returns the JSON Web Key Set of the public keys. The caller must not change it.
func (k *Keys) JWKS() []byte { return k.jwks }

// find returns the public key that a token's header names.
func (k *Keys) find(kid string) (*ecdsa.PublicKey, error) {
	for i := range k.ring {
		if k.ring[i].kid == kid {
			return &k.ring[i].private.PublicKey, nil
		}
	}
	return nil, ErrUnknownKey
}
