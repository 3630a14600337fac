// Package secrets derives every code, token, seal and keyed hash from the configured keys.
//
// The contents of Redis and the database do not suffice to open anything: the keys are in the environment only. The first key signs
// and seals, every key verifies and opens, and the last one indexes. The last entry may be the id of an earlier key alone: with
// "k1:…,k2:…,k1" the key k2 only verifies, so that every process can learn a new key before the first one signs with it.
// docs/keys.md is the manual.
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
	ErrForged     = errors.New("not made with the configured keys, or changed since")
	ErrExpired    = errors.New("expired")
)

// minKey is the least length of a configured key in bytes: the output size of SHA-256.
const minKey = 32

// Keys are the configured keys, each with a sub-key for each use. It is safe for concurrent use; make it with [ParseKeys].
type Keys struct {
	ring    []key  // in the configured order, each once
	indexer string // id of the key that indexes
}

// key is the sub-keys of one configured key: when one use is broken, the others must stay safe.
type key struct {
	id                        string
	code, check, token, index *macs
	seal                      cipher.AEAD
	fingerprint               string
	work                      WorkSecrets
}

// Several tells whether more than one key is set, as during a rotation.
func (k *Keys) Several() bool { return len(k.ring) > 1 }

// WorkSecrets are the two keys of proofs of work, in hex: other libraries take keys as text.
type WorkSecrets struct{ Challenge, Key string }

// WorkSecrets returns the secrets of every key, beginning with the key that signs.
func (k *Keys) WorkSecrets() []WorkSecrets {
	secrets := make([]WorkSecrets, len(k.ring))
	for i := range k.ring {
		secrets[i] = k.ring[i].work
	}
	return secrets
}

// ParseKeys reads "id:base64,id:base64": ids of one to eight letters or digits, keys of at least 32 random bytes. The last entry may
// be the id of an earlier key. Errors name an entry by its position and id only.
func ParseKeys(spec string) (*Keys, error) {
	keys := &Keys{}
	entries := strings.Split(spec, ",")
	for i, entry := range entries {
		id, encoded, found := strings.Cut(strings.TrimSpace(entry), ":")
		if !found && i > 0 && i == len(entries)-1 && keys.Knows(id) {
			keys.indexer = id
			continue
		}
		if !found || !IsKeyID(id) {
			return nil, fmt.Errorf("entry %d: want id:base64 with an id of 1 to 8 letters or digits", i+1)
		}
		if _, err := keys.find(id); err == nil {
			return nil, fmt.Errorf("entry %d: id %s is used twice; to index with an earlier key, add its id alone as the last entry", i+1, id)
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

// fingerprintSize is long enough that two keys do not have the same fingerprint.
const fingerprintSize = 16

// Fingerprints returns a text for each key by its id, equal for equal keys. It reveals nothing else about the key: it is derived like
// a sub-key and has no other use.
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

// Knows reports whether there is a key with this id.
func (k *Keys) Knows(id string) bool {
	_, err := k.find(id)
	return err == nil
}

// IndexID returns the id of the key that indexes; see [Keys.SigningID] for the one that signs and seals.
func (k *Keys) IndexID() string { return k.indexer }

// derive computes the sub-keys. Their names are part of everything that is stored.
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

// IsKeyID reports whether a text can be the id of a key: 1 to 8 letters or digits, which may stand in front of a dot or a colon.
func IsKeyID(id string) bool {
	const alphanumeric = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	return id != "" && len(id) <= 8 && strings.Trim(id, alphanumeric) == ""
}

// first returns the key that signs and seals.
func (k *Keys) first() *key { return &k.ring[0] }

// find returns the key with the id, or [ErrUnknownKey]. There are two or three keys, so a map would not be faster.
func (k *Keys) find(id string) (*key, error) {
	for i := range k.ring {
		if k.ring[i].id == id {
			return &k.ring[i], nil
		}
	}
	return nil, ErrUnknownKey
}
