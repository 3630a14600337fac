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
	"time"
)

const (
	// signatureTolerance is how far a request's timestamp may be from the server's clock.
	signatureTolerance = 15 * time.Minute

	aliyunTime = "2006-01-02T15:04:05Z"

	// maxNonce bounds what is hashed and remembered; clients send 32 to 36 characters.
	maxNonce = 128

	mismatchText = "Specified signature is not matched with our calculation. "
)

// authenticateAliyun checks key, timestamp, signature and nonce. The nonce is remembered last, so that only a client with the
// secret can use it up. A security token is not checked, because the sandbox issues none.
func (s *Server) authenticateAliyun(c *aliyunCall) *aliyunRefusal {
	verify, timestamp, nonce, nonceName := s.verifyRPC, c.params.Get("Timestamp"),
		c.params.Get("SignatureNonce"), "SignatureNonce"
	if c.isV3() {
		verify, timestamp, nonce, nonceName = s.verifyACS3, c.header.Get("x-acs-date"),
			c.header.Get("x-acs-signature-nonce"), "x-acs-signature-nonce"
	}
	if refusal := verify(c, func() *aliyunRefusal { return s.checkTimestamp(timestamp) }); refusal != nil {
		return refusal
	}
	if nonce == "" || len(nonce) > maxNonce {
		return missing(nonceName)
	}
	if !s.nonces.add(nonce, s.config.Now()) {
		return refuse400("SignatureNonceUsed", "Specified signature nonce was used already.")
	}
	return nil
}

func (s *Server) checkTimestamp(text string) *aliyunRefusal {
	if text == "" {
		return missing("Timestamp")
	}
	at, err := time.Parse(aliyunTime, text)
	if err != nil {
		return refuse400("InvalidTimeStamp.Format",
			"Specified time stamp or date value is not well formatted.")
	}
	if s.config.Now().Sub(at).Abs() > signatureTolerance {
		return refuse400("InvalidTimeStamp.Expired", "Specified time stamp or date value is expired.")
	}
	return nil
}

func (s *Server) verifyRPC(c *aliyunCall, checkTimestamp func() *aliyunRefusal) *aliyunRefusal {
	for _, name := range []string{"AccessKeyId", "Signature", "SignatureMethod", "SignatureVersion"} {
		if c.params.Get(name) == "" {
			return missing(name)
		}
	}
	if refusal := s.checkKey(c.params.Get("AccessKeyId")); refusal != nil {
		return refusal
	}
	if c.params.Get("SignatureMethod") != "HMAC-SHA1" || c.params.Get("SignatureVersion") != "1.0" {
		return incompleteSignature()
	}
	if refusal := checkTimestamp(); refusal != nil {
		return refusal
	}
	want, signed := signRPC(c.method, c.params, s.config.Credentials.Aliyun.AccessKeySecret)
	if !hmac.Equal([]byte(want), []byte(c.params.Get("Signature"))) {
		// The vendor's SDKs compare their own string to sign with the text after the colon.
		return refuse400("SignatureDoesNotMatch", mismatchText+"server string to sign is:"+signed)
	}
	return nil
}

func (s *Server) verifyACS3(c *aliyunCall, checkTimestamp func() *aliyunRefusal) *aliyunRefusal {
	authorization, ok := parseACS3(c.header)
	if !ok {
		return incompleteSignature()
	}
	if refusal := s.checkKey(authorization.keyID); refusal != nil {
		return refusal
	}
	if refusal := checkTimestamp(); refusal != nil {
		return refusal
	}
	bodyHash := sha256.Sum256(c.body)
	canonical := acs3Canonical(c, authorization.signedHeaders)
	want, signed := signACS3(canonical, s.config.Credentials.Aliyun.AccessKeySecret)
	if !hmac.Equal([]byte(want), []byte(authorization.signature)) ||
		c.header.Get("x-acs-content-sha256") != hex.EncodeToString(bodyHash[:]) {
		return refuse400("SignatureDoesNotMatch", mismatchText+"server string to sign is:"+signed+
			", server canonical request is:"+canonical)
	}
	return nil
}

func (s *Server) checkKey(id string) *aliyunRefusal {
	if id == s.config.Credentials.Aliyun.AccessKeyID {
		return nil
	}
	return &aliyunRefusal{
		"InvalidAccessKeyId.NotFound", "Specified access key is not found.", http.StatusNotFound,
	}
}

func incompleteSignature() *aliyunRefusal {
	return refuse400("IncompleteSignature", "The request signature does not conform to Aliyun standards.")
}

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

// acs3Canonical returns the canonical request of signature V3. The path is always "/": the SDKs sign no other, and another
// client may send the signed request to a path with a prefix.
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

// An acs3Authorization is the parsed Authorization header of V3.
type acs3Authorization struct {
	keyID         string
	signedHeaders []string
	signature     string
}

// parseACS3 reads the header. ok is false when a part is missing, or when a header that must be signed is not.
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
