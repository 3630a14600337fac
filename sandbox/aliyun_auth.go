package sandbox

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
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

// authenticateAliyun checks key, timestamp, signature and nonce. The nonce is remembered last, so that
// nobody without the secret can spend it. A security token is taken as given: the sandbox issues none.
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
		// The vendor's SDKs cut their own string to sign against the text behind the colon.
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
