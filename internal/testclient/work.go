package testclient

import (
	"crypto/pbkdf2"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"strings"
	"testing"

	"usher/captcha/pow"
)

// work does the work that an answer asks beside a picture.
func (c *Client) work(asked any) string {
	c.t.Helper()
	var challenge pow.Challenge
	text, err := json.Marshal(asked)
	if err == nil {
		err = json.Unmarshal(text, &challenge)
	}
	if err != nil {
		c.t.Fatal(err)
	}
	proof, err := json.Marshal(map[string]any{"challenge": challenge, "solution": Solve(c.t, challenge)})
	if err != nil {
		c.t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(proof)
}

// Solve does the work of a challenge: it tries one counter after the other.
func Solve(t testing.TB, c pow.Challenge) map[string]any {
	t.Helper()
	nonce, err := hex.DecodeString(c.Parameters.Nonce)
	if err != nil {
		t.Fatal(err)
	}
	salt, err := hex.DecodeString(c.Parameters.Salt)
	if err != nil {
		t.Fatal(err)
	}
	for counter := range uint32(c.Parameters.Data.Most) + 1 {
		password := string(binary.BigEndian.AppendUint32(append([]byte{}, nonce...), counter))
		key, err := pbkdf2.Key(sha256.New, password, salt, c.Parameters.Cost, c.Parameters.KeyLength)
		if err != nil {
			t.Fatal(err)
		}
		if text := hex.EncodeToString(key); strings.HasPrefix(text, c.Parameters.KeyPrefix) {
			return map[string]any{"counter": counter, "derivedKey": text}
		}
	}
	t.Fatal("no counter solves the challenge")
	return nil
}
