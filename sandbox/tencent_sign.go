package sandbox

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	tencentAlgorithm = "TC3-HMAC-SHA256"

	// tencentTolerance is how far a request's timestamp may be from the server's clock.
	tencentTolerance = 5 * time.Minute

	maxSignedHeaders = 32
)

var tencentAuthorization = regexp.MustCompile(
	`^TC3-HMAC-SHA256 Credential=([^/]+)/([0-9]{4}-[0-9]{2}-[0-9]{2})/sms/tc3_request, *SignedHeaders=([a-z0-9;-]+), *Signature=([0-9a-f]{64})$`)

// authenticateTencent checks key, timestamp and signature. Like the vendor it knows no nonce, so that a request may be repeated
// while its timestamp is valid.
func (s *Server) authenticateTencent(c *tencentCall) (refusal tencentRefusal, refused bool) {
	fail := func(code, message string) (tencentRefusal, bool) {
		return tencentRefusal{"AuthFailure." + code, message}, true
	}
	const mismatch = "The provided credentials could not be validated. Please check your signature is correct."
	parts := tencentAuthorization.FindStringSubmatch(c.header.Get("Authorization"))
	seconds, err := strconv.ParseInt(c.header.Get("X-TC-Timestamp"), 10, 64)
	at := time.Unix(seconds, 0).UTC()
	keys := s.config.Credentials.Tencent
	switch {
	case c.method != http.MethodPost:
		return tencentRefusal{"UnsupportedProtocol", "The sandbox supports POST only."}, true
	case c.header.Get("X-TC-Timestamp") == "":
		return missingTencent("Timestamp"), true
	case err != nil:
		return tencentRefusal{"InvalidParameter", "The Timestamp is not a number of seconds."}, true
	case parts == nil:
		return fail("InvalidAuthorization", "The Authorization in the request header is invalid.")
	case c.header.Get("X-TC-Token") != "":
		return fail("TokenFailure", "The token is invalid: the sandbox issues none.")
	case parts[1] != keys.SecretID:
		return fail("SecretIdNotFound", "The SecretId is not found, please ensure that your SecretId is correct.")
	case s.config.Now().Sub(at).Abs() > tencentTolerance:
		return fail("SignatureExpire", "Signature expired: the timestamp and the server's time differ by more than five minutes.")
	case parts[2] != at.Format(time.DateOnly):
		return fail("SignatureFailure", mismatch)
	}
	names := strings.Split(parts[3], ";")
	if len(names) > maxSignedHeaders || !slices.Contains(names, "content-type") || !slices.Contains(names, "host") {
		return fail("InvalidAuthorization", "The signed headers lack content-type or host.")
	}
	for _, host := range []string{c.host, hostOnly(c.host)} { // the SDK for Node signs no port, which the vendor's host has not
		if want := c.signature("sms", keys.SecretKey, host, names, at); hmac.Equal([]byte(parts[4]), []byte(want)) {
			return tencentRefusal{}, false
		}
	}
	return fail("SignatureFailure", mismatch)
}

// signature is what the request's should be. The names of the headers count in their order.
func (c *tencentCall) signature(service, key, host string, names []string, at time.Time) string {
	slices.Sort(names)
	var headers strings.Builder
	for _, name := range names {
		value := c.header.Get(name)
		if name == "host" {
			value = host
		}
		headers.WriteString(name + ":" + strings.ToLower(strings.TrimSpace(value)) + "\n")
	}
	canonical := strings.Join([]string{c.method, "/", "", headers.String(), strings.Join(names, ";"), hexSHA256(c.body)}, "\n")
	scope := at.Format(time.DateOnly) + "/" + service + "/tc3_request"
	text := strings.Join([]string{tencentAlgorithm, strconv.FormatInt(at.Unix(), 10), scope, hexSHA256([]byte(canonical))}, "\n")
	sum := []byte("TC3" + key)
	for _, part := range append(strings.Split(scope, "/"), text) {
		mac := hmac.New(sha256.New, sum)
		_, _ = mac.Write([]byte(part)) // a hash takes everything
		sum = mac.Sum(nil)
	}
	return hex.EncodeToString(sum)
}

func hexSHA256(text []byte) string {
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}
