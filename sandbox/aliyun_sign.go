package sandbox

import (
	"crypto/hmac"
	"crypto/sha1" // signature v1 is HMAC-SHA1 by the vendor's definition
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

const acs3Algorithm = "ACS3-HMAC-SHA256"

// hmacSHA1 returns the Base64 form of the HMAC; the caller adds the ampersand to the key.
func hmacSHA1(key, text string) string {
	mac := hmac.New(sha1.New, []byte(key))
	mac.Write([]byte(text))
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// rpcStringToSign returns what signature v1 signs. Parameters with an empty value count: official
// clients send and sign an empty SignatureType.
// https://help.aliyun.com/zh/sdk/product-overview/rpc-mechanism
func rpcStringToSign(method string, params url.Values) string {
	return method + "&%2F&" + percentEncode(canonicalQuery(params, "Signature"))
}

// signRPC returns signature v1 and the text it signs.
func signRPC(method string, params url.Values, secret string) (signature, signed string) {
	signed = rpcStringToSign(method, params)
	return hmacSHA1(secret+"&", signed), signed
}

// canonicalQuery sorts by name in byte order and percent-encodes, leaving one name out.
func canonicalQuery(params url.Values, except string) string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(params)) {
		if name == except {
			continue
		}
		for _, value := range params[name] {
			if b.Len() > 0 {
				b.WriteByte('&')
			}
			b.WriteString(percentEncode(name))
			b.WriteByte('=')
			b.WriteString(percentEncode(value))
		}
	}
	return b.String()
}

// percentEncode leaves only letters, digits and -_.~ as they are. The form encoding of the standard
// library differs in the blank alone.
func percentEncode(s string) string {
	return strings.ReplaceAll(url.QueryEscape(s), "+", "%20")
}

// acs3Canonical returns the canonical request of signature V3. The path is always "/", because the
// SDKs take no other and a client of its own may carry the signed request to a prefix.
// https://help.aliyun.com/zh/sdk/product-overview/v3-request-structure-and-signature
func acs3Canonical(c *aliyunCall, signedHeaders []string) string {
	bodyHash := sha256.Sum256(c.body)
	var b strings.Builder
	b.WriteString(c.method + "\n/\n" + canonicalQuery(c.query, "") + "\n")
	for _, name := range signedHeaders {
		value := strings.TrimSpace(c.header.Get(name))
		if name == "host" {
			value = c.host // net/http moves it out of the header
		}
		b.WriteString(name + ":" + value + "\n")
	}
	b.WriteString("\n" + strings.Join(signedHeaders, ";") + "\n" + hex.EncodeToString(bodyHash[:]))
	return b.String()
}

// signACS3 returns signature V3 and the text it signs.
func signACS3(canonical, secret string) (signature, signed string) {
	hash := sha256.Sum256([]byte(canonical))
	signed = acs3Algorithm + "\n" + hex.EncodeToString(hash[:])
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(signed))
	return hex.EncodeToString(mac.Sum(nil)), signed
}

// An acs3Authorization is the Authorization header of V3, taken apart.
type acs3Authorization struct {
	keyID         string
	signedHeaders []string
	signature     string
}

// parseACS3 reads the header; ok is false when a part is missing or the headers that must be signed
// are not all among the signed ones.
func parseACS3(header http.Header) (a acs3Authorization, ok bool) {
	algorithm, rest, _ := strings.Cut(header.Get("Authorization"), " ")
	if algorithm != acs3Algorithm {
		return a, false
	}
	for part := range strings.SplitSeq(rest, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		switch name {
		case "Credential":
			a.keyID = value
		case "SignedHeaders":
			a.signedHeaders = strings.Split(value, ";")
		case "Signature":
			a.signature = value
		}
	}
	if a.keyID == "" || a.signature == "" || !slices.IsSorted(a.signedHeaders) {
		return a, false
	}
	for name := range header {
		if name = strings.ToLower(name); strings.HasPrefix(name, "x-acs-") &&
			!slices.Contains(a.signedHeaders, name) {
			return a, false
		}
	}
	return a, slices.Contains(a.signedHeaders, "host")
}
