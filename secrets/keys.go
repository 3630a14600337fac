// Package secrets derives every code, token, seal and keyed hash from the configured keys.
//
// Nothing it makes can be opened with what Redis or SQL hold: the keys live in the environment only.
// The first key signs and seals, every key verifies and opens, and the last one indexes. The last entry may be
// the id alone of a key before it: "k1:…,k2:…,k1" has k2 verify only, which is how a new key is made known to
// every process before the first of them signs with it. docs/keys.md is the manual.
package secrets

import (
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

// Errors of this package. None of them quotes the value that was refused.
var (
	ErrUnknownKey = errors.New("made with a key that is not configured")
	ErrForged     = errors.New("not made with our keys, or changed since")
	ErrExpired    = errors.New("expired")
)

// minKey is the least length of a configured key in bytes: the output size of SHA-256.
const minKey = 32

// Keys holds the configured keys with a sub-key for each use. It is safe for concurrent use.
type Keys struct {
	ring    []key  // in the configured order, each once
	indexer string // id of the key that indexes
}

// key holds the sub-keys of one configured key: a break of one use must not open another.
type key struct {
	id                        string
	code, check, token, index *macs
	seal                      cipher.AEAD
	fingerprint               string
	work                      WorkSecrets
}

// WorkSecrets are the two keys of proofs of work, in hex: other libraries take keys as text.
type WorkSecrets struct{ Challenge, Key string }

// WorkSecrets returns those of every key, the one that signs first.
func (k *Keys) WorkSecrets() []WorkSecrets {
	secrets := make([]WorkSecrets, len(k.ring))
	for i := range k.ring {
		secrets[i] = k.ring[i].work
	}
	return secrets
}

// ParseKeys reads "id:base64,id:base64": ids of one to eight letters or digits, keys of at least 32
// random bytes. The last entry may be the id of a key before it. Errors name the entry by its position and id only.
func ParseKeys(spec string) (*Keys, error) {
	keys := &Keys{}
	entries := strings.Split(spec, ",")
	for i, entry := range entries {
		id, encoded, found := strings.Cut(strings.TrimSpace(entry), ":")
		if !found && i > 0 && i == len(entries)-1 && keys.Knows(id) {
			keys.indexer = id
			continue
		}
		if !found || !validID(id) {
			return nil, fmt.Errorf("entry %d: want id:base64 with an id of 1 to 8 letters or digits", i+1)
		}
		if _, err := keys.find(id); err == nil {
			return nil, fmt.Errorf("entry %d: id %s is used twice; to have an earlier key index, end with its id alone", i+1, id)
		}
		raw, err := base64.StdEncoding.DecodeString(encoded)
		if err != nil || len(raw) < minKey {
			return nil, fmt.Errorf("entry %d (%s): want at least %d random bytes in base64", i+1, id, minKey)
		}
		k, err := derive(id, raw)
		if err != nil {
			return nil, err
		}
		keys.ring, keys.indexer = append(keys.ring, k), id
	}
	return keys, nil
}

// fingerprintSize is enough that no two keys share a fingerprint.
const fingerprintSize = 16

// Fingerprints returns a text for each key by its id, equal for equal keys. It tells nothing else of the key: it is
// derived like a sub-key, and nothing else is made with it.
func (k *Keys) Fingerprints() map[string]string {
	all := make(map[string]string, len(k.ring))
	for i := range k.ring {
		all[k.ring[i].id] = k.ring[i].fingerprint
	}
	return all
}

// IDs returns the ids of the keys in the configured order, each once.
func (k *Keys) IDs() []string {
	ids := make([]string, len(k.ring))
	for i := range k.ring {
		ids[i] = k.ring[i].id
	}
	return ids
}

// Knows reports whether there is a key of this id.
func (k *Keys) Knows(id string) bool {
	_, err := k.find(id)
	return err == nil
}

// IndexID returns the id of the key that indexes; see [Keys.SigningID] for the one that signs and seals.
func (k *Keys) IndexID() string { return k.indexer }

func derive(id string, raw []byte) (key, error) {
	subs := map[string][]byte{"code": nil, "check": nil, "token": nil, "index": nil, "seal": nil, "work challenge": nil, "work key": nil, "fingerprint": nil}
	for use := range subs {
		sub, err := hkdf.Key(sha256.New, raw, nil, "usher "+use+" v1", sha256.Size)
		if err != nil {
			return key{}, fmt.Errorf("derive %s key: %w", use, err)
		}
		subs[use] = sub
	}
	seal, err := newAEAD(subs["seal"])
	return key{
		id: id, seal: seal, fingerprint: hex.EncodeToString(subs["fingerprint"][:fingerprintSize]),
		work: WorkSecrets{hex.EncodeToString(subs["work challenge"]), hex.EncodeToString(subs["work key"])},
		code: newMACs(subs["code"]), check: newMACs(subs["check"]), token: newMACs(subs["token"]), index: newMACs(subs["index"]),
	}, err
}

func validID(id string) bool {
	if id == "" || len(id) > 8 {
		return false
	}
	for _, c := range []byte(id) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
			return false
		}
	}
	return true
}

func (k *Keys) first() *key { return &k.ring[0] }

func (k *Keys) index() *key {
	sub, _ := k.find(k.indexer) // it is one of the ring
	return sub
}

func (k *Keys) find(id string) (*key, error) {
	for i := range k.ring {
		if k.ring[i].id == id {
			return &k.ring[i], nil
		}
	}
	return nil, ErrUnknownKey
}
