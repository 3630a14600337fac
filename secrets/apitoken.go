package secrets

import (
	"crypto/hmac"
	"crypto/rand"
	"hash/crc32"
	"math/big"
	"strconv"
	"strings"
)

// The form of a token of the API: prefix_RANDOM_SUM, where RANDOM is 32 base62 digits (190 bits) and SUM is the CRC-32 of all
// before its underscore in six base62 digits. The prefix tells people and scanners of leaked secrets what the token opens, and the
// sum lets a scanner, and the API, recognize a mistyped or invented token without a database. The sum is no signature: everybody can
// compute it. GitHub's tokens have this form (github.blog, 2021-04-05).
const (
	tokenRandom = 32
	tokenSum    = 6
	tokenHandle = 12 // of a session: 71 bits
	base62      = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
)

// NewToken returns a new random token with a prefix like "usr". The store keeps a hash of it only.
func NewToken(prefix string) string {
	text := prefix + "_" + randomBase62(tokenRandom)
	return text + "_" + checksum(text)
}

// CheckToken reports whether a text has the form of [NewToken] with this prefix, and the right sum. Such a token may still be
// unknown or expired.
func CheckToken(prefix, text string) bool {
	random := len(prefix) + len("_")
	sum := random + tokenRandom + len("_")
	if len(text) != sum+tokenSum || !strings.HasPrefix(text, prefix+"_") || text[sum-1] != '_' {
		return false
	}
	if strings.Trim(text[random:sum-1], base62) != "" {
		return false
	}
	return checksum(text[:sum-1]) == text[sum:]
}

// randomBase62 returns n random digits, each equally likely.
func randomBase62(n int) string {
	const limit = 256 - 256%len(base62) // a byte above would favour the first digits
	digits := make([]byte, 0, n)
	for buffer := make([]byte, n); len(digits) < n; {
		_, _ = rand.Read(buffer) // never fails: crypto/rand ends the program instead
		for _, b := range buffer {
			if int(b) < limit && len(digits) < n {
				digits = append(digits, base62[int(b)%len(base62)])
			}
		}
	}
	return string(digits)
}

// checksum returns the CRC-32 (IEEE) of a text in base62, the highest digit first.
func checksum(text string) string {
	sum := crc32.ChecksumIEEE([]byte(text))
	digits := make([]byte, tokenSum)
	for i := tokenSum - 1; i >= 0; i-- {
		digits[i] = base62[sum%uint32(len(base62))]
		sum /= uint32(len(base62))
	}
	return string(digits)
}

// SessionPrefix begins the token of a session.
const SessionPrefix = "usr"

// NewHandle returns the random part of a session's token that stays the same when the token is rotated.
func NewHandle() string { return randomBase62(tokenHandle) }

// SessionToken returns the token of a session in one generation: the handle, and 119 bits that are derived from both. So the stores
// keep no token, and a rotation that is repeated after a lost answer returns the same one. Like [Keys.Index], by which the session
// is found, it is the same in every process and during rotations of the keys.
func (k *Keys) SessionToken(handle string, generation int) string {
	sub, _ := k.find(k.indexer) // ParseKeys makes sure that it exists
	sum := new(big.Int).SetBytes(sub.index.sum("session token", handle, strconv.Itoa(generation)))
	const digits = tokenRandom - tokenHandle
	limit := new(big.Int).Exp(big.NewInt(int64(len(base62))), big.NewInt(digits), nil)
	secret := sum.Mod(sum, limit).Text(len(base62)) // of 256 bits; the bias is below 2^-128
	text := SessionPrefix + "_" + handle + strings.Repeat("0", digits-len(secret)) + secret
	return text + "_" + checksum(text)
}

// SessionHandle returns the handle of a session's token, or "" for a text that is none.
func SessionHandle(token string) string {
	if !CheckToken(SessionPrefix, token) {
		return ""
	}
	const start = len(SessionPrefix) + len("_")
	return token[start : start+tokenHandle]
}

// IsSessionToken reports, in constant time, whether a text is the token of a session in a generation.
func (k *Keys) IsSessionToken(token, handle string, generation int) bool {
	return hmac.Equal([]byte(token), []byte(k.SessionToken(handle, generation)))
}
