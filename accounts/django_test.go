package accounts_test

import (
	"errors"
	"strings"
	"testing"

	"usher/accounts"
)

// djangoHashes are passwords with their hashes. The first three are from the tests of Django itself, the
// bcrypt of abc is from jBCrypt's; the others were made with Python's hashlib and libxcrypt.
var djangoHashes = []struct{ name, password, hash string }{
	{"pbkdf2_sha256", "lètmein", "pbkdf2_sha256$390000$seasalt$8xBlGd3jVgvJ+92hWPxi5ww0uuAuAnKgC45eudxro7c="},
	{"argon2id", "secret", "argon2$argon2id$v=19$m=102400,t=2,p=8$Y041dExhNkljRUUy$TMa6A8fPJhCAUXRhJXCXdw"},
	{"argon2i", "secret", "argon2$argon2i$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$YC9+jJCrQhs5R6db7LlN8Q"},
	{"bcrypt 2a", "abc", "bcrypt$$2a$06$If6bvum7DFjUnE9p2uDeDu0YHzrHM6tf.iqN8.yx.jNN1ILEf7h0i"},
	{"bcrypt", "lètmein", "bcrypt$$2b$05$abcdefghijklmnopqrstuu2c1e4vZoCxDVRU9N6VCSSmNg4cQa1Ve"},
	{"bcrypt_sha256", "lètmein", "bcrypt_sha256$$2b$05$abcdefghijklmnopqrstuuaQz6CVhbgRiZmnmiNLc9bv5cauhFkti"},
	{"bcrypt of more than 72 bytes", longPassword, "bcrypt$$2b$05$abcdefghijklmnopqrstuu1syp2fFXzRUtvsXr3N0neqnlvulNtBi"},
	{"bcrypt_sha256 of more than 72 bytes", longPassword, "bcrypt_sha256$$2b$05$abcdefghijklmnopqrstuuxhbPvhy7eGT96CZQDLwErxrlJlKyuAW"},
	{"a password that NFKC changes", "ｐassword电池", djangoHash},
}

const (
	longPassword = "VSK0UYV6FFQVZ0KG88DYN9WADAADZO1CTSIVDJUNZSUML6IBX7LN7ZS3R5JGB3RGZ7VI7G7DJQ9NI8BQFSRPTG6UWTTVESA5ZPUN"
	djangoHash   = "pbkdf2_sha256$1000$a1B2c3D4e5F6g7H8i9J0kL$+nKrRh3VwTxbAwLGnKwe3ExVfzJE0rwHRucRAHMHb08="
)

// imported makes the world's one account carry a hash from elsewhere.
func (w *world) imported(t testing.TB, hash string) accounts.Account {
	t.Helper()
	account := w.registered(t)
	account.PasswordHash = hash
	w.people[account.ID] = account
	return account
}

func TestSignIn_takes_each_hash_of_Django_and_replaces_it(t *testing.T) {
	t.Parallel()
	for _, c := range djangoHashes {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			before := w.imported(t, c.hash)
			for _, wrong := range []string{"z" + c.password, c.password[1:], c.hash} {
				if _, err := w.SignIn(t.Context(), before.Username, wrong, accounts.Later); !errors.Is(err, accounts.ErrCredentials) {
					t.Errorf("wrong password: SignIn = %v, want ErrCredentials", err)
				}
			}
			if w.people[before.ID].PasswordHash != c.hash {
				t.Fatal("a wrong password replaced the hash")
			}
			for range 2 { // with Django's hash, and with ours
				got, err := w.SignIn(t.Context(), before.Username, c.password, accounts.Later)
				if err != nil || got.ID != before.ID {
					t.Fatalf("SignIn = %v, %v", got.ID, err)
				}
				after := w.people[before.ID]
				if !strings.HasPrefix(after.PasswordHash, "$argon2id$") || got.PasswordHash != after.PasswordHash {
					t.Errorf("the hash is now %.20q, returned as %.20q", after.PasswordHash, got.PasswordHash)
				}
				if after.SessionGeneration != before.SessionGeneration {
					t.Error("the person's other sessions ended")
				}
			}
		})
	}
}

func TestSignIn_normalises_the_password_from_the_second_time_on(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	account := w.imported(t, djangoHash)
	if _, err := w.SignIn(t.Context(), account.Username, "password电池", accounts.Later); !errors.Is(err, accounts.ErrCredentials) {
		t.Errorf("a twin of what Django hashed: SignIn = %v, want ErrCredentials", err)
	}
	for _, password := range []string{"ｐassword电池", "password电池"} {
		if _, err := w.SignIn(t.Context(), account.Username, password, accounts.Later); err != nil {
			t.Errorf("SignIn with %q = %v", password, err)
		}
	}
}

func TestSignIn_replaces_no_hash_of_an_account_that_is_not_active(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	account := w.imported(t, djangoHash)
	account.Active = false
	w.people[account.ID] = account
	if _, err := w.SignIn(t.Context(), account.Username, "ｐassword电池", accounts.Later); !errors.Is(err, accounts.ErrNotActive) {
		t.Errorf("SignIn = %v, want ErrNotActive", err)
	}
	wantSteps(t, w, "find username")
}

func TestSignIn_succeeds_when_the_hash_cannot_be_replaced(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	account := w.imported(t, djangoHash)
	w.fail["rehash"] = errAway
	got, err := w.SignIn(t.Context(), account.Username, "ｐassword电池", accounts.Later)
	if err != nil || got.PasswordHash != djangoHash {
		t.Errorf("SignIn = %.20q, %v", got.PasswordHash, err)
	}
	wantSteps(t, w, "find username", "rehash")
	if log := w.log.String(); !strings.Contains(log, account.ID) || strings.Contains(log, "pbkdf2") {
		t.Errorf("log = %s", log)
	}
}

func TestSignIn_never_takes_a_hash_that_is_empty_or_unusable(t *testing.T) {
	t.Parallel()
	for _, hash := range []string{"", "!", "!nPf3QF9sTk"} {
		w := newWorld(t)
		account := w.imported(t, hash)
		for _, password := range []string{"", "!", hash, goodPassword} {
			if got, err := w.SignIn(t.Context(), account.Username, password, accounts.Later); err == nil {
				t.Errorf("hash %q, password %q: SignIn = %v", hash, password, got.ID)
			}
		}
	}
}

func TestHasher_waits_its_turn_for_imported_hashes_too(t *testing.T) {
	t.Parallel()
	h := accounts.NewHasher(1)
	defer h.Occupy()()
	if _, err := h.Compare(t.Context(), "secret", djangoHash, accounts.First); !errors.Is(err, accounts.ErrPasswordBusy) {
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
	if !accounts.DjangoHash("pbkdf2_sha256$1000"+pbkdf2) || !accounts.DjangoHash("bcrypt$$2b$05$"+bcrypt) {
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
		if accounts.DjangoHash(hash) {
			t.Errorf("%s: accepted %.60q", name, hash)
		}
	}
}

// FuzzDjangoHash looks for texts that panic, and for costs that nobody bounded.
func FuzzDjangoHash(f *testing.F) {
	for _, c := range djangoHashes {
		f.Add(c.hash)
	}
	f.Add("argon2$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$YC9+jJCrQhs5R6db7LlN8Q")
	h := accounts.NewHasher(1)
	f.Fuzz(func(t *testing.T, hash string) {
		if !accounts.DjangoHash(hash) {
			return
		}
		cheap := strings.HasPrefix(hash, "argon2$argon2i$v=19$m=8,t=1,p=1$") || strings.HasPrefix(hash, "bcrypt$$2b$04$")
		if !cheap { // of a second each the fuzzer would see few
			return
		}
		if _, err := h.Compare(t.Context(), "secret", hash, accounts.First); err != nil {
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
			h := accounts.NewHasher(1)
			for b.Loop() {
				if match, err := h.Compare(b.Context(), "secret", hash, accounts.First); match || err != nil {
					b.Fatal(match, err)
				}
			}
		})
	}
}
