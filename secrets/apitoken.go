package secrets

import (
	"crypto/rand"
	"hash/crc32"
	"strings"
)

// The form of a token of the API: prefix_RANDOM_SUM, where RANDOM is 32 base62 digits (190 bits) and SUM is the CRC-32 of all
// before its underscore in six base62 digits. The prefix tells people and scanners of leaked secrets what the token opens, and the
// sum lets a scanner, and the API, recognize a mistyped or invented token without a database. The sum is no signature: everybody can
// compute it. GitHub's tokens have this form (github.blog, 2021-04-05).
const (
	tokenRandom = 32
	tokenSum    = 6
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
