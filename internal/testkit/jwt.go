package testkit

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"maps"
	"strings"
	"testing"
)

// JWTParts decodes header and body of a token without verifying it.
func JWTParts(t testing.TB, token string) (header, body map[string]any) {
	t.Helper()
	segments := strings.Split(token, ".")
	if len(segments) != 3 {
		t.Fatalf("the token has %d parts", len(segments))
	}
	for i, into := range []*map[string]any{&header, &body} {
		text, err := base64.RawURLEncoding.DecodeString(segments[i])
		if err == nil {
			err = json.Unmarshal(text, into)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return header, body
}

// JWTSegment encodes the header or the body of a token.
func JWTSegment(t testing.TB, values any) string {
	t.Helper()
	text, err := json.Marshal(values)
	if err != nil {
		t.Fatal(err)
	}
	return base64.RawURLEncoding.EncodeToString(text)
}

// ForgeJWT signs any header and body by ES256 with the key of an entry of USHER_TOKEN_KEYS.
func ForgeJWT(t testing.TB, entry string, header, body any) string {
	t.Helper()
	_, encoded, _ := strings.Cut(entry, ":")
	der, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		t.Fatal(err)
	}
	private, ok := parsed.(*ecdsa.PrivateKey)
	if !ok {
		t.Fatalf("the key is a %T", parsed)
	}
	signed := JWTSegment(t, header) + "." + JWTSegment(t, body)
	digest := sha256.Sum256([]byte(signed))
	r, s, err := ecdsa.Sign(rand.Reader, private, digest[:])
	if err != nil {
		t.Fatal(err)
	}
	const half = 32
	signature := append(r.FillBytes(make([]byte, half)), s.FillBytes(make([]byte, half))...)
	return signed + "." + base64.RawURLEncoding.EncodeToString(signature)
}

// With returns a copy of the values with one changed; nil removes it.
func With(values map[string]any, name string, value any) map[string]any {
	changed := maps.Clone(values)
	if changed[name] = value; value == nil {
		delete(changed, name)
	}
	return changed
}
