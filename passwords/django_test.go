package passwords_test

import (
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"

	"usher/passwords"
)

const goodPassword = "correct horse 电池"

// djangoHash is of the password "ｐassword电池", which NFKC changes.
const djangoHash = "pbkdf2_sha256$1000$a1B2c3D4e5F6g7H8i9J0kL$+nKrRh3VwTxbAwLGnKwe3ExVfzJE0rwHRucRAHMHb08="

type djangoCase struct{ Name, Password, Hash string }

// djangoHashes are passwords with their hashes. The first three are from the tests of Django itself, the bcrypt of abc
// is from jBCrypt's; the others were made with Python's hashlib and libxcrypt. The tests of accounts read them as well.
func djangoHashes(t testing.TB) []djangoCase {
	t.Helper()
	data, err := os.ReadFile("testdata/django.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []djangoCase
	if err := json.Unmarshal(data, &cases); err != nil {
		t.Fatal(err)
	}
	return cases
}

func TestCompare_accepts_each_hash_of_Django(t *testing.T) {
	t.Parallel()
	for _, c := range djangoHashes(t) {
		h := quick(1) // one for each, since a costly hash raises the floor of all refusals
		for password, want := range map[string]bool{c.Password: true, "z" + c.Password: false, c.Password[1:]: false} {
			if got, err := h.Compare(t.Context(), password, c.Hash, passwords.First); err != nil || got != want {
				t.Errorf("%s: Compare(%q) = %v, %v, want %v", c.Name, password, got, err, want)
			}
		}
	}
}

func TestHasher_needs_a_slot_for_imported_hashes_too(t *testing.T) {
	t.Parallel()
	h := passwords.NewHasher(1)
	defer h.Occupy()()
	if _, err := h.Compare(t.Context(), "secret", djangoHash, passwords.First); !errors.Is(err, passwords.ErrBusy) {
		t.Errorf("Compare = %v, want ErrPasswordBusy", err)
	}
}

func TestParseDjango_refuses(t *testing.T) {
	t.Parallel()
	const (
		pbkdf2 = "$seasalt2$q2+3S7Q3humM60Meh1DTyhZwMQNpdFAy5wt1U6QJPEY="
		argon2 = "$c2FsdHNhbHQ$YC9+jJCrQhs5R6db7LlN8Q"
		bcrypt = "abcdefghijklmnopqrstuu2c1e4vZoCxDVRU9N6VCSSmNg4cQa1Ve"
	)
	if !passwords.IsImported("pbkdf2_sha256$1000"+pbkdf2) || !passwords.IsImported("bcrypt$$2b$05$"+bcrypt) {
		t.Fatal("refuses everything")
	}
	for name, hash := range map[string]string{
		"nothing":               "",
		"unusable":              "!nPf3QF9sTk",
		"ours":                  "$argon2id$v=19$m=19456,t=2,p=1" + argon2,
		"plain text":            "letmein",
		"md5":                   "md5$seasalt$3f86d0d3d465b7b458c231bf3555c0e3",
		"sha1":                  "sha1$seasalt$cff36ea83f5706ce9aa7454e63e431fc726b2dc8",
		"pbkdf2_sha1":           "pbkdf2_sha1$390000$seasalt2$aDapRanzW8aHTz97v2TcfHzWD+I=",
		"no iterations":         "pbkdf2_sha256$0" + pbkdf2,
		"endless iterations":    "pbkdf2_sha256$4000001" + pbkdf2,
		"overflowing":           "pbkdf2_sha256$99999999999999999999" + pbkdf2,
		"signed iterations":     "pbkdf2_sha256$+1000" + pbkdf2,
		"no salt":               "pbkdf2_sha256$1000$$q2+3S7Q3humM60Meh1DTyhZwMQNpdFAy5wt1U6QJPEY=",
		"short pbkdf2":          "pbkdf2_sha256$1000$seasalt2$q2+3",
		"no pbkdf2":             "pbkdf2_sha256$1000$seasalt2$",
		"one part more":         "pbkdf2_sha256$1000$" + pbkdf2,
		"line end":              "pbkdf2_sha256$1000" + pbkdf2 + "\n",
		"NUL":                   "pbkdf2_sha256$1000$sea\x00salt$q2+3S7Q3humM60Meh1DTyhZwMQNpdFAy5wt1U6QJPEY=",
		"endless salt":          "pbkdf2_sha256$1000$" + strings.Repeat("s", 1<<20) + pbkdf2,
		"argon2d":               "argon2$argon2d$v=19$m=8,t=1,p=1" + argon2,
		"argon2 of old version": "argon2$argon2i$m=8,t=1,p=1" + argon2,
		"argon2 version":        "argon2$argon2id$v=16$m=8,t=1,p=1" + argon2,
		"argon2 of a gigabyte":  "argon2$argon2id$v=19$m=1048576,t=1,p=1" + argon2,
		"argon2 without memory": "argon2$argon2id$v=19$m=0,t=1,p=1" + argon2,
		"argon2 for minutes":    "argon2$argon2id$v=19$m=1024,t=4294967295,p=1" + argon2,
		"argon2 of no passes":   "argon2$argon2id$v=19$m=1024,t=0,p=1" + argon2,
		"argon2 threads":        "argon2$argon2id$v=19$m=102400,t=2,p=255" + argon2,
		"argon2 of no threads":  "argon2$argon2id$v=19$m=102400,t=2,p=0" + argon2,
		"argon2 costs swapped":  "argon2$argon2id$v=19$t=2,m=102400,p=1" + argon2,
		"argon2 without key":    "argon2$argon2id$v=19$m=1024,t=1,p=1$c2FsdHNhbHQ$",
		"argon2 without salt":   "argon2$argon2id$v=19$m=1024,t=1,p=1$$YC9+jJCrQhs5R6db7LlN8Q",
		"bcrypt for days":       "bcrypt$$2b$31$" + bcrypt,
		"bcrypt for minutes":    "bcrypt_sha256$$2b$15$" + bcrypt,
		"bcrypt of no cost":     "bcrypt$$2b$03$" + bcrypt,
		"flawed bcrypt":         "bcrypt$$2x$05$" + bcrypt,
		"bcrypt of Unix":        "$2b$05$" + bcrypt,
		"cut bcrypt":            "bcrypt$$2b$05$" + bcrypt[1:],
	} {
		if passwords.IsImported(hash) {
			t.Errorf("%s: accepted %.60q", name, hash)
		}
	}
}

// FuzzDjangoHash looks for texts that panic, and for costs without a bound.
func FuzzDjangoHash(f *testing.F) {
	for _, c := range djangoHashes(f) {
		f.Add(c.Hash)
	}
	f.Add("argon2$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$YC9+jJCrQhs5R6db7LlN8Q")
	h := passwords.NewHasher(1)
	f.Fuzz(func(t *testing.T, hash string) {
		if !passwords.IsImported(hash) {
			return
		}
		cheap := strings.HasPrefix(hash, "argon2$argon2i$v=19$m=8,t=1,p=1$") || strings.HasPrefix(hash, "bcrypt$$2b$04$")
		if !cheap { // of a second each the fuzzer would see few
			return
		}
		if _, err := h.Compare(t.Context(), "secret", hash, passwords.First); err != nil {
			t.Errorf("Compare with %q = %v", hash, err)
		}
	})
}

// The dearest hashes that are let in.
func BenchmarkHasher_Compare_imported(b *testing.B) {
	for name, hash := range map[string]string{
		"pbkdf2": "pbkdf2_sha256$4000000$seasalt2$q2+3S7Q3humM60Meh1DTyhZwMQNpdFAy5wt1U6QJPEY=",
		"argon2": "argon2$argon2id$v=19$m=131072,t=8,p=1$c2FsdHNhbHQ$YC9+jJCrQhs5R6db7LlN8Q",
		"bcrypt": "bcrypt$$2b$14$abcdefghijklmnopqrstuu2c1e4vZoCxDVRU9N6VCSSmNg4cQa1Ve",
	} {
		b.Run(name, func(b *testing.B) {
			h := passwords.NewHasher(1)
			for b.Loop() {
				if match, err := h.Compare(b.Context(), "secret", hash, passwords.First); match || err != nil {
					b.Fatal(match, err)
				}
			}
		})
	}
}
