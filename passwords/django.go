package passwords

import (
	"crypto/pbkdf2"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"regexp"
	"strconv"
	"strings"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/bcrypt"
)

// Bounds of what an imported hash may cost: about a second of a core and 128 MiB. Django's own costs are 1,200,000
// iterations of PBKDF2 (in its version 6), cost 12 of bcrypt, and two passes over 100 MiB of argon2.
const (
	maxDjangoHash   = 512 // bytes; the longest of Django's own has 128
	maxIterations   = 4_000_000
	maxBcryptCost   = 14
	maxArgonMemory  = 128 * 1024 // KiB
	maxArgonPasses  = 8
	maxArgonThreads = 16
)

// matcher reports whether a hash was made from a password as it was typed: Django does not normalise. It computes for up
// to a second.
type matcher func(password string) bool

// IsImported reports whether a hash is one of Django's that [Hasher.Compare] accepts: pbkdf2_sha256, argon2,
// bcrypt_sha256 or bcrypt, at a bounded cost.
func IsImported(hash string) bool {
	_, ok := parseDjango(hash)
	return ok
}

// parseDjango reads a hash as Django stores it: pbkdf2_sha256, argon2, bcrypt_sha256 or bcrypt. It
// reports false for everything else, including our own hashes and costs out of bounds.
func parseDjango(hash string) (matcher, bool) {
	if len(hash) > maxDjangoHash || strings.ContainsFunc(hash, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return nil, false // the decoders below ignore line ends
	}
	algorithm, rest, _ := strings.Cut(hash, "$")
	switch algorithm {
	case "pbkdf2_sha256":
		return parsePBKDF2(rest)
	case "argon2":
		return parseArgon2(rest)
	case "bcrypt":
		return parseBcrypt(rest, func(password string) string { return password })
	case "bcrypt_sha256":
		return parseBcrypt(rest, func(password string) string {
			sum := sha256.Sum256([]byte(password))
			return hex.EncodeToString(sum[:])
		})
	}
	return nil, false
}

// parsePBKDF2 reads iterations$salt$hash. The bytes of the salt are those of its text.
func parsePBKDF2(text string) (matcher, bool) {
	parts := strings.Split(text, "$")
	if len(parts) != 3 || parts[1] == "" {
		return nil, false
	}
	iterations, ok := number(parts[0], 1, maxIterations)
	want, err := base64.StdEncoding.Strict().DecodeString(parts[2])
	if !ok || err != nil || len(want) != sha256.Size {
		return nil, false
	}
	return func(password string) bool {
		got, err := pbkdf2.Key(sha256.New, password, []byte(parts[1]), iterations, len(want))
		return err == nil && subtle.ConstantTimeCompare(got, want) == 1
	}, true
}

// parseArgon2 reads argon2id$v=19$m=…,t=…,p=…$salt$hash. Django before 3.2 made argon2i.
func parseArgon2(text string) (matcher, bool) {
	parts := strings.Split(text, "$")
	if len(parts) != 5 || parts[1] != "v=19" {
		return nil, false
	}
	key := argon2.IDKey
	switch parts[0] {
	case "argon2id":
	case "argon2i":
		key = argon2.Key
	default:
		return nil, false
	}
	memory, passes, threads, ok := argonCosts(parts[2])
	salt, saltErr := base64.RawStdEncoding.Strict().DecodeString(parts[3])
	want, wantErr := base64.RawStdEncoding.Strict().DecodeString(parts[4])
	if !ok || saltErr != nil || wantErr != nil || len(salt) < 8 || len(want) < 16 {
		return nil, false
	}
	return func(password string) bool {
		got := key([]byte(password), salt, uint32(passes), uint32(memory), uint8(threads), uint32(len(want)))
		return subtle.ConstantTimeCompare(got, want) == 1
	}, true
}

func argonCosts(text string) (memory, passes, threads int, ok bool) {
	costs := strings.Split(text, ",")
	if len(costs) != 3 {
		return 0, 0, 0, false
	}
	m, okM := strings.CutPrefix(costs[0], "m=")
	t, okT := strings.CutPrefix(costs[1], "t=")
	p, okP := strings.CutPrefix(costs[2], "p=")
	if !okM || !okT || !okP {
		return 0, 0, 0, false
	}
	threads, okP = number(p, 1, maxArgonThreads)
	memory, okM = number(m, 8*threads, maxArgonMemory)
	passes, okT = number(t, 1, maxArgonPasses)
	return memory, passes, threads, okM && okT && okP
}

// bcryptForm matches the versions that compute the same hash.
var bcryptForm = regexp.MustCompile(`^\$2[aby]\$([0-9]{2})\$[./A-Za-z0-9]{53}$`)

// parseBcrypt reads $2b$cost$salt-and-hash. Only the first 72 bytes of the digest count, as in every bcrypt.
func parseBcrypt(text string, digest func(password string) string) (matcher, bool) {
	form := bcryptForm.FindStringSubmatch(text)
	if form == nil {
		return nil, false
	}
	cost, err := strconv.Atoi(form[1])
	if err != nil || cost < bcrypt.MinCost || cost > maxBcryptCost {
		return nil, false
	}
	return func(password string) bool {
		return bcrypt.CompareHashAndPassword([]byte(text), []byte(digest(password))) == nil
	}, true
}

// number reads a decimal number within bounds, without sign or leading zero.
func number(text string, least, most int) (int, bool) {
	n, err := strconv.Atoi(text)
	return n, err == nil && strconv.Itoa(n) == text && n >= least && n <= most
}
