package secrets

import (
	"crypto/hmac"
	"encoding/base64"
	"encoding/json"
	"strings"
	"time"
)

// Token is the signed content of a link in a mail. It is derived from stored facts alone, so that each attempt to send the mail has
// the same link and no token is stored.
type Token struct {
	Kind       string    `json:"k,omitempty"` // purpose of the link; empty for one that proves an address
	Account    string    `json:"a"`           // account id; id of the code in a link that carries one
	Generation int       `json:"g"`           // of the account's activation when the mail was sent
	Address    string    `json:"h"`           // keyed hash of the address that it proves; the sealed address beside a code
	ExpiresAt  time.Time `json:"-"`           // in whole seconds

	// What a link that carries a code needs to derive it, see [Derivation]. The key is the one that signs the token.
	Purpose  string   `json:"p,omitempty"`
	Length   int      `json:"n,omitempty"`
	Alphabet Alphabet `json:"l,omitempty"`
}

// tokenBody is the signed text, with short names to keep links short.
type tokenBody struct {
	Token

	Expires int64 `json:"e"`
}

// maxToken bounds the input of ParseToken. The longest token has the sealed form of an address of 254 characters.
const maxToken = 1024

// SignToken returns the token as URL-safe text, "keyid.body.mac". The key is named, because a retry after a rotation must return the
// same text; an empty id means the first key.
func (k *Keys) SignToken(keyID string, t Token) (string, error) {
	if keyID == "" {
		keyID = k.SigningID()
	}
	sub, err := k.find(keyID)
	if err != nil {
		return "", err
	}
	body, err := json.Marshal(tokenBody{t, t.ExpiresAt.Unix()})
	if err != nil {
		return "", err
	}
	text := keyID + "." + base64.RawURLEncoding.EncodeToString(body)
	sum := base64.RawURLEncoding.EncodeToString(sub.token.sum(text))
	return text + "." + sum, nil
}

// ParseToken verifies a token's text. It returns [ErrForged] for text that was not signed, [ErrUnknownKey] when the key was removed,
// and the token together with [ErrExpired] when it has expired.
func (k *Keys) ParseToken(text string, now time.Time) (Token, error) {
	end := strings.LastIndexByte(text, '.')
	if len(text) > maxToken || end < 0 {
		return Token{}, ErrForged
	}
	signed, sum := text[:end], text[end+1:]
	id, encoded, found := strings.Cut(signed, ".")
	if !found {
		return Token{}, ErrForged
	}
	sub, err := k.find(id)
	if err != nil {
		return Token{}, err
	}
	given, err := base64.RawURLEncoding.Strict().DecodeString(sum)
	if err != nil || !hmac.Equal(given, sub.token.sum(signed)) {
		return Token{}, ErrForged
	}
	raw, err := base64.RawURLEncoding.DecodeString(encoded)
	var body tokenBody
	if err != nil || json.Unmarshal(raw, &body) != nil {
		return Token{}, ErrForged
	}
	body.ExpiresAt = time.Unix(body.Expires, 0).UTC()
	if !now.Before(body.ExpiresAt) {
		return body.Token, ErrExpired
	}
	return body.Token, nil
}
