package secrets

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"sync"
)

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
		s.text = binary.BigEndian.AppendUint32(s.text, uint32(len(part))) //nolint:gosec // Texts are far shorter.
		s.text = append(s.text, part...)
	}
	s.hash.Reset()
	s.hash.Write(s.text)
	clear(s.text) // numbers and codes must not stay in the pool
	return s.hash.Sum(nil)
}
